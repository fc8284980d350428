"""The documentation says what the code has: every public word is on its page, and no word that there is not."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from pydantic import BaseModel
from typer.core import TyperGroup
from typer.main import get_command

from bridge.cli.exits import Exit
from bridge.cli.main import app
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.failures import Code
from bridge.contract.topics import TopicNames, topic_specs
from bridge.settings import Settings
from bridge.telemetry.logs import Event
from bridge.telemetry.metrics import PREFIX, Metrics

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
ENTITIES = "|".join(CATALOGUE.entities)


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """The text from a heading to the next one of its level or above."""
    lines = page(name).splitlines()
    start = next(number for number, line in enumerate(lines) if re.fullmatch(rf"#+ {re.escape(heading)}", line))
    level = len(lines[start]) - len(lines[start].lstrip("#"))
    closing = re.compile(rf"#{{1,{level}}} ")
    end = next((number for number in range(start + 1, len(lines)) if closing.match(lines[number])), len(lines))
    return "\n".join(lines[start:end])


def first_cells(text: str) -> list[str]:
    """The words in backticks of the first column of every table."""
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return [word for cell in rows for word in re.findall(r"`([^`]+)`", cell)]


def topic_words(text: str) -> set[str]:
    """Full names of topics of entities that are said anywhere; what is called is a method of the client."""
    return set(re.findall(rf"\bcopper\.(?:{ENTITIES})\.[a-z]+(?:-dlt)?\b(?!\.[a-z<*]|\()", text))


def action_words(text: str) -> set[str]:
    """Actions in the form `entity.action`, without topics and types."""
    return set(re.findall(rf"(?<![\w.])((?:{ENTITIES})\.[a-z]+(?:-[a-z]+)*)\b", text))


LISTED_TOPICS = {f"copper.{row.entity}.{row.kind}" for row in CATALOGUE.triggers if row.listed}
TOPICS = {f"copper.{row.entity}.{row.kind}" for row in CATALOGUE.triggers}
LISTED_ACTIONS = {f"{row.entity}.{row.name}" for row in CATALOGUE.actions if row.listed}
ACTIONS = {f"{row.entity}.{row.name}" for row in CATALOGUE.actions}


def test_the_readme_names_the_twelve_triggers_and_the_twenty_actions() -> None:
    assert topic_words(page("README.md")) >= LISTED_TOPICS
    assert action_words(page("README.md")) >= LISTED_ACTIONS


def test_the_contract_names_every_trigger_and_action() -> None:
    assert topic_words(section("docs/reference/contract.md", "2. Topics")) >= TOPICS
    assert action_words(section("docs/reference/contract.md", "4. Commands")) == ACTIONS


def test_the_contract_marks_the_listed_triggers_and_actions_and_no_others() -> None:
    titles = {row.title: f"copper.{row.entity}.{row.kind}" for row in CATALOGUE.triggers if row.listed}
    rows = re.findall(
        r"^\| ([A-Z][\w/ ]+) \| `([^`]+)` \|", section("docs/reference/contract.md", "2. Topics"), re.MULTILINE
    )
    assert dict(rows) == titles
    assert (
        set(re.findall(r"\*\*([a-z.-]+)\*\*", section("docs/reference/contract.md", "4. Commands"))) == LISTED_ACTIONS
    )


def test_every_member_by_name_is_explained_with_its_field_and_no_other() -> None:
    rows = [line.split("|") for line in section("docs/reference/contract.md", "Names instead of ids").splitlines()]
    told = {row[1].strip(" `"): re.findall(r"`([a-z_]+_id)`", row[2]) for row in rows if len(row) > 3 and "`" in row[1]}
    assert told == {row.member: [] if row.in_place else [row.field] for row in CATALOGUE.names.values()}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_names_no_topic_that_there_is_not(path: Path) -> None:
    known = {spec.name for spec in topic_specs(TopicNames())}
    assert topic_words(path.read_text(encoding="utf-8")) <= known


def test_every_failure_code_is_explained_and_no_other() -> None:
    told = section("docs/reference/contract.md", "5. Replies")
    table = told[told.index("| code |") : told.index("What the bridge does")]
    assert sorted(first_cells(table)) == sorted(code.value for code in Code)


def test_every_metric_is_explained_and_no_other() -> None:
    exposed = re.findall(r"^# TYPE (\S+)", generate_latest(Metrics().registry).decode(), re.MULTILINE)
    names = {name for name in exposed if not name.endswith("_created")}
    assert sorted(first_cells(section("docs/reference/metrics-and-logs.md", "Metrics"))) == sorted(names)
    parts = {f"{name}{part}" for name in names for part in ("", "_bucket", "_sum", "_count")}
    for path in PAGES:
        assert set(re.findall(rf"\b{PREFIX}_[a-z_]+", path.read_text(encoding="utf-8"))) <= parts, path


def test_the_labels_of_every_metric_are_as_told() -> None:
    rows = [line.split("|") for line in section("docs/reference/metrics-and-logs.md", "Metrics").splitlines()]
    told = {row[1].strip(" `"): re.findall(r"`([a-z]+)`", row[2]) for row in rows if row[0] == "" and len(row) > 3}
    metrics = [each for each in vars(Metrics()).values() if hasattr(each, "_labelnames")]
    for metric in metrics:
        name = metric.describe()[0].name
        suffix = {"counter": "_total"}.get(metric._type, "")
        if metric._type != "info":
            assert told[name + suffix] == list(metric._labelnames), name


def test_every_log_event_is_explained_and_no_other() -> None:
    told = first_cells(section("docs/reference/metrics-and-logs.md", "Logs"))
    assert sorted(told) == sorted(event.value for event in Event)


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The keys of a group of settings; of a map the key is `<name>`."""
    for name, field in model.model_fields.items():
        inner = groups_in(field.annotation)
        way = f"{prefix}{name}"
        for group in inner:
            yield from settings_of(group, f"{way}.<name>." if is_map(field.annotation) else f"{way}.")
        if not inner:
            yield way


def groups_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [group for part in getattr(annotation, "__args__", ()) for group in groups_in(part)]


def is_map(annotation: object) -> bool:
    return getattr(annotation, "__origin__", None) in {dict, Mapping}


def test_every_setting_is_explained_and_no_other() -> None:
    told = first_cells(section("docs/reference/configuration.md", "Every setting"))
    assert sorted(told) == sorted(settings_of(Settings))


def commands_of(group: TyperGroup, name: str = "copper-bridge") -> Iterator[tuple[str, set[str]]]:
    """Every command with its options."""
    for word, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands_of(command, f"{name} {word}")
        else:
            options = (parameter for parameter in command.params if parameter.param_type_name == "option")
            yield (
                f"{name} {word}",
                {option for each in options for option in (*each.opts, *each.secondary_opts)} - {"--help"},
            )


def commands() -> dict[str, set[str]]:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return dict(commands_of(group))


def test_every_command_of_the_command_line_is_explained_with_its_options_and_no_others() -> None:
    told = re.findall(r"^### `([^`]+)`", page("docs/reference/cli.md"), re.MULTILINE)
    assert sorted(told) == sorted(commands())
    for command, options in commands().items():
        cells = first_cells(section("docs/reference/cli.md", f"`{command}`"))
        assert sorted(cells) == sorted(options), command


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_shows_no_command_that_there_is_not(path: Path) -> None:
    known = {command.split()[1] for command in commands()}
    shown = re.findall(r"(?:^|`|/|&& )copper-bridge ([a-z]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(shown) <= known


def test_every_exit_code_is_explained() -> None:
    codes = re.findall(r"^\| (\d+) \|", section("docs/reference/cli.md", "Exit codes"), re.MULTILINE)
    assert {int(code) for code in codes} == {*(code.value for code in Exit), 2, 130}


def anchors(path: Path) -> set[str]:
    """The names of a page's headings in links, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def tracked() -> Iterator[tuple[str, str]]:
    """The text files of the repository, by their path in it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and path != Path(__file__):
            yield name, path.read_bytes().decode(errors="replace")


def test_no_file_speaks_of_places_outside_the_repository() -> None:
    outside = re.compile(r"(?<![\w.])(?:/work|/root|\.\./shared)(?:/|\b)")
    assert {name: found[0] for name, text in tracked() if (found := outside.search(text))} == {}


def test_what_code_cites_is_in_the_repository() -> None:
    there = {path.name for path in PAGES}
    for name, text in tracked():
        if name.startswith(("bridge/", "tests/", "topics/catalogue")):
            cited = {Path(word).name for word in re.findall(r"[\w/-]+\.md\b", text)}
            assert cited <= there, name


def test_a_cited_section_exists() -> None:
    contract, copper = page("docs/reference/contract.md"), page("docs/reference/copper-api.md")
    for name, text in tracked():
        for line in text.splitlines() if name.startswith(("bridge/", "tests/")) else ():
            for number in re.findall(r"§(\d+(?:\.\d+)*)", line):
                told = contract if "contract.md" in line else copper
                heading = rf"^(?:#+ {re.escape(number)}\.? |- \*\*{re.escape(number)}\*\* )"
                assert re.search(heading, told, re.MULTILINE), f"{name}: §{number}"

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest

from bridge.contract import publish
from bridge.contract.catalogue import CATALOGUE, topics_root
from bridge.contract.commands import Command, decode
from bridge.contract.control import Asked
from bridge.contract.examples import Example, examples
from bridge.contract.records import Incoming, Position
from bridge.contract.schemas import documents
from bridge.contract.topics import TopicNames, topic_specs

Documents = dict[str, Any]

EXAMPLES = {each.name: each for each in examples()}
WITH_SCHEMA = [each for each in EXAMPLES.values() if each.schema]
INTERNAL = {"copper.bridge.accounts", "copper.bridge.cursors", "copper.bridge.journal"}
"""What lies there is the bridge's own affair."""


def test_what_is_published_is_what_the_catalogue_gives() -> None:
    assert publish.differing(topics_root(), publish.files()) == []


def test_a_file_that_was_changed_or_is_made_no_more_is_named(tmp_path: Path) -> None:
    made = {Path("schemas/a.json"): b"1", Path("schemas/b.json"): b"2"}
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "b.json").write_bytes(b"other")
    (tmp_path / "schemas" / "stale.json").write_bytes(b"3")
    assert publish.differing(tmp_path, made) == [Path("schemas", name) for name in ("a.json", "b.json", "stale.json")]


def test_every_schema_is_json_schema_2020_12_and_has_its_own_id(schemas: Documents) -> None:
    for name, schema in schemas.items():
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema", name
        assert schema["$id"] == f"urn:copper-kafka-bridge:{name}", name
        jsonschema_rs.meta.validate(schema)


@pytest.mark.parametrize("example", WITH_SCHEMA, ids=lambda each: each.name)
def test_an_example_is_valid_against_its_schema(example: Example, schemas: Documents, published: Documents) -> None:
    jsonschema_rs.validate(schemas[example.schema], published[example.name]["value"])


@pytest.mark.parametrize("example", WITH_SCHEMA, ids=lambda each: each.name)
def test_the_schema_an_event_names_is_one_that_it_is_valid_against(
    example: Example, schemas: Documents, published: Documents
) -> None:
    named = published[example.name]["headers"].get("ce_dataschema")
    if named is not None:
        jsonschema_rs.validate(schemas[named.rpartition(":")[2]], published[example.name]["value"])


def test_every_topic_that_others_read_or_write_has_an_example(published: Documents) -> None:
    shown = {document["topic"] for document in published.values()}
    assert {spec.name for spec in topic_specs(TopicNames())} - shown == INTERNAL


@pytest.mark.parametrize("row", CATALOGUE.actions, ids=lambda row: f"{row.entity}.{row.name}")
def test_the_example_of_a_command_is_one_the_bridge_carries_out(row: Any, published: Documents) -> None:
    names = TopicNames()
    shown = published[f"copper.{row.entity}.commands.{row.name}"]
    headers = tuple((name, text.encode()) for name, text in shown["headers"].items())
    record = Incoming(Position(shown["topic"], 0, 0), shown["key"].encode(), orjson.dumps(shown["value"]), headers, 0)
    command = decode(record, entity=row.entity, names=names, accounts=[shown["key"]], allowed_replies=[])
    assert isinstance(command, Command)
    assert command.action == row.name


@pytest.mark.parametrize("row", CATALOGUE.actions, ids=lambda row: f"{row.entity}.{row.name}")
def test_a_command_schema_refuses_what_it_does_not_name(row: Any, schemas: Documents) -> None:
    schema = schemas[f"{row.entity}.{row.name}.command.v1"]
    assert not jsonschema_rs.is_valid(schema, {"action": row.name, **row.example, "nonsense": 1})


def test_a_record_schema_takes_fields_and_values_that_are_new_to_us(schemas: Documents) -> None:
    for entity in CATALOGUE.entities.values():
        record = {**entity.example, "hue": {"deg": 7}}
        jsonschema_rs.validate(schemas[f"{entity.name}.record.v1"], record)
    task = {**CATALOGUE.entities["task"].example, "status": "Snoozed", "related_resource": {"id": None, "type": None}}
    jsonschema_rs.validate(schemas["task.record.v1"], task)


def test_the_headers_of_an_example_are_those_the_catalogue_names(published: Documents) -> None:
    families = {"commands": "command", "replies": "reply", "commands-dlt": "letter", "inbox": "notice"}
    families |= {"control": "control", "notifications": "announcement", "watermarks": "watermark", "parked": "letter"}
    for document in published.values():
        family = families.get(document["topic"].rpartition(".")[2], "event")
        known = {**CATALOGUE.headers[family], **(CATALOGUE.headers["command"] if family == "letter" else {})}
        always = {name for name, row in known.items() if row.get("always")}
        assert always <= document["headers"].keys() <= known.keys(), document["topic"]


def test_the_document_is_valid_asyncapi(asyncapi: Documents) -> None:
    official = orjson.loads((Path(__file__).parent / "asyncapi" / "3.0.0.json").read_bytes())
    jsonschema_rs.validate(official, asyncapi)


def test_every_reference_in_the_document_leads_somewhere(asyncapi: Documents) -> None:
    references = list(_references(asyncapi))
    assert len(references) > 200
    for reference in references:
        if reference.startswith("#/"):
            found: Any = asyncapi
            for part in reference[2:].split("/"):
                found = found[part]
        else:
            assert (topics_root() / reference).is_file(), reference


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _references(each)


def test_every_trigger_action_and_public_topic_has_its_place_in_the_document(asyncapi: Documents) -> None:
    addresses = {channel["address"] for channel in asyncapi["channels"].values()}
    assert {spec.name for spec in topic_specs(TopicNames())} - addresses == INTERNAL
    rows = {f"{row.entity}.{row.kind}" for row in CATALOGUE.triggers}
    rows |= {f"{row.entity}.{row.name}" for row in CATALOGUE.actions}
    assert rows <= asyncapi["operations"].keys()


def test_a_reply_goes_to_a_channel_without_an_address_because_the_command_names_it(asyncapi: Documents) -> None:
    for name, operation in asyncapi["operations"].items():
        if operation["action"] == "receive" and name != "bridge.control":
            channel = operation["reply"]["channel"]["$ref"].rpartition("/")[2]
            assert asyncapi["channels"][channel]["address"] is None, name
            default = f"copper.{name.partition('.')[0]}.replies"
            assert default in operation["reply"]["address"]["description"], name


def test_an_installed_package_reads_the_contract_that_lies_inside_it(tmp_path: Path) -> None:
    """As the wheel lays it out: topics/ goes to bridge/topics."""
    source = topics_root().parent / "bridge"
    shutil.copytree(source / "contract", tmp_path / "bridge" / "contract")
    shutil.copy(source / "__init__.py", tmp_path / "bridge")
    shutil.copytree(topics_root(), tmp_path / "bridge" / "topics")
    code = "from bridge.contract.catalogue import *; print(topics_root(), len(CATALOGUE.actions))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    assert done.stdout.split() == [str(tmp_path / "bridge" / "topics"), str(len(CATALOGUE.actions))]


def test_what_can_be_asked_is_in_the_schema_of_control_messages() -> None:
    assert documents()["control.v1"]["properties"]["type"]["enum"] == [*Asked]

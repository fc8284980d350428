"""The demo's lines: what runs where, how to talk to it, and what passes. Standard output, flushed line by line.

Called by `staging` and `story`. Colours only on a terminal and without NO_COLOR (rich sees to both).
"""

from datetime import datetime
from pathlib import Path

from rich.console import Console

from bridge.app import Running
from bridge.cli.demo.witness import CORRELATION
from bridge.cli.lines import as_line
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.records import Incoming
from bridge.contract.topics import TopicNames

BANNER = "SANDBOX  a double of Copper and throw-away data; nothing leaves this computer. Not for production.\n"
_STYLES = {"created": "green", "updated": "green", "deleted": "green", "commands": "cyan", "commands-dlt": "red"}


class Screen:
    """Writes lines. `note` them ahead: a reply that is worth a remark gets it when it passes."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._notes: dict[bytes, str] = {}

    def say(self, text: str = "", *, style: str | None = None) -> None:
        """One or more lines as they are."""
        self._console.print(text, style=style)

    def happened(self, where: str, what: str) -> None:
        """Something that happened outside Kafka, now."""
        self.say(f"{datetime.now().astimezone():%H:%M:%S}  {where:<8} {what}", style="yellow")

    def note(self, correlation: bytes, remark: str) -> None:
        """A remark for the reply to that command."""
        self._notes[correlation] = remark

    def show(self, record: Incoming) -> None:
        """One line for an event, a command, a reply or a dead letter.

        A change is on several topics; it is shown for its kind alone.
        """
        part = record.position.topic.rpartition(".")[2]
        remark = self._notes.pop(record.header(CORRELATION) or b"", None) if part == "replies" else None
        line = as_line(record) + (f"  <- {remark}" if remark else "")
        if part == "replies":
            self.say(line, style="bold" if record.header("copper-bridge-error") is None else "bold red")
        elif part in _STYLES:
            self.say(line, style=_STYLES[part])


def patterns(names: TopicNames) -> list[str]:
    """The topics that `show` and the witness want to read."""
    kinds = sorted({row.kind for row in CATALOGUE.triggers})
    return [f"{names.prefix}.*.{part}" for part in (*kinds, "changes", "commands", "replies", "commands-dlt")]


def places(copper: str, servers: str, kafka: str, bridge: Running, seconds: float) -> str:
    """What runs where; `kafka` is in words, `seconds` what the bridge took to be ready."""
    internal = f"http://127.0.0.1:{bridge.internal_port}"
    rows = [
        ("Copper double", copper, "what is in it and goes wrong: see /_control there"),
        ("Kafka", servers, kafka),
        ("status page", f"{internal}/", f"the bridge at work, for a browser; ready in {seconds:.1f} s"),
    ]
    return "\n".join(f"  {name:<14} {address:<42} {words}" for name, address, words in rows)


def how_to_talk(names: TopicNames, servers: str, account: str) -> str:
    """Lines for a second terminal, to be copied as they are."""
    here = Path(".venv/bin/copper-bridge")
    bridge = str(here) if here.is_file() else "copper-bridge"
    prefix = "" if names.prefix == TopicNames().prefix else f" --prefix {names.prefix}"
    kcat = f"kcat -b {servers} -t"
    command = """echo '{"action": "create", "data": {"name": "Acme Ltd"}}'"""
    committed = "-X isolation.level=read_committed"
    return f"""
  Try, in a second terminal:
    {bridge} listen '{names.prefix}.company.*' -b {servers}
    {bridge} call company.create name="Acme Ltd" -b {servers}{prefix}
  or with a plain Kafka tool:
    {kcat} {names.changes("company")} -C -o beginning {committed}
    {command} | {kcat} {names.commands("company")} -P -k {account}
"""

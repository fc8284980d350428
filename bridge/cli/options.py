"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option("-c", "--config", envvar="BRIDGE_CONFIG", help="Settings file; else ./bridge.yaml, if it is there."),
]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting: copper.timeout=10s.")]
Servers = Annotated[
    str,
    typer.Option(
        "-b",
        "--bootstrap-servers",
        envvar="BRIDGE_KAFKA__BOOTSTRAP_SERVERS",
        metavar="HOST:PORT",
        help="Where Kafka is.",
    ),
]
Prefix = Annotated[str, typer.Option(envvar="BRIDGE_TOPICS__PREFIX", help="First part of the topics' names.")]

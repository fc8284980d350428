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
    str | None,
    typer.Option(
        "-b",
        "--bootstrap-servers",
        metavar="HOST:PORT",
        help="Where Kafka is; else as in the settings, or localhost:9092.",
    ),
]
Prefix = Annotated[
    str | None, typer.Option(help="First part of the topics' names; else as in the settings, or copper.")
]

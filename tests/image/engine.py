"""A container engine by its command line: whatever `DOCKER` names (default `docker`) and speaks Docker's language."""

import json
import os
import shlex
import subprocess
import tarfile
from collections.abc import Iterator
from typing import Any

from tests.programs import run

DOCKER = shlex.split(os.environ.get("DOCKER", "docker"))
IMAGE = os.environ.get("IMAGE", "copper-kafka-bridge:dev")
LOCKED_IN = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")


def engine(*arguments: str) -> str:
    """What the engine says, without the line's end."""
    return run(*DOCKER, *arguments).strip()


def inspected(name: str, kind: str = "container") -> dict[str, Any]:
    """All that the engine knows of a container or an image."""
    (found,) = json.loads(engine(kind, "inspect", name))
    return dict(found)


def python(container: str, program: str) -> str:
    """Run a line of Python inside; what it prints."""
    return engine("exec", container, "python3", "-c", program)


def get(container: str, address: str) -> str:
    """The body behind an address, as seen from inside. Raises `ProgramFailed` unless the status is 2xx."""
    return python(
        container, f"from urllib.request import urlopen; print(urlopen({address!r}, timeout=5).read().decode())"
    )


def files(image: str) -> Iterator[tarfile.TarInfo]:
    """Every file, directory and link of an image."""
    container = engine("create", image)
    try:
        command = [*DOCKER, "export", container]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as export:  # noqa: S603 - the engine
            assert export.stdout is not None
            with tarfile.open(fileobj=export.stdout, mode="r|") as archive:
                yield from archive
            export.stdout.read()  # tar ends before its padding does
    finally:
        engine("rm", container)

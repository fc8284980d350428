"""The examples of docs/how-to/secure-commands.md are run: what they print is a signature that the bridge accepts."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.contract.commands import Command, decode
from bridge.contract.records import Headers, Incoming, Position
from bridge.contract.signing import SIGNATURE, SigningKeys
from bridge.contract.topics import TopicNames

PAGE = (Path(__file__).parents[2] / "docs/how-to/secure-commands.md").read_text(encoding="utf-8")
KEYS = SigningKeys({"shop": b"a-secret-of-16+-characters"})
VALUE = b'{"action": "update", "id": 66120934, "data": {"name": "Tideglass Ltd"}}'
HEADERS: Headers = (
    ("idempotency-key", b"order-4711"),
    ("correlation-id", b"42"),
    ("reply-to", b"shop.copper-replies"),
    ("deadline", b"2026-12-01T12:00:00Z"),
)
RUNS = {"python": ("py", [sys.executable]), "sh": ("sh", ["sh"]), "java": ("java", ["java"])}
NEEDS = {"python": sys.executable, "sh": "openssl", "java": "javac"}


def example(language: str) -> str:
    """The block that signs something."""
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return next(block for block in blocks if "order-4711" in block)


@pytest.mark.parametrize("language", RUNS)
def test_the_example_makes_a_signature_that_the_bridge_accepts(tmp_path: Path, language: str) -> None:
    if shutil.which(NEEDS[language]) is None:
        pytest.skip(f"needs {NEEDS[language]}")
    suffix, command = RUNS[language]
    file = tmp_path / f"Sign.{suffix}"
    file.write_text(example(language), encoding="utf-8")
    run = subprocess.run([*command, str(file)], check=True, capture_output=True, text=True)  # noqa: S603 - our own page
    headers = (*HEADERS, (SIGNATURE, run.stdout.strip().encode()))
    record = Incoming(Position("copper.company.commands", 0, 41), b"acme", VALUE, headers, 0)
    found = decode(
        record, entity="company", names=TopicNames(), accounts=["acme"], allowed_replies=["*.copper-replies"], keys=KEYS
    )
    assert isinstance(found, Command)
    assert run.stdout.strip() in PAGE

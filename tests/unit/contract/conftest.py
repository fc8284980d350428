from collections.abc import Callable, Sequence

import pytest

from bridge.contract.commands import Command, Malformed, decode
from bridge.contract.records import Headers, Incoming, Position
from bridge.contract.topics import TopicNames

NAMES = TopicNames("copper")
ALLOWED = ("copper.*.replies", "*.copper-replies")

Decoded = Callable[..., Command | Malformed]


@pytest.fixture
def names() -> TopicNames:
    return NAMES


@pytest.fixture
def incoming() -> Callable[..., Incoming]:
    """Makes a record of a commands topic."""

    def make(
        value: bytes | None, *headers: tuple[str, bytes], entity: str = "company", key: bytes | None = b"acme"
    ) -> Incoming:
        position = Position(NAMES.commands(entity), 1, 41)
        return Incoming(position, key, value, tuple(headers), 1790000402123)

    return make


@pytest.fixture
def decoded(incoming: Callable[..., Incoming]) -> Decoded:
    """Makes a record of a commands topic and decodes it."""

    def make(
        value: bytes | None, *headers: Headers, entity: str = "company", accounts: Sequence[str] = ("acme",)
    ) -> Command | Malformed:
        record = incoming(value, *headers, entity=entity)
        return decode(record, entity=entity, names=NAMES, accounts=accounts, allowed_replies=ALLOWED)

    return make

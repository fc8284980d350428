"""The program of the demo's story: produces commands to Kafka and waits for their replies, as users' programs do.

Called by `story`. Knows no Copper and no bridge, only topics.
"""

from collections.abc import Mapping
from itertools import count
from typing import Any

from bridge.cli.demo.screen import Screen
from bridge.cli.demo.witness import Witness
from bridge.contract.commands import encode
from bridge.contract.topics import TopicNames


class StoryBroken(Exception):
    """A command did not end as the story needs it; the text is one line that says which and how."""


class Program:
    """Sends commands for one account. `producer` is `bridge.client.connecting.producer`'s."""

    def __init__(self, producer: Any, names: TopicNames, account: str, witness: Witness, screen: Screen) -> None:
        self._producer = producer
        self._names = names
        self._key = account.encode()
        self._witness = witness
        self._screen = screen
        self._numbers = count(1)

    async def ask(self, entity: str, action: str, *, remark: str | None = None, **members: Any) -> Mapping[str, Any]:
        """Send one command; the reply's value, however it ended. `members` as `bridge.contract.commands.encode` has."""
        correlation = f"demo-{next(self._numbers)}".encode()
        value, headers = encode(action, correlation=correlation, **members)
        if remark is not None:
            self._screen.note(correlation, remark)
        await self._producer.send_and_wait(self._names.commands(entity), value, key=self._key, headers=list(headers))
        return await self._witness.reply(correlation)

    async def do(self, entity: str, action: str, **members: Any) -> Mapping[str, Any]:
        """Send one command that has to succeed; its reply's record, empty when there is none.

        Raises `StoryBroken`.
        """
        reply = await self.ask(entity, action, **members)
        if reply.get("status") != "succeeded":
            code = (reply.get("error") or {}).get("type", "")
            raise StoryBroken(f"{entity}.{action} ended {reply.get('status')} {code}".rstrip())
        return reply.get("record") or {}

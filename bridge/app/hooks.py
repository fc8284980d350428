"""Receiving webhooks: authenticate, read, keep in the inbox, and only then say so.

Joins the public port (`bridge.web`) with Copper's words and Kafka's inbox.
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from bridge.contract.notices import Notice, notice_record
from bridge.contract.topics import TopicNames
from bridge.copper import notifications
from bridge.kafka.inbox import Inbox

AHEAD_SECONDS = 300.0
"""Copper's clock may be ahead of ours by so much."""


class Hooks:
    """The receiver. `secrets` gives the digests of the tokens that an account's notifications may carry now."""

    def __init__(
        self,
        secrets: Callable[[str], Sequence[bytes]],
        names: TopicNames,
        partitions: int,
        inbox: Inbox,
        received: Callable[[str], None],
        *,
        window: float,
        clock: Callable[[], float],
    ) -> None:
        """`received` is told how each request ended.

        `window` is how old a notification may be, seconds by `clock`, which gives Unix seconds.
        """
        self._secrets = secrets
        self._names = names
        self._partitions = partitions
        self._inbox = inbox
        self._received = received
        self._window = window
        self._clock = clock

    async def receive(self, account: str, headers: Mapping[str, str], body: bytes) -> HTTPStatus:
        """The status of the answer; a stranger learns nothing but that, not even which accounts there are."""
        outcome, status = await self._outcome(account, headers, body)
        self._received(outcome)
        return status

    async def _outcome(self, account: str, headers: Mapping[str, str], body: bytes) -> tuple[str, HTTPStatus]:
        if not notifications.authentic(headers, self._secrets(account)):
            return "unauthorized", HTTPStatus.UNAUTHORIZED
        read = notifications.read(body)
        if isinstance(read, notifications.Refusal):
            return "invalid", HTTPStatus.BAD_REQUEST
        if not -AHEAD_SECONDS <= self._clock() - read.timestamp_ms / 1000 <= self._window:
            return "stale", HTTPStatus.BAD_REQUEST  # a repetition, or so late that polls and sweeps have been there
        notice = Notice(account, read.entity, read.event, read.ids, read.timestamp_ms)
        if not await self._inbox.put(notice_record(notice, self._names, self._partitions)):
            return "unavailable", HTTPStatus.SERVICE_UNAVAILABLE
        return "accepted", HTTPStatus.OK

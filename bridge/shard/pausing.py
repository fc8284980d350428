"""Pausing: one account's waits for credentials that work, begun by any refused call, told, and ended by probes.

The gate is the account's own (`ports.Gate`): while it is closed nobody's call goes out. This flow ends a pause, and
says when one begins and ends. A pause outlives a session and a process by its cursor, so that each that was told of is
told to be over, and no restart tries refused credentials from everywhere at once. Called by the shard session.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bridge.contract.announcements import Announcement, Told, announcement_record
from bridge.policy.refusals import Paused
from bridge.policy.sightings import Why
from bridge.shard.cursors import cursor_record
from bridge.shard.ports import Draft, Gate, Ledger
from bridge.shard.publishing import Publishing


@dataclass(frozen=True, slots=True)
class Pausing:
    """The flow for one account. `observe` gets what it is told of: a pause, or None when there is none (any more)."""

    account: str
    gate: Gate
    ledger: Ledger
    publishing: Publishing
    observe: Callable[[str, Paused | None], None]

    async def run(self) -> None:
        """Attend to the account for ever. Its gate is as it was left once this has begun to run."""
        kept = self._kept()
        self.observe(self.account, kept)
        with self.gate.attended(kept):
            try:
                while True:
                    paused = await self.gate.refused()
                    if paused != kept:
                        self.observe(self.account, paused)
                        await self._begin(paused)
                    await self.gate.restored()
                    self.observe(self.account, None)
                    await self._end(paused)
            finally:
                self.observe(self.account, None)

    @property
    def _key(self) -> str:
        return f"paused/{self.account}"

    def _kept(self) -> Paused | None:
        kept = self.publishing.memory.known.cursor(self._key)
        return None if kept is None else Paused(Why(kept["reason"]), kept["since"])

    async def _begin(self, paused: Paused) -> None:
        value = {"reason": paused.reason, "since": paused.since}
        told = Announcement(
            Told.ACCOUNT_PAUSED, self.account, round(paused.since * 1000), data={"reason": paused.reason}
        )
        await self._write(value, told)

    async def _end(self, paused: Paused) -> None:
        now = self.publishing.clock()
        data = {"reason": paused.reason, "seconds": round(now - paused.since)}
        await self._write(None, Announcement(Told.ACCOUNT_RESUMED, self.account, round(now * 1000), data=data))

    async def _write(self, cursor: dict[str, object] | None, told: Announcement) -> None:
        names, shard = self.publishing.names, self.publishing.shard

        def write(draft: Draft) -> None:
            draft.add(cursor_record(names, shard, self._key, cursor))
            draft.add(announcement_record(told, names, shard))

        await self.ledger.commit(write)
        self.publishing.announced(told)


@dataclass(frozen=True, slots=True)
class Held:
    """The only flow of a connected account that an operator has paused, or whose token cannot be read.

    Its gate stays closed while this runs, and its commands wait there. `observe` as for `Pausing`.
    """

    account: str
    gate: Gate
    paused: Paused
    observe: Callable[[str, Paused | None], None]

    async def run(self) -> None:
        """Hold it for ever."""
        self.observe(self.account, self.paused)
        with self.gate.attended(self.paused):
            try:
                await asyncio.Event().wait()
            finally:
                self.observe(self.account, None)

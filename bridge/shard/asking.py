"""Asking: the questions of a sweep, asked until there is an answer or none is to be hoped for.

Called by `shard.sweeping`, which decides nothing on a part of the answers: a question that fails for good voids the
whole sweep. Every call is made in the sweeps' lane.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bridge.contract.events import Fate
from bridge.policy.sightings import Lane, Page, Record, Trouble, Why
from bridge.shard.fates import lead_fates
from bridge.shard.ports import Copper

T = TypeVar("T")

TRIES = 6
"""So often a call is made before the sweep is void, with pauses of 1, 2, 4, ... seconds between."""
HOPELESS = frozenset({Why.UNAUTHORIZED, Why.FORBIDDEN, Why.FEATURE_DISABLED, Why.INVALID})
"""Answers that asking again within a minute will not better."""


class SweepVoid(Exception):
    """A call failed for good: nothing can be concluded from this sweep."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.why)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class Asking:
    """One account, as sweeps ask it. Every method raises `SweepVoid` when there is no answer."""

    copper: Copper

    async def viewer(self) -> str:
        """Who asks, as a digest."""
        return await _certain(lambda: self.copper.viewer(Lane.SWEEPS))

    async def page(self, entity: str, ids: Sequence[int]) -> Page | None:
        """What search shows of these ids; None when there are none, or the entity has been switched off at Copper."""
        if not ids:
            return None
        try:
            return await _certain(lambda: self.copper.by_ids(entity, ids, Lane.SWEEPS))
        except SweepVoid as void:
            if void.trouble.why is Why.FEATURE_DISABLED:
                return None
            raise

    async def record(self, entity: str, record_id: int) -> Record | None:
        """The record as it is now, None when it is gone."""

        async def look() -> Record | Trouble | None:
            answer = await self.copper.get(entity, record_id, Lane.SWEEPS)
            return None if isinstance(answer, Trouble) and answer.why is Why.NOT_FOUND else answer

        return await _certain(look)

    async def conversions(self, entity: str, gone: Sequence[int]) -> Mapping[int, Fate | None]:
        """What became of leads that are gone; nothing for other entities."""
        if entity != "lead" or not gone:
            return {}
        return await _certain(lambda: lead_fates(self.copper, gone, Lane.SWEEPS))


async def _certain(ask: Callable[[], Awaitable[T | Trouble]]) -> T:
    """An answer, after some tries.

    Raises:
        SweepVoid: there was none.
    """
    failures = 0
    while isinstance(answer := await ask(), Trouble):
        failures += 1
        if failures == TRIES or answer.why in HOPELESS:
            raise SweepVoid(answer)
        await asyncio.sleep(2.0 ** (failures - 1))
    return answer

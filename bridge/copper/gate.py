"""One account's gate, closed while its credentials are refused.

Owned by `CopperAccount`, which shows it every refusal; a flow of the shard (`shard.pausing`) attends to it. Closed, the
budget grants nobody a call but the probe, which tries the account with its newest credentials until it answers. What
a refusal means is decided by `policy.refusals`.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bridge.copper.budgeting import Allowance
from bridge.copper.wire import Credentials
from bridge.policy import outcomes
from bridge.policy.refusals import REFUSALS, About, Paused, about
from bridge.policy.sightings import Trouble, Why

LOOK_SECONDS = 1.0
"""Between two looks whether there are other credentials, while a paused account waits for its next probe."""

PAUSED = Trouble(Why.PAUSED, "the account waits for credentials that work")
_RENEWED = Trouble(Why.PAUSED, "refused for credentials that have been replaced meanwhile")


@dataclass(frozen=True, slots=True)
class _Probed:
    """A probe's number, what it was made with, what it came to."""

    number: int = 0
    credentials: Credentials | None = None
    trouble: Trouble | None = None


class Gate:
    """Whether calls may be made for an account. `probe` asks for the account itself, out of turn; in one call."""

    def __init__(
        self,
        credentials: Callable[[], Credentials],
        probe: Callable[[Credentials], Awaitable[Trouble | None]],
        budget: Allowance,
        *,
        clock: Callable[[], float],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`clock` gives Unix seconds, `jitter` a number in [0, 1)."""
        self.credentials = credentials
        self.paused: Paused | None = None
        self._probe = probe
        self._budget = budget
        self._clock = clock
        self._jitter = jitter
        self._attended = False
        self._closed = asyncio.Event()
        self._judging = asyncio.Lock()
        self._begun = 0
        self._last = _Probed()

    @contextmanager
    def attended(self, paused: Paused | None) -> Iterator[None]:
        """Somebody is there to end a pause; `paused` is the one that was begun earlier.

        Without anybody no pause begins, for it would last for ever: a refusal is then what it says, a trouble.
        """
        self._set(paused)
        self._attended = True
        try:
            yield
        finally:
            self._attended = False

    async def refused(self) -> Paused:
        """Wait until the account is paused."""
        while self.paused is None:
            await self._closed.wait()
        return self.paused

    async def restored(self) -> None:
        """Probe until the account answers, soon after new credentials and ever more seldom without; open the gate."""
        failures = 0
        while True:
            if await self._renewed(outcomes.pause(failures, self._jitter())):
                failures = 0
            if await self._tried(self.credentials()) is None:
                break
            failures += 1
        self._set(None)

    def open(self) -> None:
        """Whatever has closed it, let calls go out; refusals are then troubles, while nobody attends."""
        self._set(None)

    async def judged(self, refusal: Trouble, used: Credentials) -> Trouble:
        """What a call's refusal comes to: itself when it is about this call; `PAUSED` when it is to be made again.

        All calls that were refused before a probe share its answer.
        """
        known = self._begun
        async with self._judging:
            if self.paused is not None:
                return PAUSED
            if self._last.number <= known:
                await self._tried(self.credentials())
            meaning = about(refusal, self._last.trouble)
            if meaning is About.CALL:
                return refusal if self._last.credentials == used else _RENEWED
            if meaning is About.UNTOLD or not self._attended:
                return replace(refusal, why=Why.UNAUTHORIZED)
            probed = self._last.trouble
            reason = probed.why if probed is not None and probed.why in REFUSALS else refusal.why
            self._set(Paused(reason, self._clock()))
            return PAUSED

    async def _tried(self, credentials: Credentials) -> Trouble | None:
        self._begun += 1
        number = self._begun
        trouble = await self._probe(credentials)
        self._last = _Probed(number, credentials, trouble)
        return trouble

    async def _renewed(self, seconds: float) -> bool:
        """Wait so long, or until there are other credentials than those that were tried last."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (rest := until - loop.time()) > 0:
            await asyncio.sleep(min(rest, LOOK_SECONDS))
            if self.credentials() != self._last.credentials:
                return True
        return False

    def _set(self, paused: Paused | None) -> None:
        self.paused = paused
        if paused is None:
            self._closed.clear()
            self._budget.release()
        else:
            self._closed.set()
            self._budget.hold()

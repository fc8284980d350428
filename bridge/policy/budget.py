"""One account's budget of calls to Copper: how many, how fast, and whose turn it is.

Called by `bridge.copper.budgeting`, which does the waiting. Pure: the time, in seconds of any steady clock, is an
input.

Copper allows 180 calls in any 60 seconds. The budget is a token bucket that holds at most `burst` tokens and gains
`rate` a second, with burst + 60 * rate <= limit; so no 60 seconds hold more than the limit. It begins empty: a process
that follows another one within the 60 seconds finds t seconds of them left, gains rate * t, and what its predecessor
could take in the rest is burst + rate * (60 - t): together no more than the limit, whatever number of restarts. For
the same reason an account that changes hands between living processes begins empty at its new owner (`forfeit`). A
rolling window that remembered calls exactly could not promise that without keeping them somewhere.

Lanes that wait share what is granted by their weights; a lane that is alone takes all. Interactive and bulk commands
share one weight, so that commands get their half whichever they are.
"""

from collections import deque
from collections.abc import Collection
from types import MappingProxyType

from bridge.policy.sightings import Lane
from bridge.policy.turns import HALVES, Shares

WINDOW_SECONDS = 60.0
BURST = 10.0
SHARES = MappingProxyType({Lane.COMMANDS: 50, Lane.POLLS: 35, Lane.CHECKS: 7, Lane.SNAPSHOTS: 5, Lane.SWEEPS: 3})
"""In percent, bulk commands counted with the interactive ones."""
SHARES_OF_ALL = MappingProxyType({**SHARES, Lane.COMMANDS: 45, Lane.BULK: 5})
"""The same with bulk commands by themselves, as in `HALVES`."""
CUT = 0.7
"""What a 429 leaves of the pace."""
CUT_SECONDS = 1.0
"""Between two cuts at least."""
FLOOR = 0.1
"""The pace is never cut below this part of the full one."""
NEARLY = 1e-6
"""Of a token: a clock that has run for months counts in steps of nanoseconds, and a timer may come one step early."""
RECOVERY_SECONDS = 300.0
"""From nothing back to the full pace, in a straight line."""


class Budget:
    """The budget of one account."""

    def __init__(self, per_minute: int, now: float) -> None:
        """`per_minute` is the limit for any 60 seconds.

        Raises:
            ValueError: it is below two, of which no burst of a whole call and a rate can be made.
        """
        if per_minute < 2:  # noqa: PLR2004 - the burst's one call and one more
            raise ValueError("a budget needs at least two calls a minute")
        self._burst = min(BURST, per_minute / 2)
        self._full = (per_minute - self._burst) / WINDOW_SECONDS
        self._pace = 1.0
        self._cut_at = float("-inf")
        self._tokens = 0.0
        self._at = now
        self._shares, self._halves = Shares(SHARES), Shares(HALVES)
        self._taken: deque[tuple[float, Lane]] = deque()

    def ready_at(self, now: float) -> float:
        """When the next call may be made: `now` or later."""
        self._gain(now)
        missing = 1.0 - self._tokens
        return now if missing <= NEARLY else now + missing / (self._full * self._pace)

    def soonest(self, now: float, ahead: int) -> float:
        """Before when no call can be made that so many others come before, whatever happens.

        That is when it is made if the pace is full all the time and nobody but those others wants to call.
        """
        self._gain(now)
        return now + max(0.0, ahead + 1.0 - NEARLY - self._tokens) / self._full

    def choose(self, waiting: Collection[Lane]) -> Lane:
        """Whose turn it is among the lanes that have somebody waiting; commands first among equals."""
        lane = self._shares.choose({_whole(each) for each in waiting})
        return self._halves.choose([each for each in waiting if each in HALVES]) if lane in HALVES else lane

    def take(self, now: float, lane: Lane) -> None:
        """A call is made.

        Raises:
            ValueError: none may be made yet.
        """
        self._gain(now)
        if self._tokens < 1.0 - NEARLY:
            raise ValueError("the budget grants no call yet")
        self._tokens -= 1.0
        self._shares.take(_whole(lane))
        if lane in HALVES:
            self._halves.take(lane)
        self._taken.append((now, lane))
        while self._taken and self._taken[0][0] <= now - WINDOW_SECONDS:
            self._taken.popleft()

    def recount(self, now: float) -> None:
        """A call that was granted some time ago goes out only now: it counts now, too."""
        self._gain(now)
        self._tokens -= 1.0

    def forfeit(self, now: float) -> None:
        """Begin empty: the account is taken over from somebody who may just have spent a burst of their own."""
        self._gain(now)
        self._tokens = 0.0

    def penalize(self, now: float) -> None:
        """Copper answered 429: somebody else spends from the same limit. Slow down at once, recover slowly.

        Calls that were under way together are answered together: they are one reason to slow down, not many.
        """
        self._gain(now)
        self._tokens = min(self._tokens, 0.0)
        if now - self._cut_at >= CUT_SECONDS:
            self._cut_at = now
            self._pace = max(FLOOR, self._pace * CUT)

    def used(self, now: float) -> dict[Lane, int]:
        """Calls of the last minute by lane."""
        counts = dict.fromkeys(Lane, 0)
        for at, lane in self._taken:
            counts[lane] += at > now - WINDOW_SECONDS
        return counts

    def _gain(self, now: float) -> None:
        passed = max(0.0, now - self._at)
        self._at = max(now, self._at)
        self._tokens = min(self._burst, self._tokens + passed * self._full * self._pace)
        self._pace = min(1.0, self._pace + passed / RECOVERY_SECONDS)


def _whole(lane: Lane) -> Lane:
    return Lane.COMMANDS if lane in HALVES else lane

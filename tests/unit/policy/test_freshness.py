"""The word for an entity follows from its last scan and from what stands in the way."""

import pytest

from bridge.policy.freshness import Followed, State, state, worst
from bridge.policy.sightings import Why

EVERY, SINCE = 15.0, 1000.0
ALREADY = 2000.0
"""When a scan last ended well."""


def _word(
    *,
    after: float,
    scanned_at: float | None = ALREADY,
    trouble: str | None = None,
    every: float | None = EVERY,
    since: float = SINCE,
    held: bool = False,
) -> State:
    """The word so many seconds after the last scan that ended well, or after scans were due."""
    return state(Followed(every, since, scanned_at, trouble, held), (scanned_at or since) + after)


@pytest.mark.parametrize(
    ("after", "word"),
    [
        (0.0, State.ON_TIME),
        (EVERY, State.ON_TIME),
        (2 * EVERY, State.ON_TIME),
        (2 * EVERY + 0.1, State.DELAYED),
        (3 * EVERY, State.DELAYED),
        (3 * EVERY + 0.1, State.ERROR),
        (9000.0, State.ERROR),
    ],
)
def test_one_missed_interval_is_forgiven_two_are_a_delay_three_an_error(after: float, word: State) -> None:
    assert _word(after=after) is word
    assert _word(after=after, trouble=Why.RATE_LIMITED) is word


def test_what_was_never_scanned_is_pending_while_nothing_is_wrong() -> None:
    assert _word(after=0.0, scanned_at=None) is State.PENDING
    assert _word(after=9000.0, scanned_at=None) is State.PENDING  # a first snapshot may take long


def test_trouble_before_the_first_scan_is_a_delay_and_then_an_error() -> None:
    words = [_word(after=after, scanned_at=None, trouble=Why.NOT_SENT) for after in (EVERY, 2.5 * EVERY, 4 * EVERY)]
    assert words == [State.PENDING, State.DELAYED, State.ERROR]


def test_what_another_process_scanned_meanwhile_is_not_held_against_this_one() -> None:
    assert _word(after=9000.0, since=ALREADY + 8990.0) is State.ON_TIME


@pytest.mark.parametrize("why", Why)
def test_only_a_trouble_that_no_try_ends_asks_for_somebody(why: Why) -> None:
    asks = why in {Why.UNAUTHORIZED, Why.FORBIDDEN, Why.FEATURE_DISABLED}
    assert (_word(after=0.0, trouble=why) is State.ACTION_REQUIRED) == asks
    assert (_word(after=0.0, trouble=why, scanned_at=None) is State.ACTION_REQUIRED) == asks


def test_an_account_that_waits_for_somebody_says_so_of_all_that_is_followed() -> None:
    assert _word(after=0.0, held=True) is State.ACTION_REQUIRED
    assert _word(after=0.0, held=True, scanned_at=None) is State.ACTION_REQUIRED


def test_what_is_switched_off_is_paused_whatever_became_of_it_before() -> None:
    assert _word(after=9000.0, every=None, trouble=Why.UNAUTHORIZED, held=True) is State.PAUSED


def test_the_whole_is_as_bad_as_its_worst_part() -> None:
    for rank, word in enumerate(State):
        assert worst([*State][: rank + 1]) is word
    assert worst([]) is State.ON_TIME

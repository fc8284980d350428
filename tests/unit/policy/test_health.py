"""Health: what is blamed on the process, what on the world, and what is said of it."""

from dataclasses import replace

import pytest

from bridge.policy.health import PATIENCE_SECONDS, SILENT_SECONDS, Facts, Move, alive, part_of, ready

NOW = 10_000.0
LATE = PATIENCE_SECONDS + 1
WELL = Facts(
    now=NOW,
    moves={part_of(0): Move("at work", NOW - 10), part_of(2): Move("at work", NOW), "intake": Move("reading", NOW)},
    answered_at=NOW - 2,
    joined=True,
    owned={0, 2},
    opened={0, 2},
)


def _with(part: str, doing: str, idle: float) -> Facts:
    return replace(WELL, moves={**WELL.moves, part: Move(doing, NOW - idle)})


def test_a_process_whose_parts_all_move_is_alive_and_ready() -> None:
    assert alive(WELL) == alive(Facts(NOW, {}))
    assert (alive(WELL).good, alive(WELL).told) == (True, ("everything moves",))
    assert (ready(WELL).good, ready(WELL).told) == (True, ("works on 2 shards",))


@pytest.mark.parametrize(("idle", "good"), [(PATIENCE_SECONDS, True), (LATE, False)])
@pytest.mark.parametrize("doing", ["at work", "fencing", "restoring", "waiting for the group"])
def test_a_part_that_has_not_moved_for_longer_than_patience_fails_the_probe(
    doing: str, idle: float, good: bool
) -> None:
    verdict = alive(_with(part_of(2), doing, idle))
    assert verdict.good is good
    if not good:
        assert verdict.told == (f"shard 2 has not moved for {LATE:.0f} s: {doing}",)


def test_every_part_that_stands_still_is_named() -> None:
    stuck = Move("waiting", NOW - LATE)
    told = alive(replace(WELL, moves=dict.fromkeys(["shard 1", "looking", "intake"], stuck))).told
    assert [line.split(" has")[0] for line in told] == ["intake", "looking", "shard 1"]


def test_a_restore_may_take_as_long_as_it_moves() -> None:
    restoring = replace(_with(part_of(2), "restoring: 7 of 900 offsets", 1), now=NOW)
    assert alive(restoring).good
    assert ready(replace(restoring, opened={0})).told == ("shard 2 is not open: restoring: 7 of 900 offsets",)


@pytest.mark.parametrize(("ago", "good"), [(0.0, True), (PATIENCE_SECONDS, True), (LATE, False)])
def test_nobody_is_blamed_while_kafka_does_not_answer_nor_at_once_when_it_is_back(ago: float, good: bool) -> None:
    assert alive(replace(_with(part_of(2), "fencing", 5 * LATE), silent_until=NOW - ago)).good is good


@pytest.mark.parametrize(("silent", "good"), [(SILENT_SECONDS, True), (SILENT_SECONDS + 2, False)])
def test_who_does_not_reach_kafka_is_not_ready(silent: float, good: bool) -> None:
    verdict = ready(replace(WELL, answered_at=NOW - silent))
    assert verdict.good is good
    if not good:
        assert verdict.told == ("Kafka has not answered for 12 s",)


def test_what_is_missing_is_told_in_the_order_in_which_it_comes() -> None:
    assert ready(Facts(NOW, {})).told == ("Kafka has not answered yet",)
    assert ready(replace(WELL, joined=False, owned=(), opened=())).told == ("not yet a member of the group",)
    assert ready(replace(WELL, owned={0, 1}, opened={0})).told == ("shard 1 is not open: not begun",)


def test_who_owns_nothing_is_ready_to_take_over() -> None:
    assert ready(replace(WELL, owned=(), opened=())).told == ("works on 0 shards",)

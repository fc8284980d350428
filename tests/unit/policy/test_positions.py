import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.policy.positions import Positions


def restored(positions: Positions) -> Positions:
    """As another process finds it."""
    return Positions.decode(json.loads(json.dumps(positions.encode())))


def test_the_next_offset_is_the_lowest_unfinished_one() -> None:
    positions = Positions(5)
    for offset in (5, 6, 9):
        positions.deliver(offset)
    positions.finish(9)
    positions.finish(5)
    assert positions.encode() == {"next": 6, "finished": [9]}


def test_offsets_that_are_never_delivered_are_passed_over() -> None:
    positions = Positions()
    positions.deliver(3)
    positions.finish(3)
    positions.deliver(8)
    assert positions.next == 8
    positions.finish(8)
    assert positions.encode() == {"next": 9, "finished": []}


def test_what_was_finished_before_a_restore_is_known_even_right_after_the_last_unfinished() -> None:
    positions = restored(Positions(5, frozenset({6, 8})))
    positions.deliver(5)
    positions.finish(5)
    assert [positions.already_finished(offset) for offset in (5, 6, 7, 8)] == [True, True, False, True]
    assert [restored(positions).already_finished(offset) for offset in (5, 6, 7, 8)] == [True, True, False, True]


def test_a_partition_never_read_begins_at_its_start() -> None:
    assert Positions.decode(None).next == 0


def test_records_out_of_order_are_refused() -> None:
    positions = Positions()
    positions.deliver(4)
    with pytest.raises(ValueError, match="offset 3"):
        positions.deliver(3)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([1, 1, 1, 3]), min_size=3, max_size=12),
    st.lists(st.sampled_from(["deliver", "deliver", "finish", "finish", "restart"]), min_size=10, max_size=60),
    st.randoms(use_true_random=False),
)
def test_every_record_is_worked_on_exactly_once_over_gaps_and_restarts(
    gaps: list[int], steps: list[str], rng: object
) -> None:
    """Against a model that remembers every offset: a record is done again only if its end was not written."""
    log = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    positions, done, under_way, reading = Positions(), list[int](), list[int](), iter(log)
    for step in [*steps, "restart", *["deliver", "finish"] * len(log)]:
        if step == "restart":
            positions, under_way = restored(positions), []
            assert positions.next <= min([offset for offset in log if offset not in done], default=positions.next)
            reading = iter([offset for offset in log if offset >= positions.next])
        elif step == "deliver" and (offset := next(reading, None)) is not None:
            assert positions.already_finished(offset) == (offset in done)
            if offset not in done:
                positions.deliver(offset)
                under_way.append(offset)
        elif step == "finish" and under_way:
            offset = under_way.pop(rng.randrange(len(under_way)))  # type: ignore[attr-defined]
            positions.finish(offset)
            done.append(offset)
    assert sorted(done) == log
    assert restored(positions).next == log[-1] + 1 or log[-1] in restored(positions).encode()["finished"]

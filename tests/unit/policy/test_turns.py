from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.policy.sightings import Lane
from bridge.policy.turns import HALVES, Places, Rounds

KINDS = "abcd"
kinds = st.sampled_from(KINDS)


def queue(*of: str) -> Rounds[tuple[str, int]]:
    """Numbered in the order they came."""
    rounds: Rounds[tuple[str, int]] = Rounds()
    for number, kind in enumerate(of):
        rounds.add(kind, (kind, number))
    return rounds


def order(rounds: Rounds[tuple[str, int]]) -> list[tuple[str, int]]:
    return [rounds.take() for _ in range(len(rounds))]


def test_one_of_another_kind_waits_for_one_turn_and_not_for_a_flood() -> None:
    assert order(queue(*"a" * 1000, "b")).index(("b", 1000)) == 1


@given(st.lists(kinds))
def test_each_kind_is_served_in_the_order_it_came_and_all_are_served(of: list[str]) -> None:
    served = order(queue(*of))
    assert sorted(number for _, number in served) == list(range(len(of)))
    for kind in KINDS:
        numbers = [number for each, number in served if each == kind]
        assert numbers == sorted(numbers)


@given(st.lists(kinds))
def test_kinds_that_wait_take_turns(of: list[str]) -> None:
    rounds = queue(*of)
    left, since = Counter(of), Counter[str]()
    for _ in range(len(of)):
        kind, _number = rounds.take()
        left[kind] -= 1
        since[kind] = 0
        since.update(each for each in KINDS if left[each] and each != kind)
        assert max(since.values(), default=0) < len(KINDS)


@settings(max_examples=200)
@given(st.lists(st.tuples(kinds, st.booleans())), kinds, st.lists(kinds))
def test_as_many_as_were_told_come_before_whoever_comes_later(
    past: list[tuple[str, bool]], own: str, later: list[str]
) -> None:
    rounds = Rounds[tuple[str, int]]()
    for number, (kind, taken) in enumerate(past):
        rounds.add(kind, (kind, number))
        if taken:
            rounds.take()
    before, others = rounds.before(own), len(rounds)
    rounds.add(own, ("it", 0))
    for kind in later:
        rounds.add(kind, ("later", 0))
    served = order(rounds)
    came_before = [each for each in served[: served.index(("it", 0))] if each[0] != "later"]
    assert before <= len(came_before) <= others


def test_who_has_left_is_not_served_and_leaving_twice_is_nothing() -> None:
    rounds = queue(*"aab")
    for _ in range(2):
        rounds.leave("a", ("a", 0))
        rounds.leave("b", ("b", 2))
    assert order(rounds) == [("a", 1)]


def lanes(places: Places[Lane]) -> list[Lane]:
    """Whom the free places go to."""
    taken = []
    while (lane := places.take()) is not None:
        taken.append(lane)
    return taken


def test_bulk_never_has_the_last_quarter_of_the_places() -> None:
    places = Places[Lane](16)
    for _ in range(100):
        places.ask(Lane.BULK, "company", Lane.BULK)
    assert lanes(places) == [Lane.BULK] * 12
    places.ask(Lane.COMMANDS, "lead", Lane.COMMANDS)
    assert lanes(places) == [Lane.COMMANDS]


def test_a_backlog_in_both_lanes_is_served_nine_to_one() -> None:
    places, served = Places[Lane](16), Counter[Lane]()
    for lane in HALVES:
        for _ in range(2000):
            places.ask(lane, "company", lane)
    running = lanes(places)
    for _ in range(1000):
        places.give_back(running.pop(0))
        (lane,) = lanes(places)
        served[lane] += 1
        running.append(lane)
    assert served[Lane.BULK] == 100


def test_a_single_place_is_shared_too() -> None:
    places = Places[Lane](1)
    places.ask(Lane.BULK, "company", Lane.BULK)
    places.ask(Lane.COMMANDS, "lead", Lane.COMMANDS)
    assert lanes(places) == [Lane.COMMANDS]
    places.give_back(Lane.COMMANDS)
    assert lanes(places) == [Lane.BULK]

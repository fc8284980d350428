from collections.abc import Collection, Sequence

from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.subscribing import MOST, Plan, Subscription, Wanted, plan

TARGET = "https://bridge.example/hooks/acme"
HEADERS = {"X-Bridge-Token": "s3cret"}
WANTED = [Wanted("company", "delete"), Wanted("task", "delete"), Wanted("task", "update")]


def ours(number: int, entity: str = "company", event: str = "delete", *, stale: bool = False) -> Subscription:
    return Subscription(number, TARGET, entity, event, {"x-bridge-token": "old" if stale else "s3cret"})


def foreign(number: int) -> Subscription:
    return Subscription(number, f"{TARGET}-of-somebody-else", "company", "delete", {})


def planned(existing: Sequence[Subscription], made: Collection[int] = ()) -> Plan:
    return plan(WANTED, existing, target=TARGET, headers=HEADERS, made=made)


def applied(made: Plan, existing: Sequence[Subscription]) -> list[Subscription]:
    """What Copper lists after the plan was carried out."""
    left = [each for each in existing if each.id not in made.delete]
    left = [ours(each.id, each.entity, each.event) if each.id in made.update else each for each in left]
    last = max((each.id for each in existing), default=0)
    return left + [ours(last + n, each.entity, each.event) for n, each in enumerate(made.create, 1)]


def test_what_is_missing_is_made_and_what_is_there_stays() -> None:
    made = planned([ours(4)])
    assert (made.create, made.update, made.delete) == (tuple(WANTED[1:]), (), ())


def test_a_changed_secret_is_an_update() -> None:
    assert planned([ours(4, stale=True)]).update == (4,)


def test_what_is_ours_and_not_wanted_or_there_twice_is_removed() -> None:
    assert planned([ours(4), ours(3), ours(5, "lead", "new")]).delete == (4, 5)


def test_what_is_not_ours_is_counted_and_left_alone() -> None:
    made = planned([foreign(1), foreign(2)])
    assert (made.update, made.delete, made.foreign) == ((), (), 2)


def test_an_account_that_is_full_gets_no_more() -> None:
    made = planned([foreign(number) for number in range(MOST - 1)])
    assert (made.create, made.refused) == ((WANTED[0],), tuple(WANTED[1:]))


def test_one_that_we_made_and_somebody_pointed_elsewhere_is_put_back() -> None:
    elsewhere = Subscription(4, "https://elsewhere.example", "company", "delete", HEADERS)
    made = planned([elsewhere], made=[4])
    assert (made.update, made.moved, made.foreign) == ((4,), 1, 0)
    assert planned([elsewhere]).update == ()


def test_one_that_we_made_and_is_gone_is_counted_and_made_again() -> None:
    made = planned([ours(5, "task"), ours(6, "task", "update")], made=[4, 5, 6])
    assert (made.vanished, made.create) == (1, (WANTED[0],))


def test_what_we_made_for_an_address_we_no_longer_have_is_removed_without_touching_others() -> None:
    made = plan([], [ours(4), foreign(5)], target=None, headers={}, made=[4])
    assert (made.delete, made.update, made.create, made.foreign, made.moved) == ((4,), (), (), 1, 0)


def test_a_secret_never_shows() -> None:
    assert "s3cret" not in repr(ours(1))


OURS = st.builds(ours, st.integers(1, 500), st.sampled_from(["company", "task", "lead"]),
                 st.sampled_from(["new", "update", "delete"]), stale=st.booleans())  # fmt: skip
LISTED = st.lists(OURS | st.builds(foreign, st.integers(1, 500)), max_size=MOST, unique_by=lambda each: each.id)


@given(LISTED, st.sets(st.integers(1, 500)))
def test_a_plan_after_it_was_applied_is_empty_and_touched_only_ours(
    existing: list[Subscription], made: set[int]
) -> None:
    done = planned(existing, made)
    after = applied(done, existing)
    again = planned(after, made)
    assert (again.create, again.update, again.delete) == ((), (), ())
    ids = {*done.keep, *(each.id for each in after if each not in existing and each.id not in done.update)}
    assert planned(after, ids) == Plan((), (), (), again.foreign, again.refused, keep=tuple(sorted(ids)))
    assert len(after) <= MOST
    strangers = [each for each in existing if each.target != TARGET and each.id not in made]
    assert [each for each in after if each.target != TARGET] == strangers

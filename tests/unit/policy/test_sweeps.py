"""Sweeps: what is asked for, what is held back, and that a state is read as it was kept."""

from dataclasses import asdict, replace

import orjson
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.sweeps import (
    FEW,
    Brake,
    Held,
    Reason,
    Sweep,
    SweepState,
    advanced,
    answered,
    approved,
    begun,
    due_at,
    finished,
    judge,
    rejected,
    settled,
    viewed_by,
)

ENTITIES = ("company", "lead")
BRAKE = Brake(most=500, percent=10.0)


def swept(**missing: tuple[int, int]) -> Sweep:
    """A sweep that has asked for everything: entity to (missing, asked)."""
    return Sweep(
        asked={entity: asked for entity, (_, asked) in missing.items()},
        missing={entity: tuple(range(1, gone + 1)) for entity, (gone, _) in missing.items() if gone},
    )


def held(sweep: Sweep) -> bool:
    return judge(sweep, BRAKE, now=0.0) is not None


def test_a_few_missing_records_are_believed_whatever_their_share() -> None:
    assert not held(swept(company=(FEW, FEW)))
    assert held(swept(company=(FEW + 1, 100)))


def test_a_large_share_of_one_entity_is_held_though_it_is_a_small_one_of_the_account() -> None:
    assert held(swept(company=(0, 10_000), lead=(20, 20)))
    assert not held(swept(company=(400, 10_000), lead=(10, 20)))


def test_many_missing_records_are_held_though_they_are_a_small_share() -> None:
    assert not held(swept(company=(250, 100_000), lead=(250, 100_000)))
    assert held(swept(company=(250, 100_000), lead=(251, 100_000)))


def test_what_an_operator_has_approved_is_not_held_again() -> None:
    assert not held(replace(swept(company=(100, 100)), approved=True))


def test_every_entity_is_asked_for_in_its_turn_and_then_none() -> None:
    sweep = begun(SweepState(), ENTITIES).sweep
    order = []
    while sweep is not None and sweep.entity is not None:
        order.append(sweep.entity)
        sweep = advanced(answered(sweep, [1, 2], {1}, after="acme/2", now=2.0), ENTITIES)
    assert order == [*ENTITIES]
    assert sweep is not None
    assert (dict(sweep.missing), sweep.after) == ({"company": (2,), "lead": (2,)}, "")


def test_a_sweep_of_one_entity_ends_with_it_and_does_not_count_as_one_of_all() -> None:
    state = begun(SweepState(finished_at=5.0), ENTITIES, only="company")
    assert state.sweep is not None
    assert advanced(state.sweep, ENTITIES).entity is None
    assert finished(state, now=10.0).finished_at == 5.0
    assert finished(begun(state, ENTITIES), now=10.0).finished_at == 10.0


def test_an_entity_that_is_followed_no_more_ends_the_sweep_it_stood_in() -> None:
    assert advanced(Sweep(entity="task"), ENTITIES).entity is None


def test_suspects_are_counted_off_as_they_are_settled() -> None:
    sweep = settled(swept(company=(3, 100)), "company", [1, 2], deleted=1)
    assert (dict(sweep.missing), sweep.deleted, sweep.kept) == ({"company": (3,)}, 1, 1)
    assert dict(settled(sweep, "company", [3], deleted=1).missing) == {}


def test_the_first_viewer_is_remembered_and_another_holds_the_deletes() -> None:
    state = viewed_by(SweepState(), "ops", now=1.0)
    assert viewed_by(state, "ops", now=2.0) == state
    other = viewed_by(replace(state, sweep=swept(company=(1, 9))), "intern", now=2.0)
    assert (other.held, other.sweep, other.viewer) == (Held(Reason.USER_CHANGED, 0, 0, 2.0), None, "ops")


def test_approving_another_user_begins_a_sweep_that_takes_whoever_asks() -> None:
    state = SweepState("ops", 5.0, held=Held(Reason.USER_CHANGED, 0, 0, 2.0))
    state = approved(state, ENTITIES, control_id="c")
    assert (state.viewer, state.held, state.sweep and state.sweep.approved) == (None, None, False)


def test_rejecting_forgets_what_was_missed_and_looks_again() -> None:
    state = SweepState("ops", 5.0, swept(company=(50, 100)), Held(Reason.TOO_MANY, 50, 100, 2.0))
    state = rejected(state, ENTITIES, control_id="c")
    assert state.held is None
    assert state.sweep == Sweep("c", None, "company")


def test_the_next_sweep_is_due_after_the_interval_and_one_under_way_at_once() -> None:
    assert due_at(SweepState(finished_at=100.0), every=60.0, now=110.0) == 160.0
    assert due_at(SweepState(finished_at=100.0, sweep=Sweep()), every=60.0, now=110.0) == 110.0


ids = st.lists(st.integers(1, 2**40), max_size=5).map(tuple)
made = st.builds(
    SweepState,
    viewer=st.none() | st.text(max_size=16),
    finished_at=st.none() | st.floats(0, 2e9),
    sweep=st.none()
    | st.builds(
        Sweep,
        control_id=st.none() | st.text(max_size=5),
        entity=st.none() | st.sampled_from(ENTITIES),
        asked=st.dictionaries(st.sampled_from(ENTITIES), st.integers(0, 9)),
        missing=st.dictionaries(st.sampled_from(ENTITIES), ids),
        approved=st.booleans(),
    ),
    held=st.none()
    | st.builds(Held, st.sampled_from(Reason), st.integers(0, 9), st.integers(0, 9), since=st.floats(0, 2e9)),
)


@given(made)
def test_a_state_is_read_as_it_was_kept(state: SweepState) -> None:
    assert SweepState.decode(orjson.loads(orjson.dumps({"v": 1, **asdict(state)}))) == state


def test_an_account_never_swept_has_an_empty_state() -> None:
    assert SweepState.decode(None) == SweepState()

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.contract.failures import Code
from bridge.policy.outcomes import (
    LONGEST_PAUSE_SECONDS,
    MOST_READS,
    Decision,
    Expire,
    Fail,
    Settle,
    Succeed,
    WaitAndRetry,
    backoff,
    decide,
    pause,
)
from bridge.policy.sightings import Trouble, Why

ACTIONS = {"create": True, "update": True, "delete": True, "upsert": True, "convert": True} | {
    "get": False,
    "search": False,
}


def decided(action: str, why: Why, failures: int = 0) -> Decision:
    return decide(
        action=action, effect=ACTIONS[action], trouble=Trouble(why, "as Copper says"), failures=failures, jitter=0.5
    )


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("why", Why)
def test_every_trouble_of_every_action_has_an_outcome(action: str, why: Why) -> None:
    assert decided(action, why) is not None


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("why", "code"),
    [
        (Why.INVALID, Code.INVALID),
        (Why.CONFLICT, Code.CONFLICT),
        (Why.FORBIDDEN, Code.FORBIDDEN),
        (Why.FEATURE_DISABLED, Code.FEATURE_DISABLED),
    ],
)
def test_a_refusal_fails_for_good(action: str, why: Why, code: Code) -> None:
    decision = decided(action, why, failures=99)
    assert isinstance(decision, Fail)
    assert (decision.failure.code, decision.failure.retryable) == (code, False)


def test_a_delete_of_what_is_gone_succeeds_and_anything_else_fails() -> None:
    assert decided("delete", Why.NOT_FOUND) == Succeed()
    update = decided("update", Why.NOT_FOUND)
    assert isinstance(update, Fail)
    assert update.failure.code is Code.NOT_FOUND


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("why", [Why.RATE_LIMITED, Why.NOT_SENT, Why.UNAUTHORIZED])
def test_what_the_world_is_to_blame_for_waits_without_limit(action: str, why: Why) -> None:
    assert isinstance(decided(action, why, failures=10_000), WaitAndRetry)


@pytest.mark.parametrize("why", [Why.IN_DOUBT, Why.UNREADABLE])
def test_a_write_in_doubt_is_settled_before_anything_else_is_sent(why: Why) -> None:
    assert {type(decided(action, why)) for action, effect in ACTIONS.items() if effect} == {Settle}


@pytest.mark.parametrize("why", [Why.IN_DOUBT, Why.UNREADABLE])
def test_a_read_that_copper_never_answers_is_given_up(why: Why) -> None:
    assert isinstance(decided("get", why, failures=MOST_READS - 2), WaitAndRetry)
    last = decided("get", why, failures=MOST_READS - 1)
    assert isinstance(last, Fail)
    assert (last.failure.code, last.failure.retryable) == (Code.UNAVAILABLE, True)


@pytest.mark.parametrize("action", ACTIONS)
def test_while_the_account_is_paused_the_wait_is_at_its_gate_and_nowhere_else(action: str) -> None:
    assert decided(action, Why.PAUSED, failures=10_000) == WaitAndRetry(0.0)


def test_a_deadline_that_has_passed_expires() -> None:
    assert decided("create", Why.EXPIRED) == Expire()


def test_a_failure_says_what_copper_said() -> None:
    trouble = Trouble(Why.CONFLICT, "several match", 422, {"email": ("is taken",)}, (7, 9))
    decision = decide(action="upsert", effect=True, trouble=trouble, failures=0, jitter=0.0)
    assert isinstance(decision, Fail)
    failure = decision.failure
    assert (failure.http_status, failure.fields) == (422, {"email": ("is taken",)})
    assert failure.detail == "several match (records 7, 9)"


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_to_a_bound_and_are_spread(failures: int, jitter: float) -> None:
    assert 0.5 <= pause(failures, jitter) <= LONGEST_PAUSE_SECONDS
    assert pause(failures, 0.0) <= pause(failures, jitter) <= pause(failures + 1, jitter)


def test_a_wait_of_days_makes_no_pause_overflow() -> None:
    assert [backoff(failures, 60.0) for failures in (1, 2, 5, 6, 5000)] == [2, 4, 32, 60, 60]

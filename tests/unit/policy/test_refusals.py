from itertools import product

import pytest

from bridge.policy.refusals import REFUSALS, About, about
from bridge.policy.sightings import Trouble, Why

OTHERS = sorted(set(Why) - REFUSALS)


def refused(why: Why) -> Trouble:
    return Trouble(why, "no")


@pytest.mark.parametrize("why", sorted(REFUSALS))
def test_a_refusal_is_about_the_call_when_the_account_answers(why: Why) -> None:
    assert about(refused(why), None) is About.CALL


@pytest.mark.parametrize(("why", "probe"), [*product(sorted(REFUSALS), repeat=2)])
def test_a_refusal_is_about_the_account_when_that_is_refused_too(why: Why, probe: Why) -> None:
    assert about(refused(why), refused(probe)) is About.ACCOUNT


@pytest.mark.parametrize("probe", OTHERS)
def test_without_a_proper_answer_about_the_account_a_401_is_believed_and_a_403_is_not(probe: Why) -> None:
    assert about(refused(Why.UNAUTHORIZED), refused(probe)) is About.ACCOUNT
    assert about(refused(Why.FORBIDDEN), refused(probe)) is About.UNTOLD

"""What `check` makes of what was found: fine, to be known, or wrong, and always a way out of what is not fine."""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

import pytest

from bridge.policy.checks import Line, Reached, some, webhooks
from bridge.policy.checks_of_copper import Examined, account, clock
from bridge.policy.checks_of_kafka import Tried, permissions, topics, unreached
from bridge.policy.matching import Named
from bridge.policy.sightings import Page, Trouble, Why
from bridge.policy.subscribing import Plan, Wanted
from bridge.policy.topics import Difference, Missing, Setting, Unfit

ACCOUNT = {"id": 1, "name": "Acme", "settings": {"setting_team_permissions_enabled": False}}
REFERENCE = Named(50313, "Reference", data_type="Float", entities=frozenset({"company"}))
PLAN = Plan(create=(Wanted("lead", "new"),), update=(), delete=(), foreign=80, keep=(1, 2))


def brief(lines: Iterable[Line]) -> list[tuple[str, str]]:
    """Each line as ok, warning or wrong, with its message."""
    told = [*lines]
    assert all(line.ok or line.fix for line in told)
    return [("wrong" if not line.ok else "warning" if line.fix else "ok", line.message) for line in told]


def about_acme(found: Examined, **key_fields: int) -> list[tuple[str, str]]:
    return brief(account("acme", found, per_minute=170, credential="BRIDGE_KEY", key_fields=key_fields))


def test_an_account_that_is_fine_tells_who_it_is_how_much_there_is_and_what_is_left_of_the_limits() -> None:
    pages = {"company": Page((), 401, 0), "lead": Page((), 0, 0)}
    found = Examined(ACCOUNT, 0.0, pages, (REFERENCE,), PLAN)
    assert about_acme(found, company=50313) == [
        ("ok", 'acme: signed in at "Acme", 170 of 180 calls a minute'),
        ("ok", "acme: 401 records can be read, a first snapshot takes 5 calls and 1 min or more"),
        ("ok", "acme: 2 of 3 webhook subscriptions are there, 80 of others, 100 may be"),
    ]


@pytest.mark.parametrize(
    ("why", "way_out"),
    [
        (Why.UNAUTHORIZED, "set BRIDGE_KEY to a key that is valid, and user_email to the user who made it"),
        (Why.NOT_SENT, "let this machine reach copper.base_url: DNS, firewall, proxy, TLS"),
        (Why.RATE_LIMITED, "others use up the account's 180 calls a minute"),
        (Why.INVALID, "set copper.base_url to the address of Copper's API"),
        (Why.IN_DOUBT, "look at Copper's status page, and try again"),
    ],
)
def test_an_account_that_does_not_answer_is_one_line_with_a_way_out_of_its_own(why: Why, way_out: str) -> None:
    found = Examined(Trouble(why, "said Copper", 401))
    (line,) = account("acme", found, per_minute=170, credential="BRIDGE_KEY", key_fields={"company": 1})
    assert (line.ok, line.message) == (False, f"acme: {why} (401): said Copper")
    assert line.fix.startswith(way_out)


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {"account": ACCOUNT | {"settings": {"setting_team_permissions_enabled": True}}},
            ("warning", "acme: permissions by team are on; records that this user's teams do not see do not exist for"),
        ),
        (
            {"entities": {"lead": Trouble(Why.FEATURE_DISABLED, "Feature not enabled", 403)}},
            ("warning", "acme: lead is switched off in this account"),
        ),
        (
            {"entities": {"lead": Trouble(Why.FORBIDDEN, "no", 403)}},
            ("wrong", "acme: lead cannot be read: forbidden (403): no"),
        ),
        (
            {"custom_fields": Trouble(Why.FORBIDDEN, "no", 403)},
            ("wrong", "acme: custom fields cannot be read: forbidden (403): no"),
        ),
        (
            {"subscriptions": Trouble(Why.FORBIDDEN, "no", 403)},
            ("wrong", "acme: webhook subscriptions cannot be listed: forbidden (403): no"),
        ),
        (
            {"subscriptions": Plan((), (), (), foreign=97, refused=(Wanted("lead", "new"),) * 15)},
            ("wrong", "acme: 15 webhook subscriptions are too many: of 100 others have 97"),
        ),
    ],
    ids=["teams", "feature", "entity", "fields", "hooks", "too-many"],
)
def test_what_an_account_lacks_is_told(changed: dict[str, Any], line: tuple[str, str]) -> None:
    told = about_acme(Examined(**{"account": ACCOUNT, **changed}))
    state, message = told[1]
    assert (state, message[: len(line[1])]) == line


@pytest.mark.parametrize("wrong", [{"company": 50314}, {"lead": 50313}])
def test_a_key_field_has_to_be_a_number_field_of_its_entity(wrong: dict[str, int]) -> None:
    text = Named(50314, "Nickname", data_type="String", entities=frozenset({"company"}))
    ((entity, number),) = wrong.items()
    told = about_acme(Examined(ACCOUNT, custom_fields=(REFERENCE, text)), **wrong)
    assert told[1:] == [("wrong", f"acme: key_fields.{entity}: {number} is no Number custom field of {entity}")]


@pytest.mark.parametrize(
    ("ahead", "state", "words"),
    [
        (-0.5, "ok", "is Copper's"),
        (4.4, "ok", "is Copper's"),
        (-5.4, "ok", "is Copper's"),
        (-120.5, "wrong", "is 120 s ahead of Copper's"),
        (29.5, "wrong", "is 30 s behind Copper's"),
    ],
)
def test_a_clock_that_is_off_by_more_than_seconds_is_wrong(ahead: float, state: str, words: str) -> None:
    ((told, message),) = brief([clock(ahead)])
    assert told == state
    assert words in message


def test_what_is_refused_is_told_with_what_to_allow() -> None:
    writes = {f"copper.{name}": "TopicAuthorizationFailed" for name in "abcde"}
    found = Tried("TransactionalIdAuthorizationFailed", writes, {"copper.a": "LeaderNotAvailable"}, {"g": "x"})
    lines = [*permissions(found, instance="mine", prefix="copper", topics=7)]
    assert brief(lines) == [
        ("wrong", "may not begin and abort a transaction: TransactionalIdAuthorizationFailed"),
        (
            "wrong",
            "may not write to the topics: TopicAuthorizationFailed copper.a, copper.b, copper.c and 2 more",
        ),
        ("wrong", "may not read the topics: LeaderNotAvailable copper.a"),
        ("wrong", "may not take part in the groups: x g"),
    ]
    assert lines[0].fix == "allow Write on transactional ids like mine.* to this user"
    assert brief(permissions(Tried(), instance="mine", prefix="copper", topics=7))[0][0] == "ok"


def test_a_kafka_that_cannot_be_used_is_told_with_its_address_and_why() -> None:
    assert brief([unreached("a:1,b:1", "nobody listens there")]) == [
        ("wrong", "a:1,b:1 cannot be used: nobody listens there")
    ]


MISSING = Missing("copper.x", 4, 3, MappingProxyType({}))
SHORT = [Setting(f"copper.{name}", "retention.ms", "1", "2", vital=False) for name in "abcd"]


@pytest.mark.parametrize(
    ("differ", "manage", "refusals", "line"),
    [
        ([], "create", (), ("ok", "all 64 topics are as they should be")),
        ([MISSING], "create", (), ("ok", "1 topics are missing and will be made at the start")),
        ([MISSING], "create", ("no",), ("wrong", "1 topics are missing and cannot be made: no")),
        ([MISSING], "verify", (), ("wrong", "1 topics are missing: copper.x")),
        ([MISSING], "off", (), ("wrong", "1 topics are missing: copper.x")),
        (
            SHORT,
            "create",
            (),
            ("warning", "copper.a, copper.b, copper.c and 1 more: retention.ms is 1, must be at least 2"),
        ),
        ([Unfit("copper.a", "has 3 partitions", "…", vital=True)], "off", (), ("wrong", "copper.a: has 3 partitions")),
    ],
)
def test_topics_are_told_by_what_is_alike(
    differ: list[Difference], manage: Any, refusals: tuple[str, ...], line: tuple[str, str]
) -> None:
    assert brief(topics(differ, count=64, replicas=3, manage=manage, refusals=refusals)) == [line]


def test_fewer_than_three_replicas_are_to_be_known() -> None:
    assert brief(topics([], count=64, replicas=1, manage="create"))[1][0] == "warning"


@pytest.mark.parametrize(
    ("reached", "state", "words"),
    [
        (Reached(("8.8.8.8",), 405), "ok", "leads to a bridge"),
        (Reached((), problem="no such name"), "warning", "is not resolved from here: no such name"),
        (Reached(("10.0.0.1", "::1"), 405), "warning", "leads to 10.0.0.1, ::1 from here: Copper takes public"),
        (Reached(("8.8.8.8", "10.0.0.1"), 404), "warning", "/hook is answered 404, a bridge answers 405"),
        (Reached(("8.8.8.8",), problem="refused"), "warning", "does not answer from here: refused"),
    ],
)
def test_the_public_address_is_never_wrong_but_may_be_to_be_known(reached: Reached, state: str, words: str) -> None:
    ((told, message),) = brief([webhooks("https://bridge.example", "/hook", reached)])
    assert told == state
    assert words in message


def test_many_names_are_told_by_a_few() -> None:
    assert some(["a", "b", "c"]) == "a, b, c"
    assert some(["a", "b", "c", "d"]) == "a, b, c and 1 more"

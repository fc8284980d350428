"""An account of the Copper double, as a shard uses it."""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.commands import Command
from bridge.copper import calls
from bridge.copper.budgeting import Allowance
from bridge.copper.client import CopperAccount, CopperConnection, Observed
from bridge.copper.wire import ApiKey, BearerToken
from bridge.policy.budget import Budget
from bridge.policy.refusals import REFUSALS
from bridge.policy.sightings import Ask, Lane, Page, Stamp, Trouble, Why
from bridge.sandbox.copper import CopperDouble, Fault

if TYPE_CHECKING:
    from bridge.shard.ports import Copper, Gate

Commands = Callable[..., Command]
EMAIL = {"email": "ivo@brand.example", "category": "work"}


def example(entity: str) -> dict[str, Any]:
    extra: dict[str, dict[str, Any]] = {
        "lead": {"email": EMAIL},
        "person": {"emails": [EMAIL]},
        "company": {"email_domain": "brand.example"},
    }
    return {"name": "Ivo Brand", **extra.get(entity, {})}


def done(answer: Any) -> Any:
    assert not isinstance(answer, Trouble), answer
    return answer


def why(answer: Any) -> Why | None:
    return answer.why if isinstance(answer, Trouble) else None


async def asked(account: CopperAccount) -> Any:
    return await account.call(calls.account(), Lane.CHECKS)


async def test_the_account_is_what_a_shard_needs(acme: CopperAccount) -> None:
    port: Copper = acme  # for mypy to compare
    gate: Gate = acme.gate

    assert why(await port.get("company", 7, Lane.CHECKS)) is Why.NOT_FOUND
    with gate.attended(None):
        assert acme.gate.paused is None


@pytest.mark.parametrize("entity", CATALOGUE.followed)
async def test_a_record_lives_and_dies_by_commands(acme: CopperAccount, command: Commands, entity: str) -> None:
    created = done(await acme.execute(command(entity, "create", data=example(entity)), deadline=None))
    updated = done(
        await acme.execute(command(entity, "update", id=created["id"], data={"name": "Ivo B"}), deadline=None)
    )
    found = done(await acme.execute(command(entity, "get", id=created["id"]), deadline=None))
    listed = done(await acme.execute(command(entity, "search", data={"ids": [created["id"]]}), deadline=None))
    deleted = done(await acme.execute(command(entity, "delete", id=created["id"]), deadline=None))

    assert created["name"] == "Ivo Brand"
    assert updated["name"] == found["name"] == "Ivo B"
    assert listed == [found]
    assert deleted == {"id": created["id"], "is_deleted": True}
    assert why(await acme.get(entity, created["id"], Lane.CHECKS)) is Why.NOT_FOUND
    assert why(await acme.execute(command(entity, "delete", id=created["id"]), deadline=None)) is Why.NOT_FOUND


async def test_records_are_found_by_email(acme: CopperAccount, command: Commands, copper: CopperDouble) -> None:
    people = copper.account("acme")
    person, lead = people.create("person", example("person")), people.create("lead", example("lead"))

    async def by_email(entity: str, email: str) -> Any:
        return await acme.execute(command(entity, "get-by-email", email=email), deadline=None)

    assert done(await by_email("person", "ivo@brand.example"))["id"] == person["id"]
    assert (await by_email("lead", "IVO@brand.example"))["id"] == lead["id"]
    assert why(await by_email("person", "nobody@brand.example")) is Why.NOT_FOUND
    assert why(await by_email("lead", "nobody@brand.example")) is Why.NOT_FOUND

    twin = people.create("lead", example("lead"))
    assert {each["id"] for each in await by_email("lead", "ivo@brand.example")} == {lead["id"], twin["id"]}


async def test_a_lead_is_upserted_converted_and_gone(acme: CopperAccount, command: Commands) -> None:
    match = {"field": "email", "value": "ivo@brand.example"}
    first = done(await acme.execute(command("lead", "upsert", data=example("lead"), match=match), deadline=None))
    again = done(await acme.execute(command("lead", "upsert", data={"title": "CEO"}, match=match), deadline=None))
    assert (first["id"], again["title"]) == (again["id"], "CEO")
    assert await acme.find("lead", match, Lane.COMMANDS) == [again]
    assert await acme.find("lead", {"field": "name", "value": "Ivo Brand"}, Lane.COMMANDS) == [again]

    parts = done(
        await acme.execute(command("lead", "convert", id=first["id"], data={"person": {"name": "Ivo"}}), deadline=None)
    )
    assert parts["person"]["name"] == "Ivo"
    assert why(await acme.get("lead", first["id"], Lane.CHECKS)) is Why.NOT_FOUND


async def test_an_upsert_that_matches_several_names_them(
    acme: CopperAccount, command: Commands, copper: CopperDouble
) -> None:
    ids = tuple(copper.account("acme").create("lead", example("lead"))["id"] for _ in range(2))
    upsert = command("lead", "upsert", data={"title": "CEO"}, match={"field": "email", "value": "ivo@brand.example"})
    answer = await acme.execute(upsert, deadline=None)

    assert isinstance(answer, Trouble)
    assert (answer.why, answer.ids) == (Why.CONFLICT, ids)


async def test_an_activity_is_created(acme: CopperAccount, command: Commands, copper: CopperDouble) -> None:
    person = copper.account("acme").create("person", example("person"))
    data = {"type": {"category": "user", "id": 0}, "parent": {"type": "person", "id": person["id"]}, "details": "d"}

    assert done(await acme.execute(command("activity", "create", data=data), deadline=None))["details"] == "d"


async def test_what_is_wrong_is_named_field_by_field(acme: CopperAccount) -> None:
    answer = await acme.call(calls.create("company", {"name": "", "assignee_id": "x", "colour": "red"}), Lane.COMMANDS)

    assert isinstance(answer, Trouble)
    assert (answer.why, answer.status) == (Why.INVALID, 422)
    assert answer.fields is not None
    assert {"base", "name", "assignee_id"} <= answer.fields.keys()


@pytest.mark.parametrize("entity", ["person", "company"])
async def test_a_twin_of_what_is_unique_is_a_conflict(acme: CopperAccount, command: Commands, entity: str) -> None:
    await acme.execute(command(entity, "create", data=example(entity)), deadline=None)

    assert why(await acme.execute(command(entity, "create", data=example(entity)), deadline=None)) is Why.CONFLICT


@pytest.mark.parametrize("entity", CATALOGUE.followed)
@pytest.mark.parametrize("stamp", Stamp)
async def test_a_page_comes_with_its_total_and_its_time(
    acme: CopperAccount, copper: CopperDouble, entity: str, stamp: Stamp
) -> None:
    ids = {copper.account("acme").create(entity, {"name": f"n{number}"})["id"] for number in range(3)}
    before = time.time()
    page = await acme.search(entity, Ask(stamp, descending=True, size=2), Lane.POLLS)

    assert isinstance(page, Page)
    assert (len(page.records), page.total) == (2, 3)
    assert before - 2 < page.asked_at <= before + 1

    everything = await acme.by_ids(entity, sorted(ids), Lane.CHECKS)
    assert isinstance(everything, Page)
    assert {record["id"] for record in everything.records} == ids


async def test_the_time_of_a_page_is_before_the_question_was_evaluated(
    acme: CopperAccount, copper: CopperDouble
) -> None:
    copper.fault(Fault("slow", seconds=1.1, path="/tasks/search"))
    began = time.time()
    page = await acme.search("task", Ask(Stamp.MODIFIED), Lane.POLLS)

    assert isinstance(page, Page)
    assert page.asked_at <= began


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("status", status=500), Why.IN_DOUBT),
        (Fault("status", status=502, body="html"), Why.IN_DOUBT),
        (Fault("status", status=503, body="empty", when="after"), Why.IN_DOUBT),
        (Fault("reset"), Why.IN_DOUBT),
        (Fault("reset", when="after"), Why.IN_DOUBT),
        (Fault("hang", seconds=5), Why.IN_DOUBT),
        (Fault("cut"), Why.UNREADABLE),
        (Fault("status", status=401), Why.UNAUTHORIZED),
        (Fault("status", status=403, message="Not permitted"), Why.FORBIDDEN),
        (Fault("status", status=403), Why.FEATURE_DISABLED),
        (Fault("status", status=404, body="short"), Why.INVALID),
        (Fault("status", status=404, body="html"), Why.IN_DOUBT),
        (Fault("status", status=429, body="empty"), Why.RATE_LIMITED),
    ],
    ids=lambda value: f"{value.kind}-{value.status}-{value.when}" if isinstance(value, Fault) else value.value,
)
async def test_every_fault_has_its_class_and_makes_one_request_and_a_refusal_asks_for_the_account_too(
    acme: CopperAccount, command: Commands, copper: CopperDouble, fault: Fault, expected: Why
) -> None:
    copper.fault(fault)
    answer = await acme.execute(command("task", "create", data={"name": "Call Mara"}), deadline=None)

    assert why(answer) is expected
    assert [call.path for call in copper.calls] == ["/tasks", *["/account"] * (expected in REFUSALS)]


async def test_a_wrong_key_is_unauthorized_and_a_token_is_as_good_as_a_key(
    connection: CopperConnection, acme: CopperAccount
) -> None:
    allowance = Allowance(Budget(600_000, asyncio.get_running_loop().time()))
    wrong = connection.account("acme", ApiKey("wrong", "ops@acme.example"), allowance)
    by_token = connection.account("acme", BearerToken("token-canary-0123456789abcdef"), allowance)

    assert why(await asked(wrong)) is Why.UNAUTHORIZED
    assert why(await asked(by_token)) is None


async def test_a_429_slows_the_account_down(connection: CopperConnection, copper: CopperDouble) -> None:
    loop = asyncio.get_running_loop()
    budget = Budget(6000, loop.time())
    account = connection.account("acme", ApiKey("canary-0123456789abcdef", "ops@acme.example"), Allowance(budget))
    copper.set_knobs(calls_per_minute=1, retry_after=1)
    assert why(await asked(account)) is None
    assert why(await asked(account)) is Why.RATE_LIMITED

    began = loop.time()
    await asked(account)
    assert loop.time() - began >= 1.0


async def test_past_its_deadline_a_command_is_neither_admitted_nor_sent(
    acme: CopperAccount, connection: CopperConnection, command: Commands, copper: CopperDouble
) -> None:
    create = command("task", "create", data={"name": "Call Mara"})
    slow = connection.account(
        "acme", ApiKey("k", "ops@acme.example"), Allowance(Budget(60, asyncio.get_running_loop().time()))
    )

    assert await acme.admit(Lane.COMMANDS, "company", deadline=None)
    assert await acme.admit(Lane.COMMANDS, "company", deadline=time.time() + 60)
    assert not await acme.admit(Lane.COMMANDS, "company", deadline=time.time() - 1)
    assert not await slow.admit(Lane.COMMANDS, "company", deadline=time.time() + 0.05)
    assert why(await acme.execute(create, deadline=time.time() - 1)) is Why.EXPIRED
    assert copper.calls == []


async def test_every_call_is_observed_by_its_route_and_no_id_is_a_label(
    acme: CopperAccount, copper: CopperDouble, observed: list[Observed]
) -> None:
    copper.fault(Fault("reset", path="/tasks/*"))
    await acme.get("company", 7, Lane.CHECKS)
    await acme.get("task", 7, Lane.POLLS)

    assert [(seen.account, seen.method, seen.route, seen.outcome, seen.lane) for seen in observed] == [
        ("acme", "GET", "/companies/{id}", "404", Lane.CHECKS),
        ("acme", "GET", "/tasks/{id}", "in-doubt", Lane.POLLS),
    ]
    assert all(0 < seen.seconds < 2 for seen in observed)


async def test_nothing_that_can_be_printed_holds_the_key(
    acme: CopperAccount, connection: CopperConnection, copper: CopperDouble, observed: list[Observed]
) -> None:
    copper.fault(Fault("status", status=401), Fault("reset"))
    answers = [await asked(acme) for _ in range(3)]

    assert "canary" not in repr([acme, vars(acme), connection, vars(connection), answers, observed])


async def test_a_call_that_is_cancelled_leaves_the_account_usable(acme: CopperAccount, copper: CopperDouble) -> None:
    copper.fault(Fault("hang", seconds=5))
    task = asyncio.create_task(asked(acme))
    while not copper.calls:  # noqa: ASYNC110 - the double has no event for it
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert why(await asked(acme)) is None


async def test_every_list_of_names_is_read(acme: CopperAccount) -> None:
    lists = {row.list: done(await acme.reference(row.list, Lane.COMMANDS)) for row in CATALOGUE.names.values()}
    assert all(lists.values())
    assert {each.email for each in lists["users"]} >= {"ops@acme.example", "ben@acme.example"}
    assert {stage.name for line in lists["pipelines"] for stage in line.parts} >= {"Proposal", "Due"}
    tier = next(each for each in lists["custom_field_definitions"] if each.name == "Tier")
    assert (tier.data_type, tier.entities, len(tier.parts)) == ("Dropdown", {"company", "lead"}, 3)
    assert 0 in {each.id for each in lists["activity_types"]}


@pytest.mark.parametrize(("users", "calls_made"), [(4, 1), (200, 1), (201, 2), (450, 3)])
async def test_users_are_read_page_by_page_to_the_last(
    acme: CopperAccount, copper: CopperDouble, users: int, calls_made: int
) -> None:
    known = copper.account("acme").reference.users
    known += [{"id": 90_000 + number, "name": f"User {number}"} for number in range(users - len(known))]
    found = done(await acme.reference("users", Lane.COMMANDS))
    assert {each.id for each in found} == {each["id"] for each in known}
    assert len([call for call in copper.calls if call.path == "/users/search"]) == calls_made


async def test_a_list_that_may_not_be_seen_is_trouble(acme: CopperAccount, copper: CopperDouble) -> None:
    copper.fault(Fault("status", status=403, body="short", path="/pipelines"))
    assert why(await acme.reference("pipelines", Lane.COMMANDS)) in {Why.FORBIDDEN, Why.FEATURE_DISABLED}

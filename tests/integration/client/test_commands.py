"""The typed client with a whole bridge, a Copper double and a real Kafka."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator
from itertools import cycle
from pathlib import Path

import pytest

from bridge.client import (
    CommandExpired,
    CommandFailed,
    Copper,
    CopperCommands,
    NoReply,
    OutcomeUnknown,
)
from bridge.contract.failures import Code
from bridge.contract.replies import Status
from bridge.sandbox.copper import Account, Fault
from tests.integration.bridge.stage import TIMEOUT_S, Stage, stage

ACCOUNTS = tuple(f"c{number:02}" for number in range(1, 11))
CALLS = 100
PAGE = Path(__file__).parents[3] / "docs/how-to/send-commands.md"


@pytest.fixture(scope="module")
async def play(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    directory = tmp_path_factory.mktemp("commands")
    async with stage(bootstrap_servers, directory, ACCOUNTS, events={"poll_every": "10m"}) as play:
        yield play


@pytest.fixture(scope="module")
async def client(play: Stage) -> AsyncGenerator[Copper]:
    async with CopperCommands(play.servers, prefix=play.names.prefix) as copper:
        yield copper


@pytest.fixture(scope="module")
def in_turn() -> Iterator[str]:
    """Accounts in turn, so that nobody waits for a budget."""
    return cycle(ACCOUNTS)


@pytest.fixture
def customer(play: Stage, in_turn: Iterator[str]) -> Account:
    return play.account(next(in_turn))


@pytest.fixture
def copper(client: Copper, customer: Account) -> Copper:
    return client.having(account=customer.name)


def creates(customer: Account, name: str) -> int:
    return sum(each.kind == "create" and (each.record or {})["name"] == name for each in customer.effects)


@pytest.mark.parametrize("entity", ["company", "opportunity", "task", "project"])
async def test_a_record_is_created_changed_read_found_and_deleted(
    copper: Copper, customer: Account, entity: str
) -> None:
    records = {
        "company": copper.company,
        "opportunity": copper.opportunity,
        "task": copper.task,
        "project": copper.project,
    }[entity]
    made = await records.create(name="Fernway renewal")
    changed = await records.update(made["id"], name="Fernway", expect={"name": "Fernway renewal"})
    assert changed["name"] == "Fernway"
    assert await records.get(made["id"]) == customer.record(entity, made["id"])
    assert made["id"] in [each["id"] for each in await records.search(page_size=50)]
    await records.delete(made["id"], expect={"name": "Fernway"})
    await records.delete(made["id"])
    with pytest.raises(CommandFailed) as caught:
        await records.get(made["id"])
    assert (caught.value.code, caught.value.retryable) == (Code.NOT_FOUND, False)


async def test_a_person_is_found_by_its_address_and_has_an_activity(copper: Copper) -> None:
    made = await copper.person.create(name="Priya", emails=[{"email": "priya@fernway.example", "category": "work"}])
    assert await copper.person.get_by_email("priya@fernway.example") == await copper.person.get(made["id"])
    said = await copper.activity.create(
        type={"category": "user", "id": 0}, parent={"type": "person", "id": made["id"]}, details="Asked for dates"
    )
    assert said["details"] == "Asked for dates"


async def test_leads_that_share_an_address_are_all_found_and_one_is_upserted_and_converted(
    copper: Copper, customer: Account
) -> None:
    match = {"field": "email", "value": "omar@oakline.example"}
    address = {"email": "omar@oakline.example", "category": "work"}
    made = await copper.lead.upsert(match=match, name="Omar", email=address)
    changed = await copper.lead.upsert(match=match, title="Founder")
    assert (changed["id"], changed["title"]) == (made["id"], "Founder")
    other = customer.create("lead", {"name": "Omar again", "email": address})["id"]
    assert {each["id"] for each in await copper.lead.get_by_email("omar@oakline.example")} == {made["id"], other}
    await copper.lead.delete(other)
    assert [each["id"] for each in await copper.lead.get_by_email("omar@oakline.example")] == [made["id"]]
    became = await copper.lead.convert(made["id"], opportunity={"name": "First order"})
    assert became["opportunity"]["name"] == "First order"
    assert became["person"]["name"] == "Omar"
    bare = await copper.lead.create(name="Yuki Tanaka")
    assert (await copper.lead.convert(bare["id"]))["person"]["name"] == "Yuki Tanaka"


async def test_a_hundred_calls_at_once_get_each_its_own_answer(client: Copper) -> None:
    everybody = [client.having(account=name) for name in ACCOUNTS]
    names = [f"Concurrent {number}" for number in range(CALLS)]
    asking = [each.task.create(name=name) for each, name in zip(cycle(everybody), names, strict=False)]
    assert [made["name"] for made in await asyncio.gather(*asking)] == names


async def test_who_saw_no_reply_asks_again_with_the_same_id_and_it_is_done_once(
    play: Stage, copper: Copper, customer: Account
) -> None:
    play.copper.fault(Fault("slow", seconds=TIMEOUT_S / 2, contains="Slow Mill", account=customer.name))
    with pytest.raises(
        NoReply, match=r"company\.create: no reply in 0.3 s; it may have been done, or be yet"
    ) as caught:
        await copper.having(timeout=0.3, deadline=None).company.create(name="Slow Mill")
    again = await copper.call("company", "create", command_id=caught.value.command_id, data={"name": "Slow Mill"})
    assert (again.status, again.duplicate) == (Status.SUCCEEDED, True)
    assert creates(customer, "Slow Mill") == 1


async def test_what_nobody_can_know_is_said_to_be_unknown(play: Stage, copper: Copper, customer: Account) -> None:
    made = await copper.company.create(name="Twilight Mill")
    before = len(customer.effects)
    play.copper.fault(Fault("reset", "after", contains="Twilight Mills", account=customer.name))
    asking = asyncio.create_task(copper.company.update(made["id"], name="Twilight Mills"))
    await customer.reached(before + 1)
    customer.delete("company", made["id"])
    with pytest.raises(OutcomeUnknown) as caught:
        await asking
    assert caught.value.reply.status is Status.UNKNOWN
    assert "Twilight" not in str(caught.value)


async def test_what_was_too_late_was_not_done(copper: Copper, customer: Account) -> None:
    with pytest.raises(CommandExpired):
        await copper.having(deadline=-1.0).company.create(name="Too Late Mill")
    assert creates(customer, "Too Late Mill") == 0


async def test_what_is_wrong_with_a_command_is_told_by_field(client: Copper, copper: Copper) -> None:
    with pytest.raises(CommandFailed) as caught:
        await copper.company.create(name="Fernway", adress={"city": "Hull"})
    assert caught.value.code == "invalid"
    assert caught.value.fields == {"data.adress": ('unknown field, did you mean "address"?',)}
    with pytest.raises(CommandFailed) as caught:
        await client.company.get(7)  # the bridge serves several accounts, and none was named
    assert caught.value.code == "unknown-account"
    with pytest.raises(ValueError, match=r"there is no company\.upsert"):
        await copper.call("company", "upsert")


async def test_replies_of_others_are_left_alone(play: Stage, copper: Copper, customer: Account) -> None:
    play.copper.fault(Fault("slow", seconds=TIMEOUT_S / 4, contains="Patient Mill", account=customer.name))
    asking = asyncio.create_task(copper.company.create(name="Patient Mill"))
    for headers in ((), (("correlation-id", b"another"),), (("kafka_correlationId", b"1"),)):
        for value in (b"no JSON", None, b'{"status": "failed"}'):
            await play.send(play.names.replies("company"), value, headers, key=b"somebody")
    assert (await asking)["name"] == "Patient Mill"


async def test_closing_ends_the_calls_that_are_under_way(play: Stage, customer: Account) -> None:
    play.copper.fault(Fault("slow", seconds=TIMEOUT_S / 2, contains="Open Mill", account=customer.name))
    before = len(customer.effects)
    async with CopperCommands(play.servers, prefix=play.names.prefix, account=customer.name) as copper:
        asking = asyncio.create_task(copper.company.create(name="Open Mill"))
        await copper.company.search(page_size=1)  # it is on its way
    with pytest.raises(NoReply, match="the client was closed") as caught:
        await asking
    assert caught.value.command_id is not None
    with pytest.raises(NoReply, match="the client was closed"):
        await copper.company.get(1)
    await customer.reached(before + 1)


async def test_the_page_shows_code_that_works(
    play: Stage, customer: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA", play.servers)
    (shown,) = re.findall(r"```python\n(.*?CopperCommands.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    here = f'prefix="{play.names.prefix}", account="{customer.name}"'
    code = shown.replace('account="acme"', here)
    assert code != shown
    await asyncio.to_thread(exec, compile(code, str(PAGE), "exec"), {})
    assert capsys.readouterr().out

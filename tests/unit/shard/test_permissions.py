"""What the operator does not allow: no call, a clear answer, judged by the shard that the account belongs to."""

import orjson
import pytest

from bridge.contract.catalogue import CATALOGUE, Action
from bridge.contract.commands import encode
from bridge.contract.failures import Code
from bridge.contract.sharding import shard_of
from bridge.contract.signing import SigningKeys, sign_command
from bridge.policy.permissions import Permissions
from tests.unit.shard.stage import ACCOUNT, NAMES, OTHER, PARTITIONS, Stage


def asked(action: Action, account: str = ACCOUNT) -> bytes:
    """A valid command of that action."""
    return orjson.dumps({"action": action.name, "account": account, **action.example})


async def test_an_empty_list_refuses_every_action_before_any_call(stage: Stage) -> None:
    async with stage.at_work(stage.executing(permissions=Permissions(everywhere=()))):
        for action in CATALOGUE.actions:
            stage.put(NAMES.commands(action.entity), asked(action))
        await stage.until(lambda: len(stage.answered) == len(CATALOGUE.actions))
    replies = [reply for entity in CATALOGUE.entities for reply in stage.replied(entity)]
    assert {(reply.status, reply.code) for reply in replies} == {("failed", "forbidden")}
    assert all("commands.allowed" in reply.value["error"]["detail"] for reply in replies)
    assert (stage.copper.calls, stage.buried) == ([], [])


@pytest.mark.parametrize(
    "allowed",
    [row for row in CATALOGUE.actions if row.name in {"get", "upsert"}],
    ids=lambda row: f"{row.entity}.{row.name}",
)
async def test_one_allowed_action_is_carried_out_and_its_neighbours_are_not(stage: Stage, allowed: Action) -> None:
    entity, name = allowed.entity, f"{allowed.entity}.{allowed.name}"
    async with stage.at_work(stage.executing(permissions=Permissions(accounts={ACCOUNT: (name,)}))):
        for action in CATALOGUE.actions_of(entity):
            stage.put(NAMES.commands(entity), asked(action))
        await stage.until(lambda: len(stage.answered) == len(CATALOGUE.actions_of(entity)))
    told = {reply.value["command"]["action"] for reply in stage.replied(entity) if reply.code == "forbidden"}
    assert told == {row.name for row in CATALOGUE.actions_of(entity)} - {allowed.name}


async def test_a_command_of_another_shards_account_is_moved_and_judged_there(stage: Stage) -> None:
    (create, *_) = CATALOGUE.actions_of("company")
    async with stage.at_work(stage.executing(permissions=Permissions(everywhere=()), accounts=(ACCOUNT, OTHER))):
        stage.put(NAMES.commands("company"), asked(create, OTHER))
        stage.put(NAMES.commands("company"), asked(create))
        await stage.until(
            lambda: stage.answered and stage.log.of(NAMES.commands("company"), shard_of(OTHER, PARTITIONS))
        )
    assert [reply.value["command"]["account"] for reply in stage.replied()] == [ACCOUNT]


async def test_where_commands_are_signed_a_forged_one_is_answered_and_buried_and_does_nothing(stage: Stage) -> None:
    topic, secret = NAMES.commands("company"), b"a-secret-of-16+-characters"
    value, headers = encode("delete", record_id=7, command_id="c-1", deadline=stage.clock() + 60)
    stage.copper.keep("company", 7, name="Tideglass")
    async with stage.at_work(stage.executing(keys=SigningKeys({"shop": secret}))):
        stage.put(topic, value, headers)
        stage.put(topic, value, (*headers, sign_command(topic, b"acme", value, headers, key_id="shop", secret=b"?")))
        await stage.until(lambda: len(stage.answered) == 2)
        assert stage.called("execute") == []
        stage.put(topic, value, (*headers, sign_command(topic, b"acme", value, headers, key_id="shop", secret=secret)))
        await stage.until(lambda: len(stage.answered) == 3)
    assert [(reply.status, reply.code) for reply in stage.replied()] == [
        ("failed", "forbidden"),
        ("failed", "forbidden"),
        ("succeeded", None),
    ]
    assert [record.value for record in stage.log.of(NAMES.dead_letters("company"))] == [value, value]
    assert stage.buried == [Code.FORBIDDEN, Code.FORBIDDEN]

"""Subscriptions end to end: what others do to ours is healed, ours move and go with the address, theirs stay theirs."""

import shutil
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from bridge.sandbox.copper import CopperDouble
from tests.integration.bridge.stage import ENTITIES, Stage, eventually, stage

pytestmark = pytest.mark.nightly
"""Shown in little by the tests of the parts, in a few seconds."""

ACME, FULL = "acme", "full"
THEIRS = "https://elsewhere.example/hook"
MOST, ROOM = 100, 4
FOLLOWED = ("company", "task")
ALL = 3 * len(FOLLOWED)
"""Few, since each is a call and a bridge that was just started goes slowly."""


def furnish(copper: CopperDouble) -> None:
    """One of somebody else's in the one account, and nearly all that there may be in the other."""
    for name, count in ((ACME, 1), (FULL, MOST - ROOM)):
        for _ in range(count):
            their = {"target": THEIRS, "type": "company", "event": "delete", "headers": {"X-Theirs": "1"}}
            copper.account(name).subscriptions.create(their, now=copper.clock())


@pytest.fixture(scope="module")
async def watched(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A bridge that has all its subscriptions and has written down which they are."""
    directory, quiet = tmp_path_factory.mktemp("watched"), {"poll_every": "10m"}
    unfollowed = {entity: {"enabled": False} for entity in ENTITIES if entity not in FOLLOWED}
    async with stage(
        bootstrap_servers, directory, [ACME, FULL], before=furnish, webhooks=True, events=quiet | unfollowed
    ) as play:
        await written(play, ACME, ALL)
        await written(play, FULL, ROOM)
        yield play


def at(play: Stage, account: str, target: str) -> dict[int, dict[str, Any]]:
    """The subscriptions with that target."""
    return {row["id"]: row for row in play.account(account).subscriptions.list() if row["target"] == target}


def address(play: Stage, account: str = ACME) -> str:
    return f"{play.settings.webhooks.public_url}/webhooks/copper/{account}"


async def written(play: Stage, account: str, count: int, *, records: int = 1) -> None:
    """Wait until it has been written so often which of the subscriptions are the bridge's, so many at the last."""
    key = f"subscriptions/{account}".encode()
    kept = await play.log.wait(play.names.cursors, lambda each: each.key == key, count=records)
    assert len(kept[-1].value["ids"] if kept[-1].value else ()) == count


def counted(play: Stage, account: str) -> int:
    """How often that has been written."""
    key = f"subscriptions/{account}".encode()
    return len(play.log.of(play.names.cursors, lambda each: each.key == key))


async def touched(play: Stage) -> tuple[float, float]:
    """What the bridge has counted since it was started: vanished, and moved."""
    name = "copper_bridge_webhook_subscriptions_touched_total"
    return await play.metric(name, what="vanished"), await play.metric(name, what="moved")


async def test_an_account_that_others_have_nearly_filled_gets_what_has_room(watched: Stage) -> None:
    assert len(at(watched, FULL, address(watched, FULL))) == ROOM
    assert len(at(watched, FULL, THEIRS)) == MOST - ROOM
    state = "copper_bridge_webhook_subscriptions"
    assert await watched.metric(state, account=FULL, state="refused") == ALL - ROOM
    assert await watched.metric(state, account=FULL, state="foreign") == MOST - ROOM


async def test_what_somebody_removed_or_pointed_elsewhere_is_healed_though_all_local_state_is_lost(
    watched: Stage,
) -> None:
    theirs, before = at(watched, ACME, THEIRS), counted(watched, ACME)
    gone, moved = sorted(at(watched, ACME, address(watched)))[:2]
    await watched.stop()
    subscriptions = watched.account(ACME).subscriptions
    subscriptions.delete(gone)
    subscriptions.update(moved, {"target": THEIRS, "headers": {"X-Theirs": "1"}})
    shutil.rmtree(watched.settings.state.dir)
    await watched.start()
    await written(watched, ACME, ALL, records=before + 1)
    healed = at(watched, ACME, address(watched))
    assert len({(row["type"], row["event"]) for row in healed.values()}) == len(healed) == ALL
    assert moved in healed
    assert len({str(row["headers"]) for row in healed.values()}) == 1
    assert at(watched, ACME, THEIRS) == theirs
    assert await touched(watched) == (1, 1)


async def test_ours_move_with_the_address_and_go_with_it_and_theirs_are_left_alone(watched: Stage) -> None:
    theirs, old, before = at(watched, ACME, THEIRS), at(watched, ACME, address(watched)), counted(watched, ACME)
    former = address(watched)
    await elsewhere(watched, str(watched.settings.webhooks.public_url).replace("127.0.0.1", "localhost"))
    await eventually(lambda: at(watched, ACME, former) == {})
    assert at(watched, ACME, address(watched)).keys() == old.keys()
    await elsewhere(watched, None)
    await written(watched, ACME, 0, records=before + 1)
    assert {row["id"]: row for row in watched.account(ACME).subscriptions.list()} == theirs


async def elsewhere(play: Stage, url: str | None) -> None:
    """Start the bridge again with another address."""
    await play.stop()
    webhooks = play.settings.webhooks.model_copy(update={"public_url": url})
    play.settings = play.settings.model_copy(update={"webhooks": webhooks})
    await play.start()

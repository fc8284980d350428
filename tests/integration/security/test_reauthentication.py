"""Brokers that want to be shown a fresh token every few seconds: aiokafka shows none, they hang up, it comes back."""

import asyncio
from pathlib import Path

import pytest

from bridge.client import CopperCommands, KafkaSecurity
from tests.integration.bridge.stage import stage
from tests.integration.security.broker import REAUTHENTICATE_MS, Secured

ACCOUNT = "acme"
ROUNDS = 3
"""Sessions of the broker that the test lasts."""


@pytest.mark.figures
async def test_connections_that_outlive_their_token_are_opened_again_and_nothing_is_lost(
    broker: Secured, tmp_path: Path
) -> None:
    broker.giver.lifetime = 4.0
    quiet = {"poll_every": "10m"}
    async with stage(
        broker.kafka.bootstrap_servers, tmp_path, [ACCOUNT], kafka=broker.oauth("SHORT"), events=quiet
    ) as play:
        record_id = await play.made(ACCOUNT, "company", {"name": "Tideglass"})
        given = broker.giver.given
        loop = asyncio.get_running_loop()
        end = loop.time() + ROUNDS * REAUTHENTICATE_MS / 1000
        asked, longest = 0, 0.0
        while loop.time() < end:
            began = loop.time()
            reply = await play.ask(ACCOUNT, "company", "update", record_id=record_id, data={"details": f"{asked}"})
            longest = max(longest, loop.time() - began)
            assert reply.value["status"] == "succeeded", reply.value
            asked += 1
            await asyncio.sleep(0.1)
        for how in ("in-doubt", "broken", "fenced", "unsettled", "foreign"):
            n = await play.metric("copper_bridge_shard_sessions_ended_total", how=how)
            if n:
                print(how, n)
        renewed = await play.metric("copper_bridge_commits_total", outcome="renewed")
        print(
            f"{asked} commands, {broker.giver.given - given} tokens, {renewed:.0f} producers renewed, longest {longest:.2f}"
        )

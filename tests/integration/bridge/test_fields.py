"""Field policy end to end: what is denied or hashed is on no topic of the bridge but where the caller put it."""

from pathlib import Path

from bridge.sandbox.copper import CopperDouble
from tests.integration.bridge.stage import stage

DENIED, HASHED = "canary-denied", "canary-hashed"
POLICY = {"deny": ["details"], "hash": ["name", "first_name", "last_name", "emails"]}


def _person(number: int) -> dict[str, object]:
    emails = [{"email": f"{HASHED}-{number}@reed.example", "category": "work"}]
    return {"name": f"{HASHED}-{number}", "details": f"{DENIED}-{number}", "emails": emails}


def _furnish(copper: CopperDouble) -> None:
    copper.account("acme").create("person", _person(1))


async def test_denied_and_hashed_values_are_on_no_topic_of_the_bridge(bootstrap_servers: str, tmp_path: Path) -> None:
    events = {"poll_every": "1s", "person": {"fields": POLICY}, "hash_key": "a key of the test's own, long enough"}
    async with stage(
        bootstrap_servers,
        tmp_path,
        ["acme"],
        before=_furnish,
        events=events,
    ) as play:
        polled = play.account("acme").create("person", _person(2))["id"]
        await play.event("person", "created", polled, "acme")
        made = await play.made("acme", "person", _person(3))
        await play.ask("acme", "person", "update", record_id=made, data={"details": f"{DENIED}-4"})
        got = await play.ask("acme", "person", "get", record_id=made)
        found = await play.ask("acme", "person", "search", data={})
        await play.log.caught_up()
        assert "details" not in got.value["record"]
        assert got.value["record"]["name"].startswith("hmac-sha256:")
        assert len(found.value["records"]) > 0
        read = [
            message
            for topic, messages in play.log.messages.items()
            if not topic.endswith((".commands", ".dlt"))
            for message in messages
        ]
        leaks = {m.topic for m in read if b"canary" in (m.raw or b"") + repr(m.pairs).encode()}
        state = play.log.of(play.names.state("person"))
    print(f"{len(read)} records read, {len(leaks)} topics with hits, {len(state)} states")
    assert len(state) >= 3
    assert leaks == set()

"""Quiet updates end to end: told apart by a header, dropped when nobody wants them, and known all the same."""

from pathlib import Path

from bridge.sandbox.copper import Knobs
from tests.integration.bridge.stage import stage


async def test_an_enrichment_says_so_and_an_interaction_that_is_not_wanted_is_state_alone(
    bootstrap_servers: str, tmp_path: Path
) -> None:
    knobs = Knobs(enrichment=(1.0, 2.0))
    events = {"poll_every": "1s", "drop": ["interaction"]}
    async with stage(bootstrap_servers, tmp_path, ["acme"], knobs=knobs, events=events) as play:
        account = play.account("acme")
        company = int(account.create("company", {"name": "Tideglass", "email_domain": "tideglass.example"})["id"])
        enriched = await play.event("company", "updated", company, "acme")
        assert enriched.text("ce_changeclass") == enriched.value["source"]["class"] == "enrichment"
        assert enriched.value["changed"] == ["websites"]

        person = int(account.create("person", {"name": "Mara"})["id"])
        await play.event("person", "created", person, "acme")
        call = {"category": "user", "id": 190711}
        account.create("activity", {"parent": {"type": "person", "id": person}, "type": call, "details": "Rang her"})
        key = f"acme/{person}".encode()
        await play.log.wait(
            play.names.state("person"), lambda each: each.key == key and each.value["interaction_count"] == 1
        )
        account.edit("person", person, {"title": "Buyer"})
        edited = await play.event("person", "updated", person, "acme")
        assert edited.text("ce_changeclass") == "edit"
        assert edited.value["changed"] == ["title"]
        assert edited.value["before"]["interaction_count"] == 1
        dropped = await play.metric("copper_bridge_sightings_without_event_total", entity="person", reason="dropped")
        assert dropped >= 1

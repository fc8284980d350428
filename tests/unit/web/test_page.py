"""The status page as the server makes it: what it says, and that it says it safely."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import pytest

from bridge.policy.freshness import State
from bridge.web.page.html import Element, html, lasting
from bridge.web.page.sections import MOST_ACCOUNTS, sections
from tests.unit.web.shown import NOW, account, command, elsewhere, entity, history, shards, status

WORDS = {
    State.PAUSED: "Paused",
    State.LEAVING: "Leaving",
    State.ON_TIME: "On time",
    State.PENDING: "Pending",
    State.DELAYED: "Delayed",
    State.ERROR: "Error",
    State.ACTION_REQUIRED: "Action required",
}


def made(how: Mapping[str, Any], lately: Mapping[str, Any]) -> dict[str, Element]:
    """The sections by their keys."""
    return {section.attrib["id"]: section for section in sections(how, lately)}


def said(section: str, how: Mapping[str, Any], lately: Mapping[str, Any] | None = None) -> str:
    """The words of a section, one space between them."""
    whole = made(how, history() if lately is None else lately)
    return " ".join(" ".join(whole[section].itertext()).split())


@pytest.mark.parametrize("state", State)
def test_every_state_is_said_in_words(state: State) -> None:
    how = status({"acme": account(state)}, state=state)
    assert said("head", how).startswith("copper-bridge")
    assert WORDS[state] in said("head", how)
    assert WORDS[state] in said("events", how)


def test_the_head_names_the_process_and_its_shards() -> None:
    assert "bridge-0 serves shards 0, 2 ·" in said("head", status())
    assert "serves shard 0, 1 of them not open yet" in said("head", status(shards=shards(owned=[0], open=[])))
    assert "serves no shard, as a standby" in said("head", status(shards=shards(owned=[], open=[])))


def test_what_needs_somebody_is_told_with_the_line_to_type() -> None:
    held = {"reason": "too-many", "missing": 60, "known": 9000, "since": NOW}
    told = said("attention", status({"acme": account("action-required", deletes_held=held)}, prefix="crm"))
    assert "acme publishes no deletes: 60 of 9000 records are missing, too-many, since" in told
    for way in ("approve", "reject"):
        assert f"copper-bridge deletes {way} acme -b kafka-0:9092 --prefix crm" in told


def test_a_delay_is_told_with_its_cause() -> None:
    late = {"lead": entity("delayed", trouble="rate-limited"), "task": entity("pending"), "project": entity("paused")}
    told = said("attention", status({"acme": account("delayed", late)}))
    assert "acme lead ▲ Delayed : rate-limited, due every 15 s, last scanned" in told
    assert "task" not in told
    assert said("attention", status()).endswith("Nothing.")


def test_an_account_without_working_credentials_is_told_once() -> None:
    paused = {"reason": "unauthorized", "since": NOW}
    entities = {name: entity("action-required") for name in ("lead", "task")}
    told = said("attention", status({"acme": account("action-required", entities, paused=paused)}))
    assert "acme waits for credentials that work (unauthorized) since" in told
    assert "lead" not in told
    assert "acme waits" not in said("attention", status({"acme": account(paused=None)}))


def test_an_empty_page_says_what_to_type_next() -> None:
    assert "copper-bridge listen 'copper.*' -b kafka-0:9092" in said("events", status())
    assert "copper-bridge call company.search page_size=5 -b kafka-0:9092" in said("commands", status())
    busy = status({"acme": account(entities={"lead": entity(events=3, event_at=NOW)})})
    assert "listen" not in said("events", busy)
    assert "call" not in said("commands", busy, history(commands=[command()]))


def test_a_command_is_a_row_with_its_attempts_and_its_code() -> None:
    failed = command(status="failed", code="invalid", attempts=0, took=None, account=None)
    told = said("commands", status(), history(commands=[command(attempts=3), failed, command(duplicate=True)]))
    assert "company.create acme succeeded 310 ms 3 order-7" in told
    assert "company.create — failed: invalid — 0 order-7" in told
    assert "succeeded (stored answer)" in told


def test_dead_letters_are_counted_with_the_line_that_lists_them() -> None:
    told = said("commands", status(), history(dead_letters={"malformed": 1, "invalid": 1200}))
    assert "Dead letters since the start: 1,200 invalid, 1 malformed. copper-bridge dlt ls -b kafka-0:9092" in told


def test_the_budget_is_told_by_lane() -> None:
    assert "acme 24 of 170 0 0 24 bulk 3" in said("budget", status())


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"done": False, "seconds_left": 95, "incomplete": False}, "400 of 1,200, 1 min 35 s left"),
        ({"done": False, "seconds_left": None, "incomplete": False}, "400 of 1,200"),
        ({"done": True, "seconds_left": None, "incomplete": False}, "400 read"),
        ({"done": True, "seconds_left": None, "incomplete": True}, "400 read, incomplete"),
    ],
)
def test_a_snapshot_says_how_far_it_has_come(more: Mapping[str, Any], words: str) -> None:
    taken = {"records": 400, "expected": 1200, "calls": 2, **more}
    assert words in said("events", status({"acme": account(entities={"lead": entity(snapshot=taken)})}))


def test_every_replica_is_told_with_its_shards_and_accounts() -> None:
    others = {"bravo": elsewhere(), "coda": elsewhere("bridge-1", 4), "delta": elsewhere(None, 3)}
    ours = {str(number): "bridge-0" for number in (0, 2, 5, 6, 7)}
    how = status({"acme": account()} | others, shards=shards(count=8, owners=ours | {"1": "bridge-1", "4": "bridge-1"}))
    told = said("replicas", how)
    assert "bridge-0 (this one) 0, 2, 5-7 1: acme" in told
    assert "bridge-1 1, 4 2: bravo, coda" in told
    assert "not known 3 1: delta" in told


def test_a_standby_is_told_too_and_nobody_is_unknown_when_all_is_known() -> None:
    told = said("replicas", status({}, shards=shards(owned=[], owners=dict.fromkeys("0123", "bridge-1"))))
    assert "bridge-0 (this one) none, as a standby —" in told
    assert "not known" not in told


def test_the_timeline_says_what_happened_and_how_grave_it_was() -> None:
    ended = {"at": NOW, "level": "warning", "event": "session.ended", "fields": {"shard": 2, "how": "fenced"}}
    owned = {"at": NOW, "level": "info", "event": "shards.assigned", "fields": {"shards": [0, 2]}}
    told = said("timeline", status(), history(happenings=[ended, owned]))
    assert "session.ended warning shard 2 · how fenced" in told
    assert "shards.assigned shards 0, 2" in told


def test_the_hour_says_in_words_what_it_draws() -> None:
    lately = history()
    for ago, count in ((1, 4), (2, 30), (40, 6)):
        lately["minutes"][-ago]["events"] = count
    whole = html(made(status(), lately)["hour"])
    assert 'aria-label="Events per minute: 4 in this minute, 30 at most, 40 in the last hour"' in whole
    assert whole.count("<rect") == 3
    assert whole.count("going-on") == 1
    assert 'height="40.0"' in whole


def test_the_worst_accounts_come_first_and_a_crowd_is_cut_off_with_a_word() -> None:
    accounts = {f"a{number:04}": account() for number in range(1000)} | {"zoe": account("error")}
    how = status(accounts | {f"b{number:04}": elsewhere() for number in range(1000)})
    told = said("events", how)
    assert told.index("zoe") < told.index("a0000")
    assert f"And {1001 - MOST_ACCOUNTS} accounts that do no worse" in told
    assert "b0000" not in told
    assert re.search(r"bridge-1 1 1,000: b0000, .*, b0019 and 980 others", said("replicas", how))
    assert sum(len(html(section)) for section in sections(how, history())) < 60_000


def test_no_text_becomes_markup() -> None:
    evil = "<script>alert(1)</script>\"'&"
    held = {"reason": evil, "missing": 1, "known": 2, "since": NOW}
    accounts = {evil: account(entities={evil: entity("error", trouble=evil)}, deletes_held=held)}
    lately = history(
        commands=[command(id=evil, account=evil, action=evil, code=evil)],
        happenings=[{"at": NOW, "level": evil, "event": evil, "fields": {evil: evil}}],
        dead_letters={evil: 1},
    )
    owned = shards(owners={"0": evil})
    how = status(accounts, instance=evil, replica=evil, version=evil, kafka=evil, prefix=evil, shards=owned)
    for section in sections(how, lately):
        read = Read(html(section))
        assert "script" not in read.tags
        assert evil in read.words or section.attrib["id"] == "hour"


class Read(HTMLParser):
    """A section as a browser reads it."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.words = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "0 ms"), (0.31, "310 ms"), (5.25, "5.2 s"), (8.0, "8 s"), (42.4, "42 s"), (60, "1 min"), (95, "1 min 35 s"),
     (3600, "1 h"), (7260, "2 h 1 min"), (90_000, "1 d 1 h"), (86_400 * 9, "9 d")],
)  # fmt: skip
def test_a_length_of_time_is_short(seconds: float, words: str) -> None:
    assert lasting(seconds) == words

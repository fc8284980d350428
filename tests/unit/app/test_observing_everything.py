"""Whatever the parts tell, it is counted under a bounded set of labels, and nothing raises."""

import itertools
import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from bridge.app.observing import Observing
from bridge.contract.announcements import Announcement, Told
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.commands import Command, Malformed, decode
from bridge.contract.events import Change, Kind
from bridge.contract.failures import Code, Failure
from bridge.contract.records import Incoming, Position
from bridge.contract.replies import Reply, Status
from bridge.contract.topics import TopicNames
from bridge.copper.client import Observed
from bridge.policy.changes import Reason
from bridge.policy.refusals import OPERATOR, Paused
from bridge.policy.sessions import Ending
from bridge.policy.sightings import Lane, Trouble, Via, Why
from bridge.policy.subscribing import Plan, Wanted
from bridge.policy.sweeps import Held
from bridge.policy.sweeps import Reason as HeldBecause
from bridge.shard.polling import Polled, Scanned
from bridge.shard.snapshotting import Taken
from bridge.telemetry.metrics import PREFIX

NAMES = TopicNames()
POLLED = Polled("acme", "company", filtered=False, every=15, deep_every=300, overlap=120, backfill=False)


def _command(value: bytes, entity: str = "company", accounts: tuple[str, ...] = ("acme",)) -> Command | Malformed:
    record = Incoming(Position(NAMES.commands(entity), 0, 1), None, value, (), 0)
    return decode(record, entity=entity, names=NAMES, accounts=accounts, allowed_replies=())


def _change(kind: Kind, via: Via) -> Change:
    return Change(kind, "acme", "company", 7, {}, {}, (), via.value, 0, "", 0.0)


def _labels(registry: CollectorRegistry, metric: str) -> list[dict[str, str]]:
    """The label sets under which a metric has counted, without those of histogram buckets."""
    return [
        sample.labels
        for family in registry.collect()
        if family.name == f"{PREFIX}_{metric}"
        for sample in family.samples
        if (sample.name.endswith(("_total", "_count")) and sample.value) or family.type == "gauge"
    ]


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_every_verdict_by_every_way_is_counted(observing: Observing) -> None:
    for via in Via:
        for verdict in (*Reason, *(_change(kind, via) for kind in Kind)):
            observing.judged("company", via, verdict)
    assert len(_labels(observing.registry, "events_published")) == len(Via) * len(Kind)
    assert {each["reason"] for each in _labels(observing.registry, "sightings_without_event")} == set(Reason)


def test_every_way_of_ending_and_committing_is_counted(
    observing: Observing, capsys: pytest.CaptureFixture[str]
) -> None:
    for ending in Ending:
        observing.session_ended(0, ending, "why")
        observing.committed(ending, 0.0)
    observing.committed("committed", 0.2)
    assert {each["how"] for each in _labels(observing.registry, "shard_sessions_ended")} == set(Ending)
    levels = {line["how"]: line["level"] for line in _lines(capsys)}
    assert {how for how, level in levels.items() if level == "info"} == {Ending.STOPPED, Ending.LOST}


def test_only_the_first_of_a_row_of_failed_scans_and_its_end_are_told(
    observing: Observing, capsys: pytest.CaptureFixture[str]
) -> None:
    for trouble in (None, *(Trouble(why, "a detail") for why in Why), None, None):
        observing.polled(POLLED, Scanned(trouble))
    assert [line["event"] for line in _lines(capsys)] == ["scan.failed", "scan.recovered"]
    assert {each["outcome"] for each in _labels(observing.registry, "scans")} == {"ok", *Why}


def test_every_action_with_every_answer_is_counted_under_names_of_the_catalogue(observing: Observing) -> None:
    for row in CATALOGUE.actions:
        command = Command(
            id="c", account="acme", entity=row.entity, action=row.name, record_id=None, email=None, data={},
            match=None, expect=None, reply=_command(b"").reply, deadline=None, lane="bulk", fingerprint="",
            position=Position("t", 0, 0), key=None, received_ms=0, headers=(),
        )  # fmt: skip
        for status, code in itertools.product(Status, Code):
            failure = None if status is Status.SUCCEEDED else Failure(code, "t", "d")
            observing.answered(command, Reply(status, failure=failure))
    for code in Code:
        observing.buried(code)
    counted = _labels(observing.registry, "commands_completed")
    assert len(counted) == len(CATALOGUE.actions) * len(Status)
    assert {each["reason"] for each in _labels(observing.registry, "dead_letters")} == set(Code)


def test_no_word_of_a_callers_own_becomes_a_label_or_a_field(
    observing: Observing, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = "canary-7f3a"
    values = [
        b'{"action": "%s"}', b'{"account": "%s", "action": "get", "id": 7}', b'{"%s": 1, "action": "create"}',
        b'{"action": "create", "data": {"%s": "%s"}}', b"%s",
    ]  # fmt: skip
    for value, number in itertools.product(values, range(20)):
        word = f"{canary}-{number}".encode()
        command = _command(value.replace(b"%s", word))
        assert isinstance(command, Malformed)
        observing.answered(command, Reply(Status.FAILED, failure=command.failure))
    assert len(_labels(observing.registry, "commands_completed")) <= 3
    assert canary not in str([family.samples for family in observing.registry.collect()])
    assert canary not in capsys.readouterr().err


def test_unknown_answers_are_warnings(observing: Observing, capsys: pytest.CaptureFixture[str]) -> None:
    command = _command(b'{"action": "get", "id": 7}')
    for status in Status:
        failure = None if status is Status.SUCCEEDED else Failure(Code.UNAVAILABLE, "t", "d")
        observing.answered(command, Reply(status, failure=failure))
    levels = {line["status"]: line["level"] for line in _lines(capsys)}
    assert levels == {"succeeded": "info", "failed": "info", "expired": "info", "unknown": "warning"}


@pytest.mark.parametrize("outcome", ["accepted", "unauthorized", "stale", "overloaded"])
def test_webhooks_are_counted_and_refusals_told(
    observing: Observing, outcome: str, capsys: pytest.CaptureFixture[str]
) -> None:
    observing.hook(outcome)
    assert _labels(observing.registry, "webhooks_received") == [{"outcome": outcome}]
    assert len(_lines(capsys)) == (outcome != "accepted")


def test_subscriptions_are_told_when_they_change_or_cannot_be_had(
    observing: Observing, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = Wanted("company", "delete")
    observing.subscribed("acme", Plan((), (), (), 3))
    observing.subscribed("acme", Plan((wanted,), (1,), (2, 3), 3, (wanted,)))
    observing.subscribed("acme", Plan((wanted,), (1,), (), 3, vanished=1, moved=1))
    observing.subscribed("acme", Trouble(Why.FORBIDDEN, "no"))
    synced, healed, failed = _lines(capsys)
    assert (synced["level"], healed["level"], healed["vanished"], healed["moved"]) == ("info", "warning", 1, 1)
    assert _labels(observing.registry, "webhook_subscriptions_touched") == [{"what": "vanished"}, {"what": "moved"}]
    assert (synced["created"], synced["updated"], synced["deleted"], synced["refused"]) == (1, 1, 2, 1)
    assert (failed["event"], failed["why"]) == ("subscriptions.failed", "forbidden")


def test_the_rest_of_what_parts_tell_is_taken_too(observing: Observing, capsys: pytest.CaptureFixture[str]) -> None:
    observing.owning({2, 0})
    observing.ready({2, 0}, now=True)
    observing.ready({2, 0}, now=False)
    observing.session_opened(0)
    for records, done in ((200, False), (400, False), (500, True)):
        observing.snapshot(Taken("acme", "company", records, 500, records // 200, 7, done))
    for outcome in ("200", "599", *Why):
        observing.called(Observed("acme", "GET", "/companies/{id}", outcome, Lane.POLLS, 0.1))
    observing.unexpected(LookupError("ops@acme.example"))
    lines = _lines(capsys)
    assert [line["event"] for line in lines] == [
        "shards.assigned", "bridge.ready", "session.opened", "snapshot.started", "snapshot.done", "bridge.unexpected"
    ]  # fmt: skip
    assert lines[0]["shards"] == [0, 2]
    assert "ops@" not in str(lines)


def test_a_snapshot_that_another_process_may_have_finished_is_not_shown_as_under_way(observing: Observing) -> None:
    for account in ("acme", "northwind"):
        observing.snapshot(Taken(account, "company", 200, 500, 1, 7, done=False))
    observing.snapshot(Taken("acme", "lead", 500, 500, 3, 0, done=True))
    observing.taken_over("acme")
    assert [*observing.snapshots] == [("northwind", "company"), ("acme", "lead")]


def test_what_only_a_deep_pass_found_is_told_with_its_age(
    observing: Observing, capsys: pytest.CaptureFixture[str]
) -> None:
    observing.polled(POLLED, Scanned(late=(300.0, 721.4)))
    (line,) = _lines(capsys)
    assert (line["event"], line["count"], line["latest_s"]) == ("deep.caught", 2, 721)
    assert _labels(observing.registry, "late_by_seconds") == [{"entity": POLLED.entity}]


def test_every_announcement_has_its_line_and_what_waits_for_somebody_is_an_error(
    observing: Observing, capsys: pytest.CaptureFixture[str]
) -> None:
    swept = [
        told for told in Told if not told.startswith(("snapshot.", "letter."))
    ]  # letters are told by whoever redrives
    for told in swept:
        observing.announced(Announcement(told, "acme", 1, data={"reason": "too-many"}))
    lines = _lines(capsys)
    assert [line["event"] for line in lines] == [*swept]
    assert {line["event"] for line in lines if line["level"] == "error"} == {"deletes.held", "account.paused"}
    observing.holding("acme", Held(HeldBecause.TOO_MANY, 50, 100, 1.0))
    assert observing.registry.get_sample_value("copper_bridge_deletes_held", {"account": "acme"}) == 1
    observing.holding("acme", None)
    assert observing.registry.get_sample_value("copper_bridge_deletes_held", {"account": "acme"}) == 0


def test_an_operators_pause_and_a_departure_are_no_trouble(observing: Observing) -> None:
    def value(name: str, **labels: str) -> float | None:
        return observing.registry.get_sample_value(f"copper_bridge_{name}", {"account": "acme"} | labels)

    observing.held_by_operator("acme", Paused(OPERATOR, 1.0))
    assert (value("account_idle"), value("account_paused")) == (1, None)
    observing.held_by_operator("acme", None)
    assert value("account_idle") == 0
    observing.polled(
        Polled("acme", "lead", filtered=True, every=15, deep_every=300, overlap=120, backfill=False), Scanned()
    )
    assert value("scan_last_success_timestamp_seconds", entity="lead") is not None
    observing.announced(Announcement(Told.ACCOUNT_DISCONNECTED, "acme", 1, data={"webhooks": "removed"}))
    assert value("account_idle") == 1
    assert value("scan_last_success_timestamp_seconds", entity="lead") is None
    observing.taken_over("acme")
    assert value("account_idle") == 0


def test_a_pause_is_a_metric_of_its_account(observing: Observing) -> None:
    observing.pausing("acme", Paused(Why.FORBIDDEN, 1.0))
    assert observing.registry.get_sample_value("copper_bridge_account_paused", {"account": "acme"}) == 1
    observing.pausing("acme", None)
    assert observing.registry.get_sample_value("copper_bridge_account_paused", {"account": "acme"}) == 0

"""Metrics: what is counted and timed, in Prometheus' words.

One `Metrics` per bridge, with a registry of its own. Labels are bounded: entities, actions, kinds, codes; never ids.
Label sets that are known beforehand are there from the start: a rate over a counter that appears with its first count
never sees that count.
"""

import itertools
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.events import Kind
from bridge.contract.failures import Code
from bridge.contract.replies import Status
from bridge.policy.sessions import Ending
from bridge.policy.sightings import Lane, Via

PREFIX = "copper_bridge"
MINUTES = (60.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 300.0)
"""OpenTelemetry's buckets for messaging, and three more: a call in doubt is settled minutes later."""
DELAYS = (1.0, 2.5, 5.0, 10.0, 15.0, 30.0, *MINUTES)
"""Copper's stamps are whole seconds."""
HOOK_OUTCOMES = (
    *("accepted", "unauthorized", "invalid", "stale", "unavailable"),
    *("overloaded", "too-slow", "too-large", "encoded"),
)


class Metrics:
    """All metrics of one bridge."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.build = Info(f"{PREFIX}_build", "Version of the bridge and of its Kafka client", registry=self.registry)
        self.ready = self._gauge("ready", "1 while every owned shard is open")
        self.shards = self._gauge("shards_owned", "Shards assigned to this process")
        self.events = self._counter("events_published", "Changes written to their topics", "entity", "change", "via")
        self.updates = self._counter("updates", "Updates published, by what they are about", "entity", "class")
        self.sightings = self._counter("sightings_without_event", "Records seen that were no event", "entity", "reason")
        self.event_delay = self._histogram(
            "event_delay_seconds", "From Copper's stamp to the transaction", "entity", buckets=DELAYS
        )
        self.late_seconds = self._histogram(
            "late_by_seconds", "Age of changes that only the deep pass found", "entity", buckets=MINUTES
        )
        self.scans = self._counter("scans", "Scans ended", "entity", "outcome")
        self.scanned_at = self._gauge(
            "scan_last_success_timestamp_seconds", "When the last scan ended well", "account", "entity"
        )
        self.scan_interval = self._gauge("scan_interval_seconds", "Longest time between two scans", "entity")
        self.commands = self._counter("commands_completed", "Commands answered", "entity", "action", "status")
        self.command_seconds = self._histogram(
            "command_duration_seconds", "From a command's time stamp to its answer", "entity", "action"
        )
        self.commands_waiting = self._gauge("commands_waiting", "Commands taken in and not yet answered", "account")
        self.input_lag = self._gauge("input_lag_records", "Offsets written to an input and not yet done with", "topic")
        self.dead_letters = self._counter("dead_letters", "Commands that can never be carried out", "reason")
        self.calls = self._counter("copper_requests", "Calls to Copper", "method", "route", "status")
        self.call_seconds = self._histogram("copper_request_duration_seconds", "Calls to Copper", "method", "route")
        self.budget_wait = self._histogram("budget_wait_seconds", "Waits for the budget of calls", "lane")
        self.budget_used = self._gauge("budget_used_calls", "Calls of the last 60 s", "account", "lane")
        self.webhooks = self._counter("webhooks_received", "Requests to the webhook address", "outcome")
        self.turned_away = self._counter("connections_refused", "Connections to the public port beyond its limit")
        self.subscriptions_touched = self._counter(
            "webhook_subscriptions_touched", "Subscriptions of ours that somebody else removed or changed", "what"
        )
        self.subscriptions = self._gauge("webhook_subscriptions", "Webhook subscriptions at Copper", "account", "state")
        self.snapshot_records = self._gauge("snapshot_records", "Records read by a snapshot", "account", "entity")
        self.snapshot_expected = self._gauge(
            "snapshot_expected", "Records that Copper claims there are", "account", "entity"
        )
        self.sweeps = self._counter("sweeps", "Sweeps ended", "outcome")
        self.swept_at = self._gauge("sweep_last_success_timestamp_seconds", "When the last sweep ended well", "account")
        self.deletes_held = self._gauge("deletes_held", "1 while an account's deletes wait for an operator", "account")
        self.account_paused = self._gauge(
            "account_paused", "1 while an account waits for working credentials", "account"
        )
        self.account_idle = self._gauge(
            "account_idle", "1 while an operator wants nothing done for an account", "account"
        )
        self.commits = self._counter("kafka_commits", "Transactions by how they ended", "outcome")
        self.commit_seconds = self._histogram("kafka_commit_duration_seconds", "Transactions, begin to commit")
        self.sessions = self._counter("shard_sessions_ended", "Shard sessions by how they ended", "how")
        self.loop_lag = self._gauge("event_loop_lag_seconds", "Worst delay of a timer in the last half minute")
        self._begin_with_zeros()

    def no_longer(self, account: str) -> None:
        """The account is not served here any more: what is looked at now and then would stand still."""
        self.commands_waiting.remove(account)
        for lane in Lane:
            self.budget_used.remove(account, lane)

    def _begin_with_zeros(self) -> None:
        followed = [entity for entity in CATALOGUE.entities if CATALOGUE.kinds(entity)]
        actions = [(row.entity, row.name, status) for row in CATALOGUE.actions for status in Status]
        for metric, label_sets in (
            (self.events, itertools.product(followed, Kind, Via)),
            (self.scans, itertools.product(followed, ["ok"])),
            (self.event_delay, itertools.product(followed)),
            (self.commands, actions),
            (self.dead_letters, itertools.product(Code)),
            (self.budget_wait, itertools.product(Lane)),
            (self.webhooks, itertools.product(HOOK_OUTCOMES)),
            (self.subscriptions_touched, itertools.product(["vanished", "moved"])),
            (self.sweeps, itertools.product(["completed", "void", "held", "resumed"])),
            (self.commits, itertools.product(["committed", "renewed", *Ending])),
            (self.sessions, itertools.product(Ending)),
        ):
            for labels in label_sets:
                metric.labels(*labels)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str, buckets: Sequence[float] = SECONDS) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", text, labels, buckets=buckets, registry=self.registry)

"""Observing: what the parts tell about themselves becomes metrics and log lines.

The only place that joins the two; parts get these methods as plain functions and know neither.
"""

import time
import traceback
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry

import bridge
from bridge.contract.announcements import Announcement, Told
from bridge.contract.commands import Command, Malformed
from bridge.contract.events import Change, Kind
from bridge.contract.failures import Code
from bridge.contract.replies import Reply, Status
from bridge.copper.client import Observed
from bridge.policy.changes import Reason, Verdict
from bridge.policy.refusals import OPERATOR, Paused
from bridge.policy.sessions import Ending
from bridge.policy.sightings import Lane, Trouble, Via
from bridge.policy.subscribing import Plan
from bridge.policy.sweeps import Held
from bridge.settings import SettingsProblem
from bridge.shard.polling import Polled, Scanned
from bridge.shard.snapshotting import Taken
from bridge.telemetry import logs
from bridge.telemetry.history import History
from bridge.telemetry.logs import Event
from bridge.telemetry.metrics import Metrics
from bridge.telemetry.traces import Tracing

_SWEPT = {
    Told.SWEEP_COMPLETED: "completed",
    Told.SWEEP_VOID: "void",
    Told.DELETES_HELD: "held",
    Told.DELETES_RESUMED: "resumed",
}
_LOUDER = {Told.DELETES_HELD: logs.error, Told.ACCOUNT_PAUSED: logs.error, Told.SWEEP_VOID: logs.warning}
PROGRESS_SECONDS = 30.0
"""Between two lines about one snapshot."""
HARMLESS = frozenset({Ending.STOPPED, Ending.LOST})


class Observing:
    """Counts and tells. One per running bridge."""

    def __init__(self, tracing: Tracing) -> None:
        self._metrics = Metrics()
        self.history = History(time.time)
        self.owned_since: dict[int, float] = {}
        """Shard to when it was assigned to this process, Unix seconds."""
        self._tracing = tracing
        self.scanned_at: dict[tuple[str, str], float] = {}
        """Account and entity to when a scan last ended well, Unix seconds."""
        self.intervals: dict[tuple[str, str], float] = {}
        """Account and entity to the seconds from its last scan to the next, as paced."""
        self.troubles: dict[tuple[str, str], str] = {}
        """Account and entity to what stopped the last scan or snapshot, while it is not over."""
        self.held: dict[str, Held] = {}
        """Accounts whose deletes are held back."""
        self.paused: dict[str, Paused] = {}
        """Accounts that wait for credentials that work."""
        self.snapshots: dict[tuple[str, str], Taken] = {}
        """Account and entity to how far their snapshot has come."""
        self._told_at: dict[tuple[str, str], float] = {}
        self._metrics.build.info({"version": bridge.__version__, "aiokafka": version("aiokafka")})

    @property
    def metrics(self) -> Metrics:
        """For what is looked at and not told."""
        return self._metrics

    @property
    def registry(self) -> CollectorRegistry:
        """For the metrics' page."""
        return self._metrics.registry

    def unreachable(self, why: str) -> None:
        """Kafka cannot be used. The same words again are not worth a line for a while."""
        now = time.monotonic()
        if self._told_at.get(("kafka", why), float("-inf")) < now - PROGRESS_SECONDS:
            self._told_at["kafka", why] = now
            logs.warning(Event.KAFKA_UNREACHABLE, error=why)

    def owning(self, shards: Collection[int]) -> None:
        """These shards are assigned to this process."""
        self._metrics.shards.set(len(shards))
        self.owned_since = {shard: self.owned_since.get(shard, time.time()) for shard in shards}
        logs.info(Event.SHARDS_ASSIGNED, shards=sorted(shards))

    def ready(self, shards: Collection[int], *, now: bool) -> None:
        """Whether all of them are open."""
        self._metrics.ready.set(now)
        if now:
            logs.info(Event.READY, shards=sorted(shards))

    def session_opened(self, shard: int) -> None:
        """A shard works."""
        logs.info(Event.SESSION_OPENED, shard=shard)

    def session_ended(self, shard: int, how: Ending, detail: str) -> None:
        """A shard works no more, or begins afresh."""
        self._metrics.sessions.labels(how).inc()
        tell = logs.info if how in HARMLESS else logs.warning
        tell(Event.SESSION_ENDED, shard=shard, how=how.value, detail=detail)

    def committed(self, outcome: str, seconds: float) -> None:
        """A transaction ended."""
        self._metrics.commits.labels(outcome).inc()
        if seconds:
            self._metrics.commit_seconds.observe(seconds)

    def judged(self, entity: str, via: Via, verdict: Verdict) -> None:
        """A sighting was judged."""
        if isinstance(verdict, Change):
            self._metrics.events.labels(entity, verdict.kind, via).inc()
            self.history.published(verdict)
            if verdict.kind in {Kind.CREATED, Kind.UPDATED}:
                self._metrics.event_delay.labels(entity).observe(max(0.0, time.time() - verdict.happened_s))
            if verdict.change_class is not None:
                self._metrics.updates.labels(entity, verdict.change_class).inc()
        else:
            self._metrics.sightings.labels(entity, verdict).inc()
            if verdict is Reason.TOO_LARGE:
                logs.error(Event.EVENT_TOO_LARGE, entity=entity, via=via.value)

    def polled(self, polled: Polled, scanned: Scanned) -> None:
        """A scan ended. Only the first failure in a row, and its end, are worth a line."""
        trouble = scanned.trouble
        if scanned.late:
            about = {"account": polled.account, "entity": polled.entity}
            logs.warning(Event.DEEP_CAUGHT, **about, count=len(scanned.late), latest_s=round(max(scanned.late)))
        for age in scanned.late:
            self._metrics.late_seconds.labels(polled.entity).observe(age)
        outcome = "ok" if trouble is None else trouble.why.value
        self._metrics.scans.labels(polled.entity, outcome).inc()
        which = (polled.account, polled.entity)
        self.intervals[which] = scanned.every or polled.every
        if trouble is None:
            self.scanned_at[which] = time.time()
            self._metrics.scanned_at.labels(*which).set(self.scanned_at[which])
            if self.troubles.pop(which, None) is not None:
                logs.info(Event.SCAN_RECOVERED, account=polled.account, entity=polled.entity)
            return
        if which not in self.troubles:
            logs.warning(Event.SCAN_FAILED, account=polled.account, entity=polled.entity, why=outcome)
        self.troubles[which] = outcome

    def snapshot_failed(self, polled: Polled, trouble: Trouble) -> None:
        """A snapshot cannot go on for a while."""
        self.polled(polled, Scanned(trouble))

    def taken_over(self, account: str) -> None:
        """A session of ours begins with an account: what was under way may have been finished by another process."""
        self._metrics.account_idle.labels(account).set(0)
        self.snapshots = {which: each for which, each in self.snapshots.items() if each.done or which[0] != account}

    def snapshot(self, taken: Taken) -> None:
        """A page of a snapshot has been published."""
        which = (taken.account, taken.entity)
        before = self.snapshots.get(which)
        self.snapshots[which] = taken
        self._metrics.snapshot_records.labels(*which).set(taken.records)
        self._metrics.snapshot_expected.labels(*which).set(taken.expected)
        fields = {"account": taken.account, "entity": taken.entity, "records": taken.records, "calls": taken.calls}
        if taken.done:
            tell = logs.warning if taken.incomplete else logs.info
            tell(Event.SNAPSHOT_DONE, **fields, incomplete=taken.incomplete)
            self.troubles.pop(which, None)
        elif before is None or before.done:
            self._told_at[which] = time.monotonic()
            logs.info(Event.SNAPSHOT_STARTED, **fields, expected=taken.expected)
        elif time.monotonic() - self._told_at[which] >= PROGRESS_SECONDS:
            self._told_at[which] = time.monotonic()
            logs.info(Event.SNAPSHOT_PROGRESS, **fields, expected=taken.expected, seconds_left=taken.seconds_left)

    def announced(self, announcement: Announcement) -> None:
        """Operators were told something on the notifications topic; it is worth a line here too."""
        told = announcement.told
        if told in _SWEPT:
            self._metrics.sweeps.labels(_SWEPT[told]).inc()
        if told is Told.SWEEP_COMPLETED:
            self._metrics.swept_at.labels(announcement.account).set(time.time())
        if told is Told.ACCOUNT_DISCONNECTED:
            self._gone(announcement.account or "")
        fields = {"account": announcement.account, "entity": announcement.entity, **announcement.data}
        wanted = announcement.data.get("reason") == OPERATOR
        tell = logs.info if wanted else _LOUDER.get(told, logs.info)
        tell(Event(told.value), **{name: value for name, value in fields.items() if value is not None})

    def _gone(self, account: str) -> None:
        """What was last seen of it would grow old for ever, and look like trouble."""
        self._metrics.account_idle.labels(account).set(1)
        for metric in (self._metrics.swept_at, self._metrics.deletes_held, self._metrics.account_paused):
            metric.remove(account)
        for which in [each for each in self.scanned_at if each[0] == account]:
            del self.scanned_at[which]
            self._metrics.scanned_at.remove(*which)

    def holding(self, account: str, held: Held | None) -> None:
        """Whether an account's deletes are held back."""
        self._metrics.deletes_held.labels(account).set(held is not None)
        if held is None:
            self.held.pop(account, None)
        else:
            self.held[account] = held

    def pausing(self, account: str, paused: Paused | None) -> None:
        """Whether an account waits for credentials that work."""
        self._metrics.account_paused.labels(account).set(paused is not None)
        if paused is None:
            self.paused.pop(account, None)
        else:
            self.paused[account] = paused

    def held_by_operator(self, account: str, paused: Paused | None) -> None:
        """Whether an operator has paused an account: no trouble, and nobody is to act."""
        self._metrics.account_idle.labels(account).set(paused is not None)
        if paused is None:
            self.paused.pop(account, None)
        else:
            self.paused[account] = paused

    def renewed(self, names: Sequence[str]) -> None:
        """The files of these secrets have other contents now, which are used from here on."""
        logs.info(Event.SECRETS_RENEWED, settings=[*names])

    def secrets_unusable(self, problem: SettingsProblem) -> None:
        """The files of secrets have changed and cannot be used as they are; those from before are kept."""
        logs.error(Event.SECRETS_UNUSABLE, problems=[*map(str, problem.problems)])

    def waited(self, lane: Lane, seconds: float) -> None:
        """A call got its permission from the budget."""
        self._metrics.budget_wait.labels(lane).observe(seconds)

    def called(self, call: Observed) -> None:
        """A call to Copper ended."""
        self._metrics.calls.labels(call.method, call.route, call.outcome).inc()
        self._metrics.call_seconds.labels(call.method, call.route).observe(call.seconds)
        self.history.called()
        self._tracing.called(call.method, call.route, call.outcome, call.seconds)

    def answered(self, command: Command | Malformed, reply: Reply) -> None:
        """A command got its reply."""
        self.history.answered(command, reply)
        action = command.action or "unknown"
        self._metrics.commands.labels(command.entity, action, reply.status).inc()
        if isinstance(command, Command):
            took = max(0.0, time.time() - command.received_ms / 1000)
            self._metrics.command_seconds.labels(command.entity, action).observe(took)
        whole, code = f"{command.entity}.{action}", None if reply.failure is None else reply.failure.code.value
        self._tracing.answered(whole, reply.status, code)
        fields = {
            "account": command.account,
            "action": whole,
            "status": reply.status.value,
            "code": code,
            "attempts": reply.attempts,
            "duplicate": reply.duplicate,
        }
        tell = logs.warning if reply.status is Status.UNKNOWN else logs.info
        tell(Event.COMMAND_ANSWERED, **{name: value for name, value in fields.items() if value is not None})

    def buried(self, code: Code) -> None:
        """A dead letter was written."""
        self.history.buried(code)
        self._metrics.dead_letters.labels(code).inc()
        logs.warning(Event.COMMAND_BURIED, code=code.value)

    def hook(self, outcome: str) -> None:
        """A request to the webhook address was answered."""
        self._metrics.webhooks.labels(outcome).inc()
        if outcome != "accepted":
            logs.warning(Event.WEBHOOK_REFUSED, outcome=outcome)

    def turned_away(self) -> None:
        """A connection to the public port was one too many."""
        self._metrics.turned_away.inc()

    def subscribed(self, account: str, outcome: Plan | Trouble) -> None:
        """An account's subscriptions were compared with the wanted ones."""
        if isinstance(outcome, Trouble):
            logs.warning(Event.SUBSCRIPTIONS_FAILED, account=account, why=outcome.why.value)
            return
        self._metrics.subscriptions.labels(account, "foreign").set(outcome.foreign)
        self._metrics.subscriptions.labels(account, "refused").set(len(outcome.refused))
        changed = {"created": len(outcome.create), "updated": len(outcome.update), "deleted": len(outcome.delete)}
        touched = {"vanished": outcome.vanished, "moved": outcome.moved}
        for what, count in touched.items():
            self._metrics.subscriptions_touched.labels(what).inc(count)
        if any(changed.values()) or outcome.refused:
            tell = logs.warning if any(touched.values()) else logs.info
            tell(Event.SUBSCRIPTIONS_SYNCED, account=account, refused=len(outcome.refused), **changed, **touched)

    def unexpected(self, problem: BaseException) -> None:
        """An error in our own code: where it came from, without a value."""
        logs.error(Event.UNEXPECTED, error=type(problem).__name__, where=_where(problem))


def stray(_loop: object, context: Mapping[str, Any]) -> None:
    """What asyncio would print with a traceback and all it holds: an error that nobody waited for.

    aiokafka leaves a future behind in every batch of a producer that was fenced; that is no news.
    """
    problem = context.get("exception")
    if isinstance(problem, BaseException) and not type(problem).__module__.startswith("aiokafka"):
        logs.error(Event.UNEXPECTED, error=type(problem).__name__, where=_where(problem))


def _where(problem: BaseException) -> str:
    trace = traceback.extract_tb(problem.__traceback__)
    return (
        f"{trace[-1].filename.rpartition('bridge/')[2]}:{trace[-1].lineno} in {trace[-1].name}" if trace else "nowhere"
    )

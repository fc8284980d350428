"""Logs: one line per thing that happened, from a fixed vocabulary; JSON for machines, words for people.

Used by the composition root and the command line. Fields are names, ids of shards, counts, classes of problems; never
CRM data, never secrets: nothing that came from Copper or from a message is ever a field, but for Copper's error class.
"""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from enum import StrEnum
from typing import Any, Literal

import structlog

from bridge.telemetry import traces


class Event(StrEnum):
    """Every event the bridge logs; the reference documents each."""

    STARTING = "bridge.starting"
    READY = "bridge.ready"
    STOPPING = "bridge.stopping"
    STOPPED = "bridge.stopped"
    TRACING_UNAVAILABLE = "tracing.unavailable"
    KAFKA_UNREACHABLE = "kafka.unreachable"
    KAFKA_SILENT = "kafka.silent"
    KAFKA_BACK = "kafka.back"
    SHARDS_ASSIGNED = "shards.assigned"
    SESSION_OPENED = "session.opened"
    SESSION_ENDED = "session.ended"
    SCAN_FAILED = "scan.failed"
    SCAN_RECOVERED = "scan.recovered"
    SNAPSHOT_STARTED = "snapshot.started"
    SNAPSHOT_PROGRESS = "snapshot.progress"
    SNAPSHOT_DONE = "snapshot.done"
    DEEP_CAUGHT = "deep.caught"
    EVENT_TOO_LARGE = "event.too-large"
    COMMAND_ANSWERED = "command.answered"
    COMMAND_BURIED = "command.buried"
    WEBHOOK_REFUSED = "webhook.refused"
    SUBSCRIPTIONS_SYNCED = "subscriptions.synced"
    SUBSCRIPTIONS_FAILED = "subscriptions.failed"
    SWEEP_COMPLETED = "sweep.completed"
    SWEEP_VOID = "sweep.void"
    DELETES_HELD = "deletes.held"
    DELETES_RESUMED = "deletes.resumed"
    ACCOUNT_PAUSED = "account.paused"
    ACCOUNT_RESUMED = "account.resumed"
    ACCOUNT_CONNECTED = "account.connected"
    ACCOUNT_LEAVING = "account.leaving"
    ACCOUNT_DISCONNECTED = "account.disconnected"
    SECRETS_RENEWED = "secrets.renewed"
    SECRETS_UNUSABLE = "secrets.unusable"
    COMMAND_SETTLED = "command.settled"
    CONTROL_ACCEPTED = "control.accepted"
    CONTROL_REFUSED = "control.refused"
    UNEXPECTED = "bridge.unexpected"
    LIBRARY_TOLD = "library.told"


Level = Literal["debug", "info", "warning", "error"]


def configure(level: Level, form: Literal["auto", "console", "json"]) -> None:
    """Send our lines, and the libraries' warnings, to standard error in one form."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _with_span,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # asked for each line, as it may be redirected
        cache_logger_on_first_use=False,
    )
    logging.getLogger().addHandler(_LIBRARIES)
    # aiokafka tells of every retry and of errors that we handle and name ourselves
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def _with_span(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line.update(traces.ids())
    return line


def passing_on(tell: Callable[[BaseException], None]) -> logging.Logger:
    """A logger to give to a library: `tell` gets the errors that it would print with all they hold, nobody the rest."""
    logger = logging.Logger("bridge")  # noqa: LOG001 - its own, or whoever is given one would tell all the others
    logger.addHandler(_PassingOn(tell))
    return logger


class _Libraries(logging.Handler):
    """Tells that a library has said something, and where; not what: its words may hold an address, a body, a secret."""

    def emit(self, record: logging.LogRecord) -> None:
        problem = record.exc_info[0] if record.exc_info else None
        fields = {"logger": record.name, "where": f"{record.module}:{record.lineno} in {record.funcName}"}
        if problem is not None:
            fields["error"] = problem.__name__
        tell = error if record.levelno >= logging.ERROR else warning
        tell(Event.LIBRARY_TOLD, **fields)


_LIBRARIES = _Libraries(logging.WARNING)


class _PassingOn(logging.Handler):
    def __init__(self, tell: Callable[[BaseException], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        problem = record.exc_info[1] if record.exc_info else None
        if problem is not None:
            self._tell(problem)


Listener = Callable[[str, Event, Mapping[str, Any]], None]
_listeners: list[Listener] = []


@contextlib.contextmanager
def heard(listener: Listener) -> Iterator[None]:
    """While the context lasts, `listener` is told of every line: its level, event and fields, whatever is written."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def info(event: Event, **fields: Any) -> None:
    """Something happened as it should."""
    _tell("info", event, fields)


def warning(event: Event, **fields: Any) -> None:
    """Something is wrong with the world and is being dealt with."""
    _tell("warning", event, fields)


def error(event: Event, **fields: Any) -> None:
    """Something is wrong with us, or somebody has to act."""
    _tell("error", event, fields)


def _tell(level: str, event: Event, fields: Mapping[str, Any]) -> None:
    for listener in _listeners:
        listener(level, event, fields)
    getattr(structlog.get_logger(), level)(event.value, **fields)

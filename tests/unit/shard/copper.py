"""A Copper account in memory: honest, unless a test says for a call what it answers."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.contract.commands import Command
from bridge.policy.matching import Named
from bridge.policy.sightings import Ask, Lane, Page, Record, Stamp, Trouble, Why
from bridge.policy.turns import COMMAND_LANES
from bridge.shard.room import Place
from tests.unit.shard.endings import Endings, Pulse

CALL_SECONDS = 0.5
GONE = Trouble(Why.NOT_FOUND, "Resource not found", 404)
IN_DOUBT = Trouble(Why.IN_DOUBT, "no answer in time")

Answer = Callable[[Callable[[], Any]], Any]
"""Is given what does the honest thing and gives its answer; does it, or not."""


def instead(answer: Any) -> Answer:
    """Answer so and do nothing."""
    return lambda _honest: answer


def after(answer: Any) -> Answer:
    """Do it, then answer so."""

    def answered(honest: Callable[[], Any]) -> Any:
        honest()
        return answer

    return answered


def raising(problem: Exception) -> Answer:
    """A fault of our own."""

    def raised(_honest: Callable[[], Any]) -> Any:
        raise problem

    return raised


@dataclass(frozen=True)
class Made:
    """A call. `at` is the loop's time when it went out."""

    at: float
    method: str
    about: Any
    lane: Lane


class CopperInMemory:
    """Satisfies the port. Nothing waits for a budget but by `admitting`."""

    def __init__(self, clock: Callable[[], float], pulse: Pulse, endings: Endings) -> None:
        self._clock = clock
        self._pulse = pulse
        self.endings = endings
        self.records: dict[tuple[str, int], dict[str, Any]] = {}
        self.script: dict[str, deque[Answer]] = defaultdict(deque)
        """Method to what its next calls answer."""
        self.unseen: set[tuple[str, int]] = set()
        """What search does not show although it is there."""
        self.indexed_leads: dict[int, dict[str, Any]] = {}
        """What a search that includes converted leads shows of those that are gone by id."""
        self.call_seconds = CALL_SECONDS
        self.signed_in = "ops"
        self.reference_data: dict[str, list[Named]] = defaultdict(list)
        self.calls: list[Made] = []
        self.effects: list[tuple[str, str, int]] = []
        """Action, entity and id of all that was carried out, in order."""
        self.admitted: list[tuple[Lane, str]] = []
        self.admitting: deque[float] = deque()
        """Seconds that the next calls have to wait for the budget."""
        self.pace = 0.0
        """Seconds between two calls, at best."""
        self.late: float | None = None
        """Seconds after which a call takes effect whose caller ends before it was carried out; None: never."""
        self.cut_off: Callable[[], None] = lambda: None
        """Ends the session."""
        self._last = 1000

    def keep(self, entity: str, record_id: int, **fields: Any) -> dict[str, Any]:
        """Make or edit a record, as people do."""
        now = int(self._clock())
        record = self.records.get((entity, record_id), {"id": record_id, "date_created": now})
        self.records[entity, record_id] = {**record, "date_modified": now, **fields}
        return self.records[entity, record_id]

    def made(self, method: str) -> list[Made]:
        """The calls of one kind."""
        return [call for call in self.calls if call.method == method]

    async def search(self, entity: str, ask: Ask, lane: Lane, place: Place | None = None) -> Page | Trouble:
        if place is not None:
            await place.take()
        answer: Page | Trouble = await self._call("search", (entity, ask), lane, lambda: self._page(entity, ask))
        return answer

    async def get(self, entity: str, record_id: int, lane: Lane) -> Record | Trouble:
        answer: Record | Trouble = await self._call(
            "get", (entity, record_id), lane, lambda: self.records.get((entity, record_id), GONE)
        )
        return answer

    async def by_ids(self, entity: str, ids: Sequence[int], lane: Lane) -> Page | Trouble:
        def found() -> Page:
            shown = [self.records[entity, each] for each in ids if (entity, each) in self.records]
            visible = tuple(each for each in shown if (entity, each["id"]) not in self.unseen)
            return Page(visible, len(visible), int(self._clock()))

        answer: Page | Trouble = await self._call("by_ids", (entity, tuple(ids)), lane, found)
        return answer

    async def leads(self, ids: Sequence[int], lane: Lane) -> Sequence[Record] | Trouble:
        answer: Sequence[Record] | Trouble = await self._call(
            "leads", tuple(ids), lane, lambda: [self.indexed_leads[each] for each in ids if each in self.indexed_leads]
        )
        return answer

    async def viewer(self, lane: Lane) -> str | Trouble:
        answer: str | Trouble = await self._call("viewer", None, lane, lambda: self.signed_in)
        return answer

    async def find(self, entity: str, match: Mapping[str, Any], lane: Lane) -> Sequence[Record] | Trouble:
        answer: Sequence[Record] | Trouble = await self._call(
            "find", (entity, match), lane, lambda: self._matching(entity, match)
        )
        return answer

    async def activities(self, parent: Mapping[str, Any], page: int, lane: Lane) -> Page | Trouble:
        def found() -> Page:
            rows = [row for (kind, _), row in self.records.items() if kind == "activity" and row["parent"] == parent]
            return Page(tuple(rows[(page - 1) * 200 : page * 200]), len(rows), int(self._clock()))

        answer: Page | Trouble = await self._call("activities", parent, lane, found)
        return answer

    def now(self) -> float:
        return self._clock()

    async def reference(self, name: str, lane: Lane) -> Sequence[Named] | Trouble:
        answer: Sequence[Named] | Trouble = await self._call(
            "reference", name, lane, lambda: tuple(self.reference_data[name])
        )
        return answer

    def soonest(self, ahead: int) -> float:
        return ahead * self.pace

    async def admit(self, lane: Lane, entity: str, *, deadline: float | None) -> bool:
        self.admitted.append((lane, entity))
        seconds = self.admitting.popleft() if self.admitting else 0.0
        left = seconds if deadline is None else min(seconds, deadline - self._clock())
        await asyncio.sleep(max(0.0, left))
        return left == seconds

    async def execute(self, command: Command, *, deadline: float | None) -> Any | Trouble:
        if deadline is not None and self._clock() > deadline:
            return Trouble(Why.EXPIRED, "too late to be sent")
        return await self._call("execute", command, COMMAND_LANES[command.lane], lambda: self._carried_out(command))

    async def _call(self, method: str, about: Any, lane: Lane, honest: Callable[[], Any]) -> Any:
        loop = asyncio.get_running_loop()
        self.calls.append(Made(loop.time(), method, about, lane))
        self._pulse.beat()
        if self.endings.due(f"before a call: {method}"):
            if self.late is not None and method == "execute":
                loop.call_later(self.late, honest)
            await self._end()
        await asyncio.sleep(self.call_seconds / 2)
        answer = self.script[method].popleft()(honest) if self.script[method] else honest()
        if self.endings.due(f"a call that nobody has heard the answer of: {method}"):
            await self._end()
        await asyncio.sleep(self.call_seconds / 2)
        return answer

    async def _end(self) -> None:
        self.cut_off()
        await asyncio.Event().wait()

    def _page(self, entity: str, ask: Ask) -> Page:
        stamp = ask.stamp.value
        low, high = ask.at_least or 0, ask.at_most or 1 << 62
        rows = [row for (kind, _), row in self.records.items() if kind == entity and low <= row[stamp] <= high]
        rows.sort(key=lambda row: (row[stamp], row["id"]), reverse=ask.descending)
        first = (ask.page - 1) * ask.size
        return Page(tuple(rows[first : first + ask.size]), len(rows), int(self._clock()))

    def _matching(self, entity: str, match: Mapping[str, Any]) -> list[dict[str, Any]]:
        rows = [row for (kind, _), row in self.records.items() if kind == entity]
        return [row for row in rows if _MATCHES[match["field"]](row, match["value"])]

    def _carried_out(self, command: Command) -> Any:
        act: Callable[[Command], Any] = getattr(self, f"_{command.action.replace('-', '_')}")
        answer = act(command)
        if command.action in {"create", "update", "delete", "upsert", "convert"} and not isinstance(answer, Trouble):
            record_id = command.record_id or answer["id"]
            self.effects.append((command.action, command.entity, record_id))
        self._pulse.beat()
        return answer

    def _create(self, command: Command) -> Any:
        mine = {("emails", each["email"]) for each in command.data.get("emails") or ()}
        for (kind, _), row in self.records.items():
            if kind == command.entity and mine & {("emails", each["email"]) for each in row.get("emails") or ()}:
                return Trouble(Why.CONFLICT, "Email is already taken", 422)
        self._last += 1
        return self.keep(command.entity, self._last, **command.data)

    def _update(self, command: Command) -> Any:
        there = (command.entity, command.record_id) in self.records
        return self.keep(command.entity, command.record_id or 0, **command.data) if there else GONE

    def _delete(self, command: Command) -> Any:
        gone = self.records.pop((command.entity, command.record_id or 0), None)
        return GONE if gone is None else {"id": command.record_id, "is_deleted": True}

    def _get(self, command: Command) -> Any:
        return self.records.get((command.entity, command.record_id or 0), GONE)

    def _search(self, command: Command) -> Any:
        return list(self._page(command.entity, Ask(Stamp.MODIFIED)).records)

    def _upsert(self, command: Command) -> Any:
        found = self._matching(command.entity, command.match or {})
        if found:
            return self.keep(command.entity, found[0]["id"], **command.data)
        return self._create(command)

    def _convert(self, command: Command) -> Any:
        if self.records.pop((command.entity, command.record_id or 0), None) is None:
            return GONE
        self._last += 1
        return {"person": self.keep("person", self._last, name="Converted"), "company": None}


def _addresses(row: Record) -> list[Any]:
    return [entry.get("email") for entry in ([row.get("email") or {}, *(row.get("emails") or ())])]


def _custom(row: Record, wanted: Mapping[str, Any]) -> bool:
    value = wanted.get("value", wanted.get("minimum_value"))
    mark = {"custom_field_definition_id": wanted["custom_field_definition_id"], "value": value}
    return mark in (row.get("custom_fields") or ())


_MATCHES: Mapping[str, Callable[[Record, Any], bool]] = {
    "email": lambda row, value: value in _addresses(row),
    "email_domain": lambda row, value: row.get("email_domain") == value,
    "custom": _custom,
}

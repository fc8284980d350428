"""The world ends at every moment there is: before and after each commit and each call, all of them, not a sample.

A life of a shard ends at the nth moment; another begins with what survives it. What the log then holds is judged.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bridge.policy.sessions import Ending, SessionEnded
from bridge.shard.parts import Flows
from bridge.shard.ports import Ledger
from bridge.shard.session import own
from tests.unit.shard.endings import Endings, Manner
from tests.unit.shard.stage import WAITS, Stage

AFTERWARDS = 400.0
"""Seconds for which the shard goes on after all is done: enough for everything that could still come."""
LATEST = WAITS.timeout + WAITS.lateness
"""Seconds after which a call may take effect that nobody waits for any more."""

EMAIL = {"field": "email", "value": "a@b.example"}


@dataclass(frozen=True)
class Scenario:
    """Something that happens to a shard which knows company 1001 and lead 1002, and Copper's company 7."""

    name: str
    commands: Sequence[Mapping[str, Any]] = ()
    polls: Sequence[str] = ()
    edits: Callable[[Stage], None] = lambda _stage: None
    events: Mapping[str, int] = field(default_factory=dict)
    """Topics to how many events there must be, once all is over, of what happened in this scenario."""
    statuses: frozenset[str] = frozenset({"succeeded"})
    """What may be answered."""


def _edited(stage: Stage) -> None:
    stage.copper.keep("company", 1001, name="edited by somebody")
    stage.copper.keep("company", 2001, name="made by somebody")


def _people(stage: Stage) -> None:
    for number in range(3):
        stage.copper.keep("person", number + 1, name=f"Person {number}")


UNKNOWN_TOO = frozenset({"succeeded", "unknown"})
MARA = {"name": "Mara", "emails": [{"email": "mara@b.example"}]}
CREATE: Mapping[str, Any] = {"action": "create", "data": {"name": "Bluewater"}}
UPDATE = {"action": "update", "record_id": 1001, "data": {"name": "Tideglass Ltd"}}
SCENARIOS = (
    Scenario("create", [CREATE]),
    Scenario("create with an id", [{**CREATE, "command_id": "c-1"}]),
    Scenario("create twice", [CREATE, CREATE]),
    Scenario("create by a key", [{**CREATE, "entity": "lead"}]),
    Scenario("create with a unique address", [{**CREATE, "entity": "person", "data": MARA}]),
    Scenario("create while polling", [CREATE], polls=["company"], events={"company.created": 1}),
    Scenario("update", [UPDATE], events={"company.updated": 1}),
    Scenario("delete", [{"action": "delete", "record_id": 1001}], events={"company.deleted": 1}),
    Scenario(
        "upsert", [{"entity": "lead", "action": "upsert", "data": {"name": "New"}, "match": EMAIL}],
        events={"lead.updated": 1},
    ),
    Scenario("convert", [{"entity": "lead", "action": "convert", "record_id": 1002}], statuses=UNKNOWN_TOO),
    Scenario("get", [{"action": "get", "record_id": 1001, "command_id": "c-1"}]),
    Scenario("poll", polls=["company"], edits=_edited, events={"company.updated": 1, "company.created": 1}),
    Scenario("first poll", polls=["person"], edits=_people, events={"person.changes": 3}),
    Scenario("update while polling", [UPDATE], polls=["company"], events={"company.updated": 1}),
    Scenario("refused", [{"action": "explode"}], statuses=frozenset({"failed"})),
)  # fmt: skip
EFFECTS = {"create", "update", "delete", "upsert", "convert"}


class World:
    """One run of a scenario: a life that ends, and those after it."""

    def __init__(
        self, scenario: Scenario, folder: Path, nth: int | None = None, manner: Manner = Manner.SESSION
    ) -> None:
        self._scenario = scenario
        self._folder = folder
        self._disks = 0
        self._nth = nth
        self.stage = self._life(None, None)
        self._endings = Endings(self.stage.pulse, nth, manner)
        self._before: Counter[str] = Counter()
        self.moments: list[str] = []
        """Passed until all was done."""
        self.effects: list[tuple[str, str, int]] = []

    async def run(self) -> None:
        """The prelude, the scenario with its ending, and a life after which nothing may happen any more."""
        stage = self.stage
        _prelude(stage)
        await self._live(lambda: len(stage.replied()) + len(stage.replied("lead")) == 2, ["company"])
        assert [reply.status for reply in (*stage.replied(), *stage.replied("lead"))] == ["succeeded"] * 2
        stage.memory.close()
        self._before = self._events()
        began = len(stage.copper.effects)
        self.stage = self._life(stage, self._endings)
        await asyncio.sleep(60)
        self._scenario.edits(self.stage)
        self._say()
        await self._live(self._done, self._scenario.polls)
        if self._endings.dead:
            self.stage.memory.close()
            self.stage = self._life(self.stage, None, lost=self._endings.manner is Manner.LOSS)
            await self._live(self._done, self._scenario.polls)
        self.stage.memory.close()
        self.stage = self._life(self.stage, None)
        await self._live(lambda: False, self._scenario.polls)
        self.stage.memory.close()
        self.effects = self.stage.copper.effects[began:]

    def _life(self, before: Stage | None, endings: Endings | None, *, lost: bool = False) -> Stage:
        self._disks += lost
        stage = Stage(self._folder / str(self._disks), before, endings)
        stage.key_fields = {"lead": 501}
        return stage

    def _say(self) -> None:
        for command in self._scenario.commands:
            self.stage.send(**command)

    def _done(self) -> bool:
        stage = self.stage
        replied = [*stage.replied()[1:], *stage.replied("lead")[1:], *stage.replied("person")]
        happened = self._events() - self._before
        return len(replied) >= len(self._scenario.commands) and (
            not self._scenario.polls
            or (len(stage.scans) > 1 and all(happened[topic] >= n for topic, n in self._scenario.events.items()))
        )

    async def _live(self, done: Callable[[], bool], polls: Sequence[str]) -> None:
        """Hold sessions until it is done and for a while after that; or until the process is killed."""
        stage, stop = self.stage, asyncio.Event()

        def flows(ledger: Ledger, fenced_at: float) -> Flows:
            stage.copper.cut_off = lambda: stage.ledger.fail(SessionEnded(Ending.IN_DOUBT, "a call was cut off"))
            return Flows(
                [stage.polling(entity, ledger, every=100.0) for entity in polls],
                [stage.executing(ledger, fenced_at=fenced_at)],
            )

        owning = asyncio.create_task(own(stage.parts(flows), stop))
        with contextlib.suppress(TimeoutError):
            await stage.until(lambda: stage.endings.dead or done(), within=AFTERWARDS)
        self.moments = self.moments or list(self._endings.passed)
        if stage.endings.dead:
            owning.cancel()
        else:
            await asyncio.sleep(AFTERWARDS)
            stop.set()
        await asyncio.wait([owning])

    def _events(self) -> Counter[str]:
        kinds, entities = ("created", "updated", "deleted", "changes"), ("company", "lead", "person")
        return Counter(
            {f"{entity}.{kind}": len(self.stage.events(kind, entity)) for entity in entities for kind in kinds}
        )

    def violations(self) -> list[str]:
        """Everything that is not as promised."""
        stage, scenario = self.stage, self._scenario
        replied = [*stage.replied()[1:], *stage.replied("lead")[1:], *stage.replied("person")]
        ids = [
            (record.header("ce_id") or b"").decode()
            for name in ("company", "lead", "person")
            for record in stage.log.of(f"copper.{name}.changes")
        ]
        wrong = [f"{len(replied)} replies"] if len(replied) != len(scenario.commands) else []
        for reply, command in zip(replied, scenario.commands, strict=False):
            if reply.status not in scenario.statuses:
                wrong.append(f"answered {reply.status} {reply.value['error']}")
            effect = command["action"] in EFFECTS
            done = len(self.effects) / len(scenario.commands)
            if done > 1 or (reply.status == "succeeded" and effect and done != 1):
                wrong.append(f"{len(self.effects)} effects, answered {reply.status}")
            if reply.status == "unknown" and self._nth == 0:
                wrong.append("not known, though nothing was attempted")
            told = reply.value["event_id"]
            if told is None and effect and scenario.polls:
                continue  # a poll saw and published it first, while the attempt was in doubt
            if reply.status == "succeeded" and effect and told not in ids:
                wrong.append("succeeded without an event")
        happened = self._events() - self._before
        wrong += [f"{happened[topic]} times {topic}" for topic, n in scenario.events.items() if happened[topic] != n]
        wrong += [f"{n} times {name!r}" for name, n in Counter(ids).items() if n > 1]
        return wrong + [f"{problem!r}" for problem in stage.unexpected]


def _prelude(stage: Stage) -> None:
    """What the shard knows before: made by commands of its own."""
    stage.copper.keep("company", 7, name="Old")
    stage.send("create", data={"name": "Tideglass"})
    stage.send("create", entity="lead", data={"name": "A lead", "email": {"email": "a@b.example"}})


@pytest.mark.figures
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_wherever_the_world_ends_there_is_one_reply_one_effect_at_most_and_each_event_once(
    scenario: Scenario, tmp_path: Path
) -> None:
    undisturbed = World(scenario, tmp_path / "undisturbed")
    await undisturbed.run()
    assert undisturbed.violations() == []
    moments = undisturbed.moments
    wrong: list[str] = []
    runs = 0
    for nth, moment in enumerate(moments):
        for manner in Manner:
            for late in (None, LATEST) if moment == "before a call: execute" else (None,):
                runs += 1
                world = World(scenario, tmp_path / f"{nth} {manner} {late}", nth, manner)
                world.stage.copper.late = late
                await world.run()
                wrong += [f"{moment}, {manner}, late {late}: {each}" for each in world.violations()]
    print(f"{scenario.name}: {len(moments)} moments, {runs} endings, {len(wrong)} violations")
    assert wrong == [], "\n".join(wrong)

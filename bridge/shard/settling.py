"""Settling a call in doubt: wait until the truth shows, look, and let `policy.settling` decide.

Called by `shard.attempting`. These are the hands: which calls a look takes, and what the journal knows of the records
it shows. A look that Copper does not answer is made again; one that it refuses leaves the call undecided.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bridge.contract.events import content_hash, state_key
from bridge.policy import fates, outcomes
from bridge.policy.settling import SKEW_SECONDS, UNIQUE, Done, Look, Undecided, Waits, look_for, settle
from bridge.policy.sightings import Ask, Page, Record, Stamp, Trouble, Why
from bridge.shard.journal import entry_key, made_mark
from bridge.shard.outcome import Outcome, Run, done, succeeded, undecided
from bridge.shard.publishing import Publishing

MOST_PAGES = 10
"""Of records created since an attempt that are looked at: two thousand."""
_REFUSED = frozenset({Why.INVALID, Why.CONFLICT, Why.FORBIDDEN, Why.FEATURE_DISABLED})
_TOO_MANY = Trouble(Why.INVALID, "more records were created meanwhile than can be looked through")

Found = Sequence[Record] | Trouble


@dataclass(frozen=True, slots=True)
class Settling:
    """Finds out about calls in doubt. `jitter` gives a number in [0, 1)."""

    publishing: Publishing
    waits: Waits
    jitter: Callable[[], float]

    async def settle(self, run: Run, sent_at: float) -> Outcome | None:
        """The outcome, or None when the call is to be made again. `sent_at` is loop time: when it was sent or fenced.

        A stop does not wait for this: the attempt is in the journal, and the next session settles it.
        """
        run.protect(False)
        look = look_for(run.doubt)
        await asyncio.sleep(sent_at + self.waits.before(look) - asyncio.get_running_loop().time())
        run.asked_s = self.publishing.clock()
        found = await self._look(run, look)
        if isinstance(found, Trouble):
            return undecided(run, f"Copper does not let the bridge look: {found.detail}")
        doubt = run.doubt_of([record["id"] for record in found if "id" in record and self._as_known(run, record)])
        verdict = settle(doubt, [record for record in found if not self._of_another(run, record)])
        match verdict:
            case Done(record) if record is not None and run.action.name == "convert":
                return succeeded(run, record)
            case Done(record):
                return done(run, record)
            case Undecided(detail):
                return undecided(run, detail)
        return None

    def _as_known(self, run: Run, record: Record) -> bool:
        """Whether the record looks as it did before the first attempt, as far as what was sent is concerned."""
        publishing, entity = self.publishing, run.command.entity
        policy = publishing.fields.get(entity)
        if policy is not None and any(policy.touches(name) for name in run.command.data):
            return False
        known = publishing.memory.known.record(entity, state_key(run.command.account, record["id"]).decode())
        if known is None or known.value is None or known.at > run.began_s:
            return False
        return content_hash(publishing.shown(entity, record)).startswith(known.hash)

    def _of_another(self, run: Run, record: Record) -> bool:
        """Whether another command is known to have created the record."""
        command = run.command
        if command.action != "create":
            return False
        mark = made_mark(command.account, command.entity, record["id"])
        return any(key != entry_key(command) for key, _ in self.publishing.memory.known.marked(mark))

    async def _look(self, run: Run, look: Look) -> Found:
        looks = {
            Look.GET: self._by_id,
            Look.MATCH: self._match,
            Look.CONVERTED: self._converted,
            Look.KEY: self._key,
            Look.TWIN: self._twin,
            Look.CREATED: self._created,
        }
        return await looks[look](run)

    async def _ask(self, run: Run, ask: Callable[[], Awaitable[Any | Trouble]]) -> Any | Trouble:
        """What Copper answers, sooner or later: NOT_FOUND or a refusal is an answer, too."""
        failures = 0
        while True:
            async with run.turn():
                answer = await ask()
            if not isinstance(answer, Trouble) or answer.why is Why.NOT_FOUND or answer.why in _REFUSED:
                return answer
            await asyncio.sleep(outcomes.pause(failures, self.jitter()))
            failures += 1

    async def get(self, run: Run, entity: str, record_id: int) -> Found:
        """The record by its id; none when it is gone."""
        answer = await self._ask(run, lambda: run.copper.get(entity, record_id, run.lane))
        if isinstance(answer, Trouble):
            return [] if answer.why is Why.NOT_FOUND else answer
        return [answer]

    async def _by_id(self, run: Run) -> Found:
        return await self.get(run, run.command.entity, run.command.record_id or 0)

    async def _find(self, run: Run, field: str, value: Any) -> Found:
        match = {"field": field, "value": value}
        found: Found = await self._ask(run, lambda: run.copper.find(run.command.entity, match, run.lane))
        return found

    async def _match(self, run: Run) -> Found:
        match = run.command.match or {}
        return await self._find(run, match["field"], match["value"])

    async def _key(self, run: Run) -> Found:
        if run.key is None:
            raise ValueError("only what has a key is looked for by it")
        number = run.key.number
        bounds = {"minimum_value": number, "maximum_value": number}
        found = await self._find(run, "custom", {"custom_field_definition_id": run.key.definition_id, **bounds})
        return found if isinstance(found, Trouble) else [record for record in found if run.key.marks(record)]

    async def _twin(self, run: Run) -> Found:
        entity, data = run.command.entity, run.command.data
        value = data[UNIQUE[entity]]
        wanted = [("email", email["email"]) for email in value] if entity == "person" else [("email_domain", value)]
        rows: dict[int, Record] = {}
        for field, each in wanted:
            found = await self._find(run, field, each)
            if isinstance(found, Trouble):
                return found
            rows |= {record["id"]: record for record in found}
        return [*rows.values()]

    async def _created(self, run: Run) -> Found:
        """All that was created since the first attempt, or for an activity all that its parent got since."""
        since = int(run.since_s) - SKEW_SECONDS
        rows: dict[int, Record] = {}
        for number in range(1, MOST_PAGES + 1):
            page = await self._ask(run, partial(self._page, run, since, number))
            if isinstance(page, Trouble):
                return page
            rows |= {record["id"]: record for record in page.records}
            if len(page.records) < Ask(Stamp.CREATED).size:
                return [*rows.values()]
        return _TOO_MANY

    async def _page(self, run: Run, since: int, number: int) -> Page | Trouble:
        entity, data = run.command.entity, run.command.data
        if entity == "activity":
            return await run.copper.activities(data.get("parent") or {}, number, run.lane)
        return await run.copper.search(entity, Ask(Stamp.CREATED, at_least=since, page=number), run.lane)

    async def _converted(self, run: Run) -> Found:
        """The lead; once converted, what it has become: a person, a company, an opportunity."""
        record_id = run.command.record_id or 0
        found = await self._by_id(run)
        if isinstance(found, Trouble) or found:
            return found
        rows = await self._ask(run, lambda: run.copper.leads([record_id], run.lane))
        if isinstance(rows, Trouble):
            return rows
        row = next((row for row in rows if fates.conversion(row) is not None), None)
        if row is None:
            return []
        if row["converted_at"] < run.since_s - SKEW_SECONDS:
            return [row]
        fate = fates.conversion(row)
        return await self._parts(run, {} if fate is None else fate.into)

    async def _parts(self, run: Run, became: Mapping[str, int]) -> Found:
        parts: dict[str, Record | None] = {}
        for entity, record_id in became.items():
            found = await self.get(run, entity, record_id)
            if isinstance(found, Trouble):
                return found
            parts[entity] = found[0] if found else None
        company = (parts.get("person") or {}).get("company_id")
        if company is not None and "company" not in parts:
            found = await self.get(run, "company", company)
            parts["company"] = found[0] if not isinstance(found, Trouble) and found else None
        return [parts] if any(parts.values()) else []

"""Scanning: the pages of one scan, read at Copper and committed with the cursor that each allows.

Shared by polling and snapshotting, which say what to scan and how the cursor moves. What search could not put in order
is read by its id before any cursor passes it. Knows no HTTP and no Kafka client.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace

from bridge.policy.changes import Reason, Sighting
from bridge.policy.scans import Scan, ScanEnd, Step
from bridge.policy.sightings import Lane, Page, Record, Stamp, Trouble, Via, Why
from bridge.shard.ports import Copper, Draft, Ledger
from bridge.shard.publishing import Publishing
from bridge.shard.room import Place, Room

LOOKED_AT = ("id", *(stamp.value for stamp in Stamp))
"""What scans see of a record."""

COMPANY_SECONDS = 0.25
"""A poll's commit waits so long for others of its shard: what polls find is seconds old, and a transaction is dear."""


class ScanFailed(Exception):
    """A page could not be had; the scan is begun again later, from where its cursor stands."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.why)
        self.trouble = trouble


@dataclass(slots=True)
class Read:
    """What a scan has read so far."""

    seen: set[int] = field(default_factory=set)
    """Ids."""
    claimed: int | None = None
    """X-PW-TOTAL of the first page."""
    pages: int = 0
    published: list[float] = field(default_factory=list)
    """When the changes were made that this scan was the first to see, Unix seconds."""


@dataclass(frozen=True, slots=True)
class After:
    """What goes with a page. `followed_since`: Unix seconds; a record made since then is new to us."""

    followed_since: int
    write: Callable[[Draft], None]
    """Adds to the page's transaction, once its records have been judged: the cursor, for one."""
    committed: Callable[[], None] = lambda: None


_NOTHING = After(0, lambda _draft: None)

Progress = Callable[[Page, Step | ScanEnd, Read], After]
"""Given a page, what follows it and what has been read with it: what goes with it."""


class Scanning:
    """Scans of one entity of one account by one path."""

    def __init__(
        self,
        account: str,
        entity: str,
        overlap: int,
        copper: Copper,
        ledger: Ledger,
        publishing: Publishing,
        room: Room,
    ) -> None:
        self.account = account
        self.entity = entity
        self.publishing = publishing
        self._overlap = overlap
        self._copper = copper
        self._ledger = ledger
        self._room = room

    async def read(
        self, scan: Scan, lane: Lane, via: Via, progress: Progress, *, again: bool = False, done: Read | None = None
    ) -> Read:
        """Read a whole scan. With `again` what is known already is published once more, as snapshot rows.

        `done` is filled and returned; who gives one has it also when the scan fails.

        Raises:
            ScanFailed: a page could not be had.
        """
        done = done or Read()
        step: Step | ScanEnd = next(scan)
        while isinstance(step, Step):
            step = await self._read_page(scan, step, _Judged(_NOTHING, via, lane, ()), progress, done, again=again)
        return done

    async def _read_page(
        self, scan: Scan, step: Step, judged: "_Judged", progress: Progress, done: Read, *, again: bool
    ) -> Step | ScanEnd:
        """Read one page; what follows it. Nobody holds on to the page while the next one is waited for."""
        with self._room.place(judged.lane) as place:
            page = await self._ask(step, judged.lane, place)
            following = _advance(scan, page)
            done.claimed = page.total if done.pages == 0 else done.claimed
            done.pages += 1
            ids = {record["id"] for record in page.records}
            fresh = ids - done.seen if again else set()  # pages overlap, and passes over a crowded second even more
            done.seen |= ids
            judged = replace(judged, after=progress(page, following, done), again=fresh)
            await self._publish(page, judged, done, place)
        return following

    async def _ask(self, step: Step, lane: Lane, place: Place) -> Page:
        page = await self._copper.search(self.entity, step.ask, lane, place)
        if isinstance(page, Trouble):
            raise ScanFailed(page)
        return page

    async def _publish(self, page: Page, judged: "_Judged", done: Read, place: Place) -> None:
        """Publish a page together with what it allows.

        What search could not put in order is read by its id and judged again first: no cursor passes a record in doubt.
        That may wait for the account's budget, and makes nobody else wait for room.
        """
        judged = replace(judged, asked=self.publishing.clock())
        if not page.records:
            place.leave()
        doubtful = await self._commit(page.records, judged, done)
        place.leave()
        for record_id in doubtful:
            await self._publish_by_id(record_id, judged, done)
        if doubtful:
            await self._commit([], judged, done)
        judged.after.committed()

    async def _publish_by_id(self, record_id: int, judged: "_Judged", done: Read) -> None:
        """Read until the answer is newer than what is known: another flow may have learned of the record meanwhile."""
        doubtful = True
        while doubtful:
            asked = self.publishing.clock()
            record = await self._copper.get(self.entity, record_id, judged.lane)
            if isinstance(record, Trouble):
                if record.why is Why.NOT_FOUND:
                    return  # deleted meanwhile: a matter for notices and sweeps
                raise ScanFailed(record)
            alone = replace(judged, asked=asked, authoritative=True, save=False)
            doubtful = bool(await self._commit([record], alone, done))

    async def _commit(self, records: Iterable[Record], judged: "_Judged", done: Read) -> list[int]:
        """Judge and write; gives the ids in doubt, in whose presence the cursor is not written."""
        publishing, since = self.publishing, judged.after.followed_since - self._overlap

        def write(draft: Draft) -> list[int]:
            doubtful = []
            for record in records:
                sighting = Sighting(self.account, self.entity, record, judged.via, judged.authoritative, judged.asked)
                verdict = publishing.sight(draft, sighting, since, again=record["id"] in judged.again)
                if verdict is Reason.DOUBTFUL:
                    doubtful.append(record["id"])
                elif not isinstance(verdict, Reason):
                    done.published.append(verdict.happened_s)
            if judged.save and not doubtful:
                judged.after.write(draft)
            return doubtful

        return await self._ledger.commit(write, within=COMPANY_SECONDS if judged.lane is Lane.POLLS else 0.0)


@dataclass(frozen=True, slots=True)
class _Judged:
    """How a page's records are to be judged, and what goes with them."""

    after: After
    via: Via
    lane: Lane
    again: Collection[int]
    """Ids of those that are published once more when they are known already."""
    asked: float = 0.0
    authoritative: bool = False
    save: bool = True


def _advance(scan: Scan, page: Page) -> Step | ScanEnd:
    """What follows a page. A scan keeps what it was sent: it gets no more of the records than it looks at."""
    rows = tuple({name: record[name] for name in LOOKED_AT} for record in page.records)
    try:
        return scan.send(replace(page, records=rows))
    except StopIteration as end:
        ended: ScanEnd = end.value
        return ended
    except ValueError as nonsense:
        raise ScanFailed(Trouble(Why.UNREADABLE, str(nonsense))) from None

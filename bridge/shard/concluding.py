"""Concluding: the one transaction in which a command ends.

Reply, journal entry, the events the command caused, a dead letter where it can never be carried out, and the position
of its topic. Called by `shard.executing`; makes no call to Copper.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.commands import Command, Malformed, ReplyAddress
from bridge.contract.cursors import position_key
from bridge.contract.dead_letters import dead_letter
from bridge.contract.events import Change, event_id
from bridge.contract.failures import Code, Failure
from bridge.contract.records import Incoming, Outgoing, Position
from bridge.contract.replies import Reply, Status, failed, reply_record
from bridge.contract.topics import TopicNames
from bridge.policy.changes import Sighting
from bridge.policy.positions import Positions
from bridge.policy.sightings import Via
from bridge.shard.cursors import cursor_record, following_since
from bridge.shard.journal import attempted_before, finished_record, taken
from bridge.shard.outcome import Gone, Outcome, Seen
from bridge.shard.ports import Draft, Ledger, Replies, Tracing
from bridge.shard.publishing import Publishing

TOO_LARGE = Failure(
    Code.TOO_LARGE,
    "Too large",
    "the answer is larger than a Kafka record may be; ask for less at once",
    retryable=False,
)


@dataclass(frozen=True, slots=True)
class Concluding:
    """Writes endings. `answered` is told account, entity, action and status of every reply; `buried` every code."""

    ledger: Ledger
    publishing: Publishing
    replies: Replies
    overlap: int
    answered: Callable[[Command | Malformed, Reply], None]
    buried: Callable[[Code], None]
    tracing: Tracing

    async def refuse(self, command: Malformed, positions: Positions) -> None:
        """A record that can never be carried out: an answer and a dead letter.

        It may have been attempted under the settings of before: then the journal's entry stays, for who redrives it.
        """
        command = replace(command, reply=await self._deliverable(command))
        attempted = attempted_before(self.publishing.memory.known, command)
        reply = Reply(Status.UNKNOWN, failure=_in_doubt(command.failure)) if attempted else failed(command.failure)

        def write(draft: Draft) -> None:
            draft.add(_addressed(command, reply, self.publishing.names, self.publishing.shard))
            self._bury(draft, command)
            self._finish(draft, command.record.position, positions)

        await self.ledger.commit(write)
        self.answered(command, reply)
        self.buried(command.failure.code)

    async def forward(self, record: Incoming, moved: Outgoing, positions: Positions) -> None:
        """A command that lies in another account's shard goes there, and its position moves on."""

        def write(draft: Draft) -> None:
            draft.add(moved)
            self._finish(draft, record.position, positions)

        await self.ledger.commit(write)

    async def conclude(self, command: Command, record: Incoming, outcome: Outcome, positions: Positions) -> None:
        """The command's answer, with everything that follows from it."""
        command = replace(command, reply=await self._deliverable(command))
        parent = self.tracing.parent()

        def write(draft: Draft) -> Reply:
            events = [self._event(draft, command, each, parent) for each in outcome.seen]
            reply = self._shown(command, outcome.reply)
            reply = replace(reply, event_id=next((each for each in events if each), reply.event_id))
            reply = self._answer(draft, command, reply, outcome)
            self._finish(draft, record.position, positions)
            return reply

        self.answered(command, await self.ledger.commit(write))

    async def skip(self, record: Incoming, positions: Positions) -> None:
        """A record that cannot even be answered: only its position moves on."""
        await self.ledger.commit(lambda draft: self._finish(draft, record.position, positions))

    def _shown(self, command: Command, reply: Reply) -> Reply:
        """The reply with as much of Copper's answer as may leave it."""
        shown, record = self.publishing.shown, reply.record
        if not self.publishing.fields or (record is None and reply.records is None):
            return reply
        if record is not None and command.action == "convert":
            record = {entity: part and shown(entity, part) for entity, part in record.items()}
        elif record is not None:
            record = shown(command.entity, record)
        records = None if reply.records is None else [shown(command.entity, each) for each in reply.records]
        return replace(reply, record=record, records=records)

    def _answer(self, draft: Draft, command: Command, reply: Reply, outcome: Outcome) -> Reply:
        """Draft reply and journal entry.

        An answer larger than a record may be is left out of both, and that is said. Of a command that ended without an
        attempt while another took its id the journal keeps nothing: the entry is that one's, whose call may be made.
        """
        names, shard, now = self.publishing.names, self.publishing.shard, self.publishing.clock()
        entry = finished_record(names, shard, command, reply, now, outcome.doubt)
        if not (entry.fits() and reply_record(command, reply, names, shard).fits()):
            reply = _without_answer(command, reply)
            entry = finished_record(names, shard, command, reply, now, None)
        if outcome.keep and not taken(self.publishing.memory.drafted, command):
            draft.add(entry)
        draft.add(_addressed(command, reply, names, shard))
        return reply

    def _event(self, draft: Draft, command: Command, seen: Seen | Gone, parent: str | None) -> str | None:
        """Draft the event that Copper's answer shows, if it is one; gives its id. `parent` is its `traceparent`."""
        publishing = self.publishing
        if isinstance(seen, Gone):
            now = publishing.clock()
            verdict = publishing.miss(
                draft,
                command.account,
                seen.entity,
                seen.record_id,
                Via.COMMAND,
                happened_s=now,
                announced=seen.certain,
                fate=seen.fate,
                causation_id=command.id,
                traceparent=parent,
            )
        else:
            since = following_since(publishing.memory.drafted, command.account, seen.entity, seen.asked) - self.overlap
            sighting = Sighting(
                command.account,
                seen.entity,
                seen.record,
                Via.COMMAND,
                authoritative=True,
                asked_s=seen.asked,
                causation_id=command.id,
                traceparent=parent,
            )
            verdict = publishing.sight(draft, sighting, since)
        return event_id(verdict) if isinstance(verdict, Change) else None

    def _bury(self, draft: Draft, command: Malformed) -> None:
        names, shard = self.publishing.names, self.publishing.shard
        draft.add(dead_letter(command.record, command.failure, 0, names, command.entity, shard))

    def _finish(self, draft: Draft, position: Position, positions: Positions) -> None:
        positions.finish(position.offset)
        key = position_key(position.topic)
        draft.add(cursor_record(self.publishing.names, self.publishing.shard, key, positions.encode()))

    async def _deliverable(self, command: Command | Malformed) -> ReplyAddress:
        """The address, if its topic exists and has the partition; else the default one, and the refusal said.

        A record for a topic that is not there would hold up the whole shard until it fails.
        """
        address = replace(command.reply, traceparent=self.tracing.parent())
        default = self.publishing.names.replies(command.entity)
        count = await self.replies.partitions(address.topic)
        if count is None:
            return replace(address, topic=default, partition=None, refused=address.topic)
        if address.partition is not None and address.partition >= count:
            return replace(address, partition=None)
        return address


def _in_doubt(failure: Failure) -> Failure:
    detail = f"a call for it may have been made before it was refused: look before you repeat it. {failure.detail}"
    return Failure(Code.UNAVAILABLE, "Not known whether it was done", detail)


def _without_answer(command: Command, reply: Reply) -> Reply:
    """The reply without Copper's answer: still a success if something was done, a failure if only reading was asked."""
    action = CATALOGUE.action(command.entity, command.action)
    if action is not None and action.effect:
        return replace(reply, record=None, records=None)
    return replace(reply, status=Status.FAILED, record=None, records=None, failure=TOO_LARGE)


def _addressed(command: Command | Malformed, reply: Reply, names: TopicNames, shard: int) -> Outgoing:
    """The reply's record; what makes it too large is not echoed: first the correlation, then the key.

    A broker measures a record compressed, so a command may hold more than any record of ours may.
    """
    record = reply_record(command, reply, names, shard)
    if not record.fits():
        record = reply_record(replace(command, reply=replace(command.reply, correlation=())), reply, names, shard)
    return record if record.fits() else replace(record, key=None)

"""Entities with their actions as methods, so that editors and type checkers know which has which.

Called through the attributes of `bridge.client.commands.Copper`. A test holds the methods and what they take against
the catalogue. Every method raises what `bridge.client.outcomes` has.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypedDict, Unpack

from bridge.contract.replies import Reply

Record = dict[str, Any]
"""A record with Copper's own field names; empty when Copper's answer was too large for a reply."""


class Members(TypedDict, total=False):
    """What a command is made of, as contract.md §4 has it; `record_id` is its `id`."""

    record_id: int
    email: str
    data: Mapping[str, Any]
    match: Mapping[str, Any]
    expect: Mapping[str, Any] | None


class Do(Protocol):
    """Has one command carried out. Raises what `bridge.client.outcomes` has."""

    async def __call__(
        self, entity: str, action: str, *, command_id: str | None = None, **members: Unpack[Members]
    ) -> Reply:
        """`command_id`: the same one again is carried out once."""


class Activities:
    """What can only be created. `command_id`, here and below: the same one again is carried out once."""

    def __init__(self, name: str, do: Do) -> None:
        self._name = name
        self._do = do

    async def create(self, /, *, command_id: str | None = None, **fields: Any) -> Record:
        """Create a record; it, as Copper has it now."""
        return _record(await self._do(self._name, "create", data=fields, command_id=command_id))


class Records(Activities):
    """What can be created, changed, deleted, read and searched for."""

    async def update(
        self,
        record_id: int,
        /,
        *,
        expect: Mapping[str, Any] | None = None,
        command_id: str | None = None,
        **fields: Any,
    ) -> Record:
        """Change these fields, None clearing one; the record as it is now.

        With `expect` only if its fields have those values now.
        """
        done = self._do(self._name, "update", record_id=record_id, data=fields, expect=expect, command_id=command_id)
        return _record(await done)

    async def delete(
        self, record_id: int, /, *, expect: Mapping[str, Any] | None = None, command_id: str | None = None
    ) -> None:
        """Delete a record, with `expect` only if its fields have those values now. One that is gone is no error."""
        await self._do(self._name, "delete", record_id=record_id, expect=expect, command_id=command_id)

    async def get(self, record_id: int, /) -> Record:
        """The record as Copper has it now."""
        return _record(await self._do(self._name, "get", record_id=record_id))

    async def search(self, /, **criteria: Any) -> list[Record]:
        """One page of the records that meet these criteria; `page_number` and `page_size` are among them."""
        return _records(await self._do(self._name, "search", data=criteria))


class People(Records):
    """Records of which one has an e-mail address."""

    async def get_by_email(self, email: str, /) -> Record:
        """The person with that address."""
        return _record(await self._do(self._name, "get-by-email", email=email))


class Leads(Records):
    """Records that may share an e-mail address, and become people, companies and opportunities."""

    async def get_by_email(self, email: str, /) -> list[Record]:
        """All leads with that address, at least one."""
        return _records(await self._do(self._name, "get-by-email", email=email))

    async def upsert(self, /, *, match: Mapping[str, Any], command_id: str | None = None, **fields: Any) -> Record:
        """Change the lead that matches, or create one; it, as it is now. `match` as contract.md §4 has it."""
        return _record(await self._do(self._name, "upsert", match=match, data=fields, command_id=command_id))

    async def convert(self, lead_id: int, /, *, command_id: str | None = None, **into: Any) -> Record:
        """Make a `person`, and a `company` and `opportunity` if they are given, of a lead; all of them, by entity."""
        return _record(await self._do(self._name, "convert", record_id=lead_id, data=into, command_id=command_id))


def _record(reply: Reply) -> Record:
    return dict(reply.record or {})


def _records(reply: Reply) -> list[Record]:
    one: Sequence[Mapping[str, Any]] = () if reply.record is None else (reply.record,)
    return [dict(each) for each in (one if reply.records is None else reply.records)]

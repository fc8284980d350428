"""One Copper account at work: its records, its limits, its notifications, its credentials, and people who use it.

Made by `double`; people's methods are what tests and the control interface call, and act as edits in Copper's web
page do: they show late in search and fire webhooks, but cost no call.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from hmac import compare_digest
from random import Random
from typing import Any

from bridge.sandbox.copper import activities, shaping, special, writing
from bridge.sandbox.copper.entities import ACTIVITY, ENTITIES, Record
from bridge.sandbox.copper.knobs import DoubleAccount, Knobs
from bridge.sandbox.copper.limits import Window
from bridge.sandbox.copper.reference_data import ReferenceData
from bridge.sandbox.copper.store import Effect, Store
from bridge.sandbox.copper.subscriptions import Subscriptions
from bridge.sandbox.copper.webhooks import Webhooks


class Account:
    """An account of the double. Records given out are the store's own: read them, do not change them."""

    def __init__(self, config: DoubleAccount, knobs: Knobs, clock: Callable[[], float], random: Random) -> None:
        self.config = config
        self.name = config.name
        self.knobs = knobs
        self.reference = ReferenceData(config)
        self.store = Store(knobs, self.reference, clock, random)
        self.subscriptions = Subscriptions(knobs)
        self.webhooks = Webhooks(self.subscriptions, self.reference, knobs, clock, random)
        self.store.listener = self._hear
        self._more = asyncio.Event()
        self.minute, self.second = Window(60.0), Window(1.0)
        self._tokens = {config.token} if config.token else set()
        self._keys = {config.api_key}
        self.used_key: str | None = None
        """The API key of the latest call that had a right one."""

    def admits_key(self, key: str, email: str) -> bool:
        """Whether the key and e-mail of the API-key trio are this account's."""
        admitted = any(compare_digest(key.encode(), own.encode()) for own in self._keys)
        self.used_key = key if admitted else self.used_key
        return admitted and email == self.config.user_email

    def admits_token(self, token: str) -> bool:
        """Whether a Bearer token is this account's."""
        return any(compare_digest(token.encode(), own.encode()) for own in self._tokens)

    @property
    def tokens(self) -> frozenset[str]:
        """The Bearer tokens that are good now."""
        return frozenset(self._tokens)

    def new_token(self) -> str:
        """Hand out a Bearer token; like Copper's it never expires."""
        token = secrets.token_hex(32)
        self._tokens.add(token)
        return token

    def revoke_tokens(self) -> None:
        """Refuse every Bearer token handed out so far with 401: its owner has taken the consent back."""
        self._tokens.clear()

    def add_key(self, api_key: str) -> None:
        """Make another API key, as good as those there are."""
        self._keys.add(api_key)

    def revoke(self) -> None:
        """Refuse every credential with 401 from now on."""
        self.config.revoked = True

    def restore(self, api_key: str | None = None) -> None:
        """Take credentials again; if an API key is given, that one and no other."""
        self.config.revoked = False
        if api_key is not None:
            self.config.api_key = api_key
            self._keys = {api_key}

    def hide(self, entity: str, *record_ids: int) -> None:
        """Take records out of the API user's sight, as team permissions do."""
        self.store.hidden.update((entity, record_id) for record_id in record_ids)

    def show(self) -> None:
        """Let the user see everything again."""
        self.store.hidden.clear()

    def sign_in_as(self, user_id: int) -> None:
        """The credentials belong to another user from now on."""
        self.reference.users[0] = {**self.reference.users[0], "id": user_id}

    def create(self, entity: str, attributes: Mapping[str, Any]) -> Record:
        """Someone creates a record.

        Raises:
            Refusal: the attributes are wrong.
        """
        if entity == ACTIVITY:
            return activities.create(self.store, attributes, by="people")
        return writing.create(self.store, entity, attributes, by="people")

    def edit(self, entity: str, record_id: int, attributes: Mapping[str, Any]) -> Record:
        """Someone edits a record."""
        if entity == ACTIVITY:
            return activities.update(self.store, record_id, attributes, by="people")
        return writing.update(self.store, entity, record_id, attributes, by="people")

    def delete(self, entity: str, *record_ids: int) -> None:
        """Someone deletes records."""
        for record_id in record_ids:
            if entity == ACTIVITY:
                activities.delete(self.store, record_id, by="people")
            else:
                writing.delete(self.store, entity, record_id, by="people")

    def merge(self, entity: str, winner_id: int, *loser_ids: int) -> Record:
        """Someone merges duplicates: the losers are deleted."""
        return writing.merge(self.store, entity, winner_id, loser_ids)

    def convert(self, lead_id: int, **details: Any) -> dict[str, Any]:
        """Someone converts a lead; what it became."""
        return special.convert_lead(self.store, lead_id, {"details": details})

    def load(self, entity: str, rows: Iterable[Mapping[str, Any]]) -> list[int]:
        """Put in records that always were there, unjudged and unnoticed; `date_*` may be given. Gives their ids."""
        now = int(self.store.clock())
        kind = ENTITIES[entity]
        records = [shaping.fresh(kind, self.store.next_id(entity), self.reference, now) | dict(row) for row in rows]
        self.store.load(entity, records)
        return [record["id"] for record in records]

    def records(self, entity: str) -> list[Record]:
        """The truth: every record that exists, by id, whatever search says."""
        writing.settle(self.store)
        found = (record for record in self.store.truth[entity].values() if record.get("converted_at") is None)
        return sorted(found, key=lambda record: int(record["id"]))

    def record(self, entity: str, record_id: int) -> Record | None:
        """The truth about one record; None when it does not exist."""
        return self.store.truth[entity].get(record_id)

    async def reached(self, number: int) -> Effect:
        """Wait until the effect of that number has happened, and give it; numbers count from 1."""
        while len(self.effects) < number:
            self._more.clear()
            await self._more.wait()
        return self.effects[number - 1]

    def _hear(self, effect: Effect) -> None:
        self.webhooks.hear(effect)
        self._more.set()

    @property
    def effects(self) -> list[Effect]:
        """Everything that became true, in order."""
        return self.store.effects

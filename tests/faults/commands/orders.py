"""Orders: what is asked of the bridge in a trial of commands, drawn from a seed before anything runs. Pure.

Every command of the catalogue over records that are there already. An order that writes has a mark in its data, and
nowhere else; one that deletes or converts has a record of its own: so each effect at Copper tells whose it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Any

from bridge.contract.catalogue import CATALOGUE, Action

ENTITIES = CATALOGUE.followed
SHARED, CROWDED = 5, 2
"""Records of each entity that commands write to, and those that people write to as well."""
WEIGHTS = MappingProxyType({"create": 4.0, "update": 4.0, "delete": 2.0, "upsert": 10.0, "convert": 5.0})
"""Of an action of one entity; reads have 1."""
ACTIVITIES = 8.0
"""The weight of an activity's create."""
WITH_ID, AGAIN, REUSED, STRAY, HURRIED, ELSEWHERE, BULK = 0.8, 0.12, 0.04, 0.15, 0.12, 0.1, 0.3
"""Shares of orders: with an id of their own; of those sent again and those that take another's; and so on."""
HASTE = (-5.0, 0.0, 0.5, 4.0, 30.0)
"""Deadlines, in seconds from sending."""
LEADS_BY_EMAIL = 4
NOWHERE = 7
"""The id of no record."""


class Twist(StrEnum):
    """What is wrong with an order on purpose."""

    NONE = ""
    NONSENSE = "nonsense"
    GARBLED = "garbled"
    FOREIGN = "foreign"
    NOWHERE = "nowhere"
    TAKEN = "taken"
    MISTAKEN = "mistaken"


TWISTED = 0.1
UNREADABLE = frozenset({Twist.NONSENSE, Twist.GARBLED, Twist.FOREIGN})
"""Never carried out, never stored, and put among the dead letters."""


@dataclass(frozen=True)
class Order:
    """A command. `at_s` are the seconds from the beginning at which it is sent, for each time."""

    number: int
    account: str
    entity: str
    action: str
    id: str | None = None
    at_s: tuple[float, ...] = (0.0,)
    record_id: int | None = None
    members: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What `encode` takes besides account, id and headers."""
    twist: Twist = Twist.NONE
    deadline_s: float | None = None
    lane: str | None = None
    stray: bool = False
    """Its key is not the account's name."""
    reply_to: str | None = None

    @property
    def mark(self) -> str:
        """What tells its effects from all others'."""
        return mark_of(self.number)

    @property
    def unique(self) -> bool:
        """Whether its data has what no other record may have."""
        return not {"emails", "email_domain"}.isdisjoint(self.members.get("data", {}))

    @property
    def effect(self) -> bool:
        """Whether it changes something."""
        action = CATALOGUE.action(self.entity, self.action)
        return action is None or action.effect


@dataclass(frozen=True)
class Pools:
    """Ids of records of one account that were there before, by entity."""

    shared: Mapping[str, Sequence[int]]
    crowded: Mapping[str, Sequence[int]]
    doomed: Mapping[str, Sequence[int]]
    """Each for one delete or convert."""


def mark_of(number: int) -> str:
    return f"mark {number}"


def name_of(entity: str, number: int) -> str:
    """The name of a record that was there before."""
    return f"old {entity} {number}"


def email_of(number: int) -> str:
    """The address of an old person; no two may share one."""
    return f"old-{number}@people.example"


def orders(account: str, pools: Pools, count: int, span_s: float, own_topic: str, random: Random) -> Sequence[Order]:
    """So many orders of one account, sent within a span of seconds."""
    draft = _Draft(account, pools, random, {entity: iter(ids) for entity, ids in pools.doomed.items()})
    found: list[Order] = []
    for number in range(1, count + 1):
        order = replace(draft.order(number), at_s=(random.uniform(0, span_s),))
        found.append(_dressed(order, found, span_s, own_topic, random))
    return found


def _dressed(order: Order, before: Sequence[Order], span_s: float, own_topic: str, random: Random) -> Order:
    """The order with its headers and the times it is sent."""
    first = order.at_s[0]
    order = replace(
        order,
        deadline_s=random.choice(HASTE) if random.random() < HURRIED else None,
        lane="bulk" if random.random() < BULK else None,
        stray=random.random() < STRAY,
        reply_to=random.choice([own_topic, "copper.of-nobody.replies"]) if random.random() < ELSEWHERE else None,
    )
    others = [each for each in before[-20:] if each.id and each.twist not in UNREADABLE and each.effect]
    if others and order.twist not in UNREADABLE and order.effect and random.random() < REUSED:
        other = random.choice(others)
        return replace(order, id=other.id, at_s=(other.at_s[0] + random.choice([0.0, random.uniform(0, 10)]),))
    if random.random() > WITH_ID:
        return order
    again = random.choice([0.0, random.uniform(0, span_s / 4)]) if random.random() < AGAIN else None
    return replace(order, id=f"id-{order.number}", at_s=(first,) if again is None else (first, first + again))


@dataclass(frozen=True)
class _Draft:
    """Draws what is asked."""

    account: str
    pools: Pools
    random: Random
    doomed: Mapping[str, Iterator[int]]

    def order(self, number: int) -> Order:
        rows = CATALOGUE.actions
        row = self.random.choices(rows, weights=[_weight(each) for each in rows])[0]
        twist = self._twist(row)
        order = Order(number, self.account, row.entity, row.name, twist=twist)
        if twist is Twist.NONSENSE:
            return replace(order, record_id=NOWHERE, members={"data": {"no_such_field": order.mark}})
        return replace(order, **getattr(self, "_" + row.name.replace("-", "_"))(order))

    def _twist(self, row: Action) -> Twist:
        choices = [Twist.NONSENSE, Twist.GARBLED, Twist.FOREIGN]
        choices += [Twist.NOWHERE] * (row.name in {"update", "get"})
        choices += [Twist.MISTAKEN] * (row.name == "update")
        choices += [Twist.TAKEN] * 2 * ((row.entity, row.name) == ("person", "create"))
        return self.random.choice(choices) if self.random.random() < TWISTED else Twist.NONE

    def _create(self, order: Order) -> dict[str, Any]:
        data = {"details": order.mark}
        if order.entity == "activity":
            parent = {"type": "company", "id": self.random.choice(self.pools.crowded["company"])}
            return {"members": {"data": data | {"type": {"category": "user", "id": 0}, "parent": parent}}}
        data["name"] = f"{order.entity} of {order.mark}"
        return {"members": {"data": data | self._unique(order)}}

    def _unique(self, order: Order) -> dict[str, Any]:
        """Most people and companies have what no other may have."""
        if order.twist is Twist.TAKEN:
            return {"emails": [{"email": email_of(0), "category": "work"}]}
        if order.entity == "person" and self.random.random() < 0.8:
            return {"emails": [{"email": f"{order.number}@{self.account}.example", "category": "work"}]}
        if order.entity == "company" and self.random.random() < 0.8:
            return {"email_domain": f"{order.number}.{self.account}.example"}
        return {}

    def _target(self, order: Order) -> int:
        if order.twist is Twist.NOWHERE:
            return NOWHERE
        crowded = order.twist is Twist.NONE and self.random.random() < 0.2
        return self.random.choice((self.pools.crowded if crowded else self.pools.shared)[order.entity])

    def _update(self, order: Order) -> dict[str, Any]:
        record_id = self._target(order)
        members: dict[str, Any] = {"data": {"details": order.mark}}
        if order.twist is Twist.MISTAKEN:
            members["expect"] = {"name": "another"}
        elif order.twist is Twist.NONE and self.random.random() < 0.2:
            place = [*self.pools.shared[order.entity], *self.pools.crowded[order.entity]].index(record_id)
            members["expect"] = {"name": name_of(order.entity, place)}
        return {"record_id": record_id, "members": {"record_id": record_id, **members}}

    def _get(self, order: Order) -> dict[str, Any]:
        record_id = self._target(order)
        return {"record_id": record_id, "members": {"record_id": record_id}}

    def _delete(self, order: Order) -> dict[str, Any]:
        record_id = next(self.doomed[order.entity])
        return {"record_id": record_id, "members": {"record_id": record_id}}

    def _convert(self, order: Order) -> dict[str, Any]:
        opportunity = {"opportunity": {"name": f"order of {order.mark}"}}
        data = {"data": opportunity} if self.random.random() < 0.7 else {}
        record_id = next(self.doomed[order.entity])
        return {"record_id": record_id, "members": {"record_id": record_id, **data}}

    def _search(self, _order: Order) -> dict[str, Any]:
        return {"members": {"data": {"page_size": 3}}}

    def _get_by_email(self, order: Order) -> dict[str, Any]:
        email = email_of(0) if order.entity == "person" else self._lead_email()
        return {"members": {"email": email}}

    def _upsert(self, order: Order) -> dict[str, Any]:
        email = self._lead_email()
        lead = {"name": f"lead of {email}", "email": {"email": email, "category": "work"}, "details": order.mark}
        return {"members": {"match": {"field": "email", "value": email}, "data": lead}}

    def _lead_email(self) -> str:
        return f"lead-{self.random.randrange(LEADS_BY_EMAIL)}@{self.account}.example"


def _weight(row: Action) -> float:
    return ACTIVITIES if row.entity == "activity" else WEIGHTS.get(row.name, 1.0)

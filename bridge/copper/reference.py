"""Reference data: what an account calls its users, pipelines, sources, types and custom fields (reference: §9.5).

Used by `client`. Per list the call that asks for it and the reading of its answer; knows no I/O. Rows without a name
are left out: nobody can mean them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.copper.calls import MAX_IDS, Call
from bridge.copper.readings import Misread, Reading
from bridge.policy.matching import Named

PAGE = MAX_IDS
"""Users on a page, the only list that has pages."""
Rows = tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class List:
    """A list of Copper's. `rows` finds the objects in its answer, `row` makes one of each."""

    route: str
    row: Callable[[Mapping[str, Any]], Named]
    rows: Callable[[Any], Any] = lambda answer: answer
    method: str = "GET"


def call(name: str, page: int = 1) -> Call:
    """The call for a list, or a page of users. Raises LookupError for a list that there is not."""
    asked = LISTS[name]
    body = {"page_number": page, "page_size": PAGE} if asked.method == "POST" else None
    return Call(asked.method, asked.route, _reading(asked), body=body)


def paged(name: str) -> bool:
    """Whether the list comes in pages."""
    return LISTS[name].method == "POST"


def _reading(asked: List) -> Reading:
    def read(answer: Any) -> Any:
        found = asked.rows(answer)
        if not isinstance(found, list):
            return Misread("no list where one was promised")
        return tuple(asked.row(each) for each in _named(found))

    return read


def _named(rows: Any) -> Iterator[Mapping[str, Any]]:
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and type(row.get("id")) is int and isinstance(row.get("name"), str):
            yield row


def _plain(row: Mapping[str, Any]) -> Named:
    return Named(row["id"], row["name"])


def _user(row: Mapping[str, Any]) -> Named:
    email = row.get("email")
    return Named(row["id"], row["name"], email=email if isinstance(email, str) else None)


def _pipeline(row: Mapping[str, Any]) -> Named:
    return Named(row["id"], row["name"], parts=tuple(map(_plain, _named(row.get("stages")))))


def _custom_field(row: Mapping[str, Any]) -> Named:
    entities = row.get("available_on")
    return Named(
        row["id"],
        row["name"],
        parts=tuple(map(_plain, _named(row.get("options")))),
        data_type=str(row.get("data_type")),
        entities=frozenset(map(str, entities if isinstance(entities, list) else ())),
    )


def _of_users(answer: Any) -> Any:
    """Activity types that people log; those of Copper itself, and those switched off, cannot be written."""
    rows = answer.get("user") if isinstance(answer, dict) else None
    return [row for row in _named(rows) if row.get("is_disabled") is not True] if isinstance(rows, list) else None


LISTS: Mapping[str, List] = {
    "users": List("/users/search", _user, method="POST"),
    "pipelines": List("/pipelines", _pipeline),
    "contact_types": List("/contact_types", _plain),
    "customer_sources": List("/customer_sources", _plain),
    "loss_reasons": List("/loss_reasons", _plain),
    "activity_types": List("/activity_types", _plain, rows=_of_users),
    "custom_field_definitions": List("/custom_field_definitions", _custom_field),
}
"""Name of a list, as the catalogue has it, to how it is asked for."""

"""Matching: one row of a list of Copper's by what people call it; or why it is none, with what it could have been.

Used by `policy.naming` and `policy.custom_values`. Pure. Never the nearest, never the first: what is not one is told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

MOST_CANDIDATES = 10
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Named:
    """A row of a list: what an account calls something, and its id there."""

    id: int
    name: str
    email: str | None = None
    """Of a user: as good as the name."""
    parts: tuple["Named", ...] = ()
    """Stages of a pipeline, options of a custom field."""
    data_type: str = ""
    """Of a custom field."""
    entities: frozenset[str] = frozenset()
    """Of a custom field: what has it."""


Lists = Mapping[str, Sequence[Named]]
"""Name of a list to its rows."""


@dataclass(frozen=True, slots=True)
class Miss:
    """Why a name is not resolved. `absent`: nothing is called so, which a newer list may better."""

    reason: str
    absent: bool = False


def pick(name: str, among: Sequence[Named], says: str, instead: str) -> Named | Miss:
    """The row of that name. `says` is what the rows are, `instead` what tells several of one name apart."""
    found = called(name, among)
    if len(found) == 1:
        return found[0]
    if not found:
        return absent(name, [each.name for each in among], says)
    ids = ", ".join(str(each.id) for each in found[:MOST_CANDIDATES])
    return Miss(f"there are several of this name, with the ids {ids}: {instead}")


def called(name: str, among: Iterable[Named]) -> list[Named]:
    """The rows of that name, or e-mail address, in any case and without blanks around; each id once."""
    wanted = plain(name)
    found = {each.id: each for each in among if wanted in {plain(each.name), plain(each.email or each.name)}}
    return [*found.values()]


def absent(name: str, known: Sequence[str], says: str) -> Miss:
    """Nothing is called so; `known` are the names that there are, of which the likeliest are told."""
    spelt = {plain(each)[:_LONGEST]: each for each in known}
    near = get_close_matches(plain(name)[:_LONGEST], [*spelt], n=MOST_CANDIDATES)
    told = [*near, *(each for each in spelt if each not in near)][:MOST_CANDIDATES]
    if not told:
        return Miss(f"there is no {says} at all", absent=True)
    words = ", ".join(f'"{spelt[each][:_LONGEST]}"' for each in told)
    more = f" and {len(spelt) - len(told)} more" if len(spelt) > len(told) else ""
    return Miss(f"no such {says}; there is {words}{more}", absent=True)


def plain(name: str) -> str:
    """A name as it is compared."""
    return name.strip().casefold()

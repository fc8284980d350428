"""HTML made of Python values: elements of the standard library's tree, which escapes whatever text is put in.

Used by `bridge.web.page.sections` and `bridge.web.chart`. No markup is ever written as text.
"""

from datetime import UTC, datetime
from itertools import pairwise
from xml.etree import ElementTree as ET

Element = ET.Element
Child = Element | str | None
NOTHING = "—"
"""What a cell says that has nothing to say."""
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def node(tag: str, *children: Child, **attributes: str | float | None) -> Element:
    """An element with its children in order; None is nothing.

    Attributes: `class_` is class, `data_age` is data-age; None leaves one out.
    """
    named = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items() if value is not None}
    element = Element(tag, {name: str(value) for name, value in named.items()})
    for child in children:
        if isinstance(child, str):
            _append(element, child)
        elif child is not None:
            element.append(child)
    return element


def _append(element: Element, text: str) -> None:
    """Text behind what is there."""
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def html(element: Element) -> str:
    """The element as text."""
    return ET.tostring(element, encoding="unicode", method="html")


def moment(at: float | None) -> Element:
    """A point in time: as a clock shows it, for the script to say how long ago that was. None is a dash."""
    if at is None:
        return node("span", NOTHING, class_="none")
    when = datetime.fromtimestamp(at, UTC)
    return node("time", f"{when:%d %b %H:%M:%S}", datetime=f"{when:%Y-%m-%dT%H:%M:%SZ}", data_age="")


def lasting(seconds: float) -> str:
    """A length of time in words, as short as they can be."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.2g} s"
    for (size, unit), (part, smaller) in pairwise(_UNITS):
        if seconds >= size:
            whole, rest = round(seconds) // size, round(seconds) % size // part
            return f"{whole} {unit} {rest} {smaller}" if rest else f"{whole} {unit}"
    raise AssertionError("a minute is the smallest unit")


def region(key: str, title: str, *children: Child) -> Element:
    """A part of the page with a heading of its own. `key` is the section's name in the stream too."""
    return node("section", node("h2", title, id=f"{key}-title"), *children, id=key, aria_labelledby=f"{key}-title")


def table(key: str, headings: list[str], *groups: Element) -> Element:
    """A table in a frame that can be scrolled, by keyboard too, where the screen is narrow.

    It is named by the heading of the region it is in.
    """
    head = node("thead", node("tr", *(node("th", each, scope="col") for each in headings)))
    whole = node("table", head, *groups, aria_labelledby=f"{key}-title")
    return node("div", whole, class_="frame", tabindex=0, role="region", aria_labelledby=f"{key}-title")


def row(*cells: Child) -> Element:
    """A row of a table whose first cell is its heading."""
    first, *rest = cells
    return node("tr", node("th", first, scope="row"), *(node("td", each) for each in rest))


def body(*rows: Element) -> Element:
    """Rows that belong together."""
    return node("tbody", *rows)

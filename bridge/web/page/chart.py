"""The last hour on the status page: events, commands and calls per minute, as bars drawn here.

Called by `bridge.web.page.sections`. Each series has a scale of its own, told in words; colours are the style sheet's.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from bridge.web.page.html import Element, node

SERIES = {"events": "Events per minute", "commands": "Commands per minute", "calls": "Calls to Copper per minute"}
HEIGHT = 40
BAR, STEP = 8, 10


def hour(minutes: Sequence[Mapping[str, int]]) -> Element:
    """All series one above the other; the last minute is going on and drawn as such."""
    axis = node("p", node("span", "an hour ago"), node("span", "now"), class_="axis")
    return node("figure", *(_series(what, title, minutes) for what, title in SERIES.items()), axis)


def _series(what: str, title: str, minutes: Sequence[Mapping[str, int]]) -> Element:
    counts = [minute[what] for minute in minutes]
    most = max(counts, default=0)
    said = f"{counts[-1] if counts else 0} in this minute, {most} at most, {sum(counts)} in the last hour"
    bars = [_bar(number, minute, what, most) for number, minute in enumerate(minutes) if minute[what]]
    if bars and counts[-1]:
        bars[-1].set("class", "going-on")
    drawing = node(
        "svg",
        *bars,
        viewBox=f"0 0 {STEP * max(1, len(minutes))} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{title}: {said}",
    )
    return node("div", node("p", node("b", title), node("span", said)), drawing, class_=f"series {what}")


def _bar(number: int, minute: Mapping[str, int], what: str, most: int) -> Element:
    height = max(1.0, round(HEIGHT * minute[what] / most, 1))
    at = f"{datetime.fromtimestamp(minute['at'], UTC):%H:%M}"
    told = node("title", f"{at} {minute[what]}")
    return node("rect", told, x=number * STEP + 1, y=round(HEIGHT - height, 1), width=BAR, height=height)

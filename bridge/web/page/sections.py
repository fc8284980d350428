"""The status page's sections, made of what `/api/status` and `/api/history` say: the page at first and every change.

Called by `bridge.web.page.serving`. Pure. Whoever reads without JavaScript gets the same words.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bridge.policy.freshness import State, severity
from bridge.policy.refusals import OPERATOR
from bridge.web.page import chart
from bridge.web.page.html import NOTHING, Element, body, lasting, moment, node, region, row, table
from bridge.web.page.replicas import replicas

MOST_ACCOUNTS = 20
"""So many are shown, the worst first; a page of thousands would be read by nobody."""
_MARKS = {
    State.ON_TIME: "●",
    State.PAUSED: "‖",
    State.LEAVING: "↩",
    State.PENDING: "○",
    State.DELAYED: "▲",
    State.ERROR: "✖",
    State.ACTION_REQUIRED: "✋",
}

Status = Mapping[str, Any]
History = Mapping[str, Any]
Here = Sequence[tuple[str, Mapping[str, Any]]]
"""The accounts that this process serves, the worst first."""


def sections(status: Status, history: History) -> Iterator[Element]:
    """Every section, its id the key, in the page's order; each is made when it is asked for."""
    here = _here(status)
    yield _head(status)
    yield _attention(status, here[:MOST_ACCOUNTS])
    yield _events(status, here)
    yield region("hour", "The last hour", chart.hour(history["minutes"]))
    yield _commands(status, history)
    yield _budget(here[:MOST_ACCOUNTS])
    yield replicas(status)
    yield _timeline(history)


def word(state: str) -> Element:
    """A state as its mark and its word; never by colour alone."""
    said = State(state).value.replace("-", " ").capitalize()
    mark = node("span", _MARKS[State(state)], aria_hidden="true")
    return node("span", mark, f" {said}", class_=f"state {state}")


def _head(status: Status) -> Element:
    owned, opened = status["shards"]["owned"], status["shards"]["open"]
    shards = f"shard{'s' * (len(owned) > 1)} {', '.join(map(str, owned))}" if owned else "no shard, as a standby"
    waiting = f", {len(owned) - len(opened)} of them not open yet" if len(opened) < len(owned) else ""
    return node(
        "div",
        node("h1", status["instance"]),
        node("p", word(status["state"]), class_="overall", aria_live="polite"),
        node(
            "p",
            node("b", status["replica"]),
            f" serves {shards}{waiting} · version {status['version']} · started ",
            moment(status["started_at"]),
        ),
        id="head",
    )


def _here(status: Status) -> Here:
    here = [(name, account) for name, account in status["accounts"].items() if account["here"]]
    return sorted(here, key=lambda each: -severity(State(each[1]["state"])))


def _attention(status: Status, here: Here) -> Element:
    found = [found for name, account in here for found in _troubles(name, account, status)]
    said = node("ul", *found) if found else node("p", "Nothing.")
    return region("attention", "Needs attention", said)


def _troubles(name: str, account: Mapping[str, Any], status: Status) -> Iterator[Element]:
    paused = account.get("paused")
    if paused is not None and paused["reason"] != OPERATOR:
        yield node(
            "li",
            node("b", name),
            f" waits for credentials that work ({paused['reason']}) since ",
            moment(paused["since"]),
            ". Put new ones where the old ones are; they are read again.",
        )
    held = account["deletes_held"]
    if held is not None:
        missing = f"{held['missing']} of {held['known']} records are missing, " if held["known"] else ""
        lines = [_line(status, f"deletes {way} {name}") for way in ("approve", "reject")]
        said = f" publishes no deletes: {missing}{held['reason']}, since "
        yield node("li", node("b", name), said, moment(held["since"]), ". Look at Copper, then ", *_or(lines))
    for entity, told in account["entities"].items():
        if told["state"] in {State.DELAYED, State.ERROR, State.ACTION_REQUIRED} and paused is None:
            why = "" if told["trouble"] is None else f"{told['trouble']}, "
            every = lasting(told["every"])
            said = f": {why}due every {every}, last scanned "
            yield node("li", node("b", f"{name} {entity} "), word(told["state"]), said, moment(told["scanned_at"]))


def _or(lines: Sequence[Element]) -> list[Element | str]:
    return [lines[0], " or ", lines[1]]


def _line(status: Status, rest: str, *, prefixed: bool = True) -> Element:
    """A command line to be copied as it is."""
    prefix = f" --prefix {status['prefix']}" if prefixed and status["prefix"] != "copper" else ""
    return node("code", f"copper-bridge {rest} -b {status['kafka']}{prefix}")


def _events(status: Status, here: Here) -> Element:
    headings = ["Entity", "State", "Last scan", "Every", "Events", "Last event", "Snapshot", "Trouble"]
    shown = [_account(name, account, len(headings)) for name, account in here[:MOST_ACCOUNTS]]
    quiet = not any(told["events"] for _, account in here for told in account["entities"].values())
    pattern = f"listen '{status['prefix']}.*'"
    hint = node(
        "p", "No event yet. Change something in Copper, and see it come: ", _line(status, pattern, prefixed=False)
    )
    return region(
        "events",
        "Events",
        table("events", headings, *shown) if here else node("p", "This process serves no account."),
        hint if here and quiet else None,
        _cut_off(len(here)),
    )


def _account(name: str, account: Mapping[str, Any], columns: int) -> Element:
    title = node("th", name, " ", word(account["state"]), scope="rowgroup", colspan=columns)
    return body(node("tr", title, class_="group"), *(_entity(*each) for each in account["entities"].items()))


def _entity(entity: str, told: Mapping[str, Any]) -> Element:
    return row(
        entity,
        word(told["state"]),
        moment(told["scanned_at"]),
        NOTHING if told["every"] is None else lasting(told["every"]),
        f"{told['events']:,}",
        moment(told["event_at"]),
        _snapshot(told["snapshot"]),
        told["trouble"] or NOTHING,
    )


def _snapshot(taken: Mapping[str, Any] | None) -> Element | str:
    if taken is None:
        return NOTHING
    if taken["done"]:
        return f"{taken['records']:,} read" + (", incomplete" if taken["incomplete"] else "")
    left = "" if taken["seconds_left"] is None else f", {lasting(taken['seconds_left'])} left"
    said = f"{taken['records']:,} of {taken['expected']:,}{left}"
    most = max(1, taken["expected"], taken["records"])
    return node("span", node("progress", max=most, value=taken["records"], aria_label="read"), f" {said}")


def _cut_off(here: int) -> Element | None:
    if here <= MOST_ACCOUNTS:
        return None
    return node("p", f"And {here - MOST_ACCOUNTS} accounts that do no worse; all are in ", _link("api/status"), ".")


def _link(path: str) -> Element:
    return node("a", path, href=path)


def _commands(status: Status, history: History) -> Element:
    headings = ["Time", "Command", "Account", "Result", "Took", "Attempts", "Id"]
    letters = history["dead_letters"]
    said = ", ".join(f"{count:,} {code}" for code, count in sorted(letters.items()))
    buried = node("p", f"Dead letters since the start: {said}. ", _line(status, "dlt ls")) if letters else None
    if not history["commands"]:
        empty = node("p", "No command yet. Send one: ", _line(status, "call company.search page_size=5"))
        return region("commands", "Commands", empty, buried)
    rows = [_answered(each) for each in history["commands"]]
    return region("commands", "Commands", table("commands", headings, body(*rows)), buried)


def _answered(each: Mapping[str, Any]) -> Element:
    again = " (stored answer)" if each["duplicate"] else ""
    result = each["status"] + (f": {each['code']}" if each["code"] else "")
    return row(
        moment(each["at"]),
        each["action"],
        each["account"] or NOTHING,
        node("span", f"{result}{again}", class_=f"result {each['status']}"),
        NOTHING if each["took"] is None else lasting(each["took"]),
        str(each["attempts"]),
        node("code", each["id"], title=each["id"]),
    )


def _budget(here: Here) -> Element:
    lanes = [*(here[0][1]["calls"]["last_minute"] if here else ())]
    headings = ["Account", "Calls in the last minute", *(lane.capitalize() for lane in lanes), "Waiting"]
    rows = [_spent(name, account["calls"], lanes) for name, account in here]
    none = node("p", "This process serves no account.")
    return region("budget", "Budget", table("budget", headings, body(*rows)) if rows else none)


def _spent(name: str, calls: Mapping[str, Any], lanes: Sequence[str]) -> Element:
    spent, limit = sum(calls["last_minute"].values()), calls["limit"]
    meter = node("meter", max=limit, value=spent, high=0.9 * limit, aria_label=f"{spent} of {limit}")
    waiting = [f"{lane} {count}" for lane, count in calls["waiting"].items() if count]
    cells = [str(calls["last_minute"][lane]) for lane in lanes]
    return row(name, node("span", meter, f" {spent} of {limit}"), *cells, ", ".join(waiting) or "none")


def _timeline(history: History) -> Element:
    happened = [_happening(each) for each in history["happenings"]]
    empty = node("p", "Nothing has happened yet.")
    return region("timeline", "Sessions, scans and what else happened", node("ol", *happened) if happened else empty)


def _happening(each: Mapping[str, Any]) -> Element:
    fields = " · ".join(f"{name} {_plain(value)}" for name, value in each["fields"].items())
    level = None if each["level"] == "info" else node("b", f" {each['level']}")
    return node("li", moment(each["at"]), " ", node("code", each["event"]), level, f" {fields}", class_=each["level"])


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

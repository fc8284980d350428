"""The status page as one document: head, sections, foot. Called by `bridge.web.page.serving`.

All addresses are relative, so that the page works behind a path of somebody's proxy.
"""

from collections.abc import Iterable

from bridge.web.page.html import Element, html, moment, node

TITLE = "copper-bridge"
LINKS = ("api/status", "api/history", "metrics", "readyz")


def document(sections: Iterable[Element], now: float) -> str:
    """The whole, as it is now (Unix seconds); the first section is the header's."""
    head, *rest = sections
    body = node("body", node("header", head, _live(now)), node("main", *rest), _foot())
    return "<!doctype html>\n" + html(node("html", _about(), body, lang="en"))


def _about() -> Element:
    return node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("meta", name="color-scheme", content="light dark"),
        node("title", TITLE),
        node("link", rel="icon", href="static/icon.svg"),
        node("link", rel="stylesheet", href="static/page.css"),
        node("script", src="static/page.js", defer=""),
    )


def _live(now: float) -> Element:
    """How fresh the page is; the script says so from its first message on."""
    return node("p", "As of ", moment(now), " UTC; load again for newer.", id="live", role="status")


def _foot() -> Element:
    links = [node("li", node("a", f"/{path}", href=path)) for path in LINKS]
    return node(
        "footer",
        node("p", "This page tells of one process. Times are UTC."),
        node("nav", node("ul", *links), aria_label="For programs"),
    )

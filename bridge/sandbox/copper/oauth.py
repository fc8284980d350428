"""Copper's OAuth endpoints: the authorize page, which posts a form to the redirect address, and the token endpoint.

Called by `server`. Grants at once, to the account of `?account=` or else the first, unless the knob `asks_consent` has
it ask like Copper does.
"""

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random

from aiohttp import web

SCOPE = "developer/v1/all"
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
"""Faults know the endpoint by this; `*` fits it as well."""
HEAD = "<!doctype html><title>Copper (sandbox)</title>"
PAGE = (
    HEAD
    + """
<form id="grant" method="post" action="{action}">{fields}<button>Continue</button></form>
<script>document.getElementById("grant").submit()</script>"""
)
QUESTION = (
    HEAD
    + """
<h1>Let {client} into your account?</h1>
<form method="post" action="/oauth/authorize">{fields}
<label>Account <select name="account">{accounts}</select></label>
<button name="answer" value="allow">Allow</button> <button name="answer" value="deny">Deny</button></form>"""
)


@dataclass(slots=True)
class Grants:
    """Clients that may ask, and codes that were handed out and not used yet."""

    clients: dict[str, str] = field(repr=False)
    random: Random
    codes: dict[str, tuple[str, str, str]] = field(default_factory=dict, repr=False)
    """Code to account, client id and redirect address."""
    spent: set[str] = field(default_factory=set, repr=False)
    """Codes that came to the token endpoint."""

    def grant(self, account: str, client_id: str, redirect_uri: str) -> str:
        """A code, good once."""
        code = f"{self.random.getrandbits(128):032x}"
        self.codes[code] = (account, client_id, redirect_uri)
        return code

    def redeem(self, form: dict[str, str]) -> str | None:
        """The account whose code, client and redirect address are given; None refuses."""
        self.spent.add(form.get("code", ""))
        account, client_id, redirect_uri = self.codes.pop(form.get("code", ""), ("", "", ""))
        secret = self.clients.get(form.get("client_id", ""))
        right = client_id and client_id == form.get("client_id") and redirect_uri == form.get("redirect_uri")
        return account if right and secret is not None and secret == form.get("client_secret") else None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to authorize, as it was asked."""

    client_id: str
    redirect_uri: str
    state: str | None

    @property
    def fields(self) -> dict[str, str]:
        """The members that a form carries on."""
        own = {"client_id": self.client_id, "redirect_uri": self.redirect_uri}
        return own if self.state is None else own | {"state": self.state}


def asked(grants: Grants, query: Mapping[str, str], registered: str | None) -> Asked | None:
    """What is asked; None when it is not to be answered, as nobody may be sent to an address that is not registered."""
    client, back = query.get("client_id", ""), query.get("redirect_uri", "")
    if client not in grants.clients or not back or registered not in {None, back}:
        return None
    return Asked(client, back, query.get("state"))


def granted(grants: Grants, asked: Asked, account: str) -> web.Response:
    """The page that posts `code` and `state` to the redirect address, in the form body as Copper does."""
    return _posting(asked, {"code": grants.grant(account, asked.client_id, asked.redirect_uri)})


def denied(asked: Asked) -> web.Response:
    """The page that posts the refusal there."""
    return _posting(asked, {"error": "access_denied"})


def question(asked: Asked, accounts: Iterable[str]) -> web.Response:
    """The page that asks the customer."""
    options = "".join(f"<option>{html.escape(name)}</option>" for name in accounts)
    page = QUESTION.format(client=html.escape(asked.client_id), fields=_hidden(asked.fields), accounts=options)
    return web.Response(text=page, content_type="text/html")


def refused() -> web.Response:
    """The answer to a request that is none."""
    return web.json_response({"error": "invalid_request"}, status=400)


def _posting(asked: Asked, sent: dict[str, str]) -> web.Response:
    sent |= {} if asked.state is None else {"state": asked.state}
    page = PAGE.format(action=html.escape(asked.redirect_uri), fields=_hidden(sent))
    return web.Response(text=page, content_type="text/html")


def _hidden(members: Mapping[str, str]) -> str:
    return "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in members.items()
    )

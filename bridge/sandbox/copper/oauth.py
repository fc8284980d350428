"""Copper's OAuth endpoints: the authorize page, which posts a form to the redirect address, and the token endpoint.

Called by `server`. Every request to authorize is granted at once; `?account=` says by whom, else the first account.
"""

import html
from dataclasses import dataclass, field
from random import Random

from aiohttp import web

SCOPE = "developer/v1/all"
PAGE = """<!doctype html><title>Copper (sandbox)</title>
<form id="grant" method="post" action="{action}">{fields}<button>Continue</button></form>
<script>document.getElementById("grant").submit()</script>"""


@dataclass(slots=True)
class Grants:
    """Clients that may ask, and codes that were handed out and not used yet."""

    clients: dict[str, str] = field(repr=False)
    random: Random
    codes: dict[str, tuple[str, str, str]] = field(default_factory=dict, repr=False)
    """Code to account, client id and redirect address."""

    def grant(self, account: str, client_id: str, redirect_uri: str) -> str:
        """A code, good once."""
        code = f"{self.random.getrandbits(128):032x}"
        self.codes[code] = (account, client_id, redirect_uri)
        return code

    def redeem(self, form: dict[str, str]) -> str | None:
        """The account whose code, client and redirect address are given; None refuses."""
        account, client_id, redirect_uri = self.codes.pop(form.get("code", ""), ("", "", ""))
        secret = self.clients.get(form.get("client_id", ""))
        right = client_id and client_id == form.get("client_id") and redirect_uri == form.get("redirect_uri")
        return account if right and secret is not None and secret == form.get("client_secret") else None


def authorize(grants: Grants, query: dict[str, str], first_account: str) -> web.Response:
    """The page that posts `code` and `state` to the redirect address, in the form body as Copper does."""
    wrong = query.get("response_type") != "code" or query.get("scope") != SCOPE or not query.get("redirect_uri")
    if wrong or query.get("client_id") not in grants.clients:
        return web.json_response({"error": "invalid_request"}, status=400)
    account = query.get("account", first_account)
    sent = {"code": grants.grant(account, query["client_id"], query["redirect_uri"])}
    if "state" in query:
        sent["state"] = query["state"]
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in sent.items()
    )
    page = PAGE.format(action=html.escape(query["redirect_uri"]), fields=hidden)
    return web.Response(text=page, content_type="text/html")

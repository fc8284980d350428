"""OAuth 2.0 at Copper: where a customer is sent, and a code made a token of. Facts: copper-api.md §2.2.

Used by `bridge.app.connecting`. What is said on the wire is authlib's; the one call is ours. A token never expires and
cannot be refreshed: a new one comes of a new consent only.
"""

import asyncio
from dataclasses import dataclass, field

import aiohttp
import orjson
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request

from bridge.policy.linking import Refused

SCOPE = "developer/v1/all"
"""The only one there is."""
ANSWER_BYTES = 64 * 1024
_REFUSING = range(400, 500)


@dataclass(frozen=True, slots=True)
class Application:
    """The application that Copper has registered for whoever runs the bridge."""

    client_id: str
    client_secret: str = field(repr=False)
    authorize_url: str
    token_url: str
    redirect_uri: str
    """Exactly as registered; the consent arrives there as a form by POST."""


def consent_url(application: Application, state: str) -> str:
    """Where a customer says yes or no."""
    return str(
        prepare_grant_uri(
            application.authorize_url,
            client_id=application.client_id,
            response_type="code",
            redirect_uri=application.redirect_uri,
            scope=SCOPE,
            state=state,
        )
    )


async def redeemed(application: Application, code: str, *, timeout: float) -> str | Refused:  # noqa: ASYNC109 - a setting
    """The access token for a code, which is good once. Takes `timeout` seconds at most, asks once."""
    body = prepare_token_request("authorization_code", code=code, redirect_uri=application.redirect_uri)
    signed = ClientAuth(application.client_id, application.client_secret, "client_secret_post")
    url, headers, body = signed.prepare("POST", application.token_url, {"Accept": "application/json"}, body)
    headers = dict(headers) | {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        async with (
            asyncio.timeout(timeout),
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            status, raw = answer.status, await answer.content.read(ANSWER_BYTES)
    except (TimeoutError, OSError, aiohttp.ClientError):
        return Refused.COPPER_AWAY
    return _token(status, raw)


def _token(status: int, raw: bytes) -> str | Refused:
    if status in _REFUSING and status != 429:  # noqa: PLR2004 - Copper's word for "later"
        return Refused.WRONG_CODE
    try:
        token = orjson.loads(raw)["access_token"]
    except (ValueError, TypeError, KeyError):
        return Refused.COPPER_AWAY
    return token if status < 300 and isinstance(token, str) and token else Refused.COPPER_AWAY  # noqa: PLR2004 - 2xx

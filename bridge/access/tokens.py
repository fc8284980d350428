"""Tokens for SASL/OAUTHBEARER: got for client credentials over HTTPS, kept while they are good.

aiokafka asks for one whenever it opens a connection. authlib makes the request and nothing of it is kept but the token;
neither it nor the secret is in any text. Called by `bridge.access.entry`.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson
from aiokafka.abc import AbstractTokenProvider
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_token_request

import bridge.access.heeding  # noqa: F401 - for its effect on every connection that shows a token
from bridge.access.reasons import NoToken
from bridge.settings import KafkaSecurity

FETCH_SECONDS = 5.0
GOOD_FOR = 0.8
"""Of a token's lifetime: what is left of it may pass on the way to the broker, and between two clocks."""
UNSAID_SECONDS = 60.0
"""A lifetime that the giver does not tell."""
AGAIN_SECONDS = 1.0
"""A refusal, of the giver or of a broker, holds as long: many connections ask at once, and begin again at once."""
LARGEST = 64 * 1024
_CODE = re.compile(r"[a-z_]{1,40}")
_HEADERS = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}


class Tokens(AbstractTokenProvider):  # type: ignore[misc] # aiokafka is untyped
    """The token of one client, for all its connections."""

    def __init__(self, security: KafkaSecurity, clock: Callable[[], float]) -> None:
        """`clock` counts seconds and never goes back."""
        if security.token_url is None or security.client_id is None or security.client_secret is None:
            raise ValueError("settings let no OAUTHBEARER without these through")
        self._url = security.token_url
        self._client = ClientAuth(security.client_id, security.client_secret.get_secret_value())
        self._scope = security.scope
        self._clock = clock
        self._turn = asyncio.Lock()
        self._token = ""
        self._asked_at = self._good_until = float("-inf")
        self._refusal: tuple[float, str] | None = None

    async def token(self) -> str:
        """A token that is good for a while yet; one fetch at a time. Raises `NoToken`."""
        async with self._turn:
            if self._clock() >= self._good_until:
                await self._renew()
            return self._token

    def refused(self) -> None:
        """The broker does not accept the last token, whatever its giver said: the next one is a new one."""
        self._good_until = min(self._good_until, self._asked_at + AGAIN_SECONDS)

    async def _renew(self) -> None:
        if self._refusal is not None and self._clock() < self._refusal[0]:
            raise NoToken(self._refusal[1])
        self._asked_at = self._clock()
        try:
            self._token, lifetime = _read(self._url, *await self._fetch())
        except NoToken as problem:
            self._refusal = (self._clock() + AGAIN_SECONDS, str(problem))
            raise
        self._good_until = self._asked_at + lifetime * GOOD_FOR

    async def _fetch(self) -> tuple[int, bytes]:
        body = prepare_token_request("client_credentials", scope=self._scope)
        try:
            url, headers, body = self._client.prepare("POST", self._url, dict(_HEADERS), body)
            timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                return answer.status, await _bounded(answer.content)
        except aiohttp.ClientConnectorCertificateError:
            why = "its certificate is not one that this system trusts (SSL_CERT_FILE names other authorities)"
        except (aiohttp.ClientError, OSError) as problem:
            why = f"it is not reached ({type(problem).__name__})"
        except UnicodeEncodeError:
            why = "kafka.client_id or kafka.client_secret has characters that no header can hold"
        raise NoToken(f"no token from {self._url}: {why}")


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    body = b""
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > LARGEST:
            break
    return body


def _read(url: str, status: int, body: bytes) -> tuple[str, float]:
    """The token and its seconds of life."""
    said = _object(body)
    token, lifetime = said.get("access_token"), said.get("expires_in", UNSAID_SECONDS)
    if status == HTTPStatus.OK and isinstance(token, str) and token.isascii() and token.isprintable():
        return token, float(lifetime) if str(lifetime).replace(".", "", 1).isdecimal() else UNSAID_SECONDS
    if status == HTTPStatus.OK:
        raise NoToken(f"no token from {url}: its answer holds none; is kafka.token_url the token endpoint?")
    code = said.get("error")
    named = f" {code}" if isinstance(code, str) and _CODE.fullmatch(code) else ""
    raise NoToken(f"no token from {url}: it answers {status}{named}{_WAYS_OUT.get(named.strip(), '')}")


_WAYS_OUT = {
    "invalid_client": "; check kafka.client_id and kafka.client_secret",
    "unauthorized_client": "; the client is to be allowed the grant client_credentials",
    "unsupported_grant_type": "; it is to offer the grant client_credentials",
    "invalid_scope": "; check kafka.scope",
}


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}

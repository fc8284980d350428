"""A giver of tokens: RS256 for client credentials, with the key that brokers check them by (JWKS)."""

import base64
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import BasicAuth, web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

AUDIENCE = "kafka"
ISSUER = "https://idp.example"


class Giver:
    """Give `refuse` an error code to have it answered; `lifetime` is of the tokens to come."""

    def __init__(self, clients: Mapping[str, str]) -> None:
        self._clients = clients
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.url = ""
        self.lifetime = 3600.0
        self.lateness = 0.0
        """How long ago the tokens were made that are given now."""
        self.given = 0
        self.refuse: str | None = None

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    @property
    def keys_url(self) -> str:
        return f"{self.url}/keys"

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form["grant_type"] == "client_credentials"
        who = BasicAuth.decode(request.headers["Authorization"])
        wrong = "invalid_client" if self._clients.get(who.login) != who.password else self.refuse
        if wrong is not None:
            return web.json_response({"error": wrong, "error_description": f"canary {who.password}"}, status=401)
        self.given += 1
        return web.json_response(
            {"access_token": self._signed(who.login), "token_type": "Bearer", "expires_in": self.lifetime}
        )

    def _signed(self, subject: str) -> str:
        made = time.time() - self.lateness
        claims = {"sub": subject, "iss": ISSUER, "aud": AUDIENCE, "iat": int(made), "exp": made + self.lifetime}
        signing = b".".join([_text({"alg": "RS256", "typ": "JWT", "kid": "test"}), _text(claims)])
        signature = self._key.sign(signing, padding.PKCS1v15(), hashes.SHA256())
        return b".".join([signing, _bytes(signature)]).decode()

    async def _keys(self, _request: web.Request) -> web.Response:
        numbers = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "test"}
        return web.json_response({"keys": [key | {"n": _number(numbers.n), "e": _number(numbers.e)}]})

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["Giver"]:
        app = web.Application()
        app.add_routes([web.post("/token", self._token), web.get("/keys", self._keys)])
        app.add_routes([web.post("/nothing", _nothing), web.post("/elsewhere", _elsewhere)])
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


async def _nothing(_request: web.Request) -> web.Response:
    return web.json_response(["no object"])


async def _elsewhere(_request: web.Request) -> web.Response:
    raise web.HTTPFound("/token")


def _bytes(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _text(value: Any) -> bytes:
    return _bytes(orjson.dumps(value))


def _number(value: int) -> str:
    return _bytes(value.to_bytes((value.bit_length() + 7) // 8, "big")).decode()

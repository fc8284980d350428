"""A broker's refusal of a token, which aiokafka 0.14 takes for a welcome.

The broker says it in its answer, without an error code; aiokafka does not look there, and goes on with a connection on
which every request comes back empty. Importing this makes it an error, as for the other mechanisms, and lets the
provider know. Imported by `bridge.access.tokens`. Knows private parts of aiokafka, which is pinned; a test has a token
refused.
"""

from aiokafka import conn
from aiokafka.errors import AuthenticationFailedError


class _Heeding(conn.OAuthAuthenticator):  # type: ignore[misc] # aiokafka is untyped
    async def step(self, payload: bytes | None) -> tuple[bytes, bool] | None:
        if payload:
            if (notice := getattr(self._sasl_oauth_token_provider, "refused", None)) is not None:
                notice()
            raise AuthenticationFailedError("the broker refuses the token")
        said: tuple[bytes, bool] | None = await super().step(payload)
        return said


conn.OAuthAuthenticator = _Heeding

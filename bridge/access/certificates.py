"""Certificates that are read for every connection, so that renewed files count without a restart.

Called by `bridge.access.entry`. Knows the standard library's TLS.
"""

import ssl
from typing import Any

from bridge.settings import KafkaSecurity


class Certificates(ssl.SSLContext):
    """What asyncio is given in place of a context: each connection gets one made of the files as they are then."""

    security: KafkaSecurity

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """Begin the TLS of one connection."""
        return _context(self.security).wrap_bio(*args, **options)


def certificates(security: KafkaSecurity) -> Certificates:
    """A context that reads the files of these settings."""
    context = Certificates(ssl.PROTOCOL_TLS_CLIENT)
    context.security = security
    return context


def _context(security: KafkaSecurity) -> ssl.SSLContext:
    """TLS 1.2 or later, with the broker's certificate and host name checked: there is no way around that."""
    context = ssl.create_default_context(cafile=security.ssl_cafile)
    if security.ssl_certfile is not None:
        context.load_cert_chain(security.ssl_certfile, security.ssl_keyfile, password="")  # an encrypted key: no prompt
    return context

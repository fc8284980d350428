"""Why Kafka cannot be used, in words for the operator: what, and how to mend it. Pure; no setting's value is in them.

Called by `bridge.access.entry` and by whoever is refused something. Knows the errors of TLS, of sockets, of aiokafka.
"""

import ssl
from collections.abc import Iterator

from aiokafka import errors

from bridge.settings import KafkaSecurity

ACLS = "docs/reference/kafka-acls.md lists what it needs"
_WRONG_HOST = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_EXPIRED = {10}
_NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}
_CHECK = "check the port, kafka.security_protocol and kafka.sasl_mechanism"
_DENIED = {
    errors.TopicAuthorizationFailedError: "topic",
    errors.GroupAuthorizationFailedError: "consumer group",
    errors.TransactionalIdAuthorizationFailed: "transactional id",
    errors.ClusterAuthorizationFailedError: "cluster",
}


class NoToken(errors.KafkaError):  # type: ignore[misc] # aiokafka is untyped, and lets only its own errors pass
    """No token was given; the text says by whom, why, and what to do, in one line."""

    retriable = True

    def __str__(self) -> str:
        return str(self.args[0])


def denied(problem: BaseException, doing: str = "use") -> str | None:
    """What an authorizer did not let us do; None for any other error."""
    for kind, resource in _DENIED.items():
        if isinstance(problem, kind):
            named = f" {_names(problem.args[0])}" if problem.args else ""
            return f"Kafka does not let this user {doing} {resource}{named}; {ACLS}"
    return None


def _names(told: object) -> str:
    return ", ".join(sorted(map(str, told))) if isinstance(told, set | list | tuple) else str(told)


def refused(problem: BaseException, security: KafkaSecurity) -> str:
    """Why a connection to a broker could not be opened."""
    return next(filter(None, (_known(each, security) for each in _causes(problem))), type(problem).__name__)


def _causes(problem: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, the cause first: it knows more."""
    if problem.__cause__ is not None:
        yield from _causes(problem.__cause__)
    yield problem


def _known(problem: BaseException, security: KafkaSecurity) -> str | None:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return _certificate(problem)
    if isinstance(problem, ssl.SSLError):
        return _tls(problem.reason or "", security)
    if isinstance(problem, errors.UnsupportedSaslMechanismError):
        return f"it does not offer {security.sasl_mechanism} there: check kafka.sasl_mechanism and the port"
    if isinstance(problem, errors.SaslAuthenticationFailed | errors.AuthenticationFailedError):
        return _not_accepted(security)
    if isinstance(problem, errors.KafkaConnectionError | ConnectionResetError | EOFError):
        return f"it closes the connection: {_CHECK}"
    return _unreached(problem)


def _not_accepted(security: KafkaSecurity) -> str:
    if security.sasl_mechanism == "OAUTHBEARER":
        return "it does not accept the token: check its audience, issuer and lifetime, and the brokers' clock"
    return f"it does not accept kafka.username and kafka.password ({security.sasl_mechanism})"


def _tls(reason: str, security: KafkaSecurity) -> str:
    """`reason` is OpenSSL's; brokers tell what they think of a client's certificate by an alert."""
    if reason in _NO_TLS:
        return f"it speaks no TLS there: {_CHECK}"
    if "CERTIFICATE" not in reason and "UNKNOWN_CA" not in reason:
        return f"TLS fails ({reason})"
    if security.ssl_certfile is None:
        return "it asks for a certificate of ours: set kafka.ssl_certfile and kafka.ssl_keyfile"
    return f"it does not accept the certificate in kafka.ssl_certfile ({reason})"


def _certificate(problem: ssl.SSLCertVerificationError) -> str:
    if problem.verify_code in _WRONG_HOST:
        return "its certificate is for another name: write the brokers' names as their certificates have them"
    if problem.verify_code in _EXPIRED:
        return "its certificate has expired"
    return "its certificate is signed by nobody trusted: set kafka.ssl_cafile to its authority's certificate"


def _unreached(problem: BaseException) -> str | None:
    if isinstance(problem, TimeoutError):
        return "it does not answer in time"
    if isinstance(problem, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(problem, OSError):
        return f"it is not reached ({type(problem).__name__})"
    return str(problem) if isinstance(problem, NoToken) else None

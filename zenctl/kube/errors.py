"""Translate what an API server, a proxy or the network answers into the errors of zenctl, once.

Bodies that are no Kubernetes Status are never quoted: a proxy's HTML page may be long, and may hold
what nobody should log. Nothing outside this package sees a library's exception.
"""

from __future__ import annotations

from typing import Any

import msgspec

from zenctl.core.objects import Metadata, ObjectKey
from zenctl.core.text import printable
from zenctl.errors import (
    ApiFailure,
    Conflict,
    Denied,
    Expired,
    Invalid,
    NotFound,
    Throttled,
    Unreachable,
    ZenctlError,
)

_LONGEST_MESSAGE = 500
_UNKNOWN_PATH = b"404 page not found"

NOT_DECODED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding foreign JSON may raise: not JSON or not of the type, not UTF-8, nested without end."""


class _StatusMetadata(msgspec.Struct, frozen=True, rename={"continue_": "continue"}):
    continue_: str = ""


class _Status(msgspec.Struct, frozen=True):
    kind: str = ""
    message: str = ""
    reason: str = ""
    metadata: _StatusMetadata = _StatusMetadata()


def failure(status: int, body: bytes, *, doing: str) -> ZenctlError:
    """Return the error that an HTTP status other than 2xx means; ``doing`` names verb and object."""
    answer = _status_of(body)
    doing, reason = printable(doing), printable(answer.reason) if answer else ""
    cause = printable(answer.message)[:_LONGEST_MESSAGE] if answer else ""
    cause = cause or f"HTTP {status} without a word from Kubernetes, so perhaps from a proxy"
    message = f"cannot {doing}: {cause}"
    if status == 401:
        return Denied(
            f"cannot {doing}: the API server does not accept these credentials (401)",
            hint="log in again or renew the token, and check that --context names the cluster you mean",
        )
    if status == 403:
        return Denied(message, hint="ask for a role that allows it, or use another context or --as")
    if status == 429:
        hint = "the API server is overloaded; try again later"
        return Throttled(message, status=status, reason=reason, hint=hint)
    if status == 413 or (answer and status in (400, 422)):
        return Invalid(message, status=status, reason=reason)
    if answer and status == 410:
        expired = Expired(message, status=status, reason=reason)
        expired.continue_token = answer.metadata.continue_
        return expired
    if answer and status == 409:
        return Conflict(message, status=status, reason=reason)
    # The API server says so of a group or resource that it does not serve; anybody else's 404 says nothing.
    if status == 404 and (answer or body.strip() == _UNKNOWN_PATH):
        return NotFound(message, status=status, reason=reason)
    return ApiFailure(message, status=status, reason=reason, hint=_answer_hint(status))


def _answer_hint(status: int) -> str:
    if status < 400:
        return "the server wants to send us elsewhere, as a proxy's login page does; check the context's server"
    if status < 500:
        return "check that the context's server is an API server and not a proxy"
    return "try again; if it stays, look at the API server's own log"


def not_kubernetes(doing: str) -> ApiFailure:
    """Return the error for an answer of 2xx that is not what an API server sends there."""
    return ApiFailure(
        f"cannot {printable(doing)}: the answer is not what an API server sends",
        status=200,
        hint="check that the context's server is an API server and not a proxy's login page",
    )


class _Named(msgspec.Struct, frozen=True):
    metadata: Metadata = Metadata()


def strange_object(raw: msgspec.Raw, cause: BaseException, *, doing: str) -> ApiFailure:
    """Return the error for an object whose fields are of other types than its kind has."""
    try:
        metadata = msgspec.json.decode(raw, type=_Named).metadata
        name = str(ObjectKey(metadata.namespace, metadata.name)) or "one object"
    except NOT_DECODED:
        name = "one object"
    return ApiFailure(printable(f"cannot {doing}: {name} is not as its kind should be: {cause}"), status=200)


def _status_of(body: bytes) -> _Status | None:
    try:
        answer = msgspec.json.decode(body, type=_Status)
    except NOT_DECODED:
        return None
    return answer if answer.kind == "Status" else None


def unreachable(host: str, cause: BaseException, *, doing: str) -> Unreachable:
    """Return the error for a request that got no answer at all."""
    said = _plain_cause(cause)
    return Unreachable(
        f"cannot {printable(doing)}: no answer from {printable(host)}: {said}", hint=_network_hint(said)
    )


# The first sign that is found counts: a proxy's before the network's, the particular before the general.
_CAUSES = (
    ("Tunnel connection failed", "the proxy refused the tunnel"),
    ("Unable to connect to proxy", "the proxy cannot be reached"),
    ("Hostname mismatch", "its certificate is for another host name"),
    ("IP address mismatch", "its certificate is for another host name"),
    ("certificate has expired", "its certificate has expired"),
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted"),
    ("NO_CERTIFICATE_OR_CRL_FOUND", "no certificate in the certificate-authority that should vouch for it"),
    ("PEM lib", "our client certificate or key cannot be read"),
    ("CERTIFICATE_REQUIRED", "it demands a client certificate"),
    ("ALERT_", "it refused our TLS greeting or client certificate"),
    ("WRONG_VERSION_NUMBER", "it does not speak TLS"),
    ("RECORD_LAYER_FAILURE", "it does not speak TLS"),
    ("Connection refused", "connection refused"),
    ("No route to host", "no route to host"),
    ("Network is unreachable", "network is unreachable"),
    ("Name or service not known", "its name cannot be resolved"),
    ("Temporary failure in name resolution", "its name cannot be resolved"),
    ("nodename nor servname", "its name cannot be resolved"),
    ("Failed to resolve", "its name cannot be resolved"),
    ("connect timeout", "connecting timed out"),
    ("Connect timed out", "connecting timed out"),
    ("Read timed out", "it did not answer in time"),
    ("Connection reset", "it reset the connection"),
    ("Remote end closed", "it closed the connection"),
    ("IncompleteRead", "it cut its answer off"),
    ("Connection broken", "it cut its answer off"),
)


def _plain_cause(cause: BaseException) -> str:
    """Return a network library's nested complaint in a few words."""
    text = str(cause)
    found = next((words for sign, words in _CAUSES if sign in text), "")
    return found or printable(f"{type(cause).__name__}: {text}")[:200]


def _network_hint(said: str) -> str:
    if "proxy" in said:
        return "check proxy-url in your kubeconfig, and HTTPS_PROXY and NO_PROXY"
    if "client certificate" in said:
        return "check client-certificate and client-key of the user in your kubeconfig"
    if "certificate" in said:
        return "check certificate-authority and tls-server-name of the cluster in your kubeconfig"
    if said in ("connecting timed out", "it did not answer in time"):
        return "check the network or VPN, or allow more with --request-timeout"
    return "check that the cluster is up and that --context names the one you mean"


class _StatusBody(msgspec.Struct, frozen=True):
    """A Status object inside a watch event of type ERROR."""

    code: int = 500
    message: str = ""


def watch_failure(raw: Any, *, doing: str) -> ZenctlError:
    """Return the error that an ERROR event in a watch stream means."""
    body = bytes(raw)
    try:
        code = msgspec.json.decode(body, type=_StatusBody).code
    except NOT_DECODED:
        code = 500
    return failure(code, body, doing=doing)

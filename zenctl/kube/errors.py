"""Translate what an API server, a proxy or the network answers into the errors of zenctl, once.

Bodies that are no Kubernetes Status are never quoted: a proxy's HTML page may be long, and may hold
what nobody should log. Nothing outside this package sees a library's exception.
"""

from __future__ import annotations

from typing import Any

import msgspec

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


class _StatusMetadata(msgspec.Struct, frozen=True, rename={"continue_": "continue"}):
    continue_: str = ""


class _Status(msgspec.Struct, frozen=True):
    kind: str = ""
    message: str = ""
    reason: str = ""
    metadata: _StatusMetadata = _StatusMetadata()


def failure(status: int, body: bytes, *, doing: str) -> ZenctlError:
    """Return the error that an HTTP status of 400 or more means; ``doing`` names verb and object."""
    answer = _status_of(body)
    said = printable(answer.message)[:_LONGEST_MESSAGE] if answer else ""
    reason = answer.reason if answer else ""
    cause = said or f"HTTP {status}, and not from a Kubernetes API server"
    if status == 401:
        return Denied(
            f"cannot {doing}: the API server does not accept these credentials (401)",
            hint="log in again or renew the token, and check that --context names the cluster you mean",
        )
    if status == 403:
        return Denied(
            f"cannot {doing}: {cause}", hint="ask for a role that allows it, or use another context or --as"
        )
    message = f"cannot {doing}: {cause}"
    if status == 410:
        expired = Expired(message, status=status, reason=reason)
        expired.continue_token = answer.metadata.continue_ if answer else ""
        return expired
    match status:
        case 404:
            return NotFound(message, status=status, reason=reason)
        case 409:
            return Conflict(message, status=status, reason=reason)
        case 429:
            return Throttled(
                message, status=status, reason=reason, hint="the API server is overloaded; try again later"
            )
        case 400 | 413 | 422:
            return Invalid(message, status=status, reason=reason)
        case _:
            return ApiFailure(
                message, status=status, reason=reason, hint="try again; if it stays, look at the API server's own log"
            )


def _status_of(body: bytes) -> _Status | None:
    try:
        answer = msgspec.json.decode(body, type=_Status)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return answer if answer.kind == "Status" else None


def unreachable(host: str, cause: BaseException, *, doing: str) -> Unreachable:
    """Return the error for a request that got no answer at all."""
    said = _plain_cause(cause)
    return Unreachable(f"cannot {doing}: no answer from {host}: {said}", hint=_network_hint(said))


def _plain_cause(cause: BaseException) -> str:
    """Return a network library's nested complaint in a few words."""
    text = str(cause)
    for sign, words in (
        ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted"),
        ("Hostname mismatch", "its certificate is for another host name"),
        ("WRONG_VERSION_NUMBER", "it does not speak TLS"),
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
        ("Tunnel connection failed", "the proxy refused the tunnel"),
        ("Unable to connect to proxy", "the proxy cannot be reached"),
    ):
        if sign in text:
            return words
    return printable(f"{type(cause).__name__}: {text}")[:200]


def _network_hint(said: str) -> str:
    if "certificate" in said:
        return "check certificate-authority and tls-server-name of the cluster in your kubeconfig"
    if "time" in said:
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
    except msgspec.MsgspecError:
        code = 500
    return failure(code, body, doing=doing)

"""The way to a Pushgateway: one POST, with the standard library, which knows the environment's proxies.

An address may carry a user and a password. They go into a header, and never into a message.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from zenctl.core.text import printable
from zenctl.errors import Denied, Unreachable, UsageError

_LONGEST_COMPLAINT_BYTES = 1_000


class PushClient:
    """A Pushgateway at an address; satisfies zenctl.unattended.metrics.Push."""

    def __init__(self, address: str, *, timeout_seconds: float) -> None:
        """Raises UsageError for an address that is none."""
        parts = _split(address)
        self._base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        self._headers = {"Content-Type": "text/plain; version=0.0.4", **_authorization(parts)}
        self._timeout_seconds = timeout_seconds

    def post(self, path: str, body: bytes) -> None:
        """Send metrics to a group. Raises Denied, Unreachable."""
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.request import HTTPRedirectHandler, Request, build_opener

        class Strict(HTTPRedirectHandler):
            """Follows nothing: a POST that is sent elsewhere becomes a GET, and its success means nothing."""

            def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
                return None

        # The scheme is http or https: see _split.
        request = Request(self._base + path, data=body, headers=self._headers, method="POST")  # noqa: S310
        try:
            with build_opener(Strict).open(request, timeout=self._timeout_seconds) as answer:
                answer.read(_LONGEST_COMPLAINT_BYTES)
        except HTTPError as error:
            with error:
                said = printable(error.read(_LONGEST_COMPLAINT_BYTES).decode(errors="replace").strip())
            kind = Denied if error.code in (401, 403) else Unreachable
            raise kind(f"cannot push metrics to {self._base}: {error.code} {said}".rstrip()) from error
        except (OSError, HTTPException) as error:
            why = printable(str(getattr(error, "reason", "") or error))
            raise Unreachable(f"cannot push metrics to {self._base}: {why}") from error


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
        usable = usable and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or not address.isprintable() or " " in address:
        # Not quoted: it may hold a password.
        raise UsageError("the address of the Pushgateway is no URL", hint="write it as http://pushgateway:9091")
    return parts


def _authorization(parts: SplitResult) -> Mapping[str, str]:
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

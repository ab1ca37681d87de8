"""One HTTP client for an API server: authentication, retries, timeouts, and errors translated once.

What may be repeated: reads, and writes that name their object and carry preconditions or a fixed name,
because doing them twice cannot double anything; the second answer then is a conflict or "not found",
which the caller interprets (``repeated`` tells it). That is every request that zenctl makes.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from zenctl.errors import ApiFailure, ZenctlError
from zenctl.kube.errors import failure, unreachable
from zenctl.kube.transport import Transport

_LOG = logging.getLogger(__name__)

CONNECT_TIMEOUT_SECONDS = 10.0
_ATTEMPTS = 6
_FIRST_CONTACT_ATTEMPTS = 2
_BACKOFF_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 10.0
_LONGEST_RETRY_AFTER_SECONDS = 60.0
_REPEATABLE = frozenset({429, 500, 502, 503, 504})
_UNDER_PRESSURE = frozenset({429, 503, 504})
_STREAM_CHUNK_BYTES = 64 * 1024
_LONGEST_COMPLAINT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Response:
    """A successful answer. ``repeated`` says that an earlier attempt may have been carried out too."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    repeated: bool = False


@dataclass(slots=True)
class Pressure:
    """Counts how often the server asked for patience; the worker pool slows down when it grows."""

    count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rise(self) -> None:
        """Note one more sign of overload."""
        with self._lock:
            self.count += 1


class Client:
    """Sends requests over a Transport; safe to use from several threads."""

    def __init__(
        self,
        connection: Transport,
        *,
        timeout_seconds: float,
        user_agent: str,
        attempts: int = _ATTEMPTS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = connection
        self._timeout_seconds = timeout_seconds
        self._user_agent = user_agent
        self._attempts = attempts
        self.sleep = sleep
        self._answered = False
        self.pressure = Pressure()
        self.requests = 0

    def send(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        body: bytes | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Response:
        """Send a request and return its answer; ``doing`` completes the sentence "cannot ..." in errors.

        Raises the errors of zenctl.errors for a status other than 2xx and for no answer at all.
        """
        headers = {"Accept": accept, "User-Agent": self._user_agent}
        if body is not None:
            headers["Content-Type"] = content_type
        repeated, attempt, renewed = False, 0, False
        while True:
            attempt += 1
            generation = self._connection.generation
            outcome = self._attempt(method, path, body, headers, doing)
            if isinstance(outcome, Response):
                self._answered = True
                if 200 <= outcome.status < 300:
                    return Response(outcome.status, outcome.headers, outcome.body, repeated)
                if outcome.status == 401 and not renewed:
                    self._connection.renew(generation)
                    renewed = True
                    continue
            wait = self._wait_seconds(outcome, attempt)
            if wait is None:
                raise _error(outcome, doing, repeated=repeated)
            repeated = repeated or not (isinstance(outcome, Response) and outcome.status == 429)
            self.sleep(wait)

    def stream(self, path: str, *, doing: str, read_timeout_seconds: float) -> Generator[bytes, None, None]:
        """GET a path whose answer never ends by itself, in chunks.

        Raises like send, but repeats nothing except a 401, with renewed credentials, before the first chunk.
        """
        import urllib3

        headers = {"Accept": "application/json", "User-Agent": self._user_agent}
        renewed = False
        try:
            while True:
                generation = self._connection.generation
                with closing(
                    self._open("GET", path, None, headers, preload=False, read_timeout_seconds=read_timeout_seconds)
                ) as answer:
                    if answer.status == 200:
                        yield from answer.stream(_STREAM_CHUNK_BYTES, decode_content=True)
                        return
                    if answer.status in _UNDER_PRESSURE:
                        self.pressure.rise()
                    if answer.status != 401 or renewed:
                        raise failure(answer.status, answer.read(_LONGEST_COMPLAINT_BYTES), doing=doing)
                self._connection.renew(generation)
                renewed = True
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise unreachable(self._connection.host, error, doing=doing) from error

    def close(self) -> None:
        """Close every idle connection."""
        self._connection.close()

    def _attempt(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], doing: str
    ) -> Response | ZenctlError:
        import urllib3

        began = time.monotonic()
        try:
            answer = self._open(method, path, body, headers, preload=True, read_timeout_seconds=self._timeout_seconds)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            _LOG.debug("%s %s: %s after %.0f ms", method, path, type(error).__name__, _since_ms(began))
            return unreachable(self._connection.host, error, doing=doing)
        _LOG.debug("%s %s: %d in %.0f ms", method, path, answer.status, _since_ms(began))
        if answer.status in _UNDER_PRESSURE:
            self.pressure.rise()
        return Response(answer.status, answer.headers, answer.data)

    def _open(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        preload: bool,
        read_timeout_seconds: float,
    ) -> Any:
        import urllib3

        self.requests += 1
        lines = urllib3.HTTPHeaderDict(headers)
        for name, value in self._connection.headers():
            lines.add(name, value)
        return self._connection.urlopen(
            method,
            path,
            lines,
            body=body,
            preload_content=preload,
            timeout=urllib3.Timeout(
                connect=min(CONNECT_TIMEOUT_SECONDS, self._timeout_seconds), read=read_timeout_seconds
            ),
        )

    def _wait_seconds(self, outcome: Response | ZenctlError, attempt: int) -> float | None:
        """Return how long to wait before the next attempt; None where there should be none."""
        if attempt >= (self._attempts if self._answered else min(self._attempts, _FIRST_CONTACT_ATTEMPTS)):
            return None
        backoff: float = min(_BACKOFF_SECONDS * 2.0 ** (attempt - 1), _LONGEST_WAIT_SECONDS)
        jittered = backoff * (0.5 + random.random())  # so that many clients do not come back as one
        if not isinstance(outcome, Response):
            return jittered
        if outcome.status not in _REPEATABLE:
            return None
        asked = retry_after_seconds(outcome.headers)
        if asked is None:
            return jittered
        return asked + jittered if asked <= _LONGEST_RETRY_AFTER_SECONDS else None


def _since_ms(began: float) -> float:
    return (time.monotonic() - began) * 1000


def _error(outcome: Response | ZenctlError, doing: str, *, repeated: bool) -> ZenctlError:
    error = failure(outcome.status, outcome.body, doing=doing) if isinstance(outcome, Response) else outcome
    if isinstance(error, ApiFailure):
        error.repeated = repeated
    return error


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3): seconds, or a date that is measured against the Date header."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        then, now = (parse_date(text) for text in (value, headers.get("Date", "")))
        return max(0.0, (then - now).total_seconds())
    except ValueError:
        return None


def parse_date(text: str) -> datetime:
    """Return the instant of an HTTP date, in UTC. Raises ValueError."""
    try:
        parsed = parsedate_to_datetime(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise ValueError(f"{text!r} is no HTTP date") from error

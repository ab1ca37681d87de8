"""What a client needs of the way into a cluster, and the way that is only a call.

A Connection goes over HTTP. ``InProcess`` hands requests to a function, such as that of an embedded API server,
and gives answers the shape that the HTTP library gives them; mishaps that the function asks for are committed here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

_LONGEST_SILENCE_SECONDS = 1.0


class Transport(Protocol):
    """A way into one cluster."""

    @property
    def host(self) -> str:
        """The server's URL, for messages."""

    @property
    def generation(self) -> int:
        """How often the credentials were loaded anew; hand it to renew."""

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the headers that authenticate and impersonate."""

    def renew(self, generation: int) -> None:
        """Load the credentials again after a 401."""

    def urlopen(self, method: str, path: str, headers: Any, **options: Any) -> Any:
        """Send one request; return an answer as urllib3 gives it."""

    def close(self) -> None:
        """Close every idle connection."""


class _Mishap(Protocol):
    @property
    def delay_seconds(self) -> float: ...
    @property
    def cut_after_bytes(self) -> int | None: ...


class _Stream(Protocol):
    def take(self) -> bytes | None: ...
    def wait_for_more(self, wake: Callable[[], None]) -> None: ...
    def close(self) -> None: ...


class Reply(Protocol):
    """What the function answers: all at once, or as a stream."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The header lines."""

    @property
    def body(self) -> bytes:
        """The body, where it comes all at once."""

    @property
    def stream(self) -> _Stream | None:
        """The body, where it goes on."""

    @property
    def mishap(self) -> _Mishap | None:
        """What is to go wrong on the way."""


Call = Callable[[str, str, Sequence[tuple[str, str]], bytes], Reply]
"""Method, request target, header lines, body."""


class InProcess:
    """A way into a cluster that lives in this process; satisfies Transport."""

    generation = 0

    def __init__(self, call: Call, *, token: str = "", impersonation: Iterable[tuple[str, str]] = ()) -> None:
        self._call = call
        self._lines = tuple(impersonation)
        if token:
            self._lines += (("Authorization", f"Bearer {token}"),)

    @property
    def host(self) -> str:
        """What messages call it."""
        return "the embedded cluster"

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the headers that authenticate and impersonate."""
        return self._lines

    def renew(self, generation: int) -> None:
        """Do nothing: the credentials are what they are."""

    def close(self) -> None:
        """Do nothing: there are no connections."""

    def urlopen(self, method: str, path: str, headers: Any, **options: Any) -> Answer:
        """Make the call, once; raise what urllib3 raises where a mishap cuts the answer off."""
        from urllib3.exceptions import ProtocolError

        reply = self._call(method, path, tuple(headers.items()), options.get("body") or b"")
        mishap = reply.mishap
        if mishap is not None:
            time.sleep(mishap.delay_seconds)
            if mishap.cut_after_bytes is not None and (reply.stream is None or not mishap.cut_after_bytes):
                if reply.stream is not None:
                    reply.stream.close()
                raise ProtocolError("Connection broken: the call was cut off")
        return Answer(reply, mishap.cut_after_bytes if mishap else None, options["timeout"].read_timeout)


class Answer:
    """An answer of urllib3's shape."""

    def __init__(self, reply: Reply, cut_after_bytes: int | None, silence_seconds: float) -> None:
        from urllib3 import HTTPHeaderDict

        self._reply, self._cut_after_bytes, self._silence_seconds = reply, cut_after_bytes, silence_seconds
        self.status = reply.status
        self.headers = HTTPHeaderDict(reply.headers)
        self.data = reply.body

    def read(self, amount: int | None = None) -> bytes:
        """Return the body, or its beginning."""
        return self.data[:amount]

    def stream(self, _amount: int, *, decode_content: bool = False) -> Iterator[bytes]:  # noqa: ARG002
        """Yield what the server says, as it says it."""
        from urllib3 import exceptions

        source = self._reply.stream
        if source is None:
            yield self.data
            return
        more, sent, spoke = threading.Event(), 0, time.monotonic()
        while (data := source.take()) is not None:
            if not data and time.monotonic() - spoke > self._silence_seconds:
                source.close()
                raise exceptions.TimeoutError("Read timed out.")
            if data:
                allowed = None if self._cut_after_bytes is None else self._cut_after_bytes - sent
                yield data[:allowed]
                sent += len(data)
                if allowed is not None and len(data) > allowed:
                    source.close()
                    raise exceptions.ProtocolError("Connection broken: the call was cut off")
                spoke = time.monotonic()
            more.clear()
            source.wait_for_more(more.set)
            more.wait(_LONGEST_SILENCE_SECONDS)

    def close(self) -> None:
        """End the stream, if it is one."""
        if self._reply.stream is not None:
            self._reply.stream.close()

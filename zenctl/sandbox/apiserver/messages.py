"""Requests and responses as the core sees them; what carries them (HTTP, or a call) is a transport's business."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

import msgspec

JSON = "application/json"
YAML = "application/yaml"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Header names are lower case; a header that came several times has several values."""

    method: str
    path: str
    """Percent-decoded, without the query."""
    query: Mapping[str, str] = field(default_factory=dict)
    """The last value of each parameter."""
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def of(
        cls, method: str, target: str, headers: Mapping[str, tuple[str, ...]] | None = None, body: bytes = b""
    ) -> Request:
        """Read a request target as it stands in a request line: path and query."""
        path, _, query = target.partition("?")
        return cls(method, unquote(path), dict(parse_qsl(query, keep_blank_values=True)), headers or {}, body)

    def header(self, name: str) -> str:
        """Return the first value of a header, "" where there is none."""
        return next(iter(self.headers.get(name, ())), "")


class Stream(Protocol):
    """A body that goes on: a watch. Any thread may call it."""

    def take(self) -> bytes | None:
        """Return what has come since the last call (b"" for nothing yet), or None where the stream has ended."""

    def wait_for_more(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread and soon, when take has something to say; at once where it has."""

    def close(self) -> None:
        """Forget the stream; take then returns None."""

    @property
    def timeout_seconds(self) -> float | None:
        """How long the client wants it; None where it did not say."""


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. What a transport is to do with it beside sending it stands in ``mishap``."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    stream: Stream | None = None
    mishap: Mishap | None = None


@dataclass(frozen=True, slots=True)
class Mishap:
    """A fault that only a transport can commit."""

    delay_seconds: float = 0.0
    cut_after_bytes: int | None = None
    """Break the connection after so many bytes of the body; 0 sends nothing at all."""


def json_response(status: int, document: Any) -> Response:
    """Return a response with a JSON document."""
    return Response(status, msgspec.json.encode(document))

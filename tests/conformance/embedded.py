"""The sandbox as a target: called in this process, and over HTTP with TLS."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from tests.conformance.api import (
    STREAM_SECONDS,
    Answer,
    Document,
    Headers,
    HttpApi,
    NothingCame,
    complete_headers,
    encoded,
)
from zenctl.access.identity import ALWAYS_ALLOWED_GROUP, User
from zenctl.sandbox.apiserver.messages import Response, Stream
from zenctl.sandbox.apiserver.server import ApiServer, Options

TOKEN = "the-administrator's"


def utc_now() -> datetime:
    return datetime.now(UTC)


def sandbox(**options: int) -> ApiServer:
    """Return a new sandbox whose administrator has TOKEN."""
    server = ApiServer(utc_now, Options(**options))
    server.tokens.add(TOKEN, User("admin", (ALWAYS_ALLOWED_GROUP,)))
    return server


class InProcessApi:
    """An ApiServer by plain calls; satisfies Api."""

    def __init__(self, server: ApiServer, token: str = TOKEN) -> None:
        self._server, self._token = server, token

    def request(
        self, method: str, path: str, body: object = None, *, headers: Headers | None = None, token: str | None = None
    ) -> Answer:
        """See Api."""
        response = self._call(method, path, body, headers, token)
        if response.stream is not None:
            events = [json.dumps(event) + "\n" for event in _events(response.stream, STREAM_SECONDS)]
            return Answer(response.status, {"content-type": response.content_type}, "".join(events).encode())
        received: dict[str, str] = {"content-type": response.content_type}
        for name, value in response.headers:
            key = name.lower()
            received[key] = f"{received[key]}, {value}" if key in received else value
        return Answer(response.status, received, response.body)

    @contextlib.contextmanager
    def stream(
        self, path: str, *, headers: Headers | None = None, seconds: float = STREAM_SECONDS
    ) -> Iterator[Iterator[Document]]:
        """See Api."""
        response = self._call("GET", path, None, headers, None)
        assert response.stream is not None, f"{response.status} {response.body!r} to {path}"
        with closing(response.stream):
            yield _events(response.stream, seconds)

    def _call(self, method: str, path: str, body: object, headers: Headers | None, token: str | None) -> Response:
        data = encoded(body)
        lines = complete_headers(headers, has_body=data is not None, token=self._token if token is None else token)
        return self._server.call(method, path, lines, data or b"")


def _events(stream: Stream, seconds: float) -> Iterator[Document]:
    more = threading.Event()
    deadline = time.monotonic() + seconds
    while (data := stream.take()) is not None:
        for line in data.splitlines():
            yield json.loads(line)
            deadline = time.monotonic() + seconds
        more.clear()
        stream.wait_for_more(more.set)
        if time.monotonic() > deadline:
            raise NothingCame(f"no event within {seconds:g} s")
        more.wait(min(0.5, seconds))


@contextlib.contextmanager
def over_http(server: ApiServer) -> Iterator[HttpApi]:
    """Serve a sandbox over TLS, and give its API."""
    from zenctl.sandbox.certificates import server_tls
    from zenctl.sandbox.http import serving

    tls, authority = server_tls("127.0.0.1", utc_now())
    with (
        serving(server.handle, tls=tls) as url,
        closing(HttpApi(url, ssl.create_default_context(cadata=authority.decode()), TOKEN)) as api,
    ):
        yield api


@pytest.fixture
def embedded() -> InProcessApi:
    """Give a fresh sandbox by calls."""
    return InProcessApi(sandbox())

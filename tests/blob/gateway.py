"""A gateway in front of a store's server that misbehaves on demand. No test belongs in here.

It passes requests on, records them, and lets a hook answer instead, cut the connection before, within or after
the exchange, or change the question. It is plain HTTP/1.1 on both sides, and knows nothing of any store.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length", "date", "server"}


@dataclass(slots=True)
class Asked:
    """One request; ``sent_bytes`` is how long the body was that went back to the client."""

    method: str
    target: str
    headers: dict[str, str]
    sent_bytes: int = 0
    status: int = 0

    @property
    def path(self) -> str:
        """The path without its query."""
        return urlsplit(self.target).path

    @property
    def what(self) -> str:
        """What a request of S3 is about, in a word."""
        query = urlsplit(self.target).query
        if "uploads" in query and self.method == "POST":
            return "begin"
        if "partNumber=" in query:
            return "part"
        if "uploadId=" in query:
            return {"POST": "complete", "DELETE": "abort"}[self.method]
        if "list-type" in query:
            return "list"
        return {"GET": "get", "HEAD": "head", "PUT": "put", "DELETE": "delete"}[self.method]


@dataclass(frozen=True, slots=True)
class Do:
    """What the gateway does with a request instead of passing it on as it is.

    ``cut`` is where the connection ends: "before" the body was read, "unanswered" after the server did what it was
    asked, "within" the body of the answer.
    """

    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: str = ""
    wait: threading.Event | None = None
    more_headers: dict[str, str] = field(default_factory=dict)


def refusal(status: int, code: str) -> Do:
    """Return an answer with an XML error, as S3 and Azure give them."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>told so, secret-text</Message></Error>"
    return Do(status, body.encode(), {"Content-Type": "application/xml"})


Hook = Callable[[Asked], Do | None]


class Gateway:
    """The gateway; ``hook`` decides about each request, ``asked`` are all there were."""

    def __init__(self, target: str) -> None:
        self.hook: Hook = lambda _: None
        self.asked: list[Asked] = []
        self.target = urlsplit(target).netloc
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="gateway")
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, what: str, do: Do, *, times: int | None = None, after: int = 0) -> None:
        """Do this to requests of a kind: all of them, or so many, after so many were let pass."""
        seen = 0
        lock = threading.Lock()

        def hook(asked: Asked) -> Do | None:
            nonlocal seen
            if what not in (asked.what, "any"):
                return None
            with lock:
                seen += 1
                place = seen - after
            return do if place > 0 and (times is None or place <= times) else None

        self.hook = hook

    def heal(self) -> None:
        """Pass everything on again."""
        self.hook = lambda _: None

    def count(self, what: str) -> int:
        """Return how many requests of a kind there were."""
        return sum(asked.what == what for asked in self.asked)

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    owner: Gateway
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: broken connections are what the tests are about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def handle_any(self) -> None:
        owner = self.server.owner
        asked = Asked(self.command, self.path, dict(self.headers.items()))
        owner.asked.append(asked)
        do = owner.hook(asked) or Do()
        if do.wait is not None:
            do.wait.wait(30)
        if do.cut == "before":
            self.rfile.read(min(1000, int(self.headers.get("Content-Length") or 0)))
            self._drop()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if do.status:
            status, headers, data = do.status, dict(do.headers), do.body
        else:
            status, headers, data = self._passed_on(body, do)
        if do.cut == "unanswered":
            self._drop()
            return
        asked.status, asked.sent_bytes = status, 0 if self.command == "HEAD" else len(data)
        self.send_response_only(status)
        headers.setdefault("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if do.cut == "within" else data)
        self.wfile.flush()
        if do.cut == "within":
            self._drop()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - the names are the library's

    def _passed_on(self, body: bytes, do: Do) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.server.owner.target, timeout=30)
        with contextlib.closing(connection):
            connection.request(self.command, self.path, body, {**dict(self.headers.items()), **do.more_headers})
            answer = connection.getresponse()
            data = answer.read()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
            if self.command == "HEAD" and (length := answer.getheader("Content-Length")):
                headers["Content-Length"] = length
            return answer.status, headers, data

    def _drop(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):  # a reset instead of an orderly end
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def gateway_to(url: str) -> Iterator[Gateway]:
    """Run a gateway for a while."""
    gateway = Gateway(url)
    try:
        yield gateway
    finally:
        gateway.close()

"""A scripted HTTP server for tests: it answers what it was told to, in order, and records what it was asked.

It speaks HTTP/1.1 with keep-alive, plainly or over TLS with certificates by the program ``openssl``, and can
cut answers off, reset connections and wait. It knows nothing of Kubernetes and asserts nothing.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.cluster.controlplane import Authority

LOCALHOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived: ``lines`` are all its header lines in order."""

    method: str
    target: str
    lines: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def path(self) -> str:
        """The path without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query; of repeated names the last."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}

    def header(self, name: str) -> str | None:
        """Return a header's value; None where there is none."""
        values = self.headers(name)
        return values[0] if values else None

    def headers(self, name: str) -> list[str]:
        """Return the values of all header lines of a name."""
        return [value for known, value in self.lines if known.lower() == name.lower()]


@dataclass(frozen=True, slots=True)
class Answer:
    """What to do with one request.

    ``cut`` ends the connection after so many bytes of the body, though more were announced; ``reset`` drops it
    before any answer; ``wait`` is held until the event is set, as a server does that takes its time;
    ``chunks`` send the body in chunked encoding, piece by piece, and ``cut`` then leaves the end away.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    chunks: Sequence[bytes] | None = None
    cut: int | None = None
    reset: bool = False
    wait: threading.Event | None = None


Script = Answer | Callable[[Request], Answer]


def answer(document: object, status: int = 200, **headers: str) -> Answer:
    """Return a JSON answer; underscores in header names are hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(document).encode(), named)


def failure(code: int, message: str = "told so", reason: str = "", **more: Any) -> Answer:
    """Return a Kubernetes Status of a failure; ``retry_after`` becomes the header, other words metadata."""
    headers = {"Retry-After": str(more.pop("retry_after"))} if "retry_after" in more else {}
    document = {"kind": "Status", "status": "Failure", "code": code, "message": message, "reason": reason}
    return Answer(code, json.dumps({**document, "metadata": more}).encode(), headers)


def html(status: int, text: str = "<html><title>secret-page</title>") -> Answer:
    """Return a page as a proxy sends it."""
    return Answer(status, text.encode(), content_type="text/html")


class ApiServer:
    """The server; ``script`` what it shall answer, ``requests`` what it was asked.

    Once the script has run out, every request gets ``otherwise``, a 500 unless a test sets it.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.otherwise: Script = Answer(500, b"the script has run out", content_type="text/plain")
        self.connections = 0
        self._script: list[Script] = []
        self._lock = threading.Lock()
        self._server = _Server((LOCALHOST, 0), _Handler)
        self._server.owner = self
        self._server.tls = tls
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="apiserver")
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self._server.tls else 'http'}://{LOCALHOST}:{self.port}"

    def will(self, *script: Script) -> None:
        """Append to the script."""
        with self._lock:
            self._script += script

    def asked(self) -> list[str]:
        """Return the requests so far as "GET /path?query"."""
        return [f"{request.method} {request.target}" for request in self.requests]

    def take(self, request: Request) -> Answer:
        """Record a request and return what to do with it."""
        with self._lock:
            self.requests.append(request)
            script = self._script.pop(0) if self._script else self.otherwise
        return script if isinstance(script, Answer) else script(request)

    def cut(self) -> None:
        """End every open connection, as a balancer does that is restarted; new ones are welcome."""
        self._server.drop()

    def close(self) -> None:
        """Stop listening, drop every connection and wait for the threads."""
        self._server.shutdown()
        self._thread.join()
        self._server.drop()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    owner: ApiServer
    tls: ssl.SSLContext | None
    daemon_threads = False
    block_on_close = True
    request_queue_size = 64

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()

    def finish_request(self, request: Any, client_address: Any) -> None:
        self.owner.connections += 1
        self._open.add(request)
        try:
            if self.tls is None:
                super().finish_request(request, client_address)
                return
            with self.tls.wrap_socket(request, server_side=True) as secure:
                self._open.add(secure)
                super().finish_request(secure, client_address)
                self._open.discard(secure)
        finally:
            self._open.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away and handshakes that fail are what the tests are about."""

    def drop(self) -> None:
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        # http.server reads header bytes as Latin-1; what we send is UTF-8.
        lines = tuple((name, value.encode("latin-1").decode()) for name, value in self.headers.items())
        told = self.server.owner.take(Request(self.command, self.path, lines, body))
        if told.wait is not None:
            told.wait.wait(30)
        if told.reset:
            self._drop()
            return
        self.send_response_only(told.status)
        self.send_header("Content-Type", told.content_type)
        if "Date" not in told.headers:
            self.send_header("Date", self.date_time_string())
        for name, value in told.headers.items():
            self.send_header(name, value)
        self._send_body(told)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the names are the library's

    def do_CONNECT(self) -> None:
        """Be a proxy: open a tunnel, unless the script says something else than 200."""
        lines = tuple(self.headers.items())
        told = self.server.owner.take(Request(self.command, self.path, lines, b""))
        self.close_connection = True
        self.send_response(told.status)
        self.end_headers()
        self.wfile.flush()
        if told.status == 200:
            host, _, port = self.path.rpartition(":")
            with socket.create_connection((host, int(port)), timeout=10) as other:
                _relay(self.connection, other)

    def _send_body(self, told: Answer) -> None:
        if told.chunks is not None:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for chunk in told.chunks:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                self.wfile.flush()
            if told.cut is None:
                self.wfile.write(b"0\r\n\r\n")
        else:
            if "Content-Length" not in told.headers:
                self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body[: told.cut])
        self.wfile.flush()
        if told.cut is not None:
            self.close_connection = True

    def _drop(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):  # a reset instead of an orderly end
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def _relay(one: socket.socket, other: socket.socket) -> None:
    while True:
        readable, _, _ = select.select([one, other], [], [], 30)
        for source in readable:
            data = source.recv(65536)
            if not data:
                return
            (other if source is one else one).sendall(data)
        if not readable:
            return


class Certificates:
    """An authority with one certificate for the server and one for a client, in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        authority = Authority(folder)
        authority.create()
        self.ca = authority.certificate
        names = "subjectAltName=IP:127.0.0.1,DNS:api.example\nextendedKeyUsage=serverAuth\n"
        self._server = authority.issue("server", "/CN=server", names)
        self._elsewhere = authority.issue("elsewhere", "/CN=x", "subjectAltName=DNS:api.example\n")
        self.client = authority.issue("client", "/CN=client", "extendedKeyUsage=clientAuth\n")

    def context(self, *, demand_client: bool = False, only_named: bool = False) -> ssl.SSLContext:
        """Return the server's side of TLS; ``only_named`` uses a certificate that is for api.example alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(self._elsewhere if only_named else self._server))
        if demand_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)
        return context


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[ApiServer]:
    """Run a server for a while."""
    server = ApiServer(tls)
    try:
        yield server
    finally:
        server.close()

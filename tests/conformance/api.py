"""How a case speaks to an API server: requests and watches as bytes and documents, over whatever carries them.

It owns the protocol ``Api``, its implementation over HTTP, and the one that acts as somebody else. It knows nothing
of the cases, and nothing of Kubernetes beyond media types and the headers of impersonation.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
YAML = "application/yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

STREAM_SECONDS = 10.0
"""A case that waits longer than this for an event has failed."""

Document = dict[str, Any]
Headers = Mapping[str, str | Sequence[str]]
"""A header that is to be sent several times has a sequence of values."""


@dataclass(frozen=True, repr=False)
class Answer:
    """One answer, read to its end. Header names are lower case; values of a repeated header are joined by ", "."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Document:
        """The body as a JSON object; raises ValueError where it is none."""
        document = json.loads(self.body)
        if not isinstance(document, dict):
            raise ValueError(f"not a JSON object: {self.body[:200]!r}")
        return document

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    def __repr__(self) -> str:
        return f"<{self.status} {self.text[:2000]}>"


class NothingCame(Exception):
    """A watch said nothing for so long that the case must have misjudged it."""


class Api(Protocol):
    """One API server, as its administrator unless a request says otherwise."""

    def request(
        self, method: str, path: str, body: object = None, *, headers: Headers | None = None, token: str | None = None
    ) -> Answer:
        """Send one request and read the whole answer.

        ``path`` is the request target as it goes on the wire, query included. ``body``: bytes go as they are, None
        sends none, anything else is encoded as JSON; the content type is JSON unless ``headers`` name one.
        ``token``: None for the administrator's, "" for no credentials at all.
        """

    def stream(
        self, path: str, *, headers: Headers | None = None, seconds: float = STREAM_SECONDS
    ) -> AbstractContextManager[Iterator[Document]]:
        """Open a watch: a context that gives its events, decoded one by one until the server ends it.

        Raises AssertionError where the answer is not 200, and NothingCame (from the iterator) where ``seconds`` pass
        without an event. Leaving the context closes the watch.
        """


def with_query(path: str, **parameters: object) -> str:
    """Return a request target: ``with_query("/api/v1/pods", limit=5, watch=True)``; None leaves a parameter out."""
    given = {key: _query_text(value) for key, value in parameters.items() if value is not None}
    return f"{path}?{urlencode(given, quote_via=quote)}" if given else path


def _query_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def encoded(body: object) -> bytes | None:
    """Return a request's body as bytes, as ``Api.request`` describes it."""
    return body if body is None or isinstance(body, bytes) else json.dumps(body).encode()


def complete_headers(headers: Headers | None, *, has_body: bool, token: str) -> Iterator[tuple[str, str]]:
    """Yield the header lines to send: those given, an Accept and a Content-Type where missing, the bearer token."""
    given = dict(headers or {})
    names = {name.lower() for name in given}
    if "accept" not in names:
        given["Accept"] = JSON
    if has_body and "content-type" not in names:
        given["Content-Type"] = JSON
    if token and "authorization" not in names:
        given["Authorization"] = f"Bearer {token}"
    for name, values in given.items():
        yield from ((name, value) for value in ([values] if isinstance(values, str) else values))


class HttpApi:
    """An API server behind a URL. One kept-alive connection per thread for requests, one for each watch."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None, token: str = "") -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        self._prefix = parts.path.rstrip("/")
        self._tls = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
        self._token = token
        self._kept = threading.local()

    def request(
        self, method: str, path: str, body: object = None, *, headers: Headers | None = None, token: str | None = None
    ) -> Answer:
        """See Api."""
        connection: http.client.HTTPConnection | None = getattr(self._kept, "connection", None)
        if connection is not None:
            try:
                return self._exchange(connection, method, path, body, headers, token)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                pass  # the server had closed it meanwhile: once more, on a fresh one
        connection = self._kept.connection = self._connection(timeout=30)
        return self._exchange(connection, method, path, body, headers, token)

    @contextlib.contextmanager
    def stream(
        self, path: str, *, headers: Headers | None = None, seconds: float = STREAM_SECONDS
    ) -> Iterator[Iterator[Document]]:
        """See Api."""
        with contextlib.closing(self._connection(timeout=seconds)) as connection:
            self._send(connection, "GET", path, None, headers, None)
            response = connection.getresponse()
            assert response.status == http.HTTPStatus.OK, f"{response.status} {response.read()!r} to {path}"
            yield _events(response, path, seconds)

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._kept, "connection", None)
        if connection is not None:
            connection.close()

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        return http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=self._tls)

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: object,
        headers: Headers | None,
        token: str | None,
    ) -> None:
        data = encoded(body)
        connection.putrequest(method, self._prefix + path, skip_accept_encoding=True)
        lines = complete_headers(headers, has_body=data is not None, token=self._token if token is None else token)
        for name, value in lines:
            connection.putheader(name, value)
        if data is not None or method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(data or b"")))
        connection.endheaders(data)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: object,
        headers: Headers | None,
        token: str | None,
    ) -> Answer:
        try:
            self._send(connection, method, path, body, headers, token)
            response = connection.getresponse()
            data = response.read()
        except BaseException:
            connection.close()  # it may still hold the rest of an answer
            raise
        received: dict[str, str] = {}
        for name, value in response.getheaders():
            key = name.lower()
            received[key] = f"{received[key]}, {value}" if key in received else value
        return Answer(response.status, received, data)


def _events(response: http.client.HTTPResponse, path: str, seconds: float) -> Iterator[Document]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            line = response.readline()
        except TimeoutError:
            break
        if not line:
            return
        if line.strip():
            yield json.loads(line)
            deadline = time.monotonic() + seconds
    raise NothingCame(f"no event within {seconds:g} s on {path}")


class Impersonating:
    """The same server as somebody else: every request carries the headers of impersonation."""

    def __init__(
        self,
        api: Api,
        user: str,
        groups: Sequence[str] = (),
        *,
        uid: str = "",
        extra: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._api = api
        self._headers: dict[str, str | Sequence[str]] = {"Impersonate-User": user}
        if groups:
            self._headers["Impersonate-Group"] = tuple(groups)
        if uid:
            self._headers["Impersonate-Uid"] = uid
        self._headers |= {f"Impersonate-Extra-{key}": tuple(values) for key, values in (extra or {}).items()}

    def request(
        self, method: str, path: str, body: object = None, *, headers: Headers | None = None, token: str | None = None
    ) -> Answer:
        """See Api."""
        return self._api.request(method, path, body, headers={**self._headers, **(headers or {})}, token=token)

    def stream(
        self, path: str, *, headers: Headers | None = None, seconds: float = STREAM_SECONDS
    ) -> AbstractContextManager[Iterator[Document]]:
        """See Api."""
        return self._api.stream(path, headers={**self._headers, **(headers or {})}, seconds=seconds)

"""Carries HTTP to the core: sockets, chunks, watches, and the mishaps that only a transport can commit.

This is one of the two places where asyncio lives. It knows nothing of Kubernetes; requests are handled on the loop,
since the core is quick and holds one lock anyway.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from aiohttp import web

from zenctl.sandbox.apiserver.messages import Mishap, Request, Response, Stream

_LARGEST_BODY_BYTES = 256 * 1024 * 1024
"""Of anything that is read at all; the core refuses most of it much earlier."""
_LONGEST_SILENCE_SECONDS = 1.0
_GRACE_SECONDS = 2.0
_ROUNDS_OF_AN_END = 5
"""Of the event loop, until what follows from the end of a socket is done: TLS, the transport, the protocol."""

Handle = Callable[[Request], Response]


class Listener:
    """A server on one address, within a running event loop."""

    def __init__(self, handle: Handle, tls: ssl.SSLContext | None = None) -> None:
        self._handle, self._tls = handle, tls
        self._web: web.Server | None = None
        self._server: asyncio.Server | None = None
        self._streams: set[Stream] = set()

    async def open(self, host: str, port: int) -> int:
        """Listen; return the port, which the system chooses for 0. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._web = web.Server(self._answer, request_factory=_request, access_log=None)
        self._server = await loop.create_server(self._web, host, port, ssl=self._tls, backlog=512)
        address: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        return address[1]

    async def close(self) -> None:
        """Stop listening, end every watch, and let requests under way finish for a moment."""
        if self._server is not None:
            self._server.close()
        for stream in tuple(self._streams):
            stream.close()
        if self._web is None:
            return
        sockets = [_socket(connection.transport) for connection in self._web.connections]
        await self._web.shutdown(_GRACE_SECONDS)
        for each in sockets:
            _cut(each)  # a client that keeps its connection would hold the end of TLS up
        for _ in range(_ROUNDS_OF_AN_END):
            await asyncio.sleep(0)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        headers: dict[str, tuple[str, ...]] = {}
        for name, value in request.headers.items():
            key = name.lower()
            headers[key] = (*headers.get(key, ()), value)
        target = request.raw_path
        response = self._handle(Request.of(request.method, target, headers, await request.read()))
        if response.mishap is not None:
            return await _mishap(request, response, response.mishap, self._stream)
        if response.stream is not None:
            return await self._stream(request, response, None)
        return web.Response(status=response.status, body=response.body, headers=_headers(response))

    async def _stream(
        self, request: web.BaseRequest, response: Response, cut_after_bytes: int | None
    ) -> web.StreamResponse:
        stream = response.stream
        assert stream is not None
        sent = web.StreamResponse(status=response.status, headers=_headers(response))
        self._streams.add(stream)
        try:
            await sent.prepare(request)
            await _pump(stream, sent, cut_after_bytes, request)
            await sent.write_eof()
        except ConnectionResetError:
            pass  # the client has seen enough
        finally:
            self._streams.discard(stream)
            stream.close()
        return sent


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LARGEST_BODY_BYTES)


def _headers(response: Response) -> Any:
    from multidict import CIMultiDict

    return CIMultiDict([("Content-Type", response.content_type), *response.headers])


async def _pump(
    stream: Stream, sent: web.StreamResponse, cut_after_bytes: int | None, request: web.BaseRequest
) -> None:
    """Send what a stream has to say until it ends, until it is to be cut, or until nobody listens any more."""
    loop, written = asyncio.get_running_loop(), 0
    more = asyncio.Event()

    def wake() -> None:
        loop.call_soon_threadsafe(more.set)

    while not _gone(request) and (data := stream.take()) is not None:
        if cut_after_bytes is not None and written + len(data) > cut_after_bytes:
            await sent.write(data[: cut_after_bytes - written])
            _abort(request)
            return
        if data:
            written += len(data)
            await sent.write(data)
        more.clear()
        stream.wait_for_more(wake)
        try:
            await asyncio.wait_for(more.wait(), _LONGEST_SILENCE_SECONDS)
        except TimeoutError:
            continue


async def _mishap(request: web.BaseRequest, response: Response, mishap: Mishap, stream: Any) -> web.StreamResponse:
    """Send late, or only in part, as asked."""
    await asyncio.sleep(mishap.delay_seconds)
    cut = mishap.cut_after_bytes
    if response.stream is not None:
        sent: web.StreamResponse = await stream(request, response, cut)
        return sent
    if cut is None:
        return web.Response(status=response.status, body=response.body, headers=_headers(response))
    partial = web.StreamResponse(status=response.status, headers=_headers(response))
    partial.content_length = len(response.body)
    if cut:
        await partial.prepare(request)
        await partial.write(response.body[: min(cut, max(0, len(response.body) - 1))])
    _abort(request)
    return partial


def _gone(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


def _socket(transport: asyncio.Transport | None) -> Any:
    return None if transport is None else transport.get_extra_info("socket")


def _cut(connection: Any) -> None:
    """End a connection below TLS: a transport that was closed before cannot be aborted in every Python 3.11."""
    if connection is not None:
        with suppress(OSError):  # it has ended by itself
            connection.shutdown(socket.SHUT_RDWR)


def _abort(request: web.BaseRequest) -> None:
    transport = request.transport
    if transport is not None:
        transport.abort()


def serve_until_stopped(
    handle: Handle, host: str, port: int, tls: ssl.SSLContext | None, ready: Callable[[str], None]
) -> None:
    """Serve in this thread until SIGINT or SIGTERM; ``ready`` gets the URL. Raises OSError."""

    async def serve() -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        listener = Listener(handle, tls)
        bound = await listener.open(host, port)
        try:
            ready(_url(host, bound, tls))
            await stopped.wait()
        finally:
            await listener.close()

    asyncio.run(serve())


def _url(host: str, port: int, tls: ssl.SSLContext | None) -> str:
    return f"{'https' if tls else 'http'}://{host}:{port}"


@contextmanager
def serving(
    handle: Handle, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Serve in a thread of its own for as long as the context lasts; give the URL. Raises OSError."""
    loop = asyncio.new_event_loop()
    listener = Listener(handle, tls)
    thread = threading.Thread(target=loop.run_forever, name="sandbox", daemon=True)
    thread.start()
    try:
        bound = asyncio.run_coroutine_threadsafe(listener.open(host, port), loop).result()
        yield _url(host, bound, tls)
    finally:
        asyncio.run_coroutine_threadsafe(listener.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

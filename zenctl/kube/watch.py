"""WATCH with bookmarks: one endless sequence of events over as many connections as it takes.

After a cut it resumes behind the last resourceVersion it saw, so nothing is missed and nothing comes
twice. When the server has forgotten that resourceVersion it raises Expired: the caller lists again. A
connection has failed when it brought nothing and did not last; with failures in a row the waits grow.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import msgspec

from zenctl.core.objects import Fields, Metadata, ObjectKey, RawObject, ResourceType
from zenctl.errors import ApiFailure, Unreachable
from zenctl.kube.errors import NOT_DECODED, strange_object, watch_failure
from zenctl.kube.http import Client
from zenctl.kube.paths import resource_path
from zenctl.ports import ListQuery, WatchEvent

_SERVER_TIMEOUT_SECONDS = 300
_GRACE_SECONDS = 30
_MOST_FAILURES_IN_A_ROW = 8
_LONG_ENOUGH_SECONDS = 20.0
_LONGEST_WAIT_SECONDS = 10.0
_PASSING = frozenset({429, 500, 502, 503, 504})


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _Bookmark(msgspec.Struct, frozen=True):
    metadata: Metadata = Metadata()


_EVENT = msgspec.json.Decoder(_Event)


class Watching:
    """One WATCH of one collection."""

    def __init__(
        self,
        client: Client,
        resource: ResourceType,
        query: ListQuery,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._resource = resource
        self._query = query
        self._monotonic = monotonic
        self._since = ""
        self._failures = 0

    def events(self, fields: type[Fields], since: str) -> Iterator[WatchEvent[Fields]]:
        """Yield what happens after the resourceVersion ``since``, for ever.

        Raises Expired when the server has forgotten that far back, and Unreachable after several
        connections in a row that brought nothing.
        """
        decode = msgspec.json.Decoder(fields).decode
        self._since = since
        while True:
            begun = self._monotonic()
            self._failures += 1
            failed = None
            try:
                for event in self._connection():
                    yield self._event(event, decode)
            except Unreachable as error:
                if isinstance(error, ApiFailure) and error.status not in _PASSING:
                    raise
                failed = error
            if self._monotonic() - begun >= _LONG_ENOUGH_SECONDS:
                self._failures = 0
            self._pause(failed)

    def _pause(self, failed: Unreachable | None) -> None:
        """Wait before the next connection where the last ones brought nothing. Raises when they were too many."""
        if self._failures >= _MOST_FAILURES_IN_A_ROW:
            raise failed or Unreachable(f"cannot {self._doing}: the server ends every connection at once")
        if self._failures or failed:
            backoff = min(0.25 * 2.0**self._failures, _LONGEST_WAIT_SECONDS)
            self._client.sleep(backoff * (0.5 + random.random()))

    def _event(self, event: _Event, decode: Callable[[msgspec.Raw], Fields]) -> WatchEvent[Fields]:
        try:
            found = decode(event.object)
        except NOT_DECODED as error:
            raise strange_object(event.object, error, doing=self._doing) from error
        key = ObjectKey(found.metadata.namespace, found.metadata.name)
        return WatchEvent(event.type, RawObject(key, found, bytes(event.object)))

    @property
    def _doing(self) -> str:
        return f"watch {self._resource.full_name}"

    def _connection(self) -> Iterator[_Event]:
        """Yield the events of one connection, noting how far each one takes us."""
        path = resource_path(
            self._resource,
            namespace=self._query.namespace,
            query={
                "watch": "1",
                "allowWatchBookmarks": "true",
                "resourceVersion": self._since,
                "timeoutSeconds": _SERVER_TIMEOUT_SECONDS,
                "labelSelector": self._query.label_selector,
                "fieldSelector": self._query.field_selector,
            },
        )
        stream = self._client.stream(
            path, doing=self._doing, read_timeout_seconds=_SERVER_TIMEOUT_SECONDS + _GRACE_SECONDS
        )
        with closing(stream):
            for line in lines(stream):
                try:
                    event = _EVENT.decode(line)
                    if event.type == "ERROR":
                        raise watch_failure(event.object, doing=self._doing)
                    version = msgspec.json.decode(event.object, type=_Bookmark).metadata.resource_version
                except NOT_DECODED as error:
                    raise Unreachable(f"cannot {self._doing}: the stream holds something that is no event") from error
                self._since = version or self._since
                self._failures = 0
                if event.type != "BOOKMARK":
                    yield event


def lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut a stream into lines; what a broken connection leaves of a last line is dropped."""
    rest: list[bytes] = []
    for chunk in chunks:
        *whole, tail = chunk.split(b"\n")
        if whole:
            whole[0] = b"".join([*rest, whole[0]])
            rest = []
            yield from (line for line in whole if line.strip())
        if tail:
            rest.append(tail)

"""WATCH with bookmarks: one endless sequence of events over as many connections as it takes.

After a cut it resumes behind the last resourceVersion it saw, so nothing is missed and nothing comes
twice. When the server has forgotten that resourceVersion it raises Expired: the caller lists again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import msgspec

from zenctl.core.objects import Fields, Metadata, ObjectKey, RawObject, ResourceType
from zenctl.errors import ApiFailure, Unreachable
from zenctl.kube.errors import watch_failure
from zenctl.kube.http import Client
from zenctl.kube.paths import resource_path
from zenctl.ports import ListQuery, WatchEvent

_SERVER_TIMEOUT_SECONDS = 300
_MOST_FAILURES_IN_A_ROW = 8


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _Bookmark(msgspec.Struct, frozen=True):
    metadata: Metadata = Metadata()


_EVENT = msgspec.json.Decoder(_Event)


class Watching:
    """One WATCH of one collection."""

    def __init__(self, client: Client, resource: ResourceType, query: ListQuery) -> None:
        self._client = client
        self._resource = resource
        self._query = query
        self._since = ""

    def events(self, fields: type[Fields], since: str) -> Iterator[WatchEvent[Fields]]:
        """Yield what happens after the resourceVersion ``since``, for ever.

        Raises Expired when the server has forgotten that far back, and Unreachable after several
        connections in a row that brought nothing.
        """
        decode = msgspec.json.Decoder(fields).decode
        self._since = since
        failures = 0
        while True:
            try:
                for event in self._connection():
                    failures = 0
                    found = decode(event.object)
                    key = ObjectKey(found.metadata.namespace, found.metadata.name)
                    yield WatchEvent(event.type, RawObject(key, found, bytes(event.object)))
            except ApiFailure:
                raise
            except Unreachable:
                failures += 1
                if failures >= _MOST_FAILURES_IN_A_ROW:
                    raise
                time.sleep(min(0.25 * 2.0**failures, 10.0) * (0.5 + random.random()))

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
        doing = f"watch {self._resource.full_name}"
        stream = self._client.stream(path, doing=doing, read_timeout_seconds=_SERVER_TIMEOUT_SECONDS + 30)
        for line in _lines(stream):
            try:
                event = _EVENT.decode(line)
                if event.type == "ERROR":
                    raise watch_failure(event.object, doing=doing)
                self._since = msgspec.json.decode(event.object, type=_Bookmark).metadata.resource_version
            except msgspec.MsgspecError as error:
                raise Unreachable(f"cannot {doing}: the stream holds something that is no event") from error
            if event.type != "BOOKMARK":
                yield event


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
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

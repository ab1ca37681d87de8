"""A whole collection in one stream: WATCH with sendInitialEvents, handed out as pages.

The server sends every present object out of its watch cache, in key order, and then a bookmark with the
resourceVersion of which they are the snapshot. Neither side ever holds them all. A stream is asked for and
never taken for granted: where anything else comes, or nothing, the reading begins again in pages, and the
consumer is told (see Page.restarted). So nothing may depend on the server's release.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing

import msgspec

from zenctl.core.listing import Page
from zenctl.core.objects import Fields, ObjectKey, RawObject, ResourceType
from zenctl.errors import Denied, ZenctlError
from zenctl.kube.errors import NOT_DECODED, strange_object, watch_failure
from zenctl.kube.http import Client
from zenctl.kube.listing import PAGE_SIZE, Listing
from zenctl.kube.paths import resource_path
from zenctl.kube.watch import lines
from zenctl.ports import ListQuery

_LOG = logging.getLogger(__name__)

_PAGE_BYTES = 4 << 20
_SILENCE_SECONDS = 20.0
"""A server that streams lists first waits for its cache, for 3 seconds at most, and then is never silent."""
_SERVER_TIMEOUT_SECONDS = 3600
_END = "k8s.io/initial-events-end"


class _Event(msgspec.Struct, frozen=True, gc=False):
    type: str
    object: msgspec.Raw


class _Marks(msgspec.Struct, frozen=True):
    resource_version: str = msgspec.field(default="", name="resourceVersion")
    annotations: dict[str, str] = {}


class _Bookmark(msgspec.Struct, frozen=True):
    metadata: _Marks = _Marks()


_EVENT = msgspec.json.Decoder(_Event)


class _NoStream(Exception):
    """The server sends no such stream, or it broke off; the cause, where there is one, says why."""


class Streams:
    """Reads whole collections of one cluster, and does not try a second time where a stream came to nothing."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._without: set[tuple[str, str | None]] = set()

    def pages(
        self, resource: ResourceType, fields: type[Fields], query: ListQuery, restarts: int
    ) -> Iterator[Page[Fields]]:
        """Yield a collection from one stream, or from pages where that is refused or fails."""
        begun = False
        if restarts > 0 and self._may(resource, query):
            try:
                for page in _Stream(self._client, resource, query).pages(fields):
                    begun = True
                    yield page
            except _NoStream as failed:
                _LOG.debug("%s is read in pages, not as a stream: %s", resource.full_name, failed)
                self._without.add(_place(resource, query, failed.__cause__))
            else:
                return
        for page in Listing(self._client, resource, query, restarts - begun).pages(fields):
            yield page._replace(restarted=page.restarted or begun)
            begun = False

    def _may(self, resource: ResourceType, query: ListQuery) -> bool:
        known = _place(resource, query, None), _place(resource, query, Denied(""))
        return not self._without.intersection(known) and (not resource.verbs or "watch" in resource.verbs)


def _place(resource: ResourceType, query: ListQuery, why: BaseException | None) -> tuple[str, str | None]:
    """Return what a refusal is about: a right that is missing, or else whatever serves the group."""
    return (resource.full_name, query.namespace) if isinstance(why, Denied) else (resource.group, None)


class _Stream:
    """One stream of one collection."""

    def __init__(self, client: Client, resource: ResourceType, query: ListQuery) -> None:
        self._client = client
        self._resource = resource
        self._query = query
        self._doing = f"list {resource.full_name} as a stream"

    def pages(self, fields: type[Fields]) -> Iterator[Page[Fields]]:
        """Yield the objects in pages of bounded size; only the last one knows the resourceVersion of all."""
        decode = msgspec.json.Decoder(fields).decode
        objects: list[RawObject[Fields]] = []
        size_bytes = 0
        for event in self._events():
            if event.type == "BOOKMARK":
                yield Page(objects, _version_at_the_end(event.object), None, restarted=False, mixed=False)
                return
            objects.append(self._object(event.object, decode))
            size_bytes += len(objects[-1].body)
            if len(objects) == PAGE_SIZE or size_bytes >= _PAGE_BYTES:
                yield Page(objects, "", None, restarted=False, mixed=False)
                objects, size_bytes = [], 0
        raise _NoStream("it ended before its end was announced")

    def _object(self, raw: msgspec.Raw, decode: Callable[[msgspec.Raw], Fields]) -> RawObject[Fields]:
        try:
            fields = decode(raw)
        except NOT_DECODED as error:
            raise strange_object(raw, error, doing=self._doing) from error
        metadata = fields.metadata
        return RawObject(ObjectKey(metadata.namespace, metadata.name), fields, memoryview(raw))

    def _events(self) -> Iterator[_Event]:
        """Yield what is there, and the bookmark at the end. Raises _NoStream for anything else."""
        stream = self._client.stream(self._path(), doing=self._doing, read_timeout_seconds=_SILENCE_SECONDS)
        with closing(stream):
            try:
                for line in lines(stream):
                    event = _EVENT.decode(line)
                    if event.type == "ERROR":
                        raise watch_failure(event.object, doing=self._doing)
                    if event.type not in ("ADDED", "BOOKMARK"):
                        # An object that was handed out already is no longer so: no snapshot comes of this.
                        raise _NoStream(f"{event.type} before the end")
                    yield event
            except NOT_DECODED as error:
                raise _NoStream("something came that is no event") from error
            except ZenctlError as error:
                raise _NoStream(error.message) from error

    def _path(self) -> str:
        return resource_path(
            self._resource,
            namespace=self._query.namespace,
            query={
                "watch": "1",
                "sendInitialEvents": "true",
                # Without a resourceVersion: as new as the storage itself at the time of the request.
                "resourceVersionMatch": "NotOlderThan",
                "allowWatchBookmarks": "true",
                "timeoutSeconds": _SERVER_TIMEOUT_SECONDS,
                "labelSelector": self._query.label_selector,
                "fieldSelector": self._query.field_selector,
            },
        )


def _version_at_the_end(bookmark: msgspec.Raw) -> str:
    """Return the resourceVersion of the whole. Raises _NoStream for the bookmark of an ordinary watch."""
    try:
        marks = msgspec.json.decode(bookmark, type=_Bookmark).metadata
    except NOT_DECODED as error:
        raise _NoStream("a bookmark came that is none") from error
    if marks.annotations.get(_END) != "true" or not marks.resource_version:
        raise _NoStream("it is an ordinary watch")
    return marks.resource_version

"""A reader, a store and a pool that ask before they go on, so that a run which has lost its Lease stops.

The slices know nothing of Leases: they are given these in place of the real ones. Nothing is asked in the middle of a
request, and nothing that was begun is undone here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TypeVar

from zenctl.core.listing import Page
from zenctl.core.objects import Fields, ObjectKey, RawObject, ResourceType
from zenctl.errors import ZenctlError
from zenctl.ports import ALL, BlobInfo, BlobSink, BlobStore, ListQuery, ObjectReader, WatchEvent, Workers

Job = TypeVar("Job")
Answer = TypeVar("Answer")

Guard = Callable[[], None]
"""Raises where the run must stop."""


class GuardedReader:
    """Asks with every page; satisfies ports.ObjectReader."""

    def __init__(self, reader: ObjectReader, guard: Guard) -> None:
        self._reader, self._guard = reader, guard

    def pages(
        self,
        resource: ResourceType,
        fields: type[Fields],
        query: ListQuery = ALL,
        *,
        restarts: int = 2,
        whole: bool = False,
    ) -> Iterator[Page[Fields]]:
        """LIST."""
        for page in self._reader.pages(resource, fields, query, restarts=restarts, whole=whole):
            self._guard()
            yield page

    def get(self, resource: ResourceType, key: ObjectKey, fields: type[Fields]) -> RawObject[Fields]:
        """GET one object."""
        return self._reader.get(resource, key, fields)

    def watch(
        self, resource: ResourceType, fields: type[Fields], query: ListQuery, since: str
    ) -> Iterator[WatchEvent[Fields]]:
        """WATCH."""
        return self._reader.watch(resource, fields, query, since)


class GuardedStore:
    """Asks before a blob becomes visible, is replaced or goes; satisfies ports.BlobStore."""

    def __init__(self, store: BlobStore, guard: Guard) -> None:
        self._store, self._guard = store, guard

    def put(self, name: str) -> BlobSink:
        """Begin a new blob."""
        return _GuardedSink(self._store.put(name), self._guard)

    def size(self, name: str) -> int:
        """Return the size of a blob in bytes."""
        return self._store.size(name)

    def get(self, name: str, offset: int, length: int) -> bytes:
        """Return a part of a blob."""
        return self._store.get(name, offset, length)

    def replace(self, name: str, data: bytes) -> None:
        """Write a small blob whole."""
        self._guard()
        self._store.replace(name, data)

    def list(self, prefix: str = "", suffix: str = ".tar") -> Sequence[BlobInfo]:
        """Return the complete blobs."""
        return self._store.list(prefix, suffix)

    def delete(self, name: str) -> None:
        """Remove a blob."""
        self._guard()
        self._store.delete(name)


class _GuardedSink:
    def __init__(self, sink: BlobSink, guard: Guard) -> None:
        self._sink, self._guard = sink, guard

    def write(self, data: bytes) -> None:
        self._sink.write(data)

    def rewind(self, offset: int) -> bool:
        return self._sink.rewind(offset)

    def commit(self) -> None:
        self._guard()
        self._sink.commit()

    def abort(self) -> None:
        self._sink.abort()


class GuardedWorkers:
    """Asks before each job is begun, and lets those under way end; satisfies ports.Workers."""

    def __init__(self, workers: Workers, guard: Guard) -> None:
        self._workers, self._guard = workers, guard

    def run(
        self, jobs: Iterable[Job], do: Callable[[Job], Answer]
    ) -> Generator[tuple[Job, Answer | ZenctlError], None, None]:
        """Do every job; what the guard raises ends the run, once the answers under way are told."""
        return self._workers.run(self._asking(jobs), do)

    def _asking(self, jobs: Iterable[Job]) -> Iterator[Job]:
        for job in jobs:
            self._guard()
            yield job

"""Every object at every revision that is still remembered, and the log of changes; what etcd is to a real server.

One counter numbers all changes, deletions too, and each change is one entry of the log, so a revision is
an index into it. Bodies are bytes that the store never reads: an object's JSON from ``"metadata"`` on
(see objects.py). The store has no lock of its own; whoever owns it serializes the calls.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple


class ChangeType(StrEnum):
    """What happened to an object, in the words of a watch."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class Version(NamedTuple):
    """An object as one change left it; a deletion leaves no body."""

    revision: int
    body: bytes | None


class Change(NamedTuple):
    """One entry of the log. A deletion's ``body`` is the object as it was last, at the deletion's revision."""

    revision: int
    collection: str
    key: str
    type: ChangeType
    body: bytes
    before: bytes | None
    at_seconds: float


class Collection:
    """The objects of one resource, by their keys: ``namespace/name``, or ``name`` where there are no namespaces.

    Keys are kept in the order of a LIST, which is the byte order of that string.
    """

    def __init__(self) -> None:
        self.changed = 0
        """Revision of the newest change."""
        self.live = 0
        self._keys: list[str] = []
        self._now: dict[str, Version] = {}
        self._older: dict[str, deque[Version]] = {}
        self._live_in: Counter[str] = Counter()

    def get(self, key: str) -> bytes | None:
        """Return the newest body of an object; None where there is none."""
        found = self._now.get(key)
        return found.body if found else None

    def scan(self, start: str, prefix: str, revision: int) -> Iterator[tuple[str, bytes]]:
        """Yield keys and bodies as they were at a revision: those with the prefix, from the key ``start`` on."""
        keys, now = self._keys, self._now
        index = bisect_left(keys, max(start, prefix))
        for key in keys[index : self._end(prefix)]:
            version = now[key]
            body = version.body if version.revision <= revision else self._at(key, revision)
            if body is not None:
                yield key, body

    def everything(self) -> Iterator[tuple[str, int, bytes]]:
        """Yield key, revision and body of every object as it is now."""
        for key in self._keys:
            version = self._now[key]
            if version.body is not None:
                yield key, version.revision, version.body

    def count(self, start: str, prefix: str, revision: int) -> int:
        """Return how many objects a scan would yield."""
        if revision >= self.changed and self.live == len(self._keys):
            return self._end(prefix) - bisect_left(self._keys, max(start, prefix))
        return sum(1 for _ in self.scan(start, prefix, revision))

    def _end(self, prefix: str) -> int:
        return bisect_right(self._keys, prefix + "\U0010ffff") if prefix else len(self._keys)

    def _at(self, key: str, revision: int) -> bytes | None:
        for version in reversed(self._older.get(key, ())):
            if version.revision <= revision:
                return version.body
        return None

    def put(self, key: str, version: Version) -> None:
        """Make this the newest version of an object."""
        before = self._now.get(key)
        if before is None:
            insort(self._keys, key)
        else:
            self._older.setdefault(key, deque()).append(before)
        existed = before is not None and before.body is not None
        more = (version.body is not None) - existed
        self.live += more
        namespace, slash, _ = key.partition("/")
        if more and slash:
            self._live_in[namespace] += more
        self._now[key] = version
        self.changed = version.revision

    def live_in(self, namespace: str) -> int:
        """Return how many objects a namespace has now."""
        return self._live_in[namespace]

    def rewrite(self, change: Callable[[bytes], bytes]) -> None:
        """Change the newest body of every object where it stands: no revision, and no news of it."""
        for key, version in self._now.items():
            if version.body is not None:
                self._now[key] = Version(version.revision, change(version.body))

    def forget(self, key: str, revision: int) -> None:
        """Forget what nobody can ask for any more once history begins at this revision."""
        older = self._older.get(key)
        while older and older[0].revision < revision:
            older.popleft()
        if older is not None and not older:
            del self._older[key]
        now = self._now.get(key)
        if now is not None and now.body is None and now.revision <= revision and not older:
            del self._now[key]
            del self._keys[bisect_left(self._keys, key)]


class Store:
    """All collections under one counter."""

    def __init__(
        self,
        *,
        history_seconds: float = 300.0,
        most_changes: int = 200_000,
        most_bytes: int = 1 << 30,
    ) -> None:
        self.revision = 1
        self.compacted = 0
        """History begins behind this revision: reads below it, and watches from below it, have expired."""
        self._collections: dict[str, Collection] = {}
        self._log: list[Change] = []
        self._history_seconds = history_seconds
        self._most_changes, self._most_bytes = most_changes, most_bytes
        self._log_bytes = 0
        """Size of the bodies in the log; those of present objects count too."""
        self._listeners: dict[int, Callable[[Change], None]] = {}

    def collection(self, name: str) -> Collection:
        """Return a collection, empty where nothing was ever put in it."""
        found = self._collections.get(name)
        if found is None:
            found = self._collections[name] = Collection()
        return found

    def names(self) -> list[str]:
        """Return the names of the collections that hold objects."""
        return [name for name, collection in self._collections.items() if collection.live]

    def put(self, collection: str, key: str, body: bytes, now_seconds: float) -> None:
        """Create or replace an object at the next revision, which its body already names."""
        before = self.collection(collection).get(key)
        kind = ChangeType.ADDED if before is None else ChangeType.MODIFIED
        self._commit(collection, key, Version(self.revision + 1, body), (kind, body, before), now_seconds)

    def delete(self, collection: str, key: str, last: bytes, now_seconds: float) -> None:
        """Delete an object at the next revision, which ``last``, the object as it was, already names."""
        before = self.collection(collection).get(key)
        told = (ChangeType.DELETED, last, before)
        self._commit(collection, key, Version(self.revision + 1, None), told, now_seconds)

    def _commit(
        self,
        collection: str,
        key: str,
        version: Version,
        told: tuple[ChangeType, bytes, bytes | None],
        now_seconds: float,
    ) -> None:
        self.revision = version.revision
        self.collection(collection).put(key, version)
        change = Change(version.revision, collection, key, *told, now_seconds)
        self._log.append(change)
        self._log_bytes += len(change.body)
        self._expire(now_seconds)
        for hear in tuple(self._listeners.values()):
            hear(change)

    def changes(self, since: int) -> Iterator[Change]:
        """Yield the changes after a revision, which must not have expired."""
        for index in range(since - self._first(), len(self._log)):
            yield self._log[index]

    def _first(self) -> int:
        """Return the revision that the first entry of the log comes after."""
        return self.revision - len(self._log)

    def listen(self, who: int, hear: Callable[[Change], None]) -> None:
        """Tell of each change, until told to stop; ``hear`` must return at once."""
        self._listeners[who] = hear

    def unlisten(self, who: int) -> None:
        """Stop calling."""
        self._listeners.pop(who, None)

    def compact(self, revision: int | None = None) -> None:
        """Let history begin at a revision, by default the present one."""
        upto = self.revision if revision is None else min(revision, self.revision)
        self._drop(max(0, upto - self._first()))
        self.compacted = max(self.compacted, upto)

    def _expire(self, now_seconds: float) -> None:
        """Compact what is too old or too much; in large steps, since the log is a list."""
        if len(self._log) > self._most_changes or self._log_bytes > self._most_bytes:
            self._drop(max(1, len(self._log) // 2))
        oldest = now_seconds - self._history_seconds
        if self._log[0].at_seconds < oldest - self._history_seconds / 10:
            self._drop(next((i for i, change in enumerate(self._log) if change.at_seconds >= oldest), 0))

    def _drop(self, count: int) -> None:
        if count <= 0:
            return
        gone, self._log = self._log[:count], self._log[count:]
        self.compacted = gone[-1].revision
        self._log_bytes -= sum(len(change.body) for change in gone)
        for change in gone:
            self._collections[change.collection].forget(change.key, change.revision)

    def replace(self, revision: int, objects: Iterable[tuple[str, str, bytes, int]]) -> None:
        """Hold these objects (collection, key, body, revision) and no others; history begins at ``revision``."""
        self._collections, self._log, self._log_bytes = {}, [], 0
        for name, key, body, at in objects:
            self.collection(name).put(key, Version(at, body))
        self.revision = self.compacted = revision

"""One WATCH: what changed in a selection since a revision, as lines of events.

In a selected watch an object that enters the selection is ADDED and one that leaves it is DELETED, then
with its former content at the revision at which it left. It owns no thread; a transport takes and waits.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from zenctl.sandbox.apiserver.answers import Presenter
from zenctl.sandbox.apiserver.errors import ApiError
from zenctl.sandbox.apiserver.selection import Selection
from zenctl.sandbox.apiserver.state import State
from zenctl.sandbox.apiserver.store import Change, ChangeType

_MOST_EVENTS_AT_ONCE = 500
_MOST_EVENTS_BEHIND = 100_000
_BOOKMARK_EVERY_SECONDS = 60.0
_BOOKMARK_BEFORE_END_SECONDS = 2.0
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What the client asked for."""

    since: int | None
    """The revision to begin behind; None begins with every present object."""
    timeout_seconds: float | None = None
    bookmarks: bool = False
    say_when_initial_is_over: bool = False


class Watch:
    """A stream of events; satisfies messages.Stream.

    It hears of changes as they are made, so that it goes on when history is forgotten behind it.
    """

    def __init__(
        self, state: State, collection: str, selection: Selection, presenter: Presenter, options: WatchOptions
    ) -> None:
        self._state, store = state, state.store
        self._collection, self._selection = collection, selection
        self._presenter, self._options = presenter, options
        self._number = next(_numbers)
        self._began = self._bookmarked = state.now_seconds()
        self._wake: Callable[[], None] | None = None
        self._ended = self._last_words = False
        self._queue: deque[Change] = deque()
        self._initial: Iterator[tuple[str, bytes]] | None = None
        self._expired: ApiError | None = None
        self._at = store.revision
        if options.since is None:
            self._initial = iter(list(store.collection(collection).scan("", selection.prefix, self._at)))
        elif options.since < store.compacted:
            why = f"too old resource version: {options.since} ({store.compacted})"
            self._expired = ApiError(410, "Expired", why)
        else:
            self._queue.extend(change for change in store.changes(options.since) if self._concerns(change))
        store.listen(self._number, self._hear)

    @property
    def timeout_seconds(self) -> float | None:
        """How long the client wants it."""
        return self._options.timeout_seconds

    def _concerns(self, change: Change) -> bool:
        return change.collection == self._collection and change.key.startswith(self._selection.prefix)

    def _hear(self, change: Change) -> None:
        self._at = change.revision
        if self._concerns(change):
            self._queue.append(change)
            self._rouse()
            if len(self._queue) > _MOST_EVENTS_BEHIND:
                self.close()  # as a real server does with a client that does not read

    def _rouse(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    def wait_for_more(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once when there may be something to take."""
        with self._state.lock:
            if self._ended or self._expired or self._initial is not None or self._queue:
                wake()
            else:
                self._wake = wake

    def close(self) -> None:
        """Forget the stream."""
        with self._state.lock:
            self._ended = True
            self._state.store.unlisten(self._number)
            self._rouse()

    def take(self) -> bytes | None:
        """Return the events since the last call as lines; None when it is over."""
        with self._state.lock:
            if self._ended:
                return None
            if self._expired is not None:
                self.close()
                return _event(b"ERROR", msgspec.json.encode(self._expired.document()))
            lines = self._initial_lines() if self._initial is not None else self._lines()
            lines += self._due_bookmark()
            if not lines and self._over(self._state.now_seconds()):
                self.close()
                return None
            return b"".join(lines)

    def _over(self, now_seconds: float, *, ahead_seconds: float = 0.0) -> bool:
        limit = self._options.timeout_seconds
        return limit is not None and now_seconds + ahead_seconds >= self._began + limit

    def _initial_lines(self) -> list[bytes]:
        assert self._initial is not None
        lines: list[bytes] = []
        for key, body in itertools.islice(self._initial, _MOST_EVENTS_AT_ONCE):
            if self._fits(key, body):
                lines.append(_event(b"ADDED", self._presenter.event(body)))
            else:
                lines.append(b"")
        if len(lines) < _MOST_EVENTS_AT_ONCE:
            self._initial = None
            if self._options.say_when_initial_is_over:
                lines.append(
                    _event(b"BOOKMARK", self._presenter.bookmark(self._at, {"k8s.io/initial-events-end": "true"}))
                )
        return lines

    def _lines(self) -> list[bytes]:
        lines: list[bytes] = []
        while self._queue and len(lines) < _MOST_EVENTS_AT_ONCE:
            line = self._line(self._queue.popleft())
            if line is not None:
                lines.append(line)
        return lines

    def _fits(self, key: str, body: bytes | None) -> bool:
        return body is not None and self._selection.fits(key, body)

    def _line(self, change: Change) -> bytes | None:
        was = self._fits(change.key, change.before)
        if change.type is ChangeType.DELETED:
            return _event(b"DELETED", self._presenter.event(change.body)) if was else None
        if self._fits(change.key, change.body):
            return _event(b"MODIFIED" if was else b"ADDED", self._presenter.event(change.body))
        if was and change.before is not None:
            return _event(b"DELETED", self._presenter.event(_at_revision(change.before, change.revision)))
        return None

    def _due_bookmark(self) -> list[bytes]:
        """Return a bookmark now and then, and one shortly before the end, where they are wanted."""
        if not self._options.bookmarks or self._initial is not None or self._queue:
            return []
        now = self._state.now_seconds()
        last = not self._last_words and self._over(now, ahead_seconds=_BOOKMARK_BEFORE_END_SECONDS)
        if not last and now - self._bookmarked < _BOOKMARK_EVERY_SECONDS:
            return []
        self._bookmarked, self._last_words = now, self._last_words or last
        return [_event(b"BOOKMARK", self._presenter.bookmark(self._at, {}))]


def _event(kind: bytes, body: bytes) -> bytes:
    return b'{"type":"' + kind + b'","object":' + body + b"}\n"


def _at_revision(body: bytes, revision: int) -> bytes:
    document: dict[str, Any] = msgspec.json.decode(b"{" + body)
    document["metadata"]["resourceVersion"] = str(revision)
    return msgspec.json.encode(document)[1:]

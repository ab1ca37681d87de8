"""Watching Observations as rows that come as they happen, of every resource that holds them, for a while or for ever.

Each resource is followed by a thread of its own; whoever reads the rows stays free to stop. What is a change is
decided in follow, what is wanted in select.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import NamedTuple

import msgspec

from zenctl.core.objects import ResourceType
from zenctl.core.report import Cell, Column, RowStream
from zenctl.errors import Invalid, UsageError
from zenctl.events.follow import Change, Followed, FollowPorts, follow
from zenctl.events.rows import EventRow, row_of
from zenctl.events.select import Filter, Match, matcher
from zenctl.ports import Discovery, ListQuery
from zenctl.product.resources import observations

_WAITING_ROWS = 1_000
_LOOK_EVERY_SECONDS = 0.5


class WatchRow(EventRow, frozen=True):
    """An Observation, what has just happened to it, and when that was heard of, by the API server's clock."""

    change: str
    phase_before: str | None
    heard_at: datetime
    resource_version: str


class WatchPorts(NamedTuple):
    """What watching needs of the world."""

    discovery: Discovery
    follow: FollowPorts


class WatchRequest(NamedTuple):
    """What to watch. ``wanted`` judges all rows, its times only those that are there at the beginning."""

    query: ListQuery
    wanted: Filter
    changes: frozenset[Change]
    seconds: float | None = None
    """How long; None is for ever."""


class _Ended(NamedTuple):
    """A thread has ended; by an error, or because there is nothing more."""

    error: BaseException | None


class _Begun(NamedTuple):
    """A thread has told all that is there at the beginning."""


_Item = WatchRow | _Begun | _Ended


def watch_events(ports: WatchPorts, group: str, request: WatchRequest, now: datetime) -> Iterator[WatchRow]:
    """Yield rows as they come; ``now`` is the API server's time. Raises Refused at once without the kind."""
    resources = observations(ports.discovery.group(group), group)
    return _rows(_Watch(ports.follow, request, now), resources, request.seconds)


class _Watch:
    """One watch of several resources, whose threads put what is wanted into a queue."""

    def __init__(self, ports: FollowPorts, request: WatchRequest, now: datetime) -> None:
        self._ports, self._request, self._now = ports, request, now
        self._judge = matcher(request.wanted)
        self._judge_words = matcher(msgspec.structs.replace(request.wanted, since=None, until=None))
        self._began_seconds = ports.clock.monotonic()
        self.say = ports.say
        self.queue: queue.Queue[_Item] = queue.Queue(_WAITING_ROWS)
        self.stopped = Event()

    def run(self, resource: ResourceType) -> None:
        """Follow a resource until it ends or nobody listens."""
        error: BaseException | None = None
        try:
            for item in self._wanted(resource):
                if not self._put(item):
                    return
        except BaseException as caught:  # noqa: BLE001 - raised again where the rows are read
            error = caught
        self._put(_Ended(error))

    def _wanted(self, resource: ResourceType) -> Iterator[WatchRow | _Begun]:
        untimed = 0
        for followed in follow(self._ports, resource, self._request.query):
            if followed is None:
                if untimed:
                    self._ports.say(f"left out {untimed:,} of unreadable time")
                yield _Begun()
            elif followed.change in self._request.changes:
                row = self._row(followed)
                judge = self._judge if followed.change is Change.PRESENT else self._judge_words
                match = judge(row)
                untimed += match is Match.UNTIMED
                if match is Match.WANTED:
                    yield row

    def _row(self, followed: Followed) -> WatchRow:
        heard_at = self._now + timedelta(seconds=int(self._ports.clock.monotonic() - self._began_seconds))
        row = row_of(followed.fields, heard_at)
        return WatchRow(
            **{name: getattr(row, name) for name in row.__struct_fields__},
            change=followed.change.value,
            phase_before=followed.phase_before,
            heard_at=heard_at,
            resource_version=followed.fields.metadata.resource_version,
        )

    def _put(self, item: _Item) -> bool:
        """Hand something over; False where nobody takes it any more."""
        while not self.stopped.is_set():
            try:
                self.queue.put(item, timeout=_LOOK_EVERY_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def next(self, seconds: float | None) -> _Item | None:
        """Return what comes next; None where nothing came before the end of the while."""
        if seconds is None:
            return self.queue.get()
        left_seconds = self._began_seconds + seconds - self._ports.clock.monotonic()
        try:
            return self.queue.get(timeout=left_seconds) if left_seconds > 0 else None
        except queue.Empty:
            return None


def _rows(watch: _Watch, resources: Sequence[ResourceType], seconds: float | None) -> Iterator[WatchRow]:
    # A thread that waits for the server cannot be stopped; it ends with the program.
    threads = [Thread(target=watch.run, args=(resource,), daemon=True, name="watch") for resource in resources]
    for thread in threads:
        thread.start()
    working = beginning = len(threads)
    try:
        while working and (item := watch.next(seconds)) is not None:
            if isinstance(item, WatchRow):
                yield item
            elif isinstance(item, _Begun):
                beginning -= 1
                if not beginning:
                    watch.say("watching; Ctrl-C ends it")
            else:
                working -= 1
                if item.error is not None:
                    raise _translated(item.error)
    finally:
        watch.stopped.set()


def _translated(error: BaseException) -> BaseException:
    if isinstance(error, Invalid):
        # Nothing in a LIST but the user's own selector can be wrong by itself.
        return UsageError(error.message, hint="see kubectl get --help for selectors")
    return error


_COLUMNS = (
    Column("at", optional=True, least=9),
    Column("change", least=16),
    Column("severity"),
    Column("phase", least=12),
    Column("name", least=33),
    Column("message", shrinks=True, optional=True),
)


def watch_stream(rows: Iterator[WatchRow]) -> RowStream[WatchRow]:
    """Return rows for the renderer."""
    return RowStream(kind="EventWatch", columns=_COLUMNS, rows=rows, cells=_cells, live=True)


def _cells(row: WatchRow) -> tuple[Cell, ...]:
    about = "/".join(filter(None, (row.resource.kind, row.resource.name)))
    message = " ".join((row.message or "").split())
    return (
        f"{row.heard_at:%H:%M:%S}Z",
        f"was {row.phase_before}" if row.phase_before else row.change,
        row.severity,
        row.phase,
        f"{row.namespace}/{row.name}",
        ": ".join(filter(None, (about, message))),
    )

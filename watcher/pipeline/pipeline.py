"""The pipeline: events of one report in, a plan of writes out. It keeps what it saw, and asks no clock.

Only one thread may use it at a time; who writes tells it how a write ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from watcher.pipeline.facts import facts_of, normalised
from watcher.pipeline.live import REPORT_ANNOTATION, Key, Known, Live
from watcher.pipeline.plan import Create, Drop, Plan, Repeat, Resolve, Write
from watcher.pipeline.times import is_later
from watcher.pipeline.window import Rate, Window
from watcher.sources.event import Event, ReportError
from watcher.sources.observation import namespace_of, object_name, observation
from zenctl.product.configuration import Configuration
from zenctl.product.filters import Filter


class Bounds(NamedTuple):
    """How much is too much."""

    window: timedelta
    max_entries: int
    live_per_source: int
    events_per_second: int
    burst: int


def bounds_of(configuration: Configuration) -> Bounds:
    """Return the bounds that are configured."""
    dedup = configuration.dedup
    return Bounds(
        window=dedup.window,
        max_entries=dedup.max_entries,
        live_per_source=configuration.limits.live_per_source,
        events_per_second=dedup.max_events_per_second,
        burst=dedup.burst,
    )


class Batch(NamedTuple):
    """The events of one report.

    ``covered`` are the wholes of which it is the complete truth. ``listed`` says that it comes again
    with every restart, as objects of the cluster do; what is not listed was posted.
    """

    source: str
    events: Sequence[Event]
    listed: bool
    covered: tuple[str, ...] = ()


class Pipeline:
    """All that was seen, and what to make of what comes."""

    def __init__(
        self,
        kept: Filter,
        bounds: Bounds,
        *,
        default_namespace: str,
        live: Iterable[Known] = (),
        dedup_first: bool = False,
        resolve_gone: bool = True,
    ) -> None:
        self.filter = kept
        """May be replaced at any time."""
        self.live = Live(live)
        self._bounds = bounds
        self._namespace = default_namespace
        self._dedup_first = dedup_first
        self._resolve_gone = resolve_gone
        self._window = Window(bounds.window, bounds.max_entries)
        self._rates: dict[str, Rate] = {}

    def take(self, batch: Batch, now: datetime) -> Plan:
        """Return what a report comes to. The writes count as done until ``failed`` says otherwise."""
        plan = Plan()
        present: set[Key] = set()
        for event in batch.events:
            self._event(normalised(event, now, listed=batch.listed), batch, now, plan, present)
        if self._resolve_gone:
            # What the filter drops is still in the report: it is not gone.
            plan.writes += self._gone(batch, present)
        return plan

    def due(self, now: datetime, *, everything: bool = False) -> list[Repeat]:
        """Return the writes of repeats that were only counted so far; ``everything`` before an end."""
        found = []
        for key, entry in self._window.due(now, everything=everything):
            time = entry.time
            if count := self._window.pending(key):
                self._window.wrote(key, now, "")
                found.append(Repeat(key, count, time, listed=False))
        return found

    def failed(self, write: Write) -> int:
        """Take back a write that will not be tried again, so that the next sighting is news.

        Returns how many events are lost by it: its own, and those that were waiting to be counted on it.
        """
        lost = self._window.pending(write.key)
        self._window.forget(write.key)
        if isinstance(write, Create):
            self.live.remove(write.key)
        return lost + (0 if isinstance(write, Resolve) else write.count)

    def closed(self, key: Key) -> None:
        """Forget an Observation that somebody resolved, archived or deleted."""
        self.live.remove(key)
        self._window.forget(key)

    def _event(self, event: Event, batch: Batch, now: datetime, plan: Plan, present: set[Key]) -> None:
        key = (namespace_of(event, self._namespace), object_name(event))
        present.add(key)
        if not batch.listed and not self._rate(batch.source).takes(now):
            plan.dropped[Drop.RATE_LIMITED] += 1
            return
        reason: str | None = None if self._dedup_first else self.filter.reason(facts_of(event))
        if reason is None and (repeated := self._repeated(key, event, batch, now)):
            reason = repeated
        elif reason is None and self._dedup_first:
            reason = self.filter.reason(facts_of(event))
        if reason is not None:
            plan.dropped[reason] += 1
            return
        self._write(key, event, batch, now, plan)

    def _repeated(self, key: Key, event: Event, batch: Batch, now: datetime) -> Drop | None:
        if self._window.delivered(key, event.occurrence):
            return Drop.REDELIVERED
        known = self.live.get(key)
        if known is None:
            return None
        # Times of Events are whole seconds, in which ten objects may tell of one thing.
        together = bool(event.occurrence) and event.time == known.last_seen and self._window.get(key) is not None
        if batch.listed and not together and not is_later(event.time, known.last_seen):
            return Drop.REDELIVERED
        if self._window.folds(key, now, event.time, event.occurrence):
            self._seen(known, event.time)
            return Drop.DUPLICATE
        return None

    def _write(self, key: Key, event: Event, batch: Batch, now: datetime, plan: Plan) -> None:
        known = self.live.get(key)
        if known is not None:
            count = 1 + self._window.pending(key)
            self._window.wrote(key, now, event.occurrence)
            self._seen(known, event.time)
            plan.writes.append(Repeat(key, count, event.time, batch.listed))
            return
        if self.live.count(batch.source) >= self._bounds.live_per_source:
            plan.dropped[Drop.OVERFLOW] += 1
            return
        try:
            found = observation(event, default_namespace=self._namespace)
        except ReportError as error:
            plan.dropped[Drop.INVALID] += 1
            plan.errors.append(str(error))
            return
        if event.report:
            found["metadata"]["annotations"] = {REPORT_ANNOTATION: event.report}
        self._window.wrote(key, now, event.occurrence)
        self.live.add(Known(key, batch.source, event.report, event.time or ""))
        plan.writes.append(Create(key, found, event.time, batch.listed))

    def _seen(self, known: Known, time: str | None) -> None:
        if time is not None and is_later(time, known.last_seen):
            self.live.add(known._replace(last_seen=time))

    def _gone(self, batch: Batch, present: set[Key]) -> list[Resolve]:
        found = []
        for report in batch.covered:
            for key in self.live.of_report(batch.source, report):
                if key not in present:
                    self.closed(key)
                    found.append(Resolve(key, report))
        return found

    def _rate(self, source: str) -> Rate:
        if source not in self._rates:
            self._rates[source] = Rate(self._bounds.events_per_second, self._bounds.burst)
        return self._rates[source]

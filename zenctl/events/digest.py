"""The digest of a while: what is new, what is still open, what is oldest, who is noisiest. Pure, bounded memory.

Nothing of unknown time is taken for old or for new, and nothing of a phase that nobody knows for settled: both are
counted by themselves.
"""

from __future__ import annotations

from datetime import datetime

from zenctl.core.instants import read_instant
from zenctl.core.objects import RawObject, ResourceType
from zenctl.core.observation import ObservationFields, Phase, Severity, status_of
from zenctl.events.rows import EventRow, row_of
from zenctl.events.select import OPEN, Filter, Match, Selection, SortBy, matcher, ordering, phase_meant
from zenctl.events.stats import Words

SEVERE = frozenset({Severity.CRITICAL.value, Severity.HIGH.value})
MOST_NEW, MOST_OLD, MOST_SOURCES = 8, 3, 3
"""So many rows at most, that a digest fits into a chat message."""


_NEWEST_FIRST, _OLDEST_FIRST = ordering(SortBy.TIME), ordering(SortBy.TIME, reverse=True)


_NUMBERS = (
    "new_total", "severe_total", "open_total", "acknowledged", "resolved", "untimed", "future", "open_untimed",
    "resolved_untimed", "other_phase",
)  # fmt: skip


def _worst_first(row: EventRow) -> tuple[object, ...]:
    """Order by severity, and what is of one severity by time, the newest first."""
    return (row.severity != Severity.CRITICAL.value, _NEWEST_FIRST(row))


class Digest:
    """What happened between two instants, and what is open at the second; satisfies Tally."""

    def __init__(self, wanted: Filter, since: datetime, now: datetime) -> None:
        self._judge = matcher(wanted)
        self.since, self.now = since, now
        self.new_total = self.open_total = self.severe_total = 0
        self.new = Words()
        self.severe = Selection(_worst_first, MOST_NEW)
        self.open = Words()
        self.acknowledged = 0
        self.oldest = Selection(_OLDEST_FIRST, MOST_OLD)
        self.new_sources = Words()
        self.resolved = 0
        self.untimed = self.future = self.open_untimed = self.resolved_untimed = self.other_phase = 0

    def add(self, resource: ResourceType, item: RawObject[ObservationFields]) -> None:  # noqa: ARG002 - see Tally
        """Take one into account."""
        row = row_of(item.fields, self.now)
        if self._judge(row) is Match.WANTED:
            self._add_time(row)
            self._add_phase(row, read_instant(status_of(item.fields).resolved_at).instant)

    def _add_time(self, row: EventRow) -> None:
        if row.instant is None:
            self.untimed += 1
        elif row.instant > self.now:
            self.future += 1
        elif row.instant >= self.since:
            self.new_total += 1
            self.new.add(row.severity)
            self.new_sources.add(row.source)
            if row.severity in SEVERE:
                self.severe_total += 1
                self.severe.add(row)

    def _add_phase(self, row: EventRow, resolved_at: datetime | None) -> None:
        phase = phase_meant(row.phase)
        if phase is None:
            self.other_phase += 1
        elif phase in OPEN:
            self.open_total += 1
            self.open.add(row.severity)
            self.acknowledged += phase is Phase.ACKNOWLEDGED
            if row.instant is None or row.instant > self.now:
                self.open_untimed += 1
            else:
                self.oldest.add(row)
        elif phase is Phase.RESOLVED:
            if resolved_at is None or resolved_at > self.now:
                self.resolved_untimed += 1
            else:
                self.resolved += resolved_at >= self.since

    def take(self, other: Digest) -> None:
        """Take all that another one found of another resource."""
        for words, more in ((self.new, other.new), (self.open, other.open), (self.new_sources, other.new_sources)):
            words.take(more)
        for mine, theirs in ((self.severe, other.severe), (self.oldest, other.oldest)):
            for row in theirs.ranked():
                mine.add(row)
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

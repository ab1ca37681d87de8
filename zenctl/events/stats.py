"""Statistics of Observations: counts by what they say of themselves, and by day. Pure, one pass, bounded memory.

Days are those of a calendar, by the time that an Observation's age is counted from. What has no readable time
is in no day and is counted by itself; so is what lies before the first day, or in the future.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta, tzinfo

from zenctl.core.objects import RawObject, ResourceType
from zenctl.core.observation import ObservationFields
from zenctl.events.rows import EventRow, row_of
from zenctl.events.select import OPEN, Filter, Match, matcher, phase_meant

MOST_WORDS = 5_000
"""So many different words are told apart in one count; the rest of them is counted together."""


class Calendar:
    """The days that are counted one by one: so many, up to and with today."""

    def __init__(self, now: datetime, zone: tzinfo, days: int) -> None:
        self.now, self.zone, self.size = now, zone, days
        self.today = now.astimezone(zone).date()

    def place(self, instant: datetime) -> int:
        """Return which of the days it is, from 0; negative for an earlier one."""
        try:
            day = instant.astimezone(self.zone).date()
        except OverflowError:  # the first or last hours of all time, in another zone
            return -1
        return self.size - 1 - (self.today - day).days

    @property
    def days(self) -> tuple[date, ...]:
        """Every day, the first one first."""
        return tuple(self.today - timedelta(days=back) for back in reversed(range(self.size)))


class Words:
    """Counts of words, of which there may be any number; None is a word that is not known."""

    def __init__(self, most: int = MOST_WORDS) -> None:
        self._most = most
        self.counts: Counter[str | None] = Counter()
        self.others = 0

    def add(self, word: str | None, count: int = 1) -> None:
        """Count a word."""
        if word in self.counts or len(self.counts) < self._most:
            self.counts[word] += count
        else:
            self.others += count

    def take(self, other: Words) -> None:
        """Count all that another one has counted."""
        for word, count in other.counts.items():
            self.add(word, count)
        self.others += other.others


class Lines:
    """Counts by day, one line for each word, of which there may be any number."""

    def __init__(self, days: int, most: int = MOST_WORDS) -> None:
        self._days, self._most = days, most
        self.lines: dict[str | None, list[int]] = {}
        self.others = 0

    def add(self, word: str | None, place: int, count: int = 1) -> None:
        """Count a word at a day."""
        line = self.lines.get(word)
        if line is None:
            if len(self.lines) >= self._most:
                self.others += count
                return
            line = self.lines[word] = [0] * self._days
        line[place] += count

    def take(self, other: Lines) -> None:
        """Count all that another one has counted."""
        for word, line in other.lines.items():
            for place, count in enumerate(line):
                if count:
                    self.add(word, place, count)
        self.others += other.others


_BY: dict[str, Callable[[EventRow], str | None]] = {
    "severity": lambda row: row.severity,
    "phase": lambda row: row.phase,
    "source": lambda row: row.source,
    "namespace": lambda row: row.namespace,
    "category": lambda row: row.category,
}
"""What is counted, and how it is read of a row."""


class Statistics:
    """The counts; satisfies Tally."""

    def __init__(self, wanted: Filter, calendar: Calendar) -> None:
        self._judge = matcher(wanted)
        self._calendar = calendar
        self.by = {what: Words() for what in _BY}
        self.days = [0] * calendar.size
        self.severity_days, self.source_days = Lines(calendar.size), Lines(calendar.size)
        self.total = self.open = self.untimed = self.earlier = self.future = self.left_out = 0

    def add(self, resource: ResourceType, item: RawObject[ObservationFields]) -> None:  # noqa: ARG002 - see Tally
        """Take one into account."""
        self.add_row(row_of(item.fields, self._calendar.now))

    def add_row(self, row: EventRow) -> None:
        """Take one into account."""
        match = self._judge(row)
        self.left_out += match is Match.UNTIMED
        if match is not Match.WANTED:
            return
        self.total += 1
        self.open += phase_meant(row.phase) in OPEN
        for what, read in _BY.items():
            self.by[what].add(read(row))
        self._add_day(row)

    def _add_day(self, row: EventRow) -> None:
        if row.instant is None:
            self.untimed += 1
        elif row.instant > self._calendar.now:
            self.future += 1
        elif (place := self._calendar.place(row.instant)) < 0:
            self.earlier += 1
        else:
            self.days[place] += 1
            self.severity_days.add(row.severity, place)
            self.source_days.add(row.source, place)


def together(parts: Iterable[Statistics], wanted: Filter, calendar: Calendar) -> Statistics:
    """Return the statistics of several resources as one."""
    whole = Statistics(wanted, calendar)
    for part in parts:
        for what, words in part.by.items():
            whole.by[what].take(words)
        whole.days = [mine + more for mine, more in zip(whole.days, part.days, strict=True)]
        whole.severity_days.take(part.severity_days)
        whole.source_days.take(part.source_days)
        for name in ("total", "open", "untimed", "earlier", "future", "left_out"):
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
    return whole

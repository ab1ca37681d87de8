"""Statistics as a Report. Counts nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from zenctl.core.observation import Phase, Severity
from zenctl.core.report import Bar, Block, Cell, Facts, Report, Result, Series, Tone, Toned
from zenctl.events.stats import Calendar, Lines, Statistics, Words

_SHOWN = 10
_ORDERS = {"severity": tuple(Severity), "phase": tuple(Phase)}
_Found = TypeVar("_Found")


class WordCount(Result, frozen=True):
    """How many Observations say so; None is what says nothing that can be read."""

    value: str | None
    count: int


class Breakdown(Result, frozen=True):
    """Counts by one thing. ``others`` are those of words beyond the first thousands."""

    counts: tuple[WordCount, ...]
    others: int


class DayLine(Result, frozen=True):
    """Counts for each of the days, of what says so."""

    value: str | None
    counts: tuple[int, ...]


class EventStats(Result, frozen=True):
    """What there is. ``untimed``, ``earlier`` and ``future`` are in ``total`` and in no day."""

    now: datetime
    timezone: str
    total: int
    open: int
    untimed: int
    earlier: int
    future: int
    left_out_untimed: int
    mixed: bool
    by_severity: Breakdown
    by_phase: Breakdown
    by_source: Breakdown
    by_namespace: Breakdown
    by_category: Breakdown
    days: tuple[str, ...]
    per_day: tuple[int, ...]
    severity_per_day: tuple[DayLine, ...]
    source_per_day: tuple[DayLine, ...]


def stats_report(found: Statistics, calendar: Calendar, *, mixed: bool) -> Report:
    """Return statistics as a report."""
    breakdowns = {what: breakdown(what, words) for what, words in found.by.items()}
    data = EventStats(
        now=calendar.now,
        timezone=str(calendar.zone),
        total=found.total,
        open=found.open,
        untimed=found.untimed,
        earlier=found.earlier,
        future=found.future,
        left_out_untimed=found.left_out,
        mixed=mixed,
        **{f"by_{what}": counts for what, counts in breakdowns.items()},
        days=tuple(day.isoformat() for day in calendar.days),
        per_day=tuple(found.days),
        severity_per_day=_day_lines("severity", found.severity_days),
        source_per_day=_day_lines("source", found.source_days),
    )
    blocks: list[Block] = [Facts(tuple(_facts(data)))]
    if data.total:
        blocks += [_bar(what, counts, data.total) for what, counts in breakdowns.items()]
        blocks += _series(data)
    return Report(kind="EventStats", data=data, blocks=tuple(blocks))


def breakdown(what: str, words: Words) -> Breakdown:
    """Return counts of a severity, a phase or anything else in their usual order."""
    counts = tuple(WordCount(value=word, count=count) for word, count in _ordered(what, words.counts))
    return Breakdown(counts=counts, others=words.others)


def _day_lines(what: str, lines: Lines) -> tuple[DayLine, ...]:
    sums = {word: sum(line) for word, line in lines.lines.items()}
    return tuple(DayLine(value=word, counts=tuple(lines.lines[word])) for word, _ in _ordered(what, sums))


def _ordered(what: str, counts: Mapping[str | None, int]) -> list[tuple[str | None, int]]:
    """Order severities and phases as they always are, other words by count; what is not known comes last."""
    order = {word.value: place for place, word in enumerate(_ORDERS.get(what, ()))}
    return sorted(
        counts.items(),
        key=lambda entry: (entry[0] is None, order.get(entry[0] or "", len(order)), -entry[1], entry[0] or ""),
    )


def _facts(data: EventStats) -> Iterator[tuple[str, Cell]]:
    yield "Observations", data.total
    yield "open", f"{data.open:,} (Active or Acknowledged)"
    others = (
        ("time unknown", data.untimed, "in no day"),
        ("in the future", data.future, "in no day"),
        ("earlier", data.earlier, "than the days below"),
        ("left out", data.left_out_untimed, "of unknown time, so that they may lie in this window or not"),
    )
    for label, count, remark in others:
        if count:
            text = f"{count:,} {remark}"
            yield label, text if label == "earlier" else Toned(text, Tone.WARN)
    if data.mixed:
        yield "listing", Toned("outlived its snapshot: some of it is newer than the rest", Tone.WARN)


def _bar(what: str, found: Breakdown, total: int) -> Bar:
    shown, more = _first(found.counts)
    rows = tuple((count.value, count.count) for count in shown)
    if found.others:
        rows = (*rows, ("(other words)", found.others))
    return Bar(what, rows, total, omitted=more)


def _series(data: EventStats) -> Iterator[Series]:
    span = f"{data.days[0]} to {data.days[-1]}"
    by_severity = tuple((line.value, line.counts) for line in data.severity_per_day)
    yield Series("severity", span, (("all", data.per_day), *by_severity), title=f"by day ({data.timezone})")
    shown, more = _first(data.source_per_day)
    if shown:
        yield Series("source", span, tuple((line.value, line.counts) for line in shown), omitted=more)


def _first(found: Iterable[_Found]) -> tuple[tuple[_Found, ...], int]:
    everything = tuple(found)
    return everything[:_SHOWN], max(0, len(everything) - _SHOWN)

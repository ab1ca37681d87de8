"""A digest as a Report: lines of facts, which read well in a chat as markdown and on a terminal. Counts nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from zenctl.core.durations import humanise
from zenctl.core.report import Block, Cell, Facts, Report, Result, Text, Tone, Toned
from zenctl.core.text import shorten
from zenctl.events.digest import MOST_SOURCES, Digest
from zenctl.events.rows import EventRow
from zenctl.events.stats_report import Breakdown, breakdown

_MESSAGE_WIDTH, _WORD_WIDTH = 60, 30
_MOST_SEVERITIES = 6


class EventDigest(Result, frozen=True):
    """What happened in a while. The rows are the first of more, the counts are of all.

    Of the unknown: ``untimed`` and ``future`` may be new or old, ``open_untimed`` may be older than the oldest,
    ``resolved_untimed`` may have been resolved in the window or before, ``other_phase`` may be open or not.
    """

    since: datetime
    until: datetime
    new: int
    new_by_severity: Breakdown
    new_severe: int
    new_severe_rows: tuple[EventRow, ...]
    new_by_source: Breakdown
    resolved: int
    open: int
    open_by_severity: Breakdown
    acknowledged: int
    oldest_open: tuple[EventRow, ...]
    untimed: int
    future: int
    open_untimed: int
    resolved_untimed: int
    other_phase: int
    mixed: bool


def digest_report(found: Digest, *, mixed: bool) -> Report:
    """Return a digest as a report."""
    data = EventDigest(
        since=found.since,
        until=found.now,
        new=found.new_total,
        new_by_severity=breakdown("severity", found.new),
        new_severe=found.severe_total,
        new_severe_rows=tuple(found.severe.ranked()),
        new_by_source=breakdown("source", found.new_sources),
        resolved=found.resolved,
        open=found.open_total,
        open_by_severity=breakdown("severity", found.open),
        acknowledged=found.acknowledged,
        oldest_open=tuple(found.oldest.ranked()),
        untimed=found.untimed,
        future=found.future,
        open_untimed=found.open_untimed,
        resolved_untimed=found.resolved_untimed,
        other_phase=found.other_phase,
        mixed=mixed,
    )
    return Report(kind="EventDigest", data=data, blocks=tuple(_blocks(data)))


def _blocks(data: EventDigest) -> Iterator[Block]:
    window = f"{humanise(data.until - data.since)} to {data.until:%Y-%m-%d %H:%M}Z"
    yield Facts(tuple(_facts(data)), title=f"Observations, {window}")
    if data.new_severe_rows:
        more = data.new_severe - len(data.new_severe_rows)
        title = "new critical and high" + (f" ({more:,} more)" if more else "")
        rows = tuple((row.severity or "", _line(row, row.phase, _age(row))) for row in data.new_severe_rows)
        yield Facts(rows, title=title)
    else:
        doubt = data.untimed + data.future
        yield Text(
            "No new critical or high ones"
            + (f" are known; {doubt:,} have no time to be judged by." if doubt else ".")
        )
    if data.oldest_open:
        rows = tuple((_age(row), _line(row, row.severity, row.phase)) for row in data.oldest_open)
        yield Facts(rows, title="oldest unresolved")


def _facts(data: EventDigest) -> Iterator[tuple[str, Cell]]:
    yield "new", _counted(data.new, data.new_by_severity)
    yield "resolved", data.resolved
    still = _counted(data.open, data.open_by_severity)
    yield "still open", f"{still}, {data.acknowledged:,} acknowledged" if data.acknowledged else still
    if data.new_by_source.counts:
        yield "noisiest source", _words(data.new_by_source, MOST_SOURCES)
    unknown = (
        (data.untimed, "of unknown time, not counted as new"),
        (data.future, "of a time in the future, not counted as new"),
        (data.open_untimed, "open for an unknown time"),
        (data.resolved_untimed, "resolved at an unknown time"),
        (data.other_phase, "in a phase that says neither open nor settled"),
    )
    told = [f"{count:,} {what}" for count, what in unknown if count]
    if data.mixed:
        told.append("the listing outlived its snapshot, so that some of it is newer than the rest")
    if told:
        yield "unknown", Toned("; ".join(told), Tone.WARN)


def _counted(total: int, found: Breakdown) -> str:
    return f"{total:,} ({_words(found, _MOST_SEVERITIES)})" if total else "0"


def _words(found: Breakdown, most: int) -> str:
    """Return the first counts, and how many the rest are."""
    rest = sum(each.count for each in found.counts[most:]) + found.others
    told = [f"{each.count:,} {shorten(each.value or 'unknown', _WORD_WIDTH)}" for each in found.counts[:most]]
    return ", ".join([*told, f"{rest:,} other"] if rest else told)


def _line(row: EventRow, *words: str | None) -> str:
    about = "/".join(filter(None, (row.resource.kind, row.resource.name)))
    message = shorten(" ".join((row.message or "").split()), _MESSAGE_WIDTH)
    return f"{row.namespace}/{row.name} ({', '.join(filter(None, (about, *words)))}) {message}".rstrip()


def _age(row: EventRow) -> str:
    return "unknown age" if row.age_seconds is None else humanise(timedelta(seconds=row.age_seconds))

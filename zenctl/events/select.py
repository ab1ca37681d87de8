"""Which rows of a listing are wanted, and in which order: pure, and in bounded memory where few are.

Everything here judges rows that are already read; what the server can select itself (namespace and
labels) never comes here.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from zenctl.core.observation import SEVERITY_ORDER, Phase
from zenctl.errors import UsageError
from zenctl.events.rows import EventRow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LEAST_SPARE = 1_000
_SEVERITIES = {severity.value: rank for severity, rank in SEVERITY_ORDER.items()}
_PHASES_BY_WORD = {phase.value.casefold(): phase for phase in Phase}
_PHASES = {phase.value.casefold(): rank for rank, phase in enumerate(Phase)}


OPEN = frozenset({Phase.ACTIVE, Phase.ACKNOWLEDGED})
"""The phases of what nobody has settled."""


def phase_meant(phase: str) -> Phase | None:
    """Return the phase that is meant by a word in any case; None where it is another vendor's word."""
    return _PHASES_BY_WORD.get(phase.casefold())


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What a row must be. Words are compared in any case; an empty set asks for nothing.

    Of the times ``since`` is included and ``until`` is not, so that two listings that meet share no row.
    """

    severities: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    phases: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None

    @property
    def timed(self) -> bool:
        """Say whether rows are judged by their time."""
        return self.since is not None or self.until is not None


class Match(StrEnum):
    """What a filter says of a row."""

    WANTED = "wanted"
    OTHER = "other"
    UNTIMED = "untimed"
    """Wanted but for its time, and that is not known."""


def checked_window(since: datetime | None, until: datetime | None) -> None:
    """Refuse a window of time that nothing can lie in. Raises UsageError."""
    if since is not None and until is not None and since >= until:
        raise UsageError("--since is not before --until, so no Observation can match")


def matcher(wanted: Filter) -> Callable[[EventRow], Match]:
    """Return the function that judges rows by a filter."""
    severities, phases = _any_case(wanted.severities), _any_case(wanted.phases)
    sources, categories = _any_case(wanted.sources), _any_case(wanted.categories)

    def judge(row: EventRow) -> Match:
        words = (
            (severities, row.severity),
            (phases, row.phase),
            (sources, row.source),
            (categories, row.category),
        )
        if any(asked and (word or "").casefold() not in asked for asked, word in words):
            return Match.OTHER
        return _in_window(row.instant, wanted) if wanted.timed else Match.WANTED

    return judge


def _any_case(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word.casefold() for word in words)


def _in_window(instant: datetime | None, wanted: Filter) -> Match:
    if instant is None:
        return Match.UNTIMED
    early = wanted.since is not None and instant < wanted.since
    late = wanted.until is not None and instant >= wanted.until
    return Match.OTHER if early or late else Match.WANTED


class SortBy(StrEnum):
    """What a listing is ordered by: times newest first, severities worst first, phases as life goes."""

    TIME = "time"
    SEVERITY = "severity"
    NAMESPACE = "namespace"
    NAME = "name"
    PHASE = "phase"
    SOURCE = "source"
    LAST_SEEN = "last-seen"


Order = Callable[[EventRow], Any]
"""A sort key. Rows of which the value is unknown come last either way; ties go by namespace and name."""


def ordering(by: SortBy, *, reverse: bool = False) -> Order:
    """Return the key that orders rows; ``reverse`` turns round what is known, neither the ties nor the unknown."""
    rank = _RANKS[by]

    def order(row: EventRow) -> Any:
        value = rank(row)
        tie = (row.namespace, row.name)
        if value is None:
            return (1, 0, tie)
        return (0, _backwards(value) if reverse else value, tie)

    return order


def _backwards(value: int | str) -> Any:
    return _Descending(value) if isinstance(value, str) else -value


class _Descending:
    """Text that sorts backwards, for which there is no minus sign."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and self.text == other.text

    def __lt__(self, other: _Descending) -> bool:
        return self.text > other.text

    __hash__ = None  # type: ignore[assignment]  # compared, never looked up


def _newest_first(instant: datetime | None) -> int | None:
    return None if instant is None else -((instant - _EPOCH) // _MICROSECOND)


_RANKS: dict[SortBy, Callable[[EventRow], int | str | None]] = {
    SortBy.TIME: lambda row: _newest_first(row.instant),
    SortBy.SEVERITY: lambda row: _SEVERITIES.get(row.severity or ""),
    SortBy.NAMESPACE: lambda row: row.namespace,
    SortBy.NAME: lambda row: row.name,
    SortBy.PHASE: lambda row: _PHASES.get(row.phase.casefold()),
    SortBy.SOURCE: lambda row: row.source and row.source.casefold(),
    SortBy.LAST_SEEN: lambda row: _newest_first(row.last_seen),
}


class Selection:
    """The first ``limit`` of any number of rows in an order, holding never many more than that."""

    def __init__(self, order: Order, limit: int | None = None) -> None:
        self._order = order
        self._limit = limit
        self._rows: list[EventRow] = []

    def add(self, row: EventRow) -> None:
        """Take a row into account."""
        self._rows.append(row)
        # Pruned seldom, so that the work for each row stays logarithmic in the limit.
        if self._limit is not None and len(self._rows) >= 2 * self._limit + _LEAST_SPARE:
            self._rows = heapq.nsmallest(self._limit, self._rows, key=self._order)

    def ranked(self) -> list[EventRow]:
        """Return the rows in order."""
        if self._limit is None:
            return sorted(self._rows, key=self._order)
        return heapq.nsmallest(self._limit, self._rows, key=self._order)

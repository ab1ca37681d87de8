"""An Observation as a row of the listing, and the columns that a table may show of it.

A row carries everything that JSON promises, whatever the columns are. What an object does not say, or
says as another type than text, is unknown in its row. Nothing here filters, sorts or reads a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from zenctl.core.instants import TimeReading
from zenctl.core.observation import (
    ObservationFields,
    Severity,
    age_of,
    last_seen,
    phase_of,
    severity_of,
    spec_of,
    status_of,
    text,
)
from zenctl.core.report import Cell, Column, Result, RowStream, Tone, Toned
from zenctl.errors import UsageError

FUTURE = "future"


class Subject(Result, frozen=True):
    """The resource that an Observation is about."""

    kind: str | None
    name: str | None
    namespace: str | None


class EventRow(Result, frozen=True):
    """An Observation. ``time_problem`` says why its time cannot be trusted, where it cannot."""

    namespace: str
    name: str
    resource: Subject
    severity: str | None
    source: str | None
    category: str | None
    event_type: str | None
    phase: str
    instant: datetime | None
    age_seconds: float | None
    age_from: str
    time_problem: str | None
    last_seen: datetime | None
    count: int | None
    message: str | None
    fingerprint: str | None
    uid: str


def row_of(fields: ObservationFields, now: datetime) -> EventRow:
    """Return an Observation as a row; ages are counted back from ``now``."""
    spec, count, age = spec_of(fields), status_of(fields).count, age_of(fields)
    instant = age.reading.instant
    return EventRow(
        namespace=fields.metadata.namespace,
        name=fields.metadata.name,
        resource=subject(spec.resource),
        severity=severity_of(fields) or None,
        source=known(spec.source),
        category=known(spec.category),
        event_type=known(spec.event_type),
        phase=phase_of(fields),
        instant=instant,
        age_seconds=(now - instant).total_seconds() if instant else None,
        age_from=age.source.value,
        time_problem=time_problem(age.reading, now),
        last_seen=last_seen(fields).instant,
        count=count if isinstance(count, int) and not isinstance(count, bool) else None,
        message=known(spec.message) or known(spec.title),
        fingerprint=known(spec.fingerprint),
        uid=fields.metadata.uid,
    )


def subject(resource: object) -> Subject:
    """Read a reference to a resource, as spec.resource and spec.affectedResources hold them."""
    said: Mapping[object, object] = resource if isinstance(resource, dict) else {}
    return Subject(kind=known(said.get("kind")), name=known(said.get("name")), namespace=known(said.get("namespace")))


def known(value: object) -> str | None:
    """Return a value that should be text; None where it is empty or something else."""
    return text(value) or None


def time_problem(reading: TimeReading, now: datetime) -> str | None:
    """Say what is wrong with a time: absent, malformed, zoneless or future."""
    if reading.problem is not None:
        return reading.problem.value
    return FUTURE if reading.instant is not None and reading.instant > now else None


class _Shown(NamedTuple):
    column: Column
    cell: Callable[[EventRow], Cell]


def _column(title: str, cell: Callable[[EventRow], Cell], *, right: bool = False, shrinks: bool = False) -> _Shown:
    return _Shown(Column(title, right=right, shrinks=shrinks), cell)


def _severity(row: EventRow) -> Cell:
    # Severe ones stand out because the others are muted: a mark beside each would only get in the way of awk.
    return Toned(row.severity, Tone.MUTED) if row.severity in (Severity.LOW, Severity.INFO) else row.severity


def _age(row: EventRow) -> Cell:
    return None if row.age_seconds is None else timedelta(seconds=row.age_seconds)


def _about(row: EventRow) -> Cell:
    return "/".join(filter(None, (row.resource.kind, row.resource.name)))


def _message(row: EventRow) -> Cell:
    return " ".join((row.message or "").split())


COLUMNS: Mapping[str, _Shown] = MappingProxyType(
    {
        "namespace": _column("namespace", lambda row: row.namespace),
        "name": _column("name", lambda row: row.name),
        "severity": _column("severity", _severity),
        "source": _column("source", lambda row: row.source),
        "category": _column("category", lambda row: row.category),
        "event-type": _column("event type", lambda row: row.event_type),
        "phase": _column("phase", lambda row: row.phase),
        "time": _column("time", lambda row: row.instant),
        "age": _column("age", _age, right=True),
        "age-from": _column("age from", lambda row: row.age_from),
        "last-seen": _column("last seen", lambda row: row.last_seen),
        "count": _column("count", lambda row: row.count, right=True),
        "resource": _column("resource", _about),
        "message": _column("message", _message, shrinks=True),
        "fingerprint": _column("fingerprint", lambda row: row.fingerprint),
        "uid": _column("uid", lambda row: row.uid),
    }
)
"""Every column that --columns knows."""

DEFAULT = ("namespace", "name", "severity", "source", "phase", "age", "resource", "message")
_OPTIONAL = frozenset({"source", "resource"})
WIDE = (
    "namespace", "name", "severity", "source", "category", "event-type", "phase", "age", "last-seen", "count",
    "resource", "message",
)  # fmt: skip


def checked_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns as they are written in COLUMNS. Raises UsageError where one is not."""
    wanted = tuple(name.strip().lower() for name in names)
    for name in wanted:
        if name not in COLUMNS:
            raise UsageError(f"--columns: {name!r} is none of {', '.join(COLUMNS)}")
    return wanted


def event_stream(rows: Iterable[EventRow], names: Sequence[str] = DEFAULT) -> RowStream[EventRow]:
    """Return rows for the renderer, under the columns of these names."""
    shown = [COLUMNS[name] for name in names]
    # What somebody asked for by name is never left out on a narrow terminal.
    optional = _OPTIONAL if tuple(names) == DEFAULT else frozenset()
    return RowStream(
        kind="EventList",
        columns=tuple(replace(COLUMNS[name].column, optional=name in optional) for name in names),
        rows=rows,
        cells=lambda row: tuple(each.cell(row) for each in shown),
    )

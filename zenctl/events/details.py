"""One Observation laid out for a person: what it says, when, what became of it, and what is odd about it.

The document itself is the data, complete and as the server sent it; everything here only reads it.
Fields of an unexpected type are shown as JSON, never dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from zenctl.core.instants import TimeProblem, read_instant
from zenctl.core.observation import AgeSource, age_of
from zenctl.core.provenance import ORIGINAL_CREATION, ORIGINAL_UID
from zenctl.core.report import Block, Cell, Column, Facts, Report, Result, Table, Text, Tone, Toned
from zenctl.events.around import Around
from zenctl.events.around_report import around_blocks
from zenctl.events.rows import FUTURE, EventRow, row_of, subject, time_problem
from zenctl.events.run import Found

_TONES = {"CRITICAL": Tone.BAD, "HIGH": Tone.BAD, "MEDIUM": Tone.WARN}
_IN_WORDS = {
    TimeProblem.MALFORMED.value: "is not RFC 3339, so it says nothing",
    TimeProblem.ZONELESS.value: "has no zone, so nobody knows which hour it means",
    FUTURE: "lies in the future",
}
_ORIGINAL = "creation before a restore"
_AGE_FIELDS = {
    AgeSource.TIMESTAMP: "spec.timestamp",
    AgeSource.DETECTED_AT: "spec.detectedAt",
    AgeSource.CREATION: "metadata.creationTimestamp",
}


class EventDetails(Result, frozen=True):
    """The Observations that were named, each whole, and for each what is around it; () where nobody looked."""

    objects: tuple[dict[str, Any], ...]
    around: tuple[Around, ...]


def details_report(found: Sequence[Found], around: Sequence[Around], now: datetime) -> Report:
    """Return everything about these Observations; ``now`` is the API server's time."""
    documents = [each.document for each in found]
    blocks: list[Block] = []
    for place, (each, document) in enumerate(zip(found, documents, strict=True)):
        blocks += _blocks(each, document, now)
        if around:
            blocks += around_blocks(around[place], now)
    data = EventDetails(objects=tuple(documents), around=tuple(around))
    return Report(kind="EventDetails", data=data, blocks=tuple(blocks))


class _Parts(NamedTuple):
    """The three parts of a document, each an object or empty."""

    metadata: dict[str, Any]
    spec: dict[str, Any]
    status: dict[str, Any]


def _blocks(found: Found, document: dict[str, Any], now: datetime) -> Iterator[Block]:
    parts = _Parts(*(_mapping(document.get(part)) for part in _Parts._fields))
    row = row_of(found.item.fields, now)
    yield Facts(tuple(_facts(row, parts)), title=f"{found.resource.kind} {found.key}")
    if row.message:
        yield Text(row.message)
    yield from _times(found, parts, now)
    yield from _conditions(parts.status.get("conditions"))
    yield from _affected(parts.spec.get("affectedResources"))
    yield from _details(parts.spec.get("details"))


def _facts(row: EventRow, parts: _Parts) -> Iterator[tuple[str, Cell]]:
    severity = row.severity
    yield "severity", Toned(severity, _TONES[severity]) if severity in _TONES else severity
    yield "phase", row.phase
    yield "about", "/".join(filter(None, (row.resource.kind, row.resource.namespace, row.resource.name))) or None
    yield "age", None if row.age_seconds is None else timedelta(seconds=row.age_seconds)
    yield "source", row.source
    yield "category", row.category
    yield "event type", row.event_type
    others = (
        ("seen", parts.status.get("count"), _times_seen),
        ("priority", parts.spec.get("priority"), _cell),
        ("tags", parts.spec.get("tags"), _comma_list),
        ("kept for", parts.spec.get("ttlSecondsAfterCreation"), _seconds),
        ("fingerprint", parts.spec.get("fingerprint"), _cell),
        ("labels", parts.metadata.get("labels"), _pairs),
        ("uid", parts.metadata.get("uid"), _cell),
        ("uid before a restore", _mapping(parts.metadata.get("annotations")).get(ORIGINAL_UID), _cell),
        ("going since", parts.metadata.get("deletionTimestamp"), _cell),
    )
    yield from ((label, draw(value)) for label, value, draw in others if value not in (None, "", [], {}))


def _times(found: Found, parts: _Parts, now: datetime) -> Iterator[Block]:
    """Tell every time there is, how long ago it was and what is wrong with it."""
    original = _mapping(parts.metadata.get("annotations")).get(ORIGINAL_CREATION)
    age_field = _AGE_FIELDS.get(age_of(found.item.fields).source)
    if age_field == _AGE_FIELDS[AgeSource.CREATION] and original:
        age_field = _ORIGINAL
    times = (
        ("spec.timestamp", parts.spec.get("timestamp")),
        ("spec.detectedAt", parts.spec.get("detectedAt")),
        (_ORIGINAL, original),
        ("metadata.creationTimestamp", parts.metadata.get("creationTimestamp")),
        ("status.firstSeen", parts.status.get("firstSeen")),
        ("status.lastSeen", parts.status.get("lastSeen")),
        ("status.resolvedAt", parts.status.get("resolvedAt")),
        ("spec.expiresAt", parts.spec.get("expiresAt")),
    )
    rows = tuple(
        _time_row(field, value, now, is_age=field == age_field) for field, value in times if value not in (None, "")
    )
    if rows:
        columns = (Column("field"), Column("time"), Column("ago", right=True), Column("remark", shrinks=True))
        yield Table(columns, rows, title="times")


def _time_row(field: str, value: Any, now: datetime, *, is_age: bool) -> tuple[Cell, ...]:
    reading = read_instant(value)
    # An expiry is meant to lie ahead.
    problem = None if field == "spec.expiresAt" and reading.instant else time_problem(reading, now)
    counted = ("age is counted from here" if reading.instant else "so the age is unknown") if is_age else ""
    remarks = "; ".join(filter(None, (_IN_WORDS.get(problem or ""), counted)))
    ago = "" if reading.instant is None else now - reading.instant
    return field, reading.instant or _cell(value), ago, Toned(remarks, Tone.WARN) if problem else remarks


def _conditions(conditions: Any) -> Iterator[Block]:
    if not conditions:
        return
    if not isinstance(conditions, list):
        yield Facts((("conditions", _cell(conditions)),))
        return
    columns = (Column("type"), Column("status"), Column("since"), Column("reason"), Column("message", shrinks=True))
    yield Table(columns, tuple(_condition_row(entry) for entry in conditions), title="conditions")


def _condition_row(entry: Any) -> tuple[Cell, ...]:
    if not isinstance(entry, dict):
        return (_cell(entry), "", "", "", "")
    before, after = ("type", "status"), ("reason", "message")
    since = entry.get("lastTransitionTime", "")
    return (
        *(_cell(entry.get(name, "")) for name in before),
        read_instant(since).instant or _cell(since),
        *(_cell(entry.get(name, "")) for name in after),
    )


def _affected(resources: Any) -> Iterator[Block]:
    if not resources:
        return
    if not isinstance(resources, list):
        yield Facts((("affected resources", _cell(resources)),))
        return
    rows = tuple(_affected_row(entry) for entry in resources)
    yield Table((Column("kind"), Column("namespace"), Column("name")), rows, title="affected resources")


def _affected_row(entry: Any) -> tuple[Cell, ...]:
    if not isinstance(entry, dict):
        return ("", "", _cell(entry))
    named = subject(entry)
    return (named.kind or "", named.namespace or "", named.name or "")


def _details(details: Any) -> Iterator[Block]:
    if isinstance(details, dict) and details:
        yield Facts(tuple((str(name), _cell(value)) for name, value in details.items()), title="details")
    elif details:
        yield Facts((("details", _cell(details)),))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _cell(value: Any) -> Cell:
    """Return a decoded JSON value as one cell: scalars as they are, the rest as JSON."""
    if isinstance(value, str | int | float):
        return value
    return msgspec.json.encode(value).decode()


def _comma_list(value: Any) -> Cell:
    return ", ".join(str(_cell(entry)) for entry in value) if isinstance(value, list) else _cell(value)


def _pairs(value: Any) -> Cell:
    return ", ".join(f"{name}={entry}" for name, entry in value.items()) if isinstance(value, dict) else _cell(value)


def _times_seen(value: Any) -> Cell:
    if not isinstance(value, int) or isinstance(value, bool):
        return _cell(value)
    return "once" if value == 1 else f"{value:,} times"


def _seconds(value: Any) -> Cell:
    return timedelta(seconds=value) if isinstance(value, int) and 0 <= value < 10**9 else _cell(value)

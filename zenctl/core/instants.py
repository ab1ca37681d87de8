"""Instants: reading RFC 3339 text as aware UTC datetimes, and saying why a text is none.

Times are compared as instants, never as text. "Absent", "malformed" and "without zone" are readings
of their own, because each of them means that an object must be kept. No clock is read here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_RFC3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})?",
    re.ASCII,
)


class TimeProblem(StrEnum):
    """Why a value is not usable as an instant."""

    ABSENT = "absent"
    MALFORMED = "malformed"
    ZONELESS = "zoneless"


@dataclass(frozen=True, slots=True)
class TimeReading:
    """A value read as a time: either ``instant`` (aware, UTC) or the ``problem`` that it has."""

    instant: datetime | None
    problem: TimeProblem | None

    @property
    def present(self) -> bool:
        """Say whether there was any value at all, good or bad."""
        return self.problem is not TimeProblem.ABSENT


ABSENT = TimeReading(None, TimeProblem.ABSENT)
_MALFORMED = TimeReading(None, TimeProblem.MALFORMED)
_ZONELESS = TimeReading(None, TimeProblem.ZONELESS)


def read_instant(value: object) -> TimeReading:
    """Read a decoded JSON value as an RFC 3339 date-time (section 5.6: offsets, fractions, any case).

    None and "" are absent; anything that is not text is malformed. Fractions beyond a microsecond
    are cut off, and a leap second (60) is read as the second that follows it.
    """
    if value is None or value == "":
        return ABSENT
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return _MALFORMED
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    offset = _offset(zone)
    if zone is not None and offset is None:
        return _MALFORMED
    leap = timedelta(seconds=1) if second == "60" else timedelta(0)
    try:
        local = datetime(
            int(year), int(month), int(day), int(hour), int(minute), 59 if leap else int(second),
            0 if leap else int((fraction or "0").ljust(6, "0")[:6]), tzinfo=UTC,
        )  # fmt: skip
        return _ZONELESS if offset is None else TimeReading(local + leap - offset, None)
    except (ValueError, OverflowError):
        return _MALFORMED


def _offset(zone: str | None) -> timedelta | None:
    """Return the offset that a zone text means; None without a zone or with an impossible one."""
    if zone is None:
        return None
    if zone in ("Z", "z"):
        return timedelta(0)
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 23 or minutes > 59:
        return None
    magnitude = timedelta(hours=hours, minutes=minutes)
    return -magnitude if zone[0] == "-" else magnitude


def parse_instant(text: str) -> datetime:
    """Return the instant that RFC 3339 text names; raise ValueError with the reason."""
    reading = read_instant(text)
    if reading.instant is None:
        raise ValueError(f"{text!r} is {reading.problem} as an RFC 3339 time such as 2026-11-23T02:00:00Z")
    return reading.instant


def format_instant(instant: datetime) -> str:
    """Return RFC 3339 text in UTC with a Z, with microseconds only where there are any.

    A naive datetime is a bug of ours and a ValueError: Python would take it for local time.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")

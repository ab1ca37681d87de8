"""A printer column, and what many of them print: ages and durations in the words that kubectl uses.

Owns the shape of a column and nothing about any kind. Pure: the time comes in as an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from zenctl.core.instants import read_instant

Object = Mapping[str, Any]
Cell = Callable[[Object, datetime], object]
"""Gives what a column shows of an object at a time: a text, number, boolean or None."""

UNKNOWN = "<unknown>"
NONE = "<none>"


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """One column of a Table. A priority above 0 shows only in wide output."""

    name: str
    type: str
    cell: Cell
    format: str = ""
    description: str = ""
    priority: int = 0


def human_duration(duration: timedelta) -> str:
    """Return a duration as kubectl prints ages: 119s, 3m20s, 179m, 7h59m, 47h, 7d23h, 729d, 2y10d, 8y."""
    seconds = int(duration.total_seconds())
    minutes, hours, days = seconds // 60, seconds // 3_600, seconds // 86_400
    years, rest = divmod(days, 365)
    steps = (
        (seconds < -1, "<invalid>"),
        (seconds < 120, f"{max(seconds, 0)}s"),
        (minutes < 10, _pair(minutes, "m", seconds % 60, "s")),
        (minutes < 180, f"{minutes}m"),
        (hours < 8, _pair(hours, "h", minutes % 60, "m")),
        (hours < 48, f"{hours}h"),
        (days < 8, _pair(days, "d", hours % 24, "h")),
        (years < 2, f"{days}d"),
        (years < 8, _pair(years, "y", rest, "d")),
    )
    return next((text for fits, text in steps if fits), f"{years}y")


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def time_since(value: object, now: datetime) -> str:
    """Return the age of a time as an API writes it, or "<unknown>" where there is none that can be read."""
    instant = read_instant(value).instant
    return UNKNOWN if instant is None else human_duration(now - instant)


def dig(value: object, *path: str) -> Any:
    """Return what lies under keys of nested objects, None where anything on the way is missing."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def items(value: object, *path: str) -> Sequence[Any]:
    """Return the list that lies under keys of nested objects; an empty one where there is none."""
    found = dig(value, *path)
    return found if isinstance(found, list) else ()


def count(value: object, *path: str) -> int:
    """Return the number that lies under keys of nested objects, 0 where there is none."""
    found = dig(value, *path)
    return found if isinstance(found, int) else 0


def at(*path: str, default: object = "") -> Cell:
    """Return a cell that shows a field as it is, or a default where it is absent or empty text."""

    def cell(obj: Object, _now: datetime) -> object:
        value = dig(obj, *path)
        return default if value is None or value == "" else value

    return cell


def _age(obj: Object, now: datetime) -> object:
    return time_since(dig(obj, "metadata", "creationTimestamp"), now)


NAME = PrinterColumn("Name", "string", at("metadata", "name"), format="name")
AGE = PrinterColumn("Age", "string", _age)
CREATED_AT = PrinterColumn("Created At", "date", at("metadata", "creationTimestamp"))

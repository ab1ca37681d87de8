"""Reading decoded values that nobody checked: a value of an unexpected type is absent, never an error.

Also what keeps an Observation small and encodable, whatever a report held. Nothing here knows a tool.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from zenctl.core.instants import format_instant, read_instant
from zenctl.core.text import ELLIPSIS, escape_unsafe, printable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGERS: Final = range(-(2**63), 2**63)
_MAX_NAME: Final = 253
_MAX_TEXT: Final = 8_192
_MAX_ITEMS: Final = 100
_MAX_DEPTH: Final = 8
_MAX_DETAILS: Final = 65_536
"""Characters of all details together: far above any real finding, far below the 1.5 MiB that etcd takes."""


def mapping(value: object) -> Mapping[Any, Any]:
    """Return an object as it is, and an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """Return text that is safe to show, a number as its digits, and "" for anything else.

    Line breaks and tabs stay; whatever else a terminal obeys or hides becomes an escape. YAML turns an
    unquoted tag 1.16 or rule 42 into a number; it was text to whoever wrote it.
    """
    if isinstance(value, str):
        return _safe(value)
    if isinstance(value, bool):
        return ""
    if isinstance(value, int):
        return str(value) if value in _INTEGERS else ""
    if isinstance(value, float):
        return str(value) if math.isfinite(value) else ""
    return ""


def one_line(value: object, limit: int = _MAX_NAME) -> str:
    """Return text on one line, without space around it, cut to so many characters."""
    # Cut before it is made safe, which takes time: escapes make it longer, spaces shorter.
    whole = value[: 8 * limit + 1] if isinstance(value, str) else text(value)
    line = printable(" ".join(whole.split()))
    return line if len(line) <= limit else line[: limit - 1].rstrip() + ELLIPSIS


def _safe(value: str) -> str:
    return value if value.isprintable() and value.isascii() else escape_unsafe(value, _escaped)


def _escaped(char: str) -> str:
    return char if char in "\n\t" else printable(char)


def instant(value: object) -> str | None:
    """Return a time as RFC 3339 in UTC, from RFC 3339 or from {seconds, nanos}; None where it is no time.

    The zero times of Unix and of Go stand for "nobody filled this in". A YAML reader that knows
    timestamps hands over datetimes.
    """
    moment = _moment(value)
    return format_instant(moment) if moment is not None and moment > _EPOCH else None


def _moment(value: object) -> datetime | None:
    if isinstance(value, dict):
        return _from_seconds(value)
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else None
    return read_instant(value).instant


def _from_seconds(value: Mapping[Any, Any]) -> datetime | None:
    try:
        seconds, nanos = int(text(value.get("seconds"))), int(text(value.get("nanos")) or "0")
        return _EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)
    except (ValueError, OverflowError):
        return None


def without_empty(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an object really says: without its None, "", [] and {}."""
    return {key: entry for key, entry in value.items() if entry is not None and entry not in ("", [], {})}


def bounded(value: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a copy that JSON can hold and that is never too large for a cluster to store.

    Empty values are left out, and numbers that JSON does not have. What does not fit is cut: texts end
    in an ellipsis, and ``truncated`` at the top says that something is missing.
    """
    copy = _Copy(_MAX_DETAILS)
    copied = copy.of(value, 0)
    kept = copied if isinstance(copied, dict) else {}
    return {**kept, "truncated": True} if copy.cut else kept


class _Copy:
    """One bounded copy; aliases in YAML can make a small document huge, so every node is paid for."""

    def __init__(self, room: int) -> None:
        self._room = room
        self.cut = False

    def of(self, value: object, depth: int) -> Any:
        """Return the copy of a value; None where there is nothing to keep."""
        self._room -= 1
        if self._room <= 0 or depth > _MAX_DEPTH:
            self.cut = True
            return None
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return self._object(value, depth)
        if isinstance(value, list | tuple):
            return self._list(value, depth)
        return self._number(value)

    def _text(self, value: str) -> str | None:
        kept = _safe(value[: min(_MAX_TEXT, self._room) + 1])
        if len(kept) > (most := min(_MAX_TEXT, self._room)):
            kept = kept[:most] + ELLIPSIS
            self.cut = True
        self._room -= len(kept)
        return kept or None

    def _number(self, value: object) -> bool | int | float | None:
        if isinstance(value, bool):
            return value
        if isinstance(value, int):
            return value if value in _INTEGERS else None
        return value if isinstance(value, float) and math.isfinite(value) else None

    def _object(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        kept = {}
        for key, entry in value.items():
            if self._room <= 0:
                self.cut = True
                break
            name = one_line(key)
            self._room -= len(name)
            if name and (copied := self.of(entry, depth + 1)) is not None and copied not in ([], {}):
                kept[name] = copied
        return kept

    def _list(self, value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        self.cut = self.cut or len(value) > _MAX_ITEMS
        copies = (self.of(entry, depth + 1) for entry in value[:_MAX_ITEMS])
        return [copied for copied in copies if copied is not None and copied not in ([], {})]

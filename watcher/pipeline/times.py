"""Comparing times as instants: as text, a fraction or an offset would put them in the wrong order."""

from __future__ import annotations

from zenctl.core.instants import read_instant


def is_later(time: str | None, known: str | None) -> bool:
    """Say whether a time is after a known one; what has no time is never later, and later than none is any."""
    moment, before = read_instant(time).instant, read_instant(known).instant
    return moment is not None and (before is None or moment > before)


def latest(time: str | None, known: str | None) -> str | None:
    """Return the later of two times."""
    return time if is_later(time, known) else known

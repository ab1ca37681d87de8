"""Durations as people type them: 7d, 1w, 12h, 1d12h. A day is 24 hours and a week seven of them.

A bare number, a sign, a month and a year are refused: each of them has been read two ways by somebody.
"""

from __future__ import annotations

import re
from datetime import timedelta

ACCEPTED = "such as 90s, 45m, 12h, 7d, 2w or 1d12h"
_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PATTERN = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """Return the duration that the text names; units run from large to small, each at most once.

    Raises ValueError, whose message says what is wrong and which forms are accepted.
    """
    cleaned = text.strip()
    match = _PATTERN.fullmatch(cleaned)
    if match is None or not cleaned:
        raise ValueError(f"{text!r} is not a duration{_why(cleaned)}; write one {ACCEPTED}")
    seconds = sum(int(n) * unit for n, unit in zip(match.groups(), _UNITS.values(), strict=True) if n)
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{text!r} is longer than time itself; write a duration {ACCEPTED}") from None


def _why(text: str) -> str:
    if re.fullmatch(r"\d+", text, re.ASCII):
        return ": it has no unit"
    if text.startswith(("-", "+")):
        return ": it has a sign"
    if re.search(r"mo|month|y", text, re.IGNORECASE):
        return ": months and years have no fixed length"
    return ""


def format_duration(duration: timedelta) -> str:
    """Return the shortest text that parse_duration reads back, to the second: 7d, 1d12h, 0s."""
    rest = int(duration.total_seconds())
    if rest < 0:
        return "-" + format_duration(-duration)
    parts: list[str] = []
    for unit, size in _UNITS.items():
        if unit == "w":
            continue
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def humanise(duration: timedelta) -> str:
    """Return a duration rounded for people to its two largest units: 7d3h, 12m5s, 0.4s."""
    if timedelta(0) <= duration < timedelta(seconds=10):
        return f"{duration.total_seconds():.1f}s"
    parts = re.findall(r"\d+[dhms]", format_duration(duration))
    return ("-" if duration < timedelta(0) else "") + "".join(parts[:2])

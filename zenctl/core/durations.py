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

    Raises ValueError, whose message says what is wrong; ACCEPTED names the forms to write instead.
    """
    cleaned = text.strip()
    match = _PATTERN.fullmatch(cleaned)
    if match is None or not cleaned:
        raise ValueError(f"{text!r} is not a duration{_why(cleaned)}")
    try:
        counts = [int(count or 0) for count in match.groups()]
        return timedelta(seconds=sum(count * unit for count, unit in zip(counts, _UNITS.values(), strict=True)))
    except (OverflowError, ValueError):  # int refuses thousands of digits
        raise ValueError(f"{text!r} is longer than time itself") from None


def _why(text: str) -> str:
    if re.fullmatch(r"\d+", text, re.ASCII):
        return ": it has no unit"
    if text.startswith(("-", "+")):
        return ": it has a sign"
    if re.search(r"\d\s*(mo|y)", text, re.IGNORECASE):
        return ": months and years have no fixed length"
    return ""


def format_duration(duration: timedelta) -> str:
    """Return the text in days and smaller units that parse_duration reads back, to the second: 7d, 1d12h, 0s.

    A negative duration gets a sign, which parse_duration refuses.
    """
    if duration < timedelta(0):
        text = format_duration(-duration)
        return text if text == "0s" else "-" + text
    return "".join(f"{count}{unit}" for unit, count in _split(duration) if count) or "0s"


def took(seconds: float, objects: int) -> str:
    """Return how long something took, and how many objects a second that was."""
    rate = f", {objects / seconds:,.0f} objects/s" if objects and seconds > 0 else ""
    return humanise(timedelta(seconds=seconds)) + rate


def humanise(duration: timedelta) -> str:
    """Return a duration for people, cut to its largest unit and the next below: 7d3h, 12m5s, 0.4s, 73ms."""
    if duration < timedelta(0):
        return "-" + humanise(-duration)
    if timedelta(0) < duration < timedelta(milliseconds=100):
        return f"{duration // timedelta(milliseconds=1)}ms"
    if duration < timedelta(seconds=10):
        return f"{duration // timedelta(milliseconds=100) / 10}s" if duration else "0s"
    parts = _split(duration)
    first = next(place for place, (_, count) in enumerate(parts) if count)
    return "".join(f"{count}{unit}" for unit, count in parts[first : first + 2] if count)


def _split(duration: timedelta) -> list[tuple[str, int]]:
    """Return days, hours, minutes and seconds of a duration; fractions are cut off."""
    rest = duration // timedelta(seconds=1)  # total_seconds() is a float and rounds up near the largest
    parts: list[tuple[str, int]] = []
    for unit, size in _UNITS.items():
        if unit != "w":
            count, rest = divmod(rest, size)
            parts.append((unit, count))
    return parts

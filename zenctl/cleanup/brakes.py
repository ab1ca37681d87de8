"""What a cleanup must not do, whatever its rules say: limits on the whole of what it would delete. Pure.

They are judged on the complete plan, so that a brake that is tripped has deleted nothing.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import NamedTuple

PERCENT_FROM = 100
"""From how many live objects on the percentage counts: of a handful, all may well be old."""
MAX_PERCENT = Fraction(50)


class Limits(NamedTuple):
    """The brakes; None is no limit."""

    max_deletes: int | None = None
    max_percent: Fraction | None = MAX_PERCENT
    """Of the live objects in scope, from PERCENT_FROM on."""
    min_remaining: int | None = None


NO_LIMITS = Limits(max_percent=None)


class Tripped(NamedTuple):
    """A brake that forbids a plan."""

    what: str
    """In one line, with the numbers."""
    flag: str
    """The option with the value that would allow it."""


def tripped(limits: Limits, to_delete: int, live: int) -> tuple[Tripped, ...]:
    """Return every brake that forbids deleting so many of so many live objects; nothing never trips one."""
    if not to_delete:
        return ()
    found = []
    if limits.max_deletes is not None and to_delete > limits.max_deletes:
        found.append(
            Tripped(
                f"{to_delete:,} Observations are more than --max-deletes {limits.max_deletes:,}",
                f"--max-deletes {to_delete}",
            )
        )
    # Compared as whole numbers: a rounded percentage would let one object too many pass.
    percent = limits.max_percent
    if percent is not None and live >= PERCENT_FROM and to_delete * 100 > percent * live:
        share = Fraction(to_delete * 100, live)
        found.append(
            Tripped(
                f"{to_delete:,} of {live:,} live Observations are {_rounded_up(share)} %,"
                f" more than --max-percent {_rounded_up(percent)}",
                f"--max-percent {_rounded_up(share)}",
            )
        )
    left = live - to_delete
    if limits.min_remaining is not None and left < limits.min_remaining:
        found.append(
            Tripped(
                f"{left:,} Observations would remain, fewer than --min-remaining {limits.min_remaining:,}",
                f"--min-remaining {max(0, left)}",
            )
        )
    return tuple(found)


def _rounded_up(percent: Fraction) -> str:
    """Return a percentage with as few decimals as say it, at most two; rounded up, so that it allows it."""
    hundredths = ceil(percent * 100)
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")

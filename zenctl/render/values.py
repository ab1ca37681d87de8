"""How a value looks to a person: the same words in tables, markdown and every later format for eyes.

Numbers get separators, sizes units and times a Z; what is unknown says so. Text is made safe here, once,
so nothing beyond this module ever holds an unsafe character. Documents for machines do not pass here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import NamedTuple

from zenctl.core.durations import humanise
from zenctl.core.findings import Finding, FindingSeverity
from zenctl.core.report import ByteCount, Cell, Tone, Toned, Value
from zenctl.core.text import format_bytes, printable

UNKNOWN = "unknown"
NOTHING = "-"
NO_ROWS = "none"
MARKS = {Tone.GOOD: "✓", Tone.WARN: "!", Tone.BAD: "✗"}
"""Signs that say without colour what a tone says; a muted value needs none, since it claims nothing."""

TONES = {
    FindingSeverity.CRITICAL: Tone.BAD,
    FindingSeverity.HIGH: Tone.BAD,
    FindingSeverity.MEDIUM: Tone.WARN,
    FindingSeverity.LOW: Tone.MUTED,
    FindingSeverity.INFO: Tone.MUTED,
}


class Drawn(NamedTuple):
    """A cell as text that is safe to show, and its tone."""

    text: str
    tone: Tone | None = None

    @property
    def mark(self) -> str:
        """The sign of the tone, or nothing."""
        return MARKS.get(self.tone, "") if self.tone else ""


def draw(cell: Cell) -> Drawn:
    """Return a cell as text and tone."""
    return Drawn(value_text(cell.value), cell.tone) if isinstance(cell, Toned) else Drawn(value_text(cell))


def value_text(value: Value) -> str:
    """Return a value as one line of text."""
    match value:
        case None:
            return UNKNOWN
        case str():
            return printable(str(value)) or NOTHING
        case bool():
            return "yes" if value else "no"
        case ByteCount():
            return format_bytes(value)
        case int():
            return f"{value:,}"
        case float():
            return _float_text(value)
        case datetime():
            return _instant_text(value)
        case timedelta():
            return humanise(value)


def omitted_text(count: int) -> str:
    """Return the line that says how many rows are not shown."""
    return f"… and {count:,} more"


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings by severity, then code; otherwise in their own order."""
    severities = list(FindingSeverity)
    return sorted(findings, key=lambda finding: (severities.index(finding.severity), finding.code))


def _float_text(value: float) -> str:
    if not isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"  # and never -0
    if not 0.01 <= abs(value) < 1e15:
        return f"{value:.2g}"
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _instant_text(instant: datetime) -> str:
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone")
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds") + "Z"

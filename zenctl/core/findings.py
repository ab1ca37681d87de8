"""Findings: what an audit or a check reports, with permanent codes in one catalogue.

Severity and remedy belong to the code, not to the check that raises it, so that a code means the
same thing everywhere. Codes are never reused; a new check gets a new one.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class FindingSeverity(StrEnum):
    """How bad a finding is, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Code(msgspec.Struct, frozen=True):
    """An entry of the catalogue."""

    code: str
    severity: FindingSeverity
    title: str
    remedy: str


class Finding(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One finding: its code, what it is about, and what was seen."""

    code: str
    severity: FindingSeverity
    title: str
    subject: str
    detail: str
    remedy: str


_CATALOGUE = {
    entry.code: entry
    for entry in (
        Code("ZA101", FindingSeverity.CRITICAL, "archive structure is damaged",
             "restore from an older archive; keep this file for analysis"),
        Code("ZA102", FindingSeverity.CRITICAL, "stored bytes differ from their checksum",
             "restore from an older archive; check the disk or store that held this one"),
        Code("ZA103", FindingSeverity.HIGH, "an archived object cannot be read",
             "restore the other objects and report this one"),
        Code("ZA104", FindingSeverity.MEDIUM, "an archived object does not fit its own schema",
             "the API server may refuse it at restore; mend it in an export"),
        Code("ZA105", FindingSeverity.MEDIUM, "a Helm revision cannot be read",
             "its object is archived as it is; helm history says whether the release still needs it"),
    )
}  # fmt: skip


def finding(code: str, *, subject: str, detail: str) -> Finding:
    """Return a finding of a code in the catalogue; an unknown code is a KeyError, a bug of ours."""
    entry = _CATALOGUE[code]
    return Finding(
        code=entry.code,
        severity=entry.severity,
        title=entry.title,
        subject=subject,
        detail=detail,
        remedy=entry.remedy,
    )


def catalogue() -> tuple[Code, ...]:
    """Return every code there is, for docs and tests."""
    return tuple(_CATALOGUE.values())

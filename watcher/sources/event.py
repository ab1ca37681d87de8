"""What a parser hands on: an Event is one finding about one Subject, in our words.

Also the errors by which a parser says that it cannot, and the table of severity words. Nothing here
knows a tool's format, nor how an Observation is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from zenctl.core.observation import SEVERITY_ORDER, Severity

_WORDS = {
    Severity.CRITICAL: ("critical", "fatal", "emergency"),
    Severity.HIGH: ("high", "error", "alert", "danger", "important"),
    Severity.MEDIUM: ("medium", "moderate", "warning", "warn"),
    Severity.LOW: ("low", "minor"),
    Severity.INFO: ("info", "informational", "notice", "negligible"),
}
_SEVERITIES = {word: severity for severity, words in _WORDS.items() for word in words}

UNRATED = Severity.MEDIUM
"""What a finding counts as that nobody rated: neither alarm nor all-clear."""


class ReportError(ValueError):
    """A report is not what its tool writes; the message names the report and the cause."""


class UnknownReport(ReportError):
    """The object is no report with findings for this parser: something to skip, and to say so."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The resource that a finding is about; namespace is "" for cluster-scoped ones."""

    kind: str
    name: str
    namespace: str = ""
    api_version: str = ""
    uid: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One finding.

    ``identity`` is what tells it from other findings of this source about the same subject, and stays
    the same each time that it is reported: a rule, a CVE, a package, never a score, a time or a text.
    ``time`` is RFC 3339 in UTC, or None where the tool did not say. ``occurrence`` is the tool's own
    number of this sighting: where the same comes twice, it was delivered twice. ``actor`` is who caused
    it. ``report`` names the whole of which this is a part, so that what is missing in the next one can
    be told to be gone; "" where there is no such whole.
    """

    source: str
    category: str
    event_type: str
    severity: Severity
    message: str
    subject: Subject
    identity: tuple[str, ...]
    time: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    occurrence: str = ""
    actor: str = ""
    report: str = ""


class Parser(Protocol):
    """Reads one decoded report of one tool. Raises ReportError, and nothing else, whatever it is given."""

    def __call__(self, report: object) -> tuple[Event, ...]:
        """Return the findings, in the order of the report."""


class Coverage(Protocol):
    """Says which wholes a report covers completely, as in Event.report. Raises nothing."""

    def __call__(self, report: object) -> tuple[str, ...]:
        """Return their names; none where the report is incomplete, broken, or of another tool."""


def severity_from(word: str) -> Severity | None:
    """Return the severity that a tool's word means, in any case; None where it means none of ours."""
    return _SEVERITIES.get(word.strip().lower())


def worst(severities: list[Severity]) -> Severity:
    """Return the worst of at least one severity."""
    return min(severities, key=SEVERITY_ORDER.__getitem__)

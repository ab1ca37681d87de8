"""The audit log of a cleanup: a JSON line for each candidate: who it was, why it was to go, what became of it.

Lines are appended, and never read here. The format is a public contract; what is written down about an object is
what it was judged by, and nothing else of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from zenctl.cleanup.judge import Policy
from zenctl.cleanup.plan import Candidate
from zenctl.cleanup.run import Answer
from zenctl.core.durations import format_duration
from zenctl.core.instants import format_instant
from zenctl.ports import Clock


class Lines(Protocol):
    """Where lines are appended."""

    def write(self, line: bytes) -> None:
        """Append one."""


class Line(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What is written down about one candidate."""

    time: str
    """When it was answered, by the local clock; "" in a list of what is only planned."""
    run: str
    """The archive id of the run; what ``zenctl cleanup undo`` takes. "" where there is none yet."""
    resource: str
    namespace: str
    name: str
    uid: str
    resource_version: str
    phase: str
    severity: str
    source: str
    rule: str
    older_than: str
    age_from: str
    """The field that its age was counted from."""
    age_instant: str
    """What that field says, in UTC."""
    age_seconds: float
    """At the API server's time when it was judged."""
    answer: str
    """deleted, changed, gone, failed, not-tried; or planned."""
    error: str = ""


class Run(NamedTuple):
    """What all lines of a run have in common."""

    run: str
    policy: Policy
    now: datetime
    """The API server's time at which objects were judged."""


PLANNED = "planned"


def line_of(run: Run, found: Candidate, answer: str, error: str, at: datetime | None) -> Line:
    """Return what there is to write down about a candidate."""
    judgement = found.judgement
    rule, instant = judgement.rule, judgement.instant
    assert rule is not None
    assert instant is not None  # nothing of unknown age is ever a candidate
    return Line(
        time=format_instant(at) if at is not None else "",
        run=run.run,
        resource=found.resource.full_name,
        namespace=found.key.namespace,
        name=found.key.name,
        uid=found.uid,
        resource_version=found.resource_version,
        phase=found.phase,
        severity=found.severity,
        source=found.source,
        rule=rule.name,
        older_than=format_duration(rule.older_than) if rule.older_than is not None else "never",
        age_from=judgement.field,
        age_instant=format_instant(instant),
        age_seconds=(run.now - instant).total_seconds(),
        answer=answer,
        error=error,
    )


class Audit:
    """Writes what becomes of the candidates of one run; satisfies run.AuditLog."""

    def __init__(self, lines: Lines, clock: Clock, run: Run) -> None:
        self._lines, self._clock, self._run = lines, clock, run

    def note(self, found: Candidate, answer: Answer, error: str) -> None:
        """Write one line."""
        self._lines.write(msgspec.json.encode(line_of(self._run, found, answer.value, error, self._clock.now())))

"""The decision which Observations may go: pure, one reason per object, and keeping in every doubt.

An Observation goes only when its phase is one of those asked for and the instant that its age is
counted from is known and lies before the cutoff, and nobody has seen it again since.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec

from zenctl.core.instants import TimeProblem, TimeReading
from zenctl.core.objects import ObjectKey, ResourceType
from zenctl.core.observation import (
    AgeSource,
    ObservationFields,
    Phase,
    age_of,
    last_seen,
    phase_of,
    severity_of,
    spec_of,
    text,
)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What may be deleted. Phases are compared exactly; empty severities means every severity."""

    older_than: timedelta
    phases: frozenset[str] = frozenset({Phase.RESOLVED.value})
    severities: frozenset[str] = frozenset()
    age_from: AgeSource = AgeSource.AUTO


class Reason(StrEnum):
    """Why an Observation is deleted or kept."""

    EXPIRED = "expired"
    OTHER_PHASE = "other-phase"
    OTHER_SEVERITY = "other-severity"
    YOUNG = "young"
    SEEN_AGAIN = "seen-again"
    NO_TIME = "no-time"
    MALFORMED_TIME = "malformed-time"
    ZONELESS_TIME = "zoneless-time"
    FUTURE_TIME = "future-time"
    ALREADY_GOING = "already-going"

    @property
    def doubtful(self) -> bool:
        """Say whether the object is kept only because its time cannot be trusted."""
        return self in _DOUBTFUL


_DOUBTFUL = frozenset({Reason.NO_TIME, Reason.MALFORMED_TIME, Reason.ZONELESS_TIME, Reason.FUTURE_TIME})
_PROBLEMS = {
    TimeProblem.ABSENT: Reason.NO_TIME,
    TimeProblem.MALFORMED: Reason.MALFORMED_TIME,
    TimeProblem.ZONELESS: Reason.ZONELESS_TIME,
}
_FIRST = datetime.min.replace(tzinfo=UTC)


class Judgement(NamedTuple):
    """What was decided about one Observation, and the field that decided it with the instant that it names."""

    reason: Reason
    source: AgeSource
    instant: datetime | None


def judge(fields: ObservationFields, rule: Rule, now: datetime) -> Judgement:
    """Decide about one Observation; ``now`` is the API server's time."""
    age = age_of(fields, rule.age_from)
    instant = age.reading.instant
    cutoff = cutoff_of(now, rule.older_than)
    reason = _reason(fields, rule, age.reading, now, cutoff)
    if reason is not Reason.EXPIRED:
        return Judgement(reason, age.source, instant)
    seen = last_seen(fields)
    reason = _seen_again(seen, cutoff)
    if reason is not Reason.EXPIRED:
        return Judgement(reason, AgeSource.LAST_SEEN, seen.instant)
    return Judgement(reason, age.source, instant)


def cutoff_of(now: datetime, older_than: timedelta) -> datetime:
    """Return the instant before which an Observation counts as old; the first of all where time has no such one."""
    try:
        return now - older_than
    except OverflowError:
        return _FIRST


def _reason(fields: ObservationFields, rule: Rule, reading: TimeReading, now: datetime, cutoff: datetime) -> Reason:
    """Decide by everything but what was seen since."""
    if fields.metadata.deletion_timestamp is not None:
        return Reason.ALREADY_GOING
    if phase_of(fields) not in rule.phases:
        return Reason.OTHER_PHASE
    if rule.severities and severity_of(fields) not in rule.severities:
        return Reason.OTHER_SEVERITY
    if reading.instant is None:
        return _PROBLEMS[reading.problem or TimeProblem.ABSENT]
    if reading.instant > now:
        return Reason.FUTURE_TIME
    return Reason.EXPIRED if reading.instant < cutoff else Reason.YOUNG


def _seen_again(seen: TimeReading, cutoff: datetime) -> Reason:
    """Keep what was seen after the cutoff, and what says when in a way that nobody can read."""
    if not seen.present:
        return Reason.EXPIRED
    if seen.instant is None:
        return _PROBLEMS[seen.problem or TimeProblem.MALFORMED]
    return Reason.EXPIRED if seen.instant < cutoff else Reason.SEEN_AGAIN


class Candidate(NamedTuple):
    """An Observation that will be deleted, with the uid and resourceVersion that it was judged at."""

    resource: ResourceType
    key: ObjectKey
    uid: str
    resource_version: str
    severity: str
    source: str
    phase: str
    judgement: Judgement


class Doubt(NamedTuple):
    """An Observation that is kept because its time cannot be trusted."""

    resource: ResourceType
    key: ObjectKey
    judgement: Judgement


class Plan(NamedTuple):
    """Everything that was decided, before anything is done."""

    rule: Rule
    now: datetime
    candidates: tuple[Candidate, ...]
    doubts: tuple[Doubt, ...]
    kept: dict[Reason, int]
    total: int

    @property
    def cutoff(self) -> datetime:
        """The instant before which an Observation counts as old."""
        return cutoff_of(self.now, self.rule.older_than)


class Planner:
    """Adds up judgements page by page, keeping no more of an Observation than its plan needs.

    A listing that begins again is forgotten with ``restart``; what other resources gave stays.
    """

    def __init__(self, rule: Rule, now: datetime) -> None:
        self._rule = rule
        self._now = now
        self._tallies: dict[str, _Tally] = {}

    def add(self, resource: ResourceType, key: ObjectKey, fields: ObservationFields) -> None:
        """Judge one Observation."""
        tally = self._tallies.setdefault(resource.full_name, _Tally())
        judgement = judge(fields, self._rule, self._now)
        tally.total += 1
        if judgement.reason is Reason.EXPIRED:
            tally.candidates.append(_candidate(resource, key, fields, judgement))
            return
        tally.kept[judgement.reason] = tally.kept.get(judgement.reason, 0) + 1
        if judgement.reason.doubtful:
            tally.doubts.append(Doubt(resource, key, judgement))

    def restart(self, resource: ResourceType) -> None:
        """Forget what was judged of a resource."""
        self._tallies.pop(resource.full_name, None)

    def plan(self) -> Plan:
        """Return the plan for everything that was judged."""
        tallies = self._tallies.values()
        kept: dict[Reason, int] = {}
        for tally in tallies:
            for reason, count in tally.kept.items():
                kept[reason] = kept.get(reason, 0) + count
        return Plan(
            self._rule,
            self._now,
            tuple(candidate for tally in tallies for candidate in tally.candidates),
            tuple(doubt for tally in tallies for doubt in tally.doubts),
            kept,
            sum(tally.total for tally in tallies),
        )


class _Tally:
    def __init__(self) -> None:
        self.candidates: list[Candidate] = []
        self.doubts: list[Doubt] = []
        self.kept: dict[Reason, int] = {}
        self.total = 0


def plan_cleanup(
    objects: Iterable[tuple[ResourceType, ObjectKey, ObservationFields]], rule: Rule, now: datetime
) -> Plan:
    """Judge every Observation and return the plan."""
    planner = Planner(rule, now)
    for resource, key, fields in objects:
        planner.add(resource, key, fields)
    return planner.plan()


def _candidate(resource: ResourceType, key: ObjectKey, fields: ObservationFields, judgement: Judgement) -> Candidate:
    return Candidate(
        resource=resource,
        key=key,
        uid=fields.metadata.uid,
        resource_version=fields.metadata.resource_version,
        severity=severity_of(fields),
        source=text(spec_of(fields).source),
        phase=phase_of(fields),
        judgement=judgement,
    )

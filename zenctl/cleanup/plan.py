"""The plan of a cleanup: what was decided about every Observation, added up, and what must not happen.

Pure. It keeps counts, and of the objects themselves only the first ones for people to look at: what is deleted is
carried elsewhere, so that a million candidates need no memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from zenctl.cleanup.brakes import NO_LIMITS, Limits, Tripped, tripped
from zenctl.cleanup.judge import Judgement, Policy, Reason, judge
from zenctl.core.objects import ObjectKey, RawObject, ResourceType
from zenctl.core.observation import ObservationFields, phase_of, severity_of, spec_of, text

SHOWN = 1_000
"""How many candidates, and how many doubtful objects, a plan keeps to show."""


class Candidate(NamedTuple):
    """An Observation that will be deleted, with the uid and resourceVersion that it was judged at."""

    resource: ResourceType
    key: ObjectKey
    uid: str
    resource_version: str
    severity: str
    source: str
    phase: str
    size_bytes: int
    """Of its JSON, which is about what etcd keeps of it."""
    judgement: Judgement


class Doubt(NamedTuple):
    """An Observation that is kept because its time cannot be trusted."""

    resource: ResourceType
    key: ObjectKey
    judgement: Judgement


class Counts(NamedTuple):
    """How many are to be deleted, by what; a rule is counted by its place in the policy."""

    by_namespace: Counter[str]
    by_severity: Counter[str]
    by_source: Counter[str]
    by_rule: Counter[str]


class Plan(NamedTuple):
    """Everything that was decided, before anything is done."""

    policy: Policy
    limits: Limits
    now: datetime
    skew: timedelta
    """How far the API server's clock is ahead of the local one."""
    total: int
    to_delete: int
    bytes: int
    """Of the JSON of what is to be deleted."""
    counts: Counts
    shown: tuple[Candidate, ...]
    """The first candidates."""
    doubtful: int
    doubts: tuple[Doubt, ...]
    """The first doubtful ones."""
    kept: dict[Reason, int]

    @property
    def live(self) -> int:
        """Observations in scope that are not being deleted already."""
        return self.total - self.kept.get(Reason.ALREADY_GOING, 0)

    @property
    def tripped(self) -> tuple[Tripped, ...]:
        """The brakes that forbid this plan, all of them."""
        return tripped(self.limits, self.to_delete, self.live)


class Planner:
    """Adds up judgements page by page.

    A listing that begins again is forgotten with ``restart``; what other resources gave stays.
    """

    def __init__(self, policy: Policy, now: datetime) -> None:
        self._policy = policy
        self._now = now
        self._tallies: dict[str, _Tally] = {}

    def add(self, resource: ResourceType, item: RawObject[ObservationFields]) -> bool:
        """Judge one Observation; return whether it is to be deleted."""
        tally = self._tallies.setdefault(resource.full_name, _Tally())
        judgement = judge(item.fields, self._policy, self._now)
        tally.total += 1
        if judgement.reason is not Reason.EXPIRED:
            tally.keep(resource, item.key, judgement)
            return False
        tally.take(candidate(resource, item, judgement))
        return True

    def restart(self, resource: ResourceType) -> None:
        """Forget what was judged of a resource."""
        self._tallies.pop(resource.full_name, None)

    def plan(self, limits: Limits = NO_LIMITS, skew: timedelta = timedelta(0)) -> Plan:
        """Return the plan for everything that was judged."""
        tallies = tuple(self._tallies.values())
        kept: Counter[Reason] = Counter()
        for tally in tallies:
            kept.update(tally.kept)
        return Plan(
            policy=self._policy,
            limits=limits,
            now=self._now,
            skew=skew,
            total=sum(tally.total for tally in tallies),
            to_delete=sum(tally.to_delete for tally in tallies),
            bytes=sum(tally.bytes for tally in tallies),
            counts=_summed(tally.counts for tally in tallies),
            shown=tuple(c for tally in tallies for c in tally.shown)[:SHOWN],
            doubtful=sum(count for reason, count in kept.items() if reason.doubtful),
            doubts=tuple(doubt for tally in tallies for doubt in tally.doubts)[:SHOWN],
            kept=dict(kept),
        )


class _Tally:
    """What was decided about the objects of one resource."""

    def __init__(self) -> None:
        self.total = 0
        self.to_delete = 0
        self.bytes = 0
        self.counts = _no_counts()
        self.shown: list[Candidate] = []
        self.doubts: list[Doubt] = []
        self.kept: Counter[Reason] = Counter()

    def keep(self, resource: ResourceType, key: ObjectKey, judgement: Judgement) -> None:
        self.kept[judgement.reason] += 1
        if judgement.reason.doubtful and len(self.doubts) < SHOWN:
            self.doubts.append(Doubt(resource, key, judgement))

    def take(self, found: Candidate) -> None:
        self.to_delete += 1
        self.bytes += found.size_bytes
        self.counts.by_namespace[found.key.namespace] += 1
        self.counts.by_severity[found.severity or "none"] += 1
        self.counts.by_source[found.source or "none"] += 1
        self.counts.by_rule[found.judgement.rule.name if found.judgement.rule else ""] += 1
        if len(self.shown) < SHOWN:
            self.shown.append(found)


def _no_counts() -> Counts:
    return Counts(Counter(), Counter(), Counter(), Counter())


def _summed(counts: Iterable[Counts]) -> Counts:
    summed = _no_counts()
    for each in counts:
        for into, what in zip(summed, each, strict=True):
            into.update(what)
    return summed


def candidate(resource: ResourceType, item: RawObject[ObservationFields], judgement: Judgement) -> Candidate:
    """Return an Observation as what is to be deleted."""
    fields = item.fields
    return Candidate(
        resource=resource,
        key=item.key,
        uid=fields.metadata.uid,
        resource_version=fields.metadata.resource_version,
        severity=severity_of(fields),
        source=text(spec_of(fields).source),
        phase=phase_of(fields),
        size_bytes=len(item.body),
        judgement=judgement,
    )

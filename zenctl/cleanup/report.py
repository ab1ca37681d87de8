"""A cleanup's plan and outcome as Reports. Decides nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from zenctl.cleanup.plan import Candidate, Doubt, Plan, Reason
from zenctl.cleanup.run import Outcome
from zenctl.core.durations import format_duration, humanise, took
from zenctl.core.observation import AgeSource
from zenctl.core.report import Block, Cell, Column, Facts, Report, Result, Table, Text, Tone, Toned
from zenctl.errors import ExitCode

_SHOWN = 20


class Scope(Result, frozen=True):
    """The rule, and the clock it was applied by."""

    phases: tuple[str, ...]
    severities: tuple[str, ...]
    older_than: str
    age_from: str
    now: datetime
    cutoff: datetime


class CandidateRow(Result, frozen=True):
    """An Observation that is to be deleted, and why."""

    resource: str
    namespace: str
    name: str
    uid: str
    resource_version: str
    phase: str
    severity: str
    source: str
    instant: datetime | None
    age_seconds: float | None
    age_from: str
    reason: str


class DoubtRow(Result, frozen=True):
    """An Observation that is kept because its time cannot be trusted."""

    resource: str
    namespace: str
    name: str
    reason: str
    age_from: str


class FailureRow(Result, frozen=True):
    """An Observation that could not be deleted."""

    namespace: str
    name: str
    error: str


class Counts(Result, frozen=True):
    """How many are to be deleted by the plan, by what."""

    by_namespace: dict[str, int]
    by_severity: dict[str, int]
    by_source: dict[str, int]


class CleanupPlan(Result, frozen=True):
    """What a cleanup would do."""

    scope: Scope
    total: int
    to_delete: int
    counts: Counts
    kept: dict[str, int]
    doubtful: tuple[DoubtRow, ...]
    objects: tuple[CandidateRow, ...]


class CleanupOutcome(Result, frozen=True):
    """What a cleanup did."""

    scope: Scope
    total: int
    planned: int
    deleted: int
    counts: Counts
    changed: tuple[CandidateRow, ...]
    gone: int
    failed: tuple[FailureRow, ...]
    not_tried: int
    seconds: float
    kept: dict[str, int]
    doubtful: tuple[DoubtRow, ...]


def plan_report(plan: Plan) -> Report:
    """Return the plan: what would go, and why the rest stays."""
    data = CleanupPlan(
        scope=_scope(plan),
        total=plan.total,
        to_delete=len(plan.candidates),
        counts=_counts(plan.candidates),
        kept=_kept(plan),
        doubtful=_doubts(plan.doubts),
        objects=tuple(_row(candidate, plan) for candidate in plan.candidates),
    )
    facts: tuple[tuple[str, Cell], ...] = (
        *_scope_facts(plan),
        ("would delete", f"{len(plan.candidates):,} of {plan.total:,} Observations"),
    )
    blocks = (
        Facts(facts),
        *_count_tables(data.counts, "to delete"),
        *_object_table(plan),
        *_kept_blocks(data.kept, data.doubtful),
    )
    return Report(kind="CleanupPlan", data=data, blocks=blocks)


def outcome_report(outcome: Outcome) -> Report:
    """Return what was done, and what was not."""
    plan = outcome.plan
    data = CleanupOutcome(
        scope=_scope(plan),
        total=plan.total,
        planned=len(plan.candidates),
        deleted=outcome.deleted,
        counts=_counts(plan.candidates),
        changed=tuple(_row(candidate, plan) for candidate in outcome.changed),
        gone=outcome.gone,
        failed=tuple(
            FailureRow(namespace=f.candidate.key.namespace, name=f.candidate.key.name, error=f.error.message)
            for f in outcome.failures
        ),
        not_tried=outcome.not_tried,
        seconds=round(outcome.seconds, 3),
        kept=_kept(plan),
        doubtful=_doubts(plan.doubts),
    )
    facts: list[tuple[str, Cell]] = [
        *_scope_facts(plan),
        ("deleted", f"{outcome.deleted:,} of {plan.total:,} Observations"),
    ]
    if outcome.deleted:
        facts.append(("took", took(outcome.seconds, outcome.deleted)))
    if outcome.changed:
        facts.append(("changed, kept", Toned(len(outcome.changed), Tone.WARN)))
    if outcome.gone:
        facts.append(("gone already", outcome.gone))
    if outcome.failures:
        facts.append(("failed", Toned(len(outcome.failures), Tone.BAD)))
    if outcome.not_tried:
        facts.append(("not tried", Toned(outcome.not_tried, Tone.BAD)))
    blocks = (
        Facts(tuple(facts)),
        *_count_tables(data.counts, "planned"),
        *_failure_table(data.failed),
        *_kept_blocks(data.kept, data.doubtful),
    )
    return Report(kind="CleanupOutcome", data=data, verdict=outcome.verdict, blocks=blocks)


def _scope(plan: Plan) -> Scope:
    return Scope(
        phases=tuple(sorted(plan.rule.phases)),
        severities=tuple(sorted(plan.rule.severities)),
        older_than=format_duration(plan.rule.older_than),
        age_from=plan.rule.age_from.value,
        now=plan.now,
        cutoff=plan.cutoff,
    )


def _scope_facts(plan: Plan) -> tuple[tuple[str, Cell], ...]:
    return (
        ("phase", ", ".join(sorted(plan.rule.phases))),
        ("older than", format_duration(plan.rule.older_than)),
        ("age from", _AGE_FROM.get(plan.rule.age_from, plan.rule.age_from.value)),
        ("cutoff", plan.cutoff),
    )


def _counts(candidates: Iterable[Candidate]) -> Counts:
    everyone = tuple(candidates)
    return Counts(
        by_namespace=_ordered(Counter(c.key.namespace for c in everyone)),
        by_severity=_ordered(Counter(c.severity or "none" for c in everyone)),
        by_source=_ordered(Counter(c.source or "none" for c in everyone)),
    )


def _ordered(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def _count_tables(counts: Counts, title: str) -> tuple[Block, ...]:
    groups = (("namespace", counts.by_namespace), ("severity", counts.by_severity), ("source", counts.by_source))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (what, name, number) for what, numbers in groups for name, number in numbers.items()
    )
    return (Table((Column("by"), Column("value"), Column(title, right=True)), rows),) if rows else ()


def _object_table(plan: Plan) -> tuple[Block, ...]:
    if not plan.candidates:
        return ()
    columns = (
        Column("namespace"),
        Column("name"),
        Column("severity"),
        Column("age", right=True),
        Column("reason", shrinks=True),
    )
    rows = tuple(
        (row.namespace, row.name, row.severity, humanise(plan.now - row.instant) if row.instant else None, row.reason)
        for row in (_row(candidate, plan) for candidate in plan.candidates[:_SHOWN])
    )
    return (Table(columns, rows, title="objects", omitted=max(0, len(plan.candidates) - _SHOWN)),)


def _row(candidate: Candidate, plan: Plan) -> CandidateRow:
    judgement = candidate.judgement
    age = plan.now - judgement.instant if judgement.instant else None
    return CandidateRow(
        resource=candidate.resource.full_name,
        namespace=candidate.key.namespace,
        name=candidate.key.name,
        uid=candidate.uid,
        resource_version=candidate.resource_version,
        phase=candidate.phase,
        severity=candidate.severity,
        source=candidate.source,
        instant=judgement.instant,
        age_seconds=age.total_seconds() if age is not None else None,
        age_from=judgement.source.value,
        reason=f"{candidate.phase}, {humanise(age) if age else 'unknown age'} old by {judgement.source.value}",
    )


def _kept(plan: Plan) -> dict[str, int]:
    return {reason.value: plan.kept[reason] for reason in Reason if plan.kept.get(reason)}


def _doubts(doubts: Iterable[Doubt]) -> tuple[DoubtRow, ...]:
    return tuple(
        DoubtRow(
            resource=doubt.resource.full_name,
            namespace=doubt.key.namespace,
            name=doubt.key.name,
            reason=doubt.judgement.reason.value,
            age_from=doubt.judgement.source.value,
        )
        for doubt in doubts
    )


def _kept_blocks(kept: dict[str, int], doubts: tuple[DoubtRow, ...]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    if kept:
        rows = tuple((reason, number, _EXPLAINED[Reason(reason)]) for reason, number in kept.items())
        blocks.append(
            Table((Column("kept because"), Column("count", right=True), Column("meaning", shrinks=True)), rows)
        )
    if doubts:
        blocks.append(
            Text("These are kept because their time cannot be trusted; mend or settle them by hand.", Tone.WARN)
        )
        columns = (Column("namespace"), Column("name"), Column("reason"), Column("field"))
        named = tuple((d.namespace, d.name, d.reason, d.age_from) for d in doubts[:_SHOWN])
        blocks.append(Table(columns, named, omitted=max(0, len(doubts) - _SHOWN)))
    return tuple(blocks)


def _failure_table(failed: tuple[FailureRow, ...]) -> tuple[Block, ...]:
    if not failed:
        return ()
    rows = tuple((row.namespace, row.name, row.error) for row in failed[:_SHOWN])
    columns = (Column("namespace"), Column("name"), Column("why it failed", shrinks=True))
    return (Table(columns, rows, title="failed", omitted=max(0, len(failed) - _SHOWN)),)


_AGE_FROM = {AgeSource.AUTO: "timestamp, else detectedAt, else creation"}

_EXPLAINED = {
    Reason.EXPIRED: "to be deleted",
    Reason.OTHER_PHASE: "its phase is not among those asked for",
    Reason.OTHER_SEVERITY: "its severity is not among those asked for",
    Reason.YOUNG: "it is not older than the cutoff",
    Reason.SEEN_AGAIN: "it was seen again after the cutoff",
    Reason.NO_TIME: "it has no time to be judged by",
    Reason.MALFORMED_TIME: "its time is not RFC 3339",
    Reason.ZONELESS_TIME: "its time has no zone",
    Reason.FUTURE_TIME: "its time lies in the future",
    Reason.ALREADY_GOING: "it is being deleted already",
}

EXIT_CODES = (ExitCode.PARTIAL, ExitCode.REFUSED, ExitCode.UNREACHABLE, ExitCode.DENIED)

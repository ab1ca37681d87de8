"""A cleanup's plan and outcome as Reports. Decides nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from zenctl.cleanup.brakes import Limits, Tripped
from zenctl.cleanup.judge import Reason, Rule, cutoff_of
from zenctl.cleanup.plan import Candidate, Doubt, Plan
from zenctl.cleanup.run import SKEW_SAID, Answer, Outcome, Undo
from zenctl.core.durations import format_duration, humanise, took
from zenctl.core.observation import AgeSource
from zenctl.core.report import Block, ByteCount, Cell, Column, Facts, Report, Result, Table, Text, Tone, Toned
from zenctl.errors import ExitCode

_SHOWN = 20
_FEW = 3
"""How many doubtful objects are named after the fact; the plan names more."""
_SHORT_ID = 8
_NEVER = "never"
_ETCD = (
    "etcd can use that room again once it has compacted, within 10 minutes where the API server compacts every 5,"
    " as it does by default. Its file becomes smaller only when it is defragmented."
)


class RuleRow(Result, frozen=True):
    """A rule, and how many it would delete."""

    name: str
    phases: tuple[str, ...] | None
    """None is any."""
    severities: tuple[str, ...]
    sources: tuple[str, ...]
    categories: tuple[str, ...]
    namespaces: tuple[str, ...]
    labels: str
    older_than: str
    age_from: str
    ignore_last_seen: bool
    cutoff: datetime | None
    """None where the rule keeps what it is about."""
    to_delete: int


class LimitsRow(Result, frozen=True):
    """The brakes; None is no limit."""

    max_deletes: int | None
    max_percent: float | None
    min_remaining: int | None


class Scope(Result, frozen=True):
    """The rules, and the clock they were applied by."""

    policy: str | None
    """The file; None for rules of the command line."""
    rules: tuple[RuleRow, ...]
    limits: LimitsRow
    now: datetime
    clock_skew_seconds: float
    total: int
    live: int
    planned: int


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
    rule: str
    reason: str


class DoubtRow(Result, frozen=True):
    """An Observation that is kept because its time cannot be trusted."""

    resource: str
    namespace: str
    name: str
    reason: str
    field: str


class FailureRow(Result, frozen=True):
    """An Observation that could not be deleted."""

    namespace: str
    name: str
    error: str


class TrippedRow(Result, frozen=True):
    """A brake that forbids the plan, and the option that would allow it."""

    what: str
    flag: str


class CountsRow(Result, frozen=True):
    """How many are to be deleted by the plan, by what."""

    by_namespace: dict[str, int]
    by_severity: dict[str, int]
    by_source: dict[str, int]


class UndoRow(Result, frozen=True):
    """The archive of what went."""

    run: str
    archive: str
    objects: int
    bytes: int
    encrypted: bool
    seconds: float


class CleanupPlan(Result, frozen=True):
    """What a cleanup would do. Lists of objects name the first ones; the numbers count all."""

    scope: Scope
    tripped: tuple[TrippedRow, ...]
    counts: CountsRow
    bytes: int
    kept: dict[str, int]
    doubtful_count: int
    doubtful: tuple[DoubtRow, ...]
    objects: tuple[CandidateRow, ...]


class CleanupOutcome(Result, frozen=True):
    """What a cleanup did. Lists of objects name the first ones; the numbers count all."""

    scope: Scope
    undo: UndoRow | None
    deleted: int
    deleted_bytes: int
    changed_count: int
    changed: tuple[CandidateRow, ...]
    gone: int
    failed_count: int
    failed: tuple[FailureRow, ...]
    not_tried: int
    seconds: float
    counts: CountsRow
    kept: dict[str, int]
    doubtful_count: int
    doubtful: tuple[DoubtRow, ...]
    audit_log: str | None


def plan_report(plan: Plan) -> Report:
    """Return the plan: what would go, what forbids it, and why the rest stays."""
    data = CleanupPlan(
        scope=_scope(plan),
        tripped=tuple(TrippedRow(what=brake.what, flag=brake.flag) for brake in plan.tripped),
        counts=_counts(plan),
        bytes=plan.bytes,
        kept=_kept(plan),
        doubtful_count=plan.doubtful,
        doubtful=_doubts(plan.doubts),
        objects=tuple(_row(candidate, plan) for candidate in plan.shown),
    )
    would: tuple[tuple[str, Cell], ...] = (
        ("would delete", f"{plan.to_delete:,} of {plan.total:,} Observations"),
        ("of size", ByteCount(plan.bytes)),
    )
    blocks = (
        *_scope_blocks(data.scope, plan, would if plan.to_delete else would[:1]),
        *_tripped_blocks(plan.tripped),
        *_count_tables(data.counts, "to delete"),
        *_object_table(data.objects, plan),
        *_kept_blocks(data.kept, data.doubtful, plan.doubtful),
    )
    verdict = ExitCode.REFUSED if plan.tripped else ExitCode.GOOD
    return Report(kind="CleanupPlan", data=data, verdict=verdict, blocks=blocks)


def outcome_report(outcome: Outcome, audit_log: str | None = None) -> Report:
    """Return what was done, and what was not."""
    plan = outcome.plan
    data = CleanupOutcome(
        scope=_scope(plan),
        undo=_undo(outcome.undo),
        deleted=outcome.count(Answer.DELETED),
        deleted_bytes=outcome.deleted_bytes,
        changed_count=outcome.count(Answer.CHANGED),
        changed=tuple(_row(candidate, plan) for candidate in outcome.changed),
        gone=outcome.count(Answer.GONE),
        failed_count=outcome.count(Answer.FAILED),
        failed=tuple(
            FailureRow(namespace=f.candidate.key.namespace, name=f.candidate.key.name, error=f.error.message)
            for f in outcome.failures
        ),
        not_tried=outcome.count(Answer.NOT_TRIED),
        seconds=round(outcome.seconds, 3),
        counts=_counts(plan),
        kept=_kept(plan),
        doubtful_count=plan.doubtful,
        doubtful=_doubts(plan.doubts),
        audit_log=audit_log,
    )
    blocks = (
        *_scope_blocks(data.scope, plan, _outcome_facts(data)),
        *((Text(_ETCD),) if data.deleted else ()),
        *_count_tables(data.counts, "planned"),
        *_failure_table(data.failed, data.failed_count),
        *_kept_blocks(data.kept, data.doubtful[:_FEW], plan.doubtful),
    )
    return Report(kind="CleanupOutcome", data=data, verdict=outcome.verdict, blocks=blocks)


def _outcome_facts(data: CleanupOutcome) -> tuple[tuple[str, Cell], ...]:
    facts: list[tuple[str, Cell]] = [("deleted", f"{data.deleted:,} of {data.scope.total:,} Observations")]
    if data.deleted:
        facts += [("of size", ByteCount(data.deleted_bytes)), ("took", took(data.seconds, data.deleted))]
    if data.changed_count:
        facts.append(("changed, kept", Toned(data.changed_count, Tone.WARN)))
    if data.gone:
        facts.append(("gone already", data.gone))
    if data.failed_count:
        facts.append(("failed", Toned(data.failed_count, Tone.BAD)))
    if data.not_tried:
        facts.append(("not tried", Toned(data.not_tried, Tone.BAD)))
    if data.undo is not None:
        facts.append(("archived in", data.undo.archive))
        facts.append(("undo with", f"zenctl cleanup undo {data.undo.run[:_SHORT_ID]}"))
    if data.audit_log:
        facts.append(("audit log", data.audit_log))
    return tuple(facts)


def _undo(undo: Undo | None) -> UndoRow | None:
    if undo is None:
        return None
    return UndoRow(
        run=undo.archive_id,
        archive=undo.name,
        objects=undo.objects,
        bytes=undo.size_bytes,
        encrypted=undo.encrypted,
        seconds=round(undo.seconds, 3),
    )


def _scope(plan: Plan) -> Scope:
    return Scope(
        policy=plan.policy.origin or None,
        rules=tuple(_rule(rule, plan) for rule in plan.policy.rules),
        limits=_limits(plan.limits),
        now=plan.now,
        clock_skew_seconds=round(plan.skew.total_seconds(), 3),
        total=plan.total,
        live=plan.live,
        planned=plan.to_delete,
    )


def _rule(rule: Rule, plan: Plan) -> RuleRow:
    return RuleRow(
        name=rule.name,
        phases=tuple(sorted(rule.phases)) if rule.phases is not None else None,
        severities=tuple(sorted(rule.severities)),
        sources=tuple(sorted(rule.sources)),
        categories=tuple(sorted(rule.categories)),
        namespaces=tuple(sorted(rule.namespaces)),
        labels=str(rule.labels),
        older_than=_NEVER if rule.older_than is None else format_duration(rule.older_than),
        age_from=rule.age_from.value,
        ignore_last_seen=rule.ignore_last_seen,
        cutoff=None if rule.older_than is None else cutoff_of(plan.now, rule.older_than),
        to_delete=plan.counts.by_rule[rule.name],
    )


def _limits(limits: Limits) -> LimitsRow:
    percent = None if limits.max_percent is None else float(limits.max_percent)
    return LimitsRow(max_deletes=limits.max_deletes, max_percent=percent, min_remaining=limits.min_remaining)


def _scope_blocks(scope: Scope, plan: Plan, more: tuple[tuple[str, Cell], ...]) -> tuple[Block, ...]:
    """Draw the rules: the only one as facts, several of a file as a table."""
    skew: tuple[tuple[str, Cell], ...] = ()
    if abs(plan.skew) > SKEW_SAID:
        ahead = "ahead of" if plan.skew > timedelta(0) else "behind"
        said = f"{humanise(abs(plan.skew))} {ahead} the local one; the API server's counts"
        skew = (("its clock is", Toned(said, Tone.WARN)),)
    if scope.policy is None:
        return (Facts((*_rule_facts(scope.rules[0]), *skew, *more)),)
    columns = (
        Column("rule", shrinks=True),
        Column("about", shrinks=True),
        Column("older than", right=True),
        Column("cutoff", optional=True),
        Column("to delete", right=True),
    )
    rows = tuple((r.name, _about(r), r.older_than, r.cutoff or "", r.to_delete) for r in scope.rules)
    return (Facts((("policy", scope.policy), ("now", scope.now), *skew, *more)), Table(columns, rows))


def _rule_facts(rule: RuleRow) -> tuple[tuple[str, Cell], ...]:
    narrowing = tuple((name, value) for name, value in _words(rule) if value and name != "phase")
    return (
        ("phase", ", ".join(rule.phases or ())),
        *narrowing,
        ("older than", rule.older_than),
        ("age from", _AGE_FROM.get(AgeSource(rule.age_from), rule.age_from)),
        ("cutoff", rule.cutoff),
    )


def _about(rule: RuleRow) -> str:
    return "; ".join(value for _, value in _words(rule) if value)


def _words(rule: RuleRow) -> tuple[tuple[str, str], ...]:
    return (
        ("phase", "any phase" if rule.phases is None else ", ".join(rule.phases)),
        ("severity", ", ".join(rule.severities)),
        ("source", ", ".join(rule.sources)),
        ("category", ", ".join(rule.categories)),
        ("namespace", ", ".join(rule.namespaces)),
        ("labels", rule.labels),
    )


def _tripped_blocks(tripped: Iterable[Tripped]) -> tuple[Block, ...]:
    return tuple(Text(f"refused: {brake.what}. {brake.flag} would allow it.", Tone.BAD) for brake in tripped)


def _counts(plan: Plan) -> CountsRow:
    return CountsRow(
        by_namespace=_ordered(plan.counts.by_namespace),
        by_severity=_ordered(plan.counts.by_severity),
        by_source=_ordered(plan.counts.by_source),
    )


def _ordered(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def _count_tables(counts: CountsRow, title: str) -> tuple[Block, ...]:
    groups = (("namespace", counts.by_namespace), ("severity", counts.by_severity), ("source", counts.by_source))
    rows: list[tuple[Cell, ...]] = []
    for what, numbers in groups:
        rows += [(what, name, number) for name, number in list(numbers.items())[:_SHOWN]]
        if len(numbers) > _SHOWN:
            rows.append((what, f"{len(numbers) - _SHOWN} others", sum(list(numbers.values())[_SHOWN:])))
    return (Table((Column("by"), Column("value"), Column(title, right=True)), tuple(rows)),) if rows else ()


def _object_table(objects: tuple[CandidateRow, ...], plan: Plan) -> tuple[Block, ...]:
    if not objects:
        return ()
    columns = (
        Column("namespace"),
        Column("name", shrinks=True),
        Column("severity"),
        Column("age", right=True),
        Column("reason", shrinks=True),
    )
    rows = tuple(
        (row.namespace, row.name, row.severity, humanise(plan.now - row.instant) if row.instant else None, row.reason)
        for row in objects[:_SHOWN]
    )
    return (Table(columns, rows, title="objects", omitted=max(0, plan.to_delete - _SHOWN)),)


def _row(candidate: Candidate, plan: Plan) -> CandidateRow:
    judgement = candidate.judgement
    age = plan.now - judgement.instant if judgement.instant else None
    rule = judgement.rule.name if judgement.rule else ""
    why = f"{candidate.phase}, {humanise(age) if age is not None else 'unknown age'} old by {judgement.field}"
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
        age_from=judgement.field,
        rule=rule,
        reason=f"{rule}: {why}" if rule else why,
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
            field=str(doubt.judgement.field),
        )
        for doubt in doubts
    )


def _kept_blocks(kept: dict[str, int], doubts: tuple[DoubtRow, ...], doubtful: int) -> tuple[Block, ...]:
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
        named = tuple((d.namespace, d.name, d.reason, d.field) for d in doubts[:_SHOWN])
        blocks.append(Table(columns, named, omitted=doubtful - len(named)))
    return tuple(blocks)


def _failure_table(failed: tuple[FailureRow, ...], count: int) -> tuple[Block, ...]:
    if not failed:
        return ()
    rows = tuple((row.namespace, row.name, row.error) for row in failed[:_SHOWN])
    columns = (Column("namespace"), Column("name"), Column("why it failed", shrinks=True))
    return (Table(columns, rows, title="failed", omitted=max(0, count - _SHOWN)),)


_AGE_FROM = {AgeSource.AUTO: "timestamp, else detectedAt, else creation"}

_EXPLAINED = {
    Reason.EXPIRED: "to be deleted",
    Reason.OTHER_PHASE: "its phase is not among those asked for",
    Reason.OTHER_SEVERITY: "its severity is not among those asked for",
    Reason.OTHER_SOURCE: "its source was not asked for",
    Reason.OTHER_CATEGORY: "its category was not asked for",
    Reason.OTHER_NAMESPACE: "its namespace was not asked for",
    Reason.OTHER_LABELS: "its labels were not asked for",
    Reason.NO_RULE: "no rule is about it",
    Reason.NEVER: "its rule keeps it for ever",
    Reason.NOT_EXPIRED: "its expiresAt lies in the future",
    Reason.PROTECTED: "it is marked as protected",
    Reason.YOUNG: "it is not older than the cutoff",
    Reason.SEEN_AGAIN: "it was seen again after the cutoff",
    Reason.NO_TIME: "it has no time to be judged by",
    Reason.MALFORMED_TIME: "its time is not RFC 3339",
    Reason.ZONELESS_TIME: "its time has no zone",
    Reason.FUTURE_TIME: "its time lies in the future",
    Reason.ALREADY_GOING: "it is being deleted already",
}

"""A plan for a selection, and what became of it, as Reports. Decides nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta

from zenctl.core.report import Block, Cell, Column, Facts, Report, Result, Table, Tone, Toned
from zenctl.events.apply import Applied
from zenctl.events.plan import Left, Plan, Target

_SHOWN = 20
_LEFT_BECAUSE = {
    Left.ALREADY: "in that phase already",
    Left.OTHER_PHASE: "in a phase that --phase or a name has to ask for",
    Left.UNTIMED: "of unreadable time, so perhaps in the window",
    Left.GOING: "being deleted",
}


class TargetRow(Result, frozen=True):
    """An Observation that is to be settled, with the resourceVersion that this was decided at."""

    resource: str
    namespace: str
    name: str
    uid: str
    resource_version: str
    phase_before: str
    severity: str | None
    source: str | None
    age_seconds: float | None
    error: str | None = None


class Counts(Result, frozen=True):
    """How many the plan is about, by what."""

    by_phase: dict[str, int]
    by_namespace: dict[str, int]
    by_severity: dict[str, int]
    by_source: dict[str, int]


class SettlePlan(Result, frozen=True):
    """What would be settled."""

    action: str
    phase: str
    author: str
    note: str
    total: int
    to_settle: int
    counts: Counts
    left: dict[str, int]
    mixed: bool
    objects: tuple[TargetRow, ...]


class SelectionSettled(Result, frozen=True):
    """What was settled of a plan. ``changed`` ones were left alone; ``gone`` ones were deleted by somebody else."""

    action: str
    phase: str
    author: str
    note: str
    total: int
    planned: int
    settled: int
    changed: tuple[TargetRow, ...]
    gone: int
    failed: tuple[TargetRow, ...]
    not_tried: int
    left: dict[str, int]


def plan_report(plan: Plan) -> Report:
    """Return the plan: what would be settled, and why the rest of the selection is not."""
    decision = plan.decision
    data = SettlePlan(
        action=decision.action.value,
        phase=decision.action.phase.value,
        author=decision.author,
        note=decision.note,
        total=plan.total,
        to_settle=len(plan.targets),
        counts=_counts(plan.targets),
        left=_left(plan),
        mixed=plan.mixed,
        objects=tuple(_row(target) for target in plan.targets),
    )
    facts = (
        *_decision_facts(plan),
        (f"would {decision.action}", f"{len(plan.targets):,} of {plan.total:,} Observations"),
        *_left_facts(plan),
    )
    blocks: tuple[Block, ...] = (Facts(facts), *_count_table(data.counts), *_targets(plan.targets))
    return Report(kind="EventsSettlePlan", data=data, blocks=blocks)


def applied_report(applied: Applied) -> Report:
    """Return what became of the plan, and what did not."""
    plan, decision = applied.plan, applied.plan.decision
    data = SelectionSettled(
        action=decision.action.value,
        phase=decision.action.phase.value,
        author=decision.author,
        note=decision.note,
        total=plan.total,
        planned=len(plan.targets),
        settled=applied.settled,
        changed=tuple(_row(target) for target in applied.changed),
        gone=applied.gone,
        failed=tuple(_row(failure.target, failure.error.message) for failure in applied.failures),
        not_tried=applied.not_tried,
        left=_left(plan),
    )
    told = f"{applied.settled:,} of {plan.total:,} Observations"
    facts: list[tuple[str, Cell]] = [*_decision_facts(plan), (f"now {decision.action.phase}", told)]
    others = (
        ("changed, left alone", len(applied.changed), Tone.WARN),
        ("gone meanwhile", applied.gone, Tone.MUTED),
        ("failed", len(applied.failures), Tone.BAD),
        ("not tried", applied.not_tried, Tone.BAD),
    )
    facts += [(label, Toned(count, tone)) for label, count, tone in others if count]
    hints = dict.fromkeys(failure.error.hint for failure in applied.failures if failure.error.hint)
    facts += [("hint", hint) for hint in hints]
    blocks = (
        Facts((*facts, *_left_facts(plan))),
        *_targets(applied.changed, title="changed since they were judged, and left alone"),
        *_failed(data.failed),
    )
    return Report(kind="EventsSelectionSettled", data=data, verdict=applied.verdict, blocks=blocks)


def _decision_facts(plan: Plan) -> tuple[tuple[str, Cell], ...]:
    by: tuple[tuple[str, Cell], ...] = (("by", plan.decision.author),)
    return (*by, ("note", plan.decision.note)) if plan.decision.note else by


def _left(plan: Plan) -> dict[str, int]:
    return {reason.value: plan.left[reason] for reason in Left if plan.left.get(reason)}


def _left_facts(plan: Plan) -> tuple[tuple[str, Cell], ...]:
    """Say why selected ones stay as they are."""
    facts: list[tuple[str, Cell]] = [
        ("left alone", f"{plan.left[reason]:,} {_LEFT_BECAUSE[reason]}") for reason in Left if plan.left.get(reason)
    ]
    if plan.mixed:
        facts.append(("listing", Toned("outlived its snapshot: some of it is newer than the rest", Tone.WARN)))
    return tuple(facts)


def _row(target: Target, error: str | None = None) -> TargetRow:
    return TargetRow(
        resource=target.resource.full_name,
        namespace=target.row.namespace,
        name=target.row.name,
        uid=target.uid,
        resource_version=target.resource_version,
        phase_before=target.row.phase,
        severity=target.row.severity,
        source=target.row.source,
        age_seconds=target.row.age_seconds,
        error=error,
    )


def _counts(targets: Iterable[Target]) -> Counts:
    rows = [target.row for target in targets]
    return Counts(
        by_phase=_ordered(row.phase for row in rows),
        by_namespace=_ordered(row.namespace for row in rows),
        by_severity=_ordered(row.severity or "none" for row in rows),
        by_source=_ordered(row.source or "none" for row in rows),
    )


def _ordered(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items(), key=lambda entry: (-entry[1], entry[0])))


def _count_table(counts: Counts) -> tuple[Block, ...]:
    groups = (
        ("phase", counts.by_phase),
        ("severity", counts.by_severity),
        ("source", counts.by_source),
        ("namespace", counts.by_namespace),
    )
    rows = tuple((what, name, number) for what, numbers in groups for name, number in numbers.items())
    columns = (Column("by"), Column("value"), Column("to settle", right=True))
    return (Table(columns, rows[:_SHOWN], omitted=max(0, len(rows) - _SHOWN)),) if rows else ()


def _targets(targets: Sequence[Target], *, title: str = "objects") -> tuple[Block, ...]:
    if not targets:
        return ()
    columns = (
        Column("namespace"),
        Column("name"),
        Column("severity"),
        Column("phase"),
        Column("age", right=True),
        Column("message", shrinks=True, optional=True),
    )
    rows = tuple(
        (
            row.namespace,
            row.name,
            row.severity,
            row.phase,
            None if row.age_seconds is None else timedelta(seconds=row.age_seconds),
            " ".join((row.message or "").split()),
        )
        for row in (target.row for target in targets[:_SHOWN])
    )
    return (Table(columns, rows, title=title, omitted=max(0, len(targets) - _SHOWN)),)


def _failed(failed: Sequence[TargetRow]) -> tuple[Block, ...]:
    if not failed:
        return ()
    rows = tuple((row.namespace, row.name, row.error) for row in failed[:_SHOWN])
    columns = (Column("namespace"), Column("name"), Column("why it failed", shrinks=True))
    return (Table(columns, rows, title="failed", omitted=max(0, len(failed) - _SHOWN)),)

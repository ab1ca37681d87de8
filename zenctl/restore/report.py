"""A restore's plan and outcome as Reports. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from zenctl.core.durations import took
from zenctl.core.report import Block, Cell, Column, Facts, Report, Result, Table, Text, Tone, Toned
from zenctl.errors import ExitCode
from zenctl.restore.apply import Done, Outcome, StatusDone
from zenctl.restore.decide import Action
from zenctl.restore.plan import BatchPlan, Plan

_SHOWN = 20


class DefinitionRow(Result, frozen=True):
    """A CRD of the source."""

    name: str
    exists: bool


class BatchPlanRow(Result, frozen=True):
    """What would become of the objects of one kind."""

    api_version: str
    kind: str
    objects: int
    actions: dict[str, int]
    in_the_way: tuple[str, ...]


class RestorePlan(Result, frozen=True):
    """What a restore would do."""

    source: str
    on_conflict: str
    writes: int
    definitions: tuple[DefinitionRow, ...]
    namespaces_to_create: tuple[str, ...]
    batches: tuple[BatchPlanRow, ...]
    unreadable: tuple[str, ...]
    left_out: tuple[str, ...]


class BatchOutcomeRow(Result, frozen=True):
    """What became of the objects of one kind."""

    resource: str
    kind: str
    done: dict[str, int]
    status: dict[str, int]


class FailureRow(Result, frozen=True):
    """An object that could not be restored."""

    kind: str
    namespace: str
    name: str
    error: str


class RestoreOutcome(Result, frozen=True):
    """What a restore did."""

    source: str
    seconds: float
    definitions_created: tuple[str, ...]
    namespaces_created: tuple[str, ...]
    batches: tuple[BatchOutcomeRow, ...]
    failed: tuple[FailureRow, ...]
    not_tried: int
    unreadable: tuple[str, ...]
    left_out: tuple[str, ...]
    rejects_file: str | None


def plan_report(plan: Plan) -> Report:
    """Return what a restore would do; refused where objects exist that must not."""
    data = RestorePlan(
        source=plan.source.label,
        on_conflict=plan.on_conflict.value,
        writes=plan.writes,
        definitions=tuple(DefinitionRow(name=d.name, exists=d.exists) for d in plan.definitions),
        namespaces_to_create=plan.missing_namespaces,
        batches=tuple(_plan_row(batch) for batch in plan.batches),
        unreadable=plan.unreadable,
        left_out=tuple(plan.source.left_out),
    )
    facts: list[tuple[str, Cell]] = [("source", data.source), ("on conflict", data.on_conflict)]
    facts += [("CRD", f"{d.name}, {'exists and stays as it is' if d.exists else 'create'}") for d in plan.definitions]
    if plan.missing_namespaces:
        facts.append(("create namespaces", ", ".join(plan.missing_namespaces)))
    blocks: list[Block] = [
        Facts(tuple(facts)),
        _plan_table(data.batches),
        *_leftovers(data.unreadable, data.left_out),
    ]
    report = Report(kind="RestorePlan", data=data, blocks=tuple(blocks))
    return _refused(report, plan) if plan.conflicts else report


def _refused(report: Report, plan: Plan) -> Report:
    named = tuple((batch.batch.kind, str(key)) for batch in plan.batches for key in batch.in_the_way)
    text = f"{plan.conflicts:,} objects exist already, and --on-conflict fail allows none. Nothing was written."
    table = Table((Column("kind"), Column("in the way")), named, omitted=max(0, plan.conflicts - len(named)))
    return replace(report, verdict=ExitCode.REFUSED, blocks=(*report.blocks, Text(text, Tone.BAD), table))


def outcome_report(outcome: Outcome, rejects_file: str | None) -> Report:
    """Return what was done, what was not, and where the rejected objects are kept."""
    data = RestoreOutcome(
        source=outcome.plan.source.label,
        seconds=round(outcome.seconds, 3),
        definitions_created=outcome.definitions_created,
        namespaces_created=outcome.namespaces_created,
        batches=tuple(
            BatchOutcomeRow(
                resource=batch.resource,
                kind=batch.kind,
                done={done.value: batch.done[done] for done in Done if batch.done.get(done)},
                status={status.value: batch.status[status] for status in StatusDone if batch.status.get(status)},
            )
            for batch in outcome.batches
        ),
        failed=tuple(
            FailureRow(kind=f.kind, namespace=f.key.namespace, name=f.key.name, error=f.error.message)
            for f in outcome.failures
        ),
        not_tried=outcome.not_tried,
        unreadable=outcome.plan.unreadable,
        left_out=tuple(outcome.plan.source.left_out),
        rejects_file=rejects_file,
    )
    blocks: tuple[Block, ...] = (
        Facts(_outcome_facts(outcome, data)),
        _outcome_table(data.batches),
        *_failures(data),
        *_leftovers(data.unreadable, data.left_out),
    )
    return Report(kind="RestoreOutcome", data=data, verdict=outcome.verdict, blocks=blocks)


def _outcome_facts(outcome: Outcome, data: RestoreOutcome) -> tuple[tuple[str, Cell], ...]:
    facts: list[tuple[str, Cell]] = [("source", data.source)]
    if data.definitions_created:
        facts.append(("CRDs created", ", ".join(data.definitions_created)))
    if data.namespaces_created:
        facts.append(("namespaces created", ", ".join(data.namespaces_created)))
    written = sum(
        count
        for batch in outcome.batches
        for done, count in batch.done.items()
        if done not in (Done.SKIPPED, Done.UNCHANGED)
    )
    facts.append(("took", took(outcome.seconds, written)))
    if data.failed:
        facts.append(("failed", Toned(len(data.failed), Tone.BAD)))
    if data.not_tried:
        facts.append(("not tried", Toned(data.not_tried, Tone.BAD)))
    return tuple(facts)


def _plan_row(plan: BatchPlan) -> BatchPlanRow:
    return BatchPlanRow(
        api_version=plan.batch.api_version,
        kind=plan.batch.kind,
        objects=plan.batch.objects,
        actions={action.value: plan.actions[action] for action in Action if plan.actions.get(action)},
        in_the_way=tuple(str(key) for key in plan.in_the_way),
    )


def _plan_table(rows: Sequence[BatchPlanRow]) -> Table:
    columns = (Column("kind"), *_numbers("in the source", "create", "adopt status", "update", "skip"))
    actions = (Action.CREATE, Action.ADOPT, Action.UPDATE, Action.SKIP)
    return Table(columns, tuple((r.kind, r.objects, *(r.actions.get(a.value, 0) for a in actions)) for r in rows))


def _outcome_table(rows: Sequence[BatchOutcomeRow]) -> Table:
    columns = (Column("kind"), *_numbers("created", "adopted", "updated", "unchanged", "skipped", "with status"))
    return Table(
        columns, tuple((row.kind, *(row.done.get(d.value, 0) for d in Done), _statuses(row.status)) for row in rows)
    )


def _numbers(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(title, right=True) for title in titles)


def _statuses(status: Mapping[str, int]) -> Cell:
    altered = status.get(StatusDone.ALTERED.value, 0)
    restored = status.get(StatusDone.RESTORED.value, 0)
    return Toned(f"{restored:,} and {altered:,} altered by the server", Tone.WARN) if altered else restored


def _failures(data: RestoreOutcome) -> tuple[Block, ...]:
    if not data.failed:
        return ()
    rows = tuple((row.kind, row.namespace, row.name, Toned(row.error, Tone.BAD)) for row in data.failed[:_SHOWN])
    columns = (Column("kind"), Column("namespace"), Column("name"), Column("why it failed", shrinks=True))
    table = Table(columns, rows, title="failed", omitted=max(0, len(data.failed) - _SHOWN))
    if not data.rejects_file:
        return (table,)
    return table, Text(f"They are kept in {data.rejects_file}; mend them and give that file to zenctl restore.")


def _leftovers(unreadable: Sequence[str], left_out: Sequence[str]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    if unreadable:
        rows: tuple[tuple[Cell, ...], ...] = tuple((Toned(what, Tone.BAD),) for what in unreadable[:_SHOWN])
        blocks.append(Table((Column("unreadable"),), rows, omitted=max(0, len(unreadable) - _SHOWN)))
    if left_out:
        rows = tuple((what,) for what in left_out[:_SHOWN])
        blocks.append(
            Table((Column("left out, not zenctl's to restore"),), rows, omitted=max(0, len(left_out) - _SHOWN))
        )
    return tuple(blocks)

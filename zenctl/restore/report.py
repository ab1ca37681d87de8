"""A restore's plan and outcome as Reports. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from zenctl.core.durations import took
from zenctl.core.report import Block, Cell, Column, Facts, Report, Result, Table, Text, Tone, Toned
from zenctl.errors import ExitCode, worst
from zenctl.restore.apply import Done, Outcome, StatusDone
from zenctl.restore.batch import Share
from zenctl.restore.decide import Action
from zenctl.restore.definitions import DefinitionPlan
from zenctl.restore.plan import BatchPlan, Plan
from zenctl.restore.preflight import CLEAR, Preflight, rules_yaml

_SHOWN = 20
_WITH_ONLY = "Give the same --only again."
_NO_SECRETS = "Secrets are not: a file in clear is no place for them."


class DefinitionRow(Result, frozen=True):
    """A CRD of the source."""

    name: str
    exists: bool
    adds_versions: tuple[str, ...]


class InvalidRow(Result, frozen=True):
    """An object that its own schema is against."""

    kind: str
    object: str
    why: str


class MissingRow(Result, frozen=True):
    """A permission that the plan needs and the caller lacks."""

    verb: str
    resource: str
    namespace: str


class ShortageRow(Result, frozen=True):
    """A quota without room for what the plan would create."""

    namespace: str
    quota: str
    counts: str
    hard: int
    used: int | None
    """Null where the cluster has not counted yet."""
    wanted: int


class BatchPlanRow(Result, frozen=True):
    """What would become of the objects of one kind."""

    api_version: str
    kind: str
    share: str
    """Empty, or the word of --only for the share of the source: installation, secrets or helm."""
    objects: int
    actions: dict[str, int]
    in_the_way: tuple[str, ...]
    invalid: int


class LeftOutRow(Result, frozen=True):
    """Something in the source that a restore does not touch."""

    what: str
    why: str


class RestorePlan(Result, frozen=True):
    """What a restore would do."""

    source: str
    on_conflict: str
    writes: int
    definitions: tuple[DefinitionRow, ...]
    namespaces_to_create: tuple[str, ...]
    batches: tuple[BatchPlanRow, ...]
    invalid: tuple[InvalidRow, ...]
    """The first of the objects that their own schema is against; looked for with --plan and --dry-run."""
    missing_permissions: tuple[MissingRow, ...]
    quota_shortages: tuple[ShortageRow, ...]
    not_looked_at: tuple[str, ...]
    plan_file: str | None
    unreadable: tuple[str, ...]
    left_out: tuple[LeftOutRow, ...]


class BatchOutcomeRow(Result, frozen=True):
    """What became of the objects of one kind."""

    resource: str
    kind: str
    share: str
    done: dict[str, int]
    status: dict[str, int]
    owners_dropped: dict[str, int]


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
    left_out: tuple[LeftOutRow, ...]
    rejects_file: str | None
    watcher_stuck: tuple[str, ...]
    """Watchers that could not be started again, in words."""


def plan_report(plan: Plan, found: Preflight = CLEAR, plan_file: str | None = None) -> Report:
    """Return what a restore would do, and what stands in its way; refused where objects exist that must not."""
    data = RestorePlan(
        source=plan.source.label,
        on_conflict=plan.on_conflict.value,
        writes=plan.writes,
        definitions=tuple(
            DefinitionRow(name=d.name, exists=d.exists, adds_versions=d.adds) for d in plan.definitions
        ),
        namespaces_to_create=plan.missing_namespaces,
        batches=tuple(_plan_row(batch) for batch in plan.batches),
        invalid=tuple(
            InvalidRow(kind=batch.batch.kind, object=str(key), why=why)
            for batch in plan.batches
            for key, why in batch.invalid_named
        ),
        missing_permissions=tuple(
            MissingRow(verb=need.verb, resource=need.target, namespace=need.namespace) for need in found.missing
        ),
        quota_shortages=tuple(
            ShortageRow(
                namespace=s.namespace, quota=s.quota, counts=s.what, hard=s.hard, used=s.used, wanted=s.wanted
            )
            for s in found.shortages
        ),
        not_looked_at=found.unknown,
        plan_file=plan_file,
        unreadable=plan.unreadable,
        left_out=_left_out(plan),
    )
    facts: list[tuple[str, Cell]] = [("source", data.source), ("on conflict", data.on_conflict)]
    facts += [("CRD", f"{d.name}, {_definition(d)}") for d in plan.definitions]
    if plan.missing_namespaces:
        facts.append(("create namespaces", ", ".join(plan.missing_namespaces)))
    if plan_file:
        facts.append(("kept in", plan_file))
    blocks: list[Block] = [
        Facts(tuple(facts)),
        _plan_table(data.batches),
        *_invalid(data),
        *_leftovers(data.unreadable, data.left_out),
        *_obstacles(found),
    ]
    verdicts = [ExitCode.DENIED] if found.missing else []
    verdicts += [ExitCode.REFUSED] if found.shortages else []
    report = Report(kind="RestorePlan", data=data, verdict=worst(verdicts), blocks=tuple(blocks))
    return _refused(report, plan) if plan.conflicts else report


def _definition(plan: DefinitionPlan) -> str:
    if plan.adds:
        return f"add version {', '.join(plan.adds)}, and keep the others"
    return "exists and stays as it is" if plan.exists else "create"


def _invalid(data: RestorePlan) -> tuple[Block, ...]:
    if not data.invalid:
        return ()
    total = sum(row.invalid for row in data.batches)
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (row.kind, row.object, Toned(row.why, Tone.WARN)) for row in data.invalid[:_SHOWN]
    )
    columns = (Column("kind"), Column("likely to be refused"), Column("why", shrinks=True))
    return (Table(columns, rows, omitted=max(0, total - len(rows))),)


def _obstacles(found: Preflight) -> Iterator[Block]:
    """Say what stands in the way of the plan, and what would take it away."""
    if found.missing:
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (need.verb, need.target, need.namespace or "everywhere") for need in found.missing
        )
        yield Table((Column("missing permission"), Column("on"), Column("in")), rows)
        yield Text("These rules, in a Role of those namespaces or in a ClusterRole, would grant it:\n\n"
                   + rules_yaml(found.missing))  # fmt: skip
    if found.shortages:
        rows = tuple(
            (s.namespace, s.quota, s.what, s.hard, s.used, Toned(s.wanted, Tone.BAD)) for s in found.shortages
        )
        columns = (Column("namespace"), Column("quota without room"), Column("counts"),
                   *_numbers("hard", "used", "to come"))  # fmt: skip
        yield Table(columns, rows)
    if found.unknown:
        yield Text("Not looked at: " + "; ".join(found.unknown), Tone.WARN)


def _refused(report: Report, plan: Plan) -> Report:
    named = tuple((batch.batch.kind, str(key)) for batch in plan.batches for key in batch.in_the_way)
    exist = "1 object exists" if plan.conflicts == 1 else f"{plan.conflicts:,} objects exist"
    text = f"{exist} already, and --on-conflict fail allows none. Nothing was written."
    table = Table((Column("kind"), Column("in the way")), named, omitted=max(0, plan.conflicts - len(named)))
    return replace(report, verdict=ExitCode.REFUSED, blocks=(*report.blocks, Text(text, Tone.BAD), table))


def outcome_report(outcome: Outcome, rejects_file: str | None, stuck: tuple[str, ...] = ()) -> Report:
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
                share=batch.batch.share.value,
                done={done.value: batch.done[done] for done in Done if batch.done.get(done)},
                status={status.value: batch.status[status] for status in StatusDone if batch.status.get(status)},
                owners_dropped=dict(batch.owners_dropped),
            )
            for batch in outcome.batches
        ),
        failed=tuple(
            FailureRow(kind=f.kind, namespace=f.key.namespace, name=f.key.name, error=f.error.message)
            for f in outcome.failures
        ),
        not_tried=outcome.not_tried,
        unreadable=outcome.plan.unreadable,
        left_out=_left_out(outcome.plan),
        rejects_file=rejects_file,
        watcher_stuck=stuck,
    )
    blocks: tuple[Block, ...] = (
        Facts(_outcome_facts(outcome, data)),
        _outcome_table(data.batches),
        *_failures(data),
        *_orphans(data),
        *_leftovers(data.unreadable, data.left_out),
        *(Text(text, Tone.BAD) for text in stuck),
    )
    verdict = worst([outcome.verdict, ExitCode.PARTIAL]) if stuck else outcome.verdict
    return Report(kind="RestoreOutcome", data=data, verdict=verdict, blocks=blocks)


def _orphans(data: RestoreOutcome) -> tuple[Block, ...]:
    """Say which owner references were dropped, and why."""
    rows = tuple((row.kind, owner, n) for row in data.batches for owner, n in sorted(row.owners_dropped.items()))
    if not rows:
        return ()
    columns = (Column("kind"), Column("owner that is not in the cluster"), *_numbers("references dropped"))
    return (Table(columns, rows[:_SHOWN], omitted=max(0, len(rows) - _SHOWN)),)


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
        share=plan.batch.share.value,
        objects=plan.batch.objects,
        actions={action.value: plan.actions[action] for action in Action if plan.actions.get(action)},
        in_the_way=tuple(str(key) for key in plan.in_the_way),
        invalid=plan.invalid,
    )


def _plan_table(rows: Sequence[BatchPlanRow]) -> Table:
    columns = (Column("kind"), *_numbers("in the source", "create", "adopt status", "update", "unchanged", "skip"))
    actions = (Action.CREATE, Action.ADOPT, Action.UPDATE, Action.UNCHANGED, Action.SKIP)
    return Table(columns, tuple((_title(r), r.objects, *(r.actions.get(a.value, 0) for a in actions)) for r in rows))


def _outcome_table(rows: Sequence[BatchOutcomeRow]) -> Table:
    columns = (Column("kind"), *_numbers("created", "adopted", "updated", "unchanged", "skipped", "with status"))
    cells = ((_title(row), *(row.done.get(d.value, 0) for d in Done), _statuses(row.status)) for row in rows)
    return Table(columns, tuple(cells))


def _title(row: BatchPlanRow | BatchOutcomeRow) -> str:
    return f"{row.kind} of Helm" if row.share == Share.HELM else row.kind


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
    text = f"They are kept in {data.rejects_file}; mend them and give that file to zenctl restore."
    shares = {row.share for row in data.batches}
    more = [_WITH_ONLY] if shares != {Share.USUAL} else []
    more += [_NO_SECRETS] if shares & {Share.SECRETS, Share.HELM} else []
    return table, Text(" ".join((text, *more)))


def _left_out(plan: Plan) -> tuple[LeftOutRow, ...]:
    return tuple(LeftOutRow(what=what, why=why) for what, why in (*plan.held.why, *plan.source.left_out))


def _leftovers(unreadable: Sequence[str], left_out: Sequence[LeftOutRow]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    if unreadable:
        rows: tuple[tuple[Cell, ...], ...] = tuple((Toned(what, Tone.BAD),) for what in unreadable[:_SHOWN])
        blocks.append(Table((Column("unreadable"),), rows, omitted=max(0, len(unreadable) - _SHOWN)))
    if left_out:
        rows = tuple((row.what, row.why) for row in left_out[:_SHOWN])
        columns = (Column("not restored"), Column("why", shrinks=True))
        blocks.append(Table(columns, rows, omitted=max(0, len(left_out) - _SHOWN)))
    return tuple(blocks)

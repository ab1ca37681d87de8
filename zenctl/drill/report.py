"""What a restore drill found, as a Report. Decides nothing."""

from __future__ import annotations

from datetime import datetime

from zenctl.backup.compare import Change
from zenctl.backup.diff_report import ObjectRow, Words, difference_blocks, object_row
from zenctl.backup.tally import KindTally
from zenctl.core.durations import took
from zenctl.core.report import Block, Cell, Column, Facts, Report, Result, Table, Text, Tone, Toned
from zenctl.drill.run import Drilled
from zenctl.errors import ExitCode

_SHOWN = 20
_WORDS = Words(
    {Change.ADDED: "unexpected", Change.REMOVED: "missing", Change.CHANGED: "altered"}, "archive", "restored"
)


class DrilledKind(Result, frozen=True):
    """What came back of one kind."""

    resource: str
    kind: str
    equal: int
    altered: int
    missing: int
    unexpected: int


class DrillFailure(Result, frozen=True):
    """An object that the embedded cluster did not take."""

    kind: str
    name: str
    why: str


class NotRestored(Result, frozen=True):
    """Something that a restore passes over, as it is meant to, and why."""

    what: str
    why: str


class BackupDrilled(Result, frozen=True):
    """What a restore drill found. In its objects, left is the archive and right the restored cluster."""

    archive: str
    archive_id: str
    cluster: str
    created_at: datetime
    drilled_at: datetime
    equal: bool
    objects: int
    drilled: int
    sampled: bool
    seed: int | None
    seconds: float
    restore_seconds: float
    kinds: tuple[DrilledKind, ...]
    differing: tuple[ObjectRow, ...]
    more_differing: int
    failed: tuple[DrillFailure, ...]
    unreadable: tuple[str, ...]
    not_restored: tuple[NotRestored, ...]
    stopped: str | None


def drill_report(found: Drilled) -> Report:
    """Return what a drill found; anything but equality makes the verdict."""
    footer, tally = found.archive.footer, found.tally
    data = BackupDrilled(
        archive=found.archive.name,
        archive_id=footer.archive_id,
        cluster=footer.cluster_name,
        created_at=footer.created_at,
        drilled_at=found.at,
        equal=found.equal,
        objects=found.restorable,
        drilled=found.drilled,
        sampled=found.sampled,
        seed=found.options.seed if found.sampled else None,
        seconds=round(found.seconds, 3),
        restore_seconds=round(found.restore_seconds, 3),
        kinds=tuple(map(_kind, tally.kinds)),
        differing=tuple(object_row(each, _WORDS) for each in tally.named),
        more_differing=tally.differing - len(tally.named),
        failed=tuple(DrillFailure(kind=f.kind, name=f.key, why=f.why) for f in found.failures),
        unreadable=found.unreadable,
        not_restored=tuple(NotRestored(what=each.what, why=each.why) for each in found.not_restored),
        stopped=found.stopped or None,
    )
    blocks = (Facts(_facts(found, data)), _kind_table(data.kinds), *_problems(found, data))
    verdict = ExitCode.GOOD if found.equal else ExitCode.FINDINGS
    return Report(kind="BackupDrilled", data=data, verdict=verdict, blocks=blocks)


def _kind(kind: KindTally) -> DrilledKind:
    return DrilledKind(
        resource=kind.resource.full_name,
        kind=kind.resource.kind,
        equal=kind.unchanged,
        altered=kind.counts[Change.CHANGED],
        missing=kind.counts[Change.REMOVED],
        unexpected=kind.counts[Change.ADDED],
    )


def _facts(found: Drilled, data: BackupDrilled) -> tuple[tuple[str, Cell], ...]:
    facts: list[tuple[str, Cell]] = [("archive", data.archive), ("created", data.created_at)]
    if data.sampled:
        facts.append(("drilled", f"a sample of {data.drilled:,} of {data.objects:,} objects, seed {data.seed}"))
    else:
        facts.append(("drilled", f"{data.drilled:,} objects, all that a restore brings back"))
    facts.append(("took", took(found.seconds, data.drilled)))
    facts.append(("came back equal", Toned("yes", Tone.GOOD) if data.equal else Toned("no", Tone.BAD)))
    return tuple(facts)


def _kind_table(rows: tuple[DrilledKind, ...]) -> Table:
    columns = (Column("kind"), *(Column(t, right=True) for t in ("equal", "altered", "missing", "unexpected")))
    return Table(columns, tuple((row.kind, row.equal, row.altered, row.missing, row.unexpected) for row in rows))


def _problems(found: Drilled, data: BackupDrilled) -> list[Block]:
    blocks: list[Block] = []
    if data.stopped:
        blocks.append(Text(f"The restore stopped: {data.stopped}.", Tone.BAD))
    if data.failed:
        rows = tuple((row.kind, row.name, Toned(row.why, Tone.BAD)) for row in data.failed[:_SHOWN])
        columns = (Column("kind"), Column("not taken"), Column("why", shrinks=True))
        blocks.append(Table(columns, rows, omitted=len(data.failed) - len(rows)))
    if data.unreadable:
        blocks.append(Table((Column("unreadable"),), tuple((what,) for what in data.unreadable[:_SHOWN])))
    # What was not taken is told above with its reason, and need not be told again as missing.
    blocks += difference_blocks(found.tally, _WORDS, found.refused)
    if data.not_restored:
        left = tuple((row.what, row.why) for row in data.not_restored)
        blocks.append(Table((Column("a restore passes over"), Column("because", shrinks=True)), left))
    return blocks

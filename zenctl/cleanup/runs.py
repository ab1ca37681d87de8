"""Cleanups of the past, by the archives of what they deleted: listing them, and keeping them no longer than asked.

What became of a run stands in a note beside its archive; a run without one was stopped before its end, and its
archive holds everything that it may have deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from zenctl.archive.format import UNDO, Footer
from zenctl.archive.reader import ListedArchive, list_archives
from zenctl.backup.catalogue import Sound, newest_first
from zenctl.backup.notes import Notes, RunNote, write_run
from zenctl.backup.prune import PruneOutcome, PrunePorts, PruneRequest, apply, plan_prune
from zenctl.backup.retention import Period, Policy, Rule
from zenctl.cleanup.run import Answer, Outcome, Undo
from zenctl.core.durations import format_duration
from zenctl.core.report import Block, ByteCount, Cell, Column, Report, Result, Table, Text, Tone, Toned
from zenctl.errors import ExitCode, Refused, UsageError
from zenctl.ports import BlobStore

LATEST = "latest"
_SHORTEST_ID = 4
_SHORT_ID = 8


class RunRow(Result, frozen=True):
    """One cleanup; its numbers are None where nothing says what became of it."""

    run: str
    archive: str
    at: datetime
    cluster: str
    archived: int
    size_bytes: int
    pinned: bool
    exit_code: int | None
    deleted: int | None
    changed: int | None
    gone: int | None
    failed: int | None
    not_tried: int | None
    rules: tuple[str, ...] | None


class UnreadableRow(Result, frozen=True):
    """A file that should be an archive of a cleanup, and why it is none."""

    name: str
    why: str


class CleanupRuns(Result, frozen=True):
    """The cleanups of a store, newest first."""

    runs: tuple[RunRow, ...]
    unreadable: tuple[UnreadableRow, ...]


def note_outcome(store: BlobStore, undo: Undo, outcome: Outcome, at: datetime) -> None:
    """Write down what became of a run, beside its archive."""
    note = RunNote(
        archive_id=undo.archive_id,
        footer_sha256=undo.footer_sha256,
        at=at,
        exit_code=int(outcome.verdict),
        planned=outcome.plan.to_delete,
        deleted=outcome.count(Answer.DELETED),
        changed=outcome.count(Answer.CHANGED),
        gone=outcome.count(Answer.GONE),
        failed=outcome.count(Answer.FAILED),
        not_tried=outcome.count(Answer.NOT_TRIED),
        rules=tuple(_in_words(outcome)),
    )
    write_run(store, undo.name, note)


def _in_words(outcome: Outcome) -> list[str]:
    words = []
    for rule in outcome.plan.policy.rules:
        phases = "any phase" if rule.phases is None else ", ".join(sorted(rule.phases))
        age = "never" if rule.older_than is None else f"after {format_duration(rule.older_than)}"
        words.append(f"{rule.name}: {phases} {age}" if rule.name else f"{phases} {age}")
    return words


def find_run(store: BlobStore, wanted: str, cluster: str) -> str:
    """Return the archive of a run by the start of its id, or of the latest one of a cluster.

    Raises Refused where there is none, with what there is, and UsageError where several match.
    """
    undos = [item for item in newest_first(list_archives(store)) if item.footer.set_name == UNDO]
    if wanted == LATEST:
        found = [item for item in undos if cluster in (item.footer.cluster_id, item.footer.cluster_name)][:1]
    else:
        long_enough = len(wanted) >= _SHORTEST_ID
        found = [i for i in undos if i.name == wanted or (long_enough and i.footer.archive_id.startswith(wanted))]
    if len(found) > 1:
        ids = ", ".join(item.footer.archive_id for item in found[:5])
        raise UsageError(f"{len(found)} runs have an id that begins with {wanted!r}", hint=f"give more of it: {ids}")
    if not found:
        there = ", ".join(item.footer.archive_id[:_SHORT_ID] for item in undos[:5])
        raise Refused(
            f"no cleanup {wanted!r} of cluster {cluster} in the store"
            if wanted == LATEST
            else f"no cleanup {wanted!r} in the store",
            hint=f"there are {there}; see zenctl cleanup runs" if there else "the store holds none; check --store",
        )
    return found[0].name


def expire(ports: PrunePorts, cluster_id: str, keep: timedelta) -> PruneOutcome:
    """Remove a cluster's undo archives that are older than its newest one by more than ``keep``, but for pins."""
    policy = Policy(rules=(Rule(Period.EACH, within=keep),), min_keep=1, zone=UTC)
    return apply(ports, plan_prune(ports, PruneRequest(policy, UNDO, cluster_id)))


def runs_report(listed: Sequence[ListedArchive], notes: Notes) -> Report:
    """Return the cleanups whose archives a store holds."""
    undos = [item for item in newest_first(listed) if item.footer.set_name == UNDO]
    data = CleanupRuns(
        runs=tuple(_row(item, notes) for item in undos),
        unreadable=tuple(
            UnreadableRow(name=item.name, why=item.footer.message)
            for item in listed
            if not isinstance(item.footer, Footer) and item.name.startswith(f"zen-{UNDO}_")
        ),
    )
    columns = (
        Column("run"),
        Column("at"),
        Column("cluster", shrinks=True, optional=True),
        Column("archived", right=True),
        Column("deleted", right=True),
        Column("size", right=True, optional=True),
        Column("ended"),
    )
    rows = tuple(_cells(row) for row in data.runs)
    blocks: list[Block] = [Table(columns, rows)] if rows else [Text("No cleanup has left an archive in this store.")]
    if data.unreadable:
        broken = tuple((row.name, Toned(row.why, Tone.BAD)) for row in data.unreadable)
        blocks.append(Table((Column("unreadable"), Column("why", shrinks=True)), broken))
    verdict = ExitCode.DAMAGED if data.unreadable else ExitCode.GOOD
    return Report(kind="CleanupRuns", data=data, verdict=verdict, blocks=tuple(blocks))


def _row(item: Sound, notes: Notes) -> RunRow:
    note = notes.run(item.name, item.footer)
    return RunRow(
        run=item.footer.archive_id,
        archive=item.name,
        at=item.footer.created_at,
        cluster=item.footer.cluster_name,
        archived=item.footer.objects,
        size_bytes=item.size_bytes,
        pinned=item.name in notes.pins,
        exit_code=note.exit_code if note else None,
        deleted=note.deleted if note else None,
        changed=note.changed if note else None,
        gone=note.gone if note else None,
        failed=note.failed if note else None,
        not_tried=note.not_tried if note else None,
        rules=note.rules if note else None,
    )


def _cells(row: RunRow) -> tuple[Cell, ...]:
    ended: Cell = Toned("unknown: it was stopped", Tone.WARN)
    if row.exit_code is not None:
        ended = "good" if row.exit_code == ExitCode.GOOD else Toned(f"with code {row.exit_code}", Tone.BAD)
    return (row.run[:_SHORT_ID], row.at, row.cluster, row.archived, row.deleted, ByteCount(row.size_bytes), ended)

"""A prune's plan and outcome, and a pin, as Reports. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from zenctl.backup.catalogue import Sound
from zenctl.backup.notes import NoteProblem, Pin
from zenctl.backup.prune import Fate, Group, Item, PruneOutcome, PrunePlan
from zenctl.backup.report import (
    OmissionRow,
    PinFacts,
    note_problem_blocks,
    note_problem_rows,
    pin_facts,
    state_cell,
)
from zenctl.backup.retention import FUTURE_SKEW, Policy
from zenctl.core.report import Block, ByteCount, Cell, Column, Facts, Report, Result, Table, Text, Tone, Toned
from zenctl.errors import ExitCode

EXIT_CODES = (ExitCode.PARTIAL, ExitCode.REFUSED, ExitCode.UNREACHABLE, ExitCode.DENIED, ExitCode.DAMAGED)


class PolicyFacts(Result, frozen=True):
    """What decided: the rules as words, the floor, the calendar, and the clock."""

    rules: tuple[str, ...]
    min_keep: int
    timezone: str
    now: datetime


class JudgedArchive(Result, frozen=True):
    """One archive, and why it stays or goes."""

    name: str
    id: str
    created_at: datetime
    complete: bool
    objects: int
    size_bytes: int
    pinned: bool
    standing: str
    keep: bool
    reasons: tuple[str, ...]


class GroupFacts(Result, frozen=True):
    """Archives that were judged together; namespaces null is all, an empty list what only a key could tell."""

    cluster: str
    cluster_id: str
    set: str
    namespaces: tuple[str, ...] | None
    keep: int
    remove: int
    archives: tuple[JudgedArchive, ...]


class BackupPrunePlan(Result, frozen=True):
    """What a prune would do."""

    policy: PolicyFacts
    total: int
    to_remove: int
    bytes_to_free: int
    groups: tuple[GroupFacts, ...]
    orphan_notes: tuple[str, ...]
    unreadable: tuple[OmissionRow, ...]
    note_problems: tuple[OmissionRow, ...]


class FailureRow(Result, frozen=True):
    """An archive or a note that could not be removed."""

    name: str
    error: str


class BackupPruned(Result, frozen=True):
    """What a prune did; ``fates`` has the archives that were to go, by name, and nothing of those that failed."""

    policy: PolicyFacts
    total: int
    planned: int
    removed: int
    bytes_freed: int
    fates: dict[str, str]
    failed: tuple[FailureRow, ...]
    not_tried: int
    notes_removed: int
    seconds: float
    groups: tuple[GroupFacts, ...]
    unreadable: tuple[OmissionRow, ...]
    note_problems: tuple[OmissionRow, ...]


class BackupPin(Result, frozen=True):
    """An archive that is pinned, or is not any more."""

    archive: str
    id: str
    pinned: bool
    changed: bool
    pin: PinFacts | None


def plan_report(plan: PrunePlan) -> Report:
    """Return the plan: what would go, and why the rest stays."""
    removals = plan.removals
    data = BackupPrunePlan(
        policy=_policy(plan),
        total=_total(plan),
        to_remove=len(removals),
        bytes_to_free=_bytes(removals),
        groups=tuple(_group(group) for group in plan.groups),
        orphan_notes=plan.orphan_notes,
        unreadable=_unreadable(plan),
        note_problems=note_problem_rows(plan.note_problems),
    )
    facts: list[tuple[str, Cell]] = [
        *_policy_facts(plan),
        ("would remove", f"{data.to_remove:,} of {data.total:,} archives"),
        ("would free", ByteCount(data.bytes_to_free)),
    ]
    if plan.orphan_notes:
        facts.append(("notes without archive", len(plan.orphan_notes)))
    blocks = (Facts(tuple(facts)), *_group_tables(plan, None), *_doubts(plan))
    return Report(kind="BackupPrunePlan", data=data, verdict=plan.verdict, blocks=blocks)


def outcome_report(outcome: PruneOutcome) -> Report:
    """Return what was removed, and what was not."""
    plan = outcome.plan
    removed = [item for item in plan.removals if outcome.fates.get(item.archive.name) is Fate.REMOVED]
    data = BackupPruned(
        policy=_policy(plan),
        total=_total(plan),
        planned=len(plan.removals),
        removed=len(removed),
        bytes_freed=_bytes(removed),
        fates={name: fate.value for name, fate in outcome.fates.items()},
        failed=tuple(FailureRow(name=f.name, error=f.error.message) for f in outcome.failures),
        not_tried=outcome.not_tried,
        notes_removed=outcome.notes_removed,
        seconds=round(outcome.seconds, 3),
        groups=tuple(_group(group) for group in plan.groups),
        unreadable=_unreadable(plan),
        note_problems=note_problem_rows(plan.note_problems),
    )
    blocks = (
        Facts((*_policy_facts(plan), *_outcome_facts(data))),
        *_group_tables(plan, _words(outcome)),
        *_failures(data.failed),
        *_doubts(plan),
    )
    return Report(kind="BackupPruned", data=data, verdict=outcome.verdict, blocks=blocks)


def pin_report(archive: Sound, pin: Pin | NoteProblem | None, *, changed: bool) -> Report:
    """Return whether an archive is pinned now, and whether that is new."""
    readable = pin if isinstance(pin, Pin) else None
    data = BackupPin(
        archive=archive.name,
        id=archive.footer.archive_id,
        pinned=pin is not None,
        changed=changed,
        pin=pin_facts(readable) if pin is not None else None,
    )
    word = "yes" if data.pinned else "no"
    facts: list[tuple[str, Cell]] = [
        ("archive", archive.name),
        ("id", data.id),
        ("created", archive.footer.created_at),
        ("pinned", word if changed else f"{word}, as before"),
    ]
    if data.pin is not None:
        facts += [("since", data.pin.pinned_at), ("reason", data.pin.reason)]
    return Report(kind="BackupPin", data=data, blocks=(Facts(tuple(facts)),))


def _policy(plan: PrunePlan) -> PolicyFacts:
    policy = plan.request.policy
    return PolicyFacts(
        rules=tuple(rule.text for rule in policy.rules),
        min_keep=policy.min_keep,
        timezone=_zone(policy),
        now=plan.now,
    )


def _policy_facts(plan: PrunePlan) -> list[tuple[str, Cell]]:
    policy = plan.request.policy
    return [
        ("keep", ", ".join(rule.text for rule in policy.rules)),
        ("at least", f"{policy.min_keep:,} complete archives of each group"),
        ("calendar", _zone(policy)),
    ]


def _zone(policy: Policy) -> str:
    return str(policy.zone)


def _outcome_facts(data: BackupPruned) -> list[tuple[str, Cell]]:
    stayed = sum(fate != Fate.REMOVED for fate in data.fates.values())
    facts: list[tuple[str, Cell]] = [
        ("removed", f"{data.removed:,} of {data.total:,} archives"),
        ("freed", ByteCount(data.bytes_freed)),
    ]
    if stayed:
        facts.append(("changed meanwhile", Toned(stayed, Tone.WARN)))
    if data.failed:
        facts.append(("failed", Toned(len(data.failed), Tone.BAD)))
    if data.not_tried:
        facts.append(("not tried", Toned(data.not_tried, Tone.BAD)))
    if data.notes_removed:
        facts.append(("notes without archive", f"{data.notes_removed:,} removed"))
    return facts


def _total(plan: PrunePlan) -> int:
    return sum(len(group.items) for group in plan.groups)


def _bytes(items: Sequence[Item]) -> int:
    return sum(item.archive.size_bytes for item in items)


def _group(group: Group) -> GroupFacts:
    rows = tuple(_judged(item) for item in group.items)
    kept = sum(row.keep for row in rows)
    return GroupFacts(
        cluster=group.cluster_name,
        cluster_id=group.key.cluster_id,
        set=group.key.set_name,
        namespaces=group.key.namespaces,
        keep=kept,
        remove=len(rows) - kept,
        archives=rows,
    )


def _judged(item: Item) -> JudgedArchive:
    footer, judgement = item.archive.footer, item.judgement
    return JudgedArchive(
        name=item.archive.name,
        id=footer.archive_id,
        created_at=footer.created_at,
        complete=footer.complete,
        objects=footer.objects,
        size_bytes=item.archive.size_bytes,
        pinned=judgement.backup.pinned,
        standing=item.standing.value,
        keep=judgement.keep,
        reasons=judgement.reasons,
    )


def _words(outcome: PruneOutcome) -> dict[str, Cell]:
    """Return what became of each archive that was to go, as the table says it."""
    words: dict[str, Cell] = {item.archive.name: Toned("not tried", Tone.BAD) for item in outcome.plan.removals}
    for failure in outcome.failures:
        words[failure.name] = Toned("failed", Tone.BAD)
    for name, fate in outcome.fates.items():
        words[name] = "removed" if fate is Fate.REMOVED else Toned(fate.value, Tone.WARN)
    return words


def _group_tables(plan: PrunePlan, became: dict[str, Cell] | None) -> tuple[Block, ...]:
    if not plan.groups:
        return (Text("The store holds no such archives."),)
    return tuple(_group_table(group, became) for group in plan.groups)


def _group_table(group: Group, became: dict[str, Cell] | None) -> Table:
    columns = (
        Column("id"),
        Column("created"),
        Column("size", right=True, optional=True),
        Column("state"),
        Column("plan" if became is None else "outcome"),
        Column("because", shrinks=True),
    )
    rows = tuple(
        (
            item.archive.footer.archive_id[:8],
            item.archive.footer.created_at,
            ByteCount(item.archive.size_bytes),
            state_cell(item.archive.footer, pinned=item.judgement.backup.pinned),
            _what(item, became),
            ", ".join(item.judgement.reasons),
        )
        for item in group.items
    )
    return Table(columns, rows, title=_title(group))


def _what(item: Item, became: dict[str, Cell] | None) -> Cell:
    if item.judgement.keep:
        return "keep" if became is None else "kept"
    return Toned("remove", Tone.WARN) if became is None else became[item.archive.name]


def _title(group: Group) -> str:
    namespaces = group.key.namespaces
    scope = ""
    if namespaces is not None:
        scope = f", namespaces {', '.join(namespaces)}" if namespaces else ", some namespaces"
    return f"{group.cluster_name}, set {group.key.set_name}{scope}"


def _failures(failed: Sequence[FailureRow]) -> tuple[Block, ...]:
    if not failed:
        return ()
    rows = tuple((row.name, Toned(row.error, Tone.BAD)) for row in failed)
    return (Table((Column("failed"), Column("why", shrinks=True)), rows),)


def _unreadable(plan: PrunePlan) -> tuple[OmissionRow, ...]:
    return tuple(OmissionRow(what=entry.name, why=entry.why) for entry in plan.unreadable)


def _doubts(plan: PrunePlan) -> list[Block]:
    """Return what was kept because it cannot be judged, and what somebody should look at."""
    blocks: list[Block] = []
    future = sum(item.archive.footer.created_at > plan.now + FUTURE_SKEW for item in plan.items)
    if future:
        archives = "1 archive is" if future == 1 else f"{future:,} archives are"
        clock = f"by this machine's clock, which says {plan.now:%Y-%m-%d %H:%M:%SZ}"
        blocks.append(Text(f"{archives} dated in the future {clock}; the rules leave them out.", Tone.WARN))
    if plan.unreadable:
        rows = tuple((entry.name, Toned(entry.why, Tone.BAD)) for entry in plan.unreadable)
        blocks.append(Table((Column("unreadable, kept"), Column("why", shrinks=True)), rows))
    return [*blocks, *note_problem_blocks(plan.note_problems)]

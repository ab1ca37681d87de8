"""Removing archives by policy: read what a store holds, let retention decide, then remove what nothing keeps.

Nothing is removed before the whole plan stands. Each archive is looked at once more just before it goes: one
that was replaced or pinned meanwhile stays. The archive goes first and its notes after it, so that a crash
leaves notes without an archive, which mean nothing, and never an archive without its pin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from zenctl.archive.age import Keys
from zenctl.archive.format import Footer
from zenctl.archive.reader import ArchiveStore, ListedArchive, list_archives, open_listed, read_footer
from zenctl.backup.catalogue import Sound, newest_first
from zenctl.backup.notes import (
    NoteProblem,
    Notes,
    Pin,
    Standing,
    archive_of,
    orphans,
    pin_name,
    read_notes,
    run_name,
    verified_name,
)
from zenctl.backup.retention import Backup, Judgement, Policy, judge
from zenctl.core.patience import Patience
from zenctl.errors import Damaged, ExitCode, Refused, ZenctlError, worst
from zenctl.ports import BlobStore, Clock, Progress

ORPHAN_AGE = timedelta(hours=24)
"""How long notes outlive their archive: it may only have been moved away for a moment."""


class PrunePorts(NamedTuple):
    """What pruning needs of the world."""

    store: BlobStore
    clock: Clock
    progress: Progress


class PruneRequest(NamedTuple):
    """Which archives to judge, and by what."""

    policy: Policy
    set_name: str
    cluster: str | None
    """An id or a name; None is every cluster."""
    keys: Keys | None = None
    """What opens the manifests of encrypted archives of some namespaces; nothing else is opened."""


class GroupKey(NamedTuple):
    """What archives must have in common to be judged together: never a file name, and never a host."""

    cluster_id: str
    set_name: str
    namespaces: tuple[str, ...] | None
    """None is every namespace; () is some that only a key could tell."""


class Item(NamedTuple):
    """An archive with what its notes say and what was decided."""

    archive: Sound
    standing: Standing
    pin: Pin | None
    judgement: Judgement


class Group(NamedTuple):
    """The archives of one cluster, set and scope, newest first."""

    key: GroupKey
    cluster_name: str
    items: tuple[Item, ...]

    @property
    def removals(self) -> tuple[Item, ...]:
        """The archives that nothing keeps, the oldest first: what is left at any moment is the best part."""
        return tuple(item for item in reversed(self.items) if not item.judgement.keep)


class Unreadable(NamedTuple):
    """A file that should be an archive, and why it is none. It is never removed here."""

    name: str
    why: str


class PrunePlan(NamedTuple):
    """Everything that was decided, before anything is done."""

    request: PruneRequest
    now: datetime
    groups: tuple[Group, ...]
    unreadable: tuple[Unreadable, ...]
    note_problems: tuple[NoteProblem, ...]
    orphan_notes: tuple[str, ...]

    @property
    def items(self) -> Iterator[Item]:
        """Every archive that was judged."""
        return (item for group in self.groups for item in group.items)

    @property
    def removals(self) -> tuple[Item, ...]:
        """Every archive that is to go, in the order in which they go."""
        return tuple(item for group in self.groups for item in group.removals)

    @property
    def verdict(self) -> ExitCode:
        """What the store as such is worth: damage stays visible until somebody has looked at it."""
        damaged = self.unreadable or any(item.standing is Standing.DAMAGED for item in self.items)
        return ExitCode.DAMAGED if damaged else ExitCode.GOOD


class Fate(StrEnum):
    """What became of an archive that was to go."""

    REMOVED = "removed"
    GONE = "gone already"
    REPLACED = "replaced since it was judged"
    PINNED = "pinned since it was judged"


class Failure(NamedTuple):
    """An archive or note that could not be removed, and why."""

    name: str
    error: ZenctlError


class PruneOutcome(NamedTuple):
    """What became of a plan."""

    plan: PrunePlan
    fates: dict[str, Fate]
    """By name, of every archive that was tried and did not fail."""
    notes_removed: int
    """Notes whose archive had been gone before."""
    failures: tuple[Failure, ...]
    not_tried: int
    seconds: float

    @property
    def verdict(self) -> ExitCode:
        """What the run as a whole is worth: partly done where anything was; else what stood in the way."""
        if not self.failures:
            return self.plan.verdict
        anything = self.notes_removed or Fate.REMOVED in self.fates.values()
        failed = ExitCode.PARTIAL if anything else worst(failure.error.code for failure in self.failures)
        return worst((failed, self.plan.verdict))


def plan_prune(ports: PrunePorts, request: PruneRequest) -> PrunePlan:
    """Read the notes and the footers of a store and decide about each archive of the request.

    Raises Refused where the cluster that was asked for has no archive in a store that has others.
    """
    now = ports.clock.now()
    # Notes before archives: an archive that comes with its note between the two listings is then found.
    ports.progress.begin("reading footers", None, "archives")
    notes = read_notes(ports.store)
    listed = list_archives(ports.store)
    ports.progress.advance(len(listed))
    chosen = _chosen(newest_first(listed), request)
    unreadable = [Unreadable(e.name, e.footer.message) for e in listed if not isinstance(e.footer, Footer)]
    groups: dict[GroupKey, list[Sound]] = {}
    for sound in chosen:
        try:
            groups.setdefault(_key(ports.store, sound, request.keys), []).append(sound)
        except Damaged as error:
            unreadable.append(Unreadable(sound.name, error.message))
    ports.progress.end()
    return PrunePlan(
        request=request,
        now=now,
        groups=tuple(_judged(key, members, notes, request.policy, now) for key, members in _in_order(groups)),
        unreadable=tuple(sorted(unreadable)),
        note_problems=notes.problems,
        orphan_notes=orphans(notes, (entry.name for entry in listed), now - ORPHAN_AGE),
    )


def _chosen(sound: Sequence[Sound], request: PruneRequest) -> list[Sound]:
    """Return the archives of the cluster and set in question, newest first."""
    wanted = request.cluster
    ours = [s for s in sound if wanted is None or wanted in (s.footer.cluster_id, s.footer.cluster_name)]
    if sound and not ours:
        there = ", ".join(sorted({s.footer.cluster_name for s in sound}))
        raise Refused(
            f"no archive of cluster {wanted} in the store",
            hint=f"there are archives of {there}; name one with --cluster, or give --all-clusters",
        )
    return [s for s in ours if s.footer.set_name == request.set_name]


def _key(store: ArchiveStore, sound: Sound, keys: Keys | None) -> GroupKey:
    """Return the group of an archive. Which namespaces it is of, only the manifest says. Raises Damaged."""
    namespaces: tuple[str, ...] | None = None
    if not sound.footer.whole:
        try:
            manifest = open_listed(store, ListedArchive(*sound), keys).manifest
            namespaces = tuple(sorted(manifest.scope.namespaces or ()))
        except Refused:  # it is encrypted, and the key is missing or another
            namespaces = ()
    return GroupKey(sound.footer.cluster_id, sound.footer.set_name, namespaces)


def _in_order(groups: dict[GroupKey, list[Sound]]) -> list[tuple[GroupKey, list[Sound]]]:
    """Return groups by cluster name; of one cluster, every namespace first."""
    return sorted(
        groups.items(),
        key=lambda group: (
            group[1][0].footer.cluster_name,
            group[0].cluster_id,
            group[0].namespaces is not None,
            group[0].namespaces or (),
        ),
    )


def _judged(key: GroupKey, members: Sequence[Sound], notes: Notes, policy: Policy, now: datetime) -> Group:
    by_name = {sound.name: sound for sound in members}
    standing = {sound.name: notes.standing(sound.name, sound.footer) for sound in members}
    backups = (
        Backup(
            name=sound.name,
            created_at=sound.footer.created_at,
            complete=sound.footer.complete,
            verified=standing[sound.name] is Standing.VERIFIED,
            damaged=standing[sound.name] is Standing.DAMAGED,
            pinned=sound.name in notes.pins,
            scope_known=key.namespaces != (),
        )
        for sound in members
    )
    items = (
        Item(by_name[j.backup.name], standing[j.backup.name], notes.pins.get(j.backup.name), j)
        for j in judge(backups, policy, now)
    )
    return Group(key, members[0].footer.cluster_name, tuple(items))


def apply(ports: PrunePorts, plan: PrunePlan) -> PruneOutcome:
    """Remove what a plan removes, and notes without an archive; stop early where every removal fails alike.

    Raises Refused where an archive is gone that the plan counts on to stay; then nothing was removed.
    """
    started = ports.clock.monotonic()
    removals = plan.removals
    if removals:
        _check_the_kept(ports.store, plan)
    fates: dict[str, Fate] = {}
    failures: list[Failure] = []
    patience = Patience()
    ports.progress.begin("removing archives", len(removals), "archives")
    for item in patience.guard(removals):
        try:
            fates[item.archive.name], left = _remove(ports.store, item.archive)
            failures += left
            patience.note(None)
        except ZenctlError as error:
            failures.append(Failure(item.archive.name, error))
            patience.note(error)
        ports.progress.advance()
    swept = _sweep(ports.store, plan.orphan_notes, failures)
    ports.progress.end()
    failed = {failure.name for failure in failures}
    not_tried = sum(item.archive.name not in fates and item.archive.name not in failed for item in removals)
    return PruneOutcome(plan, fates, swept, tuple(failures), not_tried, ports.clock.monotonic() - started)


def _check_the_kept(store: ArchiveStore, plan: PrunePlan) -> None:
    there = {info.name for info in store.list()}
    missing = [item.archive.name for item in plan.items if item.judgement.keep and item.archive.name not in there]
    if missing:
        raise Refused(
            f"{missing[0]} is gone, and the plan counts on it to stay",
            hint="somebody else removes archives from this store; run it again",
        )


def _remove(store: BlobStore, archive: Sound) -> tuple[Fate, list[Failure]]:
    """Remove one archive if it is still the one that was judged, then its notes; return what of these failed."""
    around = {info.name: info for info in store.list(prefix=archive.name, suffix="")}
    if archive.name not in around:
        return Fate.GONE, []
    if pin_name(archive.name) in around:
        return Fate.PINNED, []
    footer = read_footer(store, archive.name, around[archive.name].size_bytes)
    if (footer.archive_id, footer.sha256) != (archive.footer.archive_id, archive.footer.sha256):
        return Fate.REPLACED, []
    store.delete(archive.name)
    failures: list[Failure] = []
    for note in (verified_name(archive.name), run_name(archive.name)):
        if note in around:
            _delete_note(store, note, failures)
    return Fate.REMOVED, failures


def _sweep(store: BlobStore, names: Iterable[str], failures: list[Failure]) -> int:
    """Remove notes whose archive is still gone; return how many."""
    swept = 0
    for name in names:
        archive = archive_of(name) or ""
        try:
            back = any(info.name == archive for info in store.list(prefix=archive))
        except ZenctlError as error:
            failures.append(Failure(name, error))
            continue
        swept += not back and _delete_note(store, name, failures)
    return swept


def _delete_note(store: BlobStore, name: str, failures: list[Failure]) -> bool:
    try:
        store.delete(name)
    except ZenctlError as error:
        failures.append(Failure(name, error))
        return False
    return True

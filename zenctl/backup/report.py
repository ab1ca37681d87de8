"""Backups as Reports: what was created, what a store holds, what an archive is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from zenctl.archive.format import Collection, Footer, Manifest
from zenctl.archive.reader import Archive, ListedArchive
from zenctl.archive.verify import Verification
from zenctl.backup.catalogue import Sound, newest_first
from zenctl.backup.create import Created
from zenctl.backup.helm import HELM_REVISION
from zenctl.backup.notes import (
    NO_NOTES,
    DrillRecord,
    NoteProblem,
    Notes,
    Pin,
    Standing,
    VerificationNote,
    VerifyRecord,
    standing_of,
)
from zenctl.backup.parts import in_words
from zenctl.backup.proof import BackupVerified, row_of, verdict_of
from zenctl.backup.releases import ReleaseRow, release_blocks, release_findings, release_rows, revisions_of
from zenctl.core.durations import took
from zenctl.core.report import (
    Block,
    ByteCount,
    Cell,
    Column,
    Facts,
    Report,
    Result,
    Table,
    Text,
    Tone,
    Toned,
)
from zenctl.errors import ExitCode, worst
from zenctl.product.installation import SECRET


class CollectionRow(Result, frozen=True):
    """One collection of an archive."""

    resource: str
    api_version: str
    kind: str
    objects: int
    plain_bytes: int
    consistency: str
    restarts: int
    resource_versions: tuple[str, ...]
    derived: bool


class OmissionRow(Result, frozen=True):
    """Something that the archive should hold and does not."""

    what: str
    why: str


class SelfCheckFacts(Result, frozen=True):
    """What the writer of an encrypted archive found in its objects."""

    objects: int
    problem_count: int
    problems: tuple[str, ...]


class ArchiveFacts(Result, frozen=True):
    """An archive as its footer describes it."""

    name: str
    id: str
    set: str
    cluster: str
    cluster_id: str
    created_at: datetime
    complete: bool
    every_namespace: bool
    left_out: tuple[str, ...]
    """What was knowingly not read; the archive is complete but for it."""
    encrypted: bool
    objects: int
    size_bytes: int
    plain_bytes: int
    kinds: dict[str, int]


class PinFacts(Result, frozen=True):
    """Why an archive is pinned, and since when; null where its note cannot be read."""

    reason: str | None
    pinned_at: datetime | None


class VerificationFacts(Result, frozen=True):
    """What is known about an archive's soundness beyond its footer, and what was done to learn it."""

    standing: str
    verify: VerifyRecord | None
    drill: DrillRecord | None


class ListedFacts(ArchiveFacts, frozen=True):
    """An archive as its footer describes it, with what its notes say; ``pin`` is null where it has none."""

    pinned: bool
    pin: PinFacts | None
    verification: VerificationFacts


class BackupCreated(Result, frozen=True):
    """A backup that was written."""

    archive: ArchiveFacts
    seconds: float
    collections: tuple[CollectionRow, ...]
    helm_releases: tuple[ReleaseRow, ...]
    omissions: tuple[OmissionRow, ...]
    self_check: SelfCheckFacts | None
    verified: BackupVerified | None
    """What was found when it was read back; null where it was not."""


class BackupList(Result, frozen=True):
    """The archives of a store, newest first, and what should be an archive and is none."""

    archives: tuple[ListedFacts, ...]
    unreadable: tuple[OmissionRow, ...]
    note_problems: tuple[OmissionRow, ...]


class BackupContents(Result, frozen=True):
    """What an archive holds."""

    archive: ArchiveFacts
    server_version: str
    tool_version: str
    namespaces: tuple[str, ...] | None
    secrets: bool
    """The Secrets of the installation were asked for."""
    collections: tuple[CollectionRow, ...]
    helm_releases: tuple[ReleaseRow, ...]
    omissions: tuple[OmissionRow, ...]
    self_check: SelfCheckFacts | None


class BackupObject(Result, frozen=True):
    """One object out of an archive."""

    archive: str
    object: dict[str, Any]


def created_report(created: Created, verified: Verification | None = None) -> Report:
    """Return what a backup wrote, what it could not read, and what reading it back found."""
    footer, manifest = created.written.footer, created.written.manifest
    data = BackupCreated(
        archive=_facts(Sound(created.name, created.written.size_bytes, footer)),
        seconds=round(created.seconds, 3),
        collections=tuple(_row(collection) for collection in manifest.collections),
        helm_releases=release_rows(created.revisions),
        omissions=tuple(OmissionRow(what=o.what, why=o.why) for o in manifest.omissions),
        self_check=_self_check(manifest),
        verified=None if verified is None else row_of(verified),
    )
    blocks: tuple[Block, ...] = (
        Facts(
            (
                ("archive", created.name),
                ("id", footer.archive_id),
                ("cluster", footer.cluster_name),
                ("objects", footer.objects),
                ("size", ByteCount(created.written.size_bytes)),
                ("took", took(created.seconds, footer.objects)),
                ("encrypted", _encrypted(footer)),
                ("complete", _complete(footer)),
                *((("read back", verdict_of(verified)),) if verified else ()),
            )
        ),
        *_collection_blocks(data.collections),
        *release_blocks(data.helm_releases),
        *_omission_blocks(data.omissions),
        *_self_check_blocks(data.self_check),
        *_notices(footer, manifest),
    )
    verdicts = [ExitCode.DENIED] if created.denied else []
    verdicts += [ExitCode.DAMAGED] if verified and not verified.sound else []
    return Report(
        kind="BackupCreated",
        data=data,
        verdict=worst(verdicts),
        findings=release_findings(created.revisions),
        blocks=blocks,
    )


def list_report(listed: Sequence[ListedArchive], notes: Notes = NO_NOTES) -> Report:
    """Return the archives of a store. One that is damaged is shown, and makes the verdict."""
    sound = newest_first(listed)
    archives = tuple(_listed_facts(item, notes) for item in sound)
    unreadable = tuple(
        OmissionRow(what=item.name, why=item.footer.message) for item in listed if not isinstance(item.footer, Footer)
    )
    columns = (
        Column("id"),
        Column("created"),
        Column("cluster", shrinks=True),
        Column("set", optional=True),
        Column("objects", right=True, optional=True),
        Column("size", right=True),
        Column("state"),
        Column("verified"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            a.id[:8],
            a.created_at,
            a.cluster,
            a.set,
            a.objects,
            ByteCount(a.size_bytes),
            state_cell(item.footer, pinned=a.pinned),
            verified_cell(a.verification),
        )
        for item, a in zip(sound, archives, strict=True)
    ]
    blocks: list[Block] = [Table(columns, tuple(rows))] if rows else [Text("The store holds no archives.")]
    if unreadable:
        broken = tuple((row.what, Toned(row.why, Tone.BAD)) for row in unreadable)
        blocks.append(Table((Column("unreadable"), Column("why", shrinks=True)), broken))
    blocks += note_problem_blocks(notes.problems)
    damaged = unreadable or any(a.verification.standing == Standing.DAMAGED for a in archives)
    data = BackupList(archives=archives, unreadable=unreadable, note_problems=note_problem_rows(notes.problems))
    return Report(
        kind="BackupList",
        data=data,
        verdict=ExitCode.DAMAGED if damaged else ExitCode.GOOD,
        blocks=tuple(blocks),
    )


def note_problem_rows(problems: Sequence[NoteProblem]) -> tuple[OmissionRow, ...]:
    """Return notes that cannot be used, as rows of a document."""
    return tuple(OmissionRow(what=problem.name, why=problem.what) for problem in problems)


def note_problem_blocks(problems: Sequence[NoteProblem]) -> tuple[Block, ...]:
    """Return the table of notes that cannot be used; nothing where there are none."""
    if not problems:
        return ()
    rows = tuple((problem.name, Toned(problem.what, Tone.WARN)) for problem in problems)
    return (Table((Column("note that cannot be used"), Column("why", shrinks=True)), rows),)


def contents_report(archive: Archive) -> Report:
    """Return what an archive holds, by its manifest and what it says of Helm. Raises Damaged."""
    manifest, revisions = archive.manifest, revisions_of(archive)
    data = BackupContents(
        archive=_facts(Sound(archive.name, archive.size_bytes, archive.footer)),
        server_version=manifest.cluster.server_version,
        tool_version=manifest.tool_version,
        namespaces=manifest.scope.namespaces,
        secrets=manifest.scope.secrets,
        collections=tuple(_row(collection) for collection in manifest.collections),
        helm_releases=release_rows(revisions),
        omissions=tuple(OmissionRow(what=o.what, why=o.why) for o in manifest.omissions),
        self_check=_self_check(manifest),
    )
    facts = data.archive
    blocks: tuple[Block, ...] = (
        Facts(
            (
                ("archive", facts.name),
                ("id", facts.id),
                ("set", facts.set),
                ("cluster", facts.cluster),
                ("cluster id", facts.cluster_id),
                ("created", facts.created_at),
                ("server", data.server_version),
                ("namespaces", ", ".join(data.namespaces) if data.namespaces else "all"),
                ("Secrets", _secrets(manifest)),
                ("objects", facts.objects),
                ("size", ByteCount(facts.size_bytes)),
                ("encrypted", _encrypted(archive.footer)),
                ("complete", _complete(archive.footer)),
            )
        ),
        *_collection_blocks(data.collections),
        *release_blocks(data.helm_releases),
        *_omission_blocks(data.omissions),
        *_self_check_blocks(data.self_check),
        *_notices(archive.footer, manifest),
    )
    return Report(kind="BackupContents", data=data, findings=release_findings(revisions), blocks=blocks)


def object_report(archive: Archive, value: dict[str, Any]) -> Report:
    """Return one object of an archive, as readable JSON."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    data = BackupObject(archive=archive.name, object=value)
    return Report(kind="BackupObject", data=data, blocks=(Text(text),))


def _facts(item: Sound) -> ArchiveFacts:
    footer = item.footer
    return ArchiveFacts(
        name=item.name,
        id=footer.archive_id,
        set=footer.set_name,
        cluster=footer.cluster_name,
        cluster_id=footer.cluster_id,
        created_at=footer.created_at,
        complete=footer.complete,
        every_namespace=footer.whole,
        left_out=footer.left_out,
        encrypted=footer.encrypted,
        objects=footer.objects,
        size_bytes=item.size_bytes,
        plain_bytes=footer.plain_bytes,
        kinds=footer.kinds,
    )


def _listed_facts(item: Sound, notes: Notes) -> ListedFacts:
    note = notes.verification(item.name, item.footer)
    return ListedFacts(
        **msgspec.structs.asdict(_facts(item)),
        pinned=item.name in notes.pins,
        pin=pin_facts(notes.pins[item.name]) if item.name in notes.pins else None,
        verification=verification_facts(note),
    )


def pin_facts(pin: Pin | None) -> PinFacts:
    """Return a pin for a document; None is one whose note cannot be read."""
    return PinFacts(reason=pin.reason if pin else None, pinned_at=pin.pinned_at if pin else None)


def verification_facts(note: VerificationNote | None) -> VerificationFacts:
    """Return a record of verification for a document; None is that there is none."""
    verify, drill = (note.verify, note.drill) if note else (None, None)
    return VerificationFacts(standing=standing_of(note).value, verify=verify, drill=drill)


def _row(collection: Collection) -> CollectionRow:
    resource = collection.resource.resource_type
    return CollectionRow(
        resource=resource.full_name,
        api_version=resource.api_version,
        kind=resource.kind,
        objects=collection.count,
        plain_bytes=sum(member.plain_size for member in collection.members),
        consistency=collection.consistency,
        restarts=collection.restarts,
        resource_versions=collection.resource_versions,
        derived=collection.derived,
    )


def _collection_blocks(rows: Sequence[CollectionRow]) -> tuple[Block, ...]:
    """Tell of each collection that holds something, and name the others: that they are empty is worth a line."""
    columns = (
        Column("collection", shrinks=True),
        Column("objects", right=True),
        Column("uncompressed", right=True),
        Column("consistency"),
    )
    cells = (
        (row.resource, row.objects, ByteCount(row.plain_bytes), "derived" if row.derived else row.consistency)
        for row in rows
        if row.objects
    )
    table = Table(columns, tuple(cells))
    empty = ", ".join(row.resource for row in rows if not row.objects)
    return (table, Text(f"There were none of: {empty}.")) if empty else (table,)


def _self_check(manifest: Manifest) -> SelfCheckFacts | None:
    found = manifest.self_check
    if found is None:
        return None
    return SelfCheckFacts(objects=found.objects, problem_count=found.problem_count, problems=found.problems)


def _self_check_blocks(found: SelfCheckFacts | None) -> tuple[Block, ...]:
    """Say what an encrypted archive's writer found; it is in the archive all the same, as the server holds it."""
    if found is None or not found.problem_count:
        return ()
    words = f"{found.problem_count:,} problems in {found.objects:,} objects that do not fit their own CRD:"
    lines = [words, *(f"  {problem}" for problem in found.problems)]
    if found.problem_count > len(found.problems):
        lines.append(f"  and {found.problem_count - len(found.problems):,} more")
    return (Text("\n".join(lines), Tone.WARN),)


def _encrypted(footer: Footer) -> Cell:
    return "yes, with age" if footer.encrypted else "no"


def _complete(footer: Footer) -> Cell:
    if not footer.complete:
        return Toned("no", Tone.BAD)
    if footer.left_out:
        return Toned(f"yes, but without {in_words(footer.left_out)}", Tone.WARN)
    return Toned("yes", Tone.GOOD)


def state_cell(footer: Footer, *, pinned: bool) -> Cell:
    """Return what an archive is by its footer, and whether it is pinned."""
    lacks = [] if footer.whole else ["some namespaces"]
    lacks += [f"without {in_words(footer.left_out)}"] if footer.left_out else []
    state = "incomplete" if not footer.complete else ", ".join(lacks) or "complete"
    text = state + ", encrypted" * footer.encrypted + ", pinned" * pinned
    return text if state == "complete" else Toned(text, Tone.WARN)


def verified_cell(found: VerificationFacts) -> Cell:
    """Return what is known about the soundness of an archive, in a word or two."""
    if found.standing == Standing.DAMAGED:
        return Toned("damaged", Tone.BAD)
    if found.standing == Standing.DIFFERS:
        return Toned("drill differs", Tone.BAD)
    if found.standing == Standing.UNKNOWN:
        return Toned("no", Tone.MUTED)
    if found.drill is not None and not found.drill.sampled:
        return Toned("drill", Tone.GOOD)
    return Toned(f"level {found.verify.level}" if found.verify else "yes", Tone.GOOD)


def _omission_blocks(omissions: Sequence[OmissionRow]) -> tuple[Block, ...]:
    if not omissions:
        return ()
    rows = tuple((row.what, Toned(row.why, Tone.BAD)) for row in omissions)
    return (Table((Column("left out"), Column("why", shrinks=True)), rows),)


def _secrets(manifest: Manifest) -> str:
    if manifest.scope.secrets:
        return "all but the tokens of accounts"
    return "those of Helm" if any(c.folder == SECRET.kind_and_group for c in manifest.collections) else "none"


def _notices(footer: Footer, manifest: Manifest) -> tuple[Block, ...]:
    """Return what must not be overlooked, as the last words: secrets that are missing, or that lie open."""
    if footer.left_out:
        text = (
            f"This archive is without {in_words(footer.left_out)}, which holds secrets in clear:"
            " encrypt the archive with --encrypt-to to have it, or allow it in clear with --plaintext."
        )
        return (Text(text, Tone.WARN),)
    folders = {SECRET.kind_and_group, HELM_REVISION.kind_and_group}
    if not footer.encrypted and any(c.count for c in manifest.collections if c.folder in folders):
        return (Text("This archive holds secrets in clear: whoever can read the file can read them.", Tone.WARN),)
    return ()

"""Backups as Reports: what was created, what a store holds, what an archive is, what verify found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from zenctl.archive.format import Collection, Footer
from zenctl.archive.reader import Archive, ListedArchive
from zenctl.archive.verify import Verification
from zenctl.backup.catalogue import Sound, newest_first
from zenctl.backup.create import Created
from zenctl.core.durations import took
from zenctl.core.findings import finding
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
from zenctl.errors import ExitCode


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


class OmissionRow(Result, frozen=True):
    """Something that the archive should hold and does not."""

    what: str
    why: str


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
    encrypted: bool
    objects: int
    size_bytes: int
    plain_bytes: int
    kinds: dict[str, int]


class BackupCreated(Result, frozen=True):
    """A backup that was written."""

    archive: ArchiveFacts
    seconds: float
    collections: tuple[CollectionRow, ...]
    omissions: tuple[OmissionRow, ...]


class BackupList(Result, frozen=True):
    """The archives of a store, newest first, and what should be an archive and is none."""

    archives: tuple[ArchiveFacts, ...]
    unreadable: tuple[OmissionRow, ...]


class BackupContents(Result, frozen=True):
    """What an archive holds."""

    archive: ArchiveFacts
    server_version: str
    tool_version: str
    namespaces: tuple[str, ...] | None
    collections: tuple[CollectionRow, ...]
    omissions: tuple[OmissionRow, ...]


class BackupObject(Result, frozen=True):
    """One object out of an archive."""

    archive: str
    object: dict[str, Any]


class BackupVerified(Result, frozen=True):
    """What a verification looked at, and how many problems it found."""

    archive: str
    level: int
    members: int
    objects: int
    bytes_read: int
    problems: int


def created_report(created: Created) -> Report:
    """Return what a backup wrote, and what it could not read."""
    footer, manifest = created.written.footer, created.written.manifest
    data = BackupCreated(
        archive=_facts(Sound(created.name, created.written.size_bytes, footer)),
        seconds=round(created.seconds, 3),
        collections=tuple(_row(collection) for collection in manifest.collections),
        omissions=tuple(OmissionRow(what=o.what, why=o.why) for o in manifest.omissions),
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
                ("complete", _complete(footer)),
            )
        ),
        _collection_table(data.collections),
        *_omission_blocks(data.omissions),
    )
    return Report(
        kind="BackupCreated",
        data=data,
        verdict=ExitCode.DENIED if created.denied else ExitCode.GOOD,
        blocks=blocks,
    )


def list_report(listed: Sequence[ListedArchive]) -> Report:
    """Return the archives of a store. One that is damaged is shown, and makes the verdict."""
    archives = tuple(_facts(item) for item in newest_first(listed))
    unreadable = tuple(
        OmissionRow(what=item.name, why=item.footer.message) for item in listed if not isinstance(item.footer, Footer)
    )
    columns = (
        Column("id"),
        Column("created"),
        Column("cluster", shrinks=True),
        Column("set"),
        Column("objects", right=True),
        Column("size", right=True),
        Column("state"),
    )
    rows: list[tuple[Cell, ...]] = [
        (a.id[:8], a.created_at, a.cluster, a.set, a.objects, ByteCount(a.size_bytes), _state(a)) for a in archives
    ]
    blocks: list[Block] = [Table(columns, tuple(rows))] if rows else [Text("The store holds no archives.")]
    if unreadable:
        broken = tuple((row.what, Toned(row.why, Tone.BAD)) for row in unreadable)
        blocks.append(Table((Column("unreadable"), Column("why", shrinks=True)), broken))
    verdict = ExitCode.DAMAGED if unreadable else ExitCode.GOOD
    return Report(
        kind="BackupList",
        data=BackupList(archives=archives, unreadable=unreadable),
        verdict=verdict,
        blocks=tuple(blocks),
    )


def contents_report(archive: Archive) -> Report:
    """Return what an archive holds, by its manifest."""
    manifest = archive.manifest
    data = BackupContents(
        archive=_facts(Sound(archive.name, archive.size_bytes, archive.footer)),
        server_version=manifest.cluster.server_version,
        tool_version=manifest.tool_version,
        namespaces=manifest.scope.namespaces,
        collections=tuple(_row(collection) for collection in manifest.collections),
        omissions=tuple(OmissionRow(what=o.what, why=o.why) for o in manifest.omissions),
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
                ("objects", facts.objects),
                ("size", ByteCount(facts.size_bytes)),
                ("complete", _complete(archive.footer)),
            )
        ),
        _collection_table(data.collections),
        *_omission_blocks(data.omissions),
    )
    return Report(kind="BackupContents", data=data, blocks=blocks)


def object_report(archive: Archive, value: dict[str, Any]) -> Report:
    """Return one object of an archive, as readable JSON."""
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    data = BackupObject(archive=archive.name, object=value)
    return Report(kind="BackupObject", data=data, blocks=(Text(text),))


def verified_report(result: Verification) -> Report:
    """Return what a verification found; any problem makes the archive damaged."""
    data = BackupVerified(
        archive=result.archive,
        level=int(result.level),
        members=result.members,
        objects=result.objects,
        bytes_read=result.bytes,
        problems=result.problem_count,
    )
    sound: Cell = Toned("sound", Tone.GOOD) if result.sound else Toned(f"{result.problem_count:,} problems", Tone.BAD)
    facts: list[tuple[str, Cell]] = [
        ("archive", result.archive),
        ("level", f"{int(result.level)} ({_LEVELS[int(result.level)]})"),
        ("read", ByteCount(result.bytes)),
        ("members", result.members),
    ]
    if result.level > 1:
        facts.append(("objects", result.objects))
    facts.append(("verdict", sound))
    blocks: list[Block] = [Facts(tuple(facts))]
    if result.problem_count > len(result.problems):
        blocks.append(Text(f"Only the first {len(result.problems):,} problems are named.", Tone.WARN))
    return Report(
        kind="BackupVerified",
        data=data,
        verdict=ExitCode.GOOD if result.sound else ExitCode.DAMAGED,
        findings=tuple(finding(p.code, subject=p.where, detail=p.what) for p in result.problems),
        blocks=tuple(blocks),
    )


_LEVELS = {1: "structure", 2: "every byte", 3: "every object against its schema"}


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
        encrypted=footer.encrypted,
        objects=footer.objects,
        size_bytes=item.size_bytes,
        plain_bytes=footer.plain_bytes,
        kinds=footer.kinds,
    )


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
    )


def _collection_table(rows: Sequence[CollectionRow]) -> Table:
    columns = (
        Column("collection"),
        Column("objects", right=True),
        Column("uncompressed", right=True),
        Column("consistency"),
    )
    return Table(
        columns, tuple((row.resource, row.objects, ByteCount(row.plain_bytes), row.consistency) for row in rows)
    )


def _complete(footer: Footer) -> Cell:
    return Toned("yes", Tone.GOOD) if footer.complete else Toned("no", Tone.BAD)


def _state(archive: ArchiveFacts) -> Cell:
    if not archive.complete:
        return Toned("incomplete", Tone.WARN)
    return "complete" if archive.every_namespace else Toned("some namespaces", Tone.WARN)


def _omission_blocks(omissions: Sequence[OmissionRow]) -> tuple[Block, ...]:
    if not omissions:
        return ()
    rows = tuple((row.what, Toned(row.why, Tone.BAD)) for row in omissions)
    return (Table((Column("left out"), Column("why", shrinks=True)), rows),)

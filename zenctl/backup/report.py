"""Backups as Reports: what was created, what a store holds, what an archive is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from zenctl.archive.format import Collection, Footer, Manifest
from zenctl.archive.reader import Archive, ListedArchive
from zenctl.backup.catalogue import Sound, newest_first
from zenctl.backup.create import Created
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
    self_check: SelfCheckFacts | None


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
    self_check: SelfCheckFacts | None


class BackupObject(Result, frozen=True):
    """One object out of an archive."""

    archive: str
    object: dict[str, Any]


def created_report(created: Created) -> Report:
    """Return what a backup wrote, and what it could not read."""
    footer, manifest = created.written.footer, created.written.manifest
    data = BackupCreated(
        archive=_facts(Sound(created.name, created.written.size_bytes, footer)),
        seconds=round(created.seconds, 3),
        collections=tuple(_row(collection) for collection in manifest.collections),
        omissions=tuple(OmissionRow(what=o.what, why=o.why) for o in manifest.omissions),
        self_check=_self_check(manifest),
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
            )
        ),
        _collection_table(data.collections),
        *_omission_blocks(data.omissions),
        *_self_check_blocks(data.self_check),
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
                ("objects", facts.objects),
                ("size", ByteCount(facts.size_bytes)),
                ("encrypted", _encrypted(archive.footer)),
                ("complete", _complete(archive.footer)),
            )
        ),
        _collection_table(data.collections),
        *_omission_blocks(data.omissions),
        *_self_check_blocks(data.self_check),
    )
    return Report(kind="BackupContents", data=data, blocks=blocks)


def object_report(archive: Archive, value: dict[str, Any]) -> Report:
    """Return one object of an archive, as readable JSON."""
    import msgspec

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
    return Toned("yes", Tone.GOOD) if footer.complete else Toned("no", Tone.BAD)


def _state(archive: ArchiveFacts) -> Cell:
    how = ", encrypted" if archive.encrypted else ""
    if not archive.complete:
        return Toned(f"incomplete{how}", Tone.WARN)
    return f"complete{how}" if archive.every_namespace else Toned(f"some namespaces{how}", Tone.WARN)


def _omission_blocks(omissions: Sequence[OmissionRow]) -> tuple[Block, ...]:
    if not omissions:
        return ()
    rows = tuple((row.what, Toned(row.why, Tone.BAD)) for row in omissions)
    return (Table((Column("left out"), Column("why", shrinks=True)), rows),)

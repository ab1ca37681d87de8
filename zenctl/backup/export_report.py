"""What was exported as a Report: the files, and how to use them. Decides nothing."""

from __future__ import annotations

from zenctl.backup.export import Exported
from zenctl.core.report import Block, ByteCount, Column, Facts, Report, Result, Table, Text, Tone


class ExportedFileRow(Result, frozen=True):
    """A file that was written."""

    name: str
    kind: str
    objects: int
    size_bytes: int


class BackupExported(Result, frozen=True):
    """The files that were written."""

    archive: str
    folder: str
    raw: bool
    files: tuple[ExportedFileRow, ...]
    holds_secrets: bool
    releases_without_deployed_revision: tuple[str, ...]


def exported_report(exported: Exported, folder: str) -> Report:
    """Return what was written where."""
    data = BackupExported(
        archive=exported.archive,
        folder=folder,
        raw=exported.raw,
        files=tuple(
            ExportedFileRow(name=f.name, kind=f.kind, objects=f.objects, size_bytes=f.size_bytes)
            for f in exported.files
        ),
        holds_secrets=exported.holds_secrets,
        releases_without_deployed_revision=exported.undeployed,
    )
    columns = (
        Column("file"),
        Column("holds", shrinks=True),
        Column("objects", right=True),
        Column("size", right=True),
    )
    rows = tuple((f.name, f.kind, f.objects, ByteCount(f.size_bytes)) for f in exported.files)
    blocks: list[Block] = [
        Facts((("archive", exported.archive), ("folder", folder))),
        Table(columns, rows),
        Text(
            "zenctl restore brings the folder back with every status. kubectl apply takes the files too, and drops "
            "the status of Observations: namespaces.yaml and crd.yaml first, then the others."
        ),
    ]
    if exported.undeployed:
        names = ", ".join(exported.undeployed)
        blocks.append(
            Text(f"No revision of {names} is deployed, so there are no values and manifest of it.", Tone.WARN)
        )
    if exported.holds_secrets:
        blocks.append(Text("The folder holds Secrets in clear: keep it where only you can read it.", Tone.WARN))
    return Report(kind="BackupExported", data=data, blocks=tuple(blocks))

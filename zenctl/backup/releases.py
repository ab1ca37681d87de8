"""Helm's releases in an archive, told release by release: the documents are read, the objects are not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from zenctl.archive.reader import Archive
from zenctl.backup.helm import HELM_REVISION, Revision
from zenctl.core.findings import Finding, finding
from zenctl.core.report import Block, Cell, Column, Result, Table, Tone, Toned
from zenctl.errors import Damaged

_UNREADABLE = "ZA105"


class RevisionRow(Result, frozen=True):
    """One revision of a release; ``name`` is that of its document."""

    name: str
    revision: int
    status: str | None
    deployed: bool
    latest: bool
    chart: str
    app_version: str
    problem: str | None


class ReleaseRow(Result, frozen=True):
    """A release and its revisions, oldest first."""

    namespace: str
    release: str
    deployed: int | None
    """The revision that runs; None where there is none, or where one that cannot be read may be it."""
    latest: int
    revisions: tuple[RevisionRow, ...]


def revisions_of(archive: Archive) -> tuple[Revision, ...]:
    """Return the Helm revisions that an archive has documents of. Raises Damaged."""
    collection = archive.collection(HELM_REVISION.kind_and_group)
    if collection is None:
        return ()
    try:
        return tuple(msgspec.json.decode(line, type=Revision) for _, line in archive.objects(collection))
    except (ValueError, RecursionError) as error:
        raise Damaged(f"archive {archive.name}: a document of {collection.folder} is not readable: {error}") from None


def release_rows(revisions: Iterable[Revision]) -> tuple[ReleaseRow, ...]:
    """Return the releases by name."""
    found: dict[tuple[str, str], list[Revision]] = {}
    for revision in revisions:
        found.setdefault((revision.metadata.namespace, revision.release), []).append(revision)
    return tuple(_release(*key, members) for key, members in sorted(found.items()))


def release_blocks(rows: Sequence[ReleaseRow]) -> tuple[Block, ...]:
    """Return the table of releases; nothing where there are none."""
    if not rows:
        return ()
    columns = (
        Column("helm release", shrinks=True),
        Column("revisions", right=True),
        Column("deployed"),
        Column("latest"),
        Column("chart", shrinks=True),
        Column("app version", optional=True),
    )
    return (Table(columns, tuple(map(_cells, rows))),)


def release_findings(revisions: Iterable[Revision]) -> tuple[Finding, ...]:
    """Return a finding for each revision that could not be read, in whole or in part."""
    return tuple(
        finding(_UNREADABLE, subject=f"{r.metadata.namespace}/{r.metadata.name}", detail=r.problem)
        for r in revisions
        if r.problem
    )


def _release(namespace: str, release: str, members: list[Revision]) -> ReleaseRow:
    ordered = sorted(members, key=lambda revision: (revision.revision, revision.metadata.name))
    return ReleaseRow(
        namespace=namespace,
        release=release,
        deployed=next((r.revision for r in ordered if r.deployed), None),
        latest=ordered[-1].revision,
        revisions=tuple(
            RevisionRow(
                name=r.metadata.name,
                revision=r.revision,
                status=r.status,
                deployed=r.deployed,
                latest=r.latest,
                chart="-".join(part for part in (r.chart.name, r.chart.version) if part),
                app_version=r.chart.app_version,
                problem=r.problem,
            )
            for r in ordered
        ),
    )


def _cells(row: ReleaseRow) -> tuple[Cell, ...]:
    shown = next((r for r in row.revisions if r.deployed), row.revisions[-1])
    last = row.revisions[-1]
    latest = f"{row.latest} {last.status or ('unreadable' if last.problem else 'unknown')}"
    return (
        f"{row.namespace}/{row.release}",
        len(row.revisions),
        _deployed(row),
        latest if last.deployed else Toned(latest, Tone.WARN),
        shown.chart or None,
        shown.app_version or None,
    )


def _deployed(row: ReleaseRow) -> Cell:
    if row.deployed is not None:
        return row.deployed
    return None if any(r.status is None for r in row.revisions) else Toned("none", Tone.WARN)

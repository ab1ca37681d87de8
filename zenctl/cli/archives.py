"""The archive that a word or a path on the command line means: finding it, and opening it with its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli import keys

if TYPE_CHECKING:
    from zenctl.archive.reader import Archive
    from zenctl.cli.session import Session
    from zenctl.ports import BlobStore

ArchiveArgument = Annotated[
    str,
    typer.Argument(metavar="ARCHIVE", help="latest, the start of an id, a name in the store, a file, or its URL."),
]
ClusterOption = Annotated[
    str,
    typer.Option(
        "--cluster", metavar="NAME", help="Whose latest backup (default this cluster's).", show_default=False
    ),
]


def locate(session: Session, wanted: str, cluster: str) -> tuple[BlobStore, str]:
    """Return the store and the name of the archive that is meant by a word, a path or a URL."""
    from zenctl.backup.catalogue import LATEST, find

    if wanted != LATEST and (found := session.archive_at(wanted)) is not None:
        return found
    whose = cluster or session.settings.cluster_name or (session.cluster.uid() if wanted == LATEST else "")
    return session.store, find(session.store, wanted, whose)


def open_named(session: Session, wanted: str, cluster: str, identity: list[str] | None) -> Archive:
    """Open the archive that is meant by a word, a path or a URL. Raises Damaged, Refused."""
    from zenctl.archive.reader import open_archive

    store, name = locate(session, wanted, cluster)
    return open_archive(store, name, keys.keys(session.settings.environ, identity))

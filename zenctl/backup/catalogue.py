"""Finding an archive in a store by the words that people use: latest, the start of an id, a file name.

``latest`` is the newest complete archive of set "backup" with every namespace of the cluster in question:
never another cluster's, and never one of some namespaces only. One that knowingly left out what holds secrets
is complete all the same, or backups that are not encrypted would never be found. Only footers are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from zenctl.archive.format import BACKUP, Footer
from zenctl.archive.reader import ArchiveStore, ListedArchive, list_archives
from zenctl.backup.parts import in_words
from zenctl.errors import Refused, UsageError

LATEST = "latest"
_SHORTEST_ID = 4


class Sound(NamedTuple):
    """A listed archive with a readable footer."""

    name: str
    size_bytes: int
    footer: Footer


def newest_first(listed: Iterable[ListedArchive]) -> tuple[Sound, ...]:
    """Return the archives with a readable footer, newest first."""
    sound = [Sound(item.name, item.size_bytes, item.footer) for item in listed if isinstance(item.footer, Footer)]
    return tuple(sorted(sound, key=lambda item: (item.footer.created_at, item.name), reverse=True))


def find(store: ArchiveStore, wanted: str, cluster: str) -> str:
    """Return the name of the archive that is meant; ``cluster`` is an id or a name and matters for latest only.

    Raises Refused where there is none, with what there is, and UsageError where several match.
    """
    listed = list_archives(store)
    if wanted == LATEST:
        return _latest(listed, cluster)
    if any(item.name == wanted for item in listed):
        return wanted
    matching = [item for item in newest_first(listed) if item.footer.archive_id.startswith(wanted)]
    if len(wanted) < _SHORTEST_ID or not matching:
        raise Refused(f"no archive {wanted!r} in the store", hint=_there_is(listed))
    if len(matching) > 1:
        raise UsageError(
            f"{len(matching)} archives have an id that begins with {wanted!r}",
            hint="give more of it: " + ", ".join(item.footer.archive_id for item in matching[:5]),
        )
    return matching[0].name


def _latest(listed: Sequence[ListedArchive], cluster: str) -> str:
    for item in newest_first(listed):
        footer = item.footer
        of_cluster = cluster in (footer.cluster_id, footer.cluster_name)
        if footer.set_name == BACKUP and footer.complete and footer.whole and of_cluster:
            return item.name
    raise Refused(f"no complete backup of cluster {cluster} in the store", hint=_there_is(listed))


def _there_is(listed: Sequence[ListedArchive]) -> str:
    sound = newest_first(listed)
    if not listed:
        return "the store holds no archives; check --store"
    if not sound:
        return f"the store holds {len(listed)} files that should be archives, and none can be read"
    clusters = ", ".join(sorted({item.footer.cluster_name for item in sound}))
    names = ", ".join(item.footer.archive_id[:8] + _mark(item.footer) for item in sound[:5])
    return f"there are {names}{', ...' if len(sound) > 5 else ''} of cluster {clusters}; name one, or give --cluster"


def _mark(footer: Footer) -> str:
    if not footer.complete:
        return " (incomplete)"
    if not footer.whole:
        return " (some namespaces only)"
    return f" (without {in_words(footer.left_out)})" if footer.left_out else ""

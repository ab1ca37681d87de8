"""Reading an archive: the tail, the manifest, then only the members that are asked for. Nothing is believed.

Every size is bounded before it is read, every byte that is used was compared with a checksum, and what does
not fit is Damaged. An archive from a newer format is Refused, and so is an encrypted one without its keys.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from zenctl.archive import members, tar
from zenctl.archive.age import Keys
from zenctl.archive.format import (
    FOOTER_BYTES,
    FOOTER_NAME,
    TAIL_BYTES,
    Collection,
    Footer,
    Manifest,
    Member,
    decode_footer,
    decode_manifest,
    manifest_name,
)
from zenctl.archive.layout import footer_problems, manifest_problems
from zenctl.errors import Damaged, Refused
from zenctl.ports import BlobInfo

_HINT = "use another archive; zenctl backup verify says which ones are sound"


class ArchiveStore(Protocol):
    """The part of a blob store that reading needs."""

    def size(self, name: str) -> int:
        """Return the size of a blob in bytes. Raises Refused where there is none."""

    def get(self, name: str, offset: int, length: int) -> bytes:
        """Return exactly length bytes from offset. Raises Damaged where the blob is shorter."""

    def list(self, prefix: str = "", suffix: str = ".tar") -> Sequence[BlobInfo]:
        """Return the complete blobs with such names, ordered by name."""


class ListedArchive(NamedTuple):
    """A blob that should be an archive: its footer, or why there is none."""

    name: str
    size_bytes: int
    footer: Footer | Damaged | Refused


class Archive:
    """An archive whose footer and manifest were found sound; objects are checked as they are read."""

    def __init__(self, store: ArchiveStore, listed: ListedArchive, manifest: Manifest, keys: Keys | None) -> None:
        assert isinstance(listed.footer, Footer)
        self._store = store
        self.name = listed.name
        self.size_bytes = listed.size_bytes
        self.footer = listed.footer
        self.manifest = manifest
        self.keys = keys
        """None where the archive is in clear."""

    def collection(self, folder: str) -> Collection | None:
        """Return the collection in a folder such as "Observation.zen.kube-zen.io"."""
        return next((found for found in self.manifest.collections if found.folder == folder), None)

    def members(self) -> Iterator[tuple[Collection, Member]]:
        """Yield every object member in the order of the file."""
        return ((collection, member) for collection in self.manifest.collections for member in collection.members)

    def objects(self, collection: Collection, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """Yield key and line of every object, in the order of the file; each member is checked before it is used.

        With a prefix only of keys that begin so, reading only the members that may hold some.
        """
        for member in collection.members:
            if not prefix:
                yield from self.member_objects(collection, member)
            elif not collection.sorted or member.first_key[: len(prefix)] <= prefix <= member.last_key:
                yield from (item for item in self.member_objects(collection, member) if item[0].startswith(prefix))

    def member_objects(self, collection: Collection, member: Member) -> list[tuple[str, bytes]]:
        """Return key and line of every object of one member."""
        whole = self._store.get(self.name, member.offset, tar.occupied(member.stored_size))
        try:
            stored = members.stored_part(member, whole, self.footer.time_seconds)
            lines = members.lines_of(member, members.plain_part(member, stored, self.keys))
            keys = members.keys_of(member, lines, ascending=collection.sorted)
        except Damaged as error:
            raise _named(self.name, error) from None
        return list(zip(keys, lines, strict=True))

    def find(self, collection: Collection, key: str) -> bytes | None:
        """Return the line of one object, reading only the members that may hold it; None where none does."""
        for member in _candidates(collection, key):
            for found, line in self.member_objects(collection, member):
                if found == key:
                    return line
        return None


def _candidates(collection: Collection, key: str) -> Sequence[Member]:
    """Return the members that may hold a key: one of a sorted collection, all of an unsorted one."""
    if not collection.sorted:
        return collection.members
    place = bisect_left(collection.members, key, key=lambda member: member.last_key)
    return [member for member in collection.members[place : place + 1] if member.first_key <= key]


def open_archive(store: ArchiveStore, name: str, keys: Keys | None = None) -> Archive:
    """Read footer and manifest; keys that an archive in clear does not need are not used.

    Raises Damaged; Refused where it is encrypted and the keys are missing or others, too new or not there.
    """
    size_bytes = store.size(name)
    return open_listed(store, ListedArchive(name, size_bytes, read_footer(store, name, size_bytes)), keys)


def open_listed(store: ArchiveStore, listed: ListedArchive, keys: Keys | None = None) -> Archive:
    """Read the manifest of an archive whose footer was read already. Raises as open_archive does."""
    name, footer = listed.name, listed.footer
    if not isinstance(footer, Footer):
        raise footer
    keys = keys if footer.encrypted else None
    if footer.encrypted and keys is None:
        raise Refused(
            f"archive {name} is encrypted", hint="give a key that opens it: --identity FILE, or - for standard input"
        )
    whole = store.get(name, footer.manifest_offset, tar.occupied(footer.manifest_size))
    try:
        data = manifest_data(footer, whole)
        manifest = decode_manifest(data if keys is None else keys.open(data, f"manifest of {name}"))
        _raise_first(manifest_problems(manifest, footer))
    except Damaged as error:
        raise _named(name, error) from None
    return Archive(store, listed, manifest, keys)


def read_footer(store: ArchiveStore, name: str, size_bytes: int) -> Footer:
    """Read the tail of an archive of known size and check all that it says about itself."""
    if size_bytes < TAIL_BYTES or size_bytes % tar.BLOCK_BYTES:
        raise _named(
            name, Damaged(f"{size_bytes} bytes are no whole archive: truncated, appended to, or none at all")
        )
    tail = store.get(name, size_bytes - TAIL_BYTES, TAIL_BYTES)
    try:
        return _footer(tail, size_bytes)
    except Damaged as error:
        raise _named(name, error) from None
    except Refused as error:
        raise Refused(f"archive {name}: {error.message}", hint=error.hint) from None


def _footer(tail: bytes, size_bytes: int) -> Footer:
    footer = decode_footer(tail[tar.BLOCK_BYTES : tar.BLOCK_BYTES + FOOTER_BYTES])
    _raise_first(footer_problems(footer, size_bytes))
    if tail[: tar.BLOCK_BYTES] != tar.header(FOOTER_NAME, FOOTER_BYTES, footer.time_seconds):
        raise Damaged("tar header of the footer is not the one that it gives")
    if any(tail[-tar.END_BYTES :]):
        raise Damaged("end of the file is not zero")
    return footer


def manifest_data(footer: Footer, whole: bytes) -> bytes:
    """Return the manifest as it is stored, out of its whole member. Raises Damaged."""
    end = tar.BLOCK_BYTES + footer.manifest_size
    name = manifest_name(encrypted=footer.encrypted)
    if whole[: tar.BLOCK_BYTES] != tar.header(name, footer.manifest_size, footer.time_seconds):
        raise Damaged("tar header of the manifest is not the one that the footer gives")
    data = whole[tar.BLOCK_BYTES : end]
    if hashlib.sha256(data).hexdigest() != footer.manifest_sha256:
        raise Damaged("manifest does not match its SHA-256")
    if any(whole[end:]):
        raise Damaged("padding of the manifest is not zero")
    return data


def list_archives(store: ArchiveStore, prefix: str = "") -> list[ListedArchive]:
    """Return every blob of a store with its footer, or with the reason why it has none, ordered by name."""
    listed = []
    for info in store.list(prefix):
        footer: Footer | Damaged | Refused
        try:
            footer = read_footer(store, info.name, info.size_bytes)
        except (Damaged, Refused) as error:
            footer = error
        listed.append(ListedArchive(info.name, info.size_bytes, footer))
    return listed


def _raise_first(problems: Iterator[str]) -> None:
    for problem in problems:
        raise Damaged(problem)


def _named(name: str, error: Damaged) -> Damaged:
    return Damaged(f"archive {name}: {error.message}", hint=_HINT)

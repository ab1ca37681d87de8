"""Verifying an encrypted archive without its keys: levels 1 and 2, from the footer alone.

The manifest that says where members lie is encrypted too, so the tar headers are walked. Each is rebuilt from the
name and size that it states and compared, so that nothing unlisted and no link hides between members. Objects are
not looked into: the writer did that.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from zenctl.archive import tar
from zenctl.archive.format import MEMBER_BYTES, Footer, is_folder, manifest_name, member_name
from zenctl.archive.reader import ArchiveStore, manifest_data
from zenctl.errors import Damaged

_PIECE_BYTES = 4 * 2**20
_MEMBER_NAME = re.compile(r"([^/]+)/(\d{6})\.ndjson\.zst\.age", re.ASCII)


class Part(NamedTuple):
    """One member of the file as its header states it."""

    name: str
    offset: int
    size_bytes: int


def parts(store: ArchiveStore, name: str, footer: Footer) -> Iterator[Part]:
    """Yield the object members by their headers, each checked; read nothing else.

    Raises Damaged at the first that is not what it must be, and at the end where they are not those of the footer.
    """
    offset, folder, number = 0, "", 0
    folders: Counter[str] = Counter()
    header = store.get(name, 0, tar.BLOCK_BYTES)
    while offset < footer.manifest_offset:
        found, size_bytes = tar.stated(header)
        parsed = _MEMBER_NAME.fullmatch(found)
        if parsed is None or not is_folder(parsed[1]):
            raise Damaged(f"member {found!r} at {offset} is not allowed")
        if parsed[1] != folder:
            if parsed[1] in folders:
                raise Damaged(f"folder {parsed[1]!r} appears twice")
            folder, number = parsed[1], 0
        number += 1
        if found != member_name(folder, number, encrypted=True):
            raise Damaged(f"member {found!r} at {offset} is not number {number} of its folder")
        if not 0 < size_bytes <= MEMBER_BYTES or header != tar.header(found, size_bytes, footer.time_seconds):
            raise Damaged(f"tar header of {found} is not one that a writer makes")
        # One read takes the padding and the header behind it, the manifest's behind the last member.
        gap = store.get(name, offset + tar.BLOCK_BYTES + size_bytes, tar.padding(size_bytes) + tar.BLOCK_BYTES)
        padding, header = gap[: -tar.BLOCK_BYTES], gap[-tar.BLOCK_BYTES :]
        if any(padding):
            raise Damaged(f"padding of {found} is not zero")
        folders[folder] += 1
        yield Part(found, offset, size_bytes)
        offset += tar.occupied(size_bytes)
    _end(store, name, footer, offset, folders)


def _end(store: ArchiveStore, name: str, footer: Footer, offset: int, folders: Counter[str]) -> None:
    if offset != footer.manifest_offset:
        raise Damaged(f"members end at {offset} but the manifest begins at {footer.manifest_offset}")
    if folders.total() != footer.members:
        raise Damaged(f"there are {folders.total()} members, not the {footer.members} of the footer")
    counted = {folder for folder, count in footer.kinds.items() if count}
    if not counted <= folders.keys() or (not footer.kinds_omitted and counted != folders.keys()):
        raise Damaged("the folders are not those of the footer")
    manifest_data(footer, store.get(name, footer.manifest_offset, tar.occupied(footer.manifest_size)))


def whole_digest(store: ArchiveStore, name: str, footer: Footer) -> Iterator[int]:
    """Read every byte before the tail in order, yielding how many at a time. Raises Damaged where they differ."""
    digest = hashlib.sha256()
    end = footer.manifest_offset + tar.occupied(footer.manifest_size)
    for start in range(0, end, _PIECE_BYTES):
        piece = store.get(name, start, min(_PIECE_BYTES, end - start))
        digest.update(piece)
        yield len(piece)
    if digest.hexdigest() != footer.content_sha256:
        raise Damaged(f"the bytes before {manifest_name(encrypted=True)} and in it do not match their SHA-256")

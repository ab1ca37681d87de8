"""Forging archives: every checksum is right, and exactly one thing is a lie. No test belongs in here.

Headers are made by the standard library's tarfile, not by the code under test.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import dataclass, field
from typing import Any

import zstandard

Json = dict[str, Any]
TIME = 1_795_399_200


@dataclass
class Forgery:
    """The parts of an archive, to be bent before they are put together."""

    members: list[bytes]
    """Each whole: header, data, padding."""
    manifest: Json
    footer: Json
    tail: bytes = bytes(1024)
    raw_manifest: bytes | None = None
    keep: set[str] = field(default_factory=set)
    """Footer fields that putting together must not make right again."""

    def bytes(self) -> bytes:
        """Return the file, its offsets, sizes and digests made right unless they are kept."""
        content = b"".join(self.members)
        data = self.raw_manifest if self.raw_manifest is not None else _compact(self.manifest) + b"\n"
        self._set("manifestOffset", len(content))
        self._set("manifestSize", len(data))
        self._set("manifestSha256", _digest(data))
        content += tar_member("manifest.json", data)
        self._set("contentSha256", _digest(content))
        return content + tar_member("footer.json", footer_bytes(self.footer)) + self.tail

    def _set(self, name: str, value: object) -> None:
        if name not in self.keep:
            self.footer[name] = value

    def recount(self) -> None:
        """Make the counts of the footer those of the manifest."""
        collections = self.manifest["collections"]
        every = [member for collection in collections for member in collection["members"]]
        self.footer["objects"] = sum(collection["count"] for collection in collections)
        self.footer["members"] = len(every)
        self.footer["plainBytes"] = sum(member["plainSize"] for member in every)
        self.footer["kinds"] = {folder(collection): collection["count"] for collection in collections}


def folder(collection: Json) -> str:
    """Return the folder of a collection."""
    return f"{collection['resource']['kind']}.{collection['resource']['group'] or 'core'}"


def take_apart(data: bytes) -> Forgery:
    """Return the parts of a sound archive."""
    footer = json.loads(data[-3072:-1024])
    start, size = footer["manifestOffset"], footer["manifestSize"]
    manifest = json.loads(data[start + 512 : start + 512 + size])
    members = []
    for collection in manifest["collections"]:
        for member in collection["members"]:
            end = member["offset"] + 512 + member["storedSize"] + -member["storedSize"] % 512
            members.append(data[member["offset"] : end])
    return Forgery(members, manifest, footer)


def tar_member(name: str, data: bytes, *, kind: bytes = tarfile.REGTYPE, link: str = "", time: int = TIME) -> bytes:
    """Return header, data and padding of a tar member."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime, info.type, info.linkname = len(data), 0o600, time, kind, link
    header = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    header[329:345] = b"0000000\0" * 2  # tarfile leaves the device numbers of files empty, GNU tar does not
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data + bytes(-len(data) % 512)


def footer_bytes(footer: Json) -> bytes:
    """Return a footer with its own digest made right."""
    blank = _compact({**{k: v for k, v in footer.items() if k != "sha256"}, "sha256": ""})
    filled = blank[:-2] + _digest(blank).encode() + blank[-2:]
    return filled.ljust(2047) + b"\n"


def put_member(forgery: Forgery, place: int, plain: bytes, *, stored: bytes | None = None, **lies: Any) -> None:
    """Replace the nth member, counted over all, and make manifest and offsets fit, but for the lies."""
    stored = zstandard.ZstdCompressor().compress(plain) if stored is None else stored
    every = [member for collection in forgery.manifest["collections"] for member in collection["members"]]
    told = every[place]
    told.update(
        storedSize=len(stored), storedSha256=_digest(stored), plainSize=len(plain), plainSha256=_digest(plain)
    )
    forgery.members[place] = tar_member(told["name"], stored)
    told.update(lies)
    realign(forgery)
    forgery.recount()


def realign(forgery: Forgery) -> None:
    """Make the offsets in the manifest those of the members."""
    every = [member for collection in forgery.manifest["collections"] for member in collection["members"]]
    offset = 0
    for told, whole in zip(every, forgery.members, strict=False):
        told["offset"] = offset
        offset += len(whole)


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

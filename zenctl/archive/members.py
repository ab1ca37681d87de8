"""One object member, both ways: lines into a zstd frame, and stored bytes back into lines, nothing believed.

Unpacking goes in steps (stored, plain, lines, keys), so that verification can say at which of them a member
fails. A step raises Damaged with the cause alone; who calls it knows the archive's name.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Sequence
from itertools import islice

import msgspec
import zstandard

from zenctl.archive import tar
from zenctl.archive.age import Keys, Seal
from zenctl.archive.format import Member
from zenctl.core.objects import KeyFields
from zenctl.errors import Damaged

ZSTD_LEVEL = 3
_DOTS = (".", "..")
_KEYS = msgspec.json.Decoder(KeyFields)


class Packed(msgspec.Struct, frozen=True):
    """A chunk that is ready to be stored."""

    stored: bytes
    stored_sha256: str
    plain_size: int
    plain_sha256: str


class Packer:
    """Compresses chunks; belongs to one thread."""

    def __init__(self, seal: Seal | None = None) -> None:
        self._seal = seal
        # The frame's own checksum is for people who open members with the zstd program.
        self._zstd = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_content_size=True, write_checksum=True)

    def pack(self, bodies: Sequence[bytes | memoryview], first_key: str, last_key: str) -> Packed:
        """Return the bodies, one line each, as one zstd frame, encrypted where there is a seal, with both digests.

        Raises ValueError where the caller's keys are not those of the bodies: a reader would refuse it.
        """
        _check_keys(bodies, first_key, last_key)
        plain = b"\n".join((*bodies, b""))
        if plain.count(b"\n") != len(bodies):
            plain = b"\n".join((*map(_one_line, bodies), b""))
        frame = self._zstd.compress(plain)
        stored = frame if self._seal is None else self._seal.close(frame)
        return Packed(
            stored=stored,
            stored_sha256=hashlib.sha256(stored).hexdigest(),
            plain_size=len(plain),
            plain_sha256=hashlib.sha256(plain).hexdigest(),
        )


def _check_keys(bodies: Sequence[bytes | memoryview], first_key: str, last_key: str) -> None:
    try:
        found = key_of(bodies[0]), key_of(bodies[-1])
    except Damaged as error:
        raise ValueError(f"objects {first_key!r} to {last_key!r} cannot be archived: {error}") from None
    if found != (first_key, last_key):
        raise ValueError(f"objects said to be {first_key!r} to {last_key!r} are {found[0]!r} to {found[1]!r}")


def _one_line(body: bytes | memoryview) -> bytes:
    """Return a body without line breaks; JSON has them only between tokens."""
    return msgspec.json.format(bytes(body), indent=-1)


def stored_part(member: Member, whole: bytes, time_seconds: int) -> memoryview:
    """Return the data of a member that was read whole; header and padding must be what they must be."""
    expected = tar.header(member.name, member.stored_size, time_seconds)
    if len(whole) != tar.occupied(member.stored_size) or not whole.startswith(expected):
        raise Damaged(f"tar header of {member.name} is not the one that the manifest gives")
    if whole.count(0, tar.BLOCK_BYTES + member.stored_size) != tar.padding(member.stored_size):
        raise Damaged(f"padding of {member.name} is not zero")
    return memoryview(whole)[tar.BLOCK_BYTES : tar.BLOCK_BYTES + member.stored_size]


def plain_part(member: Member, stored: memoryview, keys: Keys | None = None) -> bytes:
    """Return what a member holds, both digests checked, allocating no more than the manifest allows.

    With keys it is decrypted on the way. Raises Damaged; Refused where no key fits.
    """
    if hashlib.sha256(stored).hexdigest() != member.stored_sha256:
        raise Damaged(f"stored bytes of {member.name} do not match their SHA-256")
    frame = stored if keys is None else keys.open(stored, member.name)
    try:
        claimed = zstandard.get_frame_parameters(frame)
        # The library allocates what the frame claims, so the claim is checked before it is asked.
        if claimed.content_size != member.plain_size or claimed.dict_id:
            raise Damaged(f"{member.name} claims {claimed.content_size} plain bytes, not {member.plain_size}")
        plain = zstandard.ZstdDecompressor().decompress(frame, max_output_size=member.plain_size,
                                                        allow_extra_data=False)  # fmt: skip
    except zstandard.ZstdError as error:
        raise Damaged(f"{member.name} cannot be decompressed: {error}") from None
    if len(plain) != member.plain_size or hashlib.sha256(plain).hexdigest() != member.plain_sha256:
        raise Damaged(f"plain bytes of {member.name} do not match their SHA-256")
    return plain


def lines_of(member: Member, plain: bytes) -> list[bytes]:
    """Return the lines of a member, counted."""
    lines = plain.split(b"\n")
    if lines.pop() or len(lines) != member.count:
        raise Damaged(f"{member.name} does not hold {member.count} whole lines")
    return lines


def keys_of(member: Member, lines: Sequence[bytes], *, ascending: bool) -> list[str]:
    """Return the key of each line, checked against what the manifest says of them."""
    keys = [key_of(line) for line in lines]
    if keys[0] != member.first_key or keys[-1] != member.last_key:
        raise Damaged(f"{member.name} does not begin and end with the keys in the manifest")
    if ascending and not ascends(keys):
        raise Damaged(f"keys of {member.name} do not ascend, as the manifest says")
    return keys


def ascends(keys: Sequence[str]) -> bool:
    """Say whether keys ascend strictly; the order of code points is the byte order of UTF-8."""
    return all(map(operator.lt, keys, islice(keys, 1, None)))


def key_of(line: bytes | memoryview) -> str:
    """Return the key of an object: "namespace/name", or "name" where it has no namespace."""
    try:
        metadata = _KEYS.decode(line).metadata
    except (ValueError, RecursionError) as error:
        raise Damaged(f"an object is not readable: {error}") from None
    name, namespace = metadata.name, metadata.namespace
    if not name:
        raise Damaged("an object has no name")
    # No server allows these; here they would make keys ambiguous, and leave the path of the resource elsewhere.
    if "/" in name or "/" in namespace or "%" in name or name in _DOTS or namespace in _DOTS:
        raise Damaged(f"an object has the impossible name {namespace!r}, {name!r}")
    return f"{namespace}/{name}" if namespace else name

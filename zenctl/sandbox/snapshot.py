"""A sandbox in a file: every object at its revision, and the logs, as JSON lines under zstd.

It is for carrying on where one left off. It is no backup: it has no checksums but zstd's own, and holds Secrets.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator

import msgspec
import zstandard

from zenctl.errors import Damaged

FORMAT = "zenctl-sandbox-1"


class Head(msgspec.Struct, frozen=True):
    """The first line."""

    format: str
    revision: int


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """Any other line: an object of a collection, or a log."""

    collection: str = ""
    key: str = ""
    revision: int = 0
    body: msgspec.Raw = msgspec.Raw(b"null")
    log: tuple[str, str, str, bool] | None = None
    text: str = ""


def packed(head: Head, lines: Iterable[Line]) -> bytes:
    """Return the content of the file."""
    encode = msgspec.json.Encoder().encode
    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True).compressobj()
    parts = [compressor.compress(encode(head) + b"\n")]
    parts += [compressor.compress(encode(line) + b"\n") for line in lines]
    return b"".join([*parts, compressor.flush()])


def unpacked(data: bytes) -> tuple[Head, Iterator[Line]]:
    """Return what a file holds. Raises Damaged."""
    try:
        text = zstandard.ZstdDecompressor().decompressobj().decompress(data)
        first, *rest = text.splitlines()
        head = msgspec.json.decode(first, type=Head)
    except (zstandard.ZstdError, ValueError, msgspec.MsgspecError) as error:
        raise Damaged(f"the snapshot cannot be read: {error}", hint="begin without it") from None
    if head.format != FORMAT:
        raise Damaged(f"the snapshot is of the format {head.format!r}, not {FORMAT!r}")
    return head, _lines(rest)


def _lines(rest: Iterable[bytes]) -> Iterator[Line]:
    decode = msgspec.json.Decoder(Line).decode
    for line in rest:
        try:
            yield decode(line)
        except msgspec.MsgspecError as error:
            raise Damaged(f"the snapshot cannot be read: {error}", hint="begin without it") from None


def text_of(line: Line) -> bytes:
    """Return the log of a line."""
    return base64.b64decode(line.text)


def log_line(key: tuple[str, str, str, bool], text: bytes) -> Line:
    """Return the line of a log."""
    return Line(log=key, text=base64.b64encode(text).decode())

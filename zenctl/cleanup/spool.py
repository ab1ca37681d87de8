"""The candidates of a cleanup between judging and deleting: the server's bytes, compressed, in a scratch file.

What an object is judged by is in its bytes, so the same judgement is made again whenever they are read back; nothing
else has to be kept. Memory stays flat whatever the count.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import msgspec
import zstandard

from zenctl.core.listing import Consistency, consistency
from zenctl.core.objects import ObjectKey, RawObject, ResourceType
from zenctl.core.observation import ObservationFields

CHUNK_BYTES = 2**20
_FIELDS = msgspec.json.Decoder(ObservationFields)
_ZSTD_LEVEL = 1


class Scratch(Protocol):
    """A file of nobody else's that is gone when the run ends."""

    def append(self, data: bytes) -> int:
        """Write at the end; return where that was."""

    def read(self, offset: int, length: int) -> bytes:
        """Return a part."""

    def truncate(self, size: int) -> None:
        """Forget what lies behind."""


class _Chunk(NamedTuple):
    offset: int
    length: int


class Spooled:
    """The candidates of one resource, in the order of its listing, and what that listing was worth."""

    def __init__(self, resource: ResourceType, begin: int) -> None:
        self.resource = resource
        self.begin = begin
        self.chunks: list[_Chunk] = []
        self.versions: list[str] = []
        self.restarts = 0
        self.mixed = False
        self.count = 0

    @property
    def consistency(self) -> Consistency:
        """What the listing was worth."""
        return consistency(restarts=self.restarts, mixed=self.mixed)


class Spool:
    """Takes candidates resource by resource, and gives them back as often as is asked."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL)
        self._lines: list[bytes | memoryview] = []
        self._size = 0
        self._end = 0
        self.resources: list[Spooled] = []

    def begin(self, resource: ResourceType) -> None:
        """Take what comes as candidates of this resource."""
        self._flush()
        self.resources.append(Spooled(resource, self._end))

    def restart(self) -> None:
        """Forget the candidates of the present resource: its listing begins again."""
        current = self.resources[-1]
        self._lines, self._size, self._end = [], 0, current.begin
        self._scratch.truncate(current.begin)
        again = Spooled(current.resource, current.begin)
        again.restarts = current.restarts + 1
        self.resources[-1] = again

    def note_page(self, resource_version: str, *, mixed: bool) -> None:
        """Note what a page of the present listing was worth."""
        current = self.resources[-1]
        current.mixed = current.mixed or mixed
        if resource_version not in ("", *current.versions):
            current.versions.append(resource_version)

    def add(self, body: bytes | memoryview) -> None:
        """Take a candidate of the present resource."""
        # A page's bytes would all stay in memory for one object of it.
        self._lines.append(bytes(body))
        self._size += len(body)
        self.resources[-1].count += 1
        if self._size >= CHUNK_BYTES:
            self._flush()

    def end(self) -> None:
        """Take no more."""
        self._flush()

    def chunks(self, spooled: Spooled) -> Iterator[list[RawObject[ObservationFields]]]:
        """Yield the candidates of a resource in bounded lots."""
        decompressor = zstandard.ZstdDecompressor()
        for chunk in spooled.chunks:
            lines = msgspec.msgpack.decode(
                decompressor.decompress(self._scratch.read(chunk.offset, chunk.length)), type=list[bytes]
            )
            yield [_object(line) for line in lines]

    def _flush(self) -> None:
        if not self._lines:
            return
        data = self._compressor.compress(msgspec.msgpack.encode(self._lines))
        self.resources[-1].chunks.append(_Chunk(self._scratch.append(data), len(data)))
        self._end += len(data)
        self._lines, self._size = [], 0


def _object(line: bytes) -> RawObject[ObservationFields]:
    fields = _FIELDS.decode(line)
    return RawObject(ObjectKey(fields.metadata.namespace, fields.metadata.name), fields, line)

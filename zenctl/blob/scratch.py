"""A file for one run that nobody else can open: in memory while it is small, else without a name on disk."""

from __future__ import annotations

import os
import tempfile
from types import TracebackType

from zenctl.blob.folder import translated

_IN_MEMORY_BYTES = 32 * 2**20


class ScratchFile:
    """Appends and reads back; a context manager that leaves nothing behind. Raises Denied or Unreachable."""

    def __init__(self, *, in_memory_bytes: int = _IN_MEMORY_BYTES) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=in_memory_bytes)  # noqa: SIM115 - closed by __exit__
        self._size = 0

    def __enter__(self) -> ScratchFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, data: bytes) -> int:
        """Write at the end; return where that was."""
        offset = self._size
        with translated("cannot write", "a temporary file"):
            self._file.seek(offset)
            self._file.write(data)
        self._size += len(data)
        return offset

    def read(self, offset: int, length: int) -> bytes:
        """Return a part."""
        with translated("cannot read", "a temporary file"):
            self._file.seek(offset)
            return self._file.read(length)

    def truncate(self, size: int) -> None:
        """Forget what lies behind."""
        with translated("cannot write", "a temporary file"):
            self._file.seek(size, os.SEEK_SET)
            self._file.truncate()
        self._size = size

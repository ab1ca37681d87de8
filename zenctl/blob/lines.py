"""Lines that are appended: to a file that exists only once there is something to say, or to a blob of a store."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from zenctl.blob.folder import translated
from zenctl.ports import BlobSink, BlobStore

_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EROFS)
"""What a pipe or a terminal says."""


class LineFile:
    """Appends lines to a file that only its owner may read. Raises Denied or Unreachable like every store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._fd: int | None = None

    def open(self) -> None:
        """Make the file now, for whoever must know that it can be written before there is a line."""
        if self._fd is None:
            with translated("cannot write", str(self.path)):
                self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, line: bytes) -> None:
        """Append a line, making the file with the first one."""
        self.open()
        assert self._fd is not None
        with translated("cannot write", str(self.path)):
            rest = memoryview(bytes(line).rstrip(b"\n") + b"\n")
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        self.count += 1

    def close(self) -> None:
        """Flush the file to disk and close it; harmless where there is none."""
        if self._fd is None:
            return
        fd, self._fd = self._fd, None
        with translated("cannot write", str(self.path)):
            try:
                os.fsync(fd)
            except OSError as error:
                if error.errno not in _NO_SYNC:
                    raise
            finally:
                os.close(fd)


class BlobLines:
    """Collects lines in one blob, which is there when it is closed: a store of objects cannot append."""

    def __init__(self, store: BlobStore, name: str) -> None:
        self.name = name
        self._store = store
        self._sink: BlobSink | None = None

    def open(self) -> None:
        """Begin the blob now, for whoever must know that the store takes it before there is a line."""
        if self._sink is None:
            self._sink = self._store.put(self.name)

    def write(self, line: bytes) -> None:
        """Append a line, beginning the blob with the first one."""
        self.open()
        assert self._sink is not None
        self._sink.write(bytes(line).rstrip(b"\n") + b"\n")

    def close(self) -> None:
        """Make the blob visible; harmless where there is none."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.commit()

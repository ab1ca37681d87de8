"""A file of lines that exists only once there is something to say; readable by its owner alone."""

from __future__ import annotations

import os
from pathlib import Path

from zenctl.blob.folder import translated


class LineFile:
    """Appends lines to a file of its own. Raises Denied or Unreachable like every store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._fd: int | None = None

    def write(self, line: bytes) -> None:
        """Append a line, making the file with the first one."""
        with translated("cannot write", str(self.path)):
            if self._fd is None:
                self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            rest = memoryview(bytes(line).rstrip(b"\n") + b"\n")
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        self.count += 1

    def close(self) -> None:
        """Close the file; harmless where there is none."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

"""The file system calls that FolderStore makes, one method each, so that a test can fail or count any of them.

A seam and nothing more: no retries, no translation of errors, no policy.
"""

from __future__ import annotations

import os


class Files:
    """The real calls. ``path`` arguments are absolute or relative as the store's folder is."""

    def open_new(self, path: str) -> int:
        """Create a file that did not exist, readable by its owner only, and return its descriptor."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, fd: int, data: memoryview) -> int:
        """Write a part of data and return how much."""
        return os.write(fd, data)

    def truncate(self, fd: int, size_bytes: int) -> None:
        """Cut a file and go on writing at its new end."""
        os.ftruncate(fd, size_bytes)
        os.lseek(fd, size_bytes, os.SEEK_SET)

    def fsync(self, fd: int) -> None:
        """Wait until a file or folder is on disk."""
        os.fsync(fd)

    def link(self, source: str, target: str) -> None:
        """Give a file a second name; fails where the name is taken."""
        os.link(source, target)

    def rename(self, source: str, target: str) -> None:
        """Move a file to a name, replacing what has it."""
        os.rename(source, target)

    def unlink(self, path: str) -> None:
        """Remove a name."""
        os.unlink(path)

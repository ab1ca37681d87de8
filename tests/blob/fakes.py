"""File systems that fail on purpose. No test belongs in here."""

from __future__ import annotations

import errno
import os

from zenctl.blob.files import Files


class NoLinks(Files):
    """A file system without hard links."""

    def link(self, source: str, target: str) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


class Faulty(Files):
    """Fails at the nth call of all, or counts them."""

    def __init__(self, at: int | None = None, code: int = errno.ENOSPC, *, short: bool = False) -> None:
        self.calls: list[str] = []
        self._at, self._code, self._short = at, code, short

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self._at is not None and len(self.calls) - 1 == self._at:
            raise OSError(self._code, os.strerror(self._code))

    def open_new(self, path: str) -> int:
        self._call("open")
        return super().open_new(path)

    def write(self, fd: int, data: memoryview) -> int:
        self._call("write")
        return super().write(fd, data[: 1 if self._short else None])

    def truncate(self, fd: int, size_bytes: int) -> None:
        self._call("truncate")
        super().truncate(fd, size_bytes)

    def fsync(self, fd: int) -> None:
        self._call("fsync")
        super().fsync(fd)

    def link(self, source: str, target: str) -> None:
        self._call("link")
        super().link(source, target)

    def unlink(self, path: str) -> None:
        self._call("unlink")
        super().unlink(path)

    def rename(self, source: str, target: str) -> None:
        self._call("rename")
        super().rename(source, target)

"""A folder as a store of blobs: temp file, fsync, publish without overwriting, fsync of the folder.

A name appears only when its content is whole and on disk. What is being written has a hidden name that no
listing shows. This module knows nothing about what a blob holds.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from zenctl.blob.files import Files
from zenctl.blob.names import absent, require_usable, short, taken, usable
from zenctl.errors import Denied, Refused, Unreachable, ZenctlError
from zenctl.ports import BlobInfo

PARTIAL_SECONDS = 24 * 3600
"""After this time without a write a partial blob belongs to nobody."""

_PARTIAL = re.compile(r"\..+\.[0-9a-f]{8}\.partial", re.DOTALL)
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.EXDEV}
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF}
_CAUSES = {
    errno.EACCES: ("permission denied", "check who owns it and who this program runs as"),
    errno.EPERM: ("operation not permitted", "check who owns it and who this program runs as"),
    errno.ENOSPC: ("no space left on the device", "free space, or choose another --store"),
    errno.EDQUOT: ("disk quota exceeded", "free space, or choose another --store"),
    errno.EFBIG: ("file is larger than the file system or a limit allows", "check ulimit -f, or use another --store"),
    errno.EROFS: ("file system is read-only", "choose another --store, or mount it writable"),
    errno.EIO: ("input/output error", "the disk or the network volume may be failing; see the system log"),
    errno.ENOENT: ("no such file or folder", "check --store"),
    errno.ENOTDIR: ("a part of the path is not a folder", "check --store"),
    errno.ENAMETOOLONG: ("name is too long", "check --store"),
    errno.ESTALE: ("the network volume no longer knows the file", "try again"),
}


class FolderStore:
    """Blobs are the files of one folder."""

    def __init__(self, path: Path, files: Files | None = None) -> None:
        self.path = path
        self._files = files or Files()

    def put(self, name: str) -> FolderSink:
        """Begin a blob; make the folder where there is none, and sweep it of what was abandoned."""
        target = self._place(name)
        with translated("cannot create", target):
            self._make_folder()
        if os.path.lexists(target):
            raise taken(target)
        sink, fd = self._begin(name, target)
        self.sweep(older_than_seconds=PARTIAL_SECONDS, now=os.fstat(fd).st_mtime)
        return sink

    def _begin(self, name: str, target: str) -> tuple[FolderSink, int]:
        temp = str(self.path / f".{name}.{secrets.token_hex(4)}.partial")
        with translated("cannot create", target):
            fd = self._files.open_new(temp)
        return FolderSink(self._files, fd, temp, target), fd

    def replace(self, name: str, data: bytes) -> None:
        """Write a small blob whole, in place of what has the name."""
        target = self._place(name)
        with translated("cannot create", target):
            self._make_folder()
        sink, _ = self._begin(name, target)
        sink.write(data)
        sink.commit(overwrite=True)

    def size(self, name: str) -> int:
        """Return the size of a blob, whatever its name ends in. Raises Refused where there is none."""
        with self._opened(name) as (fd, _):
            return os.fstat(fd).st_size

    def get(self, name: str, offset: int, length: int) -> bytes:
        """Return exactly length bytes from offset. Raises Damaged where the blob is shorter."""
        with self._opened(name) as (fd, target), translated("cannot read", target):
            size_bytes = os.fstat(fd).st_size
            if offset < 0 or length < 0 or offset + length > size_bytes:
                raise short(target, size_bytes, offset + length)
            parts: list[bytes] = []
            while length:
                part = os.pread(fd, length, offset)
                if not part:
                    raise short(target, offset, offset + length)
                parts.append(part)
                offset, length = offset + len(part), length - len(part)
            return parts[0] if len(parts) == 1 else b"".join(parts)

    def list(self, prefix: str = "", suffix: str = ".tar") -> Sequence[BlobInfo]:
        """Return the complete blobs with such names, ordered by name; no links, folders or partial blobs."""
        with translated("cannot list", str(self.path)):
            try:
                entries = list(os.scandir(self.path))
            except FileNotFoundError:
                return ()
        found = []
        for entry in entries:
            if entry.name.startswith(prefix) and entry.name.endswith(suffix) and usable(entry.name):
                with suppress(FileNotFoundError), translated("cannot list", entry.path, FileNotFoundError):
                    facts = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(facts.st_mode):
                        found.append(BlobInfo(entry.name, facts.st_size))
        return tuple(sorted(found))

    def delete(self, name: str) -> None:
        """Remove a blob; harmless where it is gone."""
        target = self._place(name)
        with translated("cannot delete", target):
            try:
                self._files.unlink(target)
            except FileNotFoundError:
                return
            sync_folder(self._files, str(self.path))

    def sweep(self, *, older_than_seconds: float, now: float) -> int:
        """Remove partial blobs that nobody wrote to for so long, and return how many.

        ``now`` is the time as this file system counts it. What cannot be removed is left for another time.
        """
        swept = 0
        with suppress(OSError):
            for entry in os.scandir(self.path):
                if _PARTIAL.fullmatch(entry.name) is None:
                    continue
                with suppress(OSError):
                    facts = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(facts.st_mode) and now - facts.st_mtime > older_than_seconds:
                        self._files.unlink(entry.path)
                        swept += 1
        return swept

    def _place(self, name: str) -> str:
        require_usable(name)
        return str(self.path / name)

    def _make_folder(self) -> None:
        if not self.path.is_dir():
            try:
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            except FileExistsError:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
            sync_folder(self._files, str(self.path.parent))

    @contextmanager
    def _opened(self, name: str) -> Iterator[tuple[int, str]]:
        target = self._place(name)
        with translated("cannot read", target):
            try:
                # A pipe without a writer would block the program for ever, were it not for O_NONBLOCK.
                fd = os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except FileNotFoundError:
                raise absent(target) from None
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise Refused(f"{target} is not a regular file")
            yield fd, target
        finally:
            os.close(fd)


class FolderSink:
    """A blob being written under a hidden name beside its own."""

    def __init__(self, files: Files, fd: int, temp: str, target: str) -> None:
        self._files = files
        self._fd: int | None = fd
        self._temp = temp
        self._target = target

    def write(self, data: bytes) -> None:
        """Append."""
        rest = memoryview(data)
        with self._guarded() as fd:
            while rest:
                rest = rest[self._files.write(fd, rest) :]

    def rewind(self, offset: int) -> bool:
        """Forget everything from offset on."""
        with self._guarded() as fd:
            self._files.truncate(fd, offset)
        return True

    def commit(self, *, overwrite: bool = False) -> None:
        """Put the content on disk, then the name; where any of it fails there is no new blob.

        Without ``overwrite`` a name that is taken is Refused.
        """
        with self._guarded() as fd:
            self._files.fsync(fd)
            self._fd = None
            os.close(fd)
            if overwrite:
                self._files.rename(self._temp, self._target)
                sync_folder(self._files, os.path.dirname(self._target))
                return
            self._publish()
            try:
                sync_folder(self._files, os.path.dirname(self._target))
            except OSError:
                self._files.unlink(self._target)
                raise

    def _publish(self) -> None:
        try:
            self._files.link(self._temp, self._target)
        except FileExistsError:
            raise taken(self._target) from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if os.path.lexists(self._target):
                raise taken(self._target) from None
            self._files.rename(self._temp, self._target)
            return
        with suppress(OSError):  # the blob is there; the next sweep takes its second name away
            self._files.unlink(self._temp)

    def abort(self) -> None:
        """Leave nothing behind. Harmless after commit or abort."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            with suppress(OSError):
                os.close(fd)
        with suppress(OSError):
            self._files.unlink(self._temp)

    @contextmanager
    def _guarded(self) -> Iterator[int]:
        if self._fd is None:
            raise ValueError(f"{self._target} was committed or aborted already")
        try:
            with translated("cannot write", self._target):
                yield self._fd
        except ZenctlError:
            self.abort()
            raise


def sync_folder(files: Files, path: str) -> None:
    """Wait until the names in a folder are on disk, where its file system can say so."""
    fd = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:  # some network file systems cannot, and need not
            raise
    finally:
        os.close(fd)


@contextmanager
def translated(action: str, path: str, *passed: type[OSError]) -> Iterator[None]:
    """Turn errors of the operating system into ours; a class in ``passed`` stays as it is."""
    try:
        yield
    except passed:
        raise
    except OSError as error:
        cause, hint = _CAUSES.get(error.errno or 0, ((error.strerror or str(error)).lower(), None))
        kind = Denied if error.errno in (errno.EACCES, errno.EPERM) else Unreachable
        raise kind(f"{action} {path}: {cause}", hint=hint) from error

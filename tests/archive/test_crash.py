"""An archive in a folder under kills, full disks and limits: the previous one stays, no half one is listed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.archive.fakes import HEADING, OBSERVATION, objects
from tests.blob.fakes import Faulty
from tests.torture import part
from zenctl.archive.reader import list_archives, open_archive
from zenctl.archive.verify import How, Level, verify
from zenctl.archive.writer import ArchiveWriter
from zenctl.blob.files import Files
from zenctl.blob.folder import FolderStore
from zenctl.errors import Unreachable

ROOT = Path(__file__).parents[2]


def write_archive(store: FolderStore, name: str) -> None:
    """Write three members, restart, and write three again."""
    with ArchiveWriter(store.put(name), HEADING) as writer:
        writer.begin(OBSERVATION)
        writer.add(objects(3000, namespace="zzz"))
        writer.restart()
        writer.add(objects(2500))
        writer.end(consistency="restarted", resource_versions=("1",), restarts=1)
        writer.finish(complete=True)


def assert_only_the_old_one(folder: Path) -> None:
    store = FolderStore(folder)
    assert [entry.name for entry in list_archives(store)] == ["old.tar"]
    assert verify(store, "old.tar", How(Level.OBJECTS)).sound


def count_calls(folder: Path) -> list[str]:
    files = Faulty()
    write_archive(FolderStore(folder, files), "counted.tar")
    return files.calls


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_at_any_call_leaves_the_old_archive(tmp_path, code):
    folder = tmp_path / "store"
    write_archive(FolderStore(folder), "old.tar")
    calls = count_calls(tmp_path / "counted")[1:]  # the first made the folder durable
    assert calls.count("write") == 3 + 3 + 2
    for at, call in enumerate(calls):
        if call == "unlink":
            continue
        with pytest.raises(Unreachable):
            write_archive(FolderStore(folder, Faulty(at, code)), "new.tar")
        assert_only_the_old_one(folder)
        assert os.listdir(folder) == ["old.tar"]


class Killed(Files):
    """Kills its process at the nth call, before or after it is done."""

    def __init__(self, at: int, *, after: bool) -> None:
        self._left = at
        self._after = after

    def _call(self, done: bool) -> None:
        if done == self._after:
            self._left -= 1
            if self._left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def write(self, fd: int, data: memoryview) -> int:
        self._call(False)
        # A kill in the middle of a write leaves a part of it.
        written = super().write(fd, data[: max(1, len(data) // 2)])
        self._call(True)
        return written

    def truncate(self, fd: int, size_bytes: int) -> None:
        self._call(False)
        super().truncate(fd, size_bytes)
        self._call(True)

    def fsync(self, fd: int) -> None:
        self._call(False)
        super().fsync(fd)
        self._call(True)

    def link(self, source: str, target: str) -> None:
        self._call(False)
        super().link(source, target)
        self._call(True)

    def unlink(self, path: str) -> None:
        self._call(False)
        super().unlink(path)
        self._call(True)


def main(folder: str, at: str, after: str) -> None:
    """Write an archive in a process that kills itself; prints when it did not."""
    write_archive(FolderStore(Path(folder), Killed(int(at), after=after == "after")), "new.tar")
    sys.stdout.write("survived\n")


def _run(folder: Path, at: int, after: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from tests.archive.test_crash import main; main(*sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", code, str(folder), str(at), after],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _assert_whole_or_nothing(folder: Path, done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == -signal.SIGKILL, done.stderr
    store = FolderStore(folder)
    names = [entry.name for entry in list_archives(store)]
    assert names in (["old.tar"], ["new.tar", "old.tar"])
    for name in names:
        assert verify(store, name, How(Level.OBJECTS)).sound


@pytest.mark.parametrize("at", [0, 2, 9, "link", "last"])
@pytest.mark.parametrize("after", ["before", "after"])
def test_a_kill_leaves_a_whole_archive_or_none(tmp_path, at, after):
    folder = tmp_path / "store"
    write_archive(FolderStore(folder), "old.tar")
    calls = _calls_when_halved(tmp_path / "counted")
    place = at if isinstance(at, int) else calls.index("link") if at == "link" else len(calls) - 1
    done = _run(folder, place, after)
    _assert_whole_or_nothing(folder, done)
    link = calls.index("link")
    assert (folder / "new.tar").exists() == (place > link or (place == link and after == "after"))
    assert open_archive(FolderStore(folder), "old.tar").footer.objects == 2500


class Halved(Faulty):
    """Counts calls when every write is cut in halves."""

    def write(self, fd: int, data: memoryview) -> int:
        return super().write(fd, data[: max(1, len(data) // 2)])


def _calls_when_halved(folder: Path) -> list[str]:
    folder.mkdir()
    files = Halved()
    write_archive(FolderStore(folder, files), "counted.tar")
    return [call for call in files.calls if call != "open"]


@pytest.mark.torture
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("after", ["before", "after"])
def test_a_kill_at_every_call_leaves_a_whole_archive_or_none(tmp_path, after):
    folder = tmp_path / "store"
    write_archive(FolderStore(folder), "old.tar")
    for at in part(range(len(_calls_when_halved(tmp_path / "counted")))):
        _assert_whole_or_nothing(folder, _run(folder, at, after))
        for path in folder.iterdir():
            if path.name != "old.tar":
                path.unlink()


def test_a_limit_of_the_system_is_a_full_disk(tmp_path):
    folder = tmp_path / "store"
    write_archive(FolderStore(folder), "old.tar")
    code = (
        "import resource, sys; from pathlib import Path; from tests.archive.test_crash import *;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000));"
        "folder = Path(sys.argv[1])\n"
        "try: write_archive(FolderStore(folder), 'new.tar')\n"
        "except Unreachable as error: sys.stdout.write(error.message)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"cannot write {folder}/new.tar: file is larger than the file system or a limit allows"
    assert_only_the_old_one(folder)
    assert os.listdir(folder) == ["old.tar"]


def test_a_commit_does_not_overwrite(tmp_path):
    folder = tmp_path / "store"
    write_archive(FolderStore(folder), "old.tar")
    before = (folder / "old.tar").read_bytes()
    sink = FolderStore(folder).put("other.tar")
    sink.abort()
    with pytest.raises(Exception, match="exists already"):
        write_archive(FolderStore(folder), "old.tar")
    assert (folder / "old.tar").read_bytes() == before

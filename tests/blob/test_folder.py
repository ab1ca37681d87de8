"""FolderStore: what is visible when, what is never overwritten, and how errors of the system read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.blob.fakes import Faulty, NoLinks
from zenctl.blob.files import Files
from zenctl.blob.folder import PARTIAL_SECONDS, FolderStore
from zenctl.errors import Damaged, Denied, ExitCode, Refused, Unreachable, ZenctlError
from zenctl.ports import BlobInfo

as_root = os.geteuid() == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path) -> FolderStore:
    return FolderStore(folder)


def put(store: FolderStore, name: str, data: bytes = b"data") -> None:
    sink = store.put(name)
    sink.write(data)
    sink.commit()


def test_a_blob_is_there_whole_after_commit_and_not_before(store, folder):
    sink = store.put("a.tar")
    sink.write(b"12")
    sink.write(b"")
    sink.write(b"345")
    assert store.list() == ()
    assert not (folder / "a.tar").exists()
    sink.commit()
    assert store.list() == (BlobInfo("a.tar", 5),)
    assert (folder / "a.tar").read_bytes() == b"12345"
    assert os.listdir(folder) == ["a.tar"]


def test_modes_are_for_the_owner_only(store, folder):
    previous = os.umask(0)
    try:
        put(store, "a.tar")
    finally:
        os.umask(previous)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "a.tar").stat().st_mode) == 0o600


def test_rewind_forgets_the_end(store, folder):
    sink = store.put("a.tar")
    sink.write(b"12345")
    assert sink.rewind(2)
    sink.write(b"xy")
    assert sink.rewind(4)
    sink.commit()
    assert (folder / "a.tar").read_bytes() == b"12xy"


def test_abort_leaves_nothing_and_may_come_twice(store, folder):
    sink = store.put("a.tar")
    sink.write(b"12345")
    sink.abort()
    sink.abort()
    assert os.listdir(folder) == []
    with pytest.raises(ValueError, match="committed or aborted"):
        sink.write(b"x")


def test_abort_after_commit_keeps_the_blob(store, folder):
    sink = store.put("a.tar")
    sink.commit()
    sink.abort()
    assert os.listdir(folder) == ["a.tar"]


def test_a_name_that_exists_is_refused_at_once(store):
    put(store, "a.tar", b"old")
    with pytest.raises(Refused, match=r"a\.tar exists already") as caught:
        store.put("a.tar")
    assert "nothing was overwritten" in str(caught.value.hint)
    assert store.get("a.tar", 0, 3) == b"old"


@pytest.mark.parametrize("links", [True, False])
def test_a_name_that_appears_meanwhile_is_not_overwritten(folder, links):
    store = FolderStore(folder, Files() if links else NoLinks())
    sink = store.put("a.tar")
    sink.write(b"new")
    (folder / "a.tar").write_bytes(b"old")
    with pytest.raises(Refused, match=r"a\.tar exists already"):
        sink.commit()
    assert (folder / "a.tar").read_bytes() == b"old"
    assert os.listdir(folder) == ["a.tar"]


def test_a_file_system_without_links_is_served_by_rename(folder):
    store = FolderStore(folder, NoLinks())
    put(store, "a.tar")
    assert os.listdir(folder) == ["a.tar"]
    assert store.get("a.tar", 0, 4) == b"data"


def test_two_writers_of_one_name_get_one_winner(store):
    first, second = store.put("a.tar"), store.put("a.tar")
    first.write(b"first")
    second.write(b"second")
    second.commit()
    with pytest.raises(Refused):
        first.commit()
    assert store.get("a.tar", 0, 6) == b"second"


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden.tar", "a/b.tar", "/etc/passwd", "a\0.tar", "a\nb", "x" * 201, "\ud800"]
)
def test_names_that_are_none_are_refused(store, folder, name):
    for action in (store.put, store.size, store.delete, lambda it: store.get(it, 0, 0)):
        with pytest.raises(Refused, match="cannot name a blob") as caught:
            action(name)
        assert caught.value.message.isprintable()
    assert not folder.exists()


def test_a_listing_shows_whole_archives_and_nothing_else(store, folder, tmp_path):
    for name in ("b.tar", "a.tar", "notes.txt", "a.verified.json"):
        put(store, name)
    store.put("c.tar").write(b"partial")
    (folder / "dir.tar").mkdir()
    (folder / ".hidden.tar").write_bytes(b"")
    (folder / "bad\nname.tar").write_bytes(b"")
    (folder / "link.tar").symlink_to(folder / "a.tar")
    (folder / "dangling.tar").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe.tar")
    assert store.list() == (BlobInfo("a.tar", 4), BlobInfo("b.tar", 4))
    assert store.list("b") == (BlobInfo("b.tar", 4),)


def test_a_folder_that_is_not_there_holds_nothing(store, folder):
    assert store.list() == ()
    assert not folder.exists()
    store.delete("a.tar")
    with pytest.raises(Refused, match=r"a\.tar does not exist"):
        store.size("a.tar")


@given(data=st.binary(max_size=64), offset=st.integers(-3, 70), length=st.integers(-3, 70))
@settings(max_examples=80, deadline=None)
def test_a_range_is_exact_or_damage(tmp_path_factory, data, offset, length):
    folder = tmp_path_factory.mktemp("store")
    store = FolderStore(folder)
    put(store, "a.tar", data)
    if min(offset, length) >= 0 and offset + length <= len(data):
        assert store.get("a.tar", offset, length) == data[offset : offset + length]
    else:
        with pytest.raises(Damaged, match="ends at byte"):
            store.get("a.tar", offset, length)


def test_a_file_of_any_name_can_be_read(store, folder):
    folder.mkdir()
    (folder / "renamed.backup").write_bytes(b"12345")
    (folder / "latest").symlink_to("renamed.backup")
    for name in ("renamed.backup", "latest"):
        assert store.size(name) == 5
        assert store.get(name, 1, 3) == b"234"


def test_what_is_no_file_is_refused_without_waiting(store, folder):
    folder.mkdir()
    (folder / "dir").mkdir()
    os.mkfifo(folder / "pipe")
    for name in ("dir", "pipe", "absent"):
        for action in (store.size, lambda it: store.get(it, 0, 1)):
            with pytest.raises(Refused, match=r"not a regular file|does not exist"):
                action(name)


def test_delete_removes_and_forgives(store, folder):
    put(store, "a.tar")
    store.delete("a.tar")
    store.delete("a.tar")
    assert os.listdir(folder) == []


def test_what_was_abandoned_is_swept_at_the_next_put(store, folder):
    folder.mkdir()
    names = {"old": ".x.tar.0a1b2c3d.partial", "young": ".y.tar.0a1b2c3d.partial", "foreign": ".other"}
    for name in names.values():
        (folder / name).write_bytes(b"")
    for which in ("old", "foreign"):
        os.utime(folder / names[which], (0, 0))
    (folder / ".dir.0a1b2c3d.partial").mkdir()
    os.utime(folder / ".dir.0a1b2c3d.partial", (0, 0))
    put(store, "a.tar")
    assert sorted(os.listdir(folder)) == sorted([".dir.0a1b2c3d.partial", names["foreign"], names["young"], "a.tar"])


def test_sweep_judges_by_the_last_write(store, folder):
    sink = store.put("a.tar")
    partial = next(folder.iterdir())
    now = partial.stat().st_mtime
    assert store.sweep(older_than_seconds=PARTIAL_SECONDS, now=now + PARTIAL_SECONDS) == 0
    assert store.sweep(older_than_seconds=PARTIAL_SECONDS, now=now + PARTIAL_SECONDS + 1) == 1
    sink.abort()
    assert store.sweep(older_than_seconds=0, now=now) == 0
    assert FolderStore(folder / "none").sweep(older_than_seconds=0, now=now) == 0


def _put_with_everything(store: FolderStore) -> None:
    sink = store.put("new.tar")
    sink.write(b"12345")
    sink.rewind(2)
    sink.write(b"345")
    sink.commit()


ORDER = ["open", "write", "truncate", "write", "fsync", "link", "unlink", "fsync"]


def test_the_order_of_calls_is_the_promise(store, folder):
    folder.mkdir()
    files = Faulty()
    _put_with_everything(FolderStore(folder, files))
    assert files.calls == ORDER


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("at", range(len(ORDER)))
def test_a_failure_at_any_call_leaves_the_old_blob_and_no_new_one(store, folder, at, code):
    put(store, "old.tar", b"old")
    faulty = FolderStore(folder, Faulty(at, code))
    if ORDER[at] == "unlink":  # the second name of a blob that is whole and safe; the next sweep takes it
        _put_with_everything(faulty)
        assert {blob.name for blob in store.list()} == {"new.tar", "old.tar"}
        return
    with pytest.raises(Denied if code == errno.EACCES else Unreachable) as caught:
        _put_with_everything(faulty)
    assert str(folder / "new.tar") in caught.value.message
    assert caught.value.hint
    assert store.list() == (BlobInfo("old.tar", 3),)
    assert os.listdir(folder) == ["old.tar"]
    assert store.get("old.tar", 0, 3) == b"old"
    _put_with_everything(store)


def test_short_writes_are_finished(folder):
    store = FolderStore(folder, Faulty(short=True))
    put(store, "a.tar", b"12345")
    assert store.get("a.tar", 0, 5) == b"12345"


@pytest.mark.parametrize(
    ("code", "kind", "cause"),
    [
        (errno.ENOSPC, Unreachable, "no space left on the device"),
        (errno.EDQUOT, Unreachable, "disk quota exceeded"),
        (errno.EROFS, Unreachable, "file system is read-only"),
        (errno.EIO, Unreachable, "input/output error"),
        (errno.EFBIG, Unreachable, "file is larger than"),
        (errno.ENOTDIR, Unreachable, "a part of the path is not a folder"),
        (errno.EACCES, Denied, "permission denied"),
        (errno.EPERM, Denied, "operation not permitted"),
        (errno.ETIMEDOUT, Unreachable, "connection timed out"),
    ],
)
def test_an_error_names_the_path_and_the_cause(folder, code, kind, cause):
    folder.mkdir()
    with pytest.raises(kind) as caught:
        FolderStore(folder, Faulty(0, code)).put("a.tar")
    assert caught.value.message.startswith(f"cannot create {folder}/a.tar: {cause}")
    assert caught.value.code is (ExitCode.DENIED if kind is Denied else ExitCode.UNREACHABLE)


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    store = FolderStore(tmp_path / "file")
    for action in (
        store.list,
        lambda: store.put("a.tar"),
        lambda: store.size("a.tar"),
        lambda: store.delete("a.tar"),
    ):
        with pytest.raises(Unreachable, match="not a folder"):
            action()
    below = FolderStore(tmp_path / "file" / "below")
    with pytest.raises(ZenctlError):
        below.put("a.tar")


@pytest.mark.skipif(as_root, reason="root may do everything")
def test_what_may_not_be_read_is_denied(store, folder):
    put(store, "a.tar")
    (folder / "a.tar").chmod(0)
    with pytest.raises(Denied, match="permission denied"):
        store.size("a.tar")
    folder.chmod(0)
    try:
        with pytest.raises(Denied, match="permission denied"):
            store.list()
    finally:
        folder.chmod(0o700)


def test_a_folder_that_cannot_be_synced_is_accepted(folder):
    class NoFolderSync(Files):
        def fsync(self, fd: int) -> None:
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            super().fsync(fd)

    put(FolderStore(folder, NoFolderSync()), "a.tar")
    assert os.listdir(folder) == ["a.tar"]


def test_a_blob_that_shrinks_while_it_is_read_is_damage(store, folder):
    put(store, "a.tar", b"12345")
    assert store.size("a.tar") == 5
    os.truncate(folder / "a.tar", 3)
    with pytest.raises(Damaged, match="ends at byte 3, but bytes up to 5 are needed"):
        store.get("a.tar", 0, 5)


def test_a_note_is_replaced_whole_and_listed_by_its_ending(store, folder):
    store.replace("a.tar.verified.json", b"old")
    store.replace("a.tar.verified.json", b"newer")
    assert store.get("a.tar.verified.json", 0, 5) == b"newer"
    assert [info.name for info in store.list(suffix=".json")] == ["a.tar.verified.json"]
    assert store.list() == ()
    assert stat.S_IMODE((folder / "a.tar.verified.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("at", range(5))
def test_a_failure_while_replacing_leaves_the_old_note_or_the_new_one(store, folder, at):
    store.replace("note.json", b"old")
    files = Faulty()
    FolderStore(folder, files).replace("note.json", b"old")
    assert files.calls == ["open", "write", "fsync", "rename", "fsync"]
    with pytest.raises(Unreachable, match="no space left"):
        FolderStore(folder, Faulty(at)).replace("note.json", b"new")
    assert store.get("note.json", 0, 3) == (b"new" if at == 4 else b"old")
    assert os.listdir(folder) == ["note.json"]

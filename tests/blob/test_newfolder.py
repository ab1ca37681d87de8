"""A new folder appears whole or not at all, for its owner only, and never over something that is there."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from zenctl.blob.folder import FolderStore
from zenctl.blob.newfolder import new_folder
from zenctl.errors import Denied, Refused, Unreachable


def put(store: FolderStore, name: str, data: bytes = b"x") -> None:
    sink = store.put(name)
    sink.write(data)
    sink.commit()


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("place", ["out", "a/b/out", "empty"])
def test_it_appears_at_the_end_readable_by_its_owner_only(tmp_path, place):
    (tmp_path / "empty").mkdir(mode=0o755)
    target = tmp_path / place
    with new_folder(target) as store:
        put(store, "a.yaml")
        assert not (target / "a.yaml").exists()
    assert content(target) == {"a.yaml": "x"}
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert stat.S_IMODE((target / "a.yaml").stat().st_mode) == 0o600
    assert [path for path in target.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("failure", [RuntimeError("x"), KeyboardInterrupt()], ids=repr)
def test_a_failure_leaves_nothing(tmp_path, failure):
    def fail() -> None:
        with new_folder(tmp_path / "out") as store:
            put(store, "a.yaml")
            raise failure

    with pytest.raises(type(failure)):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["file", "full", "link"])
def test_what_is_there_stays(tmp_path, what):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "full")
    before = content(tmp_path)
    with pytest.raises(Refused), new_folder(tmp_path / what):
        pytest.fail("it must not even begin")
    assert content(tmp_path) == before


def test_what_appears_meanwhile_stays_too(tmp_path):
    def race() -> None:
        with new_folder(tmp_path / "out") as store:
            put(store, "a.yaml")
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "theirs").write_text("x")

    with pytest.raises((Refused, Unreachable)):
        race()
    assert content(tmp_path) == {"out/theirs": "x"}


def test_a_place_that_cannot_be_is_no_bug(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises((Unreachable, Denied)) as caught, new_folder(tmp_path / "file" / "below"):
        pytest.fail("it must not even begin")
    assert caught.value.hint == "name another folder"

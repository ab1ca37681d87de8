"""Lines that are appended, and temporary files: what they leave behind, and for whom."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.archive.fakes import MemoryStore
from zenctl.blob.lines import BlobLines, LineFile
from zenctl.blob.scratch import ScratchFile
from zenctl.errors import Denied, Unreachable


def test_lines_are_appended_to_what_is_there_and_belong_to_the_owner(tmp_path):
    for line in (b"a", b"b\n"):
        file = LineFile(tmp_path / "log")
        file.write(line)
        file.close()
        file.close()
    assert (tmp_path / "log").read_bytes() == b"a\nb\n"
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600


def test_without_a_line_there_is_no_file(tmp_path):
    LineFile(tmp_path / "log").close()
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_cannot_be_flushed_to_disk_and_is_written_all_the_same():
    reading, writing = os.pipe()
    file = LineFile(Path(f"/proc/self/fd/{writing}"))
    file.write(b"a")
    file.close()
    os.close(writing)
    assert os.read(reading, 10) == b"a\n"
    os.close(reading)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_is_said(tmp_path):
    (tmp_path / "log").symlink_to("/dev/full")
    with pytest.raises((Unreachable, Denied), match="no space left"):
        LineFile(tmp_path / "log").write(b"a")


def test_lines_of_a_blob_are_there_when_it_is_closed():
    store = MemoryStore()
    lines = BlobLines(store, "x.audit.ndjson")
    lines.write(b"a")
    lines.write(b"b\n")
    assert store.blobs == {}
    lines.close()
    lines.close()
    assert store.blobs == {"x.audit.ndjson": b"a\nb\n"}


def test_without_a_line_there_is_no_blob():
    store = MemoryStore()
    BlobLines(store, "x").close()
    assert store.blobs == {}


@pytest.mark.parametrize("in_memory_bytes", [1, 10_000])
def test_a_temporary_file_gives_back_what_was_written_and_goes_away(tmp_path, monkeypatch, in_memory_bytes):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ScratchFile(in_memory_bytes=in_memory_bytes) as file:
        assert [file.append(b"abc"), file.append(b""), file.append(b"defg")] == [0, 3, 3]
        assert file.read(1, 4) == b"bcde"
        file.truncate(4)
        assert file.append(b"xy") == 4
        assert file.read(0, 99) == b"abcdxy"
        assert list(tmp_path.iterdir()) == []
    assert list(tmp_path.iterdir()) == []

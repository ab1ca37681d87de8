"""The file as other programs see it: the standard library's tarfile, GNU tar, zstd, and by hand."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.fakes import CREATED, HEADING, OBSERVATION, MemoryStore, objects, small_archive, write
from tests.archive.forge import tar_member
from zenctl.archive import tar
from zenctl.archive.format import TAIL_BYTES, member_name
from zenctl.archive.reader import open_archive
from zenctl.core.objects import ResourceType

LONG = ResourceType("g" * 90 + ".example.com", "v1", "K" * 50, "things")
needs_tar = pytest.mark.skipif(shutil.which("tar") is None, reason="needs the tar program")
needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="needs the zstd program")


@given(
    st.from_regex(r"[A-Za-z]{1,60}\.[a-z.]{1,94}/[0-9]{6}\.ndjson\.zst", fullmatch=True),
    st.binary(max_size=1100),
    st.integers(0, tar.MAX_TIME_SECONDS),
)
def test_a_member_is_what_tarfile_would_write_but_for_empty_device_numbers(name, data, time_seconds):
    assert tar.member(name, data, time_seconds) == tar_member(name, data, time=time_seconds)
    assert len(tar.member(name, data, time_seconds)) == tar.occupied(len(data))


@pytest.mark.parametrize(
    ("name", "size_bytes", "time_seconds"),
    [
        ("x" * 101, 0, 0),
        ("p" * 156 + "/name", 0, 0),
        ("p/" + "n" * 101, 0, 0),
        ("a", 8**11, 0),
        ("a", 0, 8**11),
        ("a", 0, -1),
    ],
)
def test_what_does_not_fit_into_a_header_is_an_error(name, size_bytes, time_seconds):
    with pytest.raises(ValueError, match="does not fit"):
        tar.header(name, size_bytes, time_seconds)


def test_tarfile_opens_it():
    data = small_archive(MemoryStore())
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        entries = opened.getmembers()
        assert [entry.name for entry in entries] == [
            "Observation.zen.kube-zen.io/000001.ndjson.zst",
            "ConfigMap.core/000001.ndjson.zst",
            "Namespace.core/000001.ndjson.zst",
            "manifest.json",
            "footer.json",
        ]
        for entry in entries:
            assert (entry.mode, entry.uid, entry.gid, entry.uname, entry.gname) == (0o600, 0, 0, "", "")
            assert entry.mtime == CREATED.timestamp()
            assert entry.isreg()
        footer = opened.extractfile("footer.json")
        assert footer is not None
        assert json.load(footer)["archiveId"] == HEADING.archive_id
    assert data[-1024:] == bytes(1024)
    assert data[-TAIL_BYTES:].startswith(b"footer.json\0")


@needs_tar
@needs_zstd
def test_tar_and_zstd_open_it_without_a_word(tmp_path):
    store = MemoryStore()
    write(store, "a.tar", [(OBSERVATION, objects(1500, text="ä\n")), (LONG, objects(1))])
    (tmp_path / "a.tar").write_bytes(store.blobs["a.tar"])
    for arguments in (["tar", "-tf", "a.tar"], ["tar", "-xf", "a.tar"]):
        done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, check=True)
        assert done.stderr == b""
    archive = open_archive(store, "a.tar")
    for collection, member in archive.members():
        path = tmp_path / member.name
        assert path.stat().st_mode & 0o777 == 0o600
        done = subprocess.run(["zstd", "-d", "-c", "-q", str(path)], capture_output=True, check=True)
        assert done.stdout.splitlines() == [line for _, line in archive.member_objects(collection, member)]
        subprocess.run(["zstd", "-t", "-q", str(path)], check=True)
    assert (tmp_path / member_name(LONG.kind_and_group, 1, encrypted=False)).exists()


@needs_tar
@pytest.mark.parametrize("flag", ["--format=ustar", ""])
def test_tar_reads_it_from_a_pipe_and_whatever_its_blocking_factor(tmp_path, flag):
    data = small_archive(MemoryStore())
    arguments = ["tar", "-t", *([flag] if flag else []), "-f", "-"]
    done = subprocess.run(arguments, input=data, capture_output=True, check=True)
    assert done.stderr == b""
    assert len(done.stdout.splitlines()) == 5


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_all_content_can_be_checked_by_hand(tmp_path):
    path: Path = tmp_path / "a.tar"
    path.write_bytes(small_archive(MemoryStore()))
    line = f"head -c -{TAIL_BYTES} a.tar | sha256sum"
    done = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, check=True, text=True)
    footer = json.loads(path.read_bytes()[-3072:-1024])
    assert done.stdout.split()[0] == footer["contentSha256"]

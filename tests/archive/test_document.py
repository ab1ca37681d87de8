"""docs/archive-format.md is right: its reader reads what is written, and its tables name what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.archive.fakes import OBSERVATION, MemoryStore, objects, small_archive, write
from zenctl.archive import format as archive_format
from zenctl.archive.format import Collection, Footer, Manifest, Member, Resource, SelfCheck
from zenctl.archive.reader import open_archive

DOCUMENT = Path(__file__).parents[2] / "docs" / "archive-format.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """Give the reader in the appendix as a program."""
    blocks = re.findall(r"```python\n(.*?)```", TEXT.partition("## Appendix")[2], re.DOTALL)
    assert len(blocks) == 1
    path = tmp_path / "reader.py"
    path.write_text(blocks[0])
    return path


def run(reader: Path, archive: bytes) -> subprocess.CompletedProcess[bytes]:
    path = reader.parent / "archive.tar"
    path.write_bytes(archive)
    return subprocess.run([sys.executable, "-I", str(reader), str(path)], capture_output=True, check=False)


def test_the_reader_of_the_document_reads_a_new_archive(reader):
    store = MemoryStore()
    small_archive(store)
    write(store, "large.tar", [(OBSERVATION, objects(2500, text="ä\u2028\x85"))])
    for name in store.blobs:
        archive = open_archive(store, name)
        lines = [line for c in archive.manifest.collections for _, line in archive.objects(c)]
        done = run(reader, store.blobs[name])
        assert done.stderr == b""
        assert done.stdout.split(b"\n")[:-1] == lines


@pytest.mark.parametrize("place", [600, -3000, -5000])
def test_the_reader_of_the_document_sees_damage(reader, place):
    data = bytearray(small_archive(MemoryStore()))
    data[place] ^= 1
    done = run(reader, bytes(data))
    assert done.returncode == 1
    assert done.stderr.startswith(b"damaged: ")


@pytest.mark.parametrize("struct", [Footer, Manifest, Collection, Member, Resource, SelfCheck])
def test_every_key_is_documented(struct):
    missing = [name for name in struct.__struct_encode_fields__ if f"`{name}`" not in TEXT]
    assert missing == []


@pytest.mark.parametrize(
    ("constant", "text"),
    [
        ("CHUNK_OBJECTS", "1,000"),
        ("CHUNK_BYTES", "4,194,304"),
        ("TAIL_BYTES", "3584"),
        ("FOOTER_BYTES", "2048"),
        ("MEMBERS_PER_COLLECTION", "999,999"),
    ],
)
def test_limits_are_those_of_the_code(constant, text):
    assert getattr(archive_format, constant) == int(text.replace(",", ""))
    assert text in TEXT


def test_limits_in_mebibytes_are_those_of_the_code():
    assert archive_format.OBJECT_BYTES == 64 * 2**20
    assert archive_format.MEMBER_BYTES == 80 * 2**20
    assert archive_format.MANIFEST_BYTES == 64 * 2**20

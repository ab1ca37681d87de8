"""The reader on sound archives: what it reads, how little, names, listings, and flat memory."""

from __future__ import annotations

import random
import re
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archive.fakes import (
    CREATED,
    HEADING,
    OBSERVATION,
    MemoryStore,
    Mirror,
    an_object,
    objects,
    small_archive,
    write,
)
from zenctl.archive.format import TAIL_BYTES, archive_name, is_folder
from zenctl.archive.reader import ListedArchive, list_archives, open_archive
from zenctl.archive.verify import PROBLEMS_KEPT, How, Level, Slice, verify
from zenctl.archive.writer import ArchiveWriter
from zenctl.blob.folder import FolderStore
from zenctl.core.objects import CONFIG_MAP, ObjectKey
from zenctl.errors import Damaged, Refused


@pytest.fixture(scope="module")
def twenty_thousand() -> MemoryStore:
    """Give an archive of 20,000 objects whose bodies compress no better than two to one."""
    store = MemoryStore()
    chance = random.Random(7)
    content = [
        an_object(ObjectKey(f"ns-{n // 400:02d}", f"obs-{n:06d}"), pad=f"{chance.getrandbits(4000):x}")
        for n in range(20_000)
    ]
    write(store, "a.tar", [(OBSERVATION, content), (CONFIG_MAP, objects(3))])
    return store


def test_one_object_of_many_costs_three_reads_and_less_than_a_tenth(twenty_thousand):
    store = twenty_thousand
    size_bytes = len(store.blobs["a.tar"])
    for number in (0, 999, 1000, 12_345, 19_999):
        store.reads.clear()
        archive = open_archive(store, "a.tar")
        collection = archive.collection("Observation.zen.kube-zen.io")
        assert collection is not None
        key = ObjectKey(f"ns-{number // 400:02d}", f"obs-{number:06d}")
        line = archive.find(collection, str(key))
        assert line is not None
        assert f'"{key.name}"'.encode() in line
        assert len(store.reads) == 3
        assert sum(read.length for read in store.reads) < size_bytes / 10


def test_an_absent_object_costs_one_member_at_most(twenty_thousand):
    store = twenty_thousand
    archive = open_archive(store, "a.tar")
    collection = archive.manifest.collections[0]
    store.reads.clear()
    assert archive.find(collection, "ns-00/obs-000000x") is None
    assert len(store.reads) == 1
    for outside in ("a/first", "zz/last", ""):
        store.reads.clear()
        assert archive.find(collection, outside) is None
        assert store.reads == []


def test_one_collection_is_read_without_the_others(twenty_thousand):
    archive = open_archive(twenty_thousand, "a.tar")
    twenty_thousand.reads.clear()
    config_maps = archive.collection("ConfigMap.core")
    assert config_maps is not None
    assert len(list(archive.objects(config_maps))) == 3
    assert len(twenty_thousand.reads) == 1
    assert archive.collection("Nothing.core") is None


def test_listing_reads_footers_only(twenty_thousand):
    twenty_thousand.reads.clear()
    listed = list_archives(twenty_thousand)
    assert [read.length for read in twenty_thousand.reads] == [TAIL_BYTES]
    assert listed == [ListedArchive("a.tar", len(twenty_thousand.blobs["a.tar"]), listed[0].footer)]


def test_listing_goes_on_after_damage():
    store = MemoryStore()
    small_archive(store, "b.tar")
    store.blobs["a.tar"] = b"x" * 5000
    store.blobs["c.tar"] = store.blobs["b.tar"][:-512]
    first, second, third = list_archives(store)
    assert isinstance(first.footer, Damaged)
    assert not isinstance(second.footer, Damaged | Refused)
    assert second.footer.archive_id == HEADING.archive_id
    assert isinstance(third.footer, Damaged)
    assert [entry.name for entry in list_archives(store, "b")] == ["b.tar"]


def test_an_unsorted_collection_is_searched_whole():
    store = MemoryStore()
    content = objects(2500)
    random.Random(3).shuffle(content)
    write(store, "a.tar", [(OBSERVATION, content)])
    archive = open_archive(store, "a.tar")
    collection = archive.manifest.collections[0]
    assert not collection.sorted
    assert all(archive.find(collection, str(o.key)) == o.body for o in content[::250])


def test_namespaces_sort_by_the_whole_key():
    store = MemoryStore()
    content = [an_object(ObjectKey(namespace, "x")) for namespace in ("a-b", "a.b", "a", "a0")]
    write(store, "a.tar", [(OBSERVATION, content)])
    assert open_archive(store, "a.tar").manifest.collections[0].sorted


def test_structure_is_verified_without_reading_data(twenty_thousand):
    store = twenty_thousand
    store.reads.clear()
    done: list[int] = []
    result = verify(store, "a.tar", How(Level.STRUCTURE), advance=done.append)
    assert result.sound
    assert (result.level, result.members, result.objects, sum(done)) == (1, 21, None, 21)
    read_bytes = sum(read.length for read in store.reads)
    assert read_bytes == result.bytes
    assert read_bytes < len(store.blobs["a.tar"]) / 50


@pytest.mark.parametrize("level", [Level.BYTES, Level.OBJECTS])
def test_deeper_levels_read_every_byte_once(twenty_thousand, level):
    store = twenty_thousand
    result = verify(store, "a.tar", How(level))
    assert result.sound
    assert (result.level, result.members, result.objects) == (level, 21, 20_003)
    assert result.bytes == len(store.blobs["a.tar"])


def test_an_empty_archive_is_sound():
    store = MemoryStore()
    with ArchiveWriter(store.put("a.tar"), HEADING) as writer:
        writer.finish(complete=True)
    for level in Level:
        assert verify(store, "a.tar", How(level)).sound


def test_every_object_is_held_against_the_callers_schema():
    store = MemoryStore()
    write(store, "a.tar", [(OBSERVATION, objects(3)), (CONFIG_MAP, objects(2))])
    seen = []

    def check(collection, line):
        seen.append((collection.folder, line))
        return ["spec: is required"] if collection.folder.startswith("Obs") else []

    result = verify(store, "a.tar", How(Level.OBJECTS, checks=lambda _: check))
    assert [line for _, line in seen] == [o.body for o in objects(3) + objects(2)]
    assert [(p.code, p.where, p.what) for p in result.problems] == [
        ("ZA104", f"Observation.zen.kube-zen.io default/obs-00000{n}", "spec: is required") for n in range(3)
    ]


def test_problems_are_counted_beyond_those_that_are_kept():
    store = MemoryStore()
    write(store, "a.tar", [(OBSERVATION, objects(PROBLEMS_KEPT + 500))])
    result = verify(store, "a.tar", How(Level.OBJECTS, checks=lambda _archive: lambda _resource, _line: ["bad"]))
    assert (len(result.problems), result.problem_count) == (PROBLEMS_KEPT, PROBLEMS_KEPT + 500)


def _verify_peak_bytes(folder: Path, count: int) -> int:
    store = FolderStore(folder)
    chance = random.Random(count)
    with ArchiveWriter(store.put(f"{count}.tar"), HEADING) as writer:
        writer.begin(OBSERVATION)
        for start in range(0, count, 500):
            writer.add(
                [
                    an_object(ObjectKey("n", f"o{n:08d}"), pad=f"{chance.getrandbits(8000):x}")
                    for n in range(start, start + 500)
                ]
            )
        writer.end(consistency="snapshot", resource_versions=())
        writer.finish(complete=True)
    tracemalloc.start()
    try:
        assert verify(store, f"{count}.tar", How(Level.OBJECTS)).sound
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_verifying_needs_the_memory_of_a_member(tmp_path):
    few, many = _verify_peak_bytes(tmp_path, 4_000), _verify_peak_bytes(tmp_path, 20_000)
    assert many < few + 2**19


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        ("prod-eu", "zen-backup_prod-eu_20261123T020000Z_1f0c44aa.tar"),
        ("arn:aws:eks:eu-1:1:cluster/a_b", "zen-backup_arn-aws-eks-eu-1-1-cluster-a-b_20261123T020000Z_1f0c44aa.tar"),
        ("../../etc", "zen-backup_etc_20261123T020000Z_1f0c44aa.tar"),
        ("Ünï", "zen-backup_n_20261123T020000Z_1f0c44aa.tar"),
        ("…", "zen-backup_cluster_20261123T020000Z_1f0c44aa.tar"),
    ],
)
def test_file_names_are_tame(cluster, expected):
    assert archive_name("backup", cluster, CREATED, HEADING.archive_id) == expected


def test_file_names_are_short_and_in_utc():
    east = datetime(2026, 11, 23, 4, 0, tzinfo=timezone(timedelta(hours=2)))
    name = archive_name("undo", "x" * 300, east, HEADING.archive_id)
    assert re.fullmatch(r"zen-undo_x{80}_20261123T020000Z_1f0c44aa\.tar", name)
    assert east.astimezone(UTC) == CREATED


@pytest.mark.parametrize("folder", ["A.core", "Observation.zen.kube-zen.io", "a.b-c"])
def test_folders_that_may_be(folder):
    assert is_folder(folder)


@pytest.mark.parametrize(
    "folder", ["", "core", "..", "A.", "A/core", "A.core/", "A.core\n", "A.-x", "A.B", "Ä.core", "A." + "x" * 160]
)
def test_folders_that_may_not_be(folder):
    assert not is_folder(folder)


@given(st.integers(1, 9), st.lists(st.integers(1, 1200), min_size=1, max_size=4), st.booleans())
@settings(max_examples=25, deadline=None)
def test_the_slices_of_a_week_read_everything_once(of, sizes, keyed):
    store = MemoryStore()
    for number, size in enumerate(sizes):
        heading = msgspec.structs.replace(HEADING, archive_id=f"archive-{number}")
        with ArchiveWriter(store.put(f"{number}.tar"), heading, Mirror() if keyed else None) as writer:
            writer.begin(OBSERVATION)
            writer.add(objects(size))
            writer.end(consistency="snapshot", resource_versions=())
            writer.finish(complete=True)
    whole = sum(verify(store, name, How(Level.OBJECTS, Mirror())).objects or 0 for name in store.blobs)
    parts = [
        verify(store, name, How(Level.OBJECTS, Mirror(), slice=Slice(number, of)))
        for number in range(1, of + 1)
        for name in store.blobs
    ]
    assert all(part.sound for part in parts)
    assert sum(part.objects or 0 for part in parts) == whole == sum(sizes)


def test_an_encrypted_archive_without_a_key_is_read_whole_in_one_slice_of_the_week():
    store = MemoryStore()
    with ArchiveWriter(store.put("a.tar"), HEADING, Mirror()) as writer:
        writer.begin(OBSERVATION)
        writer.add(objects(1500))
        writer.end(consistency="snapshot", resource_versions=())
        writer.finish(complete=True)
    results = [verify(store, "a.tar", How(slice=Slice(number, 7))) for number in range(1, 8)]
    assert sorted(result.level for result in results) == [1, 1, 1, 1, 1, 1, 2]
    assert max(result.bytes for result in results) == len(store.blobs["a.tar"])


def test_a_slice_finds_damage_in_its_share_and_in_the_structure_of_all():
    store = MemoryStore()
    write(store, "a.tar", [(OBSERVATION, objects(2500))])
    members = [member for _, member in open_archive(store, "a.tar").members()]
    sound = store.blobs["a.tar"]

    def found(place: int) -> list[bool]:
        damaged = bytearray(sound)
        damaged[place] ^= 1
        store.blobs["a.tar"] = bytes(damaged)
        return [not verify(store, "a.tar", How(slice=Slice(number, 3))).sound for number in (1, 2, 3)]

    assert [sum(found(member.offset + 600)) for member in members] == [1, 1, 1]
    assert found(members[1].offset + 20) == [True, True, True]


@given(st.integers(1, 9), st.text("0123456789abcdef", min_size=8, max_size=8), st.integers(1, 40))
def test_slices_are_of_like_size(of, archive_id, members):
    shares = [sum(Slice(number, of).takes(archive_id, n) for n in range(members)) for number in range(1, of + 1)]
    assert sum(shares) == members
    assert max(shares) - min(shares) <= 1

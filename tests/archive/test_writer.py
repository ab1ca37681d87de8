"""The writer: what is cut where, what restart drops, what an error leaves behind, and how much memory it holds."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archive.fakes import (
    CREATED,
    HEADING,
    OBSERVATION,
    MemorySink,
    MemoryStore,
    an_object,
    an_object_of,
    objects,
    write,
)
from zenctl.archive.format import CHUNK_BYTES, OBJECT_BYTES, Cluster, Heading, Omission, Scope
from zenctl.archive.reader import open_archive
from zenctl.archive.verify import How, Level, verify
from zenctl.archive.writer import ArchiveWriter
from zenctl.core.objects import CONFIG_MAP, KeyFields, ObjectKey, RawObject, ResourceType
from zenctl.errors import Refused, Unreachable, UsageError

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)
KEYS = st.builds(ObjectKey, st.one_of(st.just(""), NAMES), NAMES)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text())
JSON = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=8
)


@given(st.lists(st.lists(st.tuples(KEYS, JSON), max_size=40), max_size=4), st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_goes_in_comes_out(pages, as_view):
    store = MemoryStore()
    raw = [[an_object(key, value=value) for key, value in page] for page in pages]
    with ArchiveWriter(store.put("a.tar"), HEADING) as writer:
        writer.begin(OBSERVATION)
        for page in raw:
            writer.add([RawObject(o.key, o.fields, memoryview(o.body)) for o in page] if as_view else page)
        collection = writer.end(consistency="snapshot", resource_versions=("1",))
        writer.finish(complete=True)
    archive = open_archive(store, "a.tar")
    flat = [o for page in raw for o in page]
    assert list(archive.objects(archive.manifest.collections[0])) == [(str(o.key), o.body) for o in flat]
    keys = [str(o.key).encode() for o in flat]
    assert collection.sorted == all(a < b for a, b in pairwise(keys))
    for found in flat:
        assert archive.find(collection, str(found.key)) == next(o.body for o in flat if o.key == found.key)
    assert archive.find(collection, "no/such") is None
    assert verify(store, "a.tar", How(Level.OBJECTS)).problems == ()


def test_facts_are_kept():
    store = MemoryStore()
    heading = msgspec.structs.replace(HEADING, scope=Scope(("a", "b")), created_at=CREATED.replace(microsecond=7))
    with ArchiveWriter(store.put("a.tar"), heading) as writer:
        writer.begin(OBSERVATION)
        writer.add(objects(2))
        writer.end(consistency="mixed", resource_versions=["7", "9"], restarts=3)
        written = writer.finish(complete=False, omissions=[Omission("helm", "no permission")])
    manifest = open_archive(store, "a.tar").manifest
    assert manifest == written.manifest
    assert manifest.created_at == CREATED
    assert manifest.scope == Scope(("a", "b"))
    assert not manifest.complete
    assert manifest.omissions == (Omission("helm", "no permission"),)
    collection = manifest.collections[0]
    assert (collection.consistency, collection.resource_versions, collection.restarts) == ("mixed", ("7", "9"), 3)
    restored = collection.resource.resource_type
    assert (restored.full_name, restored.kind_and_group) == (OBSERVATION.full_name, OBSERVATION.kind_and_group)
    assert (restored.status_subresource, restored.namespaced) == (True, True)
    assert written.footer.kinds == {"Observation.zen.kube-zen.io": 2}
    assert written.size_bytes == len(store.blobs["a.tar"])
    assert written.footer == open_archive(store, "a.tar").footer


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2000, 2001])
@pytest.mark.parametrize("page", [1, 500, 999, 3000])
def test_a_member_holds_a_thousand_objects(count, page):
    store = MemoryStore()
    content = objects(count)
    with ArchiveWriter(store.put("a.tar"), HEADING) as writer:
        writer.begin(OBSERVATION)
        for start in range(0, count, page):
            writer.add(content[start : start + page])
        collection = writer.end(consistency="snapshot", resource_versions=())
        writer.finish(complete=True)
    full, rest = divmod(count, 1000)
    assert [member.count for member in collection.members] == [1000] * full + [rest] * bool(rest)
    assert collection.count == count
    assert [m.name.rpartition("/")[2] for m in collection.members] == [
        f"{n:06d}.ndjson.zst" for n in range(1, len(collection.members) + 1)
    ]


@pytest.mark.parametrize(
    ("sizes", "members"),
    [
        ((CHUNK_BYTES - 1,), [1]),
        ((CHUNK_BYTES,), [1]),
        ((CHUNK_BYTES // 2 - 1, CHUNK_BYTES // 2 - 1), [2]),
        ((CHUNK_BYTES // 2 - 1, CHUNK_BYTES // 2), [1, 1]),
        ((100, CHUNK_BYTES * 2, 100), [1, 1, 1]),
        ((CHUNK_BYTES - 101, 99, 60), [2, 1]),
        ((CHUNK_BYTES - 101, 100, 60), [1, 2]),
        ((CHUNK_BYTES * 2, CHUNK_BYTES * 3), [1, 1]),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_member_holds_four_mebibytes_with_its_newlines(sizes, members, at_once):
    store = MemoryStore()
    content = [an_object_of(size, f"o{place}") for place, size in enumerate(sizes)]
    with ArchiveWriter(store.put("a.tar"), HEADING) as writer:
        writer.begin(OBSERVATION)
        for page in [content] if at_once else [[item] for item in content]:
            writer.add(page)
        collection = writer.end(consistency="snapshot", resource_versions=())
        writer.finish(complete=True)
    assert [member.count for member in collection.members] == members
    assert all(member.plain_size <= CHUNK_BYTES or member.count == 1 for member in collection.members)
    archive = open_archive(store, "a.tar")
    assert [line for _, line in archive.objects(archive.manifest.collections[0])] == [o.body for o in content]


def test_an_object_beyond_the_limit_is_refused_by_name():
    body = memoryview(bytes(OBJECT_BYTES + 1))
    with ArchiveWriter(MemoryStore().put("a.tar"), HEADING) as writer:
        writer.begin(OBSERVATION)
        with pytest.raises(Refused, match="object n/huge has 67,108,865 bytes, more than the 67,108,864"):
            writer.add([an_object(ObjectKey("n", "a")), RawObject(ObjectKey("n", "huge"), KeyFields(), body)])


def test_a_body_with_line_breaks_becomes_one_line():
    store = MemoryStore()
    pretty = json.dumps({"metadata": {"name": "b", "namespace": "n"}, "text": "a\nb"}, indent=2).encode()
    content = [an_object(ObjectKey("n", "a")), RawObject(ObjectKey("n", "b"), KeyFields(), memoryview(pretty))]
    write(store, "a.tar", [(OBSERVATION, content)])
    archive = open_archive(store, "a.tar")
    lines = [line for _, line in archive.objects(archive.manifest.collections[0])]
    assert lines == [content[0].body, b'{"metadata":{"name":"b","namespace":"n"},"text":"a\\nb"}']


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"metadata":{}}', b'{"metadata":{"name":"other","namespace":"n"}}', b"[]", b"\n"]
)
def test_a_body_that_is_not_the_object_that_it_comes_with_is_a_bug_and_commits_nothing(body):
    store = MemoryStore()
    with ArchiveWriter(store.put("a.tar"), HEADING) as writer:
        writer.begin(OBSERVATION)
        writer.add([RawObject(ObjectKey("n", "a"), KeyFields(), body)])
        with pytest.raises(ValueError, match="n/a"):
            writer.end(consistency="snapshot", resource_versions=())
        with pytest.raises(ValueError, match="n/a"):
            writer.end(consistency="snapshot", resource_versions=())
    assert store.blobs == {}


@pytest.mark.parametrize("first", [3, 1500, 4200])
def test_restart_drops_the_collection_and_nothing_else(first):
    store = MemoryStore()
    with ArchiveWriter(store.put("a.tar"), HEADING) as writer:
        writer.begin(CONFIG_MAP)
        writer.add(objects(7))
        writer.end(consistency="snapshot", resource_versions=("1",))
        writer.begin(OBSERVATION)
        writer.add(objects(first, namespace="zzz"))
        assert writer.restart()
        writer.add(objects(1200))
        writer.end(consistency="restarted", resource_versions=("2",), restarts=1)
        writer.finish(complete=True)
    archive = open_archive(store, "a.tar")
    config_maps, observations = archive.manifest.collections
    assert [key for key, _ in archive.objects(config_maps)] == [str(o.key) for o in objects(7)]
    assert [key for key, _ in archive.objects(observations)] == [str(o.key) for o in objects(1200)]
    assert observations.sorted
    assert verify(store, "a.tar", How(Level.OBJECTS)).problems == ()
    clean = MemoryStore()
    with ArchiveWriter(clean.put("a.tar"), HEADING) as writer:
        writer.begin(CONFIG_MAP)
        writer.add(objects(7))
        writer.end(consistency="snapshot", resource_versions=("1",))
        writer.begin(OBSERVATION)
        writer.add(objects(1200))
        writer.end(consistency="restarted", resource_versions=("2",), restarts=1)
        writer.finish(complete=True)
    assert clean.blobs == store.blobs


def test_restart_says_when_the_store_cannot():
    store = MemoryStore(rewinds=False)
    with ArchiveWriter(store.put("a.tar"), HEADING) as writer:
        writer.begin(OBSERVATION)
        writer.add(objects(5))
        assert writer.restart(), "nothing was stored yet"
        writer.add(objects(1000))
        assert not writer.restart()
        writer.end(consistency="mixed", resource_versions=())
        writer.finish(complete=True)
    assert open_archive(store, "a.tar").footer.objects == 1000


class FailingSink(MemorySink):
    """Fails at the nth write."""

    def __init__(self, store: MemoryStore, at: int) -> None:
        super().__init__(store, "a.tar", rewinds=True)
        self._left = at

    def write(self, data: bytes) -> None:
        self._left -= 1
        if self._left < 0:
            raise Unreachable("no space left")
        super().write(data)


def _everything(writer: ArchiveWriter) -> None:
    writer.begin(OBSERVATION)
    for _ in range(4):
        writer.add(objects(1000))
    writer.end(consistency="snapshot", resource_versions=())
    writer.finish(complete=True)


@pytest.mark.parametrize("at", range(6))
def test_an_error_of_the_worker_surfaces_and_nothing_is_committed(at):
    store = MemoryStore()
    sink = FailingSink(store, at)
    with pytest.raises(Unreachable, match="no space left"), ArchiveWriter(sink, HEADING) as writer:
        _everything(writer)
    assert store.blobs == {}
    assert sink.aborted
    assert not any(thread.name.startswith("zenctl-archive") for thread in threading.enumerate())


def test_after_an_error_every_call_says_so_again():
    store = MemoryStore()
    with ArchiveWriter(FailingSink(store, 0), HEADING) as writer:
        writer.begin(OBSERVATION)
        writer.add(objects(1000))
        for _ in range(2):
            with pytest.raises(Unreachable):
                writer.restart()
        with pytest.raises(Unreachable):
            writer.end(consistency="snapshot", resource_versions=())


def test_leaving_without_finish_aborts():
    store = MemoryStore()
    sink = store.put("a.tar")
    with ArchiveWriter(sink, HEADING) as writer:
        writer.begin(OBSERVATION)
        writer.add(objects(10))
    assert sink.aborted
    assert store.blobs == {}


class GatedSink(MemorySink):
    """Lets one write through for each release of its gate."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store, "a.tar", rewinds=True)
        self.gate = threading.Semaphore(0)

    def write(self, data: bytes) -> None:
        self.gate.acquire()
        super().write(data)


def test_a_slow_store_holds_the_caller_up_after_a_few_chunks():
    sink = GatedSink(MemoryStore())
    added = 0
    stuck = threading.Event()

    def run() -> None:
        nonlocal added
        with ArchiveWriter(sink, HEADING) as writer:
            writer.begin(OBSERVATION)
            for _ in range(20):
                writer.add(objects(1000))
                added += 1
            stuck.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert not stuck.wait(0.3)
    assert added == 2
    for _ in range(20):
        sink.gate.release()
    thread.join(30)
    assert added == 20


class CountingSink:
    """Keeps nothing."""

    def __init__(self) -> None:
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        self.size_bytes += len(data)

    def rewind(self, offset: int) -> bool:
        return False

    def commit(self) -> None: ...
    def abort(self) -> None: ...


def _peak_bytes(count: int) -> int:
    def pages() -> Iterator[list[RawObject[KeyFields]]]:
        for start in range(0, count, 500):
            yield [an_object(ObjectKey("n", f"o{n:08d}"), pad="x" * 2000) for n in range(start, start + 500)]

    tracemalloc.start()
    try:
        with ArchiveWriter(CountingSink(), HEADING) as writer:
            writer.begin(OBSERVATION)
            for page in pages():
                writer.add(page)
            writer.end(consistency="snapshot", resource_versions=())
            writer.finish(complete=True)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_objects():
    # How far the worker lags behind at the peak is chance, and the same chance for both.
    few = max(_peak_bytes(8_000) for _ in range(3))
    many = min(_peak_bytes(40_000) for _ in range(3))
    assert many < few + 2**20
    assert many < 24 * 2**20


def test_the_same_content_gives_the_same_bytes():
    first, second = MemoryStore(), MemoryStore()
    for store in (first, second):
        write(store, "a.tar", [(OBSERVATION, objects(10))])
    assert first.blobs == second.blobs


def test_misuse_is_a_bug():
    with ArchiveWriter(MemoryStore().put("a.tar"), HEADING) as writer:
        with pytest.raises(ValueError, match="no collection"):
            writer.add(objects(1))
        writer.begin(OBSERVATION)
        with pytest.raises(ValueError, match="inside another"):
            writer.begin(CONFIG_MAP)
        with pytest.raises(ValueError, match="not ended"):
            writer.finish(complete=True)
        writer.end(consistency="snapshot", resource_versions=())
        with pytest.raises(ValueError, match="twice"):
            writer.begin(OBSERVATION)


@pytest.mark.parametrize("kind", ["../up", "a/b", "", "Kind\0", "K" * 200, ".hidden"])
def test_a_resource_whose_name_no_archive_can_hold_is_refused(kind):
    with (
        ArchiveWriter(MemoryStore().put("a.tar"), HEADING) as writer,
        pytest.raises(Refused, match="no archive can hold"),
    ):
        writer.begin(ResourceType("zen.kube-zen.io", "v1", kind, "things"))


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 254, "\u200b"])
def test_a_cluster_name_must_fit_into_the_footer(name):
    with pytest.raises(UsageError, match="cluster name"):
        ArchiveWriter(MemoryStore().put("a.tar"), _heading(cluster=Cluster("id", name)))


@pytest.mark.parametrize(
    "changed",
    [
        {"archive_id": "A" * 12},
        {"archive_id": "short"},
        {"set_name": "Backup"},
        {"created_at": CREATED.replace(tzinfo=None)},
        {"created_at": CREATED.replace(year=2300)},
        {"created_at": CREATED.replace(year=1960)},
    ],
)
def test_impossible_headings_are_bugs(changed):
    with pytest.raises(ValueError, match=r"malformed|creation time"):
        ArchiveWriter(MemoryStore().put("a.tar"), _heading(**changed))


def _heading(**changed: object) -> Heading:
    return msgspec.structs.replace(HEADING, **changed)


def test_what_was_left_out_stands_in_footer_and_manifest():
    store = MemoryStore()
    with ArchiveWriter(store.put("a.tar"), HEADING) as writer:
        written = writer.finish(complete=True, left_out=["helm"])
    assert written.footer.left_out == written.manifest.left_out == ("helm",)
    archive = open_archive(store, "a.tar")
    assert (archive.footer, archive.manifest) == (written.footer, written.manifest)
    assert archive.footer.complete


@pytest.mark.parametrize("words", [["Helm"], [""], ["a b"], ["x" * 33], ["a", "b", "c", "d", "e"]])
def test_odd_words_for_what_was_left_out_are_bugs(words):
    store = MemoryStore()
    with pytest.raises(RuntimeError, match="left out is malformed"), ArchiveWriter(store.put("a"), HEADING) as writer:
        writer.finish(complete=True, left_out=words)
    assert store.blobs == {}


def test_a_derived_collection_is_marked_also_after_a_restart():
    store = MemoryStore()
    with ArchiveWriter(store.put("a.tar"), HEADING) as writer:
        for resource, derived in ((OBSERVATION, False), (CONFIG_MAP, True)):
            writer.begin(resource, derived=derived)
            writer.add(objects(3))
            assert writer.restart()
            writer.add(objects(2))
            writer.end(consistency="mixed", resource_versions=())
        writer.finish(complete=True)
    collections = open_archive(store, "a.tar").manifest.collections
    assert [(c.resource.kind, c.derived, c.count) for c in collections] == [
        ("Observation", False, 2), ("ConfigMap", True, 2),
    ]  # fmt: skip


def test_the_footer_holds_the_kinds_that_fit_and_counts_the_others():
    store = MemoryStore()
    heading = _heading(cluster=Cluster("i" * 128, '"' * 253))
    many = [ResourceType(f"group-{n:03d}.example.com", "v1", f"Kind{n}", f"kind{n}s") for n in range(300)]
    with ArchiveWriter(store.put("a.tar"), heading) as writer:
        for place, resource in enumerate(many):
            writer.begin(resource)
            writer.add(objects(1 + (place == 200)))
            writer.end(consistency="snapshot", resource_versions=())
        footer = writer.finish(complete=True, left_out=[f"{n}".rjust(32, "x") for n in range(4)]).footer
    assert next(iter(footer.kinds.items())) == ("Kind200.group-200.example.com", 2)
    assert 5 < len(footer.kinds) < 300
    assert len(footer.kinds) + footer.kinds_omitted == 300
    assert open_archive(store, "a.tar").footer == footer

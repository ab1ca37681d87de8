"""A blob store in memory, and small archives to test with. No test belongs in here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from zenctl.archive.age import Keys, Seal
from zenctl.archive.format import BACKUP, Cluster, Heading
from zenctl.archive.writer import ArchiveWriter, Written
from zenctl.blob.names import absent, require_usable, short, taken
from zenctl.core.objects import CONFIG_MAP, NAMESPACE, KeyFields, Metadata, ObjectKey, RawObject, ResourceType
from zenctl.ports import BlobInfo

OBSERVATION = ResourceType(
    "zen.kube-zen.io", "v1alpha1", "Observation", "zenevents", "zenevent", ("ze",), status_subresource=True
)
CREATED = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)
HEADING = Heading(
    archive_id="1f0c44aa-0b1c-4d2e-8f3a-445566778899",
    set_name=BACKUP,
    cluster=Cluster("7d2f9a10-8f2c-4d7e-9b1a-001122334455", "prod-eu", "v1.32.4"),
    created_at=CREATED,
    tool_version="0.1.0",
)


class Read(NamedTuple):
    """One range that somebody read."""

    name: str
    offset: int
    length: int


class MemoryStore:
    """Satisfies ports.BlobStore; remembers every range that was read."""

    def __init__(self, *, rewinds: bool = True) -> None:
        self.blobs: dict[str, bytes] = {}
        self.reads: list[Read] = []
        self._rewinds = rewinds

    def put(self, name: str) -> MemorySink:
        require_usable(name)
        if name in self.blobs:
            raise taken(name)
        return MemorySink(self, name, rewinds=self._rewinds)

    def size(self, name: str) -> int:
        require_usable(name)
        if name not in self.blobs:
            raise absent(name)
        return len(self.blobs[name])

    def get(self, name: str, offset: int, length: int) -> bytes:
        size_bytes = self.size(name)
        self.reads.append(Read(name, offset, length))
        data = self.blobs[name]
        if min(offset, length) < 0 or offset + length > size_bytes:
            raise short(name, size_bytes, offset + length)
        return data[offset : offset + length]

    def replace(self, name: str, data: bytes) -> None:
        require_usable(name)
        self.blobs[name] = data

    def list(self, prefix: str = "", suffix: str = ".tar") -> Sequence[BlobInfo]:
        found = [name for name in sorted(self.blobs) if name.startswith(prefix) and name.endswith(suffix)]
        return [BlobInfo(name, len(self.blobs[name])) for name in found]

    def delete(self, name: str) -> None:
        require_usable(name)
        self.blobs.pop(name, None)


class MemorySink:
    """Satisfies ports.BlobSink."""

    def __init__(self, store: MemoryStore, name: str, *, rewinds: bool) -> None:
        self._store, self._name, self._rewinds = store, name, rewinds
        self._data = bytearray()
        self.aborted = False

    def write(self, data: bytes) -> None:
        if self.aborted:
            raise ValueError(f"{self._name} was committed or aborted already")
        self._data += data

    def rewind(self, offset: int) -> bool:
        if self._rewinds:
            del self._data[offset:]
        return self._rewinds

    def commit(self) -> None:
        if self._name in self._store.blobs:
            raise taken(self._name)
        self._store.blobs[self._name] = bytes(self._data)

    def abort(self) -> None:
        self.aborted = True


class Mirror(Seal, Keys):
    """Encrypts by turning bytes round: unlike age it makes the same of the same, and sizes that do not vary."""

    def __init__(self) -> None:
        """Need no keys."""

    def close(self, data: bytes) -> bytes:
        return data[::-1]

    def open(self, data: bytes | memoryview, what: str) -> bytes:
        return bytes(data)[::-1]


def an_object(key: ObjectKey, **fields: object) -> RawObject[KeyFields]:
    """Return an object whose body is the compact JSON of its key and these fields."""
    metadata = {"name": key.name, "namespace": key.namespace} if key.namespace else {"name": key.name}
    body = json.dumps({"metadata": metadata, **fields}, separators=(",", ":"), ensure_ascii=False).encode()
    return RawObject(key, KeyFields(Metadata(key.name, key.namespace)), body)


def objects(count: int, *, namespace: str = "default", **fields: object) -> list[RawObject[KeyFields]]:
    """Return objects in key order."""
    return [an_object(ObjectKey(namespace, f"obs-{number:06d}"), **fields) for number in range(count)]


def plain(content: Iterable[RawObject[KeyFields]]) -> bytes:
    """Return the lines of objects."""
    return b"".join(bytes(item.body) + b"\n" for item in content)


def an_object_of(size_bytes: int, name: str) -> RawObject[KeyFields]:
    """Return an object whose body has exactly so many bytes."""
    bare = an_object(ObjectKey("n", name), pad="")
    padded = an_object(ObjectKey("n", name), pad="x" * (size_bytes - len(bare.body)))
    assert len(padded.body) == size_bytes
    return padded


def write(
    store: MemoryStore, name: str, collections: Iterable[tuple[ResourceType, Iterable[RawObject[KeyFields]]]]
) -> Written:
    """Write an archive of these collections, each added in pages of 500."""
    with ArchiveWriter(store.put(name), HEADING) as writer:
        for resource, content in collections:
            page = list(content)
            writer.begin(resource)
            for start in range(0, len(page), 500):
                writer.add(page[start : start + 500])
            writer.end(consistency="snapshot", resource_versions=("12345",))
        return writer.finish(complete=True)


def small_archive(store: MemoryStore, name: str = "small.tar") -> bytes:
    """Write an archive that has everything once, and return its bytes."""
    cluster_scoped = [an_object(ObjectKey("", name)) for name in ("default", "kube-system")]
    write(
        store,
        name,
        [
            (OBSERVATION, objects(5, spec={"severity": "HIGH"})),
            (CONFIG_MAP, objects(1, data={"a": "ä\u2028"})),
            (NAMESPACE, cluster_scoped),
        ],
    )
    return store.blobs[name]

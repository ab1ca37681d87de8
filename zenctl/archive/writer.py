"""Writing an archive: objects in, members out, one commit at the end.

The caller's thread only collects bodies and keys. One worker thread joins, compresses, hashes and stores
each chunk meanwhile; at most a few chunks exist at a time. Nothing here looks into an object beyond its key,
but where members are encrypted: what nobody without a key can judge later is judged before.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC
from itertools import accumulate, chain
from types import TracebackType
from typing import Any, NamedTuple

import msgspec

from zenctl.archive import tar
from zenctl.archive.age import Seal
from zenctl.archive.format import (
    CHUNK_BYTES,
    CHUNK_OBJECTS,
    FOOTER_NAME,
    FORMAT_VERSION,
    MAGIC,
    MANIFEST_BYTES,
    MEMBERS_PER_COLLECTION,
    OBJECT_BYTES,
    Collection,
    Footer,
    Heading,
    Manifest,
    Member,
    Omission,
    Resource,
    SelfCheck,
    decode_footer,
    encode_footer,
    encode_manifest,
    is_archive_id,
    is_resource,
    is_set_name,
    manifest_name,
    member_name,
    seconds,
)
from zenctl.archive.judge import Check, flaws
from zenctl.archive.layout import counts_by_folder, footer_problems, manifest_problems
from zenctl.archive.members import Packer, ascends
from zenctl.core.objects import RawObject, ResourceType
from zenctl.errors import Refused, UsageError
from zenctl.ports import BlobSink

_WAITING_CHUNKS = 2
_CLUSTER_ID_BYTES = 128
_CLUSTER_NAME_BYTES = 253
_VERSION_BYTES = 64
_PROBLEMS_KEPT = 20


class Written(NamedTuple):
    """A committed archive."""

    footer: Footer
    manifest: Manifest
    size_bytes: int


class _Chunk(msgspec.Struct):
    """Objects that will be one member."""

    bodies: list[bytes | memoryview]
    keys: list[str]
    plain_bytes: int = 0


class ArchiveWriter:
    """Writes one archive to a sink: begin, add, end for each collection, then finish.

    With a seal every member and the manifest are encrypted, and every object is judged before, by ``check``
    too where there is one. As a context manager it aborts unless finish was reached. An error of the worker
    surfaces in the next call. All methods belong to one thread.
    """

    def __init__(
        self, sink: BlobSink, heading: Heading, seal: Seal | None = None, check: Check | None = None
    ) -> None:
        self._heading = _checked(heading)
        self._sink = sink
        self._seal = seal
        judge = None if seal is None else _Judge(check)
        self._spool = _Spool(sink, seconds(self._heading.created_at), Packer(seal), judge)
        self._collections: dict[str, Collection] = {}
        self._current: _Current | None = None
        self._finished = False

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._finished:
            self.abort()

    def begin(self, resource: ResourceType, *, derived: bool = False) -> None:
        """Start the collection of a resource; each may come once. Raises Refused for an unusable name.

        ``derived`` objects are made from those of other collections, for people to read.
        """
        facts = Resource.of(resource)
        if self._current is not None or facts.folder in self._collections:
            raise ValueError(f"collection {facts.folder} is begun inside another, or twice")
        if not is_resource(facts):
            raise Refused(f"resource {facts.plural!r} in folder {facts.folder!r} has a name that no archive can hold")
        self._current = _Current(facts, self._spool.mark(), derived=derived)
        self._spool.open_folder(facts)

    def add(self, objects: Sequence[RawObject[Any]]) -> None:
        """Append objects in the server's order; their bodies must stay as they are until end.

        Raises Refused for an object beyond 64 MiB, and whatever the sink raised meanwhile.
        """
        current = self._collection()
        keys = [f"{namespace}/{name}" if namespace else name for (namespace, name), _, _ in objects]
        bodies = [body for _, _, body in objects]
        sizes = [len(body) + 1 for body in bodies]
        if not keys:
            return
        if max(sizes) > OBJECT_BYTES + 1:
            raise Refused(
                f"object {keys[sizes.index(max(sizes))]} has {max(sizes) - 1:,} bytes,"
                f" more than the {OBJECT_BYTES:,} that an archive holds"
            )
        current.note(keys)
        ends = list(accumulate(sizes))
        start = 0
        while start < len(bodies):
            start = self._fill(current, (keys, bodies, ends), start)

    def _fill(
        self, current: _Current, page: tuple[list[str], list[bytes | memoryview], list[int]], start: int
    ) -> int:
        """Put as much of a page into the pending chunk as fits, store it when full, and return where to go on."""
        keys, bodies, ends = page
        chunk = current.chunk
        before = ends[start - 1] if start else 0
        fits = bisect_right(ends, before + CHUNK_BYTES - chunk.plain_bytes, start)
        stop = min(fits, start + CHUNK_OBJECTS - len(chunk.bodies))
        if stop == start and not chunk.bodies:
            stop = start + 1  # an object beyond the limit of a chunk is a chunk by itself
        chunk.keys += keys[start:stop]
        chunk.bodies += bodies[start:stop]
        chunk.plain_bytes += ends[stop - 1] - before if stop > start else 0
        if stop < len(bodies) or len(chunk.bodies) == CHUNK_OBJECTS or chunk.plain_bytes >= CHUNK_BYTES:
            self._store(current)
        return stop

    def _store(self, current: _Current) -> None:
        chunk, current.chunk = current.chunk, _Chunk([], [])
        current.chunks += 1
        if current.chunks > MEMBERS_PER_COLLECTION:
            raise Refused(f"collection {current.resource.folder} is larger than an archive can hold")
        self._spool.submit(chunk)

    def restart(self) -> bool:
        """Drop what the current collection holds so far; False, and nothing changes, where the sink cannot."""
        current = self._collection()
        if not self._spool.back_to(current.mark):
            return False
        self._current = _Current(current.resource, current.mark, derived=current.derived)
        return True

    def end(self, *, consistency: str, resource_versions: Sequence[str], restarts: int = 0) -> Collection:
        """Close the current collection and say what its listing was worth."""
        current = self._collection()
        if current.chunk.bodies:
            self._store(current)
        members = self._spool.close_folder()
        collection = Collection(
            resource=current.resource,
            resource_versions=tuple(resource_versions),
            consistency=consistency,
            restarts=restarts,
            count=sum(member.count for member in members),
            sorted=current.ascending,
            members=members,
            derived=current.derived,
        )
        self._collections[collection.folder] = collection
        self._current = None
        return collection

    def finish(self, *, complete: bool, omissions: Sequence[Omission] = (), left_out: Sequence[str] = ()) -> Written:
        """Write manifest and footer and commit; only now does anybody see the archive.

        An omission is what could not be read, and ``left_out`` what was knowingly not read.
        """
        if self._current is not None:
            raise ValueError(f"collection {self._current.resource.folder} was not ended")
        manifest = self._manifest(tuple(omissions), tuple(left_out), complete=complete)
        data = encode_manifest(manifest)
        data = data if self._seal is None else self._seal.close(data)
        if len(data) > MANIFEST_BYTES:
            raise Refused(f"manifest has {len(data):,} bytes, more than the {MANIFEST_BYTES:,} of this format")
        name = manifest_name(encrypted=self._seal is not None)
        offset, content_sha256 = self._spool.append(name, data)
        footer_data = encode_footer(self._footer(manifest, data, offset, content_sha256), counts_by_folder(manifest))
        footer = decode_footer(footer_data)
        size_bytes = self._spool.append_tail(footer_data)
        problem = next(chain(footer_problems(footer, size_bytes), manifest_problems(manifest, footer)), None)
        if problem is not None:
            raise RuntimeError(f"the archive would be refused by its reader: {problem}")
        self._spool.stop()
        self._sink.commit()
        self._finished = True
        return Written(footer, manifest, size_bytes)

    def abort(self) -> None:
        """Leave nothing behind; harmless at any time, also after finish."""
        self._spool.stop()
        self._sink.abort()

    def _collection(self) -> _Current:
        if self._current is None:
            raise ValueError("no collection was begun")
        return self._current

    def _manifest(self, omissions: tuple[Omission, ...], left_out: tuple[str, ...], *, complete: bool) -> Manifest:
        heading = self._heading
        return Manifest(
            format_version=FORMAT_VERSION,
            archive_id=heading.archive_id,
            set_name=heading.set_name,
            cluster=heading.cluster,
            created_at=heading.created_at,
            tool_version=heading.tool_version,
            scope=heading.scope,
            collections=tuple(self._collections.values()),
            omissions=omissions,
            complete=complete,
            self_check=self._spool.self_check(),
            left_out=left_out,
        )

    def _footer(self, manifest: Manifest, data: bytes, offset: int, content_sha256: str) -> Footer:
        return Footer(
            magic=MAGIC,
            format_version=manifest.format_version,
            archive_id=manifest.archive_id,
            set_name=manifest.set_name,
            cluster_id=manifest.cluster.id,
            cluster_name=manifest.cluster.name,
            created_at=manifest.created_at,
            complete=manifest.complete,
            whole=manifest.scope.namespaces is None,
            encrypted=self._seal is not None,
            objects=manifest.objects,
            members=manifest.members,
            plain_bytes=manifest.plain_bytes,
            kinds={},
            kinds_omitted=0,
            manifest_offset=offset,
            manifest_size=len(data),
            manifest_sha256=hashlib.sha256(data).hexdigest(),
            content_sha256=content_sha256,
            left_out=manifest.left_out,
        )


class _Mark(NamedTuple):
    """A place in the file to come back to."""

    offset: int
    digest: hashlib._Hash


class _Current:
    """The collection that is being written, as the caller's thread knows it."""

    def __init__(self, resource: Resource, mark: _Mark, *, derived: bool) -> None:
        self.resource = resource
        self.derived = derived
        self.mark = mark
        self.chunk = _Chunk([], [])
        self.chunks = 0
        self.ascending = True
        self._last_key = ""

    def note(self, keys: list[str]) -> None:
        """Follow whether keys ascend."""
        if self.ascending:
            self.ascending = self._last_key < keys[0] and ascends(keys)
            self._last_key = keys[-1]


class _Judge:
    """Looks into every object before it is encrypted, and keeps a bounded account; belongs to the worker."""

    def __init__(self, check: Check | None) -> None:
        self._check = check
        self._resource: Resource | None = None
        self._begun = SelfCheck(0, 0, ())
        self.result = self._begun

    def open_folder(self, resource: Resource) -> None:
        """Judge what comes as objects of this resource."""
        self._resource, self._begun = resource, self.result

    def restart(self) -> None:
        """Forget what the open folder held."""
        self.result = self._begun

    def judge(self, bodies: Sequence[bytes | memoryview]) -> None:
        """Judge a chunk."""
        assert self._resource is not None
        before = self.result
        folder = self._resource.folder
        found = [
            f"{folder} {flaw.key or 'without a readable key'}: {flaw.what}"
            for flaw in flaws(self._resource, list(map(bytes, bodies)), self._check)
        ]
        self.result = SelfCheck(
            objects=before.objects + len(bodies),
            problem_count=before.problem_count + len(found),
            problems=(*before.problems, *found)[:_PROBLEMS_KEPT],
        )


class _Spool:
    """The worker and what belongs to it: the sink, the offset, the digest of all bytes, the open folder.

    Other methods than submit wait until the worker is idle, so nothing is shared while it works.
    """

    def __init__(self, sink: BlobSink, time_seconds: int, packer: Packer, judge: _Judge | None) -> None:
        self._sink = sink
        self._time_seconds = time_seconds
        self._packer = packer
        self._judge = judge
        self._worker = ThreadPoolExecutor(1, "zenctl-archive")
        self._jobs: deque[Future[None]] = deque()
        self._error: BaseException | None = None
        self._offset = 0
        self._digest = hashlib.sha256()
        self._folder = ""
        self._members: list[Member] = []

    def submit(self, chunk: _Chunk) -> None:
        """Have a chunk stored; waits while too many are under way."""
        while len(self._jobs) >= _WAITING_CHUNKS:
            self._jobs.popleft().result()
        self._jobs.append(self._worker.submit(self._store, chunk))

    def _store(self, chunk: _Chunk) -> None:
        if self._error is not None:
            return  # what follows a failed chunk must not be written at its place
        try:
            if self._judge is not None:
                self._judge.judge(chunk.bodies)
            packed = self._packer.pack(chunk.bodies, chunk.keys[0], chunk.keys[-1])
            name = member_name(self._folder, len(self._members) + 1, encrypted=self._judge is not None)
            offset = self._offset
            self._write(tar.member(name, packed.stored, self._time_seconds))
        except BaseException as error:
            self._error = error
            raise
        self._members.append(
            Member(
                name=name,
                offset=offset,
                stored_size=len(packed.stored),
                stored_sha256=packed.stored_sha256,
                plain_size=packed.plain_size,
                plain_sha256=packed.plain_sha256,
                count=len(chunk.keys),
                first_key=chunk.keys[0],
                last_key=chunk.keys[-1],
            )
        )

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self._sink.write(data)
        self._offset += len(data)

    def _wait(self) -> None:
        while self._jobs:
            self._jobs.popleft().result()
        if self._error is not None:
            raise self._error  # again: nothing may be written or committed after a failure

    def mark(self) -> _Mark:
        """Return the present place."""
        self._wait()
        return _Mark(self._offset, self._digest.copy())

    def back_to(self, mark: _Mark) -> bool:
        """Forget everything from a mark on; False where the sink cannot."""
        self._wait()
        if self._offset != mark.offset and not self._sink.rewind(mark.offset):
            return False
        self._offset, self._digest = mark.offset, mark.digest.copy()
        self._members = []
        if self._judge is not None:
            self._judge.restart()
        return True

    def open_folder(self, resource: Resource) -> None:
        """Store the chunks to come in the folder of this resource."""
        self._folder, self._members = resource.folder, []
        if self._judge is not None:
            self._judge.open_folder(resource)

    def self_check(self) -> SelfCheck | None:
        """Return what was found in the objects; None where nobody looked."""
        self._wait()
        return None if self._judge is None else self._judge.result

    def close_folder(self) -> tuple[Member, ...]:
        """Return the members of the folder."""
        self._wait()
        return tuple(self._members)

    def append(self, name: str, data: bytes) -> tuple[int, str]:
        """Write a member, and return where it begins and the digest of all bytes up to its end."""
        self._wait()
        offset = self._offset
        self._write(tar.member(name, data, self._time_seconds))
        return offset, self._digest.hexdigest()

    def append_tail(self, footer: bytes) -> int:
        """Write the footer and the end of the file, and return its size."""
        self._write(tar.member(FOOTER_NAME, footer, self._time_seconds) + bytes(tar.END_BYTES))
        return self._offset

    def stop(self) -> None:
        """End the worker, dropping what it has not begun."""
        self._worker.shutdown(cancel_futures=True)
        self._jobs.clear()


def _checked(heading: Heading) -> Heading:
    """Return a heading that fits into a footer, its time in whole seconds. Raises UsageError, ValueError."""
    if not is_archive_id(heading.archive_id) or not is_set_name(heading.set_name):
        raise ValueError(f"archive id {heading.archive_id!r} or set {heading.set_name!r} is malformed")
    cluster = heading.cluster
    limits = (
        ("cluster id", cluster.id, _CLUSTER_ID_BYTES),
        ("cluster name", cluster.name, _CLUSTER_NAME_BYTES),
        ("tool version", heading.tool_version, _VERSION_BYTES),
    )
    for what, text, limit_bytes in limits:
        if not text or not text.isprintable() or len(text.encode()) > limit_bytes:
            raise UsageError(
                f"{what} {text!r} is not printable text of 1 to {limit_bytes} bytes",
                hint="name the cluster with --cluster-name",
            )
    if heading.created_at.tzinfo is None or not 0 <= seconds(heading.created_at) <= tar.MAX_TIME_SECONDS:
        raise ValueError(f"creation time {heading.created_at} has no zone or is not between 1970 and 2242")
    created_at = heading.created_at.astimezone(UTC).replace(microsecond=0)
    return msgspec.structs.replace(heading, created_at=created_at)

"""A restore drill: an empty cluster in this process, the real restore into it, then every object compared.

What it proves is that the archive brings back what it holds, by the code that an emergency would run. It needs no
cluster and changes none. In memory is the embedded cluster, so the number of objects has a limit; see sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple, Protocol

from zenctl.access.identity import ALWAYS_ALLOWED_GROUP, User
from zenctl.archive.reader import Archive
from zenctl.backup.compare import Change, Judge, join
from zenctl.backup.notes import DrillRecord
from zenctl.backup.tally import Tally
from zenctl.core.objects import KeyFields, ObjectKey, ResourceType
from zenctl.drill.sample import Sample, choose
from zenctl.errors import NotFound, ZenctlError
from zenctl.ports import AccessReviewer, Clock, Discovery, ObjectReader, ObjectWriter, Progress, Workers
from zenctl.restore.apply import Outcome, apply
from zenctl.restore.batch import Batch, LeftOut
from zenctl.restore.decide import OnConflict
from zenctl.restore.read import RestorePorts, read_and_plan
from zenctl.restore.source import ArchiveSource
from zenctl.sandbox.apiserver.messages import Response
from zenctl.sandbox.apiserver.server import ApiServer, Options

MAX_OBJECTS = 50_000
"""Beyond so many objects a sample of so many is drilled."""
_REMEMBERED_CHANGES = 1_000
"""Nobody watches the embedded cluster or reads its past, so it need not remember more."""
_TOKEN = "drill"  # noqa: S105 - of a server that nothing outside this process can reach


class EmbeddedCluster(NamedTuple):
    """The ports to an embedded cluster."""

    discovery: Discovery
    reader: ObjectReader
    writer: ObjectWriter
    reviewer: AccessReviewer
    workers: Workers


Call = Callable[[str, str, Iterable[tuple[str, str]], bytes], Response]
"""Method, request target, header lines, body."""


class Connect(Protocol):
    """Makes the ports to a server that is called with a token."""

    def __call__(self, call: Call, token: str) -> EmbeddedCluster:
        """Return the ports."""


class DrillPorts(NamedTuple):
    """What a drill needs of the world."""

    connect: Connect
    progress: Progress
    clock: Clock


class DrillOptions(NamedTuple):
    """How much is drilled, and which part where that is not all."""

    max_objects: int = MAX_OBJECTS
    seed: int = 0


class Failure(NamedTuple):
    """An object that the embedded cluster did not take."""

    kind: str
    key: str
    why: str


class Drilled(NamedTuple):
    """What a drill found. Added is what only the restored cluster has, removed what it lacks."""

    archive: Archive
    options: DrillOptions
    at: datetime
    restorable: int
    """How many objects of the archive a restore brings back."""
    drilled: int
    sampled: bool
    tally: Tally
    failures: tuple[Failure, ...]
    unreadable: tuple[str, ...]
    not_restored: tuple[LeftOut, ...]
    """What a restore passes over, as it is meant to."""
    stopped: str
    """Why the restore ended before its time; "" where it did not."""
    restore_seconds: float
    seconds: float

    @property
    def equal(self) -> bool:
        """Whether everything came back as the archive holds it."""
        return not (self.tally.differing or self.failures or self.unreadable or self.stopped)

    @property
    def refused(self) -> frozenset[tuple[str, str]]:
        """Kind and key of every object that is missing because the embedded cluster did not take it."""
        return frozenset((failure.kind, failure.key) for failure in self.failures)

    @property
    def record(self) -> DrillRecord:
        """What is worth remembering."""
        return DrillRecord(at=self.at, equal=self.equal, sampled=self.sampled, seconds=round(self.seconds, 3))


def drill(
    ports: DrillPorts,
    archive: Archive,
    options: DrillOptions,
    record: Callable[[DrillRecord], None] | None = None,
) -> Drilled:
    """Restore an archive into an embedded cluster and compare. Raises Damaged, and Refused without its keys.

    ``record`` is told of the drill when it has ended, however it has.
    """
    found = _Drill(ports, archive, options).run()
    if record is not None:
        record(found.record)
    return found


class _Nowhere:
    """Keeps nothing of what was rejected; satisfies RejectSink."""

    def write(self, line: bytes) -> None:
        """Let go."""


class _Drill:
    def __init__(self, ports: DrillPorts, archive: Archive, options: DrillOptions) -> None:
        self._ports = ports
        self._archive = archive
        self._options = options
        server = ApiServer(ports.clock.now, Options(seed=options.seed, most_changes=_REMEMBERED_CHANGES))
        server.tokens.add(_TOKEN, User("drill", (ALWAYS_ALLOWED_GROUP,)))
        self._cluster = ports.connect(server.call, _TOKEN)

    def run(self) -> Drilled:
        """Restore, compare, and say how long it took."""
        clock = self._ports.clock
        at, began = clock.now(), clock.monotonic()
        sample = choose(self._archive, self._options.max_objects, self._options.seed)
        outcome, stopped = self._restore(sample)
        restored = clock.monotonic()
        tally = Tally()
        for batch in sample.batches():
            if batch.objects or batch.is_definitions:
                self._compare(sample, batch, tally)
        return Drilled(
            archive=self._archive,
            options=self._options,
            at=at,
            restorable=sum(batch.objects for batch in ArchiveSource(self._archive).batches()),
            drilled=sum(batch.objects for batch in sample.batches()),
            sampled=sample.is_part,
            tally=tally,
            failures=_failures(outcome),
            unreadable=outcome.plan.unreadable if outcome else (),
            not_restored=sample.left_out,
            stopped=stopped,
            restore_seconds=restored - began,
            seconds=clock.monotonic() - began,
        )

    def _restore(self, source: Sample) -> tuple[Outcome | None, str]:
        """Do what zenctl restore does to an empty cluster; return why it stopped where it did."""
        cluster = self._cluster
        ports = RestorePorts(
            discovery=cluster.discovery,
            reader=cluster.reader,
            writer=cluster.writer,
            reviewer=cluster.reviewer,
            workers=cluster.workers,
            progress=self._ports.progress,
            clock=self._ports.clock,
            rejects=_Nowhere(),
        )
        try:
            return apply(ports, read_and_plan(ports, source, OnConflict.SKIP)), ""
        except ZenctlError as error:
            if source.failed is not None:
                raise
            return None, error.message

    def _compare(self, sample: Sample, batch: Batch, tally: Tally) -> None:
        resource = sample.resource(batch)
        judge = Judge(resource)
        tally.begin(resource)
        self._ports.progress.begin(f"comparing {resource.plural}", batch.objects)
        for key, archived, restored in join(sample.in_key_order(batch), self._restored(sample, batch)):
            self._ports.progress.advance()
            if archived is None:
                tally.one_sided(key, Change.ADDED)
            elif restored is None:
                tally.one_sided(key, Change.REMOVED)
            else:
                tally.both(key, judge.differences(key, archived, restored))
        self._ports.progress.end()

    def _restored(self, sample: Sample, batch: Batch) -> Iterator[tuple[str, bytes]]:
        """Yield the objects of a kind in the embedded cluster; of built-in kinds those that were to be restored."""
        resource = sample.resource(batch)
        try:
            if resource.built_in:
                yield from self._looked_up(resource, sample.in_key_order(batch))
                return
            for page in self._cluster.reader.pages(resource, KeyFields, whole=True):
                yield from ((str(item.key), bytes(item.body)) for item in page.objects)
        except NotFound:
            return  # the kind is not even served

    def _looked_up(self, resource: ResourceType, wanted: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        for key, _ in wanted:
            namespace, _, name = key.rpartition("/")
            try:
                found = self._cluster.reader.get(resource, ObjectKey(namespace, name), KeyFields)
            except NotFound:
                continue
            yield key, bytes(found.body)


def _failures(outcome: Outcome | None) -> tuple[Failure, ...]:
    if outcome is None:
        return ()
    return tuple(Failure(each.kind, str(each.key), each.error.message) for each in outcome.failures)

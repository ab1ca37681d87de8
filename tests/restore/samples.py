"""Archives and files to restore from, and the ports to do it with. No test belongs in here."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, NamedTuple

import msgspec

from tests.backup.samples import a_cluster, back_up, definition
from tests.fakes import Call, FakeCluster, FixedClock, SequentialWorkers, SilentProgress
from zenctl.core.objects import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE
from zenctl.core.observation import GROUP
from zenctl.product.crd import OBSERVATIONS
from zenctl.restore.apply import Done, Outcome, StatusDone, apply
from zenctl.restore.batch import Source
from zenctl.restore.decide import OnConflict
from zenctl.restore.plan import Plan
from zenctl.restore.read import RestorePorts, read_and_plan
from zenctl.restore.source import ArchiveSource, FilesSource

WRITES = ("create", "update", "delete")


class Rejects(list[bytes]):
    """Keeps what was rejected in memory; satisfies RejectSink."""

    def write(self, line: bytes) -> None:
        self.append(bytes(line))


class Run(NamedTuple):
    """A restore that was done, with what it left."""

    cluster: FakeCluster
    plan: Plan
    outcome: Outcome
    rejects: Rejects

    @property
    def done(self) -> dict[Done, int]:
        """What became of all objects."""
        return _summed([batch.done for batch in self.outcome.batches])

    @property
    def status(self) -> dict[StatusDone, int]:
        """What became of their status."""
        return _summed([batch.status for batch in self.outcome.batches])


def _summed(parts: list[dict[Any, int]]) -> dict[Any, int]:
    total: dict[Any, int] = {}
    for part in parts:
        for key, count in part.items():
            total[key] = total.get(key, 0) + count
    return total


def empty_cluster(*, crd: bool = True) -> FakeCluster:
    """Return a cluster as a fresh one is; its CRDs are established as soon as they are created."""
    cluster = EstablishingCluster(OBSERVATIONS, CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE)
    for name in ("default", "kube-system"):
        cluster.put(NAMESPACE, {"metadata": {"name": name}})
    if crd:
        cluster.put(CUSTOM_RESOURCE_DEFINITION, definition())
    return cluster


class EstablishingCluster(FakeCluster):
    """A cluster that serves Observations only while their CRD is there, and establishes it on the third look."""

    def group(self, group: str) -> Any:
        return super().group(group) if self._crd_served() else ()

    def _request(self, call: Call) -> None:
        super()._request(call)
        if call.resource == CUSTOM_RESOURCE_DEFINITION and call.verb == "get":
            self._establish(call)

    def _establish(self, call: Call) -> None:
        looks = [c for c in self.calls if c == call]
        if call.key in self.keys(CUSTOM_RESOURCE_DEFINITION) and len(looks) >= 3:
            stored = self.stored(CUSTOM_RESOURCE_DEFINITION, call.key)
            if "status" not in stored:
                self.put(CUSTOM_RESOURCE_DEFINITION, {**stored, "status": definition()["status"]})

    def _crd_served(self) -> bool:
        return any(
            "status" in self.stored(CUSTOM_RESOURCE_DEFINITION, key) for key in self.keys(CUSTOM_RESOURCE_DEFINITION)
        )


def ports_of(cluster: FakeCluster, rejects: Rejects | None = None) -> RestorePorts:
    return RestorePorts(
        discovery=cluster,
        reader=cluster,
        writer=cluster,
        reviewer=cluster,
        workers=SequentialWorkers(),
        progress=SilentProgress(),
        clock=FixedClock(),
        rejects=rejects if rejects is not None else Rejects(),
    )


def plan_of(cluster: FakeCluster, source: Source, policy: OnConflict = OnConflict.SKIP) -> Plan:
    return read_and_plan(ports_of(cluster), source, policy)


def restore(cluster: FakeCluster, source: Source, policy: OnConflict = OnConflict.SKIP) -> Run:
    rejects = Rejects()
    ports = ports_of(cluster, rejects)
    plan = read_and_plan(ports, source, policy)
    return Run(cluster, plan, apply(ports, plan), rejects)


def archive_of(cluster: FakeCluster | None = None, *, asked: Set[str] = frozenset(), **changes: Any) -> ArchiveSource:
    """Return the backup of a cluster as a source, of which these kinds are asked for."""
    return ArchiveSource(back_up(cluster or a_cluster(), **changes)[1], asked)


def files_of(files: Mapping[str, bytes | str], group: str = GROUP, asked: Set[str] = frozenset()) -> FilesSource:
    encoded = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
    return FilesSource("files", encoded, group, asked)


def file_of(*objects: Any) -> FilesSource:
    """Return a source of one file of JSON lines."""
    return files_of({"objects.ndjson": b"\n".join(msgspec.json.encode(value) for value in objects)})


def writes(cluster: FakeCluster) -> list[str]:
    return [call.rule for call in cluster.calls if call.verb in WRITES]

"""Observations to judge, and the ports to clean up with. No test belongs in here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from tests.archive.fakes import MemoryStore
from tests.fakes import NOW, FakeCluster, FixedClock, SequentialWorkers, SilentProgress
from zenctl.cleanup.brakes import NO_LIMITS, Limits
from zenctl.cleanup.judge import Policy, Rule
from zenctl.cleanup.plan import Candidate, Plan, Planner
from zenctl.cleanup.run import (
    Answer,
    CleanupPorts,
    Outcome,
    Question,
    UndoRequest,
    archive,
    candidates,
    delete,
    read_and_plan,
)
from zenctl.cleanup.spool import Spool
from zenctl.core.instants import format_instant
from zenctl.core.objects import ObjectKey, RawObject, ResourceType
from zenctl.core.observation import GROUP, ObservationFields
from zenctl.ports import ALL, BlobStore, ListQuery
from zenctl.product.crd import OBSERVATIONS

WEEK = timedelta(days=7)
CUTOFF = NOW - WEEK
RULE = Rule(older_than=WEEK)
POLICY = Policy((RULE,))
OLD = "2026-11-01T00:00:00Z"
YOUNG = "2026-11-22T00:00:00Z"


def ago(**span: float) -> str:
    """Return the RFC 3339 text of an instant so far before NOW."""
    return format_instant(NOW - timedelta(**span))


def observation(
    name: str = "a",
    namespace: str = "team-a",
    *,
    phase: object = "Resolved",
    created: object = YOUNG,
    status: object = None,
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    deletion: str | None = None,
    **spec: object,
) -> dict[str, Any]:
    """Return an Observation; ``status`` adds to a status with the phase, or replaces it where it is no object."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    optional = {
        "creationTimestamp": created,
        "annotations": annotations,
        "labels": labels,
        "deletionTimestamp": deletion,
    }
    metadata.update({key: value for key, value in optional.items() if value is not None})
    found = {
        "apiVersion": OBSERVATIONS.api_version,
        "kind": OBSERVATIONS.kind,
        "metadata": metadata,
        "spec": {"source": "trivy", "severity": "HIGH", **spec},
    }
    whole = {"phase": phase, **status} if isinstance(status, dict) else {"phase": phase} if status is None else status
    return {**found, "status": whole}


def fields(document: dict[str, Any]) -> ObservationFields:
    return msgspec.json.decode(msgspec.json.encode(document), type=ObservationFields)


def raw(document: dict[str, Any]) -> RawObject[ObservationFields]:
    metadata = document["metadata"]
    key = ObjectKey(metadata["namespace"], metadata["name"])
    return RawObject(key, fields(document), msgspec.json.encode(document))


def cluster_of(*documents: dict[str, Any], now: datetime = NOW, page_size: int = 2) -> FakeCluster:
    cluster = FakeCluster(OBSERVATIONS, now=now, page_size=page_size)
    for document in documents:
        cluster.put(OBSERVATIONS, document)
    return cluster


def ports_of(cluster: FakeCluster) -> CleanupPorts:
    return CleanupPorts(
        discovery=cluster,
        reader=cluster,
        writer=cluster,
        reviewer=cluster,
        info=cluster,
        workers=SequentialWorkers(),
        progress=SilentProgress(),
        clock=FixedClock(cluster.time),
    )


class MemoryScratch:
    """A scratch file in memory; satisfies spool.Scratch."""

    def __init__(self) -> None:
        self.data = bytearray()

    def append(self, data: bytes) -> int:
        self.data += data
        return len(self.data) - len(data)

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self.data[offset : offset + length])

    def truncate(self, size: int) -> None:
        del self.data[size:]


class Notes(list[tuple[str, str, str]]):
    """An audit log in memory; satisfies run.AuditLog."""

    def note(self, found: Candidate, answer: Answer, error: str) -> None:
        self.append((found.key.name, answer.value, error))


class Planned(NamedTuple):
    """A plan, and what it would delete."""

    plan: Plan
    spool: Spool


def planned(
    cluster: FakeCluster, policy: Policy = POLICY, query: ListQuery = ALL, limits: Limits = NO_LIMITS
) -> Planned:
    """Plan a cleanup."""
    spool = Spool(MemoryScratch())
    question = Question(GROUP, policy, query, limits, timedelta(hours=1))
    return Planned(read_and_plan(ports_of(cluster), question, spool), spool)


def keys_of(found: Planned) -> list[ObjectKey]:
    """Return what a plan would delete."""
    return [candidate.key for candidate in candidates(found.spool, found.plan)]


def request_to(store: BlobStore) -> UndoRequest:
    """Return where the archive of what goes is to lie."""
    return UndoRequest(store, "63ed0583-4701-411b-bd63-8d0a594e66ef", "prod", None, "1.0")


def carried_out(cluster: FakeCluster, found: Planned, store: BlobStore | None = None) -> Outcome:
    """Archive and delete."""
    ports = ports_of(cluster)
    undo = archive(ports, found.plan, found.spool, request_to(store or MemoryStore()))
    return delete(ports, found.plan, found.spool, Notes(), undo)


def plan_cleanup(
    objects: Iterable[tuple[ResourceType, RawObject[ObservationFields]]], policy: Policy, now: datetime
) -> Plan:
    """Judge every Observation and return the plan."""
    planner = Planner(policy, now)
    for resource, item in objects:
        planner.add(resource, item)
    return planner.plan()

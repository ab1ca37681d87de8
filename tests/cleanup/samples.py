"""Observations to judge, and the ports to clean up with. No test belongs in here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from tests.fakes import NOW, FakeCluster, FixedClock, SequentialWorkers, SilentProgress
from zenctl.cleanup.plan import Rule
from zenctl.cleanup.run import CleanupPorts
from zenctl.core.instants import format_instant
from zenctl.core.observation import ObservationFields
from zenctl.product.crd import OBSERVATIONS

WEEK = timedelta(days=7)
CUTOFF = NOW - WEEK
RULE = Rule(older_than=WEEK)
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
    deletion: str | None = None,
    **spec: object,
) -> dict[str, Any]:
    """Return an Observation; ``status`` adds to a status with the phase, or replaces it where it is no object."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    optional = {"creationTimestamp": created, "annotations": annotations, "deletionTimestamp": deletion}
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


def cluster_of(*documents: dict[str, Any], now: datetime = NOW, page_size: int = 2) -> FakeCluster:
    cluster = FakeCluster(OBSERVATIONS, now=now, page_size=page_size)
    for document in documents:
        cluster.put(OBSERVATIONS, document)
    return cluster


def ports_of(cluster: FakeCluster) -> CleanupPorts:
    return CleanupPorts(cluster, cluster, cluster, cluster, SequentialWorkers(), SilentProgress(), FixedClock())

"""Observations, clusters and ports for the tests of the triage desk."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.fakes import NOW, FakeCluster, SequentialWorkers, SilentProgress
from zenctl.core.instants import format_instant
from zenctl.core.observation import GROUP, ObservationFields
from zenctl.events.rows import EventRow, row_of
from zenctl.events.run import EventsPorts
from zenctl.events.settle import Action, Decision
from zenctl.product.crd import OBSERVATIONS

WITHOUT_STATUS = msgspec.structs.replace(OBSERVATIONS, plural="observations", singular="observation",
                                         short_names=(), status_subresource=False)  # fmt: skip
"""The kind as another vendor's CRD may serve it."""
DECISION = Decision(Action.RESOLVE, NOW, "ann", "patched")


def observation(name: str, namespace: str = "team-a", *, status: Any = None, **spec: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "apiVersion": OBSERVATIONS.api_version,
        "kind": OBSERVATIONS.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"source": "trivy", "severity": "HIGH", "timestamp": format_instant(NOW), **spec},
    }
    return document if status is None else {**document, "status": status}


def fields(document: dict[str, Any]) -> ObservationFields:
    return msgspec.convert(document, ObservationFields)


def row(name: str = "a", namespace: str = "team-a", *, status: Any = None, **spec: Any) -> EventRow:
    return row_of(fields(observation(name, namespace, status=status, **spec)), NOW)


def cluster_of(*documents: dict[str, Any]) -> FakeCluster:
    cluster = FakeCluster(OBSERVATIONS)
    for document in documents:
        cluster.put(OBSERVATIONS, document)
    return cluster


def ports_of(cluster: FakeCluster) -> EventsPorts:
    return EventsPorts(cluster, cluster, cluster, SequentialWorkers(), SilentProgress())


__all__ = ["DECISION", "GROUP", "WITHOUT_STATUS", "cluster_of", "fields", "observation", "ports_of", "row"]

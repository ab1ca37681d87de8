"""A cluster worth a backup, and the ports to make one. No test belongs in here."""

from __future__ import annotations

from typing import Any

from tests.archive.fakes import MemoryStore, Mirror
from tests.fakes import FakeCluster, FixedClock, SilentProgress
from zenctl.archive.format import BACKUP
from zenctl.archive.reader import Archive, open_archive
from zenctl.backup.create import BackupPorts, BackupRequest, Created, create_backup
from zenctl.core.documents import documents
from zenctl.core.objects import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE, ResourceType
from zenctl.core.observation import GROUP
from zenctl.manifests.load import crd_yaml
from zenctl.product.crd import OBSERVATIONS

UID = "00000000-0000-4000-8000-00000000c10c"
"""What the cluster of the fakes calls itself."""
OBSERVATION_FOLDER = OBSERVATIONS.kind_and_group


def observation(name: str, namespace: str = "team-a", *, phase: str = "Resolved", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": OBSERVATIONS.api_version,
        "kind": OBSERVATIONS.kind,
        "metadata": {"name": name, "namespace": namespace, "labels": {"severity": "high"}},
        "spec": {"source": "trivy", "severity": "HIGH", "message": "ä\u2028b", **spec},
        "status": {"phase": phase, "count": 3},
    }


def config_map(name: str, namespace: str = "zen-system", **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def definition() -> dict[str, Any]:
    """Return the CRD that we ship, as a server gives it out."""
    (found,) = documents(crd_yaml().encode())
    conditions = [{"type": t, "status": "True"} for t in ("NamesAccepted", "Established")]
    return {**found, "status": {"conditions": conditions}}


def a_cluster(*more: ResourceType, observations: int = 5, page_size: int = 2) -> FakeCluster:
    """Return a cluster with our CRD, two namespaces, Observations in them and the watcher's ConfigMaps."""
    cluster = FakeCluster(OBSERVATIONS, CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE, *more, page_size=page_size)
    cluster.put(CUSTOM_RESOURCE_DEFINITION, definition())
    for name in ("team-a", "team-b", "zen-system", "kube-system"):
        cluster.put(NAMESPACE, {"metadata": {"name": name}})
    for number in range(observations):
        cluster.put(OBSERVATIONS, observation(f"o-{number:05d}", ("team-a", "team-b")[number % 2]))
    for name in ("filters", "kube-root-ca.crt"):
        cluster.put(CONFIG_MAP, config_map(name, a="1"))
    cluster.put(CONFIG_MAP, config_map("somebody-elses", "team-a"))
    return cluster


def ports_of(cluster: FakeCluster, store: Any, clock: FixedClock | None = None) -> BackupPorts:
    return BackupPorts(cluster, cluster, cluster, store, SilentProgress(), clock or FixedClock())


def request(number: int = 1, **changes: Any) -> BackupRequest:
    asked = BackupRequest(
        group=GROUP,
        namespace=None,
        system_namespace="zen-system",
        cluster_name="",
        archive_id=f"{number:08x}-0000-4000-8000-000000000000",
        tool_version="0.0.0-test",
        set_name=BACKUP,
    )
    return asked._replace(**changes)


def back_up(cluster: FakeCluster, store: MemoryStore | None = None, **changes: Any) -> tuple[Created, Archive]:
    """Make a backup, and open it."""
    store = store or MemoryStore()
    created = create_backup(ports_of(cluster, store), request(**changes))
    return created, open_archive(store, created.name, Mirror())


def contents(archive: Archive) -> dict[str, list[str]]:
    """Return the keys of each collection by its folder."""
    return {
        collection.folder: [key for key, _ in archive.objects(collection)]
        for collection in archive.manifest.collections
    }

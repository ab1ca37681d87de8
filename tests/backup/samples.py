"""A cluster worth a backup, and the ports to make one. No test belongs in here."""

from __future__ import annotations

from typing import Any

from tests.archive.fakes import MemoryStore, Mirror
from tests.core.helm_samples import revision
from tests.fakes import FakeCluster, FixedClock, SilentProgress
from zenctl.archive.format import BACKUP
from zenctl.archive.reader import Archive, open_archive
from zenctl.backup.create import BackupPorts, BackupRequest, Created, create_backup
from zenctl.core.documents import documents
from zenctl.core.objects import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE, ResourceType
from zenctl.core.observation import GROUP
from zenctl.manifests.load import crd_yaml
from zenctl.product.crd import OBSERVATIONS
from zenctl.product.installation import RBAC_GROUP, SECRET, SERVICE, SERVICE_ACCOUNT

UID = "00000000-0000-4000-8000-00000000c10c"
"""What the cluster of the fakes calls itself."""
OBSERVATION_FOLDER = OBSERVATIONS.kind_and_group
SYSTEM = "zen-system"
ACCOUNT = "ServiceAccount/zen-watcher/zen-system"


def _listed(group: str, version: str, kind: str, plural: str, *, namespaced: bool = True) -> ResourceType:
    verbs = frozenset({"get", "list"})
    return ResourceType(group, version, kind, plural, kind.lower(), namespaced=namespaced, verbs=verbs)


DEPLOYMENTS = _listed("apps", "v1", "Deployment", "deployments")
STATEFUL_SETS = _listed("apps", "v1", "StatefulSet", "statefulsets")
CRON_JOBS = _listed("batch", "v1beta1", "CronJob", "cronjobs")
ROLES = _listed(RBAC_GROUP, "v1", "Role", "roles")
ROLE_BINDINGS = _listed(RBAC_GROUP, "v1", "RoleBinding", "rolebindings")
CLUSTER_ROLES = _listed(RBAC_GROUP, "v1", "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDINGS = _listed(RBAC_GROUP, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False)
NETWORK_POLICIES = _listed("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
BUDGETS = _listed("policy", "v1beta1", "PodDisruptionBudget", "poddisruptionbudgets")
INSTALLATION = (
    SERVICE_ACCOUNT, ROLES, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, SERVICE, DEPLOYMENTS, STATEFUL_SETS,
    CRON_JOBS, NETWORK_POLICIES, BUDGETS,
)  # fmt: skip
"""In the order of an archive; two of them at the version of an old server."""


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
    built_in = (CONFIG_MAP, SECRET, CUSTOM_RESOURCE_DEFINITION, NAMESPACE)
    cluster = FakeCluster(OBSERVATIONS, *built_in, *more, page_size=page_size)
    cluster.put(CUSTOM_RESOURCE_DEFINITION, definition())
    for name in ("team-a", "team-b", "zen-system", "kube-system"):
        cluster.put(NAMESPACE, {"metadata": {"name": name}})
    for number in range(observations):
        cluster.put(OBSERVATIONS, observation(f"o-{number:05d}", ("team-a", "team-b")[number % 2]))
    for name in ("filters", "kube-root-ca.crt"):
        cluster.put(CONFIG_MAP, config_map(name, a="1"))
    cluster.put(CONFIG_MAP, config_map("somebody-elses", "team-a"))
    return cluster


def named(name: str, namespace: str = SYSTEM, *, labels: Any = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"metadata": {**metadata, **({"labels": labels} if labels else {})}, **more}


def binding(name: str, role: str, *subjects: str, namespace: str = "", labels: Any = None) -> dict[str, Any]:
    """Return a binding: its role is "Kind/name", a subject "Kind/name" or "Kind/name/namespace"."""

    def reference(text: str) -> dict[str, str]:
        return dict(zip(("kind", "name", "namespace"), text.split("/"), strict=False))

    return named(name, namespace, labels=labels, roleRef=reference(role), subjects=[*map(reference, subjects)])


def secret(name: str, kind: str = "Opaque", namespace: str = SYSTEM) -> dict[str, Any]:
    return named(name, namespace, type=kind, data={"token": "aHVudGVyMg=="})


def an_installation(*, without: tuple[ResourceType, ...] = ()) -> FakeCluster:
    """Return a cluster where Helm has installed the watcher three times, the last time in vain."""
    cluster = a_cluster(*(resource for resource in INSTALLATION if resource not in without))
    objects: list[tuple[ResourceType, dict[str, Any]]] = [
        (SERVICE_ACCOUNT, named("zen-watcher")),
        (ROLES, named("zen-watcher-lease", rules=[])),
        (ROLE_BINDINGS, binding("zen-watcher-lease", "Role/zen-watcher-lease", ACCOUNT, namespace=SYSTEM)),
        (ROLE_BINDINGS, binding("readers", "ClusterRole/dashboards", "Group/staff", namespace=SYSTEM)),
        (CLUSTER_ROLE_BINDINGS, binding("zen-watcher", "ClusterRole/zen-watcher", ACCOUNT)),
        (CLUSTER_ROLE_BINDINGS, binding("somebody-elses", "ClusterRole/theirs", "ServiceAccount/zen-watcher/team-a")),
        (CLUSTER_ROLES, named("zen-watcher", "", rules=[])),
        (CLUSTER_ROLES, named("dashboards", "", rules=[])),
        (CLUSTER_ROLES, named("theirs", "", rules=[])),
        (SERVICE, named("zen-watcher", spec={"ports": [{"port": 8080}]})),
        (DEPLOYMENTS, named("zen-watcher", spec={"replicas": 1}, status={"readyReplicas": 1})),
        (DEPLOYMENTS, named("elsewhere", "team-a")),
        (CRON_JOBS, named("zenctl-backup", spec={"schedule": "0 2 * * *"})),
        (NETWORK_POLICIES, named("zen-watcher", spec={})),
        (BUDGETS, named("zen-watcher", spec={"maxUnavailable": 1})),
        (SECRET, secret("webhook")),
        (SECRET, secret("zen-watcher-token-x7k2p", "kubernetes.io/service-account-token")),
        (SECRET, secret("elsewhere", namespace="team-a")),
        (SECRET, revision(1, "superseded", config=None)),
        (SECRET, revision(2, "deployed")),
        (SECRET, revision(3, "failed")),
    ]  # fmt: skip
    for resource, document in objects:
        if resource not in without:
            cluster.put(resource, document)
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

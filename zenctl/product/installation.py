"""What an installation of the watcher is made of, beside its CRDs, objects and ConfigMaps.

The kinds are named without a version: a cluster serves them at one of its own choosing, or not at all.
"""

from __future__ import annotations

from typing import NamedTuple

from zenctl.core.objects import ResourceType

RBAC_GROUP = "rbac.authorization.k8s.io"
SERVICE = ResourceType("", "v1", "Service", "services", "service", ("svc",), status_subresource=True)
SERVICE_ACCOUNT = ResourceType("", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount", ("sa",))
SECRET = ResourceType("", "v1", "Secret", "secrets", "secret")


class Kind(NamedTuple):
    """A kind, whatever the version that it is served at."""

    group: str
    kind: str


ROLE_BINDING = Kind(RBAC_GROUP, "RoleBinding")
CLUSTER_ROLE_BINDING = Kind(RBAC_GROUP, "ClusterRoleBinding")
CLUSTER_ROLE = Kind(RBAC_GROUP, "ClusterRole")

WORKLOADS = (Kind("apps", "Deployment"), Kind("apps", "StatefulSet"), Kind("batch", "CronJob"))
POLICIES = (Kind("networking.k8s.io", "NetworkPolicy"), Kind("policy", "PodDisruptionBudget"))
ROLE = Kind(RBAC_GROUP, "Role")

"""The watcher's installation as it runs: workloads, services, accounts, RBAC and policies.

Of the system namespace everything of these kinds goes in; of cluster-wide RBAC what binds an account of that
namespace, or carries the watcher's labels. Each kind is read at the version that the cluster serves; one that
it does not serve is no omission, one that may not be read is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set

import msgspec

from zenctl.backup.collect import Collector, Sieve
from zenctl.core.objects import Fields, KeyFields, RawObject, ResourceType
from zenctl.ports import ALL, Discovery, ListQuery
from zenctl.product.installation import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    POLICIES,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    WORKLOADS,
    Kind,
)
from zenctl.product.labels import is_watcher

_BOOTSTRAPPING = "kubernetes.io/bootstrapping"
"""The label of the RBAC objects that every API server makes itself, such as cluster-admin."""
_ALL_ACCOUNTS = "system:serviceaccounts:"


class _LabelledMetadata(msgspec.Struct, frozen=True):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None


class _Labelled(msgspec.Struct, frozen=True):
    metadata: _LabelledMetadata = _LabelledMetadata()


class _Reference(msgspec.Struct, frozen=True):
    """A roleRef or a subject."""

    kind: str = ""
    name: str = ""
    namespace: str = ""


class _Binding(msgspec.Struct, frozen=True, rename="camel"):
    metadata: _LabelledMetadata = _LabelledMetadata()
    role_ref: _Reference = _Reference()
    subjects: tuple[_Reference, ...] | None = None


class _Bindings(Sieve[_Binding]):
    """Keeps the bindings that are wanted, and remembers which ClusterRoles they name."""

    def __init__(self, wanted: Callable[[_Binding], bool]) -> None:
        super().__init__(_Binding)
        self._wanted = wanted
        self.cluster_roles: set[str] = set()

    def restart(self) -> None:
        """See Sieve."""
        self.cluster_roles.clear()

    def keeps(self, item: RawObject[_Binding]) -> bool:
        """See Sieve."""
        binding = item.fields
        if not self._wanted(binding):
            return False
        if binding.role_ref.kind == CLUSTER_ROLE.kind:
            self.cluster_roles.add(binding.role_ref.name)
        return True


class _ClusterRoles(Sieve[_Labelled]):
    """Keeps the roles that were named, and the watcher's own."""

    def __init__(self, named: Set[str]) -> None:
        super().__init__(_Labelled)
        self._named = named

    def keeps(self, item: RawObject[_Labelled]) -> bool:
        """See Sieve."""
        labels = item.fields.metadata.labels
        return not _is_made_by_the_cluster(labels) and (item.key.name in self._named or is_watcher(labels or {}))


def collect_installation(collector: Collector, discovery: Discovery, namespace: str) -> None:
    """Write every kind of the installation in the system namespace, and the cluster-wide RBAC of its accounts."""
    here = ListQuery(namespace)
    _collect(collector, SERVICE_ACCOUNT, here, Sieve(KeyFields))
    _collect_rbac(collector, discovery, namespace)
    _collect(collector, SERVICE, here, Sieve(KeyFields))
    for kind in (*WORKLOADS, *POLICIES):
        _collect(collector, _served(discovery, kind), here, Sieve(KeyFields))


def _collect_rbac(collector: Collector, discovery: Discovery, namespace: str) -> None:
    """Write Roles, bindings, and then the ClusterRoles that the bindings name."""
    here = ListQuery(namespace)
    local = _Bindings(lambda _: True)
    wide = _Bindings(lambda binding: _is_of_the_installation(binding, namespace))
    _collect(collector, _served(discovery, ROLE), here, Sieve(KeyFields))
    _collect(collector, _served(discovery, ROLE_BINDING), here, local)
    _collect(collector, _served(discovery, CLUSTER_ROLE_BINDING), ALL, wide)
    named = local.cluster_roles | wide.cluster_roles
    _collect(collector, _served(discovery, CLUSTER_ROLE), ALL, _ClusterRoles(named))


def _collect(collector: Collector, resource: ResourceType | None, query: ListQuery, sieve: Sieve[Fields]) -> None:
    if resource is not None:
        collector.sift(resource, query, sieve, may_be_absent=True)


def _served(discovery: Discovery, kind: Kind) -> ResourceType | None:
    """Return the resource of a kind as the cluster serves it; None where it does not."""
    return next((r for r in discovery.group(kind.group) if r.kind == kind.kind and "list" in r.verbs), None)


def _is_of_the_installation(binding: _Binding, namespace: str) -> bool:
    """Say whether a ClusterRoleBinding gives rights to an account of the namespace, or is labelled the watcher's."""
    labels = binding.metadata.labels
    if _is_made_by_the_cluster(labels):
        return False
    return is_watcher(labels or {}) or any(
        (subject.kind == SERVICE_ACCOUNT.kind and subject.namespace == namespace)
        or (subject.kind == "Group" and subject.name == _ALL_ACCOUNTS + namespace)
        for subject in binding.subjects or ()
    )


def _is_made_by_the_cluster(labels: Mapping[str, str] | None) -> bool:
    return _BOOTSTRAPPING in (labels or {})

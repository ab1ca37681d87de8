"""The objects that a cluster begins with: its first namespaces, and the roles that discovery and people rely on.

They are a small part of a real server's: who may do everything, what everybody may read of the API itself, and
the roles view, edit and admin for what is served here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zenctl.sandbox.apiserver.authorization import GROUP
from zenctl.sandbox.apiserver.kinds import BUILT_IN
from zenctl.sandbox.apiserver.objects import Json

FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_MARK = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_AGGREGATE = f"{GROUP}/aggregate-to-"
_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_DISCOVERY = (
    *("/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz"),
    *("/version", "/version/"),
)
_PUBLIC = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_HELD_BACK = frozenset({"secrets", "namespaces"})
"""What view does not show, or what edit may not change."""


def first_objects() -> Iterator[Json]:
    """Yield them in an order in which each can be created."""
    for name in FIRST_NAMESPACES:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    yield _cluster_role("cluster-admin", [_rule(["*"], ["*"], ["*"]), _paths(["*"], ["*"])])
    yield _cluster_role("system:discovery", [_paths(["get"], _DISCOVERY)])
    yield _cluster_role("system:public-info-viewer", [_paths(["get"], _PUBLIC)])
    asking = [
        _rule(["create"], ["authorization.k8s.io"], ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
        _rule(["create"], ["authentication.k8s.io"], ["selfsubjectreviews"]),
    ]
    yield _cluster_role("system:basic-user", asking)
    yield from _for_people()
    yield _binding("cluster-admin", ["system:masters"])
    yield _binding("system:discovery", ["system:authenticated"])
    yield _binding("system:basic-user", ["system:authenticated"])
    yield _binding("system:public-info-viewer", ["system:authenticated", "system:unauthenticated"])


def _for_people() -> Iterator[Json]:
    """Yield view, edit and admin, each made of parts that other roles may join by their labels."""
    joins = {"view": {_AGGREGATE + "edit": "true"}, "edit": {_AGGREGATE + "admin": "true"}, "admin": {}}
    for name, labels in joins.items():
        part = {_AGGREGATE + name: "true"}
        role = _cluster_role(name, [], labels)
        role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": part}]}
        yield role
        yield _cluster_role(f"system:aggregate-to-{name}", list(_parts(name)), part)


def _parts(name: str) -> Iterator[Json]:
    for group in sorted({served.type.group for served in BUILT_IN}):
        namespaced = [s for s in BUILT_IN if s.type.group == group and s.type.namespaced and not s.virtual]
        plurals = sorted(served.type.plural for served in namespaced if served.type.plural not in _HELD_BACK)
        if group == GROUP or not plurals:
            continue
        if name == "view":
            yield _rule(_READ, [group], [*plurals, *(["namespaces", "pods/log"] if not group else [])])
        elif name == "edit" and not all(served.loaded for served in namespaced):
            yield _rule(_WRITE, [group], plurals)
    if name == "edit":
        yield _rule([*_READ, *_WRITE], [""], ["secrets"])
    if name == "admin":
        yield _rule([*_READ, *_WRITE], [GROUP], ["rolebindings", "roles"])
        yield _rule(["create"], ["authorization.k8s.io"], ["localsubjectaccessreviews"])


def _rule(verbs: Sequence[str], groups: Sequence[str], resources: Sequence[str]) -> Json:
    return {"verbs": list(verbs), "apiGroups": list(groups), "resources": list(resources)}


def _paths(verbs: Sequence[str], paths: Sequence[str]) -> Json:
    return {"verbs": list(verbs), "nonResourceURLs": list(paths)}


def _cluster_role(name: str, rules: list[Json], labels: dict[str, str] | None = None) -> Json:
    metadata = {"name": name, "labels": {**_MARK, **(labels or {})}}
    return {"apiVersion": f"{GROUP}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules}


def _binding(role: str, groups: Sequence[str]) -> Json:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": role, "labels": dict(_MARK)},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": GROUP, "kind": "Group", "name": group} for group in groups],
    }

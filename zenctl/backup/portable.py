"""The parts of built-in objects that a cluster gave them, which another would refuse or be misled by. Pure.

What every object has of its server (uid, resourceVersion, status and the like) is for whoever writes objects; this is
what single kinds have besides. An export leaves it off. So does a restore, which puts the live object's own in place
where it replaces one: an API server refuses a Service that loses its clusterIP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl.core.objects import DEPLOYMENT, ResourceType
from zenctl.product.installation import CLUSTER_ROLE, SERVICE, SERVICE_ACCOUNT

_Path = tuple[str, ...]

_GIVEN: Mapping[tuple[str, str], tuple[_Path, ...]] = {
    (SERVICE.group, SERVICE.kind): (("spec", "clusterIP"), ("spec", "clusterIPs"), ("spec", "healthCheckNodePort")),
    (SERVICE_ACCOUNT.group, SERVICE_ACCOUNT.kind): (("secrets",),),
    (DEPLOYMENT.group, DEPLOYMENT.kind): (("metadata", "annotations", "deployment.kubernetes.io/revision"),),
    (CLUSTER_ROLE.group, CLUSTER_ROLE.kind): (("rules",),),
}
"""nodePort is not among them: what is outside of the cluster is set to it, and must not get another one silently."""


def portable(resource: ResourceType, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without what its cluster gave it."""
    found = dict(value)
    for path in _given(resource, value):
        found = _without(found, path)
    return found


def with_given(resource: ResourceType, new: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """Return a portable object with what the cluster gave the live one of its name."""
    found = dict(new)
    for path in _given(resource, new):
        part = _part(live, path)
        if part is not None:
            found = _with(found, path, part)
    return found


def _given(resource: ResourceType, value: Mapping[str, Any]) -> tuple[_Path, ...]:
    """Return the paths that count for an object: those of a headless Service are its own choice."""
    kind = (resource.group, resource.kind)
    if kind == (SERVICE.group, SERVICE.kind) and _part(value, ("spec", "clusterIP")) == "None":
        return ()
    if kind == (CLUSTER_ROLE.group, CLUSTER_ROLE.kind) and not value.get("aggregationRule"):
        return ()  # only an aggregated one gets its rules from the control plane
    return _GIVEN.get(kind, ())


def _part(value: Any, path: _Path) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _without(value: dict[str, Any], path: _Path) -> dict[str, Any]:
    first, rest = path[0], path[1:]
    if not rest:
        return {name: part for name, part in value.items() if name != first}
    inner = value.get(first)
    return {**value, first: _without(inner, rest)} if isinstance(inner, dict) else value


def _with(value: dict[str, Any], path: _Path, part: Any) -> dict[str, Any]:
    first, rest = path[0], path[1:]
    inner = value.get(first)
    return {**value, first: _with(inner if isinstance(inner, dict) else {}, rest, part) if rest else part}

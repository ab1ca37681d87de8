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

_FAMILIES: tuple[_Path, ...] = (("spec", "ipFamily"), ("spec", "ipFamilies"), ("spec", "ipFamilyPolicy"))
_ONE_FAMILY = "SingleStack"
_REFERENCES = ("secrets", "imagePullSecrets")
_MADE_FOR_ACCOUNTS = ("-token-", "-dockercfg-")
"""What follows an account's name in the names of the Secrets that Kubernetes, and OpenShift, make for it."""
_PASSING_FINALIZERS = frozenset({"foregroundDeletion", "orphan", "service.kubernetes.io/load-balancer-cleanup"})
"""Of a deletion that was under way, or of a controller that sets it again, and without which nobody takes it off."""

_GIVEN: Mapping[tuple[str, str], tuple[_Path, ...]] = {
    (SERVICE.group, SERVICE.kind): (("spec", "clusterIP"), ("spec", "clusterIPs"), ("spec", "healthCheckNodePort")),
    (DEPLOYMENT.group, DEPLOYMENT.kind): (("metadata", "annotations", "deployment.kubernetes.io/revision"),),
    (CLUSTER_ROLE.group, CLUSTER_ROLE.kind): (("rules",),),
}
"""nodePort is not among them: what is outside of the cluster is set to it, and must not get another one silently."""


def portable(resource: ResourceType, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without what its cluster gave it."""
    found = dict(value)
    for path in _given(resource, value):
        found = _without(found, path)
    if resource.built_in:
        found = _without_passing_finalizers(found)
    if _is_account(resource):
        own = _own_references(value)
        emptied = [name for name in own if not own[name] and _list(value, name)]
        found = {name: own.get(name, part) for name, part in found.items() if name not in emptied}
    return found


def with_given(resource: ResourceType, new: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """Return a portable object with what the cluster gave the live one of its name."""
    found = dict(new)
    for path in _given(resource, new):
        part = _part(live, path)
        if part is not None and (path not in _FAMILIES or path in _given(resource, live)):
            found = _with(found, path, part)
    if _is_account(resource):
        for name, own in _own_references(live).items():
            made = [each for each in _list(live, name) if each not in own]
            if made:
                found[name] = [*_list(new, name), *made]
    return found


def is_old_budget(api_version: str, kind: str) -> bool:
    """Say whether objects are PodDisruptionBudgets of the version in which an empty selector meant nothing."""
    return (api_version, kind) == ("policy/v1beta1", "PodDisruptionBudget")


def _is_account(resource: ResourceType) -> bool:
    return resource.kind_and_group == SERVICE_ACCOUNT.kind_and_group


def _given(resource: ResourceType, value: Mapping[str, Any]) -> tuple[_Path, ...]:
    """Return the paths that count for an object: those of a headless Service are its own choice."""
    kind = (resource.group, resource.kind)
    if is_old_budget(resource.api_version, resource.kind):
        # There an empty selector selects nothing, as does an absent one; in policy/v1 it selects every pod.
        return (("spec", "selector"),) if _part(value, ("spec", "selector")) == {} else ()
    if kind == (SERVICE.group, SERVICE.kind):
        headless = _part(value, ("spec", "clusterIP")) == "None"
        one_family = _part(value, ("spec", "ipFamilyPolicy")) in (None, _ONE_FAMILY)  # the one that its cluster has
        return (*(() if headless else _GIVEN[kind]), *(_FAMILIES if one_family else ()))
    if kind == (CLUSTER_ROLE.group, CLUSTER_ROLE.kind) and not value.get("aggregationRule"):
        return ()  # only an aggregated one gets its rules from the control plane
    return _GIVEN.get(kind, ())


def _own_references(account: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the references of an account to Secrets, but for those that its cluster made for it."""
    account_name = _part(account, ("metadata", "name"))
    made = tuple(f"{account_name}{ending}" for ending in _MADE_FOR_ACCOUNTS) if account_name else ()
    return {
        name: [each for each in _list(account, name) if not str(_part(each, ("name",))).startswith(made)]
        for name in _REFERENCES
        if isinstance(account.get(name), list)
    }


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    found = value.get(name)
    return found if isinstance(found, list) else []


def _without_passing_finalizers(value: dict[str, Any]) -> dict[str, Any]:
    finalizers = _part(value, ("metadata", "finalizers"))
    if not isinstance(finalizers, list) or _PASSING_FINALIZERS.isdisjoint(map(str, finalizers)):
        return value
    kept = [name for name in finalizers if str(name) not in _PASSING_FINALIZERS]
    return _with(value, ("metadata", "finalizers"), kept) if kept else _without(value, ("metadata", "finalizers"))


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

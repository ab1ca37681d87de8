"""Discovery: which groups, versions and resources there are, as one document a path or all in two of them.

Pure functions of what is served. Where clients choose among groups or versions that offer the same, the order here
decides, and it is the server's: built-in groups by their rank, then those of custom resources, metrics last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zenctl.sandbox.apiserver.kinds import Served, SubResource

_RANKS = (
    "",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "batch",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "apiextensions.k8s.io",
    "coordination.k8s.io",
)
_LAST = "metrics.k8s.io"
_VERSION = re.compile(r"v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?", re.ASCII)
_STAGES = {None: 0, "beta": 1, "alpha": 2}


def version_order(version: str) -> tuple[int, int, int, int, str]:
    """Return the key that sorts versions from the preferred one on: v10, v1, v2beta1, v1alpha1, others by name."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return (1, 0, 0, 0, version)
    major, stage, minor = match.groups()
    return (0, _STAGES[stage], -int(major), -int(minor or 0), version)


def _group_order(group: str) -> tuple[int, str]:
    if group == _LAST:
        return (len(_RANKS) + 1, "")
    return (_RANKS.index(group), "") if group in _RANKS else (len(_RANKS), group)


def groups(served: Iterable[Served]) -> dict[str, dict[str, list[Served]]]:
    """Return what is served by group and version, both from the preferred one on; resources by name."""
    found: dict[str, dict[str, list[Served]]] = {}
    for each in sorted(served, key=lambda one: one.type.plural):
        found.setdefault(each.type.group, {}).setdefault(each.type.version, []).append(each)
    return {
        group: {version: found[group][version] for version in sorted(found[group], key=version_order)}
        for group in sorted(found, key=_group_order)
    }


def legacy(served: Iterable[Served], path: str) -> dict[str, Any] | None:
    """Return the document of a path: /api, /apis, /apis/GROUP, /api/v1, /apis/GROUP/VERSION; None for any other."""
    known = groups(served)
    core, named = known.pop("", {}), known
    match path.strip("/").split("/"):
        case ["api"]:
            return {"kind": "APIVersions", "versions": list(core), "serverAddressByClientCIDRs": []}
        case ["apis"]:
            listed = [_group(group, list(versions)) for group, versions in named.items()]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
        case ["api", version] if version in core:
            return {"kind": "APIResourceList", "groupVersion": version, "resources": _resources(core[version])}
        case ["apis", group] if group in named:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, list(named[group]))}
        case ["apis", group, version] if version in named.get(group, {}):
            head = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group}/{version}"}
            return {**head, "resources": _resources(named[group][version])}
    return None


def _group(group: str, versions: Sequence[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def _resources(served: Iterable[Served]) -> list[dict[str, Any]]:
    found = []
    for each in served:
        of = each.type
        entry = {
            "name": of.plural,
            "singularName": of.singular,
            "namespaced": of.namespaced,
            "kind": of.kind,
            "verbs": sorted(of.verbs),
        }
        found.append({**entry, **_names(each)})
        for name, sub in sorted(each.subresources.items()):
            entry = {"name": f"{of.plural}/{name}", "singularName": "", "namespaced": of.namespaced}
            group = {"group": sub.group, "version": sub.version} if sub.version else {}
            found.append({**entry, **group, "kind": sub.kind, "verbs": sorted(sub.verbs)})
    return found


def _names(served: Served) -> dict[str, list[str]]:
    lists = {"shortNames": list(served.type.short_names), "categories": list(served.categories)}
    return {name: values for name, values in lists.items() if values}


def aggregated(served: Iterable[Served], *, core: bool, version: str) -> dict[str, Any]:
    """Return all of /api (``core``) or /apis in one document: an APIGroupDiscoveryList, version v2 or v2beta1.

    It is the same for the same resources, so that a hash of its bytes serves as ETag.
    """
    items = [_discovered(group, versions) for group, versions in groups(served).items() if (group == "") == core]
    head = {"kind": "APIGroupDiscoveryList", "apiVersion": f"apidiscovery.k8s.io/{version}"}
    return {**head, "metadata": {}, "items": items}


def _discovered(group: str, versions: Mapping[str, Iterable[Served]]) -> dict[str, Any]:
    metadata = {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None}
    listed = [
        {"version": version, "resources": [_resource(each) for each in served], "freshness": "Current"}
        for version, served in versions.items()
    ]
    return {"metadata": metadata, "versions": listed}


def _resource(served: Served) -> dict[str, Any]:
    of = served.type
    found: dict[str, Any] = {
        "resource": of.plural,
        "responseKind": {"group": of.group, "version": of.version, "kind": of.kind},
        "scope": "Namespaced" if of.namespaced else "Cluster",
        "singularResource": of.singular,
        "verbs": sorted(of.verbs),
        **_names(served),
    }
    if served.subresources:
        found["subresources"] = [_subresource(served, *pair) for pair in sorted(served.subresources.items())]
    return found


def _subresource(served: Served, name: str, sub: SubResource) -> dict[str, Any]:
    group, version = (sub.group, sub.version) if sub.version else (served.type.group, served.type.version)
    kind = {"group": group, "version": version, "kind": sub.kind}
    return {"subresource": name, "responseKind": kind, "verbs": sorted(sub.verbs)}

"""What a server demands of built-in kinds beyond their schemas: sizes, what never changes, the sense of RBAC objects.

It is the part of a real server's validation that clients run into; the rest of it is not done here.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from zenctl.core.names import config_key, dns_subdomain, path_segment
from zenctl.sandbox.apiserver.causes import invalid_value, not_allowed, not_supported, required, too_long
from zenctl.sandbox.apiserver.errors import Cause
from zenctl.sandbox.apiserver.objects import Json
from zenctl.sandbox.apiserver.workloadrules import deployment_causes, pod_causes

LARGEST_DATA_BYTES = 1024 * 1024
_RBAC = "rbac.authorization.k8s.io"
_ROLES = ("ClusterRole", "Role")
_SUBJECTS = ("ServiceAccount", "User", "Group")
_HOMELESS = ("ServiceAccount", "ClusterRoleBinding", "")
_IMMUTABLE = "field is immutable when `immutable` is set"

Rule = Callable[[Json, Mapping[str, Any] | None], Iterator[Cause]]


def builtin_causes(storage_key: str, document: Json, old: Mapping[str, Any] | None) -> list[Cause]:
    """Return what is wrong with an object that fits its schema; ``old`` is what it replaces."""
    rule = _RULES.get(storage_key)
    return list(rule(document, old)) if rule else []


def _config_map(document: Json, old: Mapping[str, Any] | None) -> Iterator[Cause]:
    yield from _keys(document, "data")
    yield from _keys(document, "binaryData")
    for key in (document.get("data") or {}).keys() & (document.get("binaryData") or {}).keys():
        yield invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData")
    texts = (document.get("data") or {}).values()
    size = sum(len(text.encode()) for text in texts) + sum(map(_decoded_size, _values(document, "binaryData")))
    if size > LARGEST_DATA_BYTES:
        yield too_long("[]", LARGEST_DATA_BYTES)
    yield from _immutable(document, old, ("data", "binaryData"))


def _secret(document: Json, old: Mapping[str, Any] | None) -> Iterator[Cause]:
    yield from _keys(document, "data")
    if sum(map(_decoded_size, _values(document, "data"))) > LARGEST_DATA_BYTES:
        yield too_long("data", LARGEST_DATA_BYTES)
    for field in _missing(document.get("type"), document.get("data") or {}):
        yield required(field)
    if old is not None and old.get("type") != document.get("type"):
        yield invalid_value("type", document.get("type"), "field is immutable")
    yield from _immutable(document, old, ("data",))


def _keys(document: Json, field: str) -> Iterator[Cause]:
    for key in document.get(field) or ():
        for problem in config_key(key):
            yield invalid_value(f"{field}[{key}]", key, problem)


def _missing(kind: object, data: Mapping[str, Any]) -> list[str]:
    """Return the fields that a secret of a type must have and has not; some under the name that a server gives."""
    match kind:
        case "kubernetes.io/tls":
            return [f"data[{key}]" for key in ("tls.crt", "tls.key") if key not in data]
        case "kubernetes.io/basic-auth":
            keys = ("username", "password")
            return [] if any(key in data for key in keys) else [f"data[%s][{key}]" for key in keys]
        case "kubernetes.io/ssh-auth":
            return [] if data.get("ssh-privatekey") else ["data[%s][ssh-privatekey]"]
        case "kubernetes.io/dockerconfigjson":
            return [] if ".dockerconfigjson" in data else ["data[.dockerconfigjson]"]
        case "kubernetes.io/dockercfg":
            return [] if ".dockercfg" in data else ["data[.dockercfg]"]
    return []


def _immutable(document: Json, old: Mapping[str, Any] | None, fields: tuple[str, ...]) -> Iterator[Cause]:
    if old is None or old.get("immutable") is not True:
        return
    if document.get("immutable") is not True:
        yield not_allowed("immutable", _IMMUTABLE)
    for field in fields:
        if document.get(field) != old.get(field):
            yield not_allowed(field, _IMMUTABLE)


def _values(document: Json, field: str) -> list[str]:
    return [str(value) for value in (document.get(field) or {}).values()]


def _decoded_size(text: str) -> int:
    try:
        return len(b64decode(text))
    except NotBase64:
        return len(text)


def _role(document: Json, _old: Mapping[str, Any] | None) -> Iterator[Cause]:
    namespaced = document["kind"] == "Role"
    for place, rule in enumerate(document.get("rules") or ()):
        at = f"rules[{place}]"
        if not rule.get("verbs"):
            yield required(f"{at}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            urls = rule["nonResourceURLs"]
            if namespaced:
                why = "namespaced rules cannot apply to non-resource URLs"
                yield invalid_value(f"{at}.nonResourceURLs", urls, why)
            if any(rule.get(field) for field in ("apiGroups", "resources", "resourceNames")):
                why = "rules cannot apply to both regular resources and non-resource URLs"
                yield invalid_value(f"{at}.nonResourceURLs", urls, why)
            continue
        if not rule.get("apiGroups"):
            yield required(f"{at}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            yield required(f"{at}.resources", "resource rules must supply at least one resource")


def _binding(document: Json, old: Mapping[str, Any] | None) -> Iterator[Cause]:
    known = _ROLES if document["kind"] == "RoleBinding" else _ROLES[:1]
    ref = document.get("roleRef") or {}
    if old is not None and old.get("roleRef") != document.get("roleRef"):
        yield invalid_value("roleRef", ref, "cannot change roleRef")
    if ref.get("apiGroup", _RBAC) != _RBAC:
        yield not_supported("roleRef.apiGroup", ref["apiGroup"], [_RBAC])
    if ref.get("kind") not in known:
        yield not_supported("roleRef.kind", ref.get("kind", ""), known)
    if not ref.get("name"):
        yield required("roleRef.name")
    for problem in path_segment(ref.get("name") or ""):
        yield invalid_value("roleRef.name", ref["name"], problem)
    for place, subject in enumerate(document.get("subjects") or ()):
        yield from _subject(subject, document["kind"], f"subjects[{place}]")


def _subject(subject: Mapping[str, Any], binding: str, at: str) -> Iterator[Cause]:
    name, kind = subject.get("name") or "", subject.get("kind") or ""
    if not name:
        yield required(f"{at}.name")
    if kind not in _SUBJECTS:
        yield not_supported(f"{at}.kind", kind, _SUBJECTS)
        return
    account = kind == _SUBJECTS[0]
    for problem in dns_subdomain(name) if account and name else ():
        yield invalid_value(f"{at}.name", name, problem)
    group = "" if account else _RBAC
    if subject.get("apiGroup", group) != group:
        yield not_supported(f"{at}.apiGroup", subject["apiGroup"], [group])
    if (kind, binding, subject.get("namespace") or "") == _HOMELESS:
        yield required(f"{at}.namespace")


def _lease(document: Json, _old: Mapping[str, Any] | None) -> Iterator[Cause]:
    spec = document.get("spec") or {}
    if spec.get("leaseDurationSeconds", 1) <= 0:
        yield invalid_value("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0")
    if spec.get("leaseTransitions", 0) < 0:
        why = "must be greater than or equal to 0"
        yield invalid_value("spec.leaseTransitions", spec["leaseTransitions"], why)


_RULES: Mapping[str, Rule] = {
    "/configmaps": _config_map,
    "/secrets": _secret,
    "/pods": pod_causes,
    "apps/deployments": deployment_causes,
    "coordination.k8s.io/leases": _lease,
    f"{_RBAC}/roles": _role,
    f"{_RBAC}/clusterroles": _role,
    f"{_RBAC}/rolebindings": _binding,
    f"{_RBAC}/clusterrolebindings": _binding,
}

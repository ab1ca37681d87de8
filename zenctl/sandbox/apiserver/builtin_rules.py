"""What a server demands of built-in kinds beyond their schemas: sizes, what never changes, the sense of RBAC objects.

It is the part of a real server's validation that clients run into; the rest of it is not done here.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from zenctl.sandbox.apiserver.causes import invalid_value, not_allowed, not_supported, required, too_long
from zenctl.sandbox.apiserver.errors import Cause
from zenctl.sandbox.apiserver.objects import Json

LARGEST_DATA_BYTES = 1024 * 1024
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
    texts = (document.get("data") or {}).values()
    size = sum(len(text.encode()) for text in texts) + sum(map(_decoded_size, _values(document, "binaryData")))
    if size > LARGEST_DATA_BYTES:
        yield too_long("[]", LARGEST_DATA_BYTES)
    yield from _immutable(document, old, ("data", "binaryData"))


def _secret(document: Json, old: Mapping[str, Any] | None) -> Iterator[Cause]:
    if sum(map(_decoded_size, _values(document, "data"))) > LARGEST_DATA_BYTES:
        yield too_long("data", LARGEST_DATA_BYTES)
    if old is not None and old.get("type") != document.get("type"):
        yield invalid_value("type", document.get("type"), "field is immutable")
    yield from _immutable(document, old, ("data",))


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


def _binding(document: Json, _old: Mapping[str, Any] | None) -> Iterator[Cause]:
    known = _ROLES if document["kind"] == "RoleBinding" else _ROLES[:1]
    ref = document.get("roleRef") or {}
    if ref.get("kind") not in known:
        yield not_supported("roleRef.kind", ref.get("kind", ""), known)
    if not ref.get("name"):
        yield required("roleRef.name")
    for place, subject in enumerate(document.get("subjects") or ()):
        at = f"subjects[{place}]"
        if not subject.get("name"):
            yield required(f"{at}.name")
        if subject.get("kind") not in _SUBJECTS:
            yield not_supported(f"{at}.kind", subject.get("kind", ""), _SUBJECTS)
        elif (subject["kind"], document["kind"], subject.get("namespace") or "") == _HOMELESS:
            yield required(f"{at}.namespace")


_RBAC = "rbac.authorization.k8s.io"
_RULES: Mapping[str, Rule] = {
    "/configmaps": _config_map,
    "/secrets": _secret,
    f"{_RBAC}/roles": _role,
    f"{_RBAC}/clusterroles": _role,
    f"{_RBAC}/rolebindings": _binding,
    f"{_RBAC}/clusterrolebindings": _binding,
}

"""Reading decoded Kubernetes objects into the values of zenctl.access.rules.

It owns what is tolerated: absent and null fields stand for empty ones, fields that RBAC does not use are not looked
at, and anything of another type than the API's is an error, because rights must not rest on a guess. Whether the
server would have accepted the object is not judged. The kind comes from the caller: items of lists carry none.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from zenctl.access.rules import CLUSTER_ROLE, ROLE, ROLE_BINDING, Binding, PolicyRule, Role, RoleRef, Subject
from zenctl.core.selectors import from_structured

_T = TypeVar("_T")
_Texts = tuple[str, ...] | None
_Labels = dict[str, str] | None


class _Metadata(msgspec.Struct):
    name: str | None = None
    namespace: str | None = None
    labels: _Labels = None


class _Rule(msgspec.Struct, rename="camel"):
    verbs: _Texts = None
    api_groups: _Texts = None
    resources: _Texts = None
    resource_names: _Texts = None
    non_resource_urls: _Texts = msgspec.field(name="nonResourceURLs", default=None)


class _AggregationRule(msgspec.Struct, rename="camel"):
    cluster_role_selectors: tuple[dict[str, Any], ...] | None = None


class _Role(msgspec.Struct, rename="camel"):
    metadata: _Metadata | None = None
    rules: tuple[_Rule, ...] | None = None
    aggregation_rule: _AggregationRule | None = None


class _Subject(msgspec.Struct):
    kind: str | None = None
    name: str | None = None
    namespace: str | None = None


class _RoleRef(msgspec.Struct):
    kind: str | None = None
    name: str | None = None


class _Binding(msgspec.Struct, rename="camel"):
    metadata: _Metadata | None = None
    role_ref: _RoleRef | None = None
    subjects: tuple[_Subject, ...] | None = None


def read_role(document: object, kind: str) -> Role:
    """Return a decoded Role or ClusterRole. Raises ValueError, naming the object and the field that is wrong."""
    read = _convert(document, kind, _Role)
    metadata = read.metadata or _Metadata()
    aggregation = None
    if kind == CLUSTER_ROLE and read.aggregation_rule is not None:
        selectors = read.aggregation_rule.cluster_role_selectors or ()
        try:
            aggregation = tuple(map(from_structured, selectors))
        except ValueError as error:
            raise ValueError(f"{_named(document, kind)}: aggregationRule: {error}") from None
    return Role(
        kind=kind,
        name=metadata.name or "",
        namespace=(metadata.namespace or "") if kind == ROLE else "",
        rules=tuple(map(_rule, read.rules or ())),
        labels=metadata.labels or {},
        aggregation=aggregation,
    )


def read_binding(document: object, kind: str) -> Binding:
    """Return a decoded RoleBinding or ClusterRoleBinding. Raises ValueError, naming the object and the field."""
    read = _convert(document, kind, _Binding)
    metadata = read.metadata or _Metadata()
    role_ref = read.role_ref or _RoleRef()
    return Binding(
        kind=kind,
        name=metadata.name or "",
        namespace=(metadata.namespace or "") if kind == ROLE_BINDING else "",
        role_ref=RoleRef(role_ref.kind or "", role_ref.name or ""),
        subjects=tuple(Subject(s.kind or "", s.name or "", s.namespace or "") for s in read.subjects or ()),
    )


def _rule(read: _Rule) -> PolicyRule:
    return PolicyRule(
        verbs=read.verbs or (),
        api_groups=read.api_groups or (),
        resources=read.resources or (),
        resource_names=read.resource_names or (),
        non_resource_urls=read.non_resource_urls or (),
    )


def _convert(document: object, kind: str, shape: type[_T]) -> _T:
    try:
        return msgspec.convert(document, shape)
    except msgspec.ValidationError as error:
        raise ValueError(f"{_named(document, kind)}: {error}") from None


def _named(document: object, kind: str) -> str:
    """Name an object of which nothing is known to be right."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(metadata, dict):
        return kind
    parts = (metadata.get("namespace"), metadata.get("name"))
    return f"{kind} {'/'.join(part for part in parts if isinstance(part, str) and part)}".rstrip()

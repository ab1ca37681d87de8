"""Questions about access, answered as objects that nobody stores: the access reviews, and who one is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from zenctl.access.attributes import Attributes, NonResourceAttributes, ResourceAttributes
from zenctl.access.identity import ALWAYS_ALLOWED_GROUP, User
from zenctl.access.rules import PolicyRule
from zenctl.sandbox.apiserver.authorization import Authorizer
from zenctl.sandbox.apiserver.causes import invalid_value
from zenctl.sandbox.apiserver.errors import bad_request, invalid
from zenctl.sandbox.apiserver.kinds import Served
from zenctl.sandbox.apiserver.objects import Json

_SELF, _OTHER, _LOCAL = "SelfSubjectAccessReview", "SubjectAccessReview", "LocalSubjectAccessReview"
_EVERYTHING = (
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
)


def answer(served: Served, namespace: str, sent: Any, user: User, authorizer: Authorizer) -> Json:
    """Return a review with its status. Raises ApiError for one that cannot be read."""
    of = served.type
    if not isinstance(sent, dict) or sent.get("kind", of.kind) != of.kind:
        raise bad_request(f"the object provided is no {of.kind}")
    spec: Json = sent["spec"] if isinstance(sent.get("spec"), dict) else {}
    document: Json = {"kind": of.kind, "apiVersion": of.api_version, "metadata": {}, "spec": spec}
    if of.kind == "SelfSubjectReview":
        return {**{k: v for k, v in document.items() if k != "spec"}, "status": {"userInfo": _told(user)}}
    if of.kind == "SelfSubjectRulesReview":
        return {**document, "spec": {}, "status": _rules(str(spec.get("namespace") or ""), user, authorizer)}
    asked = _attributes(of.kind, spec, namespace)
    who = user if of.kind == _SELF else _asked_user(of.kind, spec)
    allowed, reason = authorizer.allows(who, asked)
    status: Json = {"allowed": allowed}
    if reason:
        status["reason"] = reason
    return {**document, "status": status}


def _attributes(kind: str, spec: Mapping[str, Any], namespace: str) -> Attributes:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    causes = []
    if resource is not None and path is not None:
        why = "cannot be specified in combination with resourceAttributes"
        causes.append(invalid_value("spec.nonResourceAttributes", path, why))
    if resource is None and path is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        causes.append(invalid_value("spec.resourceAttributes", None, why))
    if kind == _LOCAL and path is not None:
        causes.append(invalid_value("spec.nonResourceAttributes", path, "disallowed on this kind of request"))
    if causes:
        raise invalid(kind, "authorization.k8s.io", "", causes)
    given = resource if resource is not None else path
    if not isinstance(given, dict) or not all(isinstance(value, str | None) for value in given.values()):
        raise bad_request(f"{kind}: the attributes asked about have to be texts")
    word = cast("dict[str, str]", {key: value or "" for key, value in given.items()})
    if kind == _LOCAL and word.get("namespace", "") != namespace:
        said = word.get("namespace", "")
        problem = invalid_value("spec.resourceAttributes.namespace", said, "must match metadata.namespace")
        raise invalid(kind, "authorization.k8s.io", "", [problem])
    if resource is None:
        return NonResourceAttributes(verb=word.get("verb", ""), path=word.get("path", ""))
    fields = ("verb", "group", "version", "resource", "subresource", "namespace", "name")
    return ResourceAttributes(**{field: word.get(field, "") for field in fields})


def _asked_user(kind: str, spec: Mapping[str, Any]) -> User:
    name, groups, extra = spec.get("user") or "", spec.get("groups") or [], spec.get("extra") or {}
    if not name and not groups:
        problem = invalid_value("spec.user", "", "at least one of user or group must be specified")
        raise invalid(kind, "authorization.k8s.io", "", [problem])
    return User(str(name), tuple(map(str, groups)), str(spec.get("uid") or ""),
                {key: tuple(map(str, values)) for key, values in extra.items()})  # fmt: skip


def _rules(namespace: str, user: User, authorizer: Authorizer) -> Json:
    if not namespace:
        raise bad_request("no namespace on request")
    found = authorizer.policy.rules_for(user, namespace)
    everything = ALWAYS_ALLOWED_GROUP in user.groups
    status: Json = {
        "resourceRules": [*map(_resource_rule, found.resource_rules)],
        "nonResourceRules": [
            {"verbs": list(rule.verbs), "nonResourceURLs": list(rule.non_resource_urls)}
            for rule in found.non_resource_rules
        ],
        "incomplete": bool(found.unresolved),
    }
    if everything:
        status["resourceRules"].insert(0, _EVERYTHING[0])
        status["nonResourceRules"].insert(0, _EVERYTHING[1])
    if found.unresolved:
        status["evaluationError"] = found.evaluation_error
    return status


def _resource_rule(rule: PolicyRule) -> Json:
    told: Json = {"verbs": list(rule.verbs), "apiGroups": list(rule.api_groups), "resources": list(rule.resources)}
    if rule.resource_names:
        told["resourceNames"] = list(rule.resource_names)
    return told


def _told(user: User) -> Json:
    told = {
        "username": user.name,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
    }
    return {key: value for key, value in told.items() if value}

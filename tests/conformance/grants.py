"""Roles and bindings for the users of cases, and when they have come into force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.conformance.api import Document
from tests.conformance.expect import eventually, succeeded
from tests.conformance.place import Place
from tests.conformance.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES, Resource

RBAC = "rbac.authorization.k8s.io"
SUBJECT_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


def rule(resource: Resource, *verbs: str, subresource: str = "", **more: Any) -> Document:
    """Return a rule about a resource."""
    name = f"{resource.plural}/{subresource}" if subresource else resource.plural
    return {"apiGroups": [resource.group], "resources": [name], "verbs": list(verbs), **more}


def reference(kind: str, name: str) -> Document:
    """Return a roleRef."""
    return {"apiGroup": RBAC, "kind": kind, "name": name}


def subject(name: str, kind: str = "User") -> Document:
    """Return a subject of a binding."""
    return {"apiGroup": RBAC, "kind": kind, "name": name}


def allowed(place: Place, user: str, groups: Sequence[str] = (), **attributes: str) -> bool:
    """Ask the server whether somebody may do something; attributes are those of a resource."""
    spec = {"user": user, "groups": list(groups), "resourceAttributes": attributes}
    review = place.api.request("POST", SUBJECT_REVIEWS, {"spec": spec})
    return bool(succeeded(review, 201)["status"]["allowed"])


def grant(place: Place, user: str, *rules: Document, subject_kind: str = "User") -> None:
    """Let a user do things in the case's namespace, and wait until the server knows."""
    name = place.new_name()
    place.create(ROLES, name, rules=list(rules))
    place.create(ROLE_BINDINGS, name, roleRef=reference("Role", name), subjects=[subject(user, subject_kind)])
    _wait(place, user, subject_kind, rules[-1], namespace=place.namespace)


def grant_everywhere(place: Place, user: str, *rules: Document, subject_kind: str = "User") -> None:
    """Let a user do things in the whole cluster, and wait until the server knows."""
    name = place.new_name()
    place.create(CLUSTER_ROLES, name, rules=list(rules))
    subjects = [subject(user, subject_kind)]
    place.create(CLUSTER_ROLE_BINDINGS, name, roleRef=reference("ClusterRole", name), subjects=subjects)
    _wait(place, user, subject_kind, rules[-1])


def _wait(place: Place, user: str, subject_kind: str, given: Document, **where: str) -> None:
    if "resources" not in given:
        return
    resource, _, subresource = given["resources"][0].partition("/")
    attributes = {"verb": given["verbs"][0], "group": given["apiGroups"][0], "resource": resource, **where}
    if subresource:
        attributes["subresource"] = subresource
    if "resourceNames" in given:
        attributes["name"] = given["resourceNames"][0]
    who = (user, ()) if subject_kind == "User" else ("somebody", (user,))
    eventually(lambda: allowed(place, *who, **attributes), "a grant coming into force")

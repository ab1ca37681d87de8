"""Who may do what: the RBAC objects in the store, through the evaluator, and the words of a refusal.

Rights are judged anew whenever an RBAC object has changed. Aggregated ClusterRoles hold the rules that the
lifecycle has written into them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from zenctl.access.attributes import Attributes, NonResourceAttributes, ResourceAttributes
from zenctl.access.cover import escalation_message, uncovered
from zenctl.access.evaluate import Policy
from zenctl.access.identity import ALWAYS_ALLOWED_GROUP, User
from zenctl.access.read import read_binding, read_role
from zenctl.access.rules import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING, Binding, PolicyRule, Role
from zenctl.sandbox.apiserver.errors import ApiError, forbidden
from zenctl.sandbox.apiserver.kinds import Served
from zenctl.sandbox.apiserver.objects import Json
from zenctl.sandbox.apiserver.routes import Route
from zenctl.sandbox.apiserver.store import Store

GROUP = "rbac.authorization.k8s.io"
_ROLES = {f"{GROUP}/roles": ROLE, f"{GROUP}/clusterroles": CLUSTER_ROLE}
_BINDINGS = {f"{GROUP}/rolebindings": ROLE_BINDING, f"{GROUP}/clusterrolebindings": CLUSTER_ROLE_BINDING}
_PLURAL = {ROLE: "roles", CLUSTER_ROLE: "clusterroles"}


_EVERYTHING = (
    PolicyRule(verbs=("*",), api_groups=("*",), resources=("*",)),
    PolicyRule(verbs=("*",), non_resource_urls=("*",)),
)

_Read = TypeVar("_Read", Role, Binding)


class Authorizer:
    """Judges requests by the RBAC objects in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._policy = Policy((), ())
        self._as_of = -1

    @property
    def policy(self) -> Policy:
        """What the RBAC objects say now."""
        newest = max(self._store.collection(name).changed for name in (*_ROLES, *_BINDINGS))
        if newest != self._as_of:
            self._policy = Policy(
                [read_role(each, kind) for name, kind in _ROLES.items() for each in self._documents(name)],
                [read_binding(each, kind) for name, kind in _BINDINGS.items() for each in self._documents(name)],
            )
            self._as_of = newest
        return self._policy

    def _documents(self, collection: str) -> list[Any]:
        found = self._store.collection(collection).scan("", "", self._store.revision)
        return [msgspec.json.decode(b"{" + body) for _, body in found]

    def roles(self) -> list[Role]:
        """Return the ClusterRoles as they are stored."""
        return [read_role(each, CLUSTER_ROLE) for each in self._documents(f"{GROUP}/clusterroles")]

    def allows(self, user: User, attributes: Attributes) -> tuple[bool, str]:
        """Return whether a user may do something, and why, in the server's words."""
        if ALWAYS_ALLOWED_GROUP in user.groups:
            return True, ""
        grant = self.policy.allows(user, attributes)
        return (True, grant.reason) if grant else (False, self.policy.refusal(user, attributes))

    def require(self, user: User, attributes: Attributes) -> None:
        """Raise ApiError 403 where a user may not do something."""
        allowed, reason = self.allows(user, attributes)
        if not allowed:
            raise refusal(user, attributes, reason)

    def require_create(self, user: User, served: Served, namespace: str, name: str) -> None:
        """Raise ApiError 403 where a user may not create what a PUT of theirs would create."""
        of = served.type
        self.require(
            user,
            ResourceAttributes(
                verb="create",
                resource=of.plural,
                group=of.group,
                version=of.version,
                namespace=namespace,
                name=name,
            ),
        )

    def forget(self) -> None:
        """Read the RBAC objects anew; they have been replaced as a whole."""
        self._as_of = -1

    # -- granting ----------------------------------------------------------------------------------------

    def check(self, served: Served, document: Json, old: Json | None, user: User | None) -> None:
        """Raise ApiError where an RBAC object cannot be read, or a user grants what they lack; the server itself
        (None) may grant everything. That a binding keeps its role is a rule of its kind."""
        if served.storage_key in _ROLES:
            role = _readable(served, read_role, document, _ROLES[served.storage_key])
            if user is not None:
                self._check_role(served, role, old, user)
        elif served.storage_key in _BINDINGS:
            kind = _BINDINGS[served.storage_key]
            binding = _readable(served, read_binding, document, kind)
            if user is not None:
                self._check_binding(served, binding, old, user)

    def _check_role(self, served: Served, role: Role, old: Json | None, user: User) -> None:
        before = read_role(old, role.kind) if old is not None else None
        if before is not None and (before.rules, before.aggregation) == (role.rules, role.aggregation):
            return
        if self._may(user, "escalate", role.kind, role.namespace, role.name):
            return
        self._require_held(served, user, role, role.namespace, role.name)
        # A role that gathers gathers whatever others put into it, so only who has everything may make one.
        gathers = role.aggregation is not None or (before is not None and before.aggregation is not None)
        if gathers and uncovered([grant.rule for grant in self.policy.held(user, "")], _EVERYTHING):
            why = "must have cluster-admin privileges to use the aggregationRule"
            raise forbidden(served.type, role.name, why)

    def _check_binding(self, served: Served, binding: Binding, old: Json | None, user: User) -> None:
        if old is not None and read_binding(old, binding.kind).subjects == binding.subjects:
            return
        ref = binding.role_ref
        if self._may(user, "bind", ref.kind, binding.namespace, ref.name):
            return
        role_namespace = binding.namespace if ref.kind == ROLE else ""
        found = next(
            (
                read_role(each, ref.kind)
                for each in self._documents(f"{GROUP}/{_PLURAL.get(ref.kind, '')}")
                if (each["metadata"].get("namespace", ""), each["metadata"]["name"]) == (role_namespace, ref.name)
            ),
            None,
        )
        if found is None:
            plural = _PLURAL.get(ref.kind, ref.kind)
            message = f'{plural}.{GROUP} "{ref.name}" not found'
            details = {"name": ref.name, "group": GROUP, "kind": plural}
            raise ApiError(404, "NotFound", message, details=details)
        self._require_held(served, user, found, binding.namespace, binding.name)

    def _may(self, user: User, verb: str, kind: str, namespace: str, name: str) -> bool:
        attributes = ResourceAttributes(
            verb=verb, resource=_PLURAL.get(kind, ""), group=GROUP, namespace=namespace, name=name
        )
        return self.allows(user, attributes)[0]

    def _require_held(self, served: Served, user: User, role: Role, namespace: str, name: str) -> None:
        held = [grant.rule for grant in self.policy.held(user, namespace)]
        missing = uncovered(held, role.rules)
        if missing:
            unresolved = self.policy.unresolved_for(user, namespace)
            raise forbidden(served.type, name, escalation_message(user, missing, unresolved))


def _readable(served: Served, read: Callable[[object, str], _Read], document: Json, kind: str) -> _Read:
    of = served.type
    try:
        return read(document, kind)
    except ValueError as error:
        message = f'{of.kind} in version "{of.version}" cannot be handled as a {of.kind}: {error}'
        raise ApiError(400, "BadRequest", message) from None


def written(rule: PolicyRule) -> Json:
    """Return a rule as a Kubernetes object holds it."""
    fields = {
        "apiGroups": rule.api_groups,
        "nonResourceURLs": rule.non_resource_urls,
        "resourceNames": rule.resource_names,
        "resources": rule.resources,
    }
    return {"verbs": list(rule.verbs), **{key: list(values) for key, values in fields.items() if values}}


def attributes_of(route: Route) -> Attributes:
    """Return what a request asks of the authorizer."""
    if not route.about_objects:
        return NonResourceAttributes(verb=route.verb, path=route.path)
    return ResourceAttributes(
        verb=route.verb,
        resource=route.resource,
        group=route.group,
        version=route.version,
        subresource=route.subresource,
        namespace=route.namespace,
        name=route.name,
    )


def refusal(user: User, attributes: Attributes, reason: str = "") -> ApiError:
    """403: RBAC does not allow it."""
    because = f": {reason}" if reason else ""
    if isinstance(attributes, NonResourceAttributes):
        message = f'forbidden: User "{user.name}" cannot {attributes.verb} path "{attributes.path}"{because}'
        return ApiError(403, "Forbidden", message, details={})
    resource = attributes.resource + (f"/{attributes.subresource}" if attributes.subresource else "")
    full = f"{attributes.resource}.{attributes.group}" if attributes.group else attributes.resource
    where = f'in the namespace "{attributes.namespace}"' if attributes.namespace else "at the cluster scope"
    named = f'{full} "{attributes.name}" is' if attributes.name else f"{full} is"
    message = (
        f'{named} forbidden: User "{user.name}" cannot {attributes.verb} resource "{resource}" '
        f'in API group "{attributes.group}" {where}{because}'
    )
    details = {"name": attributes.name, "group": attributes.group, "kind": attributes.resource}
    return ApiError(403, "Forbidden", message, details={key: value for key, value in details.items() if value})

"""The objects of RBAC as values: rules, roles, bindings, subjects.

It owns their shape and how the server words them in its messages. What they permit is decided in
zenctl.access.evaluate; decoded Kubernetes objects are read in zenctl.access.read.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from zenctl.access.identity import service_account_username
from zenctl.core.selectors import LabelSelector

ROLE = "Role"
CLUSTER_ROLE = "ClusterRole"
ROLE_BINDING = "RoleBinding"
CLUSTER_ROLE_BINDING = "ClusterRoleBinding"
USER = "User"
GROUP = "Group"
SERVICE_ACCOUNT = "ServiceAccount"

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\a": "\\a", "\b": "\\b", "\f": "\\f"}
_ESCAPES |= {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


class PolicyRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. It permits what satisfies all of its dimensions together; an empty resource_names is any name."""

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Word it as the server does where it refuses an escalation."""
        parts = (
            ("APIGroups", self.api_groups),
            ("Resources", self.resources),
            ("NonResourceURLs", self.non_resource_urls),
            ("ResourceNames", self.resource_names),
            ("Verbs", self.verbs),
        )
        return f"{{{', '.join(f'{name}:{quoted_list(values)}' for name, values in parts if values)}}}"


class Subject(msgspec.Struct, frozen=True):
    """Whom a binding names: a User, Group or ServiceAccount; any other kind names nobody. There are no wildcards."""

    kind: str
    name: str
    namespace: str = ""
    """Of a ServiceAccount; "" is the binding's own namespace."""

    def principal(self, binding_namespace: str) -> tuple[str, str] | None:
        """Return ("User", name) or ("Group", name) for what it matches; None where that is nobody.

        A service account without a namespace in a ClusterRoleBinding (binding_namespace "") matches nobody.
        """
        if self.kind in (USER, GROUP):
            return self.kind, self.name
        namespace = self.namespace or binding_namespace
        if self.kind == SERVICE_ACCOUNT and namespace:
            return USER, service_account_username(namespace, self.name)
        return None


class RoleRef(msgspec.Struct, frozen=True):
    """Which role a binding grants: its kind and name."""

    kind: str
    name: str


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A Role, or a ClusterRole (namespace "")."""

    kind: str
    name: str
    namespace: str = ""
    rules: tuple[PolicyRule, ...] = ()
    labels: Mapping[str, str] = {}
    aggregation: tuple[LabelSelector, ...] | None = None
    """Selects the ClusterRoles whose rules this one unites; None where the rules are its own."""
    origins: tuple[tuple[str, ...], ...] = ()
    """For each rule the ClusterRoles that it came through, nearest first; () where that was not asked."""

    def origin(self, rule_index: int) -> tuple[str, ...]:
        """Return the ClusterRoles that a rule came through, nearest first; () for a rule of its own."""
        return self.origins[rule_index] if self.origins else ()


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """A RoleBinding, or a ClusterRoleBinding (namespace "")."""

    kind: str
    name: str
    role_ref: RoleRef
    namespace: str = ""
    subjects: tuple[Subject, ...] = ()

    def wording(self, subject: Subject) -> str:
        """Word it and one of its subjects as the server does where it gives a reason."""
        own = f"{self.name}/{self.namespace}" if self.kind == ROLE_BINDING else self.name
        named = subject.name
        if subject.kind == SERVICE_ACCOUNT:
            named = f"{subject.name}/{subject.namespace or self.namespace}"
        return (
            f"{self.kind} {quoted(own)} of {self.role_ref.kind} {quoted(self.role_ref.name)}"
            f" to {subject.kind} {quoted(named)}"
        )


def quoted(text: str) -> str:
    """Quote a text as the server's messages do: what cannot be printed is escaped, letters of all scripts stay."""
    return f'"{"".join(map(_escaped, text))}"'


def quoted_list(texts: tuple[str, ...]) -> str:
    """Quote several texts as the server's messages do: ``["get" "list"]``."""
    return f"[{' '.join(map(quoted, texts))}]"


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"

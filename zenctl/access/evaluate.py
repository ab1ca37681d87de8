"""The evaluator: what a set of roles and bindings grants to a user, each grant with its path.

It owns the semantics of RBAC, which only ever adds rights. ClusterRoles are taken as they are: where no controller
keeps the rules of aggregated ones (manifests, charts), zenctl.access.aggregate comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from zenctl.access.attributes import Attributes, ResourceAttributes
from zenctl.access.identity import User
from zenctl.access.rules import (
    CLUSTER_ROLE,
    GROUP,
    ROLE,
    ROLE_BINDING,
    USER,
    Binding,
    PolicyRule,
    Role,
    Subject,
    quoted,
)

_ALL = "*"

_RoleKey = tuple[str, str, str]
_Index = dict[tuple[str, str], list[tuple[int, int]]]
"""User or group -> positions of bindings and, within them, of subjects."""


class Grant(NamedTuple):
    """One rule that a user holds, and the path by which they hold it."""

    binding: Binding
    subjects: tuple[Subject, ...]
    """All subjects of the binding that match the user, in its order; the server names the first."""
    role: Role
    rule_index: int

    @property
    def rule(self) -> PolicyRule:
        """The rule."""
        return self.role.rules[self.rule_index]

    @property
    def aggregated_from(self) -> tuple[str, ...]:
        """The ClusterRoles that the rule came through, nearest first; () for the role's own rules."""
        return self.role.origin(self.rule_index)

    @property
    def reason(self) -> str:
        """The server's words for it."""
        return f"RBAC: allowed by {self.binding.wording(self.subjects[0])}"


class Unresolved(NamedTuple):
    """A binding whose role does not exist: it grants nothing, and the answer may be incomplete."""

    binding: Binding

    @property
    def message(self) -> str:
        """The server's words when it authorizes or lists rules."""
        return self._worded("")

    @property
    def stored_message(self) -> str:
        """The server's words when it checks for escalation, where it reads from its storage."""
        return self._worded("s")

    def _worded(self, plural: str) -> str:
        ref = self.binding.role_ref
        if ref.kind not in (ROLE, CLUSTER_ROLE):
            return f"unsupported role reference kind: {quoted(ref.kind)}"
        return f"{ref.kind.lower()}{plural}.rbac.authorization.k8s.io {quoted(ref.name)} not found"


class RulesReview(NamedTuple):
    """What SelfSubjectRulesReview says; never a base for decisions.

    As on the server, rules on paths are listed even where they come from a RoleBinding and so permit nothing.
    """

    resource_rules: tuple[PolicyRule, ...]
    non_resource_rules: tuple[PolicyRule, ...]
    unresolved: tuple[Unresolved, ...]

    @property
    def evaluation_error(self) -> str:
        """The server's words for the roles that do not exist; "" where all do."""
        return joined(each.message for each in self.unresolved)


class Policy:
    """Roles and bindings, ready for questions. Neither changes once it is built; keys are taken to be unique.

    Bindings count in the order given, ClusterRoleBindings first; the first that allows is the one named.
    """

    def __init__(self, roles: Iterable[Role], bindings: Iterable[Binding]) -> None:
        self._roles: dict[_RoleKey, Role] = {(role.kind, role.namespace, role.name): role for role in roles}
        # Python sorts stably: what remains is the order given.
        self._bindings = sorted(bindings, key=lambda binding: binding.kind == ROLE_BINDING)
        self._everywhere: _Index = {}
        self._within: dict[str, _Index] = {}
        for position, binding in enumerate(self._bindings):
            index = self._everywhere
            if binding.kind == ROLE_BINDING:
                index = self._within.setdefault(binding.namespace, {})
            for subject_position, subject in enumerate(binding.subjects):
                principal = subject.principal(binding.namespace)
                if principal is not None:
                    index.setdefault(principal, []).append((position, subject_position))

    @property
    def unresolved(self) -> tuple[Unresolved, ...]:
        """All bindings whose role does not exist."""
        return tuple(Unresolved(binding) for binding in self._bindings if self._role(binding) is None)

    def allows(self, user: User, attributes: Attributes) -> Grant | None:
        """Return the first grant that allows it; None is "no opinion"."""
        return next(self.grants(user, attributes), None)

    def grants(self, user: User, attributes: Attributes) -> Iterator[Grant]:
        """Yield every grant that allows it."""
        for grant in self.held(user, attributes.namespace):
            if rule_allows(grant.rule, attributes):
                yield grant

    def held(self, user: User, namespace: str) -> Iterator[Grant]:
        """Yield every rule that the user holds in a namespace; with namespace "", in the cluster as a whole."""
        for binding, subjects in self._applying(user, namespace):
            role = self._role(binding)
            if role is not None:
                for rule_index in range(len(role.rules)):
                    yield Grant(binding, subjects, role, rule_index)

    def unresolved_for(self, user: User, namespace: str) -> tuple[Unresolved, ...]:
        """Return the bindings whose missing roles may have given the user more in this namespace."""
        applying = self._applying(user, namespace)
        return tuple(Unresolved(binding) for binding, _ in applying if self._role(binding) is None)

    def refusal(self, user: User, attributes: Attributes) -> str:
        """Return what the server gives as the reason of a refusal: missing roles, "" where there are none."""
        errors = joined(each.message for each in self.unresolved_for(user, attributes.namespace))
        return f"RBAC: {errors}" if errors else ""

    def rules_for(self, user: User, namespace: str) -> RulesReview:
        """Return what the user holds in a namespace, as SelfSubjectRulesReview lists it."""
        rules = [grant.rule for grant in self.held(user, namespace)]
        on_resources = (msgspec.structs.replace(rule, non_resource_urls=()) for rule in rules if rule.resources)
        on_paths = (
            PolicyRule(verbs=rule.verbs, non_resource_urls=rule.non_resource_urls)
            for rule in rules
            if rule.non_resource_urls
        )
        return RulesReview(tuple(on_resources), tuple(on_paths), self.unresolved_for(user, namespace))

    def _applying(self, user: User, namespace: str) -> list[tuple[Binding, tuple[Subject, ...]]]:
        """Find the bindings that apply to a user, in order, and the subjects by which they do."""
        found: dict[int, set[int]] = {}
        # "" is no namespace, not even to a RoleBinding that lacks one.
        within = self._within.get(namespace) if namespace else None
        for index in (self._everywhere, within):
            if index:
                for principal in ((USER, user.name), *((GROUP, group) for group in user.groups)):
                    for position, subject_position in index.get(principal, ()):
                        found.setdefault(position, set()).add(subject_position)
        applying = []
        for position in sorted(found):
            binding = self._bindings[position]
            applying.append((binding, tuple(binding.subjects[each] for each in sorted(found[position]))))
        return applying

    def _role(self, binding: Binding) -> Role | None:
        """Find the role of a binding: a Role lies in the binding's own namespace, so only a RoleBinding has one."""
        kind, name = binding.role_ref.kind, binding.role_ref.name
        if kind == CLUSTER_ROLE:
            return self._roles.get((CLUSTER_ROLE, "", name))
        if kind == ROLE and binding.kind == ROLE_BINDING:
            return self._roles.get((ROLE, binding.namespace, name))
        return None


def rule_allows(rule: PolicyRule, attributes: Attributes) -> bool:
    """Say whether one rule satisfies every dimension of a question."""
    if attributes.verb not in rule.verbs and _ALL not in rule.verbs:
        return False
    if isinstance(attributes, ResourceAttributes):
        return (
            (attributes.group in rule.api_groups or _ALL in rule.api_groups)
            and _resource_matches(rule.resources, attributes.resource, attributes.subresource)
            and (not rule.resource_names or attributes.name in rule.resource_names)
        )
    return any(path_covers(url, attributes.path) for url in rule.non_resource_urls)


def path_covers(pattern: str, path: str) -> bool:
    """Say whether a nonResourceURL takes in a path, or all that another pattern takes in; ``*`` counts at the end."""
    return pattern == path or (pattern.endswith(_ALL) and path.startswith(pattern.rstrip(_ALL)))


def joined(messages: Iterable[str]) -> str:
    """Join messages as the server does: each once, in brackets where there are several; "" for none."""
    distinct = list(dict.fromkeys(messages))
    return f"[{', '.join(distinct)}]" if len(distinct) > 1 else "".join(distinct)


def _resource_matches(resources: tuple[str, ...], resource: str, subresource: str) -> bool:
    if _ALL in resources:
        return True
    if not subresource:
        return resource in resources
    # "pods/*" is no pattern: only the whole resource, or the part before the slash, can be a wildcard.
    return f"{resource}/{subresource}" in resources or f"{_ALL}/{subresource}" in resources

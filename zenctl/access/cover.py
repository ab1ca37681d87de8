"""Whether some rules take in others: what stops users from granting rights that they lack.

It owns the comparison and the server's words for its outcome. Whether a user may skip it (the verbs escalate and
bind) is decided by whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from zenctl.access.evaluate import Unresolved, joined, path_covers
from zenctl.access.identity import User
from zenctl.access.rules import PolicyRule, quoted, quoted_list

_ALL = "*"


def uncovered(owner_rules: Sequence[PolicyRule], servant_rules: Iterable[PolicyRule]) -> list[PolicyRule]:
    """Return what the servant has and the owner lacks, as atomic rules in order; [] where the owner has it all.

    Each atom has to be covered by one rule of the owner: rules do not add up to a wildcard.
    """
    atoms = (atom for rule in servant_rules for atom in breakdown(rule))
    return [atom for atom in atoms if not any(_covers(rule, atom) for rule in owner_rules)]


def breakdown(rule: PolicyRule) -> Iterator[PolicyRule]:
    """Yield the atoms of a rule: one verb, and one group, resource and at most one name, or one path."""
    pins: list[tuple[str, ...]] = [(name,) for name in rule.resource_names] or [()]
    for group in rule.api_groups:
        for resource in rule.resources:
            for verb in rule.verbs:
                for names in pins:
                    yield PolicyRule(verbs=(verb,), api_groups=(group,), resources=(resource,), resource_names=names)
    for url in rule.non_resource_urls:
        for verb in rule.verbs:
            yield PolicyRule(verbs=(verb,), non_resource_urls=(url,))


def compact(rules: Iterable[PolicyRule]) -> list[PolicyRule]:
    """Unite rules that differ by their verbs only; rules on paths stay apart, as in the server's messages."""
    verbs: dict[PolicyRule, tuple[str, ...]] = {}
    for rule in rules:
        key = rule if rule.non_resource_urls else msgspec.structs.replace(rule, verbs=())
        verbs[key] = rule.verbs if rule.non_resource_urls else verbs.get(key, ()) + rule.verbs
    return [msgspec.structs.replace(rule, verbs=united) for rule, united in verbs.items()]


def escalation_message(user: User, missing: Iterable[PolicyRule], unresolved: Sequence[Unresolved] = ()) -> str:
    """Word the refusal to let a user grant rules that they lack, as the server does after "is forbidden: "."""
    lines = sorted({str(rule) for rule in compact(missing)})
    errors = joined(each.stored_message for each in unresolved)
    return (
        f"user {quoted(user.name)} (groups={quoted_list(user.groups)}) is attempting to grant RBAC permissions"
        f" not currently held:\n" + "\n".join(lines) + (f"; resolution errors: [{errors}]" if errors else "")
    )


def _covers(owner: PolicyRule, atom: PolicyRule) -> bool:
    """Compare every dimension; those that the atom does not use are covered by anything."""
    return (
        (_ALL in owner.verbs or _has_all(owner.verbs, atom.verbs))
        and (_ALL in owner.api_groups or _has_all(owner.api_groups, atom.api_groups))
        and all(_covers_resource(owner.resources, resource) for resource in atom.resources)
        and _covers_names(owner.resource_names, atom.resource_names)
        and all(any(path_covers(url, path) for url in owner.non_resource_urls) for path in atom.non_resource_urls)
    )


def _covers_resource(owned: tuple[str, ...], resource: str) -> bool:
    _, slash, subresource = resource.partition("/")
    return _ALL in owned or resource in owned or (bool(slash) and f"{_ALL}/{subresource}" in owned)


def _covers_names(owned: tuple[str, ...], names: tuple[str, ...]) -> bool:
    """An owner without names has them all, and only such an owner covers an atom without one."""
    return not owned or (bool(names) and _has_all(owned, names))


def _has_all(owned: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return all(each in owned for each in wanted)

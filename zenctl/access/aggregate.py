"""Aggregated ClusterRoles: the union of the rules of those that their selectors choose, through any number of steps.

It owns what the controller of a live cluster does to their rules, for manifests and for servers without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from zenctl.access.rules import CLUSTER_ROLE, PolicyRule, Role

_Origins = dict[PolicyRule, tuple[str, ...]]


def aggregate(roles: Iterable[Role]) -> list[Role]:
    """Return the roles in their order, the aggregated ones with the rules and origins of what they select.

    As with the controller, equal rules count once, rules written into an aggregated role itself are lost, and the
    order is that of selectors, then names. In a cycle each member has what the roles outside it contribute.
    """
    return [role if origins is None else _with(role, tuple(origins), origins) for role, origins in _united(roles)]


def trace(roles: Iterable[Role]) -> list[Role]:
    """Return the roles with their rules as they are, and origins where the selectors explain a rule.

    This is for a live cluster, whose controller has done the work and is to be believed.
    """
    return [role if origins is None else _with(role, role.rules, origins) for role, origins in _united(roles)]


def _with(role: Role, rules: tuple[PolicyRule, ...], origins: _Origins) -> Role:
    return msgspec.structs.replace(role, rules=rules, origins=tuple(origins.get(rule, ()) for rule in rules))


def _united(roles: Iterable[Role]) -> Iterator[tuple[Role, _Origins | None]]:
    """Yield each role, with the united rules and the path of each where it is an aggregated ClusterRole."""
    given = list(roles)
    by_name = sorted((role for role in given if role.kind == CLUSTER_ROLE), key=lambda role: role.name)
    chosen = {role.name: list(_selected(role, by_name)) for role in by_name if role.aggregation is not None}
    for role in given:
        aggregated = role.kind == CLUSTER_ROLE and role.name in chosen
        yield role, _unite(role.name, chosen) if aggregated else None


def _selected(role: Role, candidates: Iterable[Role]) -> Iterator[Role]:
    for selector in role.aggregation or ():
        for candidate in candidates:
            if selector.matches(candidate.labels):
                yield candidate


def _unite(name: str, chosen: dict[str, list[Role]]) -> _Origins:
    """Walk depth first from one role; each role counts once and this one not at all, so cycles end."""
    origins: _Origins = {}
    seen = {name}
    open_roles: list[tuple[Role, tuple[str, ...]]] = [(role, (role.name,)) for role in reversed(chosen[name])]
    while open_roles:
        role, path = open_roles.pop()
        if role.name in seen:
            continue
        seen.add(role.name)
        if role.name in chosen:
            open_roles.extend((each, (*path, each.name)) for each in reversed(chosen[role.name]))
        else:
            for rule in role.rules:
                origins.setdefault(rule, path)
    return origins

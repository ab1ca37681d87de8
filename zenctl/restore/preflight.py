"""What must be true before the first write: every permission that the plan needs, and room in the quotas.

Everything that is missing is named together, with the rules that would grant it: finding one thing after the other,
each after a run that failed, is what this prevents. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from zenctl.core.objects import CUSTOM_RESOURCE_DEFINITION, NAMESPACE, ResourceType
from zenctl.errors import Denied, NotFound, Refused
from zenctl.ports import AccessReviewer, ListQuery, ObjectReader
from zenctl.restore.decide import Action, restores_status
from zenctl.restore.plan import BatchPlan, Plan

_NAMED = 3
RESOURCE_QUOTA = ResourceType("", "v1", "ResourceQuota", "resourcequotas", "resourcequota", ("quota",))


class Need(NamedTuple):
    """A permission: a verb on a resource, or on a subresource of it, in a namespace or ("") everywhere."""

    verb: str
    resource: ResourceType
    subresource: str
    namespace: str

    @property
    def target(self) -> str:
        """The resource as a rule names it."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural


class QuotaCount(NamedTuple):
    """One object count of a quota, and what the restore would add to it."""

    namespace: str
    quota: str
    what: str
    """What it counts, such as count/zenevents.zen.kube-zen.io."""
    hard: int
    used: int | None
    """None where the cluster has not counted yet; then it refuses all new ones."""
    wanted: int

    @property
    def short(self) -> bool:
        """Say that there is certainly no room: it would stop the restore half way."""
        return (self.used or 0) + self.wanted > self.hard


class Preflight(NamedTuple):
    """What stands in the way of a plan."""

    missing: tuple[Need, ...] = ()
    shortages: tuple[QuotaCount, ...] = ()
    unknown: tuple[str, ...] = ()
    """What could not be looked at, in words; it stops nothing."""

    @property
    def clear(self) -> bool:
        """Say that nothing does."""
        return not self.missing and not self.shortages


CLEAR = Preflight()


def preflight(reviewer: AccessReviewer, reader: ObjectReader, plan: Plan, besides: Sequence[Need] = ()) -> Preflight:
    """Look whether a plan can be carried out whole; ``besides`` is what it takes beside the plan."""
    missing = (*_missing(reviewer, plan), *(need for need in besides if not _allowed(reviewer, need)))
    shortages: list[QuotaCount] = []
    unknown: list[str] = []
    for namespace, creates in sorted(_creates(plan).items()):
        if namespace in plan.missing_namespaces:
            continue
        try:
            for found in _counts(reader, namespace, creates):
                if found.short:
                    shortages.append(found)
                elif found.used is None:
                    unknown.append(
                        f"quota {found.quota} of namespace {namespace}: it has not counted {found.what} yet"
                    )
        except Denied:
            unknown.append(f"the quotas of namespace {namespace}: resourcequotas may not be listed there")
    return Preflight(missing, tuple(shortages), tuple(unknown))


def _missing(reviewer: AccessReviewer, plan: Plan) -> Iterator[Need]:
    cluster_wide = (
        (any(not definition.exists for definition in plan.definitions), "create", CUSTOM_RESOURCE_DEFINITION),
        (any(definition.adds for definition in plan.definitions), "update", CUSTOM_RESOURCE_DEFINITION),
        (bool(plan.missing_namespaces), "create", NAMESPACE),
    )
    for needed, verb, resource in cluster_wide:
        if needed and not reviewer.allowed(resource, verb):
            yield Need(verb, resource, "", "")
    for batch in plan.batches:
        if batch.described is not None:
            yield from _missing_of(reviewer, batch, batch.described)


def _missing_of(reviewer: AccessReviewer, batch: BatchPlan, resource: ResourceType) -> Iterator[Need]:
    """Yield what writing a batch lacks: in the whole cluster, or else in each namespace concerned."""
    wanted = [("create", "")] if batch.actions.get(Action.CREATE) else []
    wanted += [("update", "")] if batch.actions.get(Action.UPDATE) else []
    wanted += [("update", "status")] if batch.writes and restores_status(resource) else []
    for verb, subresource in wanted:
        if reviewer.allowed(resource, verb, subresource=subresource):
            continue
        if not batch.namespaces:
            yield Need(verb, resource, subresource, "")
        for namespace in sorted(batch.namespaces):
            if not reviewer.allowed(resource, verb, namespace=namespace, subresource=subresource):
                yield Need(verb, resource, subresource, namespace)


def _allowed(reviewer: AccessReviewer, need: Need) -> bool:
    return reviewer.allowed(need.resource, need.verb, namespace=need.namespace, subresource=need.subresource)


def _creates(plan: Plan) -> dict[str, dict[str, int]]:
    """Return how many objects would be created, by namespace and by the name that quotas count them under."""
    found: dict[str, dict[str, int]] = {}
    for batch in plan.batches:
        for namespace, count in batch.creates.items():
            if batch.described is not None and namespace:
                counts, name = found.setdefault(namespace, {}), batch.described.full_name
                counts[name] = counts.get(name, 0) + count  # Secrets come in two batches, Helm's and others
    return found


class _Quota(msgspec.Struct, frozen=True):
    hard: dict[str, str] | None = None
    used: dict[str, str] | None = None


class _QuotaMetadata(msgspec.Struct, frozen=True):
    name: str = ""
    namespace: str = ""


class _QuotaFields(msgspec.Struct, frozen=True):
    metadata: _QuotaMetadata = _QuotaMetadata()
    status: _Quota = _Quota()


def _counts(reader: ObjectReader, namespace: str, creates: Mapping[str, int]) -> Iterator[QuotaCount]:
    """Yield the object counts of a namespace that concern what would be created. Raises Denied."""
    try:
        pages = list(reader.pages(RESOURCE_QUOTA, _QuotaFields, ListQuery(namespace)))
    except NotFound:
        return  # a server without the resource enforces none
    for quota in (item.fields for page in pages for item in page.objects):
        hard, used = quota.status.hard or {}, quota.status.used or {}
        for resource, wanted in creates.items():
            for what in (f"count/{resource}", resource):  # the second form is the older one, of core kinds
                most = _whole(hard.get(what))
                if most is not None:
                    yield QuotaCount(namespace, quota.metadata.name, what, most, _whole(used.get(what)), wanted)


def _whole(text: Any) -> int | None:
    """Read a count; quotas give them as quantities, such as 5 or 2k. None where it is none."""
    factor = {"k": 1_000, "M": 1_000_000}.get(str(text)[-1:], 1)
    digits = str(text).rstrip("kM")
    return int(digits) * factor if digits.isdecimal() else None


def require_clear(found: Preflight) -> None:
    """Raise Denied or Refused where something stands in the way; the message names all of it."""
    if found.missing:
        raise Denied(
            f"cannot restore: this account may not {', '.join(_told(found.missing))}",
            hint="grant these verbs to it, or use another context or --as; nothing was written",
        )
    if found.shortages:
        told = (
            f"quota {s.quota} of namespace {s.namespace} allows {s.hard:,} {s.what},"
            f" has {'some' if s.used is None else format(s.used, ',')}, and {s.wanted:,} more are to come"
            for s in found.shortages
        )
        raise Refused(f"cannot restore: {'; '.join(told)}", hint="raise the quota first; nothing was written")


def _told(missing: tuple[Need, ...]) -> Iterator[str]:
    """Yield each verb and resource once, with the namespaces in which it is missing."""
    places: dict[str, list[str]] = {}
    for need in missing:
        places.setdefault(f"{need.verb} {need.target}", []).append(need.namespace)
    for what, namespaces in places.items():
        named = [namespace for namespace in namespaces if namespace]
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        yield f"{what} in {', '.join(named[:_NAMED])}{more}" if named else what


def rules_yaml(missing: tuple[Need, ...]) -> str:
    """Return the rules that would grant what is missing, to paste into a Role or ClusterRole."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for need in missing:
        verbs.setdefault((need.resource.group, need.target), set()).add(need.verb)
    lines = ["rules:"]
    for (group, target), allowed in sorted(verbs.items()):
        lines += [f'- apiGroups: ["{group}"]', f'  resources: ["{target}"]', f"  verbs: [{_quoted(allowed)}]"]
    return "\n".join(lines)


def _quoted(words: set[str]) -> str:
    return ", ".join(f'"{word}"' for word in sorted(words))

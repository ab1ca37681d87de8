"""What a cluster serves: aggregated discovery in one request where there is, group by group where not.

Results are cached for the life of the object; refresh forgets them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from zenctl.core.objects import ResourceType
from zenctl.core.text import printable
from zenctl.errors import ApiFailure, NotFound, UsageError
from zenctl.kube.errors import NOT_DECODED, not_kubernetes
from zenctl.kube.http import Client

_AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"
    "application/json"
)

_ASKING = "read what the API server serves"

_Answer = TypeVar("_Answer")


class _Kind(msgspec.Struct, frozen=True):
    kind: str = ""


class _Subresource(msgspec.Struct, frozen=True):
    subresource: str = ""


class _AggregatedResource(msgspec.Struct, frozen=True, rename="camel"):
    resource: str
    response_kind: _Kind = _Kind()
    scope: str = ""
    singular_resource: str = ""
    short_names: tuple[str, ...] = ()
    verbs: frozenset[str] = frozenset()
    subresources: tuple[_Subresource, ...] = ()


class _AggregatedVersion(msgspec.Struct, frozen=True):
    version: str
    resources: tuple[_AggregatedResource, ...] = ()


class _GroupMetadata(msgspec.Struct, frozen=True):
    name: str = ""


class _AggregatedGroup(msgspec.Struct, frozen=True):
    metadata: _GroupMetadata = _GroupMetadata()
    versions: tuple[_AggregatedVersion, ...] = ()


class _Version(msgspec.Struct, frozen=True):
    version: str = ""


class _LegacyGroup(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    versions: tuple[_Version, ...] = ()
    preferred_version: _Version = _Version()


class _LegacyResource(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    kind: str = ""
    singular_name: str = ""
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    verbs: frozenset[str] = frozenset()


class _LegacyResources(msgspec.Struct, frozen=True):
    kind: str = ""
    resources: tuple[_LegacyResource, ...] = ()


class _Groups(msgspec.Struct, frozen=True):
    """Either answer of /apis: APIGroupDiscoveryList has items, APIGroupList has groups."""

    kind: str = ""
    items: tuple[_AggregatedGroup, ...] = ()
    groups: tuple[_LegacyGroup, ...] = ()


class Discovery:
    """Answers which resources a group has; satisfies ports.Discovery."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._groups: dict[str, tuple[ResourceType, ...]] = {}
        self._legacy: dict[str, _LegacyGroup] | None = None
        self._loaded = False

    def refresh(self) -> None:
        """Forget what is cached."""
        self._groups, self._legacy, self._loaded = {}, None, False

    def group(self, group: str) -> tuple[ResourceType, ...]:
        """Return the resources of an API group, each at the most preferred version that has it."""
        self._load()
        if group not in self._groups and self._legacy and group in self._legacy:
            self._groups[group] = self._legacy_group(self._legacy[group])
        return self._groups.get(group, ())

    def resolve(self, name: str) -> ResourceType:
        """Return the resource that kubectl would understand by a plural, singular, short or full name.

        Raises UsageError where there is none.
        """
        self._load()
        wanted, _, group = name.lower().partition(".")
        broken = None
        for known in dict.fromkeys(["", *self._groups, *(self._legacy or {})]) if wanted else ():
            if group and not (group == known or group.endswith(f".{known}")):
                continue
            try:
                served = self.group(known) if known else self._core()
            except ApiFailure as error:  # one group's own server is away; the name may be another's
                broken = error
                continue
            found = next((resource for resource in served if _is_called(resource, wanted, group)), None)
            if found:
                return found
        if broken:
            raise broken
        raise UsageError(
            f"the cluster serves no resource named {printable(name)!r}", hint="see kubectl api-resources"
        )

    def _core(self) -> tuple[ResourceType, ...]:
        if "" not in self._groups:
            self._groups[""] = self._legacy_version("", "v1")
        return self._groups[""]

    def _load(self) -> None:
        if self._loaded:
            return
        answer = self._client.send("GET", "/apis", doing=_ASKING, accept=_AGGREGATED)
        groups = _decode(answer.body, _Groups)
        if groups.kind == "APIGroupDiscoveryList":
            self._groups = {item.metadata.name: _flatten(item) for item in groups.items}
        elif groups.kind != "APIGroupList":
            raise not_kubernetes(_ASKING)
        else:
            self._legacy = {item.name: item for item in groups.groups}
        self._loaded = True

    def _legacy_group(self, group: _LegacyGroup) -> tuple[ResourceType, ...]:
        preferred = group.preferred_version.version
        versions = dict.fromkeys([preferred, *(version.version for version in group.versions)])
        return _first_of_each(
            resource for version in versions if version for resource in self._legacy_version(group.name, version)
        )

    def _legacy_version(self, group: str, version: str) -> tuple[ResourceType, ...]:
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        try:
            body = self._client.send("GET", path, doing=f"read what {path} serves").body
        except NotFound:
            return ()
        answer = _decode(body, _LegacyResources)
        if answer.kind != "APIResourceList":
            raise not_kubernetes(_ASKING)
        entries = answer.resources
        with_status = {entry.name.partition("/")[0] for entry in entries if entry.name.endswith("/status")}
        return tuple(
            ResourceType(
                group=group,
                version=version,
                kind=entry.kind,
                plural=entry.name,
                singular=entry.singular_name or entry.kind.lower(),
                short_names=entry.short_names,
                namespaced=entry.namespaced,
                verbs=entry.verbs,
                status_subresource=entry.name in with_status,
            )
            for entry in entries
            if "/" not in entry.name
        )


def _is_called(resource: ResourceType, wanted: str, group: str) -> bool:
    """Say whether kubectl would take a name, and a group or "version.group" behind it, for this resource."""
    names = (resource.plural, resource.singular, resource.kind.lower(), *resource.short_names)
    return wanted in names and group in ("", resource.group, f"{resource.version}.{resource.group}")


def _flatten(group: _AggregatedGroup) -> tuple[ResourceType, ...]:
    return _first_of_each(
        ResourceType(
            group=group.metadata.name,
            version=version.version,
            kind=entry.response_kind.kind,
            plural=entry.resource,
            singular=entry.singular_resource or entry.response_kind.kind.lower(),
            short_names=entry.short_names,
            namespaced=entry.scope == "Namespaced",
            verbs=entry.verbs,
            status_subresource=any(sub.subresource == "status" for sub in entry.subresources),
        )
        for version in group.versions
        for entry in version.resources
    )


def _first_of_each(resources: Iterable[ResourceType]) -> tuple[ResourceType, ...]:
    """Keep the first, and so most preferred, version of each resource."""
    found: dict[str, ResourceType] = {}
    for resource in resources:
        found.setdefault(resource.plural, resource)
    return tuple(found.values())


def _decode(body: bytes, kind: type[_Answer]) -> _Answer:
    try:
        return msgspec.json.decode(body, type=kind)
    except NOT_DECODED as error:
        raise not_kubernetes(_ASKING) from error

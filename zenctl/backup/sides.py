"""The two sides of a comparison: an archive, or the cluster as it is now; each gives its objects in key order.

Archives are read member by member, the cluster page by page, so memory stays flat whatever their size. Nothing is
judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from zenctl.archive.format import Collection, Member
from zenctl.archive.reader import Archive
from zenctl.backup.helm import MADE_BY_THE_CLUSTER
from zenctl.backup.parts import Part
from zenctl.core.helm import is_release_name
from zenctl.core.objects import CONFIG_MAP, KeyFields, ObjectKey, ResourceType
from zenctl.errors import NotFound, UsageError
from zenctl.ports import Discovery, ListQuery, ObjectReader
from zenctl.product.installation import SECRET

_MEMBERS_AT_ONCE = 8

Namespaces = frozenset[str] | None
"""Where custom resources were looked for; None is everywhere."""


class Side(Protocol):
    """One side of a comparison."""

    @property
    def label(self) -> str:
        """What a person calls it."""

    @property
    def namespaces(self) -> Namespaces:
        """Where it looked for custom resources."""

    def unknown(self, resource: ResourceType, key: str = "") -> str | None:
        """Say why it means nothing that a kind, or an object of it, is not here; None where it means something."""

    @property
    def mixed(self) -> bool:
        """Whether what was read so far outlived its snapshot: later objects are newer than earlier ones."""

    def kinds(self) -> Sequence[ResourceType]:
        """Return the kinds that it has, or would have if there were objects."""

    def objects(self, resource: ResourceType, namespaces: Namespaces) -> Iterator[tuple[str, bytes]]:
        """Yield key and body of every object of a kind, ascending; custom resources of these namespaces only."""


def in_key_order(archive: Archive, collection: Collection) -> Iterator[tuple[str, bytes]]:
    """Yield key and line of every object of a collection, ascending.

    One that is not sorted is read twice: first its keys alone, which are then kept in memory, then its objects in
    the order of those. Where it has a key twice, the later object counts.
    """
    if collection.sorted:
        yield from archive.objects(collection)
        return
    places: dict[str, tuple[int, int]] = {}
    for number, member in enumerate(collection.members):
        for line, (key, _) in enumerate(archive.member_objects(collection, member)):
            places[key] = number, line

    @lru_cache(_MEMBERS_AT_ONCE)
    def lines(member: Member) -> list[tuple[str, bytes]]:
        return archive.member_objects(collection, member)

    for key in sorted(places):
        number, line = places[key]
        yield key, lines(collection.members[number])[line][1]


class ArchiveSide:
    """An archive."""

    mixed = False

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.label = archive.name
        scope = archive.manifest.scope
        self.namespaces: Namespaces = None if scope.namespaces is None else frozenset(scope.namespaces)
        self._every_secret = scope.secrets
        self._without_helm = Part.HELM in archive.manifest.left_out
        self._omissions: Mapping[str, str] = {each.what: each.why for each in archive.manifest.omissions}

    def unknown(self, resource: ResourceType, key: str = "") -> str | None:
        """Say what was left out of it, because it might not be read or should not be."""
        omission = self._omissions.get(f"{resource.full_name}/{key}" if key else resource.full_name)
        if omission is not None:
            return omission
        release, secret = is_release_name(key.rpartition("/")[2]), resource.kind_and_group == SECRET.kind_and_group
        if self._without_helm and (release or secret):
            return "without encryption neither Helm data nor Secrets go in"
        if secret and key and not (self._every_secret or release):
            return "only the Secrets of Helm were asked for"
        return None

    def kinds(self) -> Sequence[ResourceType]:
        """Return the kinds of its collections; documents that were derived from others say nothing more."""
        return [each.resource.resource_type for each in self._archive.manifest.collections if not each.derived]

    def objects(self, resource: ResourceType, namespaces: Namespaces) -> Iterator[tuple[str, bytes]]:
        """Yield the objects of a collection; none where there is no such collection."""
        collection = self._archive.collection(resource.kind_and_group)
        if collection is None:
            return
        if namespaces is None or resource.built_in or not resource.namespaced:
            yield from in_key_order(self._archive, collection)
        elif collection.sorted:
            for name in _in_order(namespaces):
                yield from self._archive.objects(collection, f"{name}/")
        else:
            found = in_key_order(self._archive, collection)
            yield from (item for item in found if item[0].partition("/")[0] in namespaces)


def _in_order(namespaces: Iterable[str]) -> list[str]:
    """Return namespaces in the order of the keys in them: "a-b/x" comes before "a/x"."""
    return sorted(namespaces, key=lambda name: f"{name}/")


class LivePorts(NamedTuple):
    """What comparing with the cluster needs of it."""

    discovery: Discovery
    reader: ObjectReader


class LiveSide:
    """The cluster as it is now, as far as a backup of it would reach.

    Of the group it has everything, of ConfigMaps those that a backup takes. Of any other kind it has the objects
    that the archive on the other side has: which further ones a backup would have taken is not known here.
    """

    label = "live"
    namespaces: Namespaces = None

    def __init__(self, ports: LivePorts, group: str, system_namespace: str, archive: Archive) -> None:
        self._ports = ports
        self._group = group
        self._system_namespace = system_namespace
        self._archive = archive
        self._without_helm = Part.HELM in archive.manifest.left_out
        self.mixed = False

    def unknown(self, resource: ResourceType, key: str = "") -> str | None:  # noqa: ARG002 - the signature is Side's
        """Say that what is not there is not there."""
        return None

    def kinds(self) -> Sequence[ResourceType]:
        """Return what is served of the group, and the other kinds of the archive."""
        served = [found for found in self._ports.discovery.group(self._group) if {"list", "get"} <= found.verbs]
        archived = (each.resource.resource_type for each in self._archive.manifest.collections if not each.derived)
        return [*served, *(found for found in archived if found.group != self._group)]

    def objects(self, resource: ResourceType, namespaces: Namespaces) -> Iterator[tuple[str, bytes]]:
        """Yield the live objects of a kind, by the version that the cluster prefers."""
        served = next((found for found in self.kinds() if found.kind_and_group == resource.kind_and_group), None)
        if served is None:
            return iter(())
        if served.group == self._group:
            return self._listed(served, namespaces)
        if (served.group, served.kind) == (CONFIG_MAP.group, CONFIG_MAP.kind):
            return self._listed(served, self._config_map_namespaces(served))
        return self._looked_up(served)

    def _listed(self, resource: ResourceType, namespaces: Namespaces) -> Iterator[tuple[str, bytes]]:
        queries: Iterable[str | None] = [None] if namespaces is None else _in_order(namespaces)
        for namespace in queries:
            # Not begun anew when the snapshot expires: what was compared already cannot be taken back.
            for page in self._ports.reader.pages(resource, KeyFields, ListQuery(namespace), restarts=0, whole=True):
                self.mixed = self.mixed or page.mixed
                for item in page.objects:
                    if not resource.built_in or self._is_backed_up(item.key.name):
                        yield str(item.key), bytes(item.body)

    def _is_backed_up(self, name: str) -> bool:
        """Say whether a backup would take a ConfigMap of this name."""
        return name not in MADE_BY_THE_CLUSTER and not (self._without_helm and is_release_name(name))

    def _config_map_namespaces(self, resource: ResourceType) -> frozenset[str]:
        archived = (key.partition("/")[0] for key, _ in self._archived(resource))
        return frozenset({self._system_namespace, *archived})

    def _looked_up(self, resource: ResourceType) -> Iterator[tuple[str, bytes]]:
        for key, _ in self._archived(resource):
            namespace, _, name = key.rpartition("/")
            try:
                yield key, bytes(self._ports.reader.get(resource, ObjectKey(namespace, name), KeyFields).body)
            except NotFound:
                continue

    def _archived(self, resource: ResourceType) -> Iterator[tuple[str, bytes]]:
        collection = self._archive.collection(resource.kind_and_group)
        return iter(()) if collection is None else in_key_order(self._archive, collection)


def chosen(kinds: Sequence[ResourceType], wanted: Iterable[str]) -> list[ResourceType]:
    """Return the kinds that these words name, in any case: kind, plural, singular, or KIND.GROUP; no words, all.

    Raises UsageError for a word that names none.
    """
    words = {word.lower() for word in wanted}
    names = {kind.kind_and_group: _names(kind) for kind in kinds}
    unknown = words - {name for each in names.values() for name in each}
    if unknown:
        raise UsageError(
            f"--kind: neither side has anything called {', '.join(sorted(unknown))}",
            hint="there are " + ", ".join(sorted({kind.kind for kind in kinds})),
        )
    return [kind for kind in kinds if not words or words & names[kind.kind_and_group]]


def _names(kind: ResourceType) -> set[str]:
    return {kind.kind.lower(), kind.plural, kind.singular, kind.full_name, kind.kind_and_group.lower()}

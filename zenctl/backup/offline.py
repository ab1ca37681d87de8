"""An archive read as if it were the cluster that it was made of: satisfies Discovery, ObjectReader and ClusterInfo.

Served straight from the index: a single object costs the one member that it lies in. Nothing can be written, and
time stands still at the moment of the backup, so that ages are those of then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NoReturn

import msgspec

from zenctl.archive.format import Collection
from zenctl.archive.reader import Archive
from zenctl.core.listing import Consistency, Page
from zenctl.core.objects import Fields, ObjectKey, RawObject, ResourceType
from zenctl.core.selectors import parse_field_selector, parse_label_selector
from zenctl.errors import Damaged, Invalid, NotFound, Refused, UsageError
from zenctl.ports import ALL, ListQuery, WatchEvent

_READ_VERBS = frozenset({"get", "list"})
_FIELDS = ("metadata.name", "metadata.namespace")
PAGE_OBJECTS = 500


class _Metadata(msgspec.Struct, frozen=True, gc=False):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None


class _Selected(msgspec.Struct, frozen=True, gc=False):
    metadata: _Metadata = _Metadata()


_Matcher = Callable[[bytes], bool]


class ArchivedCluster:
    """The cluster as it was when an archive of it was made."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    # -- discovery -----------------------------------------------------------------------------------------

    def group(self, group: str) -> tuple[ResourceType, ...]:
        """Return the resources of a group of which the archive has a collection; they can be read."""
        return tuple(found for found in self._resources() if found.group == group)

    def resolve(self, name: str) -> ResourceType:
        """Return the resource of this plural, singular, kind or full name. Raises UsageError."""
        wanted, _, group = name.lower().partition(".")
        for found in self._resources():
            called = (found.plural, found.singular, found.kind.lower())
            if wanted in called and (not group or group in (found.group, f"{found.version}.{found.group}")):
                return found
        raise UsageError(
            f"the archive holds nothing called {name!r}",
            hint="it holds " + ", ".join(found.full_name for found in self._resources()),
        )

    def refresh(self) -> None:
        """Do nothing: an archive does not change."""

    def _resources(self) -> Iterator[ResourceType]:
        for collection in self._archive.manifest.collections:
            yield msgspec.structs.replace(collection.resource.resource_type, verbs=_READ_VERBS)

    # -- reading -------------------------------------------------------------------------------------------

    def pages(
        self,
        resource: ResourceType,
        fields: type[Fields],
        query: ListQuery = ALL,
        *,
        restarts: int = 2,  # noqa: ARG002 - nothing expires
        whole: bool = False,  # noqa: ARG002 - members are read as they lie
    ) -> Iterator[Page[Fields]]:
        """Yield the objects in pages. Raises Invalid for a selector that no server takes, Damaged, NotFound.

        Refused where the archive holds other namespaces than the one that is asked for: that it has nothing of that
        one says nothing about the cluster.
        """
        collection = self._collection(resource)
        matches = _matcher(query)
        prefix = f"{query.namespace}/" if query.namespace and resource.namespaced else ""
        decode = msgspec.json.Decoder(fields).decode
        version = next(reversed(collection.resource_versions), "")
        mixed = collection.consistency == Consistency.MIXED
        objects: list[RawObject[Fields]] = []
        found = False
        for key, line in self._archive.objects(collection, prefix):
            if matches is not None and not matches(line):
                continue
            objects.append(self._object(key, line, decode))
            found = True
            if len(objects) == PAGE_OBJECTS:
                yield Page(objects, version, None, restarted=False, mixed=mixed)
                objects = []
        if not found:
            self._require_held(query.namespace)
        yield Page(objects, version, None, restarted=False, mixed=mixed)

    def get(self, resource: ResourceType, key: ObjectKey, fields: type[Fields]) -> RawObject[Fields]:
        """Return one object. Raises NotFound, Damaged."""
        line = self._archive.find(self._collection(resource), str(key))
        if line is None:
            self._require_held(key.namespace or None)
            raise NotFound(f"archive {self._archive.name} holds no {resource.singular} {key}", status=404)
        return self._object(str(key), line, msgspec.json.Decoder(fields).decode)

    def watch(
        self,
        resource: ResourceType,  # noqa: ARG002 - the signature is the port's
        fields: type[Fields],  # noqa: ARG002
        query: ListQuery,  # noqa: ARG002
        since: str,  # noqa: ARG002
    ) -> Iterator[WatchEvent[Fields]]:
        """Refuse: nothing happens in an archive. Raises UsageError."""
        raise UsageError("an archive does not change, so there is nothing to watch", hint="leave out --from")

    def _collection(self, resource: ResourceType) -> Collection:
        found = self._archive.collection(resource.kind_and_group)
        if found is None:
            raise NotFound(f"archive {self._archive.name} holds no {resource.full_name}", status=404)
        return found

    def _object(self, key: str, line: bytes, decode: Callable[[bytes], Fields]) -> RawObject[Fields]:
        try:
            fields = decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Damaged(f"archive {self._archive.name}: object {key} is not readable: {error}") from None
        return RawObject(ObjectKey(fields.metadata.namespace, fields.metadata.name), fields, line)

    def _require_held(self, namespace: str | None) -> None:
        held = self._archive.manifest.scope.namespaces
        if namespace is not None and held is not None and namespace not in held:
            raise Refused(
                f"archive {self._archive.name} was not made of namespace {namespace}",
                hint=f"it was made of {', '.join(held)}",
            )

    # -- facts ---------------------------------------------------------------------------------------------

    def uid(self) -> str:
        """Return the id of the cluster that the archive was made of."""
        return self._archive.manifest.cluster.id

    def server_version(self) -> str:
        """Return the version of its API server then."""
        return self._archive.manifest.cluster.server_version

    def now(self) -> datetime:
        """Return the time of the backup."""
        return self._archive.footer.created_at


def _matcher(query: ListQuery) -> _Matcher | None:
    """Return what judges a line by the selectors of a query; None where there are none. Raises Invalid."""
    if not (query.label_selector or query.field_selector):
        return None
    try:
        by_label = parse_label_selector(query.label_selector)
        by_field = parse_field_selector(query.field_selector)
    except ValueError as error:
        _refuse(f"unable to parse the selector: {error}")
    for requirement in by_field.requirements:
        if requirement.field not in _FIELDS:
            _refuse(f"field label not supported: {requirement.field}")
    decode = msgspec.json.Decoder(_Selected).decode

    def matches(line: bytes) -> bool:
        try:
            metadata = decode(line).metadata
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return True  # whoever decodes it says what is wrong with it
        fields = dict(zip(_FIELDS, (metadata.name, metadata.namespace), strict=True))
        return by_label.matches(metadata.labels or {}) and by_field.matches(fields)

    return matches


def _refuse(message: str) -> NoReturn:
    raise Invalid(message, status=400, reason="BadRequest")

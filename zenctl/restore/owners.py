"""Owners of restored objects: references get the uid that the owner has now, or are dropped with a reason.

An owner has another uid after a disaster, and the garbage collector deletes an object whose owner it cannot find. So
a reference is kept only where its owner is there by kind, namespace and name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from zenctl.core.objects import KeyFields, ObjectKey, ResourceType
from zenctl.errors import Denied, NotFound, UsageError
from zenctl.ports import Discovery, ObjectReader


class Owned(NamedTuple):
    """The owner references that an object gets, and in words why others were dropped."""

    references: list[dict[str, Any]]
    dropped: tuple[str, ...]


class Owners:
    """Finds owners in the cluster, each asked for once; used from several threads, which may ask twice at worst."""

    def __init__(self, discovery: Discovery, reader: ObjectReader) -> None:
        self._discovery = discovery
        self._reader = reader
        self._known: dict[tuple[str, str, ObjectKey], str] = {}

    def remap(self, references: Any, namespace: str) -> Owned:
        """Return the references of an object in a namespace with the uids that their owners have now."""
        kept: list[dict[str, Any]] = []
        dropped: list[str] = []
        for reference in references if isinstance(references, Sequence) else ():
            uid = self._uid(reference, namespace) if isinstance(reference, Mapping) else ""
            if uid:
                kept.append({**reference, "uid": uid})
            else:
                dropped.append(_named(reference))
        return Owned(kept, tuple(dropped))

    def _uid(self, reference: Mapping[str, Any], namespace: str) -> str:
        """Return the uid of an owner; "" where it is not there, or may not be looked for."""
        api_version, kind, name = (str(reference.get(word) or "") for word in ("apiVersion", "kind", "name"))
        resource = self._resource(api_version, kind)
        if resource is None or not name:
            return ""
        key = ObjectKey(namespace if resource.namespaced else "", name)
        place = (api_version, kind, key)
        if place not in self._known:
            self._known[place] = self._look(resource, key)
        return self._known[place]

    def _resource(self, api_version: str, kind: str) -> ResourceType | None:
        group = api_version.rpartition("/")[0]
        try:
            found = self._discovery.resolve(f"{kind.lower()}.{group}" if group else kind.lower())
        except UsageError:
            return None
        return found if (found.group, found.kind) == (group, kind) else None

    def _look(self, resource: ResourceType, key: ObjectKey) -> str:
        try:
            return self._reader.get(resource, key, KeyFields).fields.metadata.uid
        except (NotFound, Denied):
            return ""


def _named(reference: Any) -> str:
    if not isinstance(reference, Mapping):
        return "an owner that is none"
    return f"{reference.get('kind')} {reference.get('name')}"

"""The bodies that a restore sends, made from archived objects. Pure.

What the server owns is taken off, at restore and never at backup: the archive keeps everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from zenctl.backup.portable import portable, with_given
from zenctl.core.objects import CUSTOM_RESOURCE_DEFINITION, ObjectKey, ResourceType
from zenctl.core.provenance import ORIGINAL_CREATION, ORIGINAL_UID, provenance

_SERVER_OWNED = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "selfLink",
    "managedFields",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
_MISLEADING = ("generateName", "ownerReferences")
"""generateName would double the object on a second run; an owner's uid is another one after a restore,
and an object whose owner does not exist is collected as garbage: see zenctl.restore.owners."""


def new_body(
    resource: ResourceType, archived: Mapping[str, Any], owners: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return the object to create: spec, labels and annotations as archived, with its provenance noted.

    ``owners`` are its owner references, as they are true now. Status is left in where a custom kind has no status
    subresource, because there it is an ordinary field.
    """
    archived = portable(resource, archived)
    metadata = {k: v for k, v in _metadata(archived).items() if k not in (*_SERVER_OWNED, *_MISLEADING)}
    annotations = metadata.get("annotations") or {}
    noted = provenance(
        str(_metadata(archived).get("uid") or ""),
        str(_metadata(archived).get("creationTimestamp") or ""),
        annotations,
    )
    if noted:
        metadata["annotations"] = {**annotations, **noted}
    if owners:
        metadata["ownerReferences"] = list(owners)
    rest = {k: v for k, v in archived.items() if k not in ("apiVersion", "kind", "metadata")}
    if resource.status_subresource or resource.built_in:
        rest.pop("status", None)
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **rest}


def definition_body(api_version: str, archived: Mapping[str, Any]) -> dict[str, Any]:
    """Return a CRD to create; its status is the server's own account and is not restored."""
    metadata = {k: v for k, v in _metadata(archived).items() if k not in (*_SERVER_OWNED, *_MISLEADING)}
    return {
        "apiVersion": api_version,
        "kind": CUSTOM_RESOURCE_DEFINITION.kind,
        "metadata": metadata,
        "spec": archived.get("spec"),
    }


def replacement_body(
    resource: ResourceType, new: Mapping[str, Any], live: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the live object with the archived content; None where that would change nothing.

    Labels, annotations and everything beside metadata and status become the archived ones; what others
    keep in the live metadata (finalizers, owners) stays, and so does what the cluster gave it. The live object's own
    provenance is kept. Status is content like any other where a custom kind has no status subresource.
    """
    new = with_given(resource, new, live)
    aside = ("metadata", "status") if resource.status_subresource or resource.built_in else ("metadata",)
    before = {k: v for k, v in live.items() if k not in aside}
    after = {k: v for k, v in new.items() if k not in aside}
    old_metadata, new_metadata = _metadata(live), _metadata(new)
    metadata = {k: v for k, v in old_metadata.items() if k != "managedFields"}
    wanted = {"labels": new_metadata.get("labels"), "annotations": _annotations(new_metadata, old_metadata)}
    for part, value in wanted.items():
        if value:
            metadata[part] = value
        else:
            metadata.pop(part, None)
    if before == after and all(
        (old_metadata.get(p) or {}) == (metadata.get(p) or {}) for p in ("labels", "annotations")
    ):
        return None
    body = {**after, "metadata": metadata}
    if "status" in live and "status" in aside:
        body["status"] = live["status"]
    return body


def _annotations(new: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """Return the archived annotations with the live object's provenance; an object is not restored from itself."""
    wanted, own = dict(new.get("annotations") or {}), live.get("annotations") or {}
    itself = wanted.get(ORIGINAL_UID) == live.get("uid")
    for name in (ORIGINAL_UID, ORIGINAL_CREATION):
        if name in own:
            wanted[name] = own[name]
        elif itself:
            wanted.pop(name, None)
    return wanted


def status_body(resource: ResourceType, key: ObjectKey, uid: str, resource_version: str, status: Any) -> bytes:
    """Return the body of a write to the status subresource, bound to the object that was just seen."""
    metadata = {"name": key.name, "namespace": key.namespace, "uid": uid, "resourceVersion": resource_version}
    return msgspec.json.encode(
        {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "status": status}
    )


def owner_references(archived: Mapping[str, Any]) -> Any:
    """Return what an archived object says of its owners; None where it says nothing."""
    return _metadata(archived).get("ownerReferences")


def _metadata(value: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = value.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}

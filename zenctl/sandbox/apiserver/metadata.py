"""The part of an object that belongs to the server: identity, times, versions; what a client may say of it.

managedFields are dropped: this server keeps no account of owners, and does not invent one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

from zenctl.sandbox.apiserver.errors import Cause, bad_request
from zenctl.sandbox.apiserver.kinds import Served
from zenctl.sandbox.apiserver.names import generated_name
from zenctl.sandbox.apiserver.objects import Json

_KNOWN = (
    "name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
    "deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers",
)  # fmt: skip
_FIXED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def stamp(now: datetime) -> str:
    """Return a time as metadata holds it: whole seconds, UTC."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def known(metadata: object, kind: str, version: str) -> Json:
    """Return metadata with the fields that it may have, and without what is null. Raises ApiError 400."""
    if metadata is None:
        return {}
    cannot = f'{kind} in version "{version}" cannot be handled as a {kind}: '
    if not isinstance(metadata, Mapping):
        raise bad_request(f"{cannot}metadata is no object")
    found = {key: metadata[key] for key in _KNOWN if metadata.get(key) is not None}
    for key, value in found.items():
        if not _is_of_type(key, value):
            raise bad_request(f"{cannot}metadata.{key} is of the wrong type")
    for key in ("labels", "annotations"):
        if key in found:  # null is the empty text to Go
            found[key] = {name: text or "" for name, text in found[key].items()}
    for key, zero in (("finalizers", ""), ("ownerReferences", {})):
        if key in found:
            found[key] = [zero if item is None else item for item in found[key]]
    return {key: value for key, value in found.items() if value not in ("", {}, [])}


def _is_of_type(key: str, value: Any) -> bool:
    if key in ("labels", "annotations"):
        return isinstance(value, Mapping) and all(isinstance(v, str) or v is None for v in value.values())
    if key == "finalizers":
        return isinstance(value, list) and all(isinstance(item, str) or item is None for item in value)
    if key == "ownerReferences":
        return isinstance(value, list) and all(isinstance(item, Mapping | None) for item in value)
    if key in ("generation", "deletionGracePeriodSeconds"):
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)


def unknown(metadata: object) -> list[str]:
    """Return the fields of metadata that no object has."""
    if not isinstance(metadata, Mapping):
        return []
    return [f"metadata.{key}" for key in metadata if key not in (*_KNOWN, "managedFields", "selfLink", "clusterName")]


def begin(metadata: Json, served: Served, namespace: str, now: datetime, random: Random) -> Json:
    """Return the metadata of a new object."""
    begun = {key: value for key, value in metadata.items() if key not in (*_FIXED, "resourceVersion", "namespace")}
    if not begun.get("name") and begun.get("generateName"):
        begun["name"] = generated_name(begun["generateName"], random)
    if namespace:
        begun["namespace"] = namespace
    begun["uid"] = str(UUID(int=random.getrandbits(128), version=4))
    begun["creationTimestamp"] = stamp(now)
    if served.generation:
        begun["generation"] = 1
    return begun


def carried_over(metadata: Json, old: Mapping[str, Any]) -> tuple[Json, list[Cause]]:
    """Return the metadata of a replacement, with what the server keeps from the old, and what it may not change."""
    carried = {**metadata}
    carried.setdefault("name", old["name"])
    if "namespace" in old:
        carried.setdefault("namespace", old["namespace"])
    causes: list[Cause] = []
    for key in _FIXED:
        marked = "deletionTimestamp" in old and key.startswith("deletion")
        if key not in carried or marked or key == "creationTimestamp":
            carried.pop(key, None)
            if key in old:
                carried[key] = old[key]
        elif carried[key] != old.get(key):
            causes.append(Cause(f"Invalid value: {_quoted(carried[key])}: field is immutable", f"metadata.{key}"))
    carried.pop("generation", None)
    if "generation" in old:
        carried["generation"] = old["generation"]
    causes += _new_finalizers(carried, old)
    return carried, causes


def _new_finalizers(metadata: Mapping[str, Any], old: Mapping[str, Any]) -> list[Cause]:
    if "deletionTimestamp" not in old:
        return []
    added = [each for each in metadata.get("finalizers", ()) if each not in old.get("finalizers", ())]
    if not added:
        return []
    listed = ", ".join(_quoted(each) for each in sorted(added))
    message = (
        "Forbidden: no new finalizers can be added if the object is being deleted, "
        f"found new finalizers []string{{{listed}}}"
    )
    return [Cause(message, "metadata.finalizers", "FieldValueForbidden")]


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)

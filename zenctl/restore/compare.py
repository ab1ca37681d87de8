"""Comparing an archived object with the live one of its name: whether an update would change it, and where. Pure.

What counts in a comparison of objects is zenctl.backup.compare's to say. An update writes less than that: it leaves
live finalizers alone, and a status that the archive does not have; and a null in the archive is the same as nothing.
"""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import Any

import msgspec

from zenctl.backup.compare import content, field_differences
from zenctl.backup.portable import portable
from zenctl.core.objects import ResourceType
from zenctl.product.installation import SECRET

MOST_DIFFERENCES = 20
"""How many differences of one object are kept."""
_DIGEST_BYTES = 16
_HIDDEN = "(hidden)"


class Difference(msgspec.Struct, frozen=True, rename="camel"):
    """A field that is not the same on both sides: JSON text, shortened; None where it is absent."""

    field: str
    archived: str | None
    live: str | None


class Content(msgspec.Struct, frozen=True, gc=False):
    """What of an object counts, as two digests."""

    body: bytes
    status: bytes
    """b"" where there is no status."""

    def holds(self, archived: Content) -> bool:
        """Say whether an object of this content has everything of the archived one."""
        return self.body == archived.body and archived.status in (b"", self.status)


def content_of(body: bytes | memoryview, resource: ResourceType) -> Content:
    """Return the digests of an object's JSON. Raises msgspec.DecodeError where it is none."""
    counts, status = _counting(msgspec.json.decode(body), resource)
    return Content(_digest(counts), _digest(status) if status else b"")


def _digest(value: Any) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(value, order="deterministic"), digest_size=_DIGEST_BYTES).digest()


def _counting(value: dict[str, Any], resource: ResourceType) -> tuple[dict[str, Any], Any]:
    """Return what an update writes beside status, and the status; that of a built-in kind is the cluster's own."""
    found = content(portable(resource, value), built_in=resource.built_in)
    status = _plain(found.pop("status", None))
    metadata = {name: part for name, part in found.pop("metadata", {}).items() if name in ("labels", "annotations")}
    counts: dict[str, Any] = _plain({**found, **({"metadata": metadata} if metadata else {})})
    return counts, status


def _plain(value: Any) -> Any:
    """Return a value without nulls in objects, and with 1.0 as the 1 that it equals in JSON."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def differences(
    archived: bytes | memoryview, live: bytes | memoryview, resource: ResourceType, *, status: bool
) -> tuple[Difference, ...]:
    """Return the fields in which the live object is not as the archived one, at most MOST_DIFFERENCES.

    ``status`` says that its status counts; one that the archive does not have never does. Of Secrets only the fields
    are told, never what is in them.
    """
    (left, old), (right, new) = (_counting(msgspec.json.decode(body), resource) for body in (archived, live))
    hidden = resource.kind_and_group == SECRET.kind_and_group
    if status and old:
        left, right = {**left, "status": old}, {**right, **({"status": new} if new else {})}
    return tuple(
        Difference(found.path, _HIDDEN, _HIDDEN) if hidden else Difference(found.path, found.left, found.right)
        for found in islice(field_differences(left, right), MOST_DIFFERENCES)
    )

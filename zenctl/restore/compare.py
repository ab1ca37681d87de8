"""Comparing an archived object with the live one of its name: whether they differ, and in which fields. Pure.

What counts is what a restore would write: everything beside metadata, the labels and annotations, and status where
there is one in the archive. What the server owns and the provenance that restores leave do not count, and a null
is the same as nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from zenctl.core.provenance import ORIGINAL_CREATION, ORIGINAL_UID

MOST_DIFFERENCES = 20
"""How many differences of one object are kept."""
_MOST_TEXT = 120
_DIGEST_BYTES = 16
_ABSENT = object()


class Difference(msgspec.Struct, frozen=True, rename="camel"):
    """A field that is not the same on both sides: JSON text, shortened; "" where it is absent."""

    field: str
    archived: str
    live: str


class Content(msgspec.Struct, frozen=True, gc=False):
    """What of an object counts, as two digests."""

    body: bytes
    status: bytes
    """b"" where there is no status."""

    def holds(self, archived: Content) -> bool:
        """Say whether an object of this content has everything of the archived one."""
        return self.body == archived.body and archived.status in (b"", self.status)


def content_of(body: bytes | memoryview) -> Content:
    """Return the digests of an object's JSON. Raises msgspec.DecodeError where it is none."""
    value = msgspec.json.decode(body)
    status = _without_nulls(value.get("status"))
    return Content(_digest(_counting(value)), _digest(status) if status else b"")


def _digest(value: Any) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(value, order="deterministic"), digest_size=_DIGEST_BYTES).digest()


def _counting(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what counts beside status."""
    metadata = value.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    annotations = {
        name: text
        for name, text in (metadata.get("annotations") or {}).items()
        if name not in (ORIGINAL_UID, ORIGINAL_CREATION)
    }
    rest = {k: v for k, v in value.items() if k not in ("apiVersion", "kind", "metadata", "status")}
    own = {"labels": metadata.get("labels") or None, "annotations": annotations or None}
    counting: dict[str, Any] = _without_nulls({**rest, "metadata": own})
    return counting


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def differences(archived: bytes | memoryview, live: bytes | memoryview, *, status: bool) -> tuple[Difference, ...]:
    """Return the fields in which the live object is not as the archived one, at most MOST_DIFFERENCES.

    ``status`` says that its status counts; one that the archive does not have never does.
    """
    old, new = msgspec.json.decode(archived), msgspec.json.decode(live)
    left, right = _counting(old), _counting(new)
    if status and old.get("status"):
        left["status"], right["status"] = _without_nulls(old["status"]), _without_nulls(new.get("status"))
    found = _walk("", left, right)
    return tuple(difference for difference, _ in zip(found, range(MOST_DIFFERENCES), strict=False))


def _walk(path: str, archived: Any, live: Any) -> Iterator[Difference]:
    if isinstance(archived, dict) and isinstance(live, dict):
        for key in sorted({*archived, *live}):
            yield from _walk(_below(path, key), archived.get(key, _ABSENT), live.get(key, _ABSENT))
    elif _canonical(archived) != _canonical(live):  # in Python 0, 0.0 and False are equal, in JSON they are three
        yield Difference(field=path, archived=_text(archived), live=_text(live))


def _canonical(value: Any) -> bytes:
    return b"" if value is _ABSENT else msgspec.json.encode(value, order="deterministic")


def _below(path: str, key: str) -> str:
    if not key.replace("_", "").replace("-", "").isalnum():
        return f"{path}[{key!r}]"
    return f"{path}.{key}" if path else key


def _text(value: Any) -> str:
    if value is _ABSENT or value is None:
        return ""
    text = msgspec.json.encode(value).decode("utf-8", "replace")
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}... ({len(text):,} characters)"

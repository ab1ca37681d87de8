"""What two objects differ in, but for what a server or a restore puts on them; and how two sorted streams meet. Pure.

The rule of what counts is one: a cluster into which an archive was restored equals that archive. Nothing here
knows where objects come from, and no value of a Secret leaves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

import msgspec

from zenctl.backup.portable import portable
from zenctl.core.helm import is_release_name
from zenctl.core.objects import ResourceType
from zenctl.core.provenance import ORIGINAL_CREATION, ORIGINAL_UID
from zenctl.product.installation import SECRET

SHORTEST = 120
"""A value is shown up to so many characters."""
_DEEPEST = 40

NOT_RESTORED = frozenset(
    {
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "selfLink",
        "managedFields",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generateName",
        "ownerReferences",
    }
)
"""Metadata that is the server's own, or would mislead in another cluster: a restore leaves it out."""
_NOT_CONTENT = NOT_RESTORED | {"name", "namespace"}
_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_PROVENANCE = frozenset({ORIGINAL_UID, ORIGINAL_CREATION})
_PLAIN_KEY = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")

Left = TypeVar("Left")
Right = TypeVar("Right")
_ABSENT: Any = object()


class Change(StrEnum):
    """How an object differs between two sides."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class FieldDifference(NamedTuple):
    """One field in which two objects differ; the values are JSON, shortened. None is a field that is not there."""

    path: str
    left: str | None
    right: str | None
    hidden: bool = False
    """It belongs to an object that holds secrets: the values are kept back."""


_EMPTY: tuple[object, ...] = (None, {}, [])


def content(value: Mapping[str, Any], *, built_in: bool) -> dict[str, Any]:
    """Return the part of an object that counts.

    Empty labels, annotations and finalizers are the same as none. A built-in object's status is the cluster's own
    account, and servers leave out its parts that are empty.
    """
    aside = ("apiVersion", "kind", "metadata", "status") if built_in else ("apiVersion", "kind", "metadata")
    found = {name: part for name, part in value.items() if name not in aside and not (built_in and part in _EMPTY)}
    metadata = value.get("metadata")
    if not isinstance(metadata, Mapping):
        return found
    kept = {name: part for name, part in metadata.items() if name not in _NOT_CONTENT and part not in _EMPTY}
    annotations = kept.get("annotations")
    if isinstance(annotations, Mapping) and not _PROVENANCE.isdisjoint(annotations):
        kept["annotations"] = {name: text for name, text in annotations.items() if name not in _PROVENANCE}
        if not kept["annotations"]:
            del kept["annotations"]
    if kept:
        found["metadata"] = kept
    return found


class Judge:
    """Compares the objects of one kind."""

    def __init__(self, resource: ResourceType) -> None:
        self._resource = resource
        self._hidden = resource.kind_and_group == SECRET.kind_and_group

    def differences(self, key: str, left: bytes, right: bytes) -> Iterator[FieldDifference]:
        """Yield the fields in which two objects of a key differ; none where they are the same in what counts."""
        hidden = self._hidden or is_release_name(key.rpartition("/")[2])
        if left == right:
            return
        try:
            before, after = self._contents(left, right)
            if before == after and _encoded(before) == _encoded(after):
                return  # alone, == would take 1 for true
        except (ValueError, RecursionError):
            yield FieldDifference("(object cannot be read)", None, None, hidden=True)
            return
        for found in field_differences(before, after):
            yield FieldDifference(found.path, None, None, hidden=True) if hidden else found

    def _contents(self, left: bytes, right: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what counts of both. Raises ValueError, RecursionError."""
        if not self._resource.built_in:
            one, other = _unlike(left, right)
            return content(one, built_in=False), content(other, built_in=False)
        whole = (msgspec.json.decode(body, type=dict[str, Any]) for body in (left, right))
        one, other = (content(portable(self._resource, value), built_in=True) for value in whole)
        return one, other


def field_differences(left: Any, right: Any) -> Iterator[FieldDifference]:
    """Yield the fields in which two values differ, as deep as both have the same structure."""
    for path, old, new in _differing(left, right, "", 0):
        yield FieldDifference(path, _shown(old), _shown(new))


def _unlike(left: bytes, right: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parts of two objects that are not written alike: mostly metadata alone, which spares the rest.

    Raises ValueError, RecursionError.
    """
    before, after = _PARTS.decode(left), _PARTS.decode(right)
    alike = {name for name, part in before.items() if name in after and bytes(part) == bytes(after[name])}
    one, other = (
        {name: msgspec.json.decode(part) for name, part in parts.items() if name not in alike}
        for parts in (before, after)
    )
    return one, other


def _differing(left: Any, right: Any, path: str, depth: int) -> Iterator[tuple[str, Any, Any]]:
    """Yield path and values of what differs, as deep as both sides have the same structure."""
    if isinstance(left, dict) and isinstance(right, dict) and depth < _DEEPEST:
        for name in (*left, *(name for name in right if name not in left)):
            below = _below(path, name)
            yield from _differing(left.get(name, _ABSENT), right.get(name, _ABSENT), below, depth + 1)
    elif isinstance(left, list) and isinstance(right, list) and depth < _DEEPEST:
        for place in range(max(len(left), len(right))):
            old = left[place] if place < len(left) else _ABSENT
            new = right[place] if place < len(right) else _ABSENT
            yield from _differing(old, new, f"{path}[{place}]", depth + 1)
    elif left is _ABSENT or right is _ABSENT or not _same(left, right):
        yield path, left, right


def _same(left: Any, right: Any) -> bool:
    """Say whether two values are the same; 1 and 1.0 are one number, and neither is true."""
    if isinstance(left, dict | list):
        return type(left) is type(right) and _encoded(left) == _encoded(right)
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _encoded(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _below(path: str, name: str) -> str:
    if name and _PLAIN_KEY.issuperset(name):
        return f"{path}.{name}" if path else name
    return f"{path}[{msgspec.json.encode(name).decode()}]"


def _shown(value: Any) -> str | None:
    if value is _ABSENT:
        return None
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= SHORTEST else f"{text[: SHORTEST - 1]}…"


class OutOfOrder(ValueError):
    """A stream that should ascend by its keys does not."""


def join(
    left: Iterable[tuple[str, Left]], right: Iterable[tuple[str, Right]]
) -> Iterator[tuple[str, Left | None, Right | None]]:
    """Yield every key of two streams that ascend, once and in order, with what each stream has for it.

    Holds one element of each. Raises OutOfOrder for a stream that does not ascend strictly.
    """
    lefts, rights = _ascending(left), _ascending(right)
    one, other = next(lefts, None), next(rights, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None
            yield one[0], one[1], None
            one = next(lefts, None)
        elif one is None or other[0] < one[0]:
            yield other[0], None, other[1]
            other = next(rights, None)
        else:
            yield one[0], one[1], other[1]
            one, other = next(lefts, None), next(rights, None)


def _ascending(stream: Iterable[tuple[str, Left]]) -> Iterator[tuple[str, Left]]:
    last: str | None = None
    for item in stream:
        if last is not None and item[0] <= last:
            raise OutOfOrder(f"{item[0]} comes after {last}")
        last = item[0]
        yield item

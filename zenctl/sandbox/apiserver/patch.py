"""The patch types of the API on decoded JSON: JSON merge patch and JSON patch; strategic merge has its own module.

A patch function never changes its arguments, and its result shares nothing with them. What the result is worth (the
schema, immutable fields, resourceVersion) is for the caller to judge. Where the RFCs and kube-apiserver differ, this
does as kube-apiserver does; the tests name the differences.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from zenctl.sandbox.apiserver.errors import ApiError, bad_request
from zenctl.sandbox.apiserver.json_values import check_depth, copied, not_decoded, rejected, same, without_nulls
from zenctl.sandbox.apiserver.merge_keys import merge_rules
from zenctl.sandbox.apiserver.strategic import strategic_merge_patch

__all__ = ["json_merge_patch", "json_patch", "merge_rules", "strategic_merge_patch"]

Json = dict[str, Any]

MOST_OPERATIONS = 10_000
MOST_COPIED_BYTES = 3 * 1024 * 1024
"""Of JSON, by all operations "copy" of one patch together."""

_INDEX = re.compile(r"[+-]?[0-9]{1,18}")


def json_merge_patch(document: Mapping[str, Any], patch: object) -> Any:
    """Apply a JSON merge patch (RFC 7386). Raises ApiError 400 where the patch is no object, nor an array, which
    takes the document's place."""
    if isinstance(patch, list):
        return without_nulls(copied(patch))
    if not isinstance(patch, dict):
        raise bad_request("Invalid JSON Patch")
    result: Json = copied(dict(document))
    _merge(result, copied(patch))
    return result


def _merge(target: Json, patch: Json) -> None:
    for key, value in patch.items():
        present = target.get(key)
        if value is None:
            target.pop(key, None)
        elif isinstance(present, dict) and isinstance(value, dict):
            _merge(present, value)
        else:
            # Nulls inside arrays go as well, except, on kube-apiserver, where the array takes an object's place.
            target[key] = value if isinstance(present, dict) else without_nulls(value)


def json_patch(document: Mapping[str, Any], operations: object) -> Any:
    """Apply a JSON patch (RFC 6902): ``[{"op": "add", "path": "/a/b", "value": 1}, …]``.

    Raises ApiError: 400 where the patch is no array of objects, 413 where it has too many operations, and 422 where
    an operation is malformed or does not apply, which the server never explains.
    """
    steps = _operations(operations)
    working = _Working(document)
    for step in steps:
        apply = _OPERATIONS.get(step["op"]) if isinstance(step.get("op"), str) else None
        if apply is None:
            raise rejected()
        apply(working, step)
    check_depth(working.root)
    return working.root


def _operations(patch: object) -> list[Json]:
    if patch is None:
        return []
    if not isinstance(patch, list):
        raise not_decoded(patch, "jsonpatch.Patch")
    for step in patch:
        if not isinstance(step, dict | None):
            raise not_decoded(step, "jsonpatch.Operation")
    if len(patch) > MOST_OPERATIONS:
        what = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(patch)}"
        raise ApiError(413, "RequestEntityTooLarge", f"Request entity too large: {what}")
    return [step or {} for step in patch]


class _Working:
    """The document while operations change it in place. Every method raises ApiError 422 where it cannot be done."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.root: Any = copied(dict(document))
        self._copied_bytes = 0

    def add(self, step: Json) -> None:
        """Add the value; one that is missing is null."""
        self._add(step.get("path"), copied(step.get("value")))

    def remove(self, step: Json) -> None:
        """Remove what is at the path."""
        self._remove(step.get("path"))

    def replace(self, step: Json) -> None:
        """Replace what is at the path; a member that does not exist is added, an element that does not is not."""
        value = copied(step.get("value"))
        if step.get("path") == "":
            if not isinstance(value, dict | list):
                raise rejected()
            self.root = value
            return
        container, key = self._parent(step.get("path"))
        if isinstance(container, dict):
            container[key] = value
        else:
            container[_index(key, len(container))] = value

    def move(self, step: Json) -> None:
        """Remove at ``from``, then add at the path, as it is after the removal."""
        self._add(step.get("path"), self._remove(step.get("from")))

    def copy(self, step: Json) -> None:
        """Add at the path what is at ``from``; of a member that does not exist, null."""
        value = copied(self._get(step.get("from")))
        self._copied_bytes += len(msgspec.json.encode(value))
        if self._copied_bytes > MOST_COPIED_BYTES:
            raise rejected()
        self._add(step.get("path"), value)

    def test(self, step: Json) -> None:
        """Do nothing where the value is at the path; a member that does not exist equals null."""
        path = step.get("path")
        if not same(self.root if path == "" else self._get(path), copied(step.get("value"))):
            raise rejected()

    def _parent(self, pointer: object) -> tuple[Any, str]:
        """Follow a JSON pointer (RFC 6901) up to its last token. What stands before the first "/" is ignored."""
        if not isinstance(pointer, str) or "/" not in pointer:
            raise rejected()
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
        node = self.root
        for token in tokens[:-1]:
            node = _member(node, token)
        if not isinstance(node, dict | list):
            raise rejected()
        return node, tokens[-1]

    def _get(self, pointer: object) -> Any:
        return _member(*self._parent(pointer))

    def _add(self, pointer: object, value: Any) -> None:
        container, key = self._parent(pointer)
        if isinstance(container, dict):
            container[key] = value
        elif key == "-":
            container.append(value)
        else:
            container.insert(_index(key, len(container) + 1), value)

    def _remove(self, pointer: object) -> Any:
        container, key = self._parent(pointer)
        if isinstance(container, list):
            return container.pop(_index(key, len(container)))
        if key not in container:
            raise rejected()
        return container.pop(key)


_OPERATIONS: dict[str, Callable[[_Working, Json], None]] = {
    "add": _Working.add,
    "remove": _Working.remove,
    "replace": _Working.replace,
    "move": _Working.move,
    "copy": _Working.copy,
    "test": _Working.test,
}


def _member(node: Any, key: str) -> Any:
    """Return a member of an object, None where it has none such, or an element of an array."""
    if isinstance(node, dict):
        return node.get(key)
    if isinstance(node, list):
        return node[_index(key, len(node))]
    raise rejected()


def _index(key: str, size: int) -> int:
    """Read an index below ``size``; kube-apiserver counts negative ones from the end."""
    if not _INDEX.fullmatch(key):
        raise rejected()
    index = int(key)
    if not -size <= index < size:
        raise rejected()
    return index % size

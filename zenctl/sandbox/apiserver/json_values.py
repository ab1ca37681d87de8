"""Decoded JSON as the patch types handle it: copies, bounded depth, equality without coercion, and common errors."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import msgspec

from zenctl.sandbox.apiserver.errors import ApiError, bad_request

MOST_LEVELS = 100
"""How deep objects and arrays may be nested; what is deeper is refused, since patches are applied recursively."""


_GO_NAMES: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
    type(None): "null",
}


def not_decoded(value: Any, wanted: str) -> ApiError:
    """400: a value is of another type than the patch type asks for; ``wanted`` is the server's name of that type."""
    return bad_request(f"json: cannot unmarshal {_GO_NAMES[type(value)]} into Go value of type {wanted}")


def rejected() -> ApiError:
    """422 without a reason given, as the server answers where an operation does not apply."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", details={})


def copied(value: Any, levels: int = MOST_LEVELS) -> Any:
    """Return a copy that shares no object and no array with the value. Raises ApiError 400 where it is too deep."""
    if not isinstance(value, (dict, list)):
        return value
    if levels == 0:
        raise _too_deep()
    if isinstance(value, list):
        return [copied(item, levels - 1) for item in value]
    return {key: copied(item, levels - 1) for key, item in value.items()}


def without_nulls(value: Any) -> Any:
    """Return the value itself, after removing from its objects, at any depth, the members that are null."""
    if isinstance(value, list):
        for item in value:
            without_nulls(item)
    elif isinstance(value, dict):
        for key in [key for key, item in value.items() if item is None]:
            del value[key]
        for item in value.values():
            without_nulls(item)
    return value


def same(left: Any, right: Any) -> bool:
    """Return whether two values are equal: 1, 1.0 and true are three different ones, as on the server."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(item, right[key]) for key, item in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def identity(value: Any) -> Hashable:
    """Return what two values have in common exactly where they are the same, as a key for sets and mappings."""
    if isinstance(value, (dict, list)):
        return type(value), msgspec.json.encode(value, order="sorted")
    return type(value), value


def check_depth(value: Any) -> None:
    """Raise ApiError 400 where a value is nested too deeply. It may be nested deeper than Python can recurse."""
    level = [value]
    for _ in range(MOST_LEVELS + 1):
        inner = [item for item in level if isinstance(item, (dict, list))]
        if not inner:
            return
        level = [part for item in inner for part in (item.values() if isinstance(item, dict) else item)]
    raise _too_deep()


def _too_deep() -> ApiError:
    return bad_request(f"the patch, or what it makes, is nested deeper than {MOST_LEVELS} levels")

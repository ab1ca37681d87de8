"""Zero values of built-in kinds, as Go's JSON has them: what is empty is left out, and a null in a list is a zero.

Go knows no difference between an empty field and an absent one, unless it is a pointer; so ``command: []`` and
``type: ""`` come back as nothing, and take part in no default. Which fields are so, protobuf.json knows; lists and
maps are, unless they are required. Custom resources have nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zenctl.sandbox.apiserver.protobuf import Field, json_fields

Zeros = Callable[[Any], None]
"""Changes a document in place. Its types have been checked; nulls may stand anywhere."""

_SCALARS: Mapping[str, Any] = {
    "string": "", "bytes": "", "bool": False, "int32": 0, "int64": 0, "double": 0, "resource.Quantity": "0",
}  # fmt: skip


def compile_zeros(schema: Mapping[str, Any], message: str) -> Zeros:
    """Return what is done to whole objects of a kind: its schema, without references, and its message."""
    return _in_object(schema, message) or _nothing


def _nothing(_value: Any) -> None:
    """Leave a document as it is."""


def _in_object(schema: Mapping[str, Any], message: str) -> Zeros | None:
    """Compile what happens in an object with fields; None where nothing does."""
    below: dict[str, Zeros] = {}
    omitted: set[str] = set()
    fields, required = json_fields(message), schema.get("required", ())
    for name, sub in (schema.get("properties") or {}).items():
        field = fields.get(name)
        if field is None:
            continue
        if field.omits_zero or ((field.is_list or field.is_map) and name not in required):
            omitted.add(name)
        inner = _in_field(sub, field)
        if inner is not None:
            below[name] = inner
    return _members(below, frozenset(omitted)) if below or omitted else None


def _members(below: Mapping[str, Zeros], omitted: frozenset[str]) -> Zeros:
    def bring(value: Any) -> None:
        for key, item in list(value.items()):
            if item is None:
                continue
            if key in below:
                below[key](item)
            if not item and key in omitted:
                del value[key]

    return bring


def _in_field(schema: Mapping[str, Any], field: Field) -> Zeros | None:
    if not field.is_list and not field.is_map:
        return _in_object(schema, field.type)
    items = schema.get("items" if field.is_list else "additionalProperties")
    each = _in_object(items, field.type) if isinstance(items, Mapping) else None
    zero = {} if json_fields(field.type) else _SCALARS.get(field.type)

    def bring(value: Any) -> None:
        for key, item in enumerate(value) if field.is_list else list(value.items()):
            if item is None:
                value[key] = dict(zero) if isinstance(zero, dict) else zero
            elif each is not None:
                each(item)

    return bring

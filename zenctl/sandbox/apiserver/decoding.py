"""Whether a document can be decoded as an object of its kind: a server judges types before anything else.

Of built-in kinds these are the types of all fields, of custom resources those of metadata only, in embedded resources
too. The words are those of Go's JSON decoder, as far as types.json knows the names of types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from zenctl.core.objects import ResourceType
from zenctl.core.schemawords import INT_OR_STRING
from zenctl.core.violation import Path, Violation
from zenctl.sandbox.apiserver.canonical import Unreadable, canonical_time
from zenctl.sandbox.apiserver.causes import invalid_value, shown
from zenctl.sandbox.apiserver.errors import ApiError, invalid
from zenctl.sandbox.apiserver.kinds import Served
from zenctl.sandbox.apiserver.types import DEFINITIONS, OBJECT_META, Schema, reference, resolve
from zenctl.sandbox.apiserver.violations import exact_path


class Undecodable(ApiError):
    """400: what was sent is no such object; ``why`` says it without the kind, for answers to patches."""

    def __init__(self, of: ResourceType, why: str) -> None:
        super().__init__(
            400, "BadRequest", f'{of.kind} in version "{of.version}" cannot be handled as a {of.kind}: {why}'
        )
        self.why = why


def undecodable_patch(patched: object, why: str) -> ApiError:
    """422: what a patch makes of an object is no such object. It names neither kind nor object, as a real server."""
    text = msgspec.json.encode(patched, order="sorted").decode()
    return invalid("", "", "", [invalid_value("patch", text, why)])


def require_decodable(served: Served, violations: Iterable[Violation]) -> None:
    """Raise Undecodable for the first value of a wrong type.

    Null can stand for anything, but not for the type of an embedded resource.
    """
    for violation in violations:
        if violation.value is None and (served.builtin or "metadata" in violation.path):
            continue
        if violation.rule == "type":
            raise Undecodable(served.type, _cannot(served, violation))
        if violation.rule == "format":
            _require_time(served, violation.value)


def _require_time(served: Served, value: object) -> None:
    try:
        canonical_time(value)
    except Unreadable as error:
        raise Undecodable(served.type, str(error)) from None


_KINDS: Mapping[type, str] = {dict: "object", list: "array", str: "string", bool: "bool", int: "number"}


def _cannot(served: Served, violation: Violation) -> str:
    value, path = violation.value, violation.path
    if not served.builtin and path[0] != "metadata":
        wanted = "a string" if violation.bound == "string" else f"of type {violation.bound}"
        return f"{exact_path(path)}: Invalid value: {shown(value)}: must be {wanted}"
    kind = f"number {value}" if isinstance(value, float) else _KINDS[type(value)]
    field, schema = _field(served.schema, path) if served.builtin else _field(reference(OBJECT_META), path[1:])
    inside = _DECODED_AS.get(schema.get("format") or (INT_OR_STRING if INT_OR_STRING in schema else ""))
    if inside or not field:
        return f"json: cannot unmarshal {kind} into Go value of type {inside or _go_type(schema)}"
    return f"json: cannot unmarshal {kind} into Go struct field {field} of type {_go_type(schema)}"


_DECODED_AS: Mapping[str, str] = {"date-time": "string", "micro-time": "string", INT_OR_STRING: "int32"}
"""What Go reads first of types with decoders of their own, which know nothing of fields."""


def _field(schema: Schema, path: Path) -> tuple[str, Schema]:
    """Return what Go calls a field, "PodSpec.spec.containers", and its schema. Only names of fields count."""
    struct, names = "", []
    for step in path:
        at = resolve(schema, DEFINITIONS)
        if isinstance(step, str):
            struct = _type_name(schema).rpartition(".")[2]
            names.append(step)
            schema = at["properties"][step]
        else:
            schema = at["items" if isinstance(step, int) else "additionalProperties"]
    return ".".join((struct, *names)) if names else "", schema


_GO_TYPES: Mapping[Any, str] = {"string": "string", "boolean": "bool", "number": "float64"}


def _go_type(schema: Schema) -> str:
    if "$ref" in schema:
        return _type_name(schema)
    if "items" in schema:
        return f"[]{_go_type(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"map[string]{_go_type(schema['additionalProperties'])}"
    if schema.get("type") == "integer":
        return str(schema.get("format", "int64"))
    return _GO_TYPES.get(schema.get("type"), "interface {}")


def _type_name(schema: Schema) -> str:
    """Return "v1.PodSpec" for a reference to io.k8s.api.core.v1.PodSpec."""
    return ".".join(str(schema.get("$ref", "")).split(".")[-2:])

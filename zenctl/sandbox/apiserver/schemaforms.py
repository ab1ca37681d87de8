"""What may not be written in the schema of a CRD, wherever it stands; and what this server could not enforce.

The rules and their words are those of apiextensions-apiserver. What a real server would go on to check in objects
and this one cannot is refused: CEL rules, some patterns and formats, very deep schemas. Otherwise objects would be
accepted here that break a rule. Whether a schema is structural is not asked here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from zenctl.core.schemawords import EMBEDDED, LIST_KEYS, LIST_TYPE, MAX_DEPTH, META, PRESERVE
from zenctl.core.strforms import compile_pattern, why_malformed
from zenctl.sandbox.apiserver.causes import invalid_value, not_allowed, not_supported, required
from zenctl.sandbox.apiserver.crdtypes import JsonSchema
from zenctl.sandbox.apiserver.errors import Cause

MAP_TYPE, RULES = "x-kubernetes-map-type", "x-kubernetes-validations"
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_UNCHECKED_FORMATS = frozenset(
    (
        *("bsonobjectid", "creditcard", "duration", "email", "hexcolor", "hostname", "isbn", "isbn10", "isbn13"),
        *("k8slongname", "k8sshortname", "mac", "rgbcolor", "ssn", "uri", "uuid3", "uuid4", "uuid5"),
    )
)
"""Formats that a real server checks and this one does not, without dashes; those that neither knows mean nothing."""


class Context(NamedTuple):
    """Where in the schema of an object a schema stands."""

    root: bool = False
    in_meta: bool = False
    """Below apiVersion, kind or metadata, of the object or of one embedded in it."""
    no_default: str = ""
    """Why there may be no default."""


def forms(schema: JsonSchema, path: str, context: Context) -> Iterator[Cause]:
    """Yield what may not be written in a schema and all schemas below it."""
    yield from _constructs(schema, path, context)
    yield from _unchecked(schema, path)
    if schema.preserve is False:
        yield invalid_value(f"{path}.{PRESERVE}", value=False, why="must be true or undefined")
    yield from _map_type(schema, path)
    yield from _list_type(schema, path)
    yield from _list_keys(schema, path)
    for below, sub, inner in children(schema, path, context):
        yield from forms(sub, below, inner)


def _constructs(schema: JsonSchema, path: str, context: Context) -> Iterator[Cause]:
    if schema.type and schema.type not in _TYPES:
        yield not_supported(f"{path}.type", schema.type, _TYPES)
    if schema.default is not None and context.no_default:
        yield not_allowed(f"{path}.default", f"must not be set {context.no_default}")
    forbidden = {
        "id": schema.id,
        "additionalItems": schema.additional_items is not None,
        "patternProperties": schema.pattern_properties,
        "definitions": schema.definitions,
        "dependencies": schema.dependencies is not None,
        "$ref": schema.ref is not None,
    }
    yield from (
        not_allowed(f"{path}.{word}", f"{word} is not supported") for word, there in forbidden.items() if there
    )
    if schema.type == "null":
        yield not_allowed(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    if isinstance(schema.items, list) and schema.items:
        yield not_allowed(f"{path}.items", "items must be a schema object and not an array")
    if context.in_meta and schema.embedded:
        yield not_allowed(f"{path}.{EMBEDDED}", "must not be used inside of resource meta")
    if schema.unique_items:
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield not_allowed(f"{path}.uniqueItems", why)
    if schema.properties and schema.additional_properties not in (None, True):
        why = "additionalProperties and properties are mutual exclusive"
        yield not_allowed(f"{path}.additionalProperties", why)


def _unchecked(schema: JsonSchema, path: str) -> Iterator[Cause]:
    """Yield what a real server would go on to check in objects, and this one cannot."""
    if schema.validations:
        yield not_allowed(f"{path}.{RULES}", "this server evaluates no CEL rules")
    if schema.pattern and compile_pattern(schema.pattern) is None:
        wrong = why_malformed(schema.pattern)
        why = "must be a regular expression that this server can evaluate"
        if wrong:
            why = f"must be a valid regular expression, but isn't: {wrong}"
        yield invalid_value(f"{path}.pattern", schema.pattern, why)
    if schema.format.replace("-", "") in _UNCHECKED_FORMATS:
        yield invalid_value(f"{path}.format", schema.format, "this server does not check this format")


def _map_type(schema: JsonSchema, path: str) -> Iterator[Cause]:
    if schema.map_type is None:
        return
    yield from must_be("object", schema.type, path, f"must be object if {MAP_TYPE} is specified")
    if schema.map_type not in ("atomic", "granular"):
        yield not_supported(f"{path}.{MAP_TYPE}", schema.map_type, ("atomic", "granular"))


def must_be(wanted: str, found: str, path: str, why: str) -> Iterator[Cause]:
    """Yield what is wrong with a type that something else in the schema asks for."""
    if not found:
        yield required(f"{path}.type", why)
    elif found != wanted:
        yield invalid_value(f"{path}.type", found, why)


def _list_type(schema: JsonSchema, path: str) -> Iterator[Cause]:
    kind, items = schema.list_type, schema.items
    if kind is None:
        return
    yield from must_be("array", schema.type, path, f"must be array if {LIST_TYPE} is specified")
    if kind not in ("atomic", "set", "map"):
        yield not_supported(f"{path}.{LIST_TYPE}", kind, ("atomic", "set", "map"))
    if not isinstance(items, JsonSchema):
        return
    if schema.type == "array" and kind == "set":
        why = f"must be atomic as item of a list with {LIST_TYPE}=set"
        if items.type == "array" and items.list_type not in (None, "atomic"):
            yield invalid_value(f"{path}.items.{LIST_TYPE}", items.list_type, why)
        if items.type == "object" and items.map_type != "atomic":
            yield invalid_value(f"{path}.items.{MAP_TYPE}", items.list_type, why)
    if kind in ("set", "map") and items.nullable:
        yield not_allowed(f"{path}.items.nullable", f"cannot be nullable when {LIST_TYPE} is {kind}")


def _list_keys(schema: JsonSchema, path: str) -> Iterator[Cause]:
    kind, keys, items = schema.list_type, schema.list_map_keys, schema.items
    why = f"must be map if {LIST_KEYS} is non-empty"
    if keys and kind is None:
        yield required(f"{path}.{LIST_TYPE}", why)
    elif keys and kind != "map":
        yield invalid_value(f"{path}.{LIST_TYPE}", kind, why)
    if kind != "map":
        return
    if not keys:
        yield required(f"{path}.{LIST_KEYS}", f"must not be empty if {LIST_TYPE} is map")
    if items is None:
        yield required(f"{path}.items", f"must have a schema if {LIST_TYPE} is map")
    elif isinstance(items, list):
        yield invalid_value(f"{path}.items", [], f"must only have a single schema if {LIST_TYPE} is map")
    elif items.type != "object":
        why = f"must be object if parent array's {LIST_TYPE} is map"
        yield invalid_value(f"{path}.items.type", items.type, why)
    else:
        yield from _each_list_key(keys, items, path)


def _each_list_key(keys: list[str], items: JsonSchema, path: str) -> Iterator[Cause]:
    needed = f"this property is in {LIST_KEYS}, so it"
    for place, key in enumerate(keys):
        sub, below = items.properties.get(key), f"{path}.items.properties[{key}]"
        if key in keys[:place]:
            yield invalid_value(f"{path}.{LIST_KEYS}", keys, "must not contain duplicate entries")
        if sub is None:
            yield invalid_value(f"{path}.{LIST_KEYS}", keys, "entries must all be names of item properties")
            continue
        if sub.type in ("array", "object"):
            why = f"must be a scalar type if parent array's {LIST_TYPE} is map"
            yield invalid_value(f"{below}.type", items.type, why)
        if key not in items.required and sub.default is None:
            yield required(f"{below}.default", f"{needed} must have a default or be a required property")
        if sub.nullable:
            yield not_allowed(f"{below}.nullable", f"{needed} cannot be nullable")


def children(schema: JsonSchema, path: str, context: Context) -> Iterator[tuple[str, JsonSchema, Context]]:
    """Yield every schema directly below one, with its path and where that is."""
    inner = context._replace(root=False)
    for name, sub in sorted(schema.properties.items()):
        where = inner
        if name in META and (context.root or schema.embedded):
            where = inner._replace(in_meta=True)
            if context.root:
                where = where._replace(no_default=f"in top-level {name}")
        yield f"{path}.properties[{name}]", sub, where
    if isinstance(schema.additional_properties, JsonSchema):
        where = inner
        if context.in_meta:
            where = inner._replace(no_default="inside additionalProperties applying to object metadata")
        yield f"{path}.additionalProperties", schema.additional_properties, where
    if isinstance(schema.items, JsonSchema):
        yield f"{path}.items", schema.items, inner
    for below, sub in alternatives(schema, path):
        yield below, sub, inner


def alternatives(schema: JsonSchema, path: str) -> Iterator[tuple[str, JsonSchema]]:
    """Yield the schemas of allOf, anyOf, oneOf and not, with their paths."""
    for word, subs in (("allOf", schema.all_of), ("anyOf", schema.any_of), ("oneOf", schema.one_of)):
        yield from ((f"{path}.{word}[{place}]", sub) for place, sub in enumerate(subs))
    if schema.not_ is not None:
        yield f"{path}.not", schema.not_


def all_in(schema: JsonSchema) -> Iterator[JsonSchema]:
    """Yield a schema and all below it."""
    yield schema
    for _, sub, _ in children(schema, "", Context()):
        yield from all_in(sub)


def too_deep(schema: JsonSchema, path: str, levels: int = MAX_DEPTH) -> list[Cause]:
    """Return the one cause for a schema with more levels than are followed in objects."""
    for _, sub, _ in children(schema, "", Context()):
        if levels == 0 or too_deep(sub, path, levels - 1):
            return [not_allowed(path, f"this server follows schemas {MAX_DEPTH} levels deep, and no deeper")]
    return []

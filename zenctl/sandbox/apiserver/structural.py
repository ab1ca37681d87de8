"""Whether the schema of a CRD may be accepted: its form, its structure (so that it can prune), its defaults.

The rules and their words are those of apiextensions-apiserver. Schemas are judged here, objects never.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from zenctl.core.pruning import compile_pruning
from zenctl.core.schema import compile_validation
from zenctl.core.schemawords import EMBEDDED, INT_OR_STRING, LIST_KEYS, LIST_TYPE, PRESERVE
from zenctl.sandbox.apiserver import violations
from zenctl.sandbox.apiserver.causes import invalid_value, not_allowed, required
from zenctl.sandbox.apiserver.crdtypes import JsonSchema
from zenctl.sandbox.apiserver.errors import Cause
from zenctl.sandbox.apiserver.schemaforms import (
    MAP_TYPE,
    RULES,
    Context,
    all_in,
    alternatives,
    children,
    forms,
    must_be,
    too_deep,
)

_AT_ROOT_WITH_STATUS = (
    "Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern "
    "MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields "
    "XValidations"
)
_ALLOWED_AT_ROOT = frozenset(word.lower() for word in _AT_ROOT_WITH_STATUS.split()) | {PRESERVE, RULES}


def schema_causes(schema: JsonSchema, path: str, *, status: bool) -> list[Cause]:
    """Return what is wrong with a version's schema; ``status`` says whether the version has that subresource."""
    causes = too_deep(schema, path)
    if causes:
        return causes
    causes += _root(schema, path, status=status)
    written = list(forms(schema, path, Context(root=True)))
    if not any(_has_no_structure(each) for each in all_in(schema)):
        structural = {*_invariants(schema, path, "root"), *_completeness(schema, path)}
        causes += sorted(structural, key=lambda cause: f"{cause.field}: {cause.message}") or _defaults(
            schema, path, Context(root=True)
        )
    causes += written
    if not causes and any(each.schema for each in all_in(schema)):
        causes.append(invalid_value(path, "", "OpenAPIV3Schema 'schema' is not supported"))
    return causes


def _root(schema: JsonSchema, path: str, *, status: bool) -> Iterator[Cause]:
    if status and schema.type not in ("", "object"):
        why = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        yield invalid_value(f"{path}.type", schema.type, why)
    words = schema.words()
    if status and not {word if word.startswith("x-") else word.lower() for word in words} <= _ALLOWED_AT_ROOT:
        why = f"only [{_AT_ROOT_WITH_STATUS}] fields are allowed at the root of the schema if the status subresource"
        yield invalid_value(path, sorted(words), f"{why} is enabled")
    if schema.nullable:
        yield not_allowed(f"{path}.nullable", "nullable cannot be true at the root")


def _has_no_structure(schema: JsonSchema) -> bool:
    """Say whether a construct keeps the server from looking at the structure at all."""
    unsupported = (
        schema.id,
        schema.schema,
        schema.ref,
        schema.pattern_properties,
        schema.definitions,
        schema.dependencies,
    )
    return (
        any(unsupported)
        or schema.additional_items is not None
        or schema.preserve is False
        or (isinstance(schema.items, list) and bool(schema.items))
    )


# -- structure ----------------------------------------------------------------------------------------

_INT_OR_STRING = [JsonSchema(type="integer"), JsonSchema(type="string")]
_UNTYPED = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
_ONLY_OUTSIDE: Mapping[str, str] = {
    "type": "must be empty to be structural",
    "additionalProperties": "must be undefined to be structural",
    "default": "must be undefined to be structural",
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "nullable": "must be false to be structural",
    PRESERVE: "must be false to be structural",
    EMBEDDED: "must be false to be structural",
    INT_OR_STRING: "must be false to be structural",
    LIST_KEYS: "must be empty to be structural",
    LIST_TYPE: "must be undefined to be structural",
    MAP_TYPE: "must be undefined to be structural",
    RULES: "must be empty to be structural",
}
"""What defines structure, and so may not stand below allOf, anyOf, oneOf and not."""


def _invariants(schema: JsonSchema, path: str, level: str) -> Iterator[Cause]:
    if schema.type == "array" and schema.items is None:
        yield required(f"{path}.items", "must be specified")
    if isinstance(schema.items, JsonSchema):
        yield from _invariants(schema.items, f"{path}.items", "item")
    for name, sub in schema.properties.items():
        yield from _invariants(sub, f"{path}.properties[{name}]", "field")
    if isinstance(schema.additional_properties, JsonSchema):
        yield from _invariants(schema.additional_properties, f"{path}.additionalProperties", "field")
    if schema.additional_properties is not None and level == "root":
        yield not_allowed(f"{path}.additionalProperties", "must not be used at the root")
    yield from _structural_type(schema, path, level)
    yield from _extensions(schema, path)
    if level == "root" or schema.embedded:
        yield from _head(schema, path, level)
    yield from _value_validation(schema, path)


def _structural_type(schema: JsonSchema, path: str, level: str) -> Iterator[Cause]:
    if schema.embedded and schema.type != "object":
        yield from must_be("object", schema.type, path, f"must be object if {EMBEDDED} is true")
    elif not schema.type and not schema.int_or_string and not schema.preserve:
        yield required(f"{path}.type", _UNTYPED[level])
    if level == "root" and schema.type not in ("", "object"):
        yield invalid_value(f"{path}.type", schema.type, "must be object at the root")


def _extensions(schema: JsonSchema, path: str) -> Iterator[Cause]:
    why = f"must be false if {INT_OR_STRING} is true"
    if schema.int_or_string and schema.preserve:
        yield invalid_value(f"{path}.{PRESERVE}", value=True, why=why)
    if schema.int_or_string and schema.embedded:
        yield invalid_value(f"{path}.{EMBEDDED}", value=True, why=why)
    if schema.embedded and schema.additional_properties is not None:
        yield not_allowed(f"{path}.additionalProperties", f"must not be used if {EMBEDDED} is set")
    if schema.embedded and not schema.preserve and not schema.properties:
        why = f"must not be empty if {EMBEDDED} is true without {PRESERVE}"
        yield required(f"{path}.properties", why)


def _head(schema: JsonSchema, path: str, level: str) -> Iterator[Cause]:
    """Yield what is wrong with apiVersion, kind and metadata of a whole object."""
    for name, wanted in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
        sub = schema.properties.get(name)
        if sub is not None and sub.type != wanted:
            yield invalid_value(f"{path}.properties[{name}].type", sub.type, f"must be {wanted}")
    metadata = schema.properties.get("metadata")
    if level == "root" and metadata is not None:
        words = metadata.words().keys() - {"type", "default"}
        if metadata.properties.keys() <= {"name", "generateName"}:
            words -= {"properties"}
        if words:
            why = "must not specify anything other than name and generateName, but metadata is implicitly specified"
            yield not_allowed(f"{path}.properties[metadata]", why)


def _value_validation(schema: JsonSchema, path: str) -> Iterator[Cause]:
    """Yield what is wrong below allOf, anyOf, oneOf and not, but for the two ways to write "integer or string"."""
    for below, sub in alternatives(schema, path):
        if schema.any_of == _INT_OR_STRING and below.startswith(f"{path}.anyOf"):
            continue
        first_of_all = below == f"{path}.allOf[0]"
        yield from _nested(sub, below, skip_any_of=first_of_all and sub.any_of == _INT_OR_STRING)


def _nested(schema: JsonSchema, path: str, *, skip_any_of: bool = False) -> Iterator[Cause]:
    words = schema.words()
    yield from (not_allowed(f"{path}.{word}", why) for word, why in _ONLY_OUTSIDE.items() if word in words)
    if "metadata" in schema.properties:
        yield not_allowed(f"{path}.properties[metadata]", "must not be specified in a nested context")
    for below, sub in alternatives(schema, path):
        if not (skip_any_of and below.startswith(f"{path}.anyOf")):
            yield from _nested(sub, below)
    if isinstance(schema.items, JsonSchema):
        yield from _nested(schema.items, f"{path}.items")
    for name, sub in schema.properties.items():
        yield from _nested(sub, f"{path}.properties[{name}]")


def _completeness(schema: JsonSchema, path: str) -> Iterator[Cause]:
    """Yield what the alternatives at the root speak of without its being defined."""
    for below, sub in alternatives(schema, path):
        yield from _is_defined(sub, below, schema, path)


def _is_defined(said: JsonSchema, said_at: str, schema: JsonSchema | None, path: str) -> Iterator[Cause]:
    if schema is None:
        yield required(path, f"because it is defined in {said_at}")
        return
    for below, sub in alternatives(said, said_at):
        yield from _is_defined(sub, below, schema, path)
    if isinstance(said.items, JsonSchema):
        items = schema.items if isinstance(schema.items, JsonSchema) else None
        yield from _is_defined(said.items, f"{said_at}.items", items, f"{path}.items")
    for name, sub in said.properties.items():
        at = f"properties[{name}]"
        yield from _is_defined(sub, f"{said_at}.{at}", schema.properties.get(name), f"{path}.{at}")


# -- defaults -----------------------------------------------------------------------------------------

_RULES_OF_LISTS = ("uniqueItems", LIST_KEYS)


def _defaults(schema: JsonSchema, path: str, context: Context) -> list[Cause]:
    """Return what is wrong with the defaults; those below additionalProperties the server does not look at."""
    causes: list[Cause] = []
    if schema.default is not None and context.root:
        causes.append(not_allowed(f"{path}.default", "must not be set at the root"))
    elif schema.default is not None and not context.no_default:
        causes += _default(schema, f"{path}.default", in_meta=context.in_meta and not schema.embedded)
    for below, sub, inner in children(schema, path, context):
        if below.startswith((f"{path}.properties", f"{path}.items")):
            causes += _defaults(sub, below, inner)
    return causes


def _default(schema: JsonSchema, path: str, *, in_meta: bool) -> Iterable[Cause]:
    words = schema.words()
    _, unknown = compile_pruning(words, root=False)(schema.default)
    if unknown and not in_meta:
        yield invalid_value(path, schema.default, "must not have unknown fields")
    # A default has to fit as it stands; only duplicates in it are found when it is used.
    broken = compile_validation(words, root=False, filled=True)(schema.default)
    yield from violations.causes([each for each in broken if each.rule not in _RULES_OF_LISTS], path)

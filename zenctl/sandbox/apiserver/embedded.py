"""What a server knows of custom resources beyond their schemas: the metadata of objects, of embedded ones as well.

An embedded resource has the metadata that every object has, whatever its own schema says. What adds that to schemas,
so that those who prune and validate need not know, takes the schema of ObjectMeta as ``metadata``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from zenctl.core.names import dns_1035_label
from zenctl.core.schemawords import EMBEDDED, mapping
from zenctl.core.violation import Entry, Path
from zenctl.sandbox.apiserver.causes import invalid_value
from zenctl.sandbox.apiserver.errors import Cause
from zenctl.sandbox.apiserver.names import validate_metadata
from zenctl.sandbox.apiserver.violations import exact_path

Schema = Mapping[str, Any]

_TEXT: Schema = {"type": "string"}


def with_metadata(schema: Schema, metadata: Schema) -> dict[str, Any]:
    """Return a schema in which embedded resources are objects with these fields of metadata, beside their own."""
    found = _below(schema, lambda sub: with_metadata(sub, metadata))
    if schema.get(EMBEDDED) is True:
        own = mapping(found, "properties")
        fields = {**metadata["properties"], **mapping(own.get("metadata", {}), "properties")}
        found["properties"] = {"apiVersion": {}, "kind": {}, **own, "metadata": {**metadata, "properties": fields}}
        found[EMBEDDED] = False
    return found


def types_of_metadata(schema: Schema, metadata: Schema) -> dict[str, Any]:
    """Return a schema that asks for nothing but that apiVersion, kind and metadata can be read, at all levels."""
    return _types({**schema, EMBEDDED: True}, metadata) or {}


def _types(schema: Schema, metadata: Schema) -> dict[str, Any] | None:
    """Return the types below a schema; None where there is none."""
    found: dict[str, Any] = {}
    for word, below in _below(schema, lambda sub: _types(sub, metadata)).items():
        if word == "properties":
            found[word] = {name: sub for name, sub in (below or {}).items() if sub is not None}
        elif word in ("items", "additionalProperties") and isinstance(below, dict):
            found[word] = below
    if schema.get(EMBEDDED) is True:
        texts = dict.fromkeys(("apiVersion", "kind"), _TEXT)
        found["properties"] = {**found.get("properties", {}), **texts, "metadata": metadata}
    return found if any(found.values()) else None


def embeds(schema: Schema) -> bool:
    """Say whether there are embedded resources in objects of a schema."""
    below: list[bool] = []
    _below(schema, lambda sub: below.append(embeds(sub)))
    return schema.get(EMBEDDED) is True or any(below)


def embedded_causes(schema: Schema, value: object) -> Iterator[Cause]:
    """Yield what is wrong with embedded resources whose types are right, but for what they lack."""
    for path, resource in embedded_resources(schema, value):
        yield from _resource(resource, exact_path(path))


def embedded_resources(schema: Schema, value: object, path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the embedded resources in an object of a schema, and where they are."""
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for place, item in enumerate(value):
            yield from embedded_resources(schema["items"], item, (*path, place))
    if not isinstance(value, dict):
        return
    if schema.get(EMBEDDED) is True:
        yield path, value
    named, additional = mapping(schema, "properties"), schema.get("additionalProperties")
    for key, item in value.items():
        if isinstance(named.get(key), Mapping):
            yield from embedded_resources(named[key], item, (*path, key))
        elif isinstance(additional, Mapping):
            yield from embedded_resources(additional, item, (*path, Entry(key)))


def _resource(resource: Mapping[str, Any], at: str) -> Iterator[Cause]:
    version, kind = resource.get("apiVersion") or "", resource.get("kind") or ""
    if version.count("/") > 1:
        yield invalid_value(f"{at}.apiVersion", version, f"unexpected GroupVersion string: {version}")
    problems = dns_1035_label(kind.lower()) if kind else []
    if problems:
        why = f"may have mixed case, but should otherwise match: {','.join(problems)}"
        yield invalid_value(f"{at}.kind", kind, why)
    metadata = resource.get("metadata")
    if metadata is not None:
        given = {**metadata, "name": metadata.get("name") or "fine"}
        namespaced = bool(metadata.get("namespace"))
        for cause in validate_metadata(given, namespaced=namespaced, name_rule="path-segment"):
            yield cause._replace(field=f"{at}.{cause.field}")


def _below(schema: Schema, change: Callable[[Schema], Any]) -> dict[str, Any]:
    """Return a schema with the ones directly below it changed."""
    found = dict(schema)
    for word in ("items", "additionalProperties"):
        if isinstance(found.get(word), Mapping):
            found[word] = change(found[word])
    named = mapping(schema, "properties")
    if named:
        found["properties"] = {name: change(sub) for name, sub in named.items() if isinstance(sub, Mapping)}
    return found

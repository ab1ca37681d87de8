"""OpenAPI version 3: an index of documents, and for each group version the shapes of its kinds and what can be done.

It holds what clients look for: schemas and their rules for ``kubectl explain`` and for patches, operations with the
kind, the action and the query parameters that are understood. Built-in kinds have no descriptions, custom resources
have those of their schema. Pure functions of what is served.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import Any

import msgspec

from zenctl.sandbox.apiserver.discovery import groups
from zenctl.sandbox.apiserver.kinds import BUILT_IN, Served
from zenctl.sandbox.apiserver.messages import JSON
from zenctl.sandbox.apiserver.types import DEFINITIONS, REF

Json = dict[str, Any]

_ROOT = "/openapi/v3"
_COMPONENTS = "#/components/schemas/"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_GVK, _ACTION = "x-kubernetes-group-version-kind", "x-kubernetes-action"
_STRING, _INTEGER, _BOOLEAN = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
_SHARED: Mapping[str, Json] = {
    _QUANTITY: {"oneOf": [_STRING, {"type": "number"}]},
    _INT_OR_STRING: {"format": "int-or-string", "oneOf": [_INTEGER, _STRING]},
    f"{_META}ListMeta": {
        "type": "object",
        "properties": {
            "continue": _STRING,
            "remainingItemCount": {"type": "integer", "format": "int64"},
            "resourceVersion": _STRING,
            "selfLink": _STRING,
        },
    },
}
_OWN_FORMATS = {"micro-time": "date-time", "base64": "byte"}
_WRITE = {"dryRun": _STRING, "fieldManager": _STRING, "fieldValidation": _STRING}
_DELETE = {
    "dryRun": _STRING,
    "gracePeriodSeconds": _INTEGER,
    "orphanDependents": _BOOLEAN,
    "propagationPolicy": _STRING,
}
_LIST = {
    "allowWatchBookmarks": _BOOLEAN,
    "continue": _STRING,
    "fieldSelector": _STRING,
    "labelSelector": _STRING,
    "limit": _INTEGER,
    "resourceVersion": _STRING,
    "resourceVersionMatch": _STRING,
    "sendInitialEvents": _BOOLEAN,
    "timeoutSeconds": _INTEGER,
    "watch": _BOOLEAN,
}
_COLLECTION = (
    ("list", "get", "list"),
    ("create", "post", "post"),
    ("deletecollection", "delete", "deletecollection"),
)
_OBJECT = (
    ("get", "get", "get"),
    ("update", "put", "put"),
    ("patch", "patch", "patch"),
    ("delete", "delete", "delete"),
)
"""Verb, HTTP method, and the action's name."""
_PARAMETERS: Mapping[str, Mapping[str, Json]] = {
    "list": _LIST,
    "post": _WRITE,
    "put": _WRITE,
    "patch": _WRITE,
    "delete": _DELETE,
    "deletecollection": {**_DELETE, **_LIST},
}
_PATCHES = ("application/json-patch+json", "application/merge-patch+json")
_STRATEGIC = "application/strategic-merge-patch+json"


def document(served: Iterable[Served], path: str) -> Json | None:
    """Return the document of a path: /openapi/v3, or below it /api/v1 or /apis/GROUP/VERSION; None for any other."""
    known = {
        _gv_path(group, version): resources
        for group, versions in groups(served).items()
        for version, resources in versions.items()
    }
    if path == _ROOT:
        return {"paths": {gv: {"serverRelativeURL": _url(gv, resources)} for gv, resources in known.items()}}
    below = path.removeprefix(f"{_ROOT}/")
    return _of_version(known[below]) if path.startswith(f"{_ROOT}/") and below in known else None


def _gv_path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _url(gv_path: str, resources: Sequence[Served]) -> str:
    """Return where a document is; its hash tells clients that keep documents when it is another one."""
    digest = sha256(msgspec.json.encode(_of_version(resources))).hexdigest().upper()
    return f"{_ROOT}/{gv_path}?hash={digest}"


def _of_version(resources: Sequence[Served]) -> Json:
    """Return the document of one group version; those that no CRD can change are made once."""
    first = resources[0]
    if all(each.builtin for each in resources):
        return _of_built_in(first.type.group, first.type.version)
    return _made(resources)


@cache
def _of_built_in(group: str, version: str) -> Json:
    return _made([each for each in BUILT_IN if (each.type.group, each.type.version) == (group, version)])


def _made(resources: Iterable[Served]) -> Json:
    schemas: Json = {}
    paths: Json = {}
    for each in resources:
        _add_schemas(each, schemas)
        paths.update(_paths(each))
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


# -- schemas -------------------------------------------------------------------------------------------


def _component(served: Served) -> str:
    """Return the name of a kind's schema: that of its definition, or the group turned round, version and kind."""
    ref = served.schema.get("$ref")
    if isinstance(ref, str):
        return ref.removeprefix(REF)
    return ".".join((*reversed(served.type.group.split(".")), served.type.version, served.type.kind))


def _gvk(served: Served, kind: str = "") -> Json:
    return {"group": served.type.group, "version": served.type.version, "kind": kind or served.type.kind}


def _add_schemas(served: Served, schemas: Json) -> None:
    """Add the schemas of a kind, of its list, and of all that they refer to."""
    name = _component(served)
    own = _published(DEFINITIONS[name]) if name in DEFINITIONS else _custom(served)
    schemas[name] = {**own, _GVK: [_gvk(served)]}
    if "list" in served.type.verbs:
        schemas[f"{name}List"] = {
            "type": "object",
            "required": ["items"],
            "properties": {
                "apiVersion": _STRING,
                "kind": _STRING,
                "items": {"type": "array", "items": _reference(name)},
                "metadata": _reference(f"{_META}ListMeta"),
            },
            _GVK: [_gvk(served, served.kind_of_list)],
        }
    waiting = [*_references(schemas[name]), *_references(schemas.get(f"{name}List"))]
    while waiting:
        other = waiting.pop()
        if other not in schemas:
            schemas[other] = _SHARED[other] if other in _SHARED else _published(DEFINITIONS[other])
            waiting += _references(schemas[other])


def _reference(name: str) -> Json:
    return {"$ref": _COMPONENTS + name}


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(_COMPONENTS)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _custom(served: Served) -> Json:
    """Return the schema of a custom resource with the fields that every object has."""
    own = {"type": "object", **served.schema}
    common = {"apiVersion": _STRING, "kind": _STRING, "metadata": _reference(f"{_META}ObjectMeta")}
    return {**own, "properties": {**(served.schema.get("properties") or {}), **common}}


def _published(schema: Mapping[str, Any]) -> Json:
    """Return a definition of a built-in kind as OpenAPI knows it: marks of this server's own become types."""
    found = {key: value for key, value in schema.items() if key not in ("nullable", "default")}
    if schema.get("default") is not None:
        found["default"] = schema["default"]
    if isinstance(found.get("$ref"), str):
        reference = _reference(found.pop("$ref").removeprefix(REF))
        return {"allOf": [reference], **found} if found else reference
    if found.get("format") == "quantity":
        return _as_shared(_QUANTITY, found)
    if found.get("x-kubernetes-int-or-string"):
        return _as_shared(_INT_OR_STRING, found)
    if found.get("format") in _OWN_FORMATS:
        found["format"] = _OWN_FORMATS[found["format"]]
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            found[key] = _published(found[key])
    if "properties" in found:
        found["properties"] = {key: _published(value) for key, value in found["properties"].items()}
    return found


def _as_shared(name: str, schema: Json) -> Json:
    return {"allOf": [_reference(name)], "default": schema["default"]} if "default" in schema else _reference(name)


# -- paths ---------------------------------------------------------------------------------------------


def _paths(served: Served) -> Iterator[tuple[str, Json]]:
    """Yield the paths of a resource with their operations."""
    of = served.type
    root = f"/{_gv_path(of.group, of.version)}"
    inside = f"{root}/namespaces/{{namespace}}/{of.plural}" if of.namespaced else f"{root}/{of.plural}"
    yield from _path(served, inside, _COLLECTION, of.verbs)
    if of.namespaced and "list" in of.verbs:
        yield from _path(served, f"{root}/{of.plural}", _COLLECTION, frozenset(("list",)))
    yield from _path(served, f"{inside}/{{name}}", _OBJECT, of.verbs)
    for name, sub in served.subresources.items():
        yield from _path(served, f"{inside}/{{name}}/{name}", _OBJECT, sub.verbs)


def _path(
    served: Served, path: str, offered: Sequence[tuple[str, str, str]], verbs: frozenset[str]
) -> Iterator[tuple[str, Json]]:
    operations: Json = {method: _operation(served, action) for verb, method, action in offered if verb in verbs}
    if operations:
        placed = [name for name in ("name", "namespace") if f"{{{name}}}" in path]
        operations["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": _STRING} for name in placed
        ]
        yield path, operations


def _operation(served: Served, action: str) -> Json:
    component = _component(served)
    answer = f"{component}List" if action == "list" else component
    operation: Json = {
        "parameters": [
            {"name": name, "in": "query", "schema": schema} for name, schema in _PARAMETERS.get(action, {}).items()
        ],
        "responses": {"200": {"description": "OK", "content": _content((JSON,), _reference(answer))}},
        _ACTION: action,
        _GVK: _gvk(served),
    }
    if action in ("post", "put"):
        operation["requestBody"] = {"required": True, "content": _content(("*/*",), _reference(component))}
    elif action == "patch":
        kinds = (*_PATCHES, _STRATEGIC) if served.builtin else _PATCHES
        operation["requestBody"] = {"required": True, "content": _content(kinds, {"type": "object"})}
    return operation


def _content(media_types: Iterable[str], schema: Json) -> Json:
    return {media: {"schema": schema} for media in media_types}

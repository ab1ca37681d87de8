"""The generator of ``types.json``: what a real API server publishes of the built-in kinds, cut to the facts.

``python -m tests.builtin_types`` starts the control plane of KUBEBUILDER_ASSETS and writes the file again. From the
server's ``/openapi/v2`` come names, types, formats and list rules of what the kinds need, without any words; from
tests/builtin_overlay.py what is newer than that server, and the defaults, which version 2 does not publish.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.builtin_overlay import DEFAULTS, LISTS, NEWER, REMOVED, REQUIRED, RETYPED
from tests.cluster.controlplane import ControlPlane, ControlPlaneError
from zenctl.sandbox.apiserver import types
from zenctl.sandbox.apiserver.kinds import BUILT_IN

TYPES = Path(types.__file__).with_name("types.json")

_API, _META, _METRICS = "io.k8s.api.", "io.k8s.apimachinery.pkg.apis.", "io.k8s.metrics.pkg.apis."
_CRD = "io.k8s.apiextensions-apiserver.pkg.apis."
_KEPT = frozenset(("type", "format", "required", "additionalProperties", "items", "default", "nullable"))
_ATTEMPTS = 60
_ANYTHING = {"x-kubernetes-preserve-unknown-fields": True}
_LEAVES: dict[str, dict[str, Any]] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string", "format": "quantity"},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"x-kubernetes-int-or-string": True},
    f"{_META}meta.v1.Time": {"type": "string", "format": "date-time"},
    f"{_META}meta.v1.MicroTime": {"type": "string", "format": "micro-time"},
    f"{_META}meta.v1.FieldsV1": {"type": "object", **_ANYTHING},
    f"{_CRD}apiextensions.v1.JSON": _ANYTHING,
    f"{_CRD}apiextensions.v1.JSONSchemaPropsOrArray": _ANYTHING,
    f"{_CRD}apiextensions.v1.JSONSchemaPropsOrBool": _ANYTHING,
    f"{_CRD}apiextensions.v1.JSONSchemaPropsOrStringArray": _ANYTHING,
}
"""Definitions that stand for one value; they are written where they are used."""
_OLD_NAMES = {
    "batch.v1beta1.CronJob": "batch.v1.CronJob",
    "batch.v1beta1.CronJobSpec": "batch.v1.CronJobSpec",
    "batch.v1beta1.CronJobStatus": "batch.v1.CronJobStatus",
    "batch.v1beta1.JobTemplateSpec": "batch.v1.JobTemplateSpec",
    "policy.v1beta1.PodDisruptionBudget": "policy.v1.PodDisruptionBudget",
    "policy.v1beta1.PodDisruptionBudgetSpec": "policy.v1.PodDisruptionBudgetSpec",
    "policy.v1beta1.PodDisruptionBudgetStatus": "policy.v1.PodDisruptionBudgetStatus",
    "core.v1.Handler": "core.v1.LifecycleHandler",
}
"""Shapes that the old server knows under another name or at an earlier version."""
_SCALARS: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "time": {"type": "string", "format": "date-time"},
    "quantity": {"type": "string", "format": "quantity"},
}


def definitions(published: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definitions of the built-in kinds and what they refer to, from ``definitions`` of /openapi/v2."""
    renamed = {f"{_API}{old}": f"{_API}{new}" for old, new in _OLD_NAMES.items()}
    known: dict[str, Any] = {}
    for name, schema in published.items():
        # A server that serves both versions publishes the newer one under its own name.
        known.setdefault(renamed.get(name, name), _facts(schema, renamed))
    _overlay(known)
    found: dict[str, Any] = {}
    waiting = [ref for kind in BUILT_IN for ref in _references(kind.schema)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = known[name]
            waiting += _references(known[name])
    return dict(sorted(found.items()))


def _facts(schema: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    """Return a schema without its words, with leaves in the place of their names."""
    if isinstance(schema.get("$ref"), str):
        name = schema["$ref"].removeprefix(types.REF)
        return dict(_LEAVES.get(name) or types.reference(renamed.get(name, name)))
    kept = {key: value for key, value in schema.items() if _is_fact(key)}
    if kept.get("format") == "byte":  # which custom resources know too, but there it may not be empty
        kept["format"] = "base64"
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = _facts(kept[key], renamed)
    if isinstance(schema.get("properties"), dict):
        kept["properties"] = {key: _facts(value, renamed) for key, value in schema["properties"].items()}
    return kept


def _is_fact(key: str) -> bool:
    return key in _KEPT or key.startswith(("x-kubernetes-patch-", "x-kubernetes-list-", "x-kubernetes-map-"))


def _overlay(known: dict[str, Any]) -> None:
    for name, fields in NEWER.items():
        properties = _definition(known, name).setdefault("properties", {})
        for field, shape in fields.items():
            properties.setdefault(field, _shape(shape))
    for path, shape in RETYPED.items():
        _property(known, path).clear()
        _property(known, path).update(_shape(shape))
    for path in REMOVED:
        name, _, field = path.rpartition(".")
        _definition(known, name)["properties"].pop(field, None)
    for name, required in REQUIRED.items():
        _definition(known, name)["required"] = list(required)
        if not required:
            del _definition(known, name)["required"]
    for path, rules in LISTS.items():
        _property(known, path).update({f"x-kubernetes-{key}": value for key, value in rules.items()})
    for name, defaults in DEFAULTS.items():
        for field, value in defaults.items():
            filled = {"default": value, "nullable": True} if value is None else {"default": value}
            _property(known, f"{name}.{field}").update(filled)


def _property(known: dict[str, Any], path: str) -> dict[str, Any]:
    name, _, field = path.rpartition(".")
    found: dict[str, Any] = _definition(known, name)["properties"][field]
    return found


def _definition(known: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = known.setdefault(_full(name), {"type": "object"})
    return found


def _full(name: str) -> str:
    """Return the full name of a definition: "core.v1.Pod" stands for the one of that API."""
    prefixes = {"meta": _META, "metrics": _METRICS, "apiextensions": _CRD}
    return prefixes.get(name.partition(".")[0], _API) + name


def _shape(text: str) -> dict[str, Any]:
    """Return the schema of a shape: "string", "[string]" for a list, "{string}" for a map, or a definition's name."""
    if text.startswith("["):
        return {"type": "array", "items": _shape(text[1:-1])}
    if text.startswith("{"):
        return {"type": "object", "additionalProperties": _shape(text[1:-1])}
    return dict(_SCALARS.get(text) or types.reference(_full(text)))


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(types.REF)
        for value in schema.values():
            yield from _references(value)


def text_of(found: Mapping[str, Any]) -> str:
    """Return the file's text: one definition a line, all keys sorted."""
    lines = (
        f"{json.dumps(name)}:{json.dumps(schema, sort_keys=True, separators=(',', ':'))}"
        for name, schema in found.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> int:
    """Write types.json from a control plane that runs for it."""
    try:
        with ControlPlane.from_environment() as control_plane:
            published = _published(control_plane)
    except ControlPlaneError as error:
        raise SystemExit(str(error)) from None
    TYPES.write_text(text_of(definitions(published)))
    return 0


def _published(control_plane: ControlPlane) -> Mapping[str, Any]:
    """Return the definitions of /openapi/v2, once its parts, which a server gathers as it starts, are in it."""
    last = f"{_CRD}apiextensions.v1.CustomResourceDefinition"
    for _ in range(_ATTEMPTS):
        _, body = control_plane.request("GET", "/openapi/v2")
        # Some releases send this one document without a content type.
        document = json.loads(body["text"]) if "text" in body else body
        found: Mapping[str, Any] = document.get("definitions") or {}
        if last in found and f"{_API}core.v1.Pod" in found:
            return found
        time.sleep(1)
    raise SystemExit("the server does not publish its types")


if __name__ == "__main__":
    sys.exit(main())

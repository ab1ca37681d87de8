"""Which resources are served now: the closed table of built-in kinds, and what the accepted CRDs add.

It also keeps what is compiled from their schemas, since that is costly and holds as long as the schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from zenctl.core.pruning import compile_defaulting, compile_pruning
from zenctl.core.schema import Check, compile_validation
from zenctl.core.violation import Violation
from zenctl.sandbox.apiserver.canonical import compile_canonical
from zenctl.sandbox.apiserver.embedded import (
    embedded_causes,
    embedded_resources,
    embeds,
    types_of_metadata,
    with_metadata,
)
from zenctl.sandbox.apiserver.errors import Cause
from zenctl.sandbox.apiserver.kinds import BUILT_IN, Served
from zenctl.sandbox.apiserver.protobuf import message_of_kind
from zenctl.sandbox.apiserver.types import DEFINITIONS, OBJECT_META, REF, reference
from zenctl.sandbox.apiserver.zeros import Zeros, compile_zeros


@dataclass(frozen=True, slots=True)
class Shape:
    """What a schema does to objects, compiled."""

    prune: Callable[[Any], tuple[Any, list[str]]]
    zeros: Zeros
    """Leaves out, in place, what is empty in what was sent, and makes zeros of nulls in lists; of custom resources
    only in the metadata of embedded ones."""
    default: Callable[[Any], Any]
    canonical: Callable[[Any], Any]
    """Brings a built-in kind's values into the form that a server keeps; raises canonical.Unreadable."""
    types: Check
    """Finds, in what was sent, what keeps it from being decoded; other violations of built-in kinds beside that."""
    problems: Check
    """Finds what a whole object with its defaults violates."""
    embedded: Callable[[object], Iterable[Cause]]
    """Finds what is wrong with embedded resources of a custom resource."""


class Registry:
    """The served resources, by group, version and plural name."""

    def __init__(self) -> None:
        self._built_in = {_address(served): served for served in BUILT_IN}
        self._custom: dict[str, tuple[tuple[Served, bool], ...]] = {}
        self._all: dict[tuple[str, str, str], Served] = dict(self._built_in)
        self._shapes: dict[int, tuple[Served, Shape]] = {}
        self.generation = 0
        """Grows with every change, so that documents made from the registry can be kept."""

    def find(self, group: str, version: str, resource: str) -> Served | None:
        """Return what is served under a path; None where nothing is."""
        return self._all.get((group, version, resource))

    def of_kind(self, api_version: str, kind: str) -> Served | None:
        """Return what is served for an apiVersion and kind; None where nothing is."""
        group, _, version = api_version.rpartition("/")
        for served in self._all.values():
            of = served.type
            if (of.group, of.version, of.kind) == (group, version, kind) and not served.virtual:
                return served
        return None

    def is_built_in(self, group: str) -> bool:
        """Return whether a group has built-in resources."""
        return any(of_group == group for of_group, _, _ in self._built_in)

    def built_in(self, group: str, version: str, resource: str) -> Served:
        """Return a built-in resource. Raises KeyError."""
        return self._built_in[group, version, resource]

    def of_crd(self, crd: str) -> tuple[Served, ...]:
        """Return the versions that a CRD describes, served or not."""
        return tuple(served for served, _ in self._custom.get(crd, ()))

    def everything(self) -> Iterable[Served]:
        """Return all that is served."""
        return self._all.values()

    def stored_kinds(self) -> list[Served]:
        """Return one version of each resource that can have objects, served or not."""
        described = [each for versions in self._custom.values() for each, _ in versions]
        kinds = [*described, *(each for each in self._built_in.values() if not each.virtual)]
        return list({each.storage_key: each for each in kinds}.values())

    def namespaced(self) -> list[Served]:
        """Return one version of each resource whose objects live in namespaces."""
        return [served for served in self.stored_kinds() if served.type.namespaced]

    def set_custom(self, crd: str, described: Iterable[tuple[Served, bool]]) -> None:
        """Serve what a CRD describes, in place of what it described before; False is a version not to be served."""
        versions = tuple(described)
        if versions:
            self._custom[crd] = versions
        else:
            self._custom.pop(crd, None)
        self._renew()

    def clear_custom(self) -> None:
        """Serve the built-in kinds alone."""
        self._custom.clear()
        self._renew()

    def _renew(self) -> None:
        described = [each for versions in self._custom.values() for each in versions]
        self._all = {**{_address(each): each for each, served in described if served}, **self._built_in}
        alive = {id(each) for each in self._all.values()} | {id(each) for each, _ in described}
        self._shapes = {key: shape for key, shape in self._shapes.items() if key in alive}
        self.generation += 1

    def shape(self, served: Served) -> Shape:
        """Return what the schema of a resource does, compiled once."""
        kept = self._shapes.get(id(served))
        if kept is None:
            kept = self._shapes[id(served)] = (served, _built_in(served) if served.builtin else _custom(served))
        return kept[1]


def _built_in(served: Served) -> Shape:
    schema = inlined(served.schema, served.definitions)
    types, problems = compile_validation(_as_sent(schema), root=False), compile_validation(schema, root=False)
    canonical = _as_it_is if served.loaded else compile_canonical(schema)
    zeros = compile_zeros(schema, message_of_kind(served.type.api_version, served.type.kind))
    return Shape(compile_pruning(schema), zeros, compile_defaulting(schema), canonical, types, problems, _nothing)


def _as_sent(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema by which quantities may be numbers too, as clients may send them."""
    found = {key: value for key, value in schema.items() if key != "type" or schema.get("format") != "quantity"}
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), Mapping):
            found[key] = _as_sent(found[key])
    if isinstance(found.get("properties"), Mapping):
        found["properties"] = {name: _as_sent(each) for name, each in found["properties"].items()}
    return found


def _custom(served: Served) -> Shape:
    metadata = inlined(reference(OBJECT_META), DEFINITIONS)
    schema = with_metadata(served.schema, metadata)
    types = compile_validation(types_of_metadata(served.schema, metadata), root=False)
    if embeds(served.schema):
        types = _with_types_of_embedded(types, served.schema)
    problems = compile_validation(served.schema, filled=True)
    embedded = partial(embedded_causes, served.schema) if embeds(served.schema) else _nothing
    prune, default = compile_pruning(schema), compile_defaulting(schema)
    zeros = _zeros_of_embedded(served.schema, metadata) if embeds(served.schema) else _as_it_is
    return Shape(prune, zeros, default, _as_it_is, types, problems, embedded)


def _with_types_of_embedded(types: Check, schema: Mapping[str, Any]) -> Check:
    """Find beside others what embedded resources have as null for their own type."""

    def check(document: Any) -> list[Violation]:
        nulls = (
            Violation("type", None, "string", (*path, key))
            for path, resource in embedded_resources(schema, document)
            for key in ("apiVersion", "kind")
            if resource.get(key, "") is None
        )
        return [*types(document), *nulls]

    return check


def _zeros_of_embedded(schema: Mapping[str, Any], metadata: Mapping[str, Any]) -> Zeros:
    bring = compile_zeros(metadata, "meta.v1.ObjectMeta")

    def zeros(document: Any) -> None:
        for _, resource in embedded_resources(schema, document):
            if "metadata" in resource:
                resource["metadata"] = resource["metadata"] or {}
                bring(resource["metadata"])

    return zeros


def _as_it_is(value: Any) -> Any:
    return value


def _nothing(_value: object) -> Iterable[Cause]:
    return ()


def _address(served: Served) -> tuple[str, str, str]:
    return served.type.group, served.type.version, served.type.plural


def inlined(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], inside: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return a schema with every reference replaced by what it means; a type inside itself may be anything."""
    ref = schema.get("$ref")
    if isinstance(ref, str):
        if ref in inside:
            return {"x-kubernetes-preserve-unknown-fields": True}
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return {**inlined(definitions[ref.removeprefix(REF)], definitions, inside | {ref}), **beside}
    found = dict(schema)
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), Mapping):
            found[key] = inlined(found[key], definitions, inside)
    if isinstance(found.get("properties"), Mapping):
        found["properties"] = {name: inlined(each, definitions, inside) for name, each in found["properties"].items()}
    return found

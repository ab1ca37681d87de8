"""What level 3 of a verification asks of an object: that it is of its kind and fits its own CRD.

The CRDs are those in the archive itself, so the judgement does not depend on any cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from zenctl.archive.format import Collection
from zenctl.archive.reader import Archive
from zenctl.core.objects import CUSTOM_RESOURCE_DEFINITION
from zenctl.core.schema import compile_schema
from zenctl.errors import Damaged

_Validate = Callable[[object], list[str]]


def object_check(archive: Archive) -> Callable[[Collection, bytes], Sequence[str]]:
    """Return the check of one object for the archive's collections."""
    schemas = _schemas(archive)

    def check(collection: Collection, line: bytes) -> Sequence[str]:
        value = msgspec.json.decode(line)
        resource = collection.resource
        problems = _identity_problems(value, resource.resource_type.api_version, resource.kind)
        validate = schemas.get((resource.group, resource.plural, resource.version))
        return problems + (validate(value) if validate else [])

    return check


def _identity_problems(value: Any, api_version: str, kind: str) -> list[str]:
    if not isinstance(value, dict):
        return ["it is no JSON object"]
    # Items of built-in lists carry neither; then the collection says both.
    found = value.get("apiVersion", api_version), value.get("kind", kind)
    return (
        [] if found == (api_version, kind) else [f"it is a {found[1]} of {found[0]}, not a {kind} of {api_version}"]
    )


class _SchemaVersion(msgspec.Struct, frozen=True):
    name: str
    schema: dict[str, Any] | None = None


class _DefinedNames(msgspec.Struct, frozen=True):
    plural: str


class _DefinitionSpec(msgspec.Struct, frozen=True):
    group: str
    names: _DefinedNames
    versions: tuple[_SchemaVersion, ...]


class _Definition(msgspec.Struct, frozen=True):
    spec: _DefinitionSpec


def _schemas(archive: Archive) -> dict[tuple[str, str, str], _Validate]:
    """Return what each version of each CRD in the archive asks; what cannot be read is for verify to report."""
    collection = archive.collection(CUSTOM_RESOURCE_DEFINITION.kind_and_group)
    schemas: dict[tuple[str, str, str], _Validate] = {}
    for line in _lines(archive, collection) if collection else ():
        try:
            spec = msgspec.json.decode(line, type=_Definition).spec
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        for version in spec.versions:
            schema = (version.schema or {}).get("openAPIV3Schema")
            if isinstance(schema, dict):
                schemas[spec.group, spec.names.plural, version.name] = compile_schema(schema)
    return schemas


def _lines(archive: Archive, collection: Collection) -> Iterator[bytes]:
    with suppress(Damaged):
        yield from (line for _, line in archive.objects(collection))

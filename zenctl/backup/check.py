"""What level 3 of a verification asks of an object: that it is of its kind and fits its own CRD.

The CRDs are those in the archive itself, so the judgement does not depend on any cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from zenctl.archive.format import Collection, Resource
from zenctl.archive.judge import Check
from zenctl.archive.reader import Archive
from zenctl.core.objects import CUSTOM_RESOURCE_DEFINITION
from zenctl.core.schema import compile_schema
from zenctl.errors import Damaged

_Validate = Callable[[object], list[str]]


def object_check(archive: Archive) -> Check:
    """Return the check of one object of an archive, by the CRDs that it holds."""
    check = ObjectCheck()
    collection = archive.collection(CUSTOM_RESOURCE_DEFINITION.kind_and_group)
    check.learn(_lines(archive, collection) if collection else ())
    return check


class ObjectCheck:
    """The check of one object by the CRDs that it was told of; satisfies archive.judge.Check."""

    def __init__(self) -> None:
        self._schemas: dict[tuple[str, str, str], _Validate] = {}

    def learn(self, definitions: Iterable[bytes | memoryview]) -> None:
        """Take what each version of each CRD asks; one that cannot be read is for verify to report."""
        for line in definitions:
            try:
                spec = msgspec.json.decode(line, type=_Definition).spec
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            for version in spec.versions:
                schema = (version.schema or {}).get("openAPIV3Schema")
                if isinstance(schema, dict):
                    self._schemas[spec.group, spec.names.plural, version.name] = compile_schema(schema)

    def __call__(self, resource: Resource, line: bytes) -> Sequence[str]:
        """Return what is wrong with an object of a resource."""
        value = msgspec.json.decode(line)
        problems = _identity_problems(value, resource.resource_type.api_version, resource.kind)
        validate = self._schemas.get((resource.group, resource.plural, resource.version))
        return problems + (validate(value) if validate else [])


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


def _lines(archive: Archive, collection: Collection) -> Iterator[bytes]:
    with suppress(Damaged):
        yield from (line for _, line in archive.objects(collection))

"""What level 3 of a verification asks of an object: that it is of its kind and fits its own CRD.

The CRDs are those in the archive itself, so the judgement does not depend on any cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from zenctl.archive.format import Collection
from zenctl.archive.reader import Archive
from zenctl.core.objects import CUSTOM_RESOURCE_DEFINITION
from zenctl.core.schema import compile_schema

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


def _schemas(archive: Archive) -> dict[tuple[str, str, str], _Validate]:
    collection = archive.collection(CUSTOM_RESOURCE_DEFINITION.kind_and_group)
    if collection is None:
        return {}
    return {
        (definition["spec"]["group"], definition["spec"]["names"]["plural"], version["name"]): compile_schema(schema)
        for definition in (msgspec.json.decode(line) for _, line in archive.objects(collection))
        for version in definition["spec"]["versions"]
        if (schema := version.get("schema", {}).get("openAPIV3Schema"))
    }

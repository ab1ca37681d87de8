"""The words of structural schemas, and reading them from decoded JSON that may be anything.

A schema comes from a cluster or an archive, so a keyword of the wrong type counts as absent; nothing here fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

MAX_DEPTH = 100
"""Schemas are followed so deep and no deeper."""
META = frozenset(("apiVersion", "kind", "metadata"))
"""What every whole object has, whether its schema says so or not."""
PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
EMBEDDED = "x-kubernetes-embedded-resource"
LIST_TYPE = "x-kubernetes-list-type"
LIST_KEYS = "x-kubernetes-list-map-keys"


def mapping(schema: Schema, name: str) -> Mapping[str, Any]:
    """Return a keyword whose value is an object; an empty one for anything else."""
    value = schema.get(name)
    return value if isinstance(value, dict) else {}


def sequence(schema: Schema, name: str) -> Sequence[Any]:
    """Return a keyword whose value is a list; an empty one for anything else."""
    value = schema.get(name)
    return value if isinstance(value, list) else ()


def number(schema: Schema, name: str) -> float | None:
    """Return a keyword whose value is a number; None for anything else."""
    value = schema.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def subschema(value: object) -> Schema:
    """Return a value as the schema that it should be; one that allows everything where it is none."""
    return value if isinstance(value, dict) else {}


def named_fields(schema: Schema) -> dict[str, Schema]:
    """Return the schemas of the named fields of an object."""
    return {key: subschema(value) for key, value in mapping(schema, "properties").items()}


def allows_null(schema: Schema) -> bool:
    """Say whether null is a value that the schema allows."""
    return schema.get("nullable") is True

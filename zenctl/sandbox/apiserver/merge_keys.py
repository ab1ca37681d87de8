"""How a strategic merge patch treats the fields of a type, read from its schema as /openapi/v2 publishes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from zenctl.sandbox.apiserver.types import REF, Schema, resolve

_STRATEGY = "x-kubernetes-patch-strategy"
_KEY = "x-kubernetes-patch-merge-key"


class MergeRule(NamedTuple):
    """One field: whether an array of it is merged, by which key of its items ("" for scalars), and what it holds."""

    merges: bool
    key: str
    inner: MergeRules
    """The rules of the object in the field, or of each object in its array."""


@dataclass(frozen=True, slots=True)
class MergeRules:
    """The rules of one type. A schema that says nothing of a field has no rule for it."""

    name: str
    """The type's own name, such as ObjectMeta; "" where the schema has none."""
    _schema: Schema
    _definitions: Mapping[str, Schema]

    def field(self, name: str) -> MergeRule | None:
        """Return the rule of a field; None where there is no field of this name."""
        schema = _object(self._schema.get("properties")).get(name, self._schema.get("additionalProperties"))
        if not isinstance(schema, Mapping):
            return None
        value = resolve(schema, self._definitions)
        items = value.get("items")
        inner = merge_rules(items if isinstance(items, Mapping) else schema, self._definitions)
        # The other strategy, retainKeys, tells clients to send $retainKeys; a server obeys that anywhere.
        merges = "merge" in str(schema.get(_STRATEGY, "")).split(",")
        return MergeRule(merges, str(schema.get(_KEY, "")), inner)


def merge_rules(schema: Schema, definitions: Mapping[str, Schema]) -> MergeRules:
    """Return the rules of a schema, whose ``$ref`` are names of definitions. Raises KeyError for an unknown one."""
    name = str(schema.get("$ref", "")).removeprefix(REF).rpartition(".")[2]
    return MergeRules(name, resolve(schema, definitions), definitions)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

"""Which of several schemas a value is nearest to: the one whose failures a server tells.

The API server counts the checks that it makes, those of nested fields included, and tells what is wrong with the
alternative that had most of them. Alternatives within alternatives are not counted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zenctl.core.schematypes import expected
from zenctl.core.schemawords import MAX_DEPTH, Schema, allows_null, named_fields, number, sequence, subschema
from zenctl.core.strforms import is_text_format


def nearest(schemas: Sequence[Schema], value: object) -> int:
    """Return the place of the schema with most checks for a value that fits none of them; of equals the first."""
    counts = [_checks(schema, value, 0) for schema in schemas]
    return counts.index(max(counts))


def _checks(schema: Schema, value: Any, depth: int) -> int:
    """Count as the server does: one for each kind of check, and one more for those that say so."""
    if depth > MAX_DEPTH:
        return 0
    wanted = expected(schema)
    if value is None:
        return int(wanted is None or not wanted.type_name or allows_null(schema))
    count = 4  # the schema itself, its alternatives (two), its enumeration
    if wanted is not None:
        count += 2 if wanted.fits(value) else 1
    count += sum(_checks(subschema(sub), value, depth + 1) for sub in sequence(schema, "allOf"))
    if isinstance(value, str):
        form = schema.get("format")
        return count + (2 if isinstance(form, str) and is_text_format(form) else 1)
    if isinstance(value, dict):
        return count + 1 + _in_object(schema, value, depth)
    if isinstance(value, list):
        items = schema.get("items")
        inner = sum(_checks(items, item, depth + 1) for item in value) if isinstance(items, dict) else 0
        return count + 2 + inner
    return count + (0 if isinstance(value, bool) else 2)


def _in_object(schema: Schema, value: dict[str, Any], depth: int) -> int:
    least, most = number(schema, "minProperties"), number(schema, "maxProperties")
    if len(value) < (least or 0) or (most is not None and len(value) > most):
        return 0
    named, additional = named_fields(schema), schema.get("additionalProperties")
    beyond = additional if isinstance(additional, dict) else None
    schemas = ((named.get(key, beyond), item) for key, item in value.items())
    return sum(_checks(sub, item, depth + 1) for sub, item in schemas if sub is not None)

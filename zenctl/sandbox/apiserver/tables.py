"""Tables (meta.k8s.io/v1): what a server sends where kubectl asks for columns instead of objects.

Also makes the columns of a custom resource from its additionalPrinterColumns. Pure: the time comes in as an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from zenctl.core.instants import read_instant
from zenctl.sandbox.apiserver.columns import NAME, UNKNOWN, Object, PrinterColumn, human_duration
from zenctl.sandbox.apiserver.errors import bad_request
from zenctl.sandbox.apiserver.kinds import Served

PathReader = Callable[[Object], Sequence[object]]
"""Gives the values that a JSONPath finds in an object."""

_META = "meta.k8s.io/v1"
_INT64 = range(-(2**63), 2**63)
_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def included(value: str) -> str:
    """Return what the parameter ``includeObject`` asks for: Metadata, Object or None. Raises ApiError 400."""
    if value not in ("", "Metadata", "Object", "None"):
        raise bad_request(
            "Unable to convert to Table as requested: includeObject: Invalid value: "
            f"\"{value}\": must be 'Metadata', 'Object', 'None', or empty"
        )
    return value or "Metadata"


def table(
    objects: Iterable[Object],
    served: Served,
    now: datetime,
    *,
    include_object: str = "Metadata",
    list_meta: Mapping[str, Any],
) -> dict[str, Any]:
    """Return a Table with one row for each object; the metadata is that of the list, or of the one object."""
    return {
        "kind": "Table",
        "apiVersion": _META,
        "metadata": dict(list_meta),
        "columnDefinitions": [_definition(column) for column in served.columns],
        "rows": [
            {
                "cells": [column.cell(each, now) for column in served.columns],
                "object": _shown(each, served, include_object),
            }
            for each in objects
        ],
    }


def _definition(column: PrinterColumn) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _shown(each: Object, served: Served, include: str) -> dict[str, Any] | None:
    if include == "None":
        return None
    if include == "Object":
        return {"kind": served.type.kind, "apiVersion": served.type.api_version, **each}
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": each.get("metadata", {})}


def custom_columns(
    declared: Sequence[Mapping[str, Any]], compile_path: Callable[[str], PathReader]
) -> tuple[PrinterColumn, ...]:
    """Return the columns of a custom resource: its name, and those that it declares or else its age.

    ``declared`` is ``additionalPrinterColumns`` of a version, ``compile_path`` makes a reader of a JSONPath; what
    that raises for a path it cannot read goes through.
    """
    wanted = declared or ({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},)
    return (NAME, *(_custom_column(column, compile_path) for column in wanted))


def _custom_column(column: Mapping[str, Any], compile_path: Callable[[str], PathReader]) -> PrinterColumn:
    kind, path = str(column["type"]), str(column["jsonPath"])
    read = compile_path(path)

    def cell(obj: Object, now: datetime) -> object:
        found = read(obj)
        return custom_cell(kind, found[0], now) if found else None

    return PrinterColumn(
        str(column["name"]),
        kind,
        cell,
        format=str(column.get("format") or ""),
        description=str(
            column.get("description") or f"Custom resource definition column (in JSONPath format): {path}"
        ),
        priority=int(column.get("priority") or 0),
    )


def custom_cell(kind: str, value: object, now: datetime) -> object:
    """Return what a column of a custom resource shows of a value; None where its type does not fit the column's."""
    if isinstance(value, float) and value.is_integer() and int(value) in _INT64:
        value = int(value)
    if kind == "string":
        return _text(value)
    if kind == "date":
        return _since(value, now)
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind in ("integer", "number") and isinstance(value, int | float) and not isinstance(value, bool):
        return value if kind == "number" else _whole(value)
    return None


def _whole(value: float) -> int:
    """Return the number without its fraction, as a conversion to int64 does on the server's machine."""
    return int(value) if int(value) in _INT64 else _INT64.start


def _since(value: object, now: datetime) -> str | None:
    if not isinstance(value, str):
        return None
    instant = read_instant(value).instant
    if instant is None:
        return "<invalid>" if value else UNKNOWN
    return human_duration(now - instant)


def _text(value: object) -> str:
    """Return a value as the server's JSONPath printer writes it."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<no value>"
    if isinstance(value, dict | list):
        return msgspec.json.encode(value, order="sorted").decode().translate(_HTML)
    if isinstance(value, float):
        return _float(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _float(value: float) -> str:
    """Return the shortest text of a number, with an exponent of two digits outside of 0.0001 to 999999."""
    shortest = Decimal(repr(value))
    exponent = shortest.adjusted()
    if -4 <= exponent < 6:
        return format(shortest, "f")
    digits = "".join(map(str, shortest.as_tuple().digits)).rstrip("0")
    mantissa = f"{digits[0]}.{digits[1:]}".rstrip(".")
    return f"{'-' * (value < 0)}{mantissa}e{exponent:+03d}"

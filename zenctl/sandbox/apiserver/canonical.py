"""The values of built-in kinds in the one form that a server writes: quantities, times, nulls for absent times.

``cpu: 0.5`` is kept as "500m", a time in UTC to the second, an Event without a time with a null in its place. A
value that cannot be read is refused here, as a server does while it decodes. Custom resources have nothing of it.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import datetime
from fractions import Fraction
from math import ceil
from typing import Any

from zenctl.core.instants import read_instant

Canonical = Callable[[Any], Any]
"""Brings a value into its form: objects and lists in place, others as what it returns. Raises Unreadable."""

_QUANTITY = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:([eE])([+-]?\d{1,3})|([KMGTPE]i|[numkMGTPE]?))", re.ASCII)
_MICRO = re.compile(r":\d\d\.\d{6}[^\d]", re.ASCII)
"""A time with six digits behind the second, no more and no fewer."""
_SHAPE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_SUFFIXES = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_LARGEST = 2**63 - 1
_FINEST, _FINEST_OF_RESOURCES = 10**9, 10**3


class Unreadable(ValueError):
    """A value that a server cannot decode."""


def canonical_quantity(value: object, finest: int = _FINEST) -> str:
    """Return a quantity as a server writes it: "0.5Gi" is "512Mi", 1000 is "1k", 0.5 is "500m", "1e4" is "10e3".

    What is finer than one of ``finest`` parts is rounded away from zero. Raises Unreadable.
    """
    text = repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    match = _QUANTITY.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or not (match[2] or match[3]):
        raise Unreadable(_SHAPE)
    sign, whole, part, mark, exponent, suffix = match.groups(default="")
    amount = Fraction(int(whole + part or 0), 10 ** len(part))
    if suffix in _BINARY:
        amount = min(amount * 1024 ** _BINARY[suffix], Fraction(_LARGEST))
    else:
        amount *= Fraction(10) ** (int(exponent) if mark else _DECIMAL[suffix])
    amount = Fraction(ceil(amount * finest), finest)
    if not amount:
        return "0"
    minus = "-" if sign == "-" else ""
    if suffix in _BINARY and amount >= 1024 and amount.denominator == 1:
        return minus + _binary(int(amount))
    return minus + _decimal(amount, mark)


def _binary(amount: int) -> str:
    power = 0
    while amount % 1024 == 0 and power < len(_BINARY):
        amount, power = amount // 1024, power + 1
    return f"{amount}{['', *_BINARY][power]}"


def _decimal(amount: Fraction, mark: str) -> str:
    """Return an amount with the largest power of a thousand that leaves it whole."""
    exponent = -9
    number = int(amount * 10**9)
    while number % 1000 == 0 and (mark or exponent < 18):
        number, exponent = number // 1000, exponent + 3
    if mark:
        return f"{number}{mark}{exponent}" if exponent else str(number)
    return f"{number}{_SUFFIXES[exponent]}"


def canonical_time(value: object, *, micro: bool = False) -> object:
    """Return an RFC 3339 time in UTC, to the second or with six digits. Raises Unreadable."""
    if not isinstance(value, str):
        raise Unreadable(f"a time must be a string, not {value!r}")
    instant = read_instant(value).instant
    if instant is None or (micro and not _MICRO.search(value)):
        layout = "2006-01-02T15:04:05.000000Z07:00" if micro else "2006-01-02T15:04:05Z07:00"
        raise Unreadable(f'parsing time "{value}" as "{layout}": cannot parse it')
    return _formatted(instant, micro=micro)


def _formatted(instant: datetime, *, micro: bool) -> str:
    return instant.replace(tzinfo=None).isoformat(timespec="microseconds" if micro else "seconds") + "Z"


def checked_base64(value: object) -> object:
    """Return base64 text as it is. Raises Unreadable."""
    try:
        b64decode(re.sub(r"[\r\n]", "", value) if isinstance(value, str) else b"-", validate=True)
    except ValueError:  # for what is not ASCII, binascii.Error for the rest
        raise Unreadable("illegal base64 data") from None
    return value


def _checked_number(value: object, form: str) -> object:
    """Return a whole number as it is. Raises Unreadable for one that is too large."""
    if isinstance(value, int) and not -(1 << _BITS[form]) <= value < 1 << _BITS[form]:
        raise Unreadable(f"json: cannot unmarshal number {value} into Go value of type {form}")
    return value


_BITS = {"int32": 31, "int64": 63}


def compile_canonical(schema: Mapping[str, Any]) -> Canonical:
    """Return what brings a whole object into form. The schema is one of a built-in kind without references."""
    return _compiled(schema) or _same


def _same(value: Any) -> Any:
    return value


def _compiled(schema: Mapping[str, Any], finest: int = _FINEST) -> Canonical | None:
    """Compile what is to be done below a schema; None where there is nothing."""
    form = schema.get("format")
    if form == "quantity":
        return lambda value: canonical_quantity(value, finest)
    if form in ("date-time", "micro-time"):
        return lambda value: canonical_time(value, micro=form == "micro-time")
    if form == "base64":
        return checked_base64
    if form in _BITS:
        return lambda value: _checked_number(value, str(form))
    items, additional = schema.get("items"), schema.get("additionalProperties")
    if isinstance(items, Mapping):
        each, of_objects = _compiled(items), "properties" in items
        return _in_list(each or _same, of_objects=of_objects) if each is not None or of_objects else None
    # The values of a map of quantities are amounts of resources, and those are counted in thousandths.
    every = _compiled(additional, _FINEST_OF_RESOURCES) if isinstance(additional, Mapping) else None
    if every is not None:
        return _in_map(every)
    return _in_object(schema.get("properties") or {})


def _in_list(each: Canonical, *, of_objects: bool) -> Canonical:
    """Bring every item into form; a null among objects is an empty object to Go."""

    def bring(value: Any) -> Any:
        if isinstance(value, list):
            items = [{} if item is None and of_objects else item for item in value]
            value[:] = [item if item is None else each(item) for item in items]
        return value

    return bring


def _in_map(every: Canonical) -> Canonical:
    def bring(value: Any) -> Any:
        if isinstance(value, dict):
            value.update({key: item if item is None else every(item) for key, item in value.items()})
        return value

    return bring


def _in_object(properties: Mapping[str, Mapping[str, Any]]) -> Canonical | None:
    below = {key: found for key, sub in properties.items() if (found := _compiled(sub)) is not None}
    nulls = [key for key, sub in properties.items() if sub.get("default", "") is None]
    if not below and not nulls:
        return None

    def bring(value: Any) -> Any:
        if isinstance(value, dict):
            for key, item in value.items():
                if item is not None and key in below:
                    value[key] = below[key](item)
            for key in nulls:
                value.setdefault(key, None)
        return value

    return bring

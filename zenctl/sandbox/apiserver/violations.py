"""What a value violates of its schema, in the words of the server: one Cause, or more, for each violation.

The rules are those of apiextensions-apiserver as of 1.32; core's schema finds what breaks them. The server looks
three times: at the schema itself, at the types of embedded resources, at the keys of lists. So causes come in this
order, and paths are written in two ways: a key of a map is ``levels.key`` at first, and ``levels[key]`` then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from zenctl.core.schemawords import EMBEDDED, LIST_KEYS
from zenctl.core.violation import Path, Violation
from zenctl.sandbox.apiserver.causes import (
    duplicate,
    invalid_value,
    not_supported,
    quoted,
    required,
    too_long,
    too_many,
)
from zenctl.sandbox.apiserver.errors import Cause

_LATER = {EMBEDDED: 1, "uniqueItems": 2, LIST_KEYS: 2}
_NOWHERE = "<nil>"
"""What the server calls the field of an object as a whole."""


def causes(violations: Iterable[Violation], at: str = "") -> list[Cause]:
    """Return what the server says of violations, each thing once; ``at`` is the path of what was checked."""
    in_order = sorted(violations, key=lambda violation: _LATER.get(violation.rule, 0))
    return list(dict.fromkeys(cause for violation in in_order for cause in _of(violation, (), at)))


def built_in_causes(violations: Iterable[Violation]) -> list[Cause]:
    """Return what the server says of an object of a built-in kind that can be decoded.

    It knows no schema for it: of what schemas say it asks for required fields, but not in the status, and for unique
    items, but not for unique ports of containers. What it asks for in metadata is not judged here.
    """
    return causes(each for each in violations if each.path[:1] not in (("metadata",), ("status",)) and _counts(each))


def _counts(violation: Violation) -> bool:
    in_container = "ontainers" in str(violation.path[-4:-3])
    return violation.rule == "required" or (violation.rule == "uniqueItems" and not in_container)


def _of(violation: Violation, above: Path, at: str) -> Iterator[Cause]:
    path = above + violation.path
    if violation.rule in _LATER:
        yield _EXACT[violation.rule](violation, exact_path(path, at))
        return
    inner = [cause for each in violation.beneath for cause in _of(each, path, at)]
    name = _name(path)
    if violation.rule == "allOf":
        yield from inner
        yield _of_whole(violation, name, at)
    elif violation.rule in _WHOLE:
        yield _of_whole(violation, name, at)
        yield from inner
    else:
        yield _CAUSES[violation.rule](violation, name, _joined(at, name))


# -- paths --------------------------------------------------------------------------------------------


def _name(path: Path) -> str:
    """Return a path as the validator of schemas has it: a key of a map comes with a dot even at the beginning."""
    name = ""
    for step in path:
        if isinstance(step, int):
            name += f"[{step}]"
        elif isinstance(step, str):
            name += f".{step}" if name else step
        else:
            name += f".{step.key}"
    return name


def _joined(at: str, name: str) -> str:
    name = name.removeprefix(".")
    return f"{at}.{name}" if at and name else at or name


def exact_path(path: Path, at: str = "") -> str:
    """Return a path as most messages have it: ``spec.levels[key].items[0]``; ``at`` is where it begins."""
    for step in path:
        if isinstance(step, str):
            at += f".{step}" if at else step
        else:
            at += f"[{step}]" if isinstance(step, int) else f"[{step.key}]"
    return at


# -- words --------------------------------------------------------------------------------------------

_Words = Callable[[Violation, str, str], Cause]
"""Makes a cause of a violation, the name of the value in messages, and the field that the cause is about."""


def _type(broken: Violation, name: str, field: str) -> Cause:
    return _of_type(field, _kind(broken), name, broken.bound)


def _format(broken: Violation, name: str, field: str) -> Cause:
    return _of_type(field, broken.value, name, broken.bound)


def _of_type(field: str, found: str, name: str, wanted: str) -> Cause:
    why = f"{name} in body must be of type {wanted}: {quoted(found)}"
    return Cause(f"Invalid value: {quoted(found)}: {why}", field, "FieldValueTypeInvalid")


def _kind(broken: Violation) -> str:
    """Return what a server calls the kind of a value: where a format was wanted, a format of numbers or nothing."""
    value, kind = broken.value, type(broken.value)
    if kind is int and not -(2**63) <= value < 2**63:
        kind = float
    if value is None or broken.bound in _TYPES:
        return _TYPE_NAMES[kind]
    return {int: "int64", float: "float64"}.get(kind, "")


_TYPE_NAMES: Mapping[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}
_TYPES = frozenset((*_TYPE_NAMES.values(), "integer,string"))


def _enum(broken: Violation, _name: str, field: str) -> Cause:
    supported = (value if isinstance(value, str) else msgspec.json.encode(value).decode() for value in broken.bound)
    return not_supported(field, broken.value, supported)


def _number(words: str) -> _Words:
    def cause(broken: Violation, name: str, field: str) -> Cause:
        value = broken.value
        bound = go_number(broken.bound if isinstance(value, int) else float(broken.bound))
        return Cause(f"Invalid value: {go_number(value)}: {name} in body should be {words} {bound}", field)

    return cause


def _short(broken: Violation, name: str, field: str) -> Cause:
    return invalid_value(field, broken.value, f"{name} in body should be at least {broken.bound} chars long")


def _pattern(broken: Violation, name: str, field: str) -> Cause:
    return invalid_value(field, broken.value, f"{name} in body should match '{broken.bound}'")


def _few(noun: str) -> _Words:
    def cause(broken: Violation, name: str, field: str) -> Cause:
        return invalid_value(field, len(broken.value), f"{name} in body should have at least {broken.bound} {noun}")

    return cause


def _many(broken: Violation, _name: str, field: str) -> Cause:
    return too_many(field, len(broken.value), broken.bound)


def _forbidden(broken: Violation, name: str, field: str) -> Cause:
    key = str(broken.path[-1])
    return invalid_value(field.removesuffix(f".{key}"), key, f"{name} in body is a forbidden property")


_CAUSES: Mapping[str, _Words] = {
    "type": _type,
    "enum": _enum,
    "minimum": _number("greater than or equal to"),
    "maximum": _number("less than or equal to"),
    "exclusiveMinimum": _number("greater than"),
    "exclusiveMaximum": _number("less than"),
    "multipleOf": _number("a multiple of"),
    "minLength": _short,
    "maxLength": lambda broken, _name, field: too_long(field, broken.bound),
    "pattern": _pattern,
    "format": _format,
    "minItems": _few("items"),
    "maxItems": _many,
    "minProperties": _few("properties"),
    "maxProperties": _many,
    "required": lambda _broken, _name, field: required(field),
    "additionalProperties": _forbidden,
}


def _of_whole(broken: Violation, name: str, at: str) -> Cause:
    return invalid_value(at or _NOWHERE, "", f'"{name}" {_WHOLE[broken.rule](broken)}')


def _one_of(broken: Violation) -> str:
    fits, _ = broken.bound
    found = f"{fits} valid alternatives" if fits else "none valid"
    return f"must validate one and only one schema (oneOf). Found {found}"


def _all_of(broken: Violation) -> str:
    fits, _ = broken.bound
    return f"must validate all the schemas (allOf){'' if fits else '. None validated'}"


_WHOLE: Mapping[str, Callable[[Violation], str]] = {
    "anyOf": lambda _: "must validate at least one schema (anyOf)",
    "oneOf": _one_of,
    "allOf": _all_of,
    "not": lambda _: "must not validate the schema (not)",
}


def _embedded(broken: Violation, field: str) -> Cause:
    if broken.value is None:
        return required(field, "must not be empty")
    return invalid_value(field, broken.value, "must be a string" if broken.value else "must not be empty")


def _no_object(broken: Violation, field: str) -> Cause:
    return invalid_value(field, broken.value, "must be an object for an array of list-type map")


_EXACT: Mapping[str, Callable[[Violation, str], Cause]] = {
    EMBEDDED: _embedded,
    "uniqueItems": lambda broken, field: duplicate(field, broken.value),
    LIST_KEYS: _no_object,
}


def go_number(value: float) -> str:
    """Return a number as Go prints it (%v): a million is 1e+06 as a fraction, and 1000000 as an integer."""
    if isinstance(value, int):
        return str(value)
    exact = Decimal(repr(value)).normalize()
    sign, digits, _ = exact.as_tuple()
    exponent = exact.adjusted()
    if -4 <= exponent < 6:
        return format(exact, "f")
    first, rest = digits[0], "".join(map(str, digits[1:]))
    return f"{'-' * sign}{first}{'.' * bool(rest)}{rest}e{exponent:+03d}"

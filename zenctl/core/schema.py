"""Structural schemas of CRDs: what a value violates.

A schema (``openAPIV3Schema`` of a CRD version, decoded) is compiled once into closures, because thousands of
objects are held against it. It agrees with the API server where it judges at all, in the order of what it finds
too: what it cannot judge exactly (CEL rules, most string formats, patterns beyond the common subset) it passes. It
never changes a value; what a server drops and fills in before it validates is the business of ``pruning``, and what
violations are called that of ``violation``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from zenctl.core.alternatives import nearest
from zenctl.core.schematypes import expected, is_whole
from zenctl.core.schemawords import (
    EMBEDDED,
    LIST_KEYS,
    LIST_TYPE,
    MAX_DEPTH,
    META,
    Schema,
    allows_null,
    mapping,
    named_fields,
    number,
    sequence,
    subschema,
)
from zenctl.core.strforms import compile_pattern, format_test
from zenctl.core.violation import Entry, Violation, described

Check = Callable[[Any], Sequence[Violation]]

_ABSENT = object()


def compile_schema(schema: Schema) -> Callable[[object], list[str]]:
    """Return a function that lists what a whole object violates, as "spec.severity: is required".

    It judges what was sent or kept: nulls that a server would drop, and defaults that it would fill in, are excused.
    """
    check = compile_validation(schema)
    return lambda value: described(check(value))


def compile_validation(schema: Schema, *, root: bool = True, filled: bool = False) -> Check:
    """Return a function that lists what a value violates, in the server's order.

    apiVersion, kind and metadata at the root of an object are the server's own business and not looked at, but for
    fields of metadata that the schema names. ``root`` is false for a part of an object, and where they count like
    others. ``filled`` says that nulls are dropped and defaults filled in already, so that neither is excused. Values
    are what a JSON decoder gives. Schemas deeper than 100 levels are not followed beyond.
    """
    return _node({**schema, EMBEDDED: False} if root else schema, 0, root=root, filled=filled)


def _node(schema: Schema, depth: int, *, filled: bool, root: bool = False) -> Check:
    """Compile one schema into one function that dispatches on the type of the value."""
    if depth > MAX_DEPTH:
        return _nothing
    combined, listed = [*_combinations(schema, depth, filled=filled)], [*_enumeration(schema)]
    numbers = (*combined, *_bounds(schema), *listed)
    by_type: dict[type, tuple[Check, ...]] = {
        dict: (*combined, *listed, *_members(schema, depth, root=root, filled=filled)),
        list: (*combined, *_items(schema, depth, filled=filled), *listed),
        str: (*combined, *_text(schema), *listed),
        int: numbers,
        float: numbers,
        bool: (*combined, *listed),
        type(None): tuple(listed),
    }
    misfit = _type(schema)

    def check(value: Any) -> Sequence[Violation]:
        found: list[Violation] = []
        if misfit is not None:
            found += misfit(value)
        for part in by_type.get(type(value), ()):
            found += part(value)
        return found

    return check


def _nothing(_value: Any) -> Sequence[Violation]:
    return ()


def _type(schema: Schema) -> Check | None:
    """Return the check of a type; None where a schema asks for none. Other checks are made whatever it finds."""
    wanted = expected(schema)
    if wanted is None:
        return None
    # Integers have to be looked at, since those that are too large are none.
    certain = wanted.accepts if float in wanted.accepts else wanted.accepts - {int}
    nullable = allows_null(schema) or not wanted.type_name

    def check(value: Any) -> Sequence[Violation]:
        if type(value) in certain:
            return ()
        if value is None:
            return () if nullable else (Violation("type", None, wanted.type_name),)
        return () if wanted.fits(value) else (Violation("type", value, wanted.name),)

    return check


# -- objects ------------------------------------------------------------------------------------------


def _members(schema: Schema, depth: int, *, root: bool, filled: bool) -> Iterable[Check]:
    """Yield the checks of an object."""
    own = _fields(schema, depth, root=root, filled=filled)
    fields = (lambda value: [each for part in own for each in part(value)]) if own else None
    yield from _in_turn(_sizes(schema, "Properties"), fields)
    if schema.get(EMBEDDED) is True:
        yield _embedded


def _in_turn(one: Check | None, other: Check | None) -> Iterable[Check]:
    """Yield a check that makes the other one only where the first finds nothing; either may be missing."""
    if one is not None and other is not None:
        yield lambda value: one(value) or other(value)
    else:
        yield from (check for check in (one, other) if check is not None)


def _fields(schema: Schema, depth: int, *, root: bool, filled: bool) -> Sequence[Check]:
    """Return the checks of an object's keys."""
    properties = named_fields(schema)
    exempt = META if root else frozenset()
    if root and mapping(properties.get("metadata", {}), "properties"):
        exempt = META - {"metadata"}
        properties["metadata"] = {"properties": properties["metadata"]["properties"]}
    additional = schema.get("additionalProperties")
    named = {
        key: (_node(value, depth + 1, filled=filled), filled or allows_null(value))
        for key, value in properties.items()
        if key not in exempt
    }
    checks: list[Check] = []
    if isinstance(additional, dict):
        extra = _node(additional, depth + 1, filled=filled), filled or allows_null(additional)
        checks.append(_walk(named, extra, exempt))
    elif named:
        checks.append(_walk(named, (None, True), exempt))
    if additional is False:
        known = properties.keys() | exempt
        checks.append(
            lambda value: [Violation("additionalProperties", None, None, (key,)) for key in value if key not in known]
        )
    return [*checks, *_required(schema, properties, exempt, filled=filled)]


def _walk(
    named: Mapping[str, tuple[Check, bool]], beyond: tuple[Check | None, bool], exempt: frozenset[str]
) -> Check:
    """Return the check of what is under keys; with each goes whether nulls there are looked at."""

    def check(value: dict[str, Any]) -> Sequence[Violation]:
        found: list[Violation] = []
        for key, item in value.items():
            sub, nullable = named.get(key, beyond)
            # The server drops a null that is not allowed before it validates.
            if sub is None or (item is None and not nullable) or key in exempt:
                continue
            inner = sub(item)
            if inner:
                step = key if key in named else Entry(key)
                found += [violation.under(step) for violation in inner]
        return found

    return check


def _required(
    schema: Schema, properties: Mapping[str, Schema], exempt: frozenset[str], *, filled: bool
) -> Iterable[Check]:
    """Yield the check of required keys; one with a default is filled in by the server."""
    names = [
        name
        for name in sequence(schema, "required")
        if isinstance(name, str) and name not in exempt and (filled or "default" not in properties.get(name, {}))
    ]
    keeps_null = frozenset(n for n in names if filled or allows_null(properties.get(n, {"nullable": True})))

    def check(value: dict[str, Any]) -> Sequence[Violation]:
        found: list[Violation] = []
        for name in names:
            item = value.get(name, _ABSENT)
            if item is _ABSENT or (item is None and name not in keeps_null):
                found.append(Violation("required", None, None, (name,)))
        return found

    if names:
        yield check


def _embedded(value: dict[str, Any]) -> Sequence[Violation]:
    return [
        Violation(EMBEDDED, value.get(name), None, (name,))
        for name in ("apiVersion", "kind")
        if not isinstance(value.get(name), str) or not value[name]
    ]


# -- arrays -------------------------------------------------------------------------------------------


def _items(schema: Schema, depth: int, *, filled: bool) -> Iterable[Check]:
    """Yield the checks of an array."""
    items, kind = schema.get("items"), schema.get(LIST_TYPE)
    if isinstance(items, dict):
        yield _each(_node(items, depth + 1, filled=filled))
    sizes = _sizes(schema, "Items")
    if sizes is not None:
        yield sizes
    keys = [key for key in sequence(schema, LIST_KEYS) if isinstance(key, str)]
    if schema.get("uniqueItems") is True or kind == "set":
        yield _repeated
    elif kind == "map" and keys:
        yield _with_keys(keys)


def _each(sub: Check) -> Check:
    def check(value: list[Any]) -> Sequence[Violation]:
        found: list[Violation] = []
        for place, item in enumerate(value):
            inner = sub(item)
            if inner:
                found += [violation.under(place) for violation in inner]
        return found

    return check


def _with_keys(keys: Sequence[str]) -> Check:
    """Return the check of a list whose items are told apart by keys; a null item has none of them."""

    def check(value: list[Any]) -> Sequence[Violation]:
        for place, item in enumerate(value):
            if item is not None and not isinstance(item, dict):
                return (Violation(LIST_KEYS, item, keys, (place,)),)
        return _repeated([{key: item[key] for key in keys if key in item} if item else {} for item in value])

    return check


def _repeated(values: Sequence[Any]) -> Sequence[Violation]:
    """Return a violation for each value that stands more than once, where it stands for the second time."""
    seen: dict[Any, int] = {}
    found: list[Violation] = []
    for place, value in enumerate(values):
        key = _comparable(value)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] == 2:
            found.append(Violation("uniqueItems", value, None, (place,)))
    return found


# -- scalars ------------------------------------------------------------------------------------------


def _sizes(schema: Schema, suffix: str) -> Check | None:
    """Return the check of a length between two limits: items, properties, characters; None for no limits."""
    least, most = number(schema, f"min{suffix}"), number(schema, f"max{suffix}")
    if least is None and most is None:
        return None

    def check(value: Any) -> Sequence[Violation]:
        if most is not None and len(value) > most:
            return (Violation(f"max{suffix}", value, most),)
        if least is not None and len(value) < least:
            return (Violation(f"min{suffix}", value, least),)
        return ()

    return check


def _bounds(schema: Schema) -> Iterable[Check]:
    """Yield the checks of a number. Formats int32 and int64 set no bounds: the server checks none."""
    step = number(schema, "multipleOf")
    if step is not None and step > 0:
        yield lambda value: () if _is_multiple(value, step) else (Violation("multipleOf", value, step),)
    for rule, inside, beyond in _LIMITS:
        limit, exclusive = number(schema, rule), f"exclusive{rule.capitalize()}"
        if limit is not None and schema.get(exclusive) is True:
            yield _limit(exclusive, limit, inside)
        elif limit is not None:
            yield _limit(rule, limit, beyond)


_LIMITS = (("minimum", operator.le, operator.lt), ("maximum", operator.ge, operator.gt))
"""Limits, and what breaks them where they are exclusive and where not."""


def _limit(rule: str, limit: float, breaks: Callable[[float, float], bool]) -> Check:
    whole = int(limit)  # the server cuts the limit off for an integer

    def check(value: float) -> Sequence[Violation]:
        against = whole if isinstance(value, int) else limit
        return (Violation(rule, value, against),) if breaks(value, against) else ()

    return check


def _is_multiple(value: float, step: float) -> bool:
    if isinstance(value, int) and step >= 1:
        return value % int(step) == 0
    try:
        return is_whole(1 / step * value if step < 1 else value / step)
    except OverflowError:
        return True


def _text(schema: Schema) -> Iterable[Check]:
    """Yield the checks of a string: the first only that it fails of length and pattern, and its format."""
    yield from _in_turn(_sizes(schema, "Length"), _pattern(schema))
    name = schema.get("format")
    known = format_test(name) if isinstance(name, str) else None
    if known is not None:
        yield lambda value: () if known(value) else (Violation("format", value, name),)


def _pattern(schema: Schema) -> Check | None:
    pattern = schema.get("pattern")
    search = compile_pattern(pattern) if isinstance(pattern, str) else None
    if search is None:
        return None
    return lambda value: () if search(value) else (Violation("pattern", value, pattern),)


def _enumeration(schema: Schema) -> Iterable[Check]:
    values = schema.get("enum")
    if not isinstance(values, list) or not values:
        return
    allowed = frozenset(_comparable(value) for value in values if value is not None)
    yield lambda value: () if _comparable(value) in allowed else (Violation("enum", value, values),)


def _comparable(value: Any) -> Any:
    """Return something hashable that is equal for equal JSON: 1 is 1.0, but not true."""
    if isinstance(value, bool):
        return (bool, value)
    if isinstance(value, dict):
        return (dict, frozenset((key, _comparable(item)) for key, item in value.items()))
    if isinstance(value, list):
        return (list, tuple(map(_comparable, value)))
    return value


# -- alternatives -------------------------------------------------------------------------------------


def _combinations(schema: Schema, depth: int, *, filled: bool) -> Iterable[Check]:
    """Yield the checks of anyOf, oneOf, allOf and not."""
    for rule, judge in (("anyOf", _any_of), ("oneOf", _one_of), ("allOf", _all_of)):
        schemas = [subschema(sub) for sub in sequence(schema, rule)]
        if schemas:
            yield judge(schemas, [_node(sub, depth + 1, filled=filled) for sub in schemas])
    if isinstance(schema.get("not"), dict):
        refused = _node(schema["not"], depth + 1, filled=filled)
        yield lambda value: () if refused(value) else (Violation("not", value),)


def _any_of(schemas: Sequence[Schema], subs: Sequence[Check]) -> Check:
    def check(value: Any) -> Sequence[Violation]:
        failures: list[Sequence[Violation]] = []
        for sub in subs:
            found = sub(value)
            if not found:
                return ()
            failures.append(found)
        nearest_one = failures[nearest(schemas, value)]
        return (Violation("anyOf", value, (0, len(subs)), (), tuple(nearest_one)),)

    return check


def _one_of(schemas: Sequence[Schema], subs: Sequence[Check]) -> Check:
    def check(value: Any) -> Sequence[Violation]:
        failures = [sub(value) for sub in subs]
        fits = sum(not found for found in failures)
        if fits == 1:
            return ()
        nearest_one = () if fits else failures[nearest(schemas, value)]
        return (Violation("oneOf", value, (fits, len(subs)), (), tuple(nearest_one)),)

    return check


def _all_of(_schemas: Sequence[Schema], subs: Sequence[Check]) -> Check:
    def check(value: Any) -> Sequence[Violation]:
        failures = [found for sub in subs if (found := sub(value))]
        if not failures:
            return ()
        bound = (len(subs) - len(failures), len(subs))
        return (Violation("allOf", value, bound, (), tuple(each for found in failures for each in found)),)

    return check

"""Structural schemas of CRDs: what a value violates, and what a server would prune from it.

A schema (``openAPIV3Schema`` of a CRD version, decoded) is compiled once into closures, because thousands of
objects are held against it. It agrees with the API server where it judges at all: what it cannot judge
exactly (CEL rules, most string formats, patterns beyond the common subset) it passes. It never changes a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from zenctl.core.strforms import compile_pattern, format_test

Violation = tuple[str, str]
"""A path relative to the value that was checked, such as ``.spec[0]``, and a reason."""
Check = Callable[[Any], Sequence[Violation]]
_Schema = Mapping[str, Any]

_MAX_DEPTH = 100
_META = frozenset(("apiVersion", "kind", "metadata"))
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_EMBEDDED = "x-kubernetes-embedded-resource"
_ABSENT = object()
_NAMES: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a fraction",
    type(None): "null",
}


def compile_schema(schema: _Schema) -> Callable[[object], list[str]]:
    """Return a function that lists what a whole object violates, as "spec.severity: is required".

    apiVersion, kind and metadata at the root are the server's own business and not looked at. Values are
    what a JSON decoder gives. Schemas deeper than 100 levels are not followed beyond.
    """
    check = _node({**schema, _EMBEDDED: False}, 0, root=True)

    def problems(value: object) -> list[str]:
        return [f"{path.removeprefix('.') or 'object'}: {reason}" for path, reason in check(value)]

    return problems


def _node(schema: _Schema, depth: int, *, root: bool = False) -> Check:
    """Compile one schema into one function that dispatches on the type of the value."""
    if depth > _MAX_DEPTH:
        return _nothing
    accepts, wanted = _types(schema)
    nullable = schema.get("nullable") is True or not wanted
    common = [*_enumeration(schema), *_combinations(schema, depth)]
    numbers = [*_bounds(schema), *common]
    strings = [*_text(schema), *common]
    by_type: dict[type, tuple[Check, ...]] = {
        dict: (*_members(schema, depth, root=root), *common),
        list: (*_items(schema, depth), *common),
        str: tuple(strings),
        int: tuple(numbers),
        float: tuple(numbers),
        bool: tuple(common),
    }

    def check(value: Any) -> Sequence[Violation]:
        kind = type(value)
        if value is None and nullable:
            return ()
        if wanted and kind not in accepts and not (kind is float and int in accepts and value.is_integer()):
            return (("", f"must be {wanted}, not {_NAMES.get(kind, kind.__name__)}"),)
        found: list[Violation] = []
        for part in by_type.get(kind, ()):
            found += part(value)
        return found

    return check


def _nothing(_value: Any) -> Sequence[Violation]:
    return ()


_ACCEPTED: dict[str, tuple[frozenset[type], str]] = {
    "object": (frozenset((dict,)), "an object"),
    "array": (frozenset((list,)), "an array"),
    "string": (frozenset((str,)), "a string"),
    "boolean": (frozenset((bool,)), "a boolean"),
    "integer": (frozenset((int,)), "an integer"),
    "number": (frozenset((int, float)), "a number"),
}


def _types(schema: _Schema) -> tuple[frozenset[type], str]:
    """Return the types that a schema accepts and how to call them; no name where it accepts all."""
    if schema.get(_INT_OR_STRING) is True:
        return frozenset((int, str)), "an integer or a string"
    kind = schema.get("type")
    return _ACCEPTED.get(kind, (frozenset(), "")) if isinstance(kind, str) else (frozenset(), "")


def _members(schema: _Schema, depth: int, *, root: bool) -> Iterable[Check]:
    """Yield the checks of an object's keys."""
    exempt = _META if root or schema.get(_EMBEDDED) is True else frozenset()
    properties = {
        key: _subschema(value) for key, value in _mapping(schema, "properties").items() if key not in exempt
    }
    additional = schema.get("additionalProperties")
    extra = _node(additional, depth + 1) if isinstance(additional, dict) else None
    nullable_extra = isinstance(additional, dict) and additional.get("nullable") is True
    compiled = {key: (_node(value, depth + 1), value.get("nullable") is True) for key, value in properties.items()}
    if compiled or extra is not None:
        yield _walk_members(compiled, extra, exempt, nullable_extra=nullable_extra)
    if additional is False:
        known = frozenset(properties) | exempt
        yield lambda value: [(f".{key}", "is not allowed") for key in value if key not in known]
    yield from _required(schema, properties, exempt)
    yield from _sizes(schema, "Properties", "properties")
    if schema.get(_EMBEDDED) is True:
        yield _embedded


def _walk_members(
    compiled: Mapping[str, tuple[Check, bool]], extra: Check | None, exempt: frozenset[str], *, nullable_extra: bool
) -> Check:
    beyond = (extra, nullable_extra)

    def check(value: dict[str, Any]) -> Sequence[Violation]:
        found: list[Violation] = []
        for key, item in value.items():
            sub, nullable = compiled.get(key, beyond)
            # The server drops a null that is not allowed before it validates.
            if sub is None or (item is None and not nullable) or key in exempt:
                continue
            inner = sub(item)
            if inner:
                here = f".{key}" if key in compiled else f"[{key}]"
                found += [(here + path, reason) for path, reason in inner]
        return found

    return check


def _required(schema: _Schema, properties: Mapping[str, _Schema], exempt: frozenset[str]) -> Iterable[Check]:
    """Yield the check of required keys; one with a default is filled in by the server."""
    names = [
        name
        for name in _sequence(schema, "required")
        if isinstance(name, str) and name not in exempt and "default" not in properties.get(name, {})
    ]
    keeps_null = frozenset(n for n in names if properties.get(n, {"nullable": True}).get("nullable") is True)

    def check(value: dict[str, Any]) -> Sequence[Violation]:
        found: list[Violation] = []
        for name in names:
            item = value.get(name, _ABSENT)
            if item is _ABSENT or (item is None and name not in keeps_null):
                found.append((f".{name}", "is required"))
        return found

    if names:
        yield check


def _embedded(value: dict[str, Any]) -> Sequence[Violation]:
    return [
        (f".{name}", "is required")
        for name in ("apiVersion", "kind")
        if not isinstance(value.get(name), str) or not value[name]
    ]


def _items(schema: _Schema, depth: int) -> Iterable[Check]:
    """Yield the checks of an array."""
    yield from _sizes(schema, "Items", "items")
    items = schema.get("items")
    if isinstance(items, dict):
        yield _each(_node(items, depth + 1))
    kind = schema.get("x-kubernetes-list-type")
    keys = [key for key in _sequence(schema, "x-kubernetes-list-map-keys") if isinstance(key, str)]
    if schema.get("uniqueItems") is True or kind == "set":
        yield _unique(lambda item: item)
    elif kind == "map" and keys:
        yield _unique(lambda item: {k: item[k] for k in keys if k in item} if isinstance(item, dict) else item)


def _each(sub: Check) -> Check:
    def check(value: list[Any]) -> Sequence[Violation]:
        found: list[Violation] = []
        for place, item in enumerate(value):
            inner = sub(item)
            if inner:
                found += [(f"[{place}]{path}", reason) for path, reason in inner]
        return found

    return check


def _unique(key_of: Callable[[Any], Any]) -> Check:
    def check(value: list[Any]) -> Sequence[Violation]:
        seen: set[Any] = set()
        found: list[Violation] = []
        for place, item in enumerate(value):
            key = _comparable(key_of(item))
            if key in seen:
                found.append((f"[{place}]", "is a duplicate"))
            seen.add(key)
        return found

    return check


def _sizes(schema: _Schema, suffix: str, noun: str) -> Iterable[Check]:
    """Yield the check of a length between two limits: items, properties, characters."""
    least, most = _number(schema, f"min{suffix}"), _number(schema, f"max{suffix}")

    def check(value: Any) -> Sequence[Violation]:
        if least is not None and len(value) < least:
            return (("", f"must have at least {least} {noun}, not {len(value)}"),)
        if most is not None and len(value) > most:
            return (("", f"must have at most {most} {noun}, not {len(value)}"),)
        return ()

    if least is not None or most is not None:
        yield check


def _bounds(schema: _Schema) -> Iterable[Check]:
    """Yield the checks of a number. Formats int32 and int64 set no bounds: the server checks none."""
    least, most, step = (_number(schema, name) for name in ("minimum", "maximum", "multipleOf"))
    if least is not None and schema.get("exclusiveMinimum") is True:
        yield lambda value: () if value > least else (("", f"must be greater than {least}"),)
    elif least is not None:
        yield lambda value: () if value >= least else (("", f"must be at least {least}"),)
    if most is not None and schema.get("exclusiveMaximum") is True:
        yield lambda value: () if value < most else (("", f"must be less than {most}"),)
    elif most is not None:
        yield lambda value: () if value <= most else (("", f"must be at most {most}"),)
    if step is not None and step > 0:
        yield lambda value: () if _is_multiple(value, step) else (("", f"must be a multiple of {step}"),)


def _is_multiple(value: float, step: float) -> bool:
    if isinstance(value, int) and isinstance(step, int):
        return value % step == 0
    try:
        quotient = value / step
    except OverflowError:
        return True
    return abs(quotient - round(quotient)) < 1e-9


def _text(schema: _Schema) -> Iterable[Check]:
    """Yield the checks of a string."""
    yield from _sizes(schema, "Length", "characters")
    pattern = schema.get("pattern")
    search = compile_pattern(pattern) if isinstance(pattern, str) else None
    if search is not None:
        yield lambda value: () if search(value) else (("", f"must match {pattern!r}"),)
    name = schema.get("format")
    known = format_test(name) if isinstance(name, str) else None
    if known is not None:
        yield lambda value: () if known(value) else (("", f"must be a {name}"),)


def _enumeration(schema: _Schema) -> Iterable[Check]:
    values = schema.get("enum")
    if not isinstance(values, list):
        return
    allowed = frozenset(_comparable(value) for value in values)
    shown = ", ".join(str(value) for value in values)
    yield lambda value: () if _comparable(value) in allowed else (("", f"must be one of {shown}"),)


def _comparable(value: Any) -> Any:
    """Return something hashable that is equal for equal JSON: 1 is 1.0, but not true."""
    if isinstance(value, bool):
        return (bool, value)
    if isinstance(value, dict):
        return (dict, frozenset((key, _comparable(item)) for key, item in value.items()))
    if isinstance(value, list):
        return (list, tuple(map(_comparable, value)))
    return value


def _combinations(schema: _Schema, depth: int) -> Iterable[Check]:
    """Yield the checks of allOf, anyOf, oneOf and not."""
    for sub in _sequence(schema, "allOf"):
        yield _node(_subschema(sub), depth + 1)
    any_of = [_node(_subschema(sub), depth + 1) for sub in _sequence(schema, "anyOf")]
    if any_of:
        yield (
            lambda value: (
                ()
                if any(not sub(value) for sub in any_of)
                else (("", f"must fit one of {len(any_of)} alternatives"),)
            )
        )
    one_of = [_node(_subschema(sub), depth + 1) for sub in _sequence(schema, "oneOf")]
    if one_of:
        yield _exactly_one(one_of)
    if isinstance(schema.get("not"), dict):
        refused = _node(schema["not"], depth + 1)
        yield lambda value: () if refused(value) else (("", "must not fit the excluded schema"),)


def _exactly_one(subs: Sequence[Check]) -> Check:
    def check(value: Any) -> Sequence[Violation]:
        fits = sum(not sub(value) for sub in subs)
        return () if fits == 1 else (("", f"must fit exactly one of {len(subs)} alternatives, not {fits}"),)

    return check


Pruning = Callable[[Any], Sequence[str]]


def unknown_fields(schema: _Schema) -> Callable[[object], list[str]]:
    """Return a function that lists the paths in a whole object which a server would prune.

    apiVersion, kind and metadata at the root stay. The rules are the server's, odd ones included: under
    ``additionalProperties: true`` the values of unknown keys stay, but the keys of objects in them do not.
    """
    walk = _pruning({**schema, _EMBEDDED: True}, 0)
    return lambda value: [path.removeprefix(".") for path in walk(value)]


def _pruning(schema: _Schema | None, depth: int, *, keep: bool = False) -> Pruning:
    """Compile what is pruned under a schema; with ``keep`` unknown keys stay, as under a parent that keeps them."""
    if depth > _MAX_DEPTH:
        return lambda _value: ()
    if schema is None:
        return _everything
    keep = keep or schema.get(_PRESERVE) is True
    exempt = _META if schema.get(_EMBEDDED) is True else frozenset()
    properties = {
        key: _pruning(_subschema(value), depth + 1) for key, value in _mapping(schema, "properties").items()
    }
    extra = _additional(schema, depth)
    items = schema.get("items")
    each = _pruning(items if isinstance(items, dict) else None, depth + 1, keep=keep) if items or not keep else None

    def walk(value: Any) -> Sequence[str]:
        if isinstance(value, dict):
            return _pruned_keys(value, properties, extra, (exempt, keep))
        if isinstance(value, list) and each is not None:
            return [f"[{place}]{path}" for place, item in enumerate(value) for path in each(item)]
        return ()

    return walk


def _additional(schema: _Schema, depth: int) -> Pruning | None:
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        return _pruning(additional, depth + 1)
    return _pruning(None, depth + 1) if additional is not None else None


def _pruned_keys(
    value: dict[str, Any],
    properties: Mapping[str, Pruning],
    extra: Pruning | None,
    rules: tuple[frozenset[str], bool],
) -> Sequence[str]:
    exempt, keep = rules
    found: list[str] = []
    for key, item in value.items():
        if key in exempt:
            continue
        sub = properties.get(key, extra)
        if sub is not None:
            here = f".{key}" if key in properties else f"[{key}]"
            found += [here + path for path in sub(item)]
        elif not keep:
            found.append(f".{key}")
    return found


def _everything(value: Any) -> Sequence[str]:
    """Return what is pruned where there is no schema at all: every key, also in lists."""
    if isinstance(value, dict):
        return [f".{key}" for key in value]
    if isinstance(value, list):
        return [f"[{place}]{path}" for place, item in enumerate(value) for path in _everything(item)]
    return ()


def _mapping(schema: _Schema, name: str) -> Mapping[str, Any]:
    value = schema.get(name)
    return value if isinstance(value, dict) else {}


def _sequence(schema: _Schema, name: str) -> Sequence[Any]:
    value = schema.get(name)
    return value if isinstance(value, list) else ()


def _number(schema: _Schema, name: str) -> float | None:
    value = schema.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _subschema(value: object) -> _Schema:
    return value if isinstance(value, dict) else {}

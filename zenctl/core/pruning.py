"""What a server does to an object before it validates it: unknown fields are dropped, defaults filled in.

Both are compiled once from a structural schema into closures, since they run for every write. The rules are those
of apiextensions-apiserver, odd ones included. No value that comes in is changed: what changes is copied, the rest is
shared, and where nothing changes the same object comes back. Whether a value fits its schema is not asked here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from zenctl.core.schemawords import EMBEDDED, MAX_DEPTH, META, PRESERVE, Schema, allows_null, named_fields

Prune = Callable[[Any], tuple[Any, list[str]]]
"""Gives the value without its unknown fields, and the paths of those, such as ``spec.tags[0].a``, sorted."""
Default = Callable[[Any], Any]
"""Gives the value with its defaults, and without the nulls that its schema does not allow."""

_Walk = Callable[[Any, list[str]], Any]
"""Gives a container without its unknown fields; appends their paths, relative to it, to the list."""


def compile_pruning(schema: Schema, *, root: bool = True) -> Prune:
    """Return the function that drops from a whole object the fields that its schema does not name.

    apiVersion, kind and metadata stay as they are at the root (unless ``root`` is false: then it is a part of an
    object), and wherever another object is embedded. A field under ``x-kubernetes-preserve-unknown-fields`` stays,
    but a named one below it is still pruned by its own schema. Under ``additionalProperties: true`` the values of
    unknown keys stay, but the keys of objects in them do not. Beyond 100 levels nothing is pruned.
    """
    walk = _pruning({**schema, EMBEDDED: True} if root else schema, 0)

    def prune(value: Any) -> tuple[Any, list[str]]:
        dropped: list[str] = []
        kept = walk(value, dropped)
        return kept, sorted(path.removeprefix(".") for path in dropped) if dropped else dropped

    return prune


def _pruning(schema: Schema | None, depth: int, *, keep: bool = False) -> _Walk:
    """Compile what is pruned under a schema; with ``keep`` unknown keys stay, as in items of a list that keeps."""
    if depth > MAX_DEPTH:
        return _kept
    if schema is None:
        return _without_schema
    keep = keep or schema.get(PRESERVE) is True
    known = {key: _pruning(sub, depth + 1) for key, sub in named_fields(schema).items()}
    if schema.get(EMBEDDED) is True:
        known.update(dict.fromkeys(META, _kept))
    extra = _beyond(schema, depth, keep=keep)
    items = schema.get("items")
    each: _Walk = _kept if keep else _without_schema
    if isinstance(items, dict):
        each = _pruning(items, depth + 1, keep=keep)
    if not known and extra is _kept and each is _kept:
        return _kept
    return _container(known, extra, each)


def _beyond(schema: Schema, depth: int, *, keep: bool) -> _Walk | None:
    """Return what happens to keys that have no schema of their own; None where they are dropped."""
    additional = schema.get("additionalProperties")
    if additional is None:
        return _kept if keep else None
    return _pruning(additional if isinstance(additional, dict) else None, depth + 1)


def _container(known: Mapping[str, _Walk], extra: _Walk | None, each: _Walk) -> _Walk:
    get = known.get

    def walk(value: Any, dropped: list[str]) -> Any:
        kind = type(value)
        if kind is list:
            return _walk_items(value, each, dropped)
        if kind is not dict:
            return value
        changed: dict[str, Any] | None = None
        for key, item in value.items():
            sub = get(key, extra)
            if sub is None:
                changed = dict(value) if changed is None else changed
                del changed[key]
                dropped.append(f".{key}")
            elif type(item) is dict or type(item) is list:
                before = len(dropped)
                kept = sub(item, dropped)
                if kept is not item:
                    changed = dict(value) if changed is None else changed
                    changed[key] = kept
                    dropped[before:] = [f".{key}{path}" for path in dropped[before:]]
        return value if changed is None else changed

    return walk


def _walk_items(value: list[Any], each: _Walk, dropped: list[str]) -> list[Any]:
    changed: list[Any] | None = None
    for place, item in enumerate(value):
        if type(item) is dict or type(item) is list:
            before = len(dropped)
            kept = each(item, dropped)
            if kept is not item:
                changed = list(value) if changed is None else changed
                changed[place] = kept
                dropped[before:] = [f"[{place}]{path}" for path in dropped[before:]]
    return value if changed is None else changed


def _kept(value: Any, _dropped: list[str]) -> Any:
    return value


def _without_schema(value: Any, dropped: list[str]) -> Any:
    """Drop what there is no schema for at all: every key, also of objects in lists."""
    if type(value) is list:
        return _walk_items(value, _without_schema, dropped)
    if type(value) is dict and value:
        dropped += [f".{key}" for key in value]
        return {}
    return value


class _Null(Enum):
    """What happens to a null where no default takes its place."""

    KEPT = 1
    DROPPED = 2


_Filled = tuple[Any]
"""A default with the defaults below it filled in; copied for each use."""


def compile_defaulting(schema: Schema) -> Default:
    """Return the function that fills in the defaults of a whole object.

    An absent field gets its default, below which further defaults apply; so does a null that its schema does not
    allow. Such a null without a default is dropped from an object, and stays in a list for validation to refuse.
    """
    fill = _defaulting(schema, 0)
    return _same if fill is None else fill


def _same(value: Any) -> Any:
    return value


def _defaulting(schema: Schema, depth: int) -> Default | None:
    """Compile the defaults below a schema; None where there is nothing below it."""
    if depth > MAX_DEPTH:
        return None
    named, additional, items = named_fields(schema), schema.get("additionalProperties"), schema.get("items")
    additional = additional if isinstance(additional, dict) else None
    in_object = _same if additional is None and not named else _members(named, additional, depth)
    in_list = _items(items, depth) if isinstance(items, dict) else _same
    if in_object is _same and in_list is _same:
        return None

    def fill(value: Any) -> Any:
        kind = type(value)
        if kind is dict:
            return in_object(value)
        return in_list(value) if kind is list else value

    return fill


def _members(named: Mapping[str, Schema], additional: Schema | None, depth: int) -> Default:
    below = {key: _defaulting(sub, depth + 1) or _same for key, sub in named.items()}
    beyond = _same if additional is None else _defaulting(additional, depth + 1) or _same
    defaults = [(key, filled) for key, sub in named.items() if (filled := _filled(sub, below[key])) is not None]
    on_null = {key: _on_null(sub, below[key]) for key, sub in named.items()}
    beyond_null = _Null.KEPT if additional is None else _on_null(additional, beyond)

    def fill(value: dict[str, Any]) -> dict[str, Any]:
        changed: dict[str, Any] | None = None
        for key, item in value.items():
            if item is None:
                instead = on_null.get(key, beyond_null)
                if instead is _Null.KEPT:
                    continue
                changed = dict(value) if changed is None else changed
                _replace_null(changed, key, instead)
            elif type(item) is dict or type(item) is list:
                filled = below.get(key, beyond)(item)
                if filled is not item:
                    changed = dict(value) if changed is None else changed
                    changed[key] = filled
        for key, (default,) in defaults:
            if key not in value:
                changed = dict(value) if changed is None else changed
                changed[key] = _fresh(default)
        return value if changed is None else changed

    return fill


def _replace_null(changed: dict[str, Any], key: str, instead: _Null | _Filled) -> None:
    if isinstance(instead, tuple):
        changed[key] = _fresh(instead[0])
    else:
        del changed[key]


def _items(schema: Schema, depth: int) -> Default:
    below = _defaulting(schema, depth + 1) or _same
    instead = _on_null(schema, below)

    def fill(value: list[Any]) -> list[Any]:
        changed: list[Any] | None = None
        for place, item in enumerate(value):
            filled = below(item)
            if item is None and isinstance(instead, tuple):
                filled = _fresh(instead[0])
            if filled is not item:
                changed = list(value) if changed is None else changed
                changed[place] = filled
        return value if changed is None else changed

    return fill


def _on_null(schema: Schema, below: Default) -> _Null | _Filled:
    return _Null.KEPT if allows_null(schema) else _filled(schema, below) or _Null.DROPPED


def _filled(schema: Schema, below: Default) -> _Filled | None:
    """Return the default of a schema; None where there is none. A null is none, as the server has it."""
    default = schema.get("default")
    return None if default is None else (below(default),)


def _fresh(value: Any) -> Any:
    """Return a copy that shares no container with the schema."""
    if type(value) is dict:
        return {key: _fresh(item) for key, item in value.items()}
    return [_fresh(item) for item in value] if type(value) is list else value

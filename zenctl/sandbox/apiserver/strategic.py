"""Strategic merge patch: a merge patch that knows by the schema which arrays are merged, and obeys directives.

Directives are ``$patch`` (replace or delete, of an object or of items by their merge key), ``$retainKeys``,
``$setElementOrder/FIELD`` and ``$deleteFromPrimitiveList/FIELD``. Errors are those of kube-apiserver, which answers
500 where a patch contradicts itself or the object. What is merged with nothing loses its nulls, and each object in it
that has ``$patch``; releases before 1.28 leave directives in the object.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, cast

from zenctl.sandbox.apiserver.errors import ApiError, bad_request
from zenctl.sandbox.apiserver.json_values import copied, identity, not_decoded, rejected
from zenctl.sandbox.apiserver.merge_keys import MergeRule, MergeRules, merge_rules

Json = dict[str, Any]
Items = list[Any]

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder"
_DELETE = "$deleteFromPrimitiveList"
_NOTHING = object()
_UNKNOWN = MergeRule(merges=False, key="", inner=merge_rules({}, {}))
"""Of a field that is not in the schema."""


def strategic_merge_patch(document: Mapping[str, Any], patch: object, rules: MergeRules) -> Json:
    """Apply a strategic merge patch under the merge rules of the document's type; null changes nothing.

    The arguments stay as they are, and the result shares nothing with them. Raises ApiError: 400 for a patch that is
    no object and for malformed directives, 422 for arrays of arrays, 500 for contradictions.
    """
    if patch is None:
        patch = {}
    if not isinstance(patch, dict):
        raise not_decoded(patch, _GO_TYPES[dict])
    return _merged(copied(dict(document)), copied(patch), rules)


def _merged(target: Json, patch: Json, rules: MergeRules) -> Json:
    """Merge an object; both arguments are used up."""
    if _DIRECTIVE in patch:
        return _directed(patch)
    _retain(target, patch)
    for key in [key for key in patch if key.startswith(_ORDER)]:
        _set_order(target, patch, key, rules)
    for key, value in patch.items():
        if key.startswith(_DELETE):
            _delete_scalars(target, key, value)
        else:
            _merge_field(target, key, value, rules)
    return target


def _merge_field(target: Json, key: str, value: Any, rules: MergeRules) -> None:
    present = target.get(key)
    rule = rules.field(key) or _UNKNOWN
    if value is None:
        target.pop(key, None)
    elif isinstance(present, dict) and isinstance(value, dict):
        target[key] = _merged(present, value, rule.inner)
    elif isinstance(present, list) and isinstance(value, list):
        target[key] = _merged_list(present, value, rule)
    elif (fresh := _fresh(value)) is not _NOTHING:
        target[key] = fresh
    else:
        target.pop(key, None)


def _directed(patch: Json) -> Json:
    """Return what ``$patch`` in an object leaves of it."""
    directive = patch[_DIRECTIVE]
    if directive == "delete":
        return {}
    if directive != "replace":
        raise _unknown_directive(patch)
    del patch[_DIRECTIVE]
    return cast("Json", _fresh(patch))


def _fresh(value: Any) -> Any:
    """Return what stays of a value that is merged with nothing; ``_NOTHING`` for an object with ``$patch``."""
    if isinstance(value, list):
        return [kept for item in value if (kept := _fresh(item)) is not _NOTHING]
    if not isinstance(value, dict):
        return value
    if _DIRECTIVE in value:
        return _NOTHING
    return {
        key: kept
        for key, item in value.items()
        if item is not None and not _is_directive(key) and (kept := _fresh(item)) is not _NOTHING
    }


def _is_directive(key: str) -> bool:
    return key == _RETAIN or key.startswith((_ORDER, _DELETE))


def _retain(target: Json, patch: Json) -> None:
    """Obey ``$retainKeys``: the object keeps no other keys, and the patch may set no other."""
    if _RETAIN not in patch:
        return
    keys = patch.pop(_RETAIN)
    if not isinstance(keys, list):
        raise bad_request("invalid patch format of retainKeys")
    kept = {key for key in keys if isinstance(key, str)}
    if any(value is not None and key not in kept and not _is_directive(key) for key, value in patch.items()):
        raise bad_request("invalid patch format of retainKeys")
    for key in target.keys() - kept:
        del target[key]


def _delete_scalars(target: Json, directive: str, value: Any) -> None:
    field = _field_of(directive, _DELETE)
    if field is None:
        raise bad_request("invalid patch format of primitive list")
    present = target.get(field)
    if value is None:
        target.pop(field, None)
    elif isinstance(present, list) and isinstance(value, list) and (present or value):
        if _item_type(present, value) is dict:
            raise bad_request("invalid patch format of primitive list")
        gone = set(map(identity, value))
        target[field] = [item for item in present if identity(item) not in gone]


def _field_of(directive: str, prefix: str) -> str | None:
    head, slash, field = directive.partition("/")
    return field if slash and head == prefix else None


# ---------------------------------------------------------------- arrays


def _merged_list(present: Items, patch: Items, rule: MergeRule) -> Items:
    if not rule.merges:
        return cast("Items", _fresh(patch))
    if not present and not patch:
        return present
    if _item_type(present, patch) is dict:
        return _merged_objects(present, patch, rule)
    union = {identity(item): item for item in (*present, *patch)}
    return _ordered(list(union.values()), patch, present, identity)


def _merged_objects(present: Items, patch: Items, rule: MergeRule) -> Items:
    """Merge arrays of objects by their merge key. What the patch names comes in the patch's order."""
    if not rule.key:
        raise _no_merge_key()
    live, changes = _obey_items(present, patch, rule.key)
    result = list(live)
    places: dict[Hashable, int] = {}
    for place, item in enumerate(live):
        places.setdefault(_key_of(item, rule.key), place)
    for change in changes:
        key = _key_of(change, rule.key)
        if key in places:
            place = places[key]
            result[place] = _merged(result[place], change, rule.inner)
        else:
            places[key] = len(result)
            result.append(_fresh(change))
    return _ordered(result, changes, live, lambda item: _key_of(item, rule.key))


def _obey_items(present: Items, patch: Items, key: str) -> tuple[Items, Items]:
    """Obey the items with ``$patch``; return what they leave of the array, and the other items."""
    changes = [item for item in patch if _DIRECTIVE not in item]
    replace, gone = False, set()
    for item in patch:
        directive = item.get(_DIRECTIVE, _NOTHING)
        if directive == "delete":
            gone.add(_key_of(item, key))
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise _internal("merging lists cannot yet be specified in the patch")
        elif directive is not _NOTHING:
            raise _unknown_directive(item)
    if replace:
        return cast("Items", _fresh(changes)), []
    return [item for item in present if key not in item or identity(item[key]) not in gone], changes


def _set_order(target: Json, patch: Json, directive: str, rules: MergeRules) -> None:
    """Obey ``$setElementOrder/FIELD``, and merge the array that it is about."""
    order = _list(patch.pop(directive))
    field = _field_of(directive, _ORDER)
    if field is None:
        raise bad_request("invalid patch format of setElementOrder list")
    present, wanted = (_list(of[field]) if field in of else None for of in (target, patch))
    rule = rules.field(field)
    if rule is None:
        raise _internal(f'unable to find api field in struct {rules.name} for the json field "{field}"')
    _check_order(wanted or [], order, rule.key)
    if present is None and wanted is None:
        return
    if _item_type(present or [], wanted or []) is dict and not rule.key:
        raise _no_merge_key()
    patch.pop(field, None)
    if wanted is None:
        merged = present or []
    elif present is None:
        merged = _fresh(wanted)
    else:
        merged = _merged_list(present, wanted, rule)
    identify = (lambda item: _key_of(_object(item), rule.key)) if rule.key else identity
    target[field] = _ordered(merged, order, present or [], identify)


def _check_order(items: Items, order: Items, key: str) -> None:
    """Require the items of the patch to be listed, and in the same order."""
    if not items or not order:
        return
    left = [item for item in items if not key or _object(item).get(_DIRECTIVE) != "delete"]
    place = step = 0
    while place < len(left) and step < len(order):
        if isinstance(left[place], dict) and _DIRECTIVE in left[place]:
            place += 1
            continue
        pair = (left[place], order[step])
        mine, listed = (_key_of(_object(item), key) if key else identity(item) for item in pair)
        place += mine == listed
        step += 1
    if place < len(left):
        raise _internal(f"The order in patch list:\n{_go(items)}\n doesn't match {_ORDER} list:\n{_go(order)}\n")


def _ordered(merged: Items, order: Items, live: Items, identify: Callable[[Any], Hashable]) -> Items:
    """Put what ``order`` names in its order, and the rest, in the order of the live array, among it."""
    wanted, known = _places(order, identify), _places(live, identify)
    listed = [item for item in merged if identify(item) in wanted]
    others = [item for item in merged if identify(item) not in wanted]
    listed.sort(key=lambda item: wanted[identify(item)])
    others.sort(key=lambda item: known.get(identify(item), -1))
    return _interleaved(others, listed, live, identify)


def _interleaved(others: Items, listed: Items, live: Items, identify: Callable[[Any], Hashable]) -> Items:
    """Merge two ordered arrays: of two items that were live both, the one that came first; else the listed one."""
    known = _places(live, identify)
    result: Items = []
    mine = 0
    for item in listed:
        place = known.get(identify(item), -1)
        while mine < len(others) and -1 < known.get(identify(others[mine]), -1) < place:
            result.append(others[mine])
            mine += 1
        result.append(item)
    return result + others[mine:]


def _places(items: Items, identify: Callable[[Any], Hashable]) -> dict[Hashable, int]:
    places: dict[Hashable, int] = {}
    for place, item in enumerate(items):
        places.setdefault(identify(item), place)
    return places


def _key_of(item: Json, key: str) -> Hashable:
    if key not in item:
        raise _internal(f"map: {_go(item)} does not contain declared merge key: {key}")
    return identity(item[key])


# ---------------------------------------------------------------- types and errors


def _item_type(*lists: Items) -> type:
    """Return the one type of all items."""
    types = [type(item) for items in lists for item in items]
    if not types:
        raise _internal("no elements in any of the given slices")
    if types[0] is list:
        raise rejected()
    if any(each is not types[0] for each in types):
        raise _internal(f"list element types are not identical: {_go(list(lists))}")
    return types[0]


def _list(value: Any) -> Items:
    if not isinstance(value, list):
        raise _internal(f"expected a {_GO_TYPES[list]}, but received a {_GO_TYPES[type(value)]}")
    return value


def _object(value: Any) -> Json:
    if not isinstance(value, dict):
        raise _internal(f"expected a {_GO_TYPES[dict]}, but received a {_GO_TYPES[type(value)]}")
    return value


def _no_merge_key() -> ApiError:
    return _internal("cannot merge lists without merge key for type struct")


def _unknown_directive(patch: Json) -> ApiError:
    directive = patch[_DIRECTIVE]
    shown = "%!s(<nil>)" if directive is None else _go(directive)
    if isinstance(directive, int | float):
        shown = f"%!s({_GO_TYPES[type(directive)]}={shown})"
    return _internal(f"unknown patch type: {shown} in map: {_go(patch)}")


def _internal(message: str) -> ApiError:
    """500: the server gives such errors no reason."""
    return ApiError(500, "", message)


_GO_TYPES: dict[type, str] = {
    dict: "map[string]interface {}",
    list: "[]interface {}",
    str: "string",
    bool: "bool",
    int: "int64",
    float: "float64",
    type(None): "%!s(<nil>)",
}


def _go(value: Any) -> str:
    """Return a value as the server's messages show it."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_go(item)}' for key, item in sorted(value.items()))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_go, value))}]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)

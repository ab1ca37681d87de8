"""What a server drops from an object and fills in before it validates; the tables are a real server's answers."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.core.pruning import compile_defaulting, compile_pruning

PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
STRING = {"type": "string"}
SPEC = {
    "type": "object",
    "properties": {
        "s": STRING,
        "d": {"type": "string", "default": "dd"},
        "n": {"type": "string", "nullable": True, "default": "nn"},
        "o": {"type": "object", "default": {}, "properties": {"x": {"type": "integer", "default": 3}, "y": STRING}},
        "o2": {"type": "object", "properties": {"x": {"type": "integer", "default": 3}}},
        "l": {
            "type": "array",
            "items": {"type": "object", "properties": {"a": {**STRING, "default": "A"}, "b": STRING}},
        },
        "ls": {"type": "array", "items": STRING},
        "lsn": {"type": "array", "items": {**STRING, "nullable": True}},
        "lsd": {"type": "array", "items": {**STRING, "default": "zz"}},
        "m": {"type": "object", "additionalProperties": {**STRING, "default": "md"}},
        "mn": {"type": "object", "additionalProperties": STRING},
        "mo": {
            "type": "object",
            "additionalProperties": {"type": "object", "properties": {"q": {**STRING, "default": "Q"}}},
        },
        "mt": {"type": "object", "additionalProperties": True},
        "p": {
            "type": "object",
            PRESERVE: True,
            "properties": {"k": {"type": "object", "properties": {"z": {**STRING, "default": "Z"}}}},
        },
        "pp": {PRESERVE: True},
        "e": {"type": "object", EMBEDDED: True, "properties": {"spec": {"type": "object"}}},
        "port": {"x-kubernetes-int-or-string": True},
    },
}
CRD = {"type": "object", "properties": {"metadata": {"type": "object"}, "spec": SPEC}}
DEFAULTS = {"d": "dd", "n": "nn", "o": {"x": 3}}


# -- pruning ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "kept", "dropped"),
    [
        ({"s": "x"}, {"s": "x"}, []),
        ({"b": 1, "a": {"c": 1}}, {}, ["spec.a", "spec.b"]),
        ({"s": {"a": 1}}, {"s": {}}, ["spec.s.a"]),
        ({"o": {"x": 1, "u": None}}, {"o": {"x": 1}}, ["spec.o.u"]),
        ({"l": [{"a": "x"}, {"b": "y", "c": 1}]}, {"l": [{"a": "x"}, {"b": "y"}]}, ["spec.l[1].c"]),
        ({"ls": ["a", {"b": 1}, [{"c": 1}]]}, {"ls": ["a", {}, [{}]]}, ["spec.ls[1].b", "spec.ls[2][0].c"]),
        ({"mo": {"a.b/c": {"q": "x", "r": 1}}}, {"mo": {"a.b/c": {"q": "x"}}}, ["spec.mo.a.b/c.r"]),
        ({"p": {"u": None, "k": {"u": 1}, "v": {"a": [{"b": 1}]}}},
         {"p": {"u": None, "k": {}, "v": {"a": [{"b": 1}]}}}, ["spec.p.k.u"]),
        ({"pp": {"a": [{"b": 1}]}}, {"pp": {"a": [{"b": 1}]}}, []),
        ({"mt": {"a": 1, "b": {"c": 1}, "d": [{"e": 1}], "f": None}}, {"mt": {"a": 1, "b": {}, "d": [{}], "f": None}},
         ["spec.mt.b.c", "spec.mt.d[0].e"]),
        ({"e": {"apiVersion": "v1", "kind": "Pod", "metadata": {"x": 1}, "u": 1, "spec": {"a": 1}}},
         {"e": {"apiVersion": "v1", "kind": "Pod", "metadata": {"x": 1}, "spec": {}}}, ["spec.e.spec.a", "spec.e.u"]),
        ({"port": {"a": 1}}, {"port": {}}, ["spec.port.a"]),
        ("text", "text", []),
        (None, None, []),
    ],
)  # fmt: skip
def test_unknown_fields_are_dropped(sent, kept, dropped):
    assert compile_pruning(CRD)({"spec": sent}) == ({"spec": kept}, dropped)


def test_the_head_of_an_object_stays_whatever_its_schema_says():
    whole = {"apiVersion": "v1", "kind": "X", "metadata": {"a": {"b": 1}}}
    assert compile_pruning({"type": "object"})(whole) == (whole, [])
    assert compile_pruning(CRD)(whole) == (whole, [])


def test_a_part_of_an_object_has_no_head():
    assert compile_pruning({"type": "object"}, root=False)({"kind": "X"}) == ({}, ["kind"])


def test_lists_that_keep_unknown_fields_prune_what_is_named():
    schema = {PRESERVE: True, "items": {"properties": {"p": {"type": "object"}}}}
    value = {"v": [{"a": {"b": 1}, "p": {"c": 1}}]}
    assert compile_pruning({"properties": {"v": schema}})(value) == ({"v": [{"a": {"b": 1}, "p": {}}]}, ["v[0].p.c"])


# -- defaults -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "filled"),
    [
        ({}, {}),
        ({"s": None}, {}),
        ({"d": None}, {}),
        ({"d": ""}, {"d": ""}),
        ({"n": None}, {"n": None}),
        ({"o": None}, {}),
        ({"o": {"y": None}}, {}),
        ({"o": {"x": None}}, {}),
        ({"o2": {}}, {"o2": {"x": 3}}),
        ({"o2": None}, {}),
        ({"l": [{}, {"b": None, "a": "x"}]}, {"l": [{"a": "A"}, {"a": "x"}]}),
        ({"ls": ["a", None]}, {"ls": ["a", None]}),
        ({"lsn": ["a", None]}, {"lsn": ["a", None]}),
        ({"lsd": ["a", None]}, {"lsd": ["a", "zz"]}),
        ({"m": {"a": None, "b": "x"}}, {"m": {"a": "md", "b": "x"}}),
        ({"mn": {"a": None, "b": "x"}}, {"mn": {"b": "x"}}),
        ({"mo": {"a": {}, "b": None}}, {"mo": {"a": {"q": "Q"}}}),
        ({"mt": {"f": None}}, {"mt": {"f": None}}),
        ({"p": {"u": None, "k": {}, "v": {"a": None}}}, {"p": {"u": None, "k": {"z": "Z"}, "v": {"a": None}}}),
        ({"pp": None}, {}),
        ({"pp": {"a": None, "b": [None]}}, {"pp": {"a": None, "b": [None]}}),
    ],
)
def test_defaults_are_filled_in(sent, filled):
    assert compile_defaulting(CRD)({"spec": sent}) == {"spec": {**DEFAULTS, **filled}}


@pytest.mark.parametrize("value", [{}, {"spec": "text"}, {"spec": []}, {"spec": 1}])
def test_what_is_no_object_gets_no_defaults(value):
    assert compile_defaulting(CRD)(value) is value


def test_a_null_without_a_default_is_dropped():
    assert compile_defaulting(CRD)({"spec": None}) == {}


def test_the_objects_that_were_filled_share_nothing_with_the_schema():
    schema = {"properties": {"a": {"type": "object", "default": {"b": [1]}, PRESERVE: True}}}
    default = compile_defaulting(schema)
    default({})["a"]["b"].append(2)
    assert default({}) == {"a": {"b": [1]}}
    assert schema["properties"]["a"]["default"] == {"b": [1]}


def test_schemas_may_be_deep():
    schema: dict[str, Any] = {"type": "string"}
    value: object = 5
    for _ in range(300):
        schema, value = {"type": "object", "properties": {"p": schema}}, {"p": value}
    assert compile_pruning(schema)(value) == (value, [])
    assert compile_defaulting(schema)(value) is value


# -- both, against the server's algorithms ------------------------------------------------------------

KEYS = st.sampled_from(["a", "b", "kind", "metadata"])


def _values(*scalars: object) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.sampled_from(scalars),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
        max_leaves=10,
    )


VALUES = _values(None, True, 0, "x")
# A null inside a default fits no schema that forbids it, so that a server would refuse the CRD.
FITTING_DEFAULTS = _values(True, 0, "x")


def _schemas(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(KEYS, inner, max_size=3),
            "additionalProperties": st.one_of(inner, st.booleans()),
            "items": inner,
            "nullable": st.booleans(),
            "default": FITTING_DEFAULTS,
            PRESERVE: st.just(True),
            EMBEDDED: st.booleans(),
        },
    )


SCHEMAS = st.recursive(_schemas(st.just({})), _schemas, max_leaves=5)


class _Server:
    """The server's algorithms (apiextensions-apiserver), written down again as plainly as they stand, in place."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def prune(self, value: Any, schema: dict[str, Any] | None, path: str) -> None:
        if schema is not None and schema.get(PRESERVE):
            self.skip(value, schema, path)
        elif isinstance(value, dict):
            for key in list(value):
                if schema is not None and _is_head(schema, key):
                    continue
                if schema is not None and key in schema.get("properties", {}):
                    self.prune(value[key], schema["properties"][key], f"{path}.{key}")
                elif schema is not None and "additionalProperties" in schema:
                    self.prune(value[key], _additional(schema), f"{path}.{key}")
                else:
                    self.found.append(f"{path}.{key}")
                    del value[key]
        elif isinstance(value, list):
            for place, item in enumerate(value):
                self.prune(item, None if schema is None else schema.get("items"), f"{path}[{place}]")

    def skip(self, value: Any, schema: dict[str, Any] | None, path: str) -> None:
        if schema is None:
            return
        if isinstance(value, dict):
            for key, item in value.items():
                if _is_head(schema, key):
                    continue
                if key in schema.get("properties", {}):
                    self.prune(item, schema["properties"][key], f"{path}.{key}")
                elif "additionalProperties" in schema:
                    self.prune(item, _additional(schema), f"{path}.{key}")
        elif isinstance(value, list):
            for place, item in enumerate(value):
                self.skip(item, schema.get("items"), f"{path}[{place}]")

    def drop_nulls(self, value: Any, schema: dict[str, Any] | None) -> None:
        if isinstance(value, dict):
            for key in list(value):
                sub = _schema_of(schema, key)
                if _is_forbidden_null(value[key], sub) and sub is not None and sub.get("default") is None:
                    del value[key]
                else:
                    self.drop_nulls(value[key], sub)
        elif isinstance(value, list):
            for item in value:
                self.drop_nulls(item, None if schema is None else schema.get("items"))

    def default(self, value: Any, schema: dict[str, Any] | None) -> None:
        if schema is None:
            return
        if isinstance(value, dict):
            for key, sub in schema.get("properties", {}).items():
                missing = key not in value or _is_forbidden_null(value[key], sub)
                if missing and sub.get("default") is not None:
                    value[key] = copy.deepcopy(sub["default"])
            for key in value:
                sub = _schema_of(schema, key)
                if (
                    sub is not None
                    and key not in schema.get("properties", {})
                    and _is_forbidden_null(value[key], sub)
                ):
                    value[key] = copy.deepcopy(sub.get("default"))
                self.default(value[key], sub)
        elif isinstance(value, list):
            items = schema.get("items")
            for place, item in enumerate(value):
                if items is not None and _is_forbidden_null(item, items):
                    value[place] = copy.deepcopy(items.get("default"))
                self.default(value[place], items)


def _is_head(schema: dict[str, Any], key: str) -> bool:
    return bool(schema.get(EMBEDDED)) and key in ("apiVersion", "kind", "metadata")


def _additional(schema: dict[str, Any]) -> dict[str, Any] | None:
    found = schema["additionalProperties"]
    return found if isinstance(found, dict) else None


def _schema_of(schema: dict[str, Any] | None, key: str) -> dict[str, Any] | None:
    if schema is None:
        return None
    if key in schema.get("properties", {}):
        return dict(schema["properties"][key])
    return _additional(schema) if "additionalProperties" in schema else None


def _is_forbidden_null(value: Any, schema: dict[str, Any] | None) -> bool:
    return value is None and schema is not None and not schema.get("nullable")


@given(SCHEMAS, VALUES)
@settings(max_examples=500, deadline=None)
def test_pruning_agrees_with_the_servers_algorithm(schema, value):
    before = msgspec.json.encode([schema, value])
    kept, dropped = compile_pruning(schema)(value)
    assert msgspec.json.encode([schema, value]) == before
    server, expected = _Server(), copy.deepcopy(value)
    server.prune(expected, {**schema, EMBEDDED: True}, "")
    assert kept == expected
    assert dropped == sorted(path.removeprefix(".") for path in server.found)
    if not dropped:
        assert kept is value


@given(SCHEMAS, VALUES)
@settings(max_examples=500, deadline=None)
def test_defaulting_agrees_with_the_servers_algorithm(schema, value):
    before = msgspec.json.encode([schema, value])
    filled = compile_defaulting(schema)(value)
    assert msgspec.json.encode([schema, value]) == before
    server, expected = _Server(), copy.deepcopy(value)
    server.drop_nulls(expected, schema)
    server.default(expected, schema)
    assert filled == expected
    if filled == value:
        assert filled is value

"""Structural schemas: what they say of values, table by table, and what a server would prune."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.core.schema import compile_schema, unknown_fields
from zenctl.core.strforms import compile_pattern, format_test

CRD = {
    "type": "object",
    "required": ["spec", "metadata"],
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "required": ["source", "severity"],
            "properties": {
                "source": {"type": "string", "minLength": 1},
                "severity": {"type": "string", "enum": ["HIGH", "LOW"]},
                "priority": {"type": "integer", "minimum": 0, "maximum": 10},
                "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
                "details": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "port": {"x-kubernetes-int-or-string": True},
            },
        },
    },
}


def spec(**fields: object) -> dict[str, object]:
    return {"metadata": {"name": "x"}, "spec": {"source": "trivy", "severity": "HIGH", **fields}}


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        (spec(), []),
        (spec(priority=3, tags=["a"], details={"a": {"b": 1}}, port="http"), []),
        (spec(priority=3.0), []),
        (spec(unknown=1), []),
        ({"spec": {}}, ["spec.source: is required", "spec.severity: is required"]),
        ({}, ["spec: is required"]),
        ([], ["object: must be an object, not an array"]),
        (None, ["object: must be an object, not null"]),
        (spec(source=""), ["spec.source: must have at least 1 characters, not 0"]),
        (spec(source=7), ["spec.source: must be a string, not an integer"]),
        (spec(severity="high"), ["spec.severity: must be one of HIGH, LOW"]),
        (spec(priority=True), ["spec.priority: must be an integer, not a boolean"]),
        (spec(priority=1.5), ["spec.priority: must be an integer, not a fraction"]),
        (spec(priority=-1), ["spec.priority: must be at least 0"]),
        (spec(priority=11), ["spec.priority: must be at most 10"]),
        (spec(tags=["a", 1, None]), [
            "spec.tags: must have at most 2 items, not 3",
            "spec.tags[1]: must be a string, not an integer",
            "spec.tags[2]: must be a string, not null",
        ]),
        (spec(port=8080), []),
        (spec(port=True), ["spec.port: must be an integer or a string, not a boolean"]),
        (spec(priority=None, tags=None, details=None), []),
        (spec(source=None), ["spec.source: is required"]),
        ({"metadata": 5, "apiVersion": 5, "kind": [], "spec": spec()["spec"]}, []),
    ],
)  # fmt: skip
def test_a_custom_resource(value, problems):
    assert compile_schema(CRD)(value) == problems


def of(schema: dict[str, Any], value: object) -> list[str]:
    """Validate a value at ``v`` in an object."""
    return compile_schema({"type": "object", "properties": {"v": schema}})({"v": value})


GOOD: list[tuple[dict[str, Any], object]] = [
    ({"type": "string", "nullable": True}, None),
    ({"type": "string", "nullable": True, "enum": ["a"]}, None),
    ({"type": "number"}, 1),
    ({"type": "number"}, 1.5),
    ({"type": "boolean"}, False),
    ({"type": "integer", "format": "int32"}, 2**40),
    ({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, 4),
    ({"type": "number", "maximum": 3, "exclusiveMaximum": True}, 2.9),
    ({"type": "number", "multipleOf": 0.1}, 0.3),
    ({"type": "integer", "multipleOf": 3}, 9),
    ({"type": "number", "multipleOf": 0.5}, 10**400),
    ({"type": "string", "pattern": "b"}, "abc"),
    ({"type": "string", "pattern": "^a$"}, "a"),
    ({"type": "string", "pattern": r"\p{Lu}"}, "x"),
    ({"type": "string", "maxLength": 1}, "😀"),
    ({"type": "string", "format": "date-time"}, "2026-11-23T02:00:00.5+02:00"),
    ({"type": "string", "format": "made-up"}, "x"),
    ({"enum": [1, "a", [1, {"b": None}]]}, [1.0, {"b": None}]),
    ({"type": "array", "uniqueItems": True}, [1, True, "1", [1], {"a": 1}]),
    ({"type": "array", "x-kubernetes-list-type": "set"}, ["a", "b"]),
    ({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
     [{"type": "a", "x": 1}, {"type": "b", "x": 1}]),
    ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1, "b": None}),
    ({"type": "object", "additionalProperties": False, "properties": {"a": {"type": "string"}}}, {"a": ""}),
    ({"type": "object", "minProperties": 1}, {"a": 1}),
    ({"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "default": "x"}}}, {}),
    ({"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "nullable": True}}}, {"a": None}),
    ({"type": "object", "required": ["a"]}, {"a": None}),
    ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, 2),
    ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"b": 1}),
    ({"oneOf": [{"minimum": 5}, {"maximum": 3}]}, 1),
    ({"not": {"enum": ["x"]}}, "y"),
    ({"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}, "50%"),
    ({"x-kubernetes-preserve-unknown-fields": True}, {"anything": [None]}),
    ({"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
     {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 5}, "spec": {}}),
    ({"type": "no such type"}, {}),
    ({"type": 5, "properties": 5, "items": 5, "enum": 5, "required": 5, "pattern": 5, "maxLength": "x"}, "a"),
    ({"properties": {"a": 5}, "allOf": [5], "required": [5, None]}, {"a": 1}),
]  # fmt: skip

BAD: list[tuple[dict[str, Any], object, str]] = [
    ({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, 3, "v: must be greater than 3"),
    ({"type": "number", "maximum": 3, "exclusiveMaximum": True}, 3, "v: must be less than 3"),
    ({"type": "integer", "multipleOf": 3}, 10, "v: must be a multiple of 3"),
    ({"type": "number", "multipleOf": 0.1}, 0.35, "v: must be a multiple of 0.1"),
    ({"type": "string", "pattern": "^a$"}, "a\n", "v: must match '^a$'"),
    ({"type": "string", "maxLength": 1}, "ab", "v: must have at most 1 characters, not 2"),
    ({"type": "string", "format": "date-time"}, "2026-11-23", "v: must be a date-time"),
    ({"enum": [1]}, True, "v: must be one of 1"),
    ({"type": "array", "uniqueItems": True}, [1, 2, 1.0], "v[2]: is a duplicate"),
    ({"type": "array", "x-kubernetes-list-type": "set"}, [{"a": 1, "b": 2}, {"b": 2, "a": 1}],
     "v[1]: is a duplicate"),
    ({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
     [{"type": "a"}, {"type": "a", "x": 1}], "v[1]: is a duplicate"),
    ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a.b/c": "x"},
     "v[a.b/c]: must be an integer, not a string"),
    ({"type": "object", "additionalProperties": False, "properties": {"a": {}}}, {"b": 1}, "v.b: is not allowed"),
    ({"type": "object", "minProperties": 1}, {}, "v: must have at least 1 properties, not 0"),
    ({"type": "object", "required": ["a"]}, {}, "v.a: is required"),
    ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, 4, "v: must be at most 3"),
    ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {}, "v: must fit one of 2 alternatives"),
    ({"oneOf": [{"minimum": 1}, {"maximum": 3}]}, 2, "v: must fit exactly one of 2 alternatives, not 2"),
    ({"not": {"enum": ["x"]}}, "x", "v: must not fit the excluded schema"),
    ({"type": "object", "x-kubernetes-embedded-resource": True}, {"apiVersion": "v1", "kind": ""},
     "v.kind: is required"),
    ({"type": "array", "items": {"type": "object", "properties": {"n": {"type": "string"}}}}, [{"n": 1}],
     "v[0].n: must be a string, not an integer"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "value"), GOOD)
def test_what_fits(schema, value):
    assert of(schema, value) == []


@pytest.mark.parametrize(("schema", "value", "problem"), BAD)
def test_what_does_not_fit(schema, value, problem):
    assert of(schema, value) == [problem]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", ["2026-11-23T02:00:00Z", "2026-11-23t02:00:00.123-09:30"],
         ["2026-11-23T02:00:00", "2026-02-30T02:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23 02:00:00Z", ""]),
        ("date", ["2026-11-23"], ["2026-11-31", "20261123", "2026-W01-1"]),
        ("byte", ["YQ==", "YWI=", "YWJj"], ["", "Y", "YQ=", "a-b_"]),
        ("uuid", ["1f0c44aa-0b1c-4d2e-8f3a-445566778899", "1F0C44AA0B1C4D2E8F3A445566778899"], ["x", ""]),
        ("ipv4", ["10.0.0.1"], ["10.0.0", "256.0.0.1", "::1", "010.0.0.1"]),
        ("ipv6", ["::1", "fe80::1"], ["10.0.0.1", "fe80::1%eth0", ":::"]),
        ("cidr", ["10.0.0.1/8", "::/0"], ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "10.0.0.0/08"]),
    ],
)  # fmt: skip
def test_formats(name, good, bad):
    test = format_test(name)
    assert test is not None
    assert [text for text in good if not test(text)] == []
    assert [text for text in bad if test(text)] == []


@pytest.mark.parametrize("name", ["int32", "email", "hostname", "uri", "password", ""])
def test_formats_that_are_not_judged(name):
    assert format_test(name) is None


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", ["a.b-c", "x"], ["-a", "A", "a\n"]),
        (r"[$]", ["a$"], ["a"]),
        (r"\$$", ["a$"], ["a", "$a"]),
        (r"^[[a]$", ["[", "a"], ["b"]),
        (r"^[]a]$", ["]", "a"], ["b", "[]a]"]),
        (r"^[^]a]$", ["b"], ["]", "a"]),
        (r"^[a[]$", ["a", "["], ["]", "b"]),
        (r"^[a&&b||~~]+$", ["a&|~b"], ["c"]),
        (r"^\d+\z", ["12"], ["\u0661", "12\n"]),
        (r"^[\]$]+$", ["$]"], ["x"]),
        (r"^(|a)$", ["", "a"], ["b"]),
        (r"(?i)^abc$", ["ABC"], ["x"]),
        (r"^(?P<n>a){2}$", ["aa"], ["a"]),
    ],
)
def test_patterns(pattern, good, bad):
    test = compile_pattern(pattern)
    assert test is not None
    assert [text for text in good if not test(text)] == []
    assert [text for text in bad if test(text)] == []


@pytest.mark.parametrize(
    "pattern",
    [r"\p{L}", "[[:alpha:]]", "(?m)^a$", "(", "a{,3}", r"\Qa\E", "(?=a)", "(?U)a", "a**", r"(a)\1", "[a--b]", "a\\"],
)
def test_patterns_that_are_not_judged(pattern):
    assert compile_pattern(pattern) is None
    assert of({"type": "string", "pattern": pattern}, "anything") == []


@pytest.mark.filterwarnings("error")
@given(st.text(alphabet="a[]^$-&|~\\d(){},+*?:z", max_size=12), st.text(max_size=5))
def test_no_pattern_fails_or_warns(pattern, text):
    test = compile_pattern(pattern)
    if test is not None:
        test(text)


def test_schemas_may_be_deep():
    schema: dict[str, Any] = {"type": "string"}
    value: object = 5
    for _ in range(300):
        schema, value = {"type": "object", "properties": {"p": schema}}, {"p": value}
    assert compile_schema(schema)(value) == []
    assert unknown_fields(schema)(value) == []


# -- pruning ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "pruned"),
    [
        (spec(), []),
        ({**spec(more=1), "extra": {}, "metadata": {"x": {"y": 1}}}, ["spec.more", "extra"]),
        (spec(details={"a": {"b": [{"c": 1}]}}), []),
        (spec(tags=[{"a": 1}]), ["spec.tags[0].a"]),
        (spec(source={"a": 1}), ["spec.source.a"]),
        ("scalar", []),
    ],
)
def test_what_a_server_prunes(value, pruned):
    assert sorted(unknown_fields(CRD)(value)) == sorted(pruned)


@pytest.mark.parametrize(
    ("schema", "value", "pruned"),
    [
        ({"type": "object"}, {"a": 1}, ["v.a"]),
        ({"type": "object", "additionalProperties": {"type": "object"}}, {"a": {"b": 1}}, ["v[a].b"]),
        ({"type": "object", "additionalProperties": True}, {"a": 1, "b": {"c": 1}}, ["v[b].c"]),
        ({"x-kubernetes-preserve-unknown-fields": True, "properties": {"p": {"type": "object"}}},
         {"a": {"b": 1}, "p": {"c": 1}}, ["v.p.c"]),
        ({"x-kubernetes-preserve-unknown-fields": True, "items": {"properties": {"p": {"type": "object"}}}},
         [{"a": {"b": 1}, "p": {"c": 1}}], ["v[0].p.c"]),
        ({"type": "array"}, [[{"a": 1}]], ["v[0][0].a"]),
        ({"type": "object", "x-kubernetes-embedded-resource": True},
         {"apiVersion": "v1", "kind": "Pod", "metadata": {"a": 1}, "spec": 1}, ["v.spec"]),
    ],
)  # fmt: skip
def test_the_odd_rules_of_pruning(schema, value, pruned):
    assert unknown_fields({"type": "object", "properties": {"v": schema}})({"v": value}) == pruned


KEYS = st.sampled_from(["a", "b", "kind", "metadata"])
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(-2, 2), st.sampled_from(["", "a", "abc"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
PRESERVE = "x-kubernetes-preserve-unknown-fields"


def _schemas(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean"]),
            "properties": st.dictionaries(KEYS, inner, max_size=3),
            "additionalProperties": st.one_of(inner, st.booleans()),
            "items": inner,
            "required": st.lists(KEYS, max_size=2),
            "nullable": st.booleans(),
            "enum": st.lists(VALUES, max_size=2),
            "minimum": st.integers(-2, 2),
            "maxLength": st.integers(0, 2),
            "minItems": st.integers(0, 2),
            "maxProperties": st.integers(0, 2),
            "uniqueItems": st.booleans(),
            "pattern": st.sampled_from(["a", "^a$", "("]),
            "format": st.sampled_from(["date-time", "byte", "int32"]),
            "allOf": st.lists(inner, max_size=2),
            "anyOf": st.lists(inner, max_size=2),
            "oneOf": st.lists(inner, max_size=2),
            "not": inner,
            PRESERVE: st.booleans(),
            "x-kubernetes-int-or-string": st.booleans(),
            "x-kubernetes-embedded-resource": st.booleans(),
            "x-kubernetes-list-type": st.sampled_from(["set", "map", "atomic"]),
        },
    )


SCHEMAS = st.recursive(_schemas(st.just({})), _schemas, max_leaves=4)


@given(SCHEMAS, VALUES)
@settings(max_examples=300, deadline=None)
def test_every_schema_judges_every_value(schema, value):
    for problem in compile_schema(schema)(value):
        path, _, reason = problem.partition(": ")
        assert path
        assert reason


@given(SCHEMAS, VALUES)
@settings(max_examples=300, deadline=None)
def test_not_is_the_opposite(schema, value):
    if value is not None:
        assert bool(of(schema, value)) != bool(of({"not": schema}, value))


class _Pruner:
    """The server's algorithm (apiextensions-apiserver, pruning), written down again as plainly as it stands."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def prune(self, value: Any, schema: dict[str, Any] | None, path: str) -> None:
        if schema is not None and schema.get(PRESERVE):
            self.skip(value, schema, path)
        elif isinstance(value, dict):
            for key, item in value.items():
                if schema is None:
                    self.found.append(f"{path}.{key}")
                elif schema.get("x-kubernetes-embedded-resource") and key in ("apiVersion", "kind", "metadata"):
                    continue
                elif key in schema.get("properties", {}):
                    self.prune(item, schema["properties"][key], f"{path}.{key}")
                elif "additionalProperties" in schema:
                    self.prune(item, self.additional(schema), f"{path}[{key}]")
                else:
                    self.found.append(f"{path}.{key}")
        elif isinstance(value, list):
            for place, item in enumerate(value):
                self.prune(item, None if schema is None else schema.get("items"), f"{path}[{place}]")

    def skip(self, value: Any, schema: dict[str, Any] | None, path: str) -> None:
        if schema is None:
            return
        if isinstance(value, dict):
            for key, item in value.items():
                if schema.get("x-kubernetes-embedded-resource") and key in ("apiVersion", "kind", "metadata"):
                    continue
                if key in schema.get("properties", {}):
                    self.prune(item, schema["properties"][key], f"{path}.{key}")
                elif "additionalProperties" in schema:
                    self.prune(item, self.additional(schema), f"{path}[{key}]")
        elif isinstance(value, list):
            for place, item in enumerate(value):
                self.skip(item, schema.get("items"), f"{path}[{place}]")

    @staticmethod
    def additional(schema: dict[str, Any]) -> dict[str, Any] | None:
        found = schema["additionalProperties"]
        return found if isinstance(found, dict) else None


@given(SCHEMAS, VALUES)
@settings(max_examples=500, deadline=None)
def test_pruning_agrees_with_the_servers_algorithm(schema, value):
    oracle = _Pruner()
    oracle.prune(value, {**schema, "x-kubernetes-embedded-resource": True}, "")
    assert unknown_fields(schema)(value) == [path.removeprefix(".") for path in oracle.found]

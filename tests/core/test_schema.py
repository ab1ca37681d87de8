"""Structural schemas: what they say of values, table by table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.core.schema import compile_schema, compile_validation
from zenctl.core.strforms import compile_pattern, format_test
from zenctl.core.violation import Entry, Violation, described

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
            "spec.tags[1]: must be a string, not an integer",
            "spec.tags[2]: must be a string, not null",
            "spec.tags: must have at most 2 items, not 3",
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
    ({"type": "number"}, 1),
    ({"type": "number"}, 1.5),
    ({"type": "boolean"}, False),
    ({"type": "integer", "format": "int32"}, 2**40),
    ({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, 4),
    ({"type": "number", "maximum": 3, "exclusiveMaximum": True}, 2.9),
    ({"type": "number", "multipleOf": 0.1}, 0.3),
    ({"type": "number", "minimum": 0.5}, 0),
    ({"type": "number"}, 2**63),
    ({"type": "string", "format": "date-time"}, ["2026-11-23"]),
    ({"enum": []}, 1),
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
    ({"type": "string", "format": "date-time"}, 5, "v: must be a date-time, not an integer"),
    ({"type": "integer"}, 2**63, "v: must be an integer, and fit in 64 bits"),
    ({"type": "integer"}, 1e20, "v: must be an integer, not a fraction"),
    ({"type": "number", "minimum": 1.5}, 0, "v: must be at least 1"),
    ({"type": "number", "minimum": 1.5}, 1.25, "v: must be at least 1.5"),
    ({"enum": [1]}, True, "v: must be one of 1"),
    ({"type": "string", "nullable": True, "enum": ["a", None]}, None, "v: must be one of a, None"),
    ({"type": "string", "minLength": 2, "pattern": "b"}, "a", "v: must have at least 2 characters, not 1"),
    ({"type": "object", "minProperties": 1, "required": ["a"]}, {},
     "v: must have at least 1 properties, not 0"),
    ({"type": "array", "uniqueItems": True}, [1, 2, 1.0], "v[2]: is a duplicate"),
    ({"type": "array", "x-kubernetes-list-type": "set"}, [{"a": 1, "b": 2}, {"b": 2, "a": 1}],
     "v[1]: is a duplicate"),
    ({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
     [{"type": "a"}, {"type": "a", "x": 1}], "v[1]: is a duplicate"),
    ({"type": "array", "x-kubernetes-list-type": "set"}, ["a", "a", "a"], "v[1]: is a duplicate"),
    ({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
     [{}, "x"], "v[1]: must be an object, to have the keys of the list"),
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


def test_a_part_of_an_object_is_judged_by_itself():
    schema = {"type": "object", "required": ["kind"], "properties": {"a": {"type": "string"}}}
    check = compile_validation(schema, root=False)
    assert check({"kind": "x", "a": "b"}) == []
    assert described(check({"a": 5})) == ["a: must be a string, not an integer", "kind: is required"]


def test_a_violation_says_what_where_and_how_much():
    schema = {"type": "object", "additionalProperties": {"items": {"maxLength": 1}}}
    assert compile_validation(schema, root=False)({"k": ["a", "bc"]}) == [
        Violation("maxLength", "bc", 1, (Entry("k"), 1)),
    ]


def test_a_value_of_a_wrong_type_breaks_other_rules_too():
    assert of({"type": "string", "enum": ["5"]}, 5) == ["v: must be a string, not an integer", "v: must be one of 5"]


def test_where_the_servers_work_is_done_neither_nulls_nor_defaults_are_excused():
    schema = {"required": ["a", "b"], "properties": {"a": {"type": "string"}, "b": {"default": 1}}}
    assert compile_schema(schema)({"a": "x", "c": None}) == []
    filled = compile_validation(schema, filled=True)
    assert described(filled({"a": None})) == ["a: must be a string, not null", "b: is required"]


def test_of_metadata_only_the_fields_that_a_schema_names_are_looked_at():
    schema = {"properties": {"metadata": {"type": "object", "properties": {"name": {"maxLength": 1}}}}}
    assert compile_schema(schema)({"metadata": {"name": "ab", "labels": 5}}) == [
        "metadata.name: must have at most 1 characters, not 2"
    ]


@pytest.mark.parametrize(
    ("value", "nearest"),
    [({}, "a"), ({"b": {}}, "b"), ({"a": {}, "b": {}}, "a"), ({"a": {}, "b": {"y": 1}}, "b")],
)
def test_of_alternatives_the_one_counts_that_knows_most_of_the_value(value, nearest):
    def alternative(name: str, field: str) -> dict[str, Any]:
        sub = {"properties": {field: {"minimum": 5}}, "required": [field]}
        return {"properties": {name: sub}, "required": [name]}

    schema = {"anyOf": [alternative("a", "x"), alternative("b", "y")]}
    (violation,) = compile_validation(schema, root=False)(value)
    assert (violation.rule, violation.bound) == ("anyOf", (0, 2))
    assert {inner.path[0] for inner in violation.beneath} == {nearest}


def test_schemas_may_be_deep():
    schema: dict[str, Any] = {"type": "string"}
    value: object = 5
    for _ in range(300):
        schema, value = {"type": "object", "properties": {"p": schema}}, {"p": value}
    assert compile_schema(schema)(value) == []


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

"""What a custom resource violates, in the server's words.

``recorded_violations.jsonl`` holds schemas of a field ``spec.v``, values, and the causes that kube-apiserver v1.20.2
gave; none means that it accepted. What newer releases say in other words is in the tables below.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.test_schema import SCHEMAS, VALUES
from zenctl.core.schema import compile_validation
from zenctl.core.violation import Entry, Violation
from zenctl.sandbox.apiserver.errors import Cause
from zenctl.sandbox.apiserver.violations import built_in_causes, causes, go_number

RECORDED = [
    msgspec.json.decode(line)
    for line in Path(__file__).with_name("recorded_violations.jsonl").read_bytes().splitlines()
]
EMBEDDED = {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}
STRING = {"type": "string"}
WRONG_TYPE = {"FieldValueTypeInvalid": "FieldValueInvalid"}
"""A reason that the recorded release did not have yet, and what it said instead."""


def judged(schema: dict[str, Any], value: object) -> list[tuple[str, str, str]]:
    """Return field, reason and message of what is said of ``spec.v``."""
    spec = {"type": "object", "properties": {"v": schema}}
    check = compile_validation({"type": "object", "properties": {"spec": spec}}, filled=True)
    return [(cause.field, cause.reason, cause.message) for cause in causes(check({"spec": {"v": value}}))]


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: f"{case['schema']} {case['value']}"[:80])
def test_causes_are_those_of_a_real_server(case):
    said = [(field, WRONG_TYPE.get(reason, reason), message) for field, reason, message in
            judged(case["schema"], case["value"])]  # fmt: skip

    assert said == [(cause["field"], cause["reason"], cause["message"]) for cause in case["causes"]]


@pytest.mark.parametrize(
    ("schema", "value", "field", "reason", "message"),
    [
        (STRING, 5, "spec.v", "FieldValueTypeInvalid",
         'Invalid value: "integer": spec.v in body must be of type string: "integer"'),
        ({**STRING, "format": "date"}, "x", "spec.v", "FieldValueTypeInvalid",
         'Invalid value: "x": spec.v in body must be of type date: "x"'),
        ({**STRING, "maxLength": 5}, "abcdef", "spec.v", "FieldValueTooLong",
         "Too long: may not be more than 5 bytes"),
        ({"type": "array", "maxItems": 1}, ["a", "b"], "spec.v", "FieldValueTooMany",
         "Too many: 2: must have at most 1 items"),
        ({"type": "object", "maxProperties": 1}, {"a": 1, "b": 2}, "spec.v", "FieldValueTooMany",
         "Too many: 2: must have at most 1 items"),
        ({"type": "object", "minProperties": 1}, {}, "spec.v", "FieldValueInvalid",
         "Invalid value: 0: spec.v in body should have at least 1 properties"),
        ({"type": "array", "items": STRING}, ["a", None], "spec.v[1]", "FieldValueTypeInvalid",
         'Invalid value: "null": spec.v[1] in body must be of type string: "null"'),
        ({"type": "array", "items": {"required": ["a"]}}, [{}], "spec.v[0].a", "FieldValueRequired",
         "Required value"),
        ({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k", "l"]},
         [{"k": 1}, {"k": 1, "m": 2}], "spec.v[1]", "FieldValueDuplicate", 'Duplicate value: {"k":1}'),
        ({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}, [{}, "x"],
         "spec.v[1]", "FieldValueInvalid", 'Invalid value: "x": must be an object for an array of list-type map'),
    ],
)  # fmt: skip
def test_newer_releases_say_it_in_other_words(schema, value, field, reason, message):
    assert judged(schema, value) == [(field, reason, message)]


def test_schema_embedded_resources_and_keys_of_lists_come_in_this_order():
    schema = {
        "type": "object",
        "properties": {
            "t": {"type": "array", "x-kubernetes-list-type": "set"},
            "e": {"type": "object", "additionalProperties": EMBEDDED},
            "s": {"type": "object", "additionalProperties": STRING},
        },
    }
    said = judged(schema, {"t": ["a", "a"], "e": {"k": {"kind": "X", "apiVersion": ""}}, "s": {"k": 5}})

    assert [(field, reason) for field, reason, _ in said] == [
        ("spec.v.s.k", "FieldValueTypeInvalid"),
        ("spec.v.e[k].apiVersion", "FieldValueInvalid"),
        ("spec.v.t[1]", "FieldValueDuplicate"),
    ]


def test_a_name_in_metadata_can_be_restricted():
    schema = {"properties": {"metadata": {"type": "object", "properties": {"name": {"pattern": "^a"}}}}}
    (cause,) = causes(compile_validation(schema)({"metadata": {"name": "b"}}))
    assert cause == Cause("Invalid value: \"b\": metadata.name in body should match '^a'", "metadata.name")


def test_a_part_of_something_is_named_from_where_it_begins():
    check = compile_validation(
        {"type": "object", "properties": {"a": STRING}, "not": {"required": ["a"]}}, root=False
    )
    assert [(cause.field, cause.message) for cause in causes(check({"a": 5}), "x.default")] == [
        ("x.default", 'Invalid value: "": "" must not validate the schema (not)'),
        ("x.default.a", 'Invalid value: "integer": a in body must be of type string: "integer"'),
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1000000, "1000000"), (1000000.0, "1e+06"), (123456.5, "123456.5"), (1234567.5, "1.2345675e+06"),
        (-0.0001, "-0.0001"), (0.00001, "1e-05"), (-1.5e-7, "-1.5e-07"), (1e21, "1e+21"), (1e100, "1e+100"),
        (0.0, "0"), (-3, "-3"), (100.0, "100"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_go_writes_them(number, text):
    assert go_number(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_number_loses_anything(number):
    assert float(go_number(number)) == number


@given(SCHEMAS, VALUES)
@settings(max_examples=300, deadline=None)
def test_there_are_words_for_every_violation(schema, value):
    broken = compile_validation(schema, root=False)(value)
    said = causes(broken, "v")

    assert bool(said) == bool(broken)
    assert all(cause.field.startswith("v") for cause in said)


@pytest.mark.parametrize(
    ("violation", "fields"),
    [
        (Violation("required", None, None, ("spec", "containers")), ["spec.containers"]),
        (Violation("required", None, None, ("spec", "limits", Entry("a.b"), "c")), ["spec.limits.a.b.c"]),
        (Violation("required", None, None, ("status", "conditions", 0, "type")), []),
        (Violation("required", None, None, ("metadata", "ownerReferences", 0, "uid")), []),
        (Violation("uniqueItems", {"port": 80}, None, ("spec", "ports", 1)), ["spec.ports[1]"]),
        (Violation("uniqueItems", {"containerPort": 80}, None, ("spec", "containers", 0, "ports", 1)), []),
        (Violation("format", "x", "date-time", ("spec", "renewTime")), []),
    ],
)
def test_of_built_in_kinds_a_server_knows_no_schema(violation, fields):
    assert [cause.field for cause in built_in_causes([violation])] == fields

"""Schemas of CRDs: what this server says where a real one says it otherwise, or would go on to check objects.

What both say alike is recorded; see test_crds.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.core.schemawords import INT_OR_STRING, PRESERVE
from zenctl.sandbox.apiserver.crdtypes import JsonSchema
from zenctl.sandbox.apiserver.schemaforms import MAP_TYPE
from zenctl.sandbox.apiserver.structural import schema_causes

STRING = {"type": "string"}
SPEC = ".properties[spec]"


def fields(**properties: object) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def said(schema: dict[str, Any], *, status: bool = False) -> list[str]:
    """Return what is said of a schema, with paths in it."""
    causes = schema_causes(msgspec.convert(schema, JsonSchema), "", status=status)
    return [f"{cause.field}: {cause.message}" for cause in causes]


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "integer", "default": "x"},
         '.default: Invalid value: "string":  in body must be of type integer: "string"'),
        ({"type": "integer", "minimum": 5, "default": 1},
         ".default: Invalid value: 1:  in body should be greater than or equal to 5"),
        ({**STRING, "enum": ["a", "b"], "default": "c"},
         '.default: Unsupported value: "c": supported values: "a", "b"'),
        ({"type": "object", "default": {"u": 1}}, '.default: Invalid value: {"u":1}: must not have unknown fields'),
        ({**fields(b=STRING), "required": ["b"], "default": {}}, ".default.b: Required value"),
        ({**fields(b={**STRING, "default": "x"}), "required": ["b"], "default": {}}, ".default.b: Required value"),
        ({**fields(b=STRING), "default": {"b": None}},
         '.default.b: Invalid value: "null": b in body must be of type string: "null"'),
        ({"type": "object", "additionalProperties": STRING, "default": {"k": 5}},
         '.default.k: Invalid value: "integer": .k in body must be of type string: "integer"'),
        ({**fields(b={"type": "object"}), "default": {}, "not": {"maxProperties": 1}},
         '.default: Invalid value: "": "" must not validate the schema (not)'),
    ],
)  # fmt: skip
def test_a_default_fits_as_it_stands(schema, problem):
    assert said(fields(spec=schema)) == [SPEC + problem]


def test_the_root_has_no_default():
    assert said({"type": "object", "default": {}}) == [".default: Forbidden: must not be set at the root"]


@pytest.mark.parametrize(
    "schema", [{"type": "object", PRESERVE: True}, {**fields(spec=STRING), "required": ["spec"], "title": "x"}]
)
def test_what_may_stand_at_the_root_beside_a_status_subresource(schema):
    assert said(schema, status=True) == []


@pytest.mark.parametrize("word", [{"anyOf": [{"required": ["a"]}]}, {"maxProperties": 5}, {MAP_TYPE: "atomic"}])
def test_what_may_not_stand_at_the_root_beside_a_status_subresource(word):
    schema = {**fields(a=STRING), **word}
    (problem,) = said(schema, status=True)
    assert problem.endswith("fields are allowed at the root of the schema if the status subresource is enabled")
    assert said(schema) == []


@pytest.mark.parametrize(
    ("construct", "field"),
    [
        ({"type": "object", PRESERVE: False}, PRESERVE),
        ({"type": "array", "items": [STRING]}, "items"),
        ({"type": "array", "items": STRING, "additionalItems": False}, "additionalItems"),
        ({"type": "object", "$ref": "#/x"}, "$ref"),
        ({"type": "object", "id": "x"}, "id"),
    ],
)
def test_some_constructs_keep_the_structure_from_being_looked_at(construct, field):
    (problem,) = said(fields(spec=construct, untyped={}))
    assert problem.startswith(f"{SPEC}.{field}: ")


# -- what this server could not enforce ---------------------------------------------------------------

UNCHECKED = [
    ({"type": "integer", "x-kubernetes-validations": [{"rule": "self > 1"}]},
     ".x-kubernetes-validations: Forbidden: this server evaluates no CEL rules"),
    ({**STRING, "pattern": r"\p{L}"},
     r'.pattern: Invalid value: "\\p{L}": must be a regular expression that this server can evaluate'),
    ({**STRING, "format": "uri"}, '.format: Invalid value: "uri": this server does not check this format'),
    ({**STRING, "format": "isbn-10"}, '.format: Invalid value: "isbn-10": this server does not check this format'),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "problem"), UNCHECKED)
def test_what_cannot_be_enforced_is_refused(schema, problem):
    assert said(fields(spec=schema)) == [SPEC + problem]
    assert said(fields(spec={"type": "array", "items": schema})) == [f"{SPEC}.items{problem}"]
    assert said(fields(spec={"type": "object", "additionalProperties": schema})) == [
        f"{SPEC}.additionalProperties{problem}"
    ]


def test_a_pattern_may_be_no_regular_expression_at_all():
    (problem,) = said(fields(spec={**STRING, "pattern": "("}))
    assert problem.startswith(SPEC + '.pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: ')


def test_what_cannot_be_enforced_is_found_below_alternatives_too():
    schema = fields(spec={"type": "object", "not": {"format": "uri"}})
    assert said(schema) == [f'{SPEC}.not.format: Invalid value: "uri": this server does not check this format']


@pytest.mark.parametrize("name", ["date-time", "int32", "byte", "password", "of-our-own"])
def test_formats_that_are_checked_or_mean_nothing_to_any_server(name):
    assert said(fields(spec={**STRING, "format": name})) == []


def test_schemas_may_be_so_deep_and_no_deeper():
    schema: dict[str, Any] = STRING
    for _ in range(100):
        schema = fields(a=schema)
    assert said(schema) == []
    assert said(fields(a=schema)) == [": Forbidden: this server follows schemas 100 levels deep, and no deeper"]


# -- in general ---------------------------------------------------------------------------------------

PLAIN = st.recursive(
    st.sampled_from([STRING, {"type": "integer"}, {INT_OR_STRING: True}, {"type": "object", PRESERVE: True}]),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(lambda named: fields(**named)),
        inner.map(lambda items: {"type": "array", "items": items}),
        inner.map(lambda values: {"type": "object", "additionalProperties": values}),
    ),
    max_leaves=8,
)


@given(PLAIN)
@settings(max_examples=100, deadline=None)
def test_plain_schemas_are_accepted_and_untyped_ones_are_not(schema):
    assert said(fields(spec=schema)) == []
    assert said(fields(spec=schema, other={"description": "without a type"})) == [
        ".properties[other].type: Required value: must not be empty for specified object fields"
    ]

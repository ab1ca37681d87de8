"""What a structural schema does to a custom resource: pruning, defaults, validation."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tests.conformance.api import Document
from tests.conformance.expect import causes, refused, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case

INVALID = "FieldValueInvalid"
WRONG_TYPE = frozenset({INVALID, "FieldValueTypeInvalid"})
"""Newer releases have a reason of their own for a wrong type, and for a text of a wrong format."""


class Bad(NamedTuple):
    """A field of spec that is refused. Where releases differ, each form is given."""

    spec: Document
    field: str
    reasons: frozenset[str]
    words: tuple[str, ...]


def wrong_type(spec: Document, field: str, expected: str, found: str) -> Bad:
    words = f'{field}: Invalid value: "{found}": {field} in body must be of type {expected}: "{found}"'
    return Bad(spec, field, WRONG_TYPE, (words,))


def out_of_range(spec: Document, field: str, value: str, words: str) -> Bad:
    return Bad(spec, field, frozenset({INVALID}), (f"{field}: Invalid value: {value}: {field} in body {words}",))


TYPES = [
    wrong_type({"weight": "x"}, "spec.weight", "integer", "string"),
    wrong_type({"weight": 1.5}, "spec.weight", "integer", "number"),
    wrong_type({"ratio": "x"}, "spec.ratio", "number", "string"),
    wrong_type({"enabled": "yes"}, "spec.enabled", "boolean", "string"),
    wrong_type({"colour": 5}, "spec.colour", "string", "integer"),
    wrong_type({"colour": True}, "spec.colour", "string", "boolean"),
    wrong_type({"free": 5}, "spec.free", "object", "integer"),
    wrong_type({"free": []}, "spec.free", "object", "array"),
    wrong_type({"tags": "x"}, "spec.tags", "array", "string"),
    wrong_type({"limits": {"cpu": 5}}, "spec.limits.cpu", "string", "integer"),
    wrong_type({"levels": {"a": "x"}}, "spec.levels.a", "integer", "string"),
    wrong_type({"port": 1.5}, "spec.port", "integer,string", "number"),
    wrong_type({"port": True}, "spec.port", "integer,string", "boolean"),
]

VALUES = [
    Bad(
        {"size": "huge"},
        "spec.size",
        frozenset({"FieldValueNotSupported"}),
        ('spec.size: Unsupported value: "huge": supported values: "small", "large"',),
    ),
    out_of_range({"weight": -1}, "spec.weight", "-1", "should be greater than or equal to 0"),
    out_of_range({"weight": 101}, "spec.weight", "101", "should be less than or equal to 100"),
    out_of_range({"ratio": 0.3}, "spec.ratio", "0.3", "should be a multiple of 0.5"),
    out_of_range({"code": "a"}, "spec.code", '"a"', "should be at least 2 chars long"),
    out_of_range({"code": "AB"}, "spec.code", '"AB"', "should match '^[a-z]+$'"),
    Bad(
        {"when": "soon"},
        "spec.when",
        WRONG_TYPE,
        ('spec.when: Invalid value: "soon": spec.when in body must be of type date-time: "soon"',),
    ),
    Bad(
        {"code": "abcdef"},
        "spec.code",
        frozenset({INVALID, "FieldValueTooLong"}),
        ("spec.code in body should be at most 5 chars long", "spec.code: Too long: may not be "),
    ),
    Bad(
        {"tags": ["a", "b", "c", "d"]},
        "spec.tags",
        frozenset({INVALID, "FieldValueTooMany"}),
        ("spec.tags in body should have at most 3 items", "spec.tags: Too many: 4: must have at most 3 items"),
    ),
    Bad(
        {"levels": {"a": 1, "b": 2, "c": 3}},
        "spec.levels",
        frozenset({INVALID, "FieldValueTooMany"}),
        (
            "spec.levels in body should have at most 2 properties",
            "spec.levels: Too many: 3: must have at most 2 items",
        ),
    ),
    Bad({"tags": ["a", "a"]}, "spec.tags[1]", frozenset({"FieldValueDuplicate"}), ('Duplicate value: "a"',)),
    Bad(
        {"parts": [{"name": "a"}, {"name": "a"}]},
        "spec.parts[1]",
        frozenset({"FieldValueDuplicate"}),
        ("spec.parts[1]: Duplicate value: ",),
    ),
    Bad({"limits": {}}, "spec.limits.cpu", frozenset({"FieldValueRequired"}), ("spec.limits.cpu: Required value",)),
]


def check(place: Place, bad: Bad) -> None:
    answer = place.send("POST", place.widgets, body=place.widgets.body("a", spec=bad.spec))
    status = refused(answer, 422, "Invalid", f'{place.widgets.qualified_kind} "a" is invalid: ')
    assert any(words in status["message"] for words in bad.words), answer
    found = causes(status)
    assert [field for _, field in found] == [bad.field], answer
    assert {reason for reason, _ in found} <= bad.reasons, answer


def kept(place: Place, **spec: Any) -> Document:
    """Return what is left of a spec once it is stored."""
    place.create(place.widgets, "a", spec=spec)
    found: Document = place.get(place.widgets, "a")["spec"]
    place.delete(place.widgets, "a")
    return found


@case()
def values_of_wrong_types_are_invalid(place: Place) -> None:
    for bad in TYPES:
        check(place, bad)
    assert place.names(place.widgets) == []


@case()
def values_out_of_range_are_invalid(place: Place) -> None:
    for bad in VALUES:
        check(place, bad)
    assert place.names(place.widgets) == []


@case()
def every_error_is_told_at_once(place: Place) -> None:
    body = place.widgets.body("a", spec={"weight": "x", "code": "A1", "enabled": 5})
    status = refused(place.send("POST", place.widgets, body=body), 422, "Invalid", '"a" is invalid: [')
    assert sorted(field for _, field in causes(status)) == ["spec.code", "spec.enabled", "spec.weight"]


@case()
def a_value_of_a_wrong_type_is_not_in_an_enumeration_either(place: Place) -> None:
    answer = place.send("POST", place.widgets, body=place.widgets.body("a", spec={"size": 5}))
    words = (
        'spec.size in body must be of type string: "integer"',
        "spec.size: Unsupported value: 5: supported values",
    )
    refused(answer, 422, "Invalid", *words)


@case()
def exactly_one_alternative_must_hold(place: Place) -> None:
    assert kept(place, choice={"left": "x"})["choice"] == {"left": "x"}
    for choice, words in (({}, "Found none valid"), ({"left": "x", "right": "y"}, "Found 2 valid alternatives")):
        answer = place.send("POST", place.widgets, body=place.widgets.body("a", spec={"choice": choice}))
        refused(answer, 422, "Invalid", "spec.choice", "must validate one and only one schema (oneOf)", words)


@case()
def an_entry_of_a_list_is_validated(place: Place) -> None:
    for spec in (
        {"tags": [1]},
        {"tags": [None]},
        {"parts": [{"count": 1}]},
        {"parts": [{"name": "a", "count": "x"}]},
    ):
        answer = place.send("POST", place.widgets, body=place.widgets.body("a", spec=spec))
        status = refused(answer, 422, "Invalid")
        assert all(field.startswith(("spec.tags", "spec.parts")) for _, field in causes(status))


@case()
def good_values_are_kept(place: Place) -> None:
    spec = {
        "size": "small",
        "weight": 100,
        "ratio": 1.5,
        "enabled": False,
        "code": "abc",
        "when": "2026-11-23T02:00:00.5+02:00",
        "colour": "blue",
        "note": "",
        "tags": ["b", "a"],
        "parts": [{"name": "b", "count": 0}, {"name": "a", "count": 2}],
        "levels": {"x": 1, "y": -1},
        "limits": {"cpu": "1", "memory": "2Gi"},
    }
    assert kept(place, **spec) == spec


@case()
def a_whole_number_may_be_written_with_a_fraction(place: Place) -> None:
    body = json.dumps(place.widgets.body("a", spec={"weight": 5})).replace('"weight": 5', '"weight": 5.0')
    made = succeeded(place.send("POST", place.widgets, body=body.encode()), 201)
    assert made["spec"]["weight"] == 5
    assert isinstance(made["spec"]["weight"], int)


@case()
def unknown_fields_are_pruned(place: Place) -> None:
    spec = {"size": "small", "stray": 1, "limits": {"cpu": "1", "stray": 2}, "parts": [{"name": "a", "stray": 3}]}
    made = place.create(place.widgets, "a", spec=spec, stray={"deep": 4})
    assert "stray" not in str(made)
    assert made["spec"]["limits"]["cpu"] == "1"
    assert place.get(place.widgets, "a") == made


@case()
def unknown_metadata_is_dropped(place: Place) -> None:
    made = place.create(place.widgets, "a", metadata={"unknown": "x", "labels": None, "annotations": {}})
    assert {"unknown", "labels", "annotations"}.isdisjoint(made["metadata"])


@case()
def unknown_fields_are_kept_where_the_schema_says_so(place: Place) -> None:
    free = {"a": [1, {"b": None}], "c": {"d": 1.5}}
    assert kept(place, free=free)["free"] == free


@case()
def pruning_resumes_below_known_fields(place: Place) -> None:
    assert kept(place, loose={"any": 1, "strict": {"a": "x", "unknown": 1}})["loose"] == {
        "any": 1,
        "strict": {"a": "x"},
    }


@case()
def keys_of_a_map_are_not_pruned(place: Place) -> None:
    assert kept(place, levels={"whatever": 1})["levels"] == {"whatever": 1}


@case()
def an_integer_or_a_string(place: Place) -> None:
    assert kept(place, port=8080)["port"] == 8080
    assert kept(place, port="http")["port"] == "http"


@case()
def an_embedded_resource_tells_its_kind(place: Place) -> None:
    for template in ({}, {"apiVersion": "v1"}, {"kind": "Pod"}):
        answer = place.send("POST", place.widgets, body=place.widgets.body("a", spec={"template": template}))
        missing = [f"spec.template.{key}" for key in ("apiVersion", "kind") if key not in template]
        status = refused(answer, 422, "Invalid", "Required value: must not be empty")
        assert [field for _, field in causes(status)] == missing


@case()
def metadata_of_an_embedded_resource_is_pruned_but_nothing_else(place: Place) -> None:
    template = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {"k": "v"}, "unknown": 1},
        "spec": {"anything": {"goes": 1}},
    }
    stored = kept(place, template=template)["template"]
    assert stored == {**template, "metadata": {"name": "p", "labels": {"k": "v"}}}


@case()
def defaults_are_filled_in_where_the_parent_is(place: Place) -> None:
    assert kept(place) == {"colour": "red"}
    assert kept(place, limits={"cpu": "1"})["limits"] == {"cpu": "1", "memory": "1Gi"}
    assert kept(place, parts=[{"name": "a"}, {"name": "b", "count": 5}])["parts"] == [
        {"name": "a", "count": 1},
        {"name": "b", "count": 5},
    ]
    assert "spec" not in place.create(place.widgets, "bare")


@case()
def null_is_left_out_or_replaced_by_the_default(place: Place) -> None:
    assert kept(place, size=None, colour=None, port=None) == {"colour": "red"}
    body = {**place.widgets.body("b"), "spec": None}
    assert "spec" not in succeeded(place.send("POST", place.widgets, body=body), 201)


@case()
def null_is_kept_where_the_schema_allows_it(place: Place) -> None:
    assert kept(place, note=None)["note"] is None


@case()
def an_update_is_held_to_the_schema_too(place: Place) -> None:
    made = place.create(place.widgets, "a", spec={"weight": 1})
    made["spec"] = {"weight": 2, "unknown": 1}
    assert place.put(place.widgets, made)["spec"] == {"weight": 2, "colour": "red"}
    made = place.get(place.widgets, "a")
    made["spec"] = {"weight": "x"}
    refused(
        place.send("PUT", place.widgets, "a", made), 422, "Invalid", "spec.weight in body must be of type integer"
    )


@case(since="1.25")
def strict_field_validation_refuses_unknown_fields(place: Place) -> None:
    body = place.widgets.body("a", spec={"unknown": 1, "limits": {"cpu": "1", "more": 2}})
    answer = place.send("POST", place.widgets, body=body, fieldValidation="Strict")
    refused(
        answer, 400, "BadRequest", "strict decoding error: ", 'unknown field "spec.unknown"', '"spec.limits.more"'
    )
    assert not place.exists(place.widgets, "a")


@case(since="1.25")
def strict_field_validation_refuses_duplicate_fields(place: Place) -> None:
    body = json.dumps(place.widgets.body("a", spec={"weight": 1})).replace('"weight": 1', '"weight": 1, "weight": 2')
    answer = place.send("POST", place.widgets, body=body.encode(), fieldValidation="Strict")
    refused(answer, 400, "BadRequest", "strict decoding error: ", 'duplicate field "spec.weight"')


@case(since="1.25")
def lenient_field_validation_warns_or_says_nothing(place: Place) -> None:
    for mode, warned in (("Warn", True), ("Ignore", False), (None, True)):
        body = place.widgets.body("a", spec={"unknown": 1})
        answer = place.send("POST", place.widgets, body=body, fieldValidation=mode)
        assert "unknown" not in succeeded(answer, 201).get("spec", {})
        assert ('299 - "unknown field \\"spec.unknown\\""' in answer.headers.get("warning", "")) is warned
        place.delete(place.widgets, "a")


@case(since="1.25")
def strict_field_validation_holds_for_every_write(place: Place) -> None:
    made = place.create(place.widgets, "a", spec={})
    made["spec"]["unknown"] = 1
    words = ("strict decoding error: ", 'unknown field "spec.unknown"')
    answer = place.send("PUT", place.widgets, "a", made, fieldValidation="Strict")
    refused(answer, 400, "BadRequest", *words)
    headers = {"Content-Type": "application/merge-patch+json"}
    patch = {"spec": {"unknown": 1}}
    answer = place.send("PATCH", place.widgets, "a", patch, headers=headers, fieldValidation="Strict")
    assert answer.status in (400, 422)
    assert 'unknown field "spec.unknown"' in answer.json["message"]


@case(since="1.25")
def an_unknown_field_validation_is_invalid(place: Place) -> None:
    answer = place.send("POST", place.widgets, body=place.widgets.body("a"), fieldValidation="Foo")
    refused(answer, 422, "Invalid", 'fieldValidation: Unsupported value: "Foo"')

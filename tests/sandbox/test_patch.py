"""zenctl.sandbox.apiserver.patch: JSON merge patch and JSON patch, the RFCs' examples and what kube-apiserver does.

Rows marked as the server's were sent to a kube-apiserver 1.20, which gave these results and errors.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zenctl.sandbox.apiserver.errors import ApiError
from zenctl.sandbox.apiserver.json_values import MOST_LEVELS
from zenctl.sandbox.apiserver.merge_keys import merge_rules
from zenctl.sandbox.apiserver.patch import (
    MOST_COPIED_BYTES,
    MOST_OPERATIONS,
    json_merge_patch,
    json_patch,
    strategic_merge_patch,
)

REJECTED = (422, "Invalid", "the server rejected our request due to an error in our request")
NO_RULES = merge_rules({}, {})


def refusal(call, *arguments) -> tuple[int, str, str]:
    with pytest.raises(ApiError) as caught:
        call(*arguments)
    return caught.value.code, caught.value.reason, caught.value.message


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


# -- JSON merge patch -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"k": ["a", "b"]}, {"k": ["c", "d"]}, {"k": ["c", "d"]}),
        ({"k": {"a": "b"}}, {"k": ["c"]}, {"k": ["c"]}),
        ({"k": {"a": "foo"}}, {"k": None}, {}),
        ({"k": {"a": "foo"}}, {"k": "bar"}, {"k": "bar"}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({"k": [1, 2]}, {"k": {"a": "b", "c": None}}, {"k": {"a": "b"}}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_examples_of_rfc_7386(document, patch, result):
    assert json_merge_patch(document, patch) == result


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"a": [1]}, {"a": [{"b": None}]}, {"a": [{}]}),
        ({}, {"a": [{"b": {"c": None}}]}, {"a": [{"b": {}}]}),
        ({"a": {}}, {"a": [{"b": None}]}, {"a": [{"b": None}]}),
        ({"a": None}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
    ],
)
def test_the_server_drops_nulls_in_arrays_that_it_adds(document, patch, result):
    assert json_merge_patch(document, patch) == result


@pytest.mark.parametrize("patch", [None, "x", 5, True])
def test_a_merge_patch_is_an_object(patch):
    assert refusal(json_merge_patch, {}, patch) == (400, "BadRequest", "Invalid JSON Patch")


def test_an_array_takes_the_place_of_the_document_which_then_is_no_object():
    assert json_merge_patch({"a": 1}, [{"b": None}, None]) == [{}, None]


SCALARS = st.one_of(st.booleans(), st.integers(-3, 3), st.sampled_from(["", "a", "b", 0.5]))
KEYS = st.sampled_from(["a", "b", "", "a/b", "m~n", "~1"])


def documents(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    values = st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    )
    return st.dictionaries(KEYS, values, max_size=3)


DOCUMENTS = documents(SCALARS | st.none())


def difference(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            patch[key] = difference(before, value)
        else:
            patch[key] = value
    return patch


@given(documents(SCALARS), documents(SCALARS))
def test_a_merge_patch_of_the_difference_makes_one_document_the_other(old, new):
    assert json_merge_patch(old, difference(old, new)) == new
    assert strategic_merge_patch(old, difference(old, new), NO_RULES) == new


# -- JSON patch -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "operation", "result"),
    [
        ({"foo": "bar"}, {"op": "add", "path": "/baz", "value": "qux"}, {"baz": "qux", "foo": "bar"}),
        ({"foo": ["bar", "baz"]}, {"op": "add", "path": "/foo/1", "value": "q"}, {"foo": ["bar", "q", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, {"op": "remove", "path": "/baz"}, {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, {"op": "remove", "path": "/foo/1"}, {"foo": ["bar", "baz"]}),
        ({"baz": "qux"}, {"op": "replace", "path": "/baz", "value": "boo"}, {"baz": "boo"}),
        ({"a": {"w": 1}, "b": {}}, {"op": "move", "from": "/a/w", "path": "/b/t"}, {"a": {}, "b": {"t": 1}}),
        ({"foo": [1, 2, 3, 4]}, {"op": "move", "from": "/foo/1", "path": "/foo/3"}, {"foo": [1, 3, 4, 2]}),
        ({"foo": {"a": [1]}}, {"op": "copy", "from": "/foo/a", "path": "/b"}, {"foo": {"a": [1]}, "b": [1]}),
        ({"foo": ["a", 2]}, {"op": "test", "path": "/foo/1", "value": 2}, {"foo": ["a", 2]}),
        ({"a": {"b": 1, "c": 2}}, {"op": "test", "path": "/a", "value": {"c": 2, "b": 1}}, {"a": {"b": 1, "c": 2}}),
        ({"foo": "bar"}, {"op": "add", "path": "/child", "value": {"g": {}}}, {"foo": "bar", "child": {"g": {}}}),
        ({"foo": "bar"}, {"op": "add", "path": "/baz", "value": 1, "xyz": 123}, {"foo": "bar", "baz": 1}),
        ({"/": 9, "~1": 10}, {"op": "test", "path": "/~01", "value": 10}, {"/": 9, "~1": 10}),
        ({"/": 9, "~1": 10}, {"op": "remove", "path": "/~1"}, {"~1": 10}),
        ({"foo": ["bar"]}, {"op": "add", "path": "/foo/-", "value": ["a"]}, {"foo": ["bar", ["a"]]}),
        ({"foo": "bar"}, {"op": "replace", "path": "", "value": {"a": 1}}, {"a": 1}),
        ({"foo": "bar"}, {"op": "test", "path": "", "value": {"foo": "bar"}}, {"foo": "bar"}),
        ({"": {"": 1}}, {"op": "test", "path": "//", "value": 1}, {"": {"": 1}}),
    ],
)  # fmt: skip
def test_examples_of_rfc_6902(document, operation, result):
    assert json_patch(document, [operation]) == result


@pytest.mark.parametrize(
    ("document", "operation", "result"),
    [
        ({}, {"op": "replace", "path": "/a", "value": 1}, {"a": 1}),
        ({"a": 1}, {"op": "replace", "path": "/a"}, {"a": None}),
        ({}, {"op": "add", "path": "/a"}, {"a": None}),
        ({}, {"op": "copy", "from": "/a", "path": "/b"}, {"b": None}),
        ({}, {"op": "test", "path": "/a", "value": None}, {}),
        ({}, {"op": "add", "path": "x/a", "value": 1}, {"a": 1}),
        ({"~2": 1}, {"op": "remove", "path": "/~2"}, {}),
        ({"a": [1, 2]}, {"op": "add", "path": "/a/-1", "value": 0}, {"a": [1, 2, 0]}),
        ({"a": [1, 2]}, {"op": "add", "path": "/a/-3", "value": 0}, {"a": [0, 1, 2]}),
        ({"a": [1, 2]}, {"op": "remove", "path": "/a/-1"}, {"a": [1]}),
        ({"a": [1, 2]}, {"op": "add", "path": "/a/01", "value": 0}, {"a": [1, 0, 2]}),
        ({"a": [1, 2]}, {"op": "add", "path": "/a/+1", "value": 0}, {"a": [1, 0, 2]}),
    ],
)
def test_where_the_server_is_laxer_than_rfc_6902(document, operation, result):
    assert json_patch(document, [operation]) == result


@pytest.mark.parametrize(
    "operation",
    [
        None,
        {},
        {"path": "/a", "value": 1},
        {"op": "ADD", "path": "/a", "value": 1},
        {"op": 5, "path": "/a", "value": 1},
        {"op": ["add"], "path": "/a", "value": 1},
        {"op": "add", "value": 1},
        {"op": "add", "path": 5, "value": 1},
        {"op": "add", "path": "", "value": {}},
        {"op": "add", "path": "a", "value": 1},
        {"op": "add", "path": "/z/a", "value": 1},
        {"op": "add", "path": "/a/b", "value": 1},
        {"op": "add", "path": "/n/b", "value": 1},
        {"op": "add", "path": "/l/3", "value": 1},
        {"op": "add", "path": "/l/-4", "value": 1},
        {"op": "add", "path": "/l/x", "value": 1},
        {"op": "add", "path": "/l/-/b", "value": 1},
        {"op": "remove", "path": ""},
        {"op": "remove", "path": "/z"},
        {"op": "remove", "path": "/z/a"},
        {"op": "remove", "path": "/l/2"},
        {"op": "remove", "path": "/l/-"},
        {"op": "replace", "path": "", "value": 1},
        {"op": "replace", "path": "/z/a", "value": 1},
        {"op": "replace", "path": "/l/2", "value": 1},
        {"op": "replace", "path": "/l/-", "value": 1},
        {"op": "move", "path": "/b"},
        {"op": "move", "from": "/a"},
        {"op": "move", "from": "/z", "path": "/b"},
        {"op": "move", "from": "/o", "path": "/o/b"},
        {"op": "move", "from": "/l/0", "path": "/l/2"},
        {"op": "copy", "from": "/l/2", "path": "/b"},
        {"op": "copy", "from": "", "path": "/b"},
        {"op": "test", "path": "/a", "value": 2},
        {"op": "test", "path": "/a", "value": 1.0},
        {"op": "test", "path": "/a", "value": True},
        {"op": "test", "path": "/a", "value": "1"},
        {"op": "test", "path": "/a"},
        {"op": "test", "path": "/o", "value": {}},
        {"op": "test", "path": "/o", "value": {"x": 1, "y": 1}},
        {"op": "test", "path": "/l/2", "value": None},
        {"op": "test", "path": "", "value": {}},
    ],
)
def test_operations_that_the_server_rejects_without_a_word(operation):
    document = {"a": 1, "n": None, "l": [1, 2], "o": {"x": 1}}
    assert refusal(json_patch, document, [operation]) == REJECTED


@pytest.mark.parametrize(
    ("operations", "told"),
    [
        ({"op": "add"}, "json: cannot unmarshal object into Go value of type jsonpatch.Patch"),
        ("x", "json: cannot unmarshal string into Go value of type jsonpatch.Patch"),
        (5, "json: cannot unmarshal number into Go value of type jsonpatch.Patch"),
        ([1], "json: cannot unmarshal number into Go value of type jsonpatch.Operation"),
        (
            [{"op": "remove", "path": "/a"}, []],
            "json: cannot unmarshal array into Go value of type jsonpatch.Operation",
        ),
    ],
)
def test_a_json_patch_is_an_array_of_objects(operations, told):
    assert refusal(json_patch, {"a": 1}, operations) == (400, "BadRequest", told)


@pytest.mark.parametrize("operations", [None, []])
def test_no_operations_change_nothing(operations):
    assert json_patch({"a": 1}, operations) == {"a": 1}


def test_operations_see_what_those_before_them_did_and_all_or_none_count():
    document = {"a": {"b": 1}}
    steps: list[dict[str, Any]] = [
        {"op": "add", "path": "/c", "value": {"l": []}},
        {"op": "add", "path": "/c/l/-", "value": 1},
        {"op": "move", "from": "/a/b", "path": "/c/l/0"},
        {"op": "copy", "from": "/c/l", "path": "/a/l"},
        {"op": "remove", "path": "/c/l/1"},
    ]
    assert json_patch(document, steps) == {"a": {"l": [1, 1]}, "c": {"l": [1]}}
    assert refusal(json_patch, document, [*steps, {"op": "test", "path": "/a", "value": 0}]) == REJECTED
    assert document == {"a": {"b": 1}}
    assert steps[0]["value"] == {"l": []}


def test_the_number_of_operations_is_bounded():
    step = {"op": "test", "path": "/a", "value": 1}
    assert json_patch({"a": 1}, [step] * MOST_OPERATIONS) == {"a": 1}
    told = "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"
    assert refusal(json_patch, {"a": 1}, [step] * (MOST_OPERATIONS + 1)) == (413, "RequestEntityTooLarge", told)


def test_what_operations_copy_is_bounded():
    text = "x" * 100_000
    copies = MOST_COPIED_BYTES // (len(text) + 2)
    step = {"op": "copy", "from": "/a", "path": "/l/-"}
    assert len(json_patch({"a": text, "l": []}, [step] * copies)["l"]) == copies
    assert refusal(json_patch, {"a": text, "l": []}, [step] * (copies + 1)) == REJECTED
    doubling = [{"op": "copy", "from": "/l", "path": "/l/-"}] * 60
    assert refusal(json_patch, {"l": [[]]}, doubling)[0] in (400, 422)


DEEPER = [
    lambda: json_merge_patch({}, nested(MOST_LEVELS + 1)),
    lambda: json_merge_patch(nested(MOST_LEVELS + 1), {}),
    lambda: strategic_merge_patch({}, nested(MOST_LEVELS + 1), NO_RULES),
    lambda: json_patch({}, [{"op": "add", "path": "/a", "value": nested(MOST_LEVELS)}]),
    lambda: json_patch({}, [{"op": "add", "path": "/a" * n, "value": {}} for n in range(1, MOST_LEVELS + 1)]),
    lambda: json_patch({}, [{"op": "add", "path": "/a" * n, "value": {}} for n in range(1, 1500)]),
    lambda: json_patch({}, [{"op": "test", "path": "", "value": nested(900)}]),
]


@pytest.mark.parametrize("call", DEEPER)
def test_nothing_may_be_nested_deeper_than_a_bound(call):
    code, reason, message = refusal(call)
    assert (code, reason) == (400, "BadRequest")
    assert f"deeper than {MOST_LEVELS} levels" in message


def test_what_is_just_deep_enough_is_patched():
    deep = nested(MOST_LEVELS)
    assert json_merge_patch(deep, deep) == deep
    assert strategic_merge_patch(deep, deep, NO_RULES) == deep
    assert json_patch({}, [{"op": "add", "path": "/a", "value": deep["a"]}]) == deep
    assert json_patch(deep, [{"op": "test", "path": "", "value": deep}]) == deep


def places(value: Any, path: str = "") -> list[tuple[str, Any]]:
    found = [(path, value)]
    if isinstance(value, dict):
        for key, item in value.items():
            found += places(item, f"{path}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += places(item, f"{path}/{index}")
    return found


@given(DOCUMENTS)
def test_testing_what_is_there_changes_nothing_however_often(document):
    steps = [{"op": "test", "path": path, "value": value} for path, value in places(document)]
    assert json_patch(document, steps) == document
    assert json_patch(document, steps * 2) == document


@given(DOCUMENTS, DOCUMENTS)
def test_removing_what_was_added_gives_the_document_back(document, value):
    added = json_patch(document, [{"op": "add", "path": "/new", "value": value}])
    assert added == {**document, "new": value}
    assert json_patch(added, [{"op": "remove", "path": "/new"}]) == document


# -- any JSON as a patch --------------------------------------------------------------------------------

DIRECTIVES = ["$patch", "$retainKeys", "$setElementOrder/a", "$deleteFromPrimitiveList/a", "$setElementOrder"]
MEMBERS = st.sampled_from(["a", "b", "name", *DIRECTIVES])
WORDS = st.sampled_from(["a", "b", "x", "delete", "replace", "merge"])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-1, 1) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS, inner, max_size=4),
    max_leaves=12,
)
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"])},
        optional={
            "path": st.sampled_from(["", "/a", "/b", "/a/b", "/a/0", "/a/-", "/a/-1", "/b/a/b"]) | ANY_JSON,
            "from": st.sampled_from(["", "/a", "/b", "/a/b", "/a/0", "/a/-1", "/b/a"]),
            "value": ANY_JSON,
        },
    ),
    max_size=5,
)
OBJECTS = st.dictionaries(MEMBERS, ANY_JSON, max_size=3)
ITEMS = {"type": "array", "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name"}
RECURSIVE = merge_rules(
    {"$ref": "#/definitions/T"},
    {
        "T": {
            "properties": {
                "a": {**ITEMS, "items": {"$ref": "#/definitions/T"}},
                "b": {"$ref": "#/definitions/T"},
                "name": {"type": "array", "items": {"type": "string"}, "x-kubernetes-patch-strategy": "merge"},
            }
        }
    },
)


@given(OBJECTS, ANY_JSON | OPERATIONS | OBJECTS)
@example({"a": [{"name": {}}]}, {"a": [{"name": {}}]})
@example({"a": ["x"]}, {"$setElementOrder/a": [{}], "a": [{}]})
def test_any_json_is_a_patch_or_an_api_error_and_nothing_is_changed(document, patch):
    kept = copy.deepcopy((document, patch))
    for apply, *rules in ((json_merge_patch,), (json_patch,), (strategic_merge_patch, RECURSIVE)):
        try:
            result = apply(document, patch, *rules)
        except ApiError as error:
            assert error.code in (400, 422, 500)  # noqa: PT017
            continue
        spoil(result)
        assert (document, patch) == kept


def spoil(value: Any) -> None:
    """Change everything in a value that can be changed."""
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        spoil(item)
    if isinstance(value, dict | list):
        value.clear()

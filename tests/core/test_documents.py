"""Reading objects from text: JSON, JSON lines, YAML as Kubernetes reads it, Lists; and refusing the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zenctl.core.documents import NotADocument, documents, objects_in

A = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
B = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}


def found(text: str) -> list[dict[str, Any]]:
    return [value for document in documents(text.encode()) for value in objects_in(document)]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([A, B]),
        json.dumps(A) + json.dumps(B),
        json.dumps(A, indent=1) + "\n\n" + json.dumps(B),
        yaml.safe_dump(A) + "---\n---\n" + yaml.safe_dump(B),
        yaml.safe_dump({"kind": "List", "apiVersion": "v1", "items": [A, B]}),
        yaml.safe_dump({"items": [A, {"items": [B]}]}),
        "# a comment\n" + yaml.safe_dump([A, B]),
        "\ufeff" + json.dumps([A, B]),
    ],
)
def test_objects_are_found_in_every_shape(text):
    assert found(text) == [A, B]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_texts_with_a_byte_order_mark_are_read(encoding):
    assert documents(json.dumps(A).encode(encoding)) == [A]


@pytest.mark.parametrize("text", ["", "\n", "---\n---\n", "# nothing\n", "null\n"])
def test_nothing_is_no_document(text):
    assert documents(text.encode()) == []


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2026-11-23T02:00:00Z", "2026-11-23T02:00:00Z"),
        ("2026-11-23", "2026-11-23"),
        ("12:30:00", "12:30:00"),
        ("=", "="),
        ('"1e3"', "1e3"),
        ('"yes"', "yes"),
        ("yes", True),
        ("off", False),
        ("y", "y"),
        ("~", None),
        ("", None),
        ("017", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("0.5", 0.5),
        ("4e-05", 4e-05),
        ("1e+21", 1e21),
        ("1.23456785e+07", 12345678.5),
        ("-2E3", -2000.0),
        ("1.2.3", "1.2.3"),
        ("1e", "1e"),
        ("e5", "e5"),
    ],
)
def test_plain_scalars_mean_what_they_mean_to_kubernetes(written, value):
    (document,) = documents(f"a: {written}\n".encode())
    assert document == {"a": value}
    assert type(document["a"]) is type(value)


def test_items_of_a_typed_list_get_its_type():
    bare = {"metadata": {"name": "a"}}
    assert found(json.dumps({"apiVersion": "v1", "kind": "ConfigMapList", "items": [bare]})) == [A]


def test_a_resource_with_items_of_its_own_is_one_object():
    menu = {"apiVersion": "v1", "kind": "Menu", "items": [A]}
    assert found(json.dumps(menu)) == [menu]


def test_what_is_no_object_is_left_out():
    assert found(json.dumps([1, "a", None, {"kind": "X"}, {"apiVersion": "v1"}, A])) == [A]


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b'{"a": 1} x',
        b"[1,",
        b"a: b: c",
        b"a: [",
        b"\t- a",
        b"\xff\xff\xff",
        b"a: !!python/object:os.system {}",
        b"a: !!timestamp nonsense",
        b"*unknown",
        b"{" * 100_000,
        b"[" * 100_000,
        b"- " * 100_000,
        b"a: " + b"[" * 100_000,
        b"a: " + b"[ " * 50_000 + b"]",
        b"a: " + b'["]", ' * 50_000,
        b"a: {b: " + b"{b: " * 50_000,
        b"".join(b" " * depth + b"a:\n" for depth in range(2_000)),
        b"? " * 50_000,
    ],
)
def test_garbage_is_refused_and_nothing_else_is_raised(data):
    with pytest.raises(NotADocument):
        documents(data)


def test_lists_in_lists_without_end_are_refused():
    (document,) = documents(b"&a [*a]")
    with pytest.raises(NotADocument):
        list(objects_in(document))


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data):
    try:
        for document in documents(data):
            list(objects_in(document))
    except NotADocument:
        pass


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), json_values, min_size=1, max_size=3), min_size=1, max_size=3))
def test_json_survives_as_one_value_or_many(values):
    text = "\n".join(json.dumps(value) for value in values)
    assert documents(text.encode()) == values
    assert documents(json.dumps(values).encode()) == [values]

"""Bodies as they come: numbers, YAML, keys that stand twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.sandbox.apiserver.documents import body_document, decode_any
from zenctl.sandbox.apiserver.errors import ApiError
from zenctl.sandbox.apiserver.messages import Request


def request(body: bytes, media: str = "application/json") -> Request:
    return Request.of("POST", "/", {"content-type": (media,)}, body)


@pytest.mark.parametrize(
    ("text", "number"),
    [("5", 5), ("5.0", 5), ("-5.0", -5), ("1e3", 1000), ("1.5", 1.5), ("1e21", 1e21), ("-0.0", 0), ("1e-7", 1e-7)],
)
def test_a_number_without_a_fraction_is_an_integer_unless_it_is_huge(text, number):
    found = decode_any(f'{{"a": [{text}]}}'.encode(), "Thing")["a"][0]
    assert (found, type(found)) == (number, type(number))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_number_changes_its_value(number):
    assert decode_any(repr(number).encode(), "Thing") == number


@pytest.mark.parametrize("body", [b"a: 5.0\nb: {1: x}\n", b"---\na: 5\nb: {1: x}\n"])
def test_yaml_is_read_like_its_json(body):
    document, _ = body_document(request(body, "application/yaml"))
    assert document == {"a": 5, "b": {"1": "x"}}
    assert isinstance(document["a"], int)


def test_yaml_that_no_json_can_say_is_a_bad_request():
    with pytest.raises(ApiError, match="error converting YAML to JSON"):
        body_document(request(b"? [a, b]\n: c\n", "application/yaml"))


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        (b'{"a": 1, "b": {"a": 1}}', []),
        (b'{"a": 1, "a": 2, "a": 3}', ["a"]),
        (b'{"spec": {"weight": 1, "weight": 2}}', ["spec.weight"]),
        (b'{"spec": {"items": [{}, {"name": 1, "name": {"x": 1, "x": 1}}]}}',
         ["spec.items[1].name", "spec.items[1].name.x"]),
        (b'{"a": [[{"b": 1, "b": 1}], [{"b": 1, "b": 1}]]}', ["a[0][0].b", "a[1][0].b"]),
    ],
)  # fmt: skip
def test_keys_that_stand_twice_are_found_where_they_stand(body, paths):
    assert body_document(request(body), strict=True)[1] == paths
    assert body_document(request(body))[1] == []

"""Whether a live object has what the archive has, and which fields say otherwise."""

from __future__ import annotations

import copy

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backup.samples import observation
from zenctl.core.provenance import ORIGINAL_CREATION, ORIGINAL_UID
from zenctl.product.crd import OBSERVATIONS
from zenctl.restore.compare import MOST_DIFFERENCES, Difference, content_of, differences

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.0, 1.0, 2.5]) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
SPECS = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


def encoded(**parts: object) -> bytes:
    return msgspec.json.encode({"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, **parts})


def same(archived: bytes, live: bytes) -> bool:
    return content_of(live, OBSERVATIONS).holds(content_of(archived, OBSERVATIONS))


def test_what_the_server_owns_and_what_a_restore_leaves_does_not_count():
    archived = observation("a")
    live = copy.deepcopy(archived)
    live["metadata"] |= {
        "uid": "u", "resourceVersion": "7", "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{}], "ownerReferences": [{}],
        "annotations": {ORIGINAL_UID: "u0", ORIGINAL_CREATION: "2020-01-01T00:00:00Z"},
    }  # fmt: skip
    one, other = msgspec.json.encode(archived), msgspec.json.encode(live)
    assert same(one, other)
    assert same(other, one)
    assert differences(one, other, OBSERVATIONS, status=True) == ()


@pytest.mark.parametrize(
    ("archived", "live", "found"),
    [
        ({"spec": {"a": 1}}, {"spec": {"a": 2}}, [("spec.a", "1", "2")]),
        ({"spec": {"a": 1}}, {"spec": {}}, [("spec.a", "1", None)]),
        ({"spec": {}}, {"spec": {"a": {"b": "x"}}}, [("spec.a", None, '{"b":"x"}')]),
        ({"spec": {"a": [1, 2]}}, {"spec": {"a": [2, 1]}}, [("spec.a[0]", "1", "2"), ("spec.a[1]", "2", "1")]),
        ({"spec": {"a": 1}}, {"spec": {"a": True}}, [("spec.a", "1", "true")]),
        ({"spec": {"a": 1}}, {"spec": {"a": 1.0}}, []),
        ({"spec": {"a": 0}}, {"spec": {"a": False}}, [("spec.a", "0", "false")]),
        ({"data": {"a.b": "x"}}, {"data": {"a.b": "y"}}, [('data["a.b"]', '"x"', '"y"')]),
        ({"spec": {"a": None}}, {"spec": {}}, []),
        (
            {"metadata": {"labels": {"l": "1"}}},
            {"metadata": {"labels": {}}},
            [("metadata", '{"labels":{"l":"1"}}', None)],
        ),
        ({"metadata": {"labels": {}}}, {"metadata": {}}, []),
        (
            {"status": {"phase": "Resolved"}},
            {"status": {"phase": "Active"}},
            [("status.phase", '"Resolved"', '"Active"')],
        ),
        ({}, {"status": {"phase": "Active"}}, []),
        ({"status": {}}, {"status": {"phase": "Active"}}, []),
    ],
)
def test_fields_that_differ(archived, live, found):
    one, other = encoded(**archived), encoded(**live)
    assert [(d.field, d.archived, d.live) for d in differences(one, other, OBSERVATIONS, status=True)] == found
    assert same(one, other) == (not found)


def test_status_does_not_count_where_it_is_not_restored():
    one, other = encoded(status={"a": 1}), encoded(status={"a": 2})
    assert differences(one, other, OBSERVATIONS, status=False) == ()


def test_values_and_their_number_are_bounded():
    many = {f"f{n}": "x" * 500 for n in range(50)}
    found = differences(encoded(spec=many), encoded(spec={}), OBSERVATIONS, status=True)
    assert len(found) == MOST_DIFFERENCES
    assert isinstance(found[0], Difference)
    assert found[0].archived is not None
    assert len(found[0].archived) <= 120


@given(SPECS, SPECS)
def test_differences_and_digests_agree(archived, live):
    one, other = encoded(spec=archived), encoded(spec=live)
    assert same(one, other) == (differences(one, other, OBSERVATIONS, status=True) == ())

"""Names and the rest of metadata: what may be, and the words for what may not.

``recorded_metadata.jsonl`` holds metadata with the causes that kube-apiserver v1.20.2 gave for refusing it; none
means that it accepted. What newer servers say otherwise, and what would be long, is in the tables below.
"""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.core.names import dns_label, dns_subdomain, label_value, qualified_name
from zenctl.sandbox.apiserver.causes import quoted, shown
from zenctl.sandbox.apiserver.names import LARGEST_ANNOTATIONS_BYTES, generated_name, name_problems, validate_metadata

RECORDED = [
    msgspec.json.decode(line)
    for line in Path(__file__).with_name("recorded_metadata.jsonl").read_bytes().splitlines()
]
OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "1"}


def said(**metadata: Any) -> list[str]:
    whole = {"name": "a", "namespace": "default", **metadata}
    causes = validate_metadata(whole, namespaced=True, name_rule="subdomain")
    return [f"{cause.field}: {cause.message}" for cause in causes]


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: f"{case['kind']}: {str(case['metadata'])[:60]}")
def test_causes_are_those_of_a_real_server(case):
    causes = validate_metadata(
        case["metadata"],
        namespaced=case["namespaced"],
        name_rule=case["name_rule"],
        standard_finalizers=case["kind"] != "Prune",  # the one custom resource
    )
    assert [{"field": c.field, "reason": c.reason, "message": c.message} for c in causes] == case["causes"]


ONE_CONTROLLER = 'Only one reference can have Controller set to true. Found "true" in references for Pod/p and Pod/q'


@pytest.mark.parametrize(
    ("metadata", "problems"),
    [
        ({"ownerReferences": [{**OWNER, "controller": True}, OWNER, {**OWNER, "controller": False}]}, []),
        ({"annotations": {"a": "x" * (LARGEST_ANNOTATIONS_BYTES - 1)}}, []),
        (
            {"annotations": {"a": "é" * (LARGEST_ANNOTATIONS_BYTES // 2)}},
            ["metadata.annotations: Too long: may not be more than 262144 bytes"],
        ),
        ({"ownerReferences": [{**OWNER, "apiVersion": "apps/v1"}]}, []),
        ({"namespace": ""}, ["metadata.namespace: Required value"]),
        ({"namespace": "a.b"}, ['metadata.namespace: Invalid value: "a.b": must not contain dots']),
        ({"labels": {"a": None}, "annotations": {"a": None}, "finalizers": None, "ownerReferences": None}, []),
    ],
)
def test_metadata(metadata, problems):
    assert said(**metadata) == problems


@pytest.mark.parametrize(
    ("owners", "problem"),
    [
        ([{**OWNER, "controller": True}, {**OWNER, "name": "q", "controller": True}], ONE_CONTROLLER),
        ([{**OWNER, "kind": "Event"}], "/v1, Kind=Event is disallowed from being an owner"),
    ],
)
def test_owners_that_may_not_be(owners, problem):
    (cause,) = said(ownerReferences=owners)
    assert cause.startswith("metadata.ownerReferences: Invalid value: ")
    assert cause.endswith(f": {problem}")


def test_what_has_no_namespace_may_name_none():
    causes = validate_metadata({"name": "a", "namespace": "b"}, namespaced=False, name_rule="label")
    assert [(c.field, c.reason, c.message) for c in causes] == [
        ("metadata.namespace", "FieldValueForbidden", "Forbidden: not allowed on this type")
    ]


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (
            dns_subdomain,
            ["a", "0", "a.b-c", "x" * 253],
            ["", "A", "a.", ".a", "a..b", "-", "a_b", "é", "a\n", "x" * 254],
        ),
        (dns_label, ["a", "0a", "x" * 63], ["", "a.b", "a-", "x" * 64]),
        (
            qualified_name,
            ["a", "A_b.c", "x.y/A", "a" * 253 + "/" + "b" * 63],
            ["", "a/", "/a", "a/b/c", "A/b", "a b"],
        ),
        (label_value, ["", "A_b.c", "x" * 63], ["-", "a b", "a/b", "x" * 64, "é" * 32]),
    ],
)
def test_forms_of_texts(check, good, bad):
    assert [text for text in good if check(text)] == []
    assert [text for text in bad if not check(text)] == []


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ("subdomain", ["a-", "a.b-", "a--", "a"], ["-", "a.", "A"]),
        ("label", ["a-", "0-"], ["a.b-", "a."]),
        ("service", ["a-"], ["0ab-"]),
        ("path-segment", ["A b:", "-"], ["a/", "%", "."]),
    ],
)
def test_prefixes_of_names(rule, good, bad):
    assert [name for name in good if name_problems(name, rule, prefix=True)] == []
    assert [name for name in bad if not name_problems(name, rule, prefix=True)] == []


def test_a_name_may_not_end_like_a_prefix():
    assert name_problems("a-", "subdomain")


@given(st.from_regex(r"[a-z]([-a-z0-9]{0,100}[a-z0-9])?-?", fullmatch=True), st.integers())
def test_a_generated_name_is_valid_where_its_prefix_is(prefix, seed):
    name = generated_name(prefix, Random(seed))
    assert re.fullmatch("[bcdfghjklmnpqrstvwxz2456789]{5}", name[-5:])
    assert name[:-5] == prefix[:58]
    assert name_problems(name, "label") == []


def test_a_generated_name_comes_from_the_source_that_is_given():
    assert generated_name("a-", Random(7)) == generated_name("a-", Random(7))
    assert len({generated_name("a-", Random(seed)) for seed in range(20)}) == 20


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        ('a"\\\n\x07', '"a\\"\\\\\\n\\a"'),
        ("\x1b\x7f\u00ad\U000e0001é😀", '"\\x1b\\x7f\\u00ad\\U000e0001é😀"'),
        (True, "true"),
        (5, "5"),
        (1.5, "1.5"),
        (None, '"null"'),
        (["a", "b"], '[]string{"a", "b"}'),
        ({"a": [1]}, '{"a":[1]}'),
    ],
)
def test_values_in_messages(value, text):
    assert shown(value) == text


@given(st.text())
def test_quoted_text_can_be_printed(text):
    assert quoted(text).isprintable()

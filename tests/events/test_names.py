from __future__ import annotations

import pytest

from zenctl.errors import UsageError
from zenctl.events.names import Name, parse_names


@pytest.mark.parametrize(
    ("text", "namespace", "expected"),
    [
        ("trivy-1", "", Name("", "trivy-1")),
        ("trivy-1", "team-a", Name("team-a", "trivy-1")),
        ("team-a/trivy-1", "", Name("team-a", "trivy-1")),
        ("team-a/trivy-1", "team-a", Name("team-a", "trivy-1")),
        ("team-a/trivy.1", "", Name("team-a", "trivy.1")),
        ("a" * 253, "", Name("", "a" * 253)),
    ],
)
def test_a_name_is_read_with_what_it_leaves_out(text, namespace, expected):
    assert parse_names([text], namespace) == (expected,)


@pytest.mark.parametrize(
    "text",
    ["", "/", "a/", "/a", "a//b", "a/b/c/d", "A", "a b", "a,b", "a=b", "-a", "a.", "a/..", "../a", "a\n", "a" * 254,
     "a.b/c", f"{'n' * 64}/c", "ä"],
)  # fmt: skip
def test_what_cannot_be_a_name_is_a_usage_error_that_quotes_it(text):
    with pytest.raises(UsageError) as refused:
        parse_names([text], "")
    assert repr(text) in refused.value.message


@pytest.mark.parametrize("namespace", ["Team", "a.b", "../x"])
def test_a_namespace_option_that_cannot_be_one_is_refused(namespace):
    with pytest.raises(UsageError):
        parse_names(["a"], namespace)


def test_two_namespaces_for_one_name_are_refused():
    with pytest.raises(UsageError, match="another namespace than -n team-b"):
        parse_names(["team-a/x"], "team-b")


def test_a_name_that_is_given_twice_counts_once_and_order_stays():
    assert [str(name) for name in parse_names(["b", "team-a/b", "team-a/a", "b"], "team-a")] == [
        "team-a/b",
        "team-a/a",
    ]

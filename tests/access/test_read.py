"""Reading decoded Kubernetes objects, and the words for rules."""

from __future__ import annotations

from typing import Any

import pytest

from tests.access.samples import path_rule, rule
from zenctl.access.read import read_binding, read_role
from zenctl.access.rules import Binding, PolicyRule, Role, RoleRef, Subject, quoted
from zenctl.core.selectors import LabelRequirement, LabelSelector

AGGREGATED = {
    "metadata": {"name": "edit", "labels": {"a": "b"}, "uid": "1"},
    "aggregationRule": {
        "clusterRoleSelectors": [
            {
                "matchLabels": {"x": "y"},
                "matchExpressions": [{"key": "z", "operator": "NotIn", "values": ["1", "2"]}],
            },
            {},
        ]
    },
    "rules": [
        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]},
        {"verbs": ["get"], "nonResourceURLs": ["/metrics"], "apiGroups": None},
    ],
}


def test_a_cluster_role():
    assert read_role(AGGREGATED, "ClusterRole") == Role(
        kind="ClusterRole",
        name="edit",
        rules=(rule("get", "pods", names="a"), path_rule("get", "/metrics")),
        labels={"a": "b"},
        aggregation=(
            LabelSelector((LabelRequirement("x", "=", ("y",)), LabelRequirement("z", "notin", ("1", "2")))),
            LabelSelector(),
        ),
    )


def test_a_role_has_a_namespace_and_no_aggregation():
    document = {**AGGREGATED, "metadata": {"name": "edit", "namespace": "one"}}
    read = read_role(document, "Role")
    assert (read.namespace, read.aggregation) == ("one", None)
    assert read_role(document, "ClusterRole").namespace == ""


def test_a_binding():
    document = {
        "metadata": {"name": "b", "namespace": "one"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "bot", "namespace": "one"}, {"kind": "User", "name": "jane"}],
    }
    read = read_binding(document, "RoleBinding")
    assert read == Binding(
        kind="RoleBinding",
        name="b",
        namespace="one",
        role_ref=RoleRef("Role", "r"),
        subjects=(Subject("ServiceAccount", "bot", "one"), Subject("User", "jane")),
    )
    assert read_binding(document, "ClusterRoleBinding").namespace == ""


@pytest.mark.parametrize("metadata", [{}, {"metadata": None}, {"metadata": {"name": None, "labels": None}}])
@pytest.mark.parametrize("fields", [{}, {"rules": None, "aggregationRule": None, "subjects": None, "roleRef": None}])
def test_absent_and_null_fields_are_empty(metadata, fields):
    assert read_role({**metadata, **fields}, "Role") == Role(kind="Role", name="")
    bare = Binding(kind="RoleBinding", name="", role_ref=RoleRef("", ""))
    assert read_binding({**metadata, **fields}, "RoleBinding") == bare


@pytest.mark.parametrize(
    ("rules", "read"),
    [
        ([{}], PolicyRule()),
        ([{"verbs": None, "resources": None, "nonResourceURLs": None}], PolicyRule()),
        ([{"verbs": ["get"], "nonResourceUrls": ["/x"]}], PolicyRule(verbs=("get",))),
    ],
)
def test_rules_with_little_in_them(rules, read):
    assert read_role({"rules": rules}, "Role").rules == (read,)


def test_an_aggregation_rule_without_selectors_selects_nothing():
    selectors: list[dict[str, Any]] = [{}, {"clusterRoleSelectors": None}, {"clusterRoleSelectors": []}]
    for each in selectors:
        assert read_role({"aggregationRule": each}, "ClusterRole").aggregation == ()


WRONG = {"metadata": {"namespace": "one", "name": "r"}}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("text", "^Role: Expected `object`, got `str`"),
        ({"metadata": []}, "^Role: "),
        ({**WRONG, "rules": {}}, r"^Role one/r: .*\$.rules"),
        ({**WRONG, "rules": [{"verbs": "get"}]}, r"^Role one/r: Expected `array \| null`, got `str`.*rules.*verbs"),
        ({**WRONG, "rules": [{"verbs": ["get", 1]}]}, r"^Role one/r: Expected `str`, got `int`"),
        ({**WRONG, "rules": [{"verbs": [None]}]}, "^Role one/r: Expected `str`, got `null`"),
        ({**WRONG, "rules": [None]}, "^Role one/r: "),
        ({"metadata": {"name": 7}}, "^Role: .*metadata.name"),
        ({"metadata": {"name": "r", "labels": {"a": True}}}, "^Role r: .*labels"),
    ],
)
def test_a_wrong_type_is_an_error_that_names_object_and_field(document, problem):
    with pytest.raises(ValueError, match=problem):
        read_role(document, "Role")


@pytest.mark.parametrize(
    "document", [{"subjects": [{"name": 1}]}, {"subjects": {}}, {"roleRef": "r"}, {"roleRef": []}]
)
def test_a_wrong_type_in_a_binding_is_an_error(document):
    with pytest.raises(ValueError, match=r"^RoleBinding one/r: "):
        read_binding({**WRONG, **document}, "RoleBinding")


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ({"key": "a", "operator": "Equals"}, '"Equals" is not a valid label selector operator'),
        ({"operator": "Exists"}, "missing required field `key`"),
        ({"key": "a", "operator": "In"}, "values set can't be empty"),
        ({"key": "a", "operator": "NotIn", "values": []}, "values set can't be empty"),
        ({"key": "a", "operator": "Exists", "values": ["x"]}, "values set must be empty for exists"),
    ],
)
def test_a_selector_that_says_nothing_clear_is_an_error(expression, problem):
    document = {
        "metadata": {"name": "r"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchExpressions": [expression]}]},
    }
    with pytest.raises(ValueError, match=f"^ClusterRole r: aggregationRule: .*{problem}"):
        read_role(document, "ClusterRole")


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (
            rule("get list", "pods pods/log", groups="apps", names="a"),
            '{APIGroups:["apps"], Resources:["pods" "pods/log"], ResourceNames:["a"], Verbs:["get" "list"]}',
        ),
        (rule("get", "pods"), '{APIGroups:[""], Resources:["pods"], Verbs:["get"]}'),
        (path_rule("get", "/x*"), '{NonResourceURLs:["/x*"], Verbs:["get"]}'),
        (PolicyRule(), "{}"),
    ],
)
def test_a_rule_in_the_servers_words(made, text):
    assert str(made) == text


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("", '""'),
        ("plain text", '"plain text"'),
        ('a"b\\c', r'"a\"b\\c"'),
        ("aé😀日", '"aé😀日"'),
        ("\x01\t\n\x7f", r'"\x01\t\n\x7f"'),
        ("\u2028\u00a0\U000e0001", r'"\u2028\u00a0\U000e0001"'),
    ],
)
def test_quoting_escapes_what_cannot_be_printed(text, quote):
    assert quoted(text) == quote

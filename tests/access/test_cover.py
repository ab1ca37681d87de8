"""Which rules take in which: the check that stops users from granting what they lack."""

from __future__ import annotations

import pytest

from tests.access.samples import path_rule, rule, within
from zenctl.access.cover import breakdown, compact, escalation_message, uncovered
from zenctl.access.evaluate import Unresolved
from zenctl.access.identity import User

ALL = rule("*", "*", groups="*")


@pytest.mark.parametrize(
    ("owner", "servant", "covered"),
    [
        (rule("get list", "pods secrets"), rule("get", "pods"), True),
        (rule("get", "pods"), rule("get list", "pods"), False),
        (rule("*", "pods"), rule("get", "pods"), True),
        (rule("*", "pods"), rule("*", "pods"), True),
        (rule("get list watch create", "pods"), rule("*", "pods"), False),
        (rule("get", "pods", groups="*"), rule("get", "pods", groups="apps"), True),
        (rule("get", "pods", groups="apps"), rule("get", "pods"), False),
        (rule("get", "*"), rule("get", "pods/log"), True),
        (rule("get", "pods"), rule("get", "pods/log"), False),
        (rule("get", "*/log"), rule("get", "pods/log"), True),
        (rule("get", "*/log"), rule("get", "log"), False),
        (rule("get", "*/log"), rule("get", "*"), False),
        (rule("get", "*/"), rule("get", "log"), False),
        (rule("get", "pods/log"), rule("get", "*/log"), False),
        (rule("get", "pods/*"), rule("get", "pods/log"), False),
        (rule("get", "pods"), rule("get", "pods", names="a"), True),
        (rule("get", "pods", names="a"), rule("get", "pods"), False),
        (rule("get", "pods", names="a b"), rule("get", "pods", names="b"), True),
        (rule("get", "pods", names="a"), rule("get", "pods", names="a b"), False),
        (rule("get", "pods", names="*"), rule("get", "pods", names="a"), False),
        (ALL, rule("escalate", "roles", groups="x", names="a"), True),
        (ALL, path_rule("get", "/metrics"), False),
        (path_rule("*", "*"), rule("get", "pods"), False),
        (path_rule("*", "*"), path_rule("get", "/metrics/*"), True),
        (path_rule("get", "/metrics/*"), path_rule("get", "/metrics/x"), True),
        (path_rule("get", "/metrics/*"), path_rule("get", "/metrics/x*"), True),
        (path_rule("get", "/metrics/x*"), path_rule("get", "/metrics/*"), False),
        (path_rule("get", "/metrics"), path_rule("post", "/metrics"), False),
    ],
)
def test_one_rule_against_one(owner, servant, covered):
    assert (uncovered([owner], [servant]) == []) is covered


def test_atoms_may_be_covered_by_different_rules_but_each_by_one():
    owner = [rule("get", "pods"), rule("list", "secrets"), rule("get", "secrets", names="a")]
    assert uncovered(owner, [rule("get", "pods"), rule("list", "secrets")]) == []
    assert uncovered(owner, [rule("get list", "pods")]) == [rule("list", "pods")]
    assert uncovered(owner, [rule("get", "secrets")]) == [rule("get", "secrets")]


def test_what_is_missing_is_given_as_atoms_in_order():
    missing = uncovered([], [rule("get list", "pods", names="a b"), path_rule("get", "/x /y")])
    assert missing == [
        rule("get", "pods", names="a"),
        rule("get", "pods", names="b"),
        rule("list", "pods", names="a"),
        rule("list", "pods", names="b"),
        path_rule("get", "/x"),
        path_rule("get", "/y"),
    ]


def test_a_rule_that_permits_nothing_has_no_atoms_and_anybody_covers_it():
    for empty in (rule("", "pods"), rule("get", ""), path_rule("get", "")):
        assert list(breakdown(empty)) == []
        assert uncovered([], [empty]) == []


def test_compact_unites_verbs_but_not_those_of_paths():
    atoms = uncovered(
        [], [rule("get list", "pods secrets"), path_rule("get post", "/x"), rule("get", "pods", names="a")]
    )
    assert compact(atoms) == [
        rule("get list", "pods"),
        rule("get list", "secrets"),
        path_rule("get", "/x"),
        path_rule("post", "/x"),
        rule("get", "pods", names="a"),
    ]


def test_the_servers_words_for_an_escalation():
    user = User("jane", ("g", "system:authenticated"))
    missing = uncovered([], [rule("list get", "secrets pods"), path_rule("get", "/x")])
    assert escalation_message(user, missing) == (
        'user "jane" (groups=["g" "system:authenticated"])'
        " is attempting to grant RBAC permissions not currently held:"
        '\n{APIGroups:[""], Resources:["pods"], Verbs:["list" "get"]}'
        '\n{APIGroups:[""], Resources:["secrets"], Verbs:["list" "get"]}'
        '\n{NonResourceURLs:["/x"], Verbs:["get"]}'
    )


def test_roles_that_do_not_exist_end_the_words_for_an_escalation():
    unresolved = [Unresolved(within("one", "Role/gone")), Unresolved(within("one", "ClusterRole/gone"))]
    assert escalation_message(User("jane"), [path_rule("get", "/x")], unresolved) == (
        'user "jane" (groups=[]) is attempting to grant RBAC permissions not currently held:'
        '\n{NonResourceURLs:["/x"], Verbs:["get"]}'
        '; resolution errors: [[roles.rbac.authorization.k8s.io "gone" not found, '
        'clusterroles.rbac.authorization.k8s.io "gone" not found]]'
    )

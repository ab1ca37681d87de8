"""Aggregated ClusterRoles: selectors, steps, cycles, and where each rule came from."""

from __future__ import annotations

from typing import Any

from tests.access.samples import ask, everywhere, rule
from zenctl.access.aggregate import aggregate, trace
from zenctl.access.evaluate import Policy
from zenctl.access.identity import User
from zenctl.access.read import read_role
from zenctl.access.rules import PolicyRule, Role


def cluster_role(
    name: str, resources: str = "", labels: str = "", selects: list[dict[str, Any]] | None = None
) -> Role:
    """Make a ClusterRole with one rule per resource, labels as ``a=1 b=2``, and selectors as in manifests."""
    document: dict[str, Any] = {
        "metadata": {"name": name, "labels": dict(pair.split("=") for pair in labels.split())},
        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": [each]} for each in resources.split()],
    }
    if selects is not None:
        document["aggregationRule"] = {"clusterRoleSelectors": selects}
    return read_role(document, "ClusterRole")


def labelled(**labels: str) -> dict[str, Any]:
    return {"matchLabels": labels}


def resources(role: Role) -> list[str]:
    return [each.resources[0] for each in role.rules]


def aggregated(*roles: Role) -> dict[str, list[str]]:
    return {role.name: resources(role) for role in aggregate(roles)}


def test_any_of_the_selectors_is_enough_and_order_is_that_of_selectors_then_names():
    found = aggregated(
        cluster_role("z", "z1 z2", "first=yes"),
        cluster_role("b", "b", "second=yes"),
        cluster_role("a", "a", "second=yes"),
        cluster_role("other", "other", "first=no"),
        cluster_role("top", selects=[labelled(first="yes"), labelled(second="yes")]),
    )
    assert found["top"] == ["z1", "z2", "a", "b"]
    assert found["z"] == ["z1", "z2"]


def test_match_expressions_select_too():
    found = aggregated(
        cluster_role("a", "a", "t=one"),
        cluster_role("b", "b", "t=two u=no"),
        cluster_role(
            "top",
            selects=[
                {
                    "matchExpressions": [
                        {"key": "t", "operator": "In", "values": ["one", "two"]},
                        {"key": "u", "operator": "DoesNotExist"},
                    ]
                }
            ],
        ),
    )
    assert found["top"] == ["a"]


def test_aggregation_goes_through_any_number_of_steps():
    found = aggregated(
        cluster_role("admin", selects=[labelled(admin="true")]),
        cluster_role("edit", labels="admin=true", selects=[labelled(edit="true")]),
        cluster_role("view", labels="edit=true", selects=[labelled(view="true")]),
        cluster_role("reader", "pods", "view=true"),
        cluster_role("writer", "secrets", "edit=true"),
    )
    # "view" comes before "writer" by name, and so does what it united.
    assert found == {
        "admin": ["pods", "secrets"],
        "edit": ["pods", "secrets"],
        "view": ["pods"],
        "reader": ["pods"],
        "writer": ["secrets"],
    }


def test_equal_rules_count_once_and_for_the_first_that_has_them():
    *_, top = aggregate(
        [
            cluster_role("a", "pods secrets", "t=1"),
            cluster_role("b", "secrets pods nodes", "t=1"),
            cluster_role("top", selects=[labelled(t="1")]),
        ]
    )
    assert resources(top) == ["pods", "secrets", "nodes"]
    assert top.origins == (("a",), ("a",), ("b",))


def test_the_own_rules_of_an_aggregated_role_are_lost():
    found = aggregated(
        cluster_role("leaf", "pods", "t=1"),
        cluster_role("top", "own", selects=[labelled(t="1")]),
        cluster_role("empty", "own", selects=[]),
    )
    assert (found["top"], found["empty"]) == (["pods"], [])


def test_a_role_that_selects_itself_or_everything_contributes_nothing_of_its_own():
    roles = aggregate([cluster_role("z", "pods"), cluster_role("top", "own", "t=1", selects=[{}, labelled(t="1")])])
    assert (resources(roles[1]), roles[1].origins) == (["pods"], (("z",),))


def test_cycles_end_and_each_member_has_what_others_contribute():
    found = aggregated(
        cluster_role("a", "lost", "in=a", selects=[labelled(inner="b"), labelled(leaf="a")]),
        cluster_role("b", "lost", "inner=b", selects=[labelled(**{"in": "a"}), labelled(leaf="b")]),
        cluster_role("leaf-a", "pods", "leaf=a"),
        cluster_role("leaf-b", "nodes", "leaf=b"),
    )
    assert sorted(found["a"]) == sorted(found["b"]) == ["nodes", "pods"]


def test_roles_with_a_namespace_neither_aggregate_nor_are_selected():
    local = Role(kind="Role", namespace="one", name="local", labels={"t": "1"}, rules=(PolicyRule(verbs=("get",)),))
    roles = aggregate([local, cluster_role("top", selects=[labelled(t="1")])])
    assert roles[0] == local
    assert roles[1].rules == ()


def test_a_grant_names_the_roles_that_its_rule_came_through():
    roles = [
        cluster_role("edit", selects=[labelled(edit="true")]),
        cluster_role("view", labels="edit=true", selects=[labelled(view="true")]),
        cluster_role("reader", "pods", "view=true"),
        cluster_role("writer", "secrets", "edit=true"),
    ]
    policy = Policy(aggregate(roles), [everywhere("edit", "User:jane"), everywhere("writer", "User:jane")])
    jane = User("jane")
    (via_view,) = policy.grants(jane, ask("get pods"))
    assert via_view.aggregated_from == ("view", "reader")
    assert [grant.aggregated_from for grant in policy.grants(jane, ask("get secrets"))] == [("writer",), ()]


def test_in_a_live_cluster_the_stored_rules_are_believed_and_traced():
    live = cluster_role("top", "pods stale", selects=[labelled(t="1")])
    leaf = cluster_role("leaf", "pods new", "t=1")
    top, unchanged = trace([live, leaf])
    assert unchanged == leaf
    assert top.rules == (rule("get", "pods"), rule("get", "stale"))
    assert [top.origin(index) for index in range(2)] == [("leaf",), ()]

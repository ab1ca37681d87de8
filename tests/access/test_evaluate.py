"""What roles and bindings permit, one table per point of the semantics."""

from __future__ import annotations

import pytest

from tests.access.samples import ask, cluster_role, everywhere, path_rule, role, rule, within
from zenctl.access.attributes import NonResourceAttributes, ResourceAttributes
from zenctl.access.evaluate import Policy, Unresolved, joined, rule_allows
from zenctl.access.identity import ALWAYS_ALLOWED_GROUP, User, service_account
from zenctl.access.rules import Binding, PolicyRule, RoleRef, Subject
from zenctl.core.objects import NAMESPACE, ObjectKey, ResourceType

JANE = User("jane", ("g", "system:authenticated"))
NODE = ResourceType("", "v1", "Node", "nodes", namespaced=False)


def permits(held: PolicyRule, question: str, **where: str) -> bool:
    return rule_allows(held, ask(question, **where))


# ---------------------------------------------------------------- one rule


@pytest.mark.parametrize(
    ("verbs", "verb", "allowed"),
    [
        ("get", "get", True),
        ("get", "list", False),
        ("get", "Get", False),
        ("GET", "get", False),
        ("*", "impersonate", True),
        ("*", "escalate", True),
        ("get*", "get", False),
        ("get", "*", False),
        ("", "get", False),
    ],
)
def test_a_verb_is_exact_or_a_star(verbs, verb, allowed):
    assert permits(rule(verbs, "pods"), f"{verb} pods") is allowed


@pytest.mark.parametrize(
    ("groups", "group", "allowed"),
    [
        ("apps", "apps", True),
        ("", "", True),
        ("apps", "", False),
        ("", "apps", False),
        ("*", "apps", True),
        ("*", "", True),
        ("apps batch", "batch", True),
        ("*.k8s.io", "metrics.k8s.io", False),
    ],
)
def test_a_group_is_exact_or_a_star_and_the_core_group_is_empty(groups, group, allowed):
    assert permits(rule("get", "pods", groups=groups), "get pods", group=group) is allowed


@pytest.mark.parametrize(
    ("resources", "resource", "allowed"),
    [
        ("pods", "pods", True),
        ("pods", "pods/log", False),
        ("pods/log", "pods/log", True),
        ("pods/log", "pods", False),
        ("*", "pods", True),
        ("*", "pods/log", True),
        ("*/scale", "deployments/scale", True),
        ("*/scale", "deployments", False),
        ("*/scale", "deployments/status", False),
        ("*/scale", "deployments/upscale", False),
        ("pods/*", "pods/log", False),
        ("pods/*", "pods", False),
        ("*/*", "pods/log", False),
        ("pod*", "pods", False),
        ("Pods", "pods", False),
    ],
)
def test_a_resource_is_exact_or_a_star_or_a_star_before_its_subresource(resources, resource, allowed):
    assert permits(rule("get", resources), f"get {resource}") is allowed


@pytest.mark.parametrize(
    ("names", "question", "name", "allowed"),
    [
        ("", "get pods", "a", True),
        ("", "list pods", "", True),
        ("a b", "get pods", "b", True),
        ("a", "get pods", "b", False),
        ("a", "create pods", "", False),
        ("a", "deletecollection pods", "", False),
        ("a", "create pods/exec", "a", True),
        ("a", "list pods", "", False),
        ("a", "list pods", "a", True),
        ("*", "get pods", "a", False),
        ("*", "get pods", "*", True),
    ],
)
def test_names_are_literal_and_a_request_without_one_meets_no_pinned_rule(names, question, name, allowed):
    assert permits(rule("*", "pods pods/exec", names=names), question, name=name) is allowed


@pytest.mark.parametrize(
    ("url", "path", "allowed"),
    [
        ("/metrics", "/metrics", True),
        ("/metrics", "/metrics/", False),
        ("/metrics", "/metrics/x", False),
        ("/metrics/*", "/metrics/x/y", True),
        ("/metrics/*", "/metrics/", True),
        ("/metrics/*", "/metrics", False),
        ("/m*", "/metrics", True),
        ("/m**", "/metrics", True),
        ("*", "/anything", True),
        ("/*/x", "/a/x", False),
        ("/*/x", "/*/x", True),
    ],
)
def test_a_path_is_exact_or_has_a_star_at_its_end(url, path, allowed):
    assert permits(path_rule("get", url), f"get {path}") is allowed


def test_one_rule_has_to_satisfy_every_dimension():
    policy = Policy(
        [cluster_role("r", rule("get", "pods"), rule("delete", "secrets"), rule("list", "pods", names="a"))],
        [everywhere("r", "User:jane")],
    )
    assert policy.allows(JANE, ask("get pods"))
    assert policy.allows(JANE, ask("delete pods")) is None
    assert policy.allows(JANE, ask("get secrets")) is None
    assert policy.allows(JANE, ask("list pods", name="b")) is None


def test_resources_and_paths_in_one_rule_do_not_mix():
    both = PolicyRule(verbs=("get",), api_groups=("",), resources=("pods",), non_resource_urls=("/metrics",))
    assert permits(both, "get pods")
    assert permits(both, "get /metrics")
    assert not permits(both, "get secrets")
    assert not permits(both, "get /pods")


def test_rules_on_resources_say_nothing_of_paths():
    assert not permits(rule("*", "*", groups="*"), "get /metrics")
    assert not permits(path_rule("*", "*"), "get pods")


# ---------------------------------------------------------------- bindings


def test_without_a_grant_there_is_no_opinion_and_masters_are_no_exception_here():
    policy = Policy([], [])
    masters = User("root", (ALWAYS_ALLOWED_GROUP,))
    assert policy.allows(masters, ask("get pods")) is None
    assert policy.refusal(masters, ask("get pods")) == ""


def test_a_role_binding_of_a_cluster_role_gives_rights_in_its_namespace_only():
    policy = Policy(
        [cluster_role("r", rule("get", "pods nodes"), path_rule("get", "/metrics"))],
        [within("one", "ClusterRole/r", "User:jane")],
    )
    assert policy.allows(JANE, ask("get pods", namespace="one"))
    assert policy.allows(JANE, ask("get pods", namespace="two")) is None
    assert policy.allows(JANE, ask("get pods")) is None, "all namespaces at once"
    assert policy.allows(JANE, ask("get nodes")) is None, "cluster-scoped"
    assert policy.allows(JANE, ask("get /metrics")) is None


def test_a_cluster_role_binding_gives_rights_everywhere():
    policy = Policy(
        [cluster_role("r", rule("get", "pods nodes"), path_rule("get", "/metrics"))], [everywhere("r", "User:jane")]
    )
    for question in (ask("get pods"), ask("get pods", namespace="one"), ask("get nodes"), ask("get /metrics")):
        assert policy.allows(JANE, question)


def test_a_role_is_looked_up_in_the_namespace_of_its_binding_and_by_its_kind():
    roles = [role("one", "r", rule("get", "pods")), role("two", "r", rule("get", "secrets"))]
    roles.append(cluster_role("r", rule("get", "configmaps")))
    policy = Policy(roles, [within("two", "Role/r", "User:jane")])
    assert policy.allows(JANE, ask("get secrets", namespace="two"))
    for resource in ("pods", "configmaps"):
        for namespace in ("one", "two"):
            assert policy.allows(JANE, ask(f"get {resource}", namespace=namespace)) is None


def test_a_role_binding_without_a_namespace_gives_nothing():
    policy = Policy([cluster_role("r", rule("*", "*"))], [within("", "ClusterRole/r", "User:jane")])
    assert policy.allows(JANE, ask("get pods")) is None


def test_a_cluster_role_binding_cannot_have_a_role():
    binding = Binding(
        kind="ClusterRoleBinding", name="b", role_ref=RoleRef("Role", "r"), subjects=(Subject("User", "jane"),)
    )
    policy = Policy([role("", "r", rule("*", "*"))], [binding])
    assert policy.allows(JANE, ask("get pods")) is None
    assert policy.unresolved == (Unresolved(binding),)


# ---------------------------------------------------------------- subjects

BOT = service_account("one", "bot")


@pytest.mark.parametrize(
    ("subject", "in_role_binding", "in_cluster_role_binding"),
    [
        ("ServiceAccount:one/bot", True, True),
        ("ServiceAccount:two/bot", False, False),
        ("ServiceAccount:bot", True, False),
        ("User:system:serviceaccount:one:bot", True, True),
        ("User:system:serviceaccount:one:fan", False, False),
        ("User:bot", False, False),
        ("Group:system:serviceaccounts", True, True),
        ("Group:system:serviceaccounts:one", True, True),
        ("Group:system:serviceaccounts:two", False, False),
        ("Group:system:authenticated", True, True),
        ("Group:system:serviceaccount:one:bot", False, False),
        ("User:*", False, False),
        ("Group:*", False, False),
        ("Group:system:*", False, False),
        ("User:system:serviceaccount:one:*", False, False),
        ("ServiceAccount:one/*", False, False),
        ("Robot:system:serviceaccount:one:bot", False, False),
        ("user:system:serviceaccount:one:bot", False, False),
    ],
)
def test_who_is_meant_by_a_subject(subject, in_role_binding, in_cluster_role_binding):
    roles = [cluster_role("r", rule("get", "pods"))]
    question = ask("get pods", namespace="one")
    bound = Policy(roles, [within("one", "ClusterRole/r", subject)])
    assert bool(bound.allows(BOT, question)) is in_role_binding
    assert bool(Policy(roles, [everywhere("r", subject)]).allows(BOT, question)) is in_cluster_role_binding


@pytest.mark.parametrize(
    ("subject", "namespace", "principal"),
    [
        (Subject("User", "jane"), "one", ("User", "jane")),
        (Subject("Group", "g", "two"), "", ("Group", "g")),
        (Subject("ServiceAccount", "bot"), "one", ("User", "system:serviceaccount:one:bot")),
        (Subject("ServiceAccount", "bot", "two"), "one", ("User", "system:serviceaccount:two:bot")),
        (Subject("ServiceAccount", "bot"), "", None),
        (Subject("Robot", "bot"), "one", None),
    ],
)
def test_what_a_subject_amounts_to_in_the_namespace_of_its_binding(subject, namespace, principal):
    assert subject.principal(namespace) == principal


def test_a_subject_that_does_not_match_hides_none_after_it():
    policy = Policy(
        [cluster_role("r", rule("get", "pods"))],
        [everywhere("r", "Group:other", "Robot:x", "ServiceAccount:one/bot")],
    )
    assert policy.allows(BOT, ask("get pods"))


def test_groups_count_as_given_and_nothing_is_added_to_them():
    policy = Policy([cluster_role("r", rule("get", "pods"))], [everywhere("r", "Group:system:serviceaccounts:one")])
    assert policy.allows(User("system:serviceaccount:one:bot"), ask("get pods")) is None
    assert policy.allows(User("jane", ("system:serviceaccounts:one",)), ask("get pods"))


# ---------------------------------------------------------------- paths of grants


def test_a_grant_has_its_path_and_the_reason_in_the_servers_words():
    roles = [cluster_role("r", rule("list", "pods"), rule("get", "pods")), role("one", "s", rule("get", "pods"))]
    policy = Policy(
        roles,
        [
            within("one", "Role/s", "ServiceAccount:bot", name="local"),
            everywhere("r", "User:x", "Group:g", "User:jane", name="global"),
            within("one", "ClusterRole/r", "User:jane", name="third"),
        ],
    )
    first, second = policy.grants(JANE, ask("get pods", namespace="one"))
    assert policy.allows(JANE, ask("get pods", namespace="one")) == first
    assert (first.binding.name, first.role.name, first.rule_index) == ("global", "r", 1)
    assert [each.name for each in first.subjects] == ["g", "jane"]
    assert first.rule == rule("get", "pods")
    assert first.reason == 'RBAC: allowed by ClusterRoleBinding "global" of ClusterRole "r" to Group "g"'
    assert second.reason == 'RBAC: allowed by RoleBinding "third/one" of ClusterRole "r" to User "jane"'
    (local,) = policy.grants(User("system:serviceaccount:one:bot"), ask("get pods", namespace="one"))
    assert local.reason == 'RBAC: allowed by RoleBinding "local/one" of Role "s" to ServiceAccount "bot/one"'


def test_what_is_held_has_every_rule_once_however_many_subjects_match():
    policy = Policy(
        [cluster_role("r", rule("get", "pods"), rule("get", "pods"))],
        [everywhere("r", "Group:g", "User:jane"), within("one", "ClusterRole/r", "Group:g")],
    )
    assert [grant.rule_index for grant in policy.held(JANE, "one")] == [0, 1, 0, 1]
    assert [grant.binding.kind for grant in policy.held(JANE, "")] == ["ClusterRoleBinding"] * 2


# ---------------------------------------------------------------- roles that do not exist


def test_a_binding_to_a_missing_role_is_an_error_and_no_right():
    missing = [
        everywhere("gone", "User:jane", name="a"),
        everywhere("gone", "User:jane", name="b"),
        within("one", "Role/gone", "Group:g", name="c"),
        within("one", "Thing/gone", "Group:other", name="d"),
    ]
    policy = Policy([cluster_role("r", rule("get", "pods"))], [everywhere("r", "User:jane", name="e"), *missing])
    question = ask("list pods", namespace="one")
    assert policy.allows(JANE, question) is None
    assert policy.refusal(JANE, question) == (
        'RBAC: [clusterrole.rbac.authorization.k8s.io "gone" not found, '
        'role.rbac.authorization.k8s.io "gone" not found]'
    )
    assert policy.refusal(JANE, ask("get /x")) == 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found'
    assert policy.allows(JANE, ask("get pods")), "rights that resolve are not affected"
    assert [each.binding.name for each in policy.unresolved_for(JANE, "one")] == ["a", "b", "c"]
    assert [each.binding.name for each in policy.unresolved] == ["a", "b", "c", "d"]
    assert policy.unresolved[-1].message == 'unsupported role reference kind: "Thing"'
    assert policy.unresolved[0].stored_message == 'clusterroles.rbac.authorization.k8s.io "gone" not found'


@pytest.mark.parametrize(("messages", "text"), [([], ""), (["a", "a"], "a"), (["b", "a", "b"], "[b, a]")])
def test_messages_are_joined_once_each(messages, text):
    assert joined(messages) == text


# ---------------------------------------------------------------- listing rules


def test_a_rules_review_lists_what_the_server_lists():
    both = PolicyRule(verbs=("get",), api_groups=("",), resources=("pods",), non_resource_urls=("/x",))
    policy = Policy(
        [cluster_role("r", path_rule("get", "/metrics"), rule("get", "pods", names="a")), cluster_role("s", both)],
        [
            within("one", "ClusterRole/r", "User:jane"),
            within("one", "Role/gone", "User:jane"),
            within("two", "ClusterRole/r", "User:jane"),
            everywhere("s", "Group:g"),
        ],
    )
    review = policy.rules_for(JANE, "one")
    assert review.resource_rules == (rule("get", "pods"), rule("get", "pods", names="a"))
    # The last one is from a RoleBinding and permits nothing, but the server lists it too.
    assert review.non_resource_rules == (path_rule("get", "/x"), path_rule("get", "/metrics"))
    assert review.evaluation_error == 'role.rbac.authorization.k8s.io "gone" not found'


def test_a_rules_review_of_nobody_is_empty():
    assert Policy([], []).rules_for(JANE, "one") == ((), (), ())
    assert Policy([], []).rules_for(JANE, "one").evaluation_error == ""


# ---------------------------------------------------------------- questions about known resources


@pytest.mark.parametrize(
    ("resource", "key", "namespace"),
    [
        (ResourceType("apps", "v1", "Deployment", "deployments"), ObjectKey("one", "a"), "one"),
        (NODE, ObjectKey("one", "a"), ""),
        (NAMESPACE, ObjectKey("", "one"), "one"),
        (NAMESPACE, ObjectKey("one", ""), ""),
        (ResourceType("x.io", "v1", "Namespace", "namespaces", namespaced=False), ObjectKey("", "one"), ""),
    ],
)
def test_a_cluster_scoped_resource_is_asked_about_without_a_namespace(resource, key, namespace):
    asked = ResourceAttributes.of(resource, "get", key, "status")
    assert (asked.namespace, asked.name, asked.subresource) == (namespace, key.name, "status")
    assert (asked.group, asked.version, asked.resource) == (resource.group, resource.version, resource.plural)


def test_a_namespace_given_for_a_cluster_scoped_resource_would_mislead():
    policy = Policy([cluster_role("r", rule("get", "nodes"))], [within("one", "ClusterRole/r", "User:jane")])
    assert policy.allows(JANE, ask("get nodes", namespace="one")), "what RBAC alone answers, on a real server too"
    assert policy.allows(JANE, ResourceAttributes.of(NODE, "get", ObjectKey("one", "a"))) is None


def test_a_path_is_in_no_namespace():
    assert NonResourceAttributes(verb="get", path="/x").namespace == ""

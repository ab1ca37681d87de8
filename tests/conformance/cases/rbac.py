"""Roles and bindings: what they let users do, and what nobody can give away."""

from __future__ import annotations

import copy

from tests.conformance.api import Document
from tests.conformance.expect import causes, eventually, refused, succeeded
from tests.conformance.grants import allowed, grant, grant_everywhere, reference, rule, subject
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
)

JANE = "jane"
NOT_HELD = "is attempting to grant RBAC permissions not currently held"


def binding(name: str, role: Document, *subjects: Document) -> Document:
    return ROLE_BINDINGS.body(name, roleRef=role, subjects=list(subjects))


@case()
def a_role_lets_a_user_do_what_it_says_and_no_more(place: Place) -> None:
    grant(place, JANE, rule(CONFIG_MAPS, "create", "get"), rule(place.widgets, "list"))
    jane = place.user(JANE)
    assert jane.request("POST", place.path(CONFIG_MAPS), CONFIG_MAPS.body("a")).status == 201
    assert jane.request("GET", place.path(CONFIG_MAPS, "a")).status == 200
    assert jane.request("GET", place.path(place.widgets)).status == 200
    assert jane.request("GET", place.path(CONFIG_MAPS)).status == 403
    assert jane.request("DELETE", place.path(CONFIG_MAPS, "a")).status == 403
    assert jane.request("GET", place.path(SECRETS)).status == 403
    assert jane.request("GET", place.path(place.widgets, "a")).status == 403


@case()
def a_grant_ends_with_its_binding(place: Place) -> None:
    grant(place, JANE, rule(CONFIG_MAPS, "list"))
    (name,) = place.names(ROLE_BINDINGS)
    place.delete(ROLE_BINDINGS, name)
    jane = place.user(JANE)
    eventually(lambda: jane.request("GET", place.path(CONFIG_MAPS)).status == 403, "the end of a grant")


@case()
def a_cluster_role_can_be_bound_in_one_namespace(place: Place) -> None:
    other = place.new_namespace()
    name = place.new_name()
    place.create(CLUSTER_ROLES, name, rules=[rule(CONFIG_MAPS, "get")])
    place.create(ROLE_BINDINGS, "a", roleRef=reference("ClusterRole", name), subjects=[subject(JANE)])
    attributes = {"verb": "get", "resource": "configmaps"}
    eventually(lambda: allowed(place, JANE, **attributes, namespace=place.namespace), "a grant coming into force")
    assert not allowed(place, JANE, **attributes, namespace=other)
    assert not allowed(place, JANE, verb="get", resource="secrets", namespace=place.namespace)


@case()
def a_named_object_can_be_watched_and_listed_by_its_name(place: Place) -> None:
    for name in "ab":
        place.create(CONFIG_MAPS, name)
    grant(place, JANE, rule(CONFIG_MAPS, "get", "list", resourceNames=["a"]))
    jane = place.user(JANE)
    listed = succeeded(jane.request("GET", place.path(CONFIG_MAPS, fieldSelector="metadata.name=a")))
    assert [item["metadata"]["name"] for item in listed["items"]] == ["a"]
    assert jane.request("GET", place.path(CONFIG_MAPS, "b")).status == 403
    assert jane.request("GET", place.path(CONFIG_MAPS)).status == 403


@case()
def paths_are_granted_by_prefix(place: Place) -> None:
    user = place.new_name()
    marker = rule(PODS, "get")
    grant_everywhere(place, user, {"nonResourceURLs": ["/metrics", "/nope/*"], "verbs": ["get"]}, marker)
    for path, status in (("/metrics", 200), ("/metrics/more", 403), ("/nope/x", 404), ("/nope", 403)):
        found = place.user(user).request("GET", path).status
        assert found == status or (path, found) == ("/metrics", 404), path


@case()
def nobody_creates_a_role_with_more_than_they_hold(place: Place) -> None:
    grant(place, JANE, rule(PODS, "get"), rule(ROLES, "create"))
    jane = place.user(JANE)
    body = ROLES.body("a", rules=[rule(SECRETS, "get", "list")])
    refused(
        jane.request("POST", place.path(ROLES), body),
        403,
        "Forbidden",
        'roles.rbac.authorization.k8s.io "a" is forbidden: user "jane" (groups=["system:authenticated"]) ',
        f"{NOT_HELD}:\n",
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
    )
    held = ROLES.body("a", rules=[rule(PODS, "get", resourceNames=["p"])])
    assert jane.request("POST", place.path(ROLES), held).status == 201


@case()
def nobody_widens_a_role_beyond_what_they_hold(place: Place) -> None:
    place.create(ROLES, "a", rules=[rule(PODS, "get")])
    grant(place, JANE, rule(PODS, "get"), rule(ROLES, "get", "update"))
    jane = place.user(JANE)
    role = succeeded(jane.request("GET", place.path(ROLES, "a")))
    role["metadata"]["labels"] = {"k": "v"}
    role = succeeded(jane.request("PUT", place.path(ROLES, "a"), role))
    role["rules"].append(rule(SECRETS, "get"))
    refused(jane.request("PUT", place.path(ROLES, "a"), role), 403, "Forbidden", NOT_HELD, '"secrets"')


@case()
def nobody_binds_a_role_with_more_than_they_hold(place: Place) -> None:
    grant(place, JANE, rule(PODS, "get"), rule(ROLE_BINDINGS, "create"))
    body = binding("a", reference("ClusterRole", "cluster-admin"), subject(JANE))
    refused(
        place.user(JANE).request("POST", place.path(ROLE_BINDINGS), body),
        403,
        "Forbidden",
        'rolebindings.rbac.authorization.k8s.io "a" is forbidden: user "jane" (groups=["system:authenticated"]) ',
        NOT_HELD,
        '\n{APIGroups:["*"], Resources:["*"], Verbs:["*"]}',
        '\n{NonResourceURLs:["*"], Verbs:["*"]}',
    )


@case()
def a_role_that_is_held_can_be_bound(place: Place) -> None:
    place.create(ROLES, "held", rules=[rule(PODS, "get")])
    grant(place, JANE, rule(PODS, "get"), rule(ROLE_BINDINGS, "create"))
    body = binding("a", reference("Role", "held"), subject("joe"))
    assert place.user(JANE).request("POST", place.path(ROLE_BINDINGS), body).status == 201


@case()
def the_verbs_escalate_and_bind_lift_the_rule(place: Place) -> None:
    grant(place, JANE, rule(ROLES, "create", "escalate"), rule(ROLE_BINDINGS, "create"), rule(ROLES, "bind"))
    jane = place.user(JANE)
    body = ROLES.body("a", rules=[rule(SECRETS, "get")])
    assert jane.request("POST", place.path(ROLES), body).status == 201
    body = binding("a", reference("Role", "a"), subject("joe"))
    assert jane.request("POST", place.path(ROLE_BINDINGS), body).status == 201


@case()
def a_role_that_is_not_there_cannot_be_bound_by_just_anybody(place: Place) -> None:
    grant(place, JANE, rule(ROLE_BINDINGS, "create"))
    body = binding("a", reference("Role", "missing"), subject(JANE))
    answer = place.user(JANE).request("POST", place.path(ROLE_BINDINGS), body)
    refused(answer, 404, "NotFound", 'roles.rbac.authorization.k8s.io "missing" not found')
    assert place.send("POST", ROLE_BINDINGS, body=body).status == 201


@case()
def a_binding_keeps_its_role(place: Place) -> None:
    place.create(ROLE_BINDINGS, "a", roleRef=reference("Role", "one"), subjects=[subject(JANE)])
    made = place.get(ROLE_BINDINGS, "a")
    changed = copy.deepcopy(made)
    changed["roleRef"]["name"] = "two"
    status = refused(place.send("PUT", ROLE_BINDINGS, "a", changed), 422, "Invalid", "cannot change roleRef")
    assert causes(status) == [("FieldValueInvalid", "roleRef")]
    made["subjects"].append(subject("joe"))
    assert len(place.put(ROLE_BINDINGS, made)["subjects"]) == 2


@case()
def a_cluster_binding_keeps_its_role(place: Place) -> None:
    name = place.new_name()
    made = place.create(
        CLUSTER_ROLE_BINDINGS, name, roleRef=reference("ClusterRole", "one"), subjects=[subject(place.new_name())]
    )
    made["roleRef"]["name"] = "two"
    refused(
        place.send("PUT", CLUSTER_ROLE_BINDINGS, name, made), 422, "Invalid", "roleRef: ", "cannot change roleRef"
    )


@case()
def an_api_group_left_out_is_filled_in(place: Place) -> None:
    made = place.create(
        ROLE_BINDINGS,
        "a",
        roleRef={"kind": "Role", "name": "r"},
        subjects=[{"kind": "User", "name": JANE}, {"kind": "ServiceAccount", "name": "sa", "namespace": "ns"}],
    )
    assert made["roleRef"]["apiGroup"] == "rbac.authorization.k8s.io"
    user, account = made["subjects"]
    assert user["apiGroup"] == "rbac.authorization.k8s.io"
    assert account == {"kind": "ServiceAccount", "name": "sa", "namespace": "ns"}


@case()
def bad_bindings_are_invalid(place: Place) -> None:
    good = reference("Role", "r")
    for body, field, words in (
        (binding("a", reference("Foo", "r")), "roleRef.kind", 'Unsupported value: "Foo": supported values: '),
        (binding("a", reference("Role", "")), "roleRef.name", "Required value"),
        (binding("a", good, subject("x", "Foo")), "subjects[0].kind", 'Unsupported value: "Foo": supported values: '),
        (binding("a", good, subject("")), "subjects[0].name", "Required value"),
    ):
        status = refused(place.send("POST", ROLE_BINDINGS, body=body), 422, "Invalid", f"{field}: {words}")
        assert [each for _, each in causes(status)] == [field]


@case()
def bad_rules_are_invalid(place: Place) -> None:
    for given, field, words in (
        ({"apiGroups": [""], "resources": ["pods"]}, "verbs", "verbs must contain at least one value"),
        ({"verbs": ["get"], "resources": ["pods"]}, "apiGroups", "resource rules must supply at least one api group"),
        ({"verbs": ["get"], "apiGroups": [""]}, "resources", "resource rules must supply at least one resource"),
    ):
        answer = place.send("POST", ROLES, body=ROLES.body("a", rules=[given]))
        refused(answer, 422, "Invalid", f"rules[0].{field}: Required value: {words}")
    answer = place.send("POST", ROLES, body=ROLES.body("a", rules=[{"verbs": ["get"], "nonResourceURLs": ["/x"]}]))
    refused(answer, 422, "Invalid", "rules[0].nonResourceURLs", "namespaced rules cannot apply to non-resource URLs")


@case()
def a_role_may_be_empty(place: Place) -> None:
    assert place.create(ROLES, "a")["rules"] is None
    assert place.create(ROLES, "b", rules=[])["rules"] is None


@case()
def names_of_roles_are_path_segments(place: Place) -> None:
    made = succeeded(place.send("POST", ROLES, body=ROLES.body("system:Odd:Name_1")), 201)
    assert made["metadata"]["name"] == "system:Odd:Name_1"
    for name, words in (("a/b", "may not contain '/'"), ("a%", "may not contain '%'"), ("..", "may not be '..'")):
        status = refused(place.send("POST", ROLES, body=ROLES.body(name)), 422, "Invalid", "metadata.name: ", words)
        assert ("FieldValueInvalid", "metadata.name") in causes(status)


@case()
def some_roles_are_there_from_the_start(place: Place) -> None:
    admin = place.get(CLUSTER_ROLES, "cluster-admin")
    assert admin["rules"] == [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]
    for name in ("view", "edit", "admin", "system:discovery", "system:basic-user", "system:public-info-viewer"):
        assert place.get(CLUSTER_ROLES, name)["metadata"]["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults"
    (masters,) = place.get(CLUSTER_ROLE_BINDINGS, "cluster-admin")["subjects"]
    assert (masters["kind"], masters["name"]) == ("Group", "system:masters")

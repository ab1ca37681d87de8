"""Access reviews: asking the server what somebody may do."""

from __future__ import annotations

from tests.conformance.api import Answer, Api, Document
from tests.conformance.expect import causes, refused, succeeded
from tests.conformance.grants import allowed, grant, grant_everywhere, rule
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, PODS, SECRETS

API = "/apis/authorization.k8s.io/v1"
JANE = "jane"
GET_PODS = {"verb": "get", "resource": "pods"}


def review(api: Api, kind: str, spec: Document, namespace: str = "") -> Answer:
    where = f"{API}/namespaces/{namespace}" if namespace else API
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    return api.request("POST", f"{where}/{kind.lower()}s", body)


def verdict(answer: Answer) -> bool:
    reviewed = succeeded(answer, 201)
    assert isinstance(reviewed["status"]["allowed"], bool)
    return bool(reviewed["status"]["allowed"])


@case()
def one_may_ask_about_oneself(place: Place) -> None:
    spec = {"resourceAttributes": {**GET_PODS, "namespace": place.namespace}}
    assert verdict(review(place.api, "SelfSubjectAccessReview", spec)) is True
    assert verdict(review(place.user(JANE), "SelfSubjectAccessReview", spec)) is False
    grant(place, JANE, rule(PODS, "get"))
    assert verdict(review(place.user(JANE), "SelfSubjectAccessReview", spec)) is True


@case()
def a_review_repeats_the_question(place: Place) -> None:
    spec = {"resourceAttributes": {**GET_PODS, "namespace": place.namespace}}
    answered = succeeded(review(place.api, "SelfSubjectAccessReview", spec), 201)
    assert (answered["kind"], answered["apiVersion"]) == ("SelfSubjectAccessReview", "authorization.k8s.io/v1")
    assert answered["spec"] == spec
    assert answered["status"]["allowed"] is True
    assert "denied" not in answered["status"]


@case()
def a_reason_names_binding_role_and_subject(place: Place) -> None:
    spec = {"nonResourceAttributes": {"path": "/version", "verb": "get"}}
    status = succeeded(review(place.user(JANE), "SelfSubjectAccessReview", spec), 201)["status"]
    assert status["allowed"] is True
    assert status["reason"].startswith('RBAC: allowed by ClusterRoleBinding "system:')
    assert status["reason"].endswith('to Group "system:authenticated"')


@case()
def one_may_ask_about_paths(place: Place) -> None:
    for path, expected in (("/version", True), ("/apis/apps", True), ("/metrics", False)):
        spec = {"nonResourceAttributes": {"path": path, "verb": "get"}}
        assert verdict(review(place.user(JANE), "SelfSubjectAccessReview", spec)) is expected


@case()
def one_may_ask_about_another_user_and_groups(place: Place) -> None:
    asked = {"resourceAttributes": {**GET_PODS, "namespace": place.namespace}}
    grant(place, "testers", rule(PODS, "get"), subject_kind="Group")
    for who, expected in (
        ({"user": JANE}, False),
        ({"user": JANE, "groups": ["testers"]}, True),
        ({"groups": ["testers"]}, True),
        ({"groups": ["system:masters"]}, True),
        ({"user": JANE, "groups": ["others"]}, False),
    ):
        assert verdict(review(place.api, "SubjectAccessReview", {**who, **asked})) is expected, who


@case()
def rules_hold_for_their_namespace_only(place: Place) -> None:
    other = place.new_namespace()
    grant(place, JANE, rule(PODS, "get"))
    assert allowed(place, JANE, **GET_PODS, namespace=place.namespace)
    assert not allowed(place, JANE, **GET_PODS, namespace=other)
    assert not allowed(place, JANE, **GET_PODS)


@case()
def cluster_roles_hold_everywhere(place: Place) -> None:
    user = place.new_name()
    grant_everywhere(place, user, rule(PODS, "get"))
    assert allowed(place, user, **GET_PODS)
    assert allowed(place, user, **GET_PODS, namespace=place.namespace)
    assert not allowed(place, user, verb="list", resource="pods")


@case()
def names_and_subresources_are_told_apart(place: Place) -> None:
    rules = (rule(PODS, "get", subresource="log"), rule(SECRETS, "get", resourceNames=["mine"]))
    grant(place, JANE, *rules)
    where = {"namespace": place.namespace}
    assert allowed(place, JANE, **GET_PODS, subresource="log", **where)
    assert not allowed(place, JANE, **GET_PODS, **where)
    assert allowed(place, JANE, verb="get", resource="secrets", name="mine", **where)
    assert not allowed(place, JANE, verb="get", resource="secrets", name="other", **where)
    assert not allowed(place, JANE, verb="get", resource="secrets", **where)


@case()
def wildcards_match_everything_and_are_asked_for_literally(place: Place) -> None:
    user = place.new_name()
    grant_everywhere(place, user, {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]})
    assert allowed(place, user, verb="anything", group="example.com", resource="things", subresource="s")
    assert allowed(place, user, verb="*", group="*", resource="*")
    grant(place, JANE, rule(PODS, "get"))
    assert not allowed(place, JANE, verb="*", resource="pods", namespace=place.namespace)


@case()
def subresources_of_all_resources_can_be_granted(place: Place) -> None:
    grant(place, JANE, {"apiGroups": [""], "resources": ["*/status"], "verbs": ["get"]})
    assert allowed(place, JANE, **GET_PODS, subresource="status", namespace=place.namespace)
    assert not allowed(place, JANE, **GET_PODS, namespace=place.namespace)


@case()
def a_local_review_is_about_its_namespace(place: Place) -> None:
    grant(place, JANE, rule(PODS, "get"))
    asked = {"user": JANE, "resourceAttributes": {**GET_PODS, "namespace": place.namespace}}
    body = {"metadata": {"namespace": place.namespace}, "spec": asked}
    path = f"{API}/namespaces/{place.namespace}/localsubjectaccessreviews"
    assert verdict(place.api.request("POST", path, body)) is True
    asked["resourceAttributes"] = {**GET_PODS, "namespace": "other"}
    refused(place.api.request("POST", path, body), 422, "Invalid", "must match metadata.namespace")


@case()
def a_local_review_is_not_about_paths(place: Place) -> None:
    spec = {"user": JANE, "nonResourceAttributes": {"path": "/x", "verb": "get"}}
    body = {"metadata": {"namespace": place.namespace}, "spec": spec}
    path = f"{API}/namespaces/{place.namespace}/localsubjectaccessreviews"
    refused(place.api.request("POST", path, body), 422, "Invalid", "disallowed on this kind of request")


@case()
def a_review_asks_exactly_one_thing(place: Place) -> None:
    words = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
    status = refused(review(place.api, "SelfSubjectAccessReview", {}), 422, "Invalid", words)
    assert causes(status) == [("FieldValueInvalid", "spec.resourceAttributes")]
    both = {"resourceAttributes": GET_PODS, "nonResourceAttributes": {"path": "/x", "verb": "get"}}
    words = "cannot be specified in combination with resourceAttributes"
    status = refused(review(place.api, "SelfSubjectAccessReview", both), 422, "Invalid", words)
    assert causes(status) == [("FieldValueInvalid", "spec.nonResourceAttributes")]


@case()
def a_review_is_about_somebody(place: Place) -> None:
    words = 'spec.user: Invalid value: "": at least one of user or group must be specified'
    refused(review(place.api, "SubjectAccessReview", {"resourceAttributes": GET_PODS}), 422, "Invalid", words)


@case()
def not_everybody_may_ask_about_others(place: Place) -> None:
    answer = review(place.user(JANE), "SubjectAccessReview", {"user": "x", "resourceAttributes": GET_PODS})
    refused(
        answer, 403, "Forbidden", 'cannot create resource "subjectaccessreviews" in API group "authorization.k8s.io"'
    )


@case()
def one_may_ask_for_all_ones_rules(place: Place) -> None:
    given = rule(CONFIG_MAPS, "get", "list")
    grant(place, JANE, given)
    status = succeeded(review(place.user(JANE), "SelfSubjectRulesReview", {"namespace": place.namespace}), 201)[
        "status"
    ]
    assert status["incomplete"] is False
    assert given in status["resourceRules"]
    reviews = [rule for rule in status["resourceRules"] if rule["apiGroups"] == ["authorization.k8s.io"]]
    assert any("selfsubjectaccessreviews" in rule["resources"] for rule in reviews)
    assert any("/version" in rule["nonResourceURLs"] for rule in status["nonResourceRules"])


@case()
def rules_are_those_of_one_namespace(place: Place) -> None:
    other = place.new_namespace()
    given = rule(CONFIG_MAPS, "get", "list")
    grant(place, JANE, given)
    status = succeeded(review(place.user(JANE), "SelfSubjectRulesReview", {"namespace": other}), 201)["status"]
    assert given not in status["resourceRules"]
    refused(review(place.user(JANE), "SelfSubjectRulesReview", {}), 400, "BadRequest", "no namespace on request")


@case()
def reviews_are_not_stored(place: Place) -> None:
    answer = place.api.request("GET", f"{API}/selfsubjectaccessreviews")
    refused(answer, 405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

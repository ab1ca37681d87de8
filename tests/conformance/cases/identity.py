"""Who a request is from, what it is told when it may not, and how one acts as another."""

from __future__ import annotations

from tests.conformance.api import MERGE_PATCH, Answer, Impersonating
from tests.conformance.expect import refused, succeeded
from tests.conformance.grants import grant
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, NAMESPACES, NODES, PODS, Resource

JANE = "jane"


def as_jane(place: Place, method: str, path: str, body: object = None) -> Answer:
    headers = {"Content-Type": MERGE_PATCH} if method == "PATCH" else None
    return place.user(JANE).request(method, path, body, headers=headers)


@case()
def an_unknown_token_is_unauthorized(place: Place) -> None:
    for path in ("/api/v1/namespaces", "/apis/apps/v1", place.path(place.widgets)):
        status = refused(place.api.request("GET", path, token="not-a-token"), 401, "Unauthorized", "Unauthorized")
        assert status["message"] == "Unauthorized"


@case()
def no_token_is_the_anonymous_user(place: Place) -> None:
    answer = place.api.request("GET", place.path(CONFIG_MAPS), token="")
    words = (
        'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" in the'
    )
    refused(answer, 403, "Forbidden", words)


@case()
def everybody_may_see_health_and_version(place: Place) -> None:
    for path in ("/version", "/healthz", "/readyz", "/livez"):
        assert place.api.request("GET", path, token="").status == 200


@case()
def discovery_is_for_the_authenticated(place: Place) -> None:
    for path in ("/api", "/apis", "/api/v1", f"/apis/{place.widgets.group}/v1"):
        answer = place.api.request("GET", path, token="")
        refused(answer, 403, "Forbidden", f'forbidden: User "system:anonymous" cannot get path "{path}"')
        assert as_jane(place, "GET", path).status == 200


@case()
def a_refusal_about_a_collection_tells_verb_resource_and_namespace(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        told = f'{resource.qualified} is forbidden: User "jane" cannot'
        where = f'in API group "{resource.group}" in the namespace "{place.namespace}"'
        path = place.path(resource)
        for method, target, verb in (
            ("GET", path, "list"),
            ("POST", path, "create"),
            ("DELETE", path, "deletecollection"),
            ("GET", f"{path}?watch=1", "watch"),
        ):
            answer = as_jane(place, method, target, resource.body("a") if method == "POST" else None)
            status = refused(answer, 403, "Forbidden", f'{told} {verb} resource "{resource.plural}" {where}')
            details = {"group": resource.group, "kind": resource.plural}
            assert status["details"] == {key: value for key, value in details.items() if value}


@case()
def a_refusal_about_an_object_tells_its_name(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        told = f'{resource.qualified} "a" is forbidden: User "jane" cannot'
        where = f'in API group "{resource.group}" in the namespace "{place.namespace}"'
        path = place.path(resource, "a")
        for method, verb in (("GET", "get"), ("PUT", "update"), ("PATCH", "patch"), ("DELETE", "delete")):
            body = None if method in ("GET", "DELETE") else resource.body("a")
            status = refused(
                as_jane(place, method, path, body),
                403,
                "Forbidden",
                f'{told} {verb} resource "{resource.plural}" {where}',
            )
            assert status["details"]["name"] == "a"


@case()
def a_refusal_about_a_subresource_names_it(place: Place) -> None:
    path = place.path(place.widgets, "a", "status")
    words = f'cannot update resource "widgets/status" in API group "{place.widgets.group}" in the namespace'
    refused(as_jane(place, "PUT", path, place.widgets.body("a")), 403, "Forbidden", words)
    words = 'pods "p" is forbidden: User "jane" cannot get resource "pods/log" in API group "" in the namespace'
    refused(as_jane(place, "GET", place.path(PODS, "p", "log")), 403, "Forbidden", words)


@case()
def a_refusal_about_the_whole_cluster_says_so(place: Place) -> None:
    for resource in (CONFIG_MAPS, NODES, NAMESPACES, place.widgets, place.planets):
        words = (
            f'{resource.qualified} is forbidden: User "jane" cannot list resource "{resource.plural}" '
            f'in API group "{resource.group}" at the cluster scope'
        )
        refused(as_jane(place, "GET", resource.path()), 403, "Forbidden", words)
    words = 'nodes "n" is forbidden: User "jane" cannot get resource "nodes" in API group "" at the cluster scope'
    refused(as_jane(place, "GET", NODES.path("", "n")), 403, "Forbidden", words)


@case()
def a_namespace_is_refused_as_if_it_were_inside_itself(place: Place) -> None:
    answer = as_jane(place, "GET", NAMESPACES.path("", place.namespace))
    words = f'cannot get resource "namespaces" in API group "" in the namespace "{place.namespace}"'
    refused(answer, 403, "Forbidden", f'namespaces "{place.namespace}" is forbidden: User "jane" {words}')


@case()
def a_list_of_one_name_is_refused_by_that_name(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        answer = as_jane(place, "GET", place.path(resource, fieldSelector="metadata.name=a"))
        words = f'{resource.qualified} "a" is forbidden: User "jane" cannot list resource "{resource.plural}"'
        refused(answer, 403, "Forbidden", words)


@case()
def other_paths_are_refused_as_paths(place: Place) -> None:
    for method, path in (("GET", "/metrics"), ("GET", "/nope"), ("POST", "/version")):
        words = f'forbidden: User "jane" cannot {method.lower()} path "{path}"'
        refused(as_jane(place, method, path), 403, "Forbidden", words)


@case()
def a_resource_that_is_not_there_is_refused_before_it_is_missed(place: Place) -> None:
    answer = as_jane(place, "GET", "/apis/nope.example.com/v1/namespaces/x/foos")
    words = (
        'foos.nope.example.com is forbidden: User "jane" cannot list resource "foos" in API group "nope.example.com"'
    )
    refused(answer, 403, "Forbidden", words)


@case()
def an_administrator_acts_as_anybody(place: Place) -> None:
    place.create(CONFIG_MAPS, "a")
    refused(place.user(JANE).request("GET", place.path(CONFIG_MAPS)), 403, "Forbidden", 'User "jane" cannot list')
    masters = place.user(JANE, ["other", "system:masters"])
    assert succeeded(masters.request("GET", place.path(CONFIG_MAPS)))["kind"] == "ConfigMapList"


@case()
def an_impersonated_user_is_authenticated(place: Place) -> None:
    assert place.user("anybody").request("GET", "/apis").status == 200


@case()
def the_anonymous_user_can_be_impersonated(place: Place) -> None:
    answer = place.user("system:anonymous").request("GET", "/apis")
    refused(answer, 403, "Forbidden", 'forbidden: User "system:anonymous" cannot get path "/apis"')


@case()
def a_service_account_belongs_to_the_groups_of_its_namespace(place: Place) -> None:
    group = f"system:serviceaccounts:{place.namespace}"
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}
    grant(place, group, rule, subject_kind="Group")
    account = place.user(f"system:serviceaccount:{place.namespace}:robot")
    assert account.request("GET", place.path(CONFIG_MAPS)).status == 200
    stranger = place.user("system:serviceaccount:elsewhere:robot")
    assert stranger.request("GET", place.path(CONFIG_MAPS)).status == 403


@case()
def a_group_needs_a_user(place: Place) -> None:
    for headers in ({"Impersonate-Group": "g"}, {"Impersonate-Extra-Scopes": "x"}):
        answer = place.api.request("GET", place.path(CONFIG_MAPS), headers=headers)
        assert answer.status in (400, 403, 500), answer
        assert "without impersonating a user" in answer.text


@case()
def impersonation_must_be_allowed(place: Place) -> None:
    for user, words in (
        (
            JANE,
            'users "jane" is forbidden: User "system:anonymous" cannot impersonate resource "users" in API group ""',
        ),
        (
            "system:serviceaccount:ns:sa",
            'serviceaccounts "sa" is forbidden: User "system:anonymous" cannot impersonate',
        ),
    ):
        answer = Impersonating(place.api, user).request("GET", place.path(CONFIG_MAPS), token="")
        refused(answer, 403, "Forbidden", words)


@case()
def a_watch_is_refused_like_a_list(place: Place) -> None:
    answer = as_jane(place, "GET", place.path(place.widgets, watch=1))
    refused(answer, 403, "Forbidden", f'{place.widgets.qualified} is forbidden: User "jane" cannot watch resource')


@case()
def a_refusal_changes_nothing(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        made = place.create(resource, "a")
        assert as_jane(place, "DELETE", place.path(resource, "a")).status == 403
        assert as_jane(place, "PATCH", place.path(resource, "a"), {"metadata": {"labels": {"k": "v"}}}).status == 403
        assert as_jane(place, "DELETE", place.path(resource)).status == 403
        assert place.get(resource, "a") == made


def whoami(resource: Resource, place: Place, *, groups: tuple[str, ...] = ()) -> Answer:
    user = place.user(JANE, groups, uid="u-1", extra={"scopes": ["a", "b"]})
    return user.request("POST", resource.path(), resource.body())


@case(since="1.28")
def the_server_tells_who_one_is(place: Place) -> None:
    reviews = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False)
    info = succeeded(whoami(reviews, place, groups=("g",)), 201)["status"]["userInfo"]
    assert (info["username"], info["uid"]) == (JANE, "u-1")
    assert sorted(info["groups"]) == ["g", "system:authenticated"]
    assert info["extra"] == {"scopes": ["a", "b"]}

"""What a server says of itself: release, groups, versions, resources, and paths that it does not know."""

from __future__ import annotations

from tests.conformance.api import Document
from tests.conformance.expect import eventually, refused, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, NAMESPACES, PODS, Resource

NO_SUCH_RESOURCE = "the server could not find the requested resource"
NO_SUCH_METHOD = "the server does not allow this method on the requested resource"
AGGREGATED = "application/json;v=v2;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList"
AGGREGATED_BETA = "application/json;v=v2beta1;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList"


def resources(place: Place, path: str) -> dict[str, Document]:
    """Return the resources of a group version, by name."""
    return {each["name"]: each for each in succeeded(place.api.request("GET", path))["resources"]}


@case()
def the_version_is_told_in_strings(place: Place) -> None:
    version = succeeded(place.api.request("GET", "/version"))
    assert {"major", "minor", "gitVersion", "gitCommit", "platform"} <= version.keys()
    assert all(isinstance(value, str) for value in version.values() if not isinstance(value, dict))
    assert version["gitVersion"].startswith(f"v{version['major']}.")


@case()
def the_core_group_has_versions_but_no_name(place: Place) -> None:
    for path in ("/api", "/api/"):
        answer = succeeded(place.api.request("GET", path))
        assert (answer["kind"], answer["versions"]) == ("APIVersions", ["v1"])


@case()
def groups_are_listed_with_a_preferred_version(place: Place) -> None:
    listed = succeeded(place.api.request("GET", "/apis"))
    assert (listed["kind"], listed["apiVersion"]) == ("APIGroupList", "v1")
    groups = {group["name"]: group for group in listed["groups"]}
    assert groups["apps"]["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    assert {"rbac.authorization.k8s.io", "apiextensions.k8s.io", place.widgets.group} <= groups.keys()
    assert "" not in groups


@case()
def a_group_is_told_by_its_path(place: Place) -> None:
    for path in ("/apis/apps", "/apis/apps/"):
        group = succeeded(place.api.request("GET", path))
        assert (group["kind"], group["apiVersion"], group["name"]) == ("APIGroup", "v1", "apps")
        assert {"groupVersion": "apps/v1", "version": "v1"} in group["versions"]


@case()
def core_resources_are_listed_with_their_verbs(place: Place) -> None:
    listed = succeeded(place.api.request("GET", "/api/v1"))
    assert (listed["kind"], listed["groupVersion"]) == ("APIResourceList", "v1")
    found = {each["name"]: each for each in listed["resources"]}
    assert found["pods"]["kind"] == "Pod"
    assert found["pods"]["namespaced"] is True
    assert found["pods"]["shortNames"] == ["po"]
    assert found["pods"]["categories"] == ["all"]
    everything = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
    assert set(found["configmaps"]["verbs"]) == everything
    assert set(found["namespaces"]["verbs"]) == everything - {"deletecollection"}
    assert found["namespaces"]["namespaced"] is False
    assert set(found["namespaces/status"]["verbs"]) == {"get", "patch", "update"}


@case()
def reviews_can_only_be_created(place: Place) -> None:
    found = resources(place, "/apis/authorization.k8s.io/v1")
    assert found["selfsubjectaccessreviews"]["verbs"] == ["create"]
    assert found["localsubjectaccessreviews"]["namespaced"] is True


@case()
def a_custom_resource_is_listed_with_its_names(place: Place) -> None:
    found = resources(place, f"/apis/{place.widgets.group}/v1")
    widget = found["widgets"]
    assert (widget["singularName"], widget["kind"], widget["namespaced"]) == ("widget", "Widget", True)
    assert (widget["shortNames"], widget["categories"]) == (["wd"], ["toys"])
    assert set(widget["verbs"]) == {
        "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
    }  # fmt: skip
    assert set(found["widgets/status"]["verbs"]) == {"get", "patch", "update"}
    assert "gadgets/status" not in found
    assert found["planets"]["namespaced"] is False


@case()
def custom_versions_are_listed_by_priority_and_only_when_served(place: Place) -> None:
    group = succeeded(place.api.request("GET", f"/apis/{place.widgets.group}"))
    assert [each["version"] for each in group["versions"]] == ["v1", "v1beta1"]
    assert group["preferredVersion"]["version"] == "v1"
    assert set(resources(place, f"/apis/{place.widgets.group}/v1beta1")) == {"widgets", "widgets/status"}


@case()
def an_unknown_resource_of_a_known_group_is_a_status(place: Place) -> None:
    for path in ("/api/v1/nopes", "/apis/apps/v1/nopes", "/apis/apps/v1/namespaces/default/nopes/x"):
        refused(place.api.request("GET", path), 404, "NotFound", NO_SUCH_RESOURCE)


@case()
def an_unknown_version_of_a_known_group_is_a_status(place: Place) -> None:
    for path in ("/apis/apps/v9", "/api/v2"):
        refused(place.api.request("GET", path), 404, "NotFound", NO_SUCH_RESOURCE)


@case()
def an_unknown_group_is_plain_text(place: Place) -> None:
    for path in ("/apis/nope.example.com", "/apis/nope.example.com/v1", "/apis/nope.example.com/v1/foos"):
        answer = place.api.request("GET", path)
        assert (answer.status, answer.text) == (404, "404 page not found\n")
        assert answer.headers["content-type"].startswith("text/plain")


@case()
def an_unknown_custom_resource_or_version_is_plain_text(place: Place) -> None:
    group = place.widgets.group
    for path in (
        f"/apis/{group}/v1/nopes",
        f"/apis/{group}/v1alpha1/widgets",
        f"/apis/{group}/v1/namespaces/x/nopes",
    ):
        answer = place.api.request("GET", path)
        assert (answer.status, answer.text) == (404, "404 page not found\n")


@case()
def an_unknown_path_is_not_found(place: Place) -> None:
    assert place.api.request("GET", "/nope").status == 404


@case()
def an_unknown_subresource_is_not_found(place: Place) -> None:
    refused(place.send("GET", PODS, "x", sub="nope"), 404, "NotFound", NO_SUCH_RESOURCE)
    answer = place.send("GET", place.widgets, "x", sub="nope")
    refused(answer, 404, "NotFound", f'{place.widgets.qualified} "x" not found')


@case()
def a_method_that_a_path_does_not_have_is_405(place: Place) -> None:
    for method, path in (
        ("PUT", place.path(CONFIG_MAPS)),
        ("POST", place.path(CONFIG_MAPS, "x")),
        ("PATCH", CONFIG_MAPS.path()),
        ("POST", CONFIG_MAPS.path()),
        ("DELETE", CONFIG_MAPS.path()),
        ("DELETE", NAMESPACES.path()),
        ("POST", "/version"),
        ("DELETE", "/api"),
    ):
        refused(place.api.request(method, path, {}), 405, "MethodNotAllowed", NO_SUCH_METHOD)


@case()
def a_collection_of_custom_resources_cannot_be_put(place: Place) -> None:
    answer = place.api.request("PUT", place.path(place.widgets), place.widgets.body("a"))
    refused(answer, 400, "BadRequest", "name must be provided")


@case()
def a_custom_resource_of_all_namespaces_can_only_be_read(place: Place) -> None:
    path = place.widgets.path()
    assert place.api.request("GET", path).status == 200
    for method in ("POST", "DELETE", "PUT"):
        body = place.widgets.body("a") if method != "DELETE" else None
        assert place.api.request(method, path, body).status in (404, 405)


@case()
def a_cluster_scoped_resource_is_not_found_in_a_namespace(place: Place) -> None:
    inside = f"/apis/{place.planets.group}/v1/namespaces/{place.namespace}/planets"
    assert place.api.request("GET", inside).status == 404
    nodes = Resource("", "v1", "nodes", "Node").path(place.namespace)
    assert place.api.request("GET", nodes).status == 404


@case()
def health_is_plain_text(place: Place) -> None:
    for path in ("/healthz", "/readyz", "/livez"):
        answer = place.api.request("GET", path)
        assert (answer.status, answer.text) == (200, "ok")


@case(since="1.24")
def openapi_v3_lists_a_document_per_group_version(place: Place) -> None:
    def paths() -> Document:
        found: Document = succeeded(place.api.request("GET", "/openapi/v3"))["paths"]
        return found

    expected = {"api/v1", "apis/apps/v1", f"apis/{place.widgets.group}/v1"}
    eventually(lambda: expected <= paths().keys(), "OpenAPI v3 knowing every group")
    assert paths()["api/v1"]["serverRelativeURL"].startswith("/openapi/v3/api/v1?hash=")


@case(since="1.24")
def openapi_v3_describes_a_custom_resource_with_its_kind(place: Place) -> None:
    group = place.widgets.group
    path = f"/openapi/v3/apis/{group}/v1"
    eventually(lambda: place.api.request("GET", path).status == 200, "OpenAPI v3 knowing the group")
    document = succeeded(place.api.request("GET", path))
    assert document["openapi"].startswith("3.0")
    kinds = [
        kind
        for schema in document["components"]["schemas"].values()
        for kind in schema.get("x-kubernetes-group-version-kind", [])
    ]
    assert {"group": group, "version": "v1", "kind": "Widget"} in kinds
    assert f"/apis/{group}/v1/namespaces/{{namespace}}/widgets" in document["paths"]


def _aggregated(place: Place, path: str, media_type: str) -> dict[str, Document]:
    answer = place.api.request("GET", path, headers={"Accept": f"{media_type},application/json"})
    listed = succeeded(answer)
    assert listed["kind"] == "APIGroupDiscoveryList"
    assert "as=APIGroupDiscoveryList" in answer.headers["content-type"]
    return {group["metadata"].get("name", ""): group for group in listed["items"]}


@case(since="1.26")
def aggregated_discovery_tells_all_groups_at_once(place: Place) -> None:
    media_type = AGGREGATED if place.at_least(30) else AGGREGATED_BETA
    expected = {"apps", place.widgets.group}
    eventually(lambda: expected <= _aggregated(place, "/apis", media_type).keys(), "discovery knowing every group")
    groups = _aggregated(place, "/apis", media_type)
    (v1,) = (each for each in groups[place.widgets.group]["versions"] if each["version"] == "v1")
    (widgets,) = (each for each in v1["resources"] if each["resource"] == "widgets")
    assert widgets["responseKind"] == {"group": place.widgets.group, "version": "v1", "kind": "Widget"}
    assert (widgets["scope"], widgets["singularResource"]) == ("Namespaced", "widget")
    assert (widgets["shortNames"], widgets["categories"]) == (["wd"], ["toys"])
    assert [each["subresource"] for each in widgets["subresources"]] == ["status"]


@case(since="1.26")
def aggregated_discovery_tells_the_core_group_too(place: Place) -> None:
    media_type = AGGREGATED if place.at_least(30) else AGGREGATED_BETA
    (core,) = _aggregated(place, "/api", media_type).values()
    (v1,) = core["versions"]
    pods = next(each for each in v1["resources"] if each["resource"] == "pods")
    assert (pods["responseKind"]["kind"], pods["scope"], pods["shortNames"]) == ("Pod", "Namespaced", ["po"])


@case()
def a_plain_accept_gets_plain_discovery(place: Place) -> None:
    listed = succeeded(place.api.request("GET", "/apis", headers={"Accept": f"{AGGREGATED},application/json;q=0.9"}))
    expected = "APIGroupDiscoveryList" if place.at_least(30) else "APIGroupList"
    assert listed["kind"] == expected
    assert succeeded(place.api.request("GET", "/apis"))["kind"] == "APIGroupList"

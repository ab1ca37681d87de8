"""GET of objects and collections: what comes back, in which order, from which revision."""

from __future__ import annotations

from tests.conformance.expect import causes, named_in, refused, revision, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, NAMESPACES, PODS, Resource

FAR_FUTURE = 10**15


def both(place: Place) -> tuple[Resource, Resource]:
    """Return a built-in and a custom resource: most rules hold for either."""
    return CONFIG_MAPS, place.widgets


@case()
def an_object_is_read_as_it_was_answered(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a", metadata={"annotations": {"k": 'é"\n'}})
        assert place.get(resource, "a") == made
        assert (made["kind"], made["apiVersion"]) == (resource.kind, resource.api_version)


@case()
def a_missing_object_is_not_found(place: Place) -> None:
    for resource in both(place):
        status = refused(place.send("GET", resource, "a"), 404, "NotFound", f'{resource.qualified} "a" not found')
        details = {"name": "a", "group": resource.group, "kind": resource.plural}
        assert status["details"] == {key: value for key, value in details.items() if value}


@case()
def an_object_of_a_missing_namespace_is_not_found_itself(place: Place) -> None:
    for resource in both(place):
        answer = place.api.request("GET", resource.path("nowhere-at-all", "a"))
        refused(answer, 404, "NotFound", f'{resource.qualified} "a" not found')


@case()
def a_missing_namespace_has_empty_collections(place: Place) -> None:
    for resource in both(place):
        assert succeeded(place.api.request("GET", resource.path("nowhere-at-all")))["items"] == []


@case()
def an_empty_list_has_items_and_a_resource_version(place: Place) -> None:
    for resource in both(place):
        listed = place.collection(resource)
        assert listed["kind"] == f"{resource.kind}List"
        assert listed["apiVersion"] == resource.api_version
        assert listed["items"] == []
        assert revision(listed).isdigit()


@case()
def only_items_of_custom_resources_tell_their_kind(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
    (item,) = place.collection(CONFIG_MAPS)["items"]
    assert {"kind", "apiVersion"}.isdisjoint(item)
    (item,) = place.collection(place.widgets)["items"]
    assert item == place.get(place.widgets, "a")


@case()
def a_list_is_ordered_by_name(place: Place) -> None:
    for resource in both(place):
        for name in ("b", "a-1", "a", "a.b", "c", "a0"):
            place.create(resource, name)
        assert place.names(resource) == ["a", "a-1", "a.b", "a0", "b", "c"]


@case()
def a_list_of_all_namespaces_is_ordered_by_namespace_then_name(place: Place) -> None:
    for resource in both(place):
        namespaces = [place.new_namespace(), place.new_namespace()]
        for name in ("b", "a"):
            for namespace in namespaces:
                succeeded(place.api.request("POST", resource.path(namespace), resource.body(name)), 201)
        items = succeeded(place.api.request("GET", resource.path()))["items"]
        keys = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items]
        expected = [(namespace, name) for namespace in sorted(namespaces) for name in "ab"]
        assert [key for key in keys if key[0] in namespaces] == expected


@case()
def a_list_is_as_new_as_its_newest_item(place: Place) -> None:
    for resource in both(place):
        newest = revision(place.create(resource, "a"))
        listed = place.collection(resource)
        assert int(revision(listed)) >= int(newest)
        assert revision(listed["items"][0]) == newest


@case()
def a_list_without_a_resource_version_is_the_newest(place: Place) -> None:
    for resource in both(place):
        for name in ("a", "b", "c"):
            place.create(resource, name)
            assert name in place.names(resource)
            assert name in place.names(resource, resourceVersion="")


@case()
def a_resource_version_asks_for_not_older_than(place: Place) -> None:
    for resource in both(place):
        first = revision(place.create(resource, "a"))
        second = revision(place.create(resource, "b"))
        assert sorted(place.names(resource, resourceVersion=second)) == ["a", "b"]
        for query in ({}, {"resourceVersionMatch": "NotOlderThan"}):
            listed = place.collection(resource, resourceVersion=first, **query)
            assert int(revision(listed)) >= int(first)
            assert "a" in named_in(listed)


@case()
def resource_version_0_takes_any(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        for query in ({}, {"resourceVersionMatch": "NotOlderThan"}):
            assert place.collection(resource, resourceVersion=0, **query)["kind"] == f"{resource.kind}List"


@case()
def an_exact_resource_version_shows_the_past(place: Place) -> None:
    for resource in both(place):
        first = place.create(resource, "a", metadata={"labels": {"k": "old"}})
        place.create(resource, "b")
        place.patch(resource, "a", {"metadata": {"labels": {"k": "new"}}})
        place.delete(resource, "b")
        listed = place.collection(resource, resourceVersion=revision(first), resourceVersionMatch="Exact")
        assert revision(listed) == revision(first)
        (item,) = listed["items"]
        assert item["metadata"] == first["metadata"]


@case()
def a_match_needs_a_resource_version(place: Place) -> None:
    for resource in both(place):
        for match in ("Exact", "NotOlderThan"):
            status = refused(
                place.send("GET", resource, resourceVersionMatch=match),
                422,
                "Invalid",
                'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            )
            assert causes(status) == [("FieldValueForbidden", "resourceVersionMatch")]


@case()
def a_match_is_one_of_two(place: Place) -> None:
    answer = place.send("GET", CONFIG_MAPS, resourceVersion=1, resourceVersionMatch="Foo")
    status = refused(
        answer, 422, "Invalid", 'resourceVersionMatch: Unsupported value: "Foo": supported values: "Exact"'
    )
    assert causes(status) == [("FieldValueNotSupported", "resourceVersionMatch")]


@case()
def resource_version_0_cannot_be_exact(place: Place) -> None:
    answer = place.send("GET", CONFIG_MAPS, resourceVersion=0, resourceVersionMatch="Exact")
    words = 'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
    refused(answer, 422, "Invalid", words)


@case()
def a_resource_version_is_a_number(place: Place) -> None:
    for resource in both(place):
        answer = place.send("GET", resource, resourceVersion="x")
        assert answer.status in (400, 500), answer
        assert 'strconv.ParseUint: parsing "x": invalid syntax' in answer.json["message"]


@case()
def a_revision_that_is_yet_to_come_times_out(place: Place) -> None:
    """The server waits some seconds for it first."""
    answer = place.send("GET", place.widgets, resourceVersion=FAR_FUTURE)
    status = refused(answer, 504, "Timeout", f"Timeout: Too large resource version: {FAR_FUTURE}, current: ")
    assert status["details"]["causes"] == [
        {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    ]
    assert status["details"]["retryAfterSeconds"] == 1


@case()
def an_exact_revision_that_expired_is_gone(place: Place) -> None:
    for resource in both(place):
        first = place.create(resource, "a")
        place.delete(resource, "a")
        place.create(resource, "b")
        place.expire_history()
        answer = place.send("GET", resource, resourceVersion=revision(first), resourceVersionMatch="Exact")
        refused(answer, 410, "Expired", "The resourceVersion for the provided list is too old.")
        assert place.names(resource) == ["b"]


@case()
def an_object_can_be_read_from_any_revision(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        assert place.get(resource, "a", resourceVersion=revision(made)) == made
        assert place.send("GET", resource, "a", resourceVersion=0).status in (200, 404)


@case()
def objects_of_one_namespace_are_not_in_another(place: Place) -> None:
    other = place.new_namespace()
    for resource in both(place):
        place.create(resource, "a")
        assert succeeded(place.api.request("GET", resource.path(other)))["items"] == []
        assert place.api.request("GET", resource.path(other, "a")).status == 404


@case()
def cluster_scoped_objects_have_no_namespace(place: Place) -> None:
    assert "namespace" not in place.get(NAMESPACES, place.namespace)["metadata"]
    name = f"planet-{place.namespace}"
    assert "namespace" not in place.create(place.planets, name)["metadata"]
    assert name in place.names(place.planets)


@case()
def an_empty_collection_of_pods_is_a_list(place: Place) -> None:
    listed = place.collection(PODS)
    assert (listed["kind"], listed["items"]) == ("PodList", [])


@case()
def unknown_query_parameters_are_ignored(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        assert place.names(resource, whatever=1) == ["a"]


@case()
def a_built_in_object_is_indented_on_demand(place: Place) -> None:
    made = place.create(CONFIG_MAPS, "a")
    answer = place.send("GET", CONFIG_MAPS, "a", pretty="true")
    assert answer.text.startswith('{\n  "')
    assert answer.json == made
    assert "\n  " not in place.send("GET", CONFIG_MAPS, "a", pretty="false").text

"""Which refusal comes first, where a request is wrong in several ways."""

from __future__ import annotations

from tests.conformance.api import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from tests.conformance.expect import causes, named_in, refused, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, LEASES, PODS, ROLES, SECRETS, Resource

INVALID = "FieldValueInvalid"


def both(place: Place) -> tuple[Resource, Resource]:
    """Return a built-in and a custom resource: most rules hold for either."""
    return CONFIG_MAPS, place.widgets


# -- the kind of a body ----------------------------------------------------------------------------------


@case()
def a_custom_resource_without_a_version_is_found_out_late(place: Place) -> None:
    body = {"kind": "Widget", "metadata": {"name": "a"}}
    words = "Internal error occurred: Object 'apiVersion' is missing in 'object has no apiVersion field'"
    refused(place.send("POST", place.widgets, body=body), 500, "InternalError", words)
    refused(place.send("PUT", place.widgets, "a", body), 404, "NotFound")


@case()
def kind_and_version_are_texts(place: Place) -> None:
    for field in ("kind", "apiVersion"):
        body = {**place.widgets.body("a"), field: 5}
        refused(place.send("POST", place.widgets, body=body), 400, "BadRequest")


@case()
def a_wrong_kind_is_no_matter_where_the_object_or_its_namespace_is_missing(place: Place) -> None:
    body = {**place.widgets.body("a"), "kind": "Foo"}
    refused(place.send("POST", place.widgets, body=body), 422, "Invalid", "kind: Invalid value")
    refused(place.send("PUT", place.widgets, "a", body), 404, "NotFound")
    nowhere = place.widgets.path(place.new_name())
    refused(place.api.request("POST", nowhere, body), 404, "NotFound", "namespaces")


@case()
def with_a_status_nobody_looks_at_the_kind(place: Place) -> None:
    made = place.create(place.widgets, "a")
    answer = place.send("PUT", place.widgets, "a", {**made, "kind": "Foo", "status": {"phase": "x"}}, sub="status")
    assert succeeded(answer)["status"] == {"phase": "x"}


@case()
def what_a_patch_makes_must_be_readable(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        for patch in (
            [{"op": "add", "path": "/kind", "value": None}, {"op": "add", "path": "/metadata/labels", "value": 5}],
            [{"op": "add", "path": "/metadata/finalizers", "value": "x"}],
        ):
            answer = place.try_patch(resource, "a", patch, content_type=JSON_PATCH)
            assert causes(refused(answer, 422, "Invalid")) == [(INVALID, "patch")]
        answer = place.try_patch(resource, "a", [])
        assert causes(refused(answer, 422, "Invalid")) == [(INVALID, "patch")]


# -- preconditions ---------------------------------------------------------------------------------------


@case()
def a_missing_namespace_comes_before_a_wrong_one(place: Place) -> None:
    for resource in both(place):
        body = resource.body("a", metadata={"namespace": "other"})
        answer = place.api.request("POST", resource.path(place.new_name()), body)
        refused(answer, 404, "NotFound", "namespaces")
        refused(place.send("POST", resource, body=body), 400, "BadRequest", "does not match the namespace")


@case()
def a_new_object_has_no_revision_but_that_is_looked_at_last(place: Place) -> None:
    for resource in both(place):
        with_revision = resource.body("a", metadata={"resourceVersion": "1"})
        refused(place.send("POST", resource, body=with_revision), 500, None, "resourceVersion should not be set")
        bad = resource.body("A b", metadata={"resourceVersion": "1"})
        refused(place.send("POST", resource, body=bad), 422, "Invalid", "metadata.name")
        tried = succeeded(place.send("POST", resource, body=with_revision, dryRun="All"), 201)
        assert tried["metadata"]["resourceVersion"] == "1"
        for none in ("", "0", "x"):
            body = resource.body("a", metadata={"resourceVersion": none})
            made = succeeded(place.send("POST", resource, body=body), 201)
            assert made["metadata"]["resourceVersion"] not in ("", "0", "x")
            place.delete(resource, "a")


@case()
def a_put_that_creates_takes_any_revision_that_is_a_number(place: Place) -> None:
    for resource in (LEASES, ROLES):
        body = resource.body("a", metadata={"resourceVersion": "1"})
        succeeded(place.send("PUT", resource, "a", body), 201)
        answer = place.send("PUT", resource, "b", resource.body("b", metadata={"resourceVersion": "x"}))
        refused(answer, 500, None, 'strconv.ParseUint: parsing "x": invalid syntax')


@case()
def the_uid_of_an_object_that_is_gone_is_a_conflict(place: Place) -> None:
    for resource in (*both(place), LEASES):
        body = resource.body("a", metadata={"uid": "0000", "resourceVersion": "x"})
        answer = place.send("PUT", resource, "a", body)
        refused(answer, 409, "Conflict", "Precondition failed: UID in precondition: 0000, UID in object meta: ")


@case()
def a_revision_of_zero_is_none(place: Place) -> None:
    place.create(CONFIG_MAPS, "a")
    body = CONFIG_MAPS.body("a", metadata={"resourceVersion": "0"}, data={"k": "v"})
    assert succeeded(place.send("PUT", CONFIG_MAPS, "a", body))["data"] == {"k": "v"}


@case()
def a_patch_of_the_uid_is_no_precondition(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        answer = place.try_patch(resource, "a", {"metadata": {"uid": "0000"}})
        assert set(causes(refused(answer, 422, "Invalid"))) == {(INVALID, "metadata.uid")}
    answer = place.try_patch(place.widgets, "a", {"metadata": {"uid": "0000"}, "status": {}}, sub="status")
    assert succeeded(answer)["metadata"]["uid"] != "0000"


@case()
def what_cannot_be_read_is_refused_before_anybody_looks_for_the_object(place: Place) -> None:
    body = LEASES.body("a", metadata={"uid": "0000"}, spec={"renewTime": "soon"})
    refused(place.send("PUT", LEASES, "a", body), 400, "BadRequest", "parsing time")
    refused(place.send("PUT", SECRETS, "a", SECRETS.body("a", data={"k": "%"})), 400, "BadRequest", "base64")


@case()
def a_patch_is_read_once_the_object_is_there(place: Place) -> None:
    for resource in both(place):
        for content_type in (MERGE_PATCH, JSON_PATCH):
            answer = place.try_patch(resource, "a", b"{", content_type=content_type)
            refused(answer, 404, "NotFound")


@case()
def the_media_type_comes_before_the_options(place: Place) -> None:
    headers = {"Content-Type": STRATEGIC_PATCH}
    answer = place.send("PATCH", place.widgets, "a", {}, headers=headers, dryRun="x")
    refused(answer, 415, "UnsupportedMediaType")


@case()
def a_dry_run_is_for_all_or_none(place: Place) -> None:
    for resource in both(place):
        for word in ("", "x"):
            answer = place.send("POST", resource, body=resource.body("a"), dryRun=word)
            assert causes(refused(answer, 422, "Invalid")) == [("FieldValueNotSupported", "dryRun")]


# -- lists -----------------------------------------------------------------------------------------------


@case()
def options_of_a_list_are_judged_before_what_it_selects_by(place: Place) -> None:
    for resource in both(place):
        answer = place.send("GET", resource, fieldSelector="spec.foo=x", resourceVersionMatch="Exact")
        refused(answer, 422, "Invalid", "resourceVersionMatch")
        answer = place.send("GET", resource, labelSelector="a b", resourceVersionMatch="Exact")
        refused(answer, 400, "BadRequest", "unable to parse requirement")


@case()
def what_a_collection_selects_by_is_judged_before_the_options_of_its_deletion(place: Place) -> None:
    for resource in both(place):
        options = {"propagationPolicy": "Foo"}
        answer = place.send("DELETE", resource, body=options, labelSelector="a b")
        refused(answer, 400, "BadRequest", "unable to parse requirement")
        answer = place.send("DELETE", resource, body=options, fieldSelector="spec.foo=x")
        refused(answer, 400, "BadRequest", "spec.foo")


@case()
def a_bad_revision_is_a_bad_request_where_storage_reads_it(place: Place) -> None:
    for resource in both(place):
        for query in ({"limit": 1}, {"resourceVersionMatch": "Exact"}):
            answer = place.send("GET", resource, resourceVersion="x", **query)
            refused(answer, 400, "BadRequest", "invalid resource version", 'parsing "x": invalid syntax')


@case()
def an_empty_field_selector_selects_all(place: Place) -> None:
    for resource in both(place):
        for name in "abc":
            place.create(resource, name)
        listed = place.collection(resource, fieldSelector="=", limit=2)
        assert (named_in(listed), listed["metadata"]["remainingItemCount"]) == (["a", "b"], 1)


@case()
def what_has_no_namespace_is_not_selected_by_one(place: Place) -> None:
    answer = place.send("GET", place.planets, fieldSelector="metadata.namespace=a")
    refused(answer, 400, "BadRequest", "metadata.namespace")
    place.collection(place.widgets, fieldSelector="metadata.namespace=a")
    place.collection(PODS, fieldSelector="metadata.namespace=a")

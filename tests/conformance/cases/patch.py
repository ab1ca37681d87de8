"""PATCH: merge, JSON and strategic merge, and what no patch can do."""

from __future__ import annotations

from tests.conformance.api import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from tests.conformance.expect import causes, refused, revision
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, DEPLOYMENTS, PODS, SERVICES, Resource

NOT_APPLICABLE = "the server rejected our request due to an error in our request"


def both(place: Place) -> tuple[Resource, Resource]:
    """Return a built-in and a custom resource: most rules hold for either."""
    return CONFIG_MAPS, place.widgets


@case()
def a_merge_patch_adds_replaces_and_removes(place: Place) -> None:
    place.create(CONFIG_MAPS, "a", data={"keep": "1", "change": "1", "drop": "1"})
    patched = place.patch(CONFIG_MAPS, "a", {"data": {"change": "2", "drop": None, "add": "3", "never": None}})
    assert patched["data"] == {"keep": "1", "change": "2", "add": "3"}
    assert patched == place.get(CONFIG_MAPS, "a")
    assert "data" not in place.patch(CONFIG_MAPS, "a", {"data": None})


@case()
def a_merge_patch_replaces_lists_whole(place: Place) -> None:
    place.create(place.widgets, "a", spec={"parts": [{"name": "x", "count": 1}, {"name": "y", "count": 2}]})
    patched = place.patch(place.widgets, "a", {"spec": {"parts": [{"name": "z", "count": 3}]}})
    assert patched["spec"]["parts"] == [{"name": "z", "count": 3}]


@case()
def a_patch_raises_resource_version_and_generation_like_an_update(place: Place) -> None:
    made = place.create(place.widgets, "a", spec={"weight": 1})
    labelled = place.patch(place.widgets, "a", {"metadata": {"labels": {"k": "v"}}})
    assert int(revision(labelled)) > int(revision(made))
    assert labelled["metadata"]["generation"] == 1
    assert place.patch(place.widgets, "a", {"spec": {"weight": 2}})["metadata"]["generation"] == 2


@case()
def a_patch_that_changes_nothing_keeps_the_resource_version(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a", metadata={"labels": {"k": "v"}})
        for patch in ({}, {"metadata": {"labels": {"k": "v", "absent": None}}}):
            assert place.patch(resource, "a", patch) == made
        for operations in ([], [{"op": "test", "path": "/metadata/name", "value": "a"}]):
            assert place.patch(resource, "a", operations, content_type=JSON_PATCH) == made
        assert place.get(resource, "a") == made


@case()
def a_missing_object_is_not_found(place: Place) -> None:
    for resource in both(place):
        for content_type, patch in ((MERGE_PATCH, {"metadata": {"labels": {"k": "v"}}}), (JSON_PATCH, [])):
            answer = place.try_patch(resource, "a", patch, content_type=content_type)
            refused(answer, 404, "NotFound", f'{resource.qualified} "a" not found')


@case()
def a_json_patch_does_its_six_operations(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a", metadata={"labels": {"a": "1", "b": "2", "c": "3"}})
        operations = [
            {"op": "test", "path": "/metadata/labels/a", "value": "1"},
            {"op": "replace", "path": "/metadata/labels/a", "value": "9"},
            {"op": "remove", "path": "/metadata/labels/b"},
            {"op": "copy", "from": "/metadata/labels/a", "path": "/metadata/labels/d"},
            {"op": "move", "from": "/metadata/labels/c", "path": "/metadata/labels/e"},
            {"op": "add", "path": "/metadata/labels/example.com~1f", "value": "6"},
        ]
        patched = place.patch(resource, "a", operations, content_type=JSON_PATCH)
        assert patched["metadata"]["labels"] == {"a": "9", "d": "9", "e": "3", "example.com/f": "6"}


@case()
def a_json_patch_reaches_into_lists(place: Place) -> None:
    place.create(place.widgets, "a", spec={"tags": ["x", "y"]})
    operations = [
        {"op": "add", "path": "/spec/tags/-", "value": "last"},
        {"op": "add", "path": "/spec/tags/0", "value": "first"},
        {"op": "remove", "path": "/spec/tags/1"},
    ]
    assert place.patch(place.widgets, "a", operations, content_type=JSON_PATCH)["spec"]["tags"] == [
        "first",
        "y",
        "last",
    ]


@case()
def a_json_patch_that_does_not_apply_is_unprocessable(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        for operation in (
            {"op": "test", "path": "/metadata/name", "value": "b"},
            {"op": "remove", "path": "/metadata/nothing"},
            {"op": "add", "path": "/metadata/annotations/k", "value": "v"},
            {"op": "foo", "path": "/metadata/name", "value": "a"},
        ):
            answer = place.try_patch(resource, "a", [operation], content_type=JSON_PATCH)
            refused(answer, 422, "Invalid", NOT_APPLICABLE)
        assert place.get(resource, "a") == made


@case()
def a_json_patch_is_applied_whole_or_not_at_all(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        operations = [
            {"op": "add", "path": "/metadata/labels", "value": {"k": "v"}},
            {"op": "test", "path": "/metadata/labels/k", "value": "w"},
        ]
        refused(place.try_patch(resource, "a", operations, content_type=JSON_PATCH), 422, "Invalid", NOT_APPLICABLE)
        assert place.get(resource, "a") == made


@case()
def a_json_patch_is_a_list(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        for body in ({"op": "add"}, b"{", b""):
            assert place.try_patch(resource, "a", body, content_type=JSON_PATCH).status == 400


@case()
def a_json_patch_has_at_most_10000_operations(place: Place) -> None:
    place.create(place.widgets, "a")
    operations = [{"op": "test", "path": "/metadata/name", "value": "a"}] * 10_001
    answer = place.try_patch(place.widgets, "a", operations, content_type=JSON_PATCH)
    words = "The allowed maximum operations in a JSON patch is 10000, got 10001"
    refused(answer, 413, "RequestEntityTooLarge", words)


@case()
def a_merge_patch_that_is_not_json_is_refused(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        for body in (b"{", b"", b"5"):
            answer = place.try_patch(resource, "a", body)
            assert answer.status == (400 if place.at_least(26) else 500), answer
        assert place.try_patch(resource, "a", b"[]").status in (400, 422)
        assert place.get(resource, "a") == made


@case()
def built_in_kinds_take_strategic_merge_patches(place: Place) -> None:
    place.create(CONFIG_MAPS, "a", data={"keep": "1", "drop": "1"})
    patch = {"data": {"drop": None, "add": "2"}}
    patched = place.patch(CONFIG_MAPS, "a", patch, content_type=STRATEGIC_PATCH)
    assert patched["data"] == {"keep": "1", "add": "2"}
    replaced = place.patch(
        CONFIG_MAPS, "a", {"data": {"$patch": "replace", "only": "3"}}, content_type=STRATEGIC_PATCH
    )
    assert replaced["data"] == {"only": "3"}


@case()
def a_strategic_merge_patch_merges_lists_by_their_keys(place: Place) -> None:
    labels = {"app": "a"}
    containers = [
        {"name": "one", "image": "i:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        {"name": "two", "image": "i:2"},
    ]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    place.create(DEPLOYMENTS, "a", spec={"selector": {"matchLabels": labels}, "template": template})

    def patch(pod_spec: object) -> list[dict[str, object]]:
        body = {"spec": {"template": {"spec": pod_spec}}}
        patched = place.patch(DEPLOYMENTS, "a", body, content_type=STRATEGIC_PATCH)
        found: list[dict[str, object]] = patched["spec"]["template"]["spec"]["containers"]
        return found

    one, two = patch(
        {"containers": [{"name": "one", "env": [{"name": "A", "value": "9"}, {"name": "C", "value": "3"}]}]}
    )
    assert (one["image"], two["image"]) == ("i:1", "i:2")
    assert {env["name"]: env["value"] for env in one["env"]} == {"A": "9", "B": "2", "C": "3"}  # type: ignore[attr-defined]
    (left,) = patch({"containers": [{"name": "two", "$patch": "delete"}]})
    assert left["name"] == "one"
    (only,) = patch({"containers": [{"$patch": "replace"}, {"name": "three", "image": "i:3"}]})
    assert (only["name"], only["image"]) == ("three", "i:3")


@case()
def a_strategic_merge_patch_joins_finalizers(place: Place) -> None:
    place.create(CONFIG_MAPS, "a", metadata={"finalizers": ["e.com/one"]})
    patched = place.patch(CONFIG_MAPS, "a", {"metadata": {"finalizers": ["e.com/two"]}}, content_type=STRATEGIC_PATCH)
    assert sorted(patched["metadata"]["finalizers"]) == ["e.com/one", "e.com/two"]
    removal = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["e.com/one"]}}
    patched = place.patch(CONFIG_MAPS, "a", removal, content_type=STRATEGIC_PATCH)
    assert patched["metadata"]["finalizers"] == ["e.com/two"]
    place.patch(CONFIG_MAPS, "a", {"metadata": {"finalizers": None}})


@case()
def a_strategic_merge_patch_merges_ports_of_a_service(place: Place) -> None:
    ports = [{"name": "http", "port": 80}, {"name": "https", "port": 443}]
    place.create(SERVICES, "a", spec={"ports": ports, "selector": {"app": "a"}})
    patch = {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}
    patched = place.patch(SERVICES, "a", patch, content_type=STRATEGIC_PATCH)
    assert {port["name"]: port["targetPort"] for port in patched["spec"]["ports"]} == {"http": 8080, "https": 443}


@case()
def a_strategic_merge_patch_merges_conditions_of_a_pod(place: Place) -> None:
    place.create(PODS, "a", spec={"containers": [{"name": "c", "image": "i"}]})
    for kind, status in (("Ready", "False"), ("Initialized", "True"), ("Ready", "True")):
        patch = {"status": {"conditions": [{"type": kind, "status": status}]}}
        place.patch(PODS, "a", patch, content_type=STRATEGIC_PATCH, sub="status")
    conditions = place.get(PODS, "a")["status"]["conditions"]
    assert {each["type"]: each["status"] for each in conditions} == {"Ready": "True", "Initialized": "True"}
    place.delete(PODS, "a", gracePeriodSeconds=0)


@case()
def a_strategic_merge_patch_is_an_object(place: Place) -> None:
    place.create(CONFIG_MAPS, "a")
    for body in (b"{", b"[]"):
        refused(place.try_patch(CONFIG_MAPS, "a", body, content_type=STRATEGIC_PATCH), 400, "BadRequest")


@case()
def custom_resources_take_no_strategic_merge_patches(place: Place) -> None:
    place.create(place.widgets, "a")
    answer = place.try_patch(place.widgets, "a", {"spec": {}}, content_type=STRATEGIC_PATCH)
    words = "the body of the request was in an unknown format - accepted media types include: "
    accepted = "application/json-patch+json, application/merge-patch+json"
    refused(answer, 415, "UnsupportedMediaType", words, accepted)


@case()
def a_patch_tells_its_kind_in_the_content_type(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        for content_type in ("application/json", "text/plain"):
            refused(place.try_patch(resource, "a", {}, content_type=content_type), 415, "UnsupportedMediaType")


@case()
def a_patch_cannot_move_an_object(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        for metadata, words in (
            ({"name": "b"}, "the name of the object (b) does not match the name on the URL (a)"),
            (
                {"namespace": "other"},
                "the namespace of the object (other) does not match the namespace on the request",
            ),
        ):
            refused(place.try_patch(resource, "a", {"metadata": metadata}), 400, "BadRequest", words)
        operations = [{"op": "replace", "path": "/metadata/name", "value": "b"}]
        assert place.try_patch(resource, "a", operations, content_type=JSON_PATCH).status == 400
        assert place.get(resource, "a") == made


@case()
def a_patch_cannot_change_the_uid(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        answer = place.try_patch(resource, "a", {"metadata": {"uid": "0000"}})
        assert answer.status in (409, 422), answer
        words = 'metadata.uid: Invalid value: "0000": field is immutable'
        assert words in answer.json["message"] or "Precondition failed: UID" in answer.json["message"]


@case()
def what_only_the_server_may_say_stays(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        for metadata in (
            {"creationTimestamp": "2001-01-01T00:00:00Z"},
            {"creationTimestamp": None},
            {"generation": 7},
        ):
            assert place.patch(resource, "a", {"metadata": metadata})["metadata"] == made["metadata"]
        answer = place.try_patch(resource, "a", {"metadata": {"deletionTimestamp": "2001-01-01T00:00:00Z"}})
        refused(answer, 422, "Invalid", "metadata.deletionTimestamp: ", "field is immutable")


@case()
def a_resource_version_in_a_patch_is_a_precondition(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        changed = place.patch(resource, "a", {"metadata": {"labels": {"k": "1"}}})
        patch = {"metadata": {"resourceVersion": revision(made), "labels": {"k": "2"}}}
        words = f'Operation cannot be fulfilled on {resource.qualified} "a": the object has been modified'
        refused(place.try_patch(resource, "a", patch), 409, "Conflict", words)
        patch["metadata"]["resourceVersion"] = revision(changed)
        assert place.patch(resource, "a", patch)["metadata"]["labels"] == {"k": "2"}


@case()
def a_patch_cannot_change_the_kind(place: Place) -> None:
    made = place.create(place.widgets, "a")
    words = 'kind: Invalid value: "Foo": must be Widget'
    refused(place.try_patch(place.widgets, "a", {"kind": "Foo"}), 422, "Invalid", words)
    words = f'apiVersion: Invalid value: "v9": must be {place.widgets.api_version}'
    refused(place.try_patch(place.widgets, "a", {"apiVersion": "v9"}), 422, "Invalid", words)
    place.create(CONFIG_MAPS, "a")
    for patch in ({"kind": "Secret"}, {"apiVersion": "v9"}):
        assert place.try_patch(CONFIG_MAPS, "a", patch).status in (400, 422)
    assert place.get(place.widgets, "a") == made


@case()
def a_patch_is_validated_like_an_update(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        answer = place.try_patch(resource, "a", {"metadata": {"labels": {"k": "-x"}}})
        status = refused(answer, 422, "Invalid", f'{resource.qualified_kind} "a" is invalid: ', "metadata.labels: ")
        assert set(causes(status)) == {("FieldValueInvalid", "metadata.labels")}
        assert place.get(resource, "a") == made


@case()
def a_patched_custom_resource_is_pruned_defaulted_and_validated(place: Place) -> None:
    place.create(place.widgets, "a", spec={"colour": "blue"})
    patched = place.patch(place.widgets, "a", {"spec": {"unknown": 1, "colour": None}})
    assert patched["spec"] == {"colour": "red"}
    answer = place.try_patch(place.widgets, "a", {"spec": {"size": "huge"}})
    refused(answer, 422, "Invalid", 'spec.size: Unsupported value: "huge": supported values: "small", "large"')


@case()
def a_field_of_a_wrong_type_is_unprocessable(place: Place) -> None:
    place.create(CONFIG_MAPS, "a")
    answer = place.try_patch(CONFIG_MAPS, "a", {"data": "text"})
    assert causes(refused(answer, 422, "Invalid", "patch: Invalid value: ")) == [("FieldValueInvalid", "patch")]

"""The status subresource: who writes what through which door."""

from __future__ import annotations

from tests.conformance.api import JSON_PATCH
from tests.conformance.expect import refused, revision
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, NAMESPACES, PODS

READY = {"phase": "Ready", "count": 1}


@case()
def a_new_object_has_no_status(place: Place) -> None:
    made = place.create(place.widgets, "a", spec={"weight": 1}, status=READY)
    assert "status" not in made
    assert "status" not in place.get(place.widgets, "a")


@case()
def the_main_door_ignores_status(place: Place) -> None:
    made = place.create(place.widgets, "a", spec={"weight": 1})
    with_status = place.put(place.widgets, {**made, "status": READY}, sub="status")
    assert with_status["status"] == READY
    put = place.put(place.widgets, {**with_status, "spec": {"weight": 2}, "status": {"phase": "Lost"}})
    assert (put["spec"]["weight"], put["status"]) == (2, READY)
    patched = place.patch(place.widgets, "a", {"spec": {"weight": 3}, "status": None})
    assert (patched["spec"]["weight"], patched["status"]) == (3, READY)
    without = {key: value for key, value in patched.items() if key != "status"}
    assert place.put(place.widgets, {**without, "spec": {"weight": 4}})["status"] == READY


@case()
def a_main_write_of_nothing_but_status_changes_nothing(place: Place) -> None:
    made = place.create(place.widgets, "a", spec={"weight": 1})
    for after in (
        place.patch(place.widgets, "a", {"status": READY}),
        place.put(place.widgets, {**place.get(place.widgets, "a"), "status": READY}),
    ):
        assert "status" not in after
        assert after["metadata"]["generation"] == 1
        if place.at_least(22):  # before, it noted who had tried
            assert revision(after) == revision(made)


@case()
def the_status_door_ignores_everything_but_status(place: Place) -> None:
    labels = {"labels": {"k": "v"}, "annotations": {"k": "v"}}
    made = place.create(place.widgets, "a", spec={"weight": 1}, metadata=labels)
    changed = {**made, "spec": {"weight": 2}, "status": READY}
    changed["metadata"] = {**made["metadata"], "labels": {"k": "other"}, "annotations": {}, "finalizers": ["e.com/f"]}
    put = place.put(place.widgets, changed, sub="status")
    assert (put["status"], put["spec"]) == (READY, made["spec"])
    assert put["metadata"]["labels"] == put["metadata"]["annotations"] == {"k": "v"}
    assert "finalizers" not in put["metadata"]
    assert place.get(place.widgets, "a") == put


@case()
def the_status_door_takes_patches(place: Place) -> None:
    place.create(place.widgets, "a", spec={"weight": 1})
    merged = place.patch(place.widgets, "a", {"spec": {"weight": 2}, "status": READY}, sub="status")
    assert (merged["spec"]["weight"], merged["status"]) == (1, READY)
    patch = [{"op": "replace", "path": "/status/phase", "value": "Done"}, {"op": "remove", "path": "/status/count"}]
    patched = place.patch(place.widgets, "a", patch, content_type=JSON_PATCH, sub="status")
    assert patched["status"] == {"phase": "Done"}
    assert place.get(place.widgets, "a") == patched


@case()
def a_status_is_read_with_the_whole_object(place: Place) -> None:
    made = place.create(place.widgets, "a")
    assert place.send("GET", place.widgets, "a", sub="status").json == made
    place.create(PODS, "p", spec={"containers": [{"name": "c", "image": "i"}]})
    assert place.send("GET", PODS, "p", sub="status").json == place.get(PODS, "p")


@case()
def a_status_write_raises_the_resource_version_only(place: Place) -> None:
    made = place.create(place.widgets, "a")
    written = place.put(place.widgets, {**made, "status": READY}, sub="status")
    assert int(revision(written)) > int(revision(made))
    assert written["metadata"]["generation"] == made["metadata"]["generation"]
    again = place.put(place.widgets, written, sub="status")
    assert revision(again) == revision(written)


@case()
def a_status_write_can_conflict(place: Place) -> None:
    made = place.create(place.widgets, "a")
    place.put(place.widgets, {**made, "status": READY}, sub="status")
    answer = place.send("PUT", place.widgets, "a", {**made, "status": {"phase": "Lost"}}, sub="status")
    words = f'Operation cannot be fulfilled on {place.widgets.qualified} "a": the object has been modified'
    refused(answer, 409, "Conflict", words)


@case()
def a_status_is_validated_and_pruned(place: Place) -> None:
    place.create(place.widgets, "a")
    answer = place.try_patch(place.widgets, "a", {"status": {"count": "many"}}, sub="status")
    words = 'status.count: Invalid value: "string": status.count in body must be of type integer: "string"'
    refused(answer, 422, "Invalid", words)
    patched = place.patch(place.widgets, "a", {"status": {"phase": "Ready", "unknown": 1}}, sub="status")
    assert patched["status"] == {"phase": "Ready"}


@case()
def the_status_of_a_missing_object_is_not_found(place: Place) -> None:
    words = f'{place.widgets.qualified} "a" not found'
    refused(place.send("GET", place.widgets, "a", sub="status"), 404, "NotFound", words)
    refused(place.send("PUT", place.widgets, "a", place.widgets.body("a"), sub="status"), 404, "NotFound", words)
    refused(place.try_patch(place.widgets, "a", {"status": READY}, sub="status"), 404, "NotFound", words)


@case()
def a_kind_without_the_subresource_has_no_such_door(place: Place) -> None:
    made = place.create(place.gadgets, "a")
    words = f'{place.gadgets.qualified} "a" not found'
    refused(place.send("GET", place.gadgets, "a", sub="status"), 404, "NotFound", words)
    refused(place.send("PUT", place.gadgets, "a", made, sub="status"), 404, "NotFound", words)
    refused(place.try_patch(place.gadgets, "a", {"status": {}}, sub="status"), 404, "NotFound", words)
    place.create(CONFIG_MAPS, "a")
    words = "the server could not find the requested resource"
    refused(place.send("GET", CONFIG_MAPS, "a", sub="status"), 404, "NotFound", words)


@case()
def without_the_subresource_status_is_a_field_like_any_other(place: Place) -> None:
    made = place.create(place.gadgets, "a", status={"phase": "Ready"})
    assert made["status"] == {"phase": "Ready"}
    patched = place.patch(place.gadgets, "a", {"status": {"phase": "Done"}})
    assert patched["status"] == {"phase": "Done"}
    assert patched["metadata"]["generation"] == 2


@case()
def a_status_cannot_be_created_or_deleted(place: Place) -> None:
    place.create(place.widgets, "a")
    words = f'create is not supported on resources of kind "{place.widgets.qualified}"'
    answer = place.send("POST", place.widgets, "a", place.widgets.body("a"), sub="status")
    refused(answer, 405, "MethodNotAllowed", words)
    words = f'delete is not supported on resources of kind "{place.widgets.qualified}"'
    refused(place.send("DELETE", place.widgets, "a", sub="status"), 405, "MethodNotAllowed", words)


@case()
def built_in_kinds_have_the_same_two_doors(place: Place) -> None:
    place.create(PODS, "a", spec={"containers": [{"name": "c", "image": "i"}]}, status={"phase": "Running"})
    assert place.get(PODS, "a")["status"]["phase"] == "Pending"
    place.patch(PODS, "a", {"status": {"phase": "Running", "message": "m"}}, sub="status")
    place.patch(PODS, "a", {"metadata": {"labels": {"k": "v"}}, "status": {"message": "other"}})
    found = place.get(PODS, "a")
    assert (found["metadata"]["labels"], found["status"]["message"]) == ({"k": "v"}, "m")
    place.delete(PODS, "a", gracePeriodSeconds=0)


@case()
def a_cluster_scoped_status_is_written_the_same_way(place: Place) -> None:
    name = place.new_name()
    place.create(place.planets, name, spec={"k": 1}, status={"phase": "Lost"})
    written = place.patch(place.planets, name, {"spec": {"k": 2}, "status": {"phase": "Ready"}}, sub="status")
    assert (written["spec"], written["status"]) == ({"k": 1}, {"phase": "Ready"})


@case()
def a_namespace_is_active_whatever_it_was_created_with(place: Place) -> None:
    made = place.create(NAMESPACES, place.new_name(), status={"phase": "Terminating"})
    assert made["status"]["phase"] == "Active"

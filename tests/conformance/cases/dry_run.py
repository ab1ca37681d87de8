"""dryRun: a write answers as it would, and nothing is stored."""

from __future__ import annotations

from tests.conformance.api import MERGE_PATCH
from tests.conformance.expect import causes, named_in, refused, revision, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, Resource


def both(place: Place) -> tuple[Resource, Resource]:
    """Return a built-in and a custom resource: all rules hold for either."""
    return CONFIG_MAPS, place.widgets


@case()
def a_dry_creation_answers_but_stores_nothing(place: Place) -> None:
    for resource in both(place):
        answer = place.send("POST", resource, body=resource.body("a", metadata={"labels": {"k": "v"}}), dryRun="All")
        made = succeeded(answer, 201)
        assert made["metadata"]["labels"] == {"k": "v"}
        assert made["metadata"]["uid"]
        assert "resourceVersion" not in made["metadata"]
        assert not place.exists(resource, "a")


@case()
def a_dry_creation_fills_in_and_prunes(place: Place) -> None:
    body = place.widgets.body(metadata={"generateName": "some-"}, spec={"unknown": 1})
    made = succeeded(place.send("POST", place.widgets, body=body, dryRun="All"), 201)
    assert made["metadata"]["name"].startswith("some-")
    assert made["spec"] == {"colour": "red"}
    assert place.names(place.widgets) == []


@case()
def a_dry_creation_is_refused_like_any_other(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        answer = place.send("POST", resource, body=resource.body("a"), dryRun="All")
        refused(answer, 409, "AlreadyExists", f'{resource.qualified} "a" already exists')
        refused(place.send("POST", resource, body=resource.body("A_"), dryRun="All"), 422, "Invalid", "metadata.name")


@case()
def a_dry_update_shows_the_change_and_stores_none(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        changed = {**made, "metadata": {**made["metadata"], "labels": {"k": "v"}}}
        shown = place.put(resource, changed, dryRun="All")
        assert shown["metadata"]["labels"] == {"k": "v"}
        assert revision(shown) == revision(made)
        assert place.get(resource, "a") == made


@case()
def a_dry_update_can_conflict(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        place.patch(resource, "a", {"metadata": {"labels": {"k": "v"}}})
        changed = {**made, "metadata": {**made["metadata"], "labels": {"k": "w"}}}
        refused(place.send("PUT", resource, "a", changed, dryRun="All"), 409, "Conflict", "has been modified")


@case()
def a_dry_patch_shows_the_change_and_stores_none(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        shown = place.patch(resource, "a", {"metadata": {"labels": {"k": "v"}}}, dryRun="All")
        assert shown["metadata"]["labels"] == {"k": "v"}
        assert place.get(resource, "a") == made


@case()
def a_dry_status_write_stores_nothing(place: Place) -> None:
    made = place.create(place.widgets, "a")
    shown = place.patch(place.widgets, "a", {"status": {"phase": "Ready"}}, sub="status", dryRun="All")
    assert shown["status"] == {"phase": "Ready"}
    assert place.get(place.widgets, "a") == made


@case()
def a_dry_deletion_deletes_nothing(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        assert place.delete(resource, "a", dryRun="All")["status"] == "Success"
        assert place.delete(resource, "a", {"dryRun": ["All"]})["status"] == "Success"
        assert place.get(resource, "a") == made


@case()
def a_dry_deletion_marks_nothing(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a", metadata={"finalizers": ["example.com/hold"]})
        shown = place.delete(resource, "a", dryRun="All")
        assert "deletionTimestamp" in shown["metadata"]
        assert place.get(resource, "a") == made
        place.patch(resource, "a", {"metadata": {"finalizers": None}})


@case()
def a_dry_deletion_of_a_collection_deletes_nothing(place: Place) -> None:
    for resource in both(place):
        for name in "ab":
            place.create(resource, name)
        assert named_in(succeeded(place.send("DELETE", resource, dryRun="All"))) == ["a", "b"]
        assert place.names(resource) == ["a", "b"]


@case()
def nothing_but_all_is_a_dry_run(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        for method, name, body, kind in (
            ("POST", "", resource.body("b"), "CreateOptions"),
            ("PUT", "a", resource.body("a"), "UpdateOptions"),
            ("PATCH", "a", {}, "PatchOptions"),
            ("DELETE", "a", None, "DeleteOptions"),
        ):
            headers = {"Content-Type": MERGE_PATCH} if method == "PATCH" else None
            status = refused(
                place.send(method, resource, name, body, headers=headers, dryRun="Foo"),
                422,
                "Invalid",
                f'{kind}.meta.k8s.io "" is invalid: dryRun: Unsupported value: ',
                'supported values: "All"',
            )
            assert causes(status) == [("FieldValueNotSupported", "dryRun")]
            assert status["details"]["kind"] == kind
        assert place.names(resource) == ["a"]


@case()
def a_dry_run_moves_no_counter(place: Place) -> None:
    made = place.create(CONFIG_MAPS, "a")
    with place.watch(CONFIG_MAPS, resourceVersion=revision(made)) as events:
        place.patch(CONFIG_MAPS, "a", {"data": {"k": "v"}}, dryRun="All")
        place.delete(CONFIG_MAPS, "a", dryRun="All")
        last = place.create(CONFIG_MAPS, "b")
        assert next(events) == {"type": "ADDED", "object": last}

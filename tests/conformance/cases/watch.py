"""Watches: which events come, and with what object and resourceVersion."""

from __future__ import annotations

from tests.conformance.api import Document
from tests.conformance.expect import revision, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, Resource
from tests.conformance.watching import now, seen, settle, take

FINALIZER = "example.com/hold"


def both(place: Place) -> tuple[Resource, Resource]:
    """Return a built-in and a custom resource: all rules hold for either."""
    return CONFIG_MAPS, place.widgets


def label(place: Place, resource: Resource, name: str, value: str) -> Document:
    return place.patch(resource, name, {"metadata": {"labels": {"k": value}}})


@case()
def changes_arrive_with_the_objects_as_they_became(place: Place) -> None:
    for resource in both(place):
        with place.watch(resource, resourceVersion=now(place, resource)) as events:
            made = place.create(resource, "a")
            changed = label(place, resource, "a", "v")
            added, modified = take(events, 2)
        assert added == {"type": "ADDED", "object": made}
        assert modified == {"type": "MODIFIED", "object": changed}
        assert added["object"]["kind"] == resource.kind


@case()
def a_deleted_object_comes_as_it_was_last_at_a_revision_of_its_own(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a", metadata={"labels": {"k": "v"}})
        with place.watch(resource, resourceVersion=revision(made)) as events:
            place.delete(resource, "a")
            after = place.create(resource, "b")
            deleted, added = take(events, 2)
        assert deleted["type"] == "DELETED"
        assert int(revision(made)) < int(revision(deleted["object"])) < int(revision(after))
        deleted["object"]["metadata"]["resourceVersion"] = revision(made)
        assert deleted["object"] == made
        assert seen(added) == ("ADDED", "b", revision(after))


@case()
def a_watch_starts_after_its_resource_version(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        second = place.create(resource, "b")
        third = place.create(resource, "c")
        with place.watch(resource, resourceVersion=revision(second)) as events:
            (event,) = take(events, 1)
        assert seen(event) == ("ADDED", "c", revision(third))


@case()
def the_past_is_replayed_in_order(place: Place) -> None:
    for resource in both(place):
        start = now(place, resource)
        first = place.create(resource, "a")
        second = label(place, resource, "a", "v")
        third = place.create(resource, "b")
        place.delete(resource, "a")
        with place.watch(resource, resourceVersion=start) as events:
            replayed = [seen(event) for event in take(events, 4)]
        assert replayed[:3] == [
            ("ADDED", "a", revision(first)),
            ("MODIFIED", "a", revision(second)),
            ("ADDED", "b", revision(third)),
        ]
        assert replayed[3][:2] == ("DELETED", "a")
        assert [int(event.revision) for event in replayed] == sorted(int(event.revision) for event in replayed)


@case()
def a_watch_from_nowhere_begins_with_what_is_there(place: Place) -> None:
    for resource in both(place):
        made = [place.create(resource, name) for name in "ab"]
        for start in (None, "0", ""):
            settle(place, resource)
            with place.watch(resource, resourceVersion=start) as events:
                found = take(events, 2)
                later = place.create(resource, "later")
                (event,) = take(events, 1)
            assert sorted(seen(each) for each in found) == [
                ("ADDED", each, revision(one)) for each, one in zip("ab", made, strict=True)
            ]
            assert seen(event) == ("ADDED", "later", revision(later))
            place.delete(resource, "later")


@case()
def a_change_that_changes_nothing_is_no_event(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a", metadata={"labels": {"k": "v"}})
        with place.watch(resource, resourceVersion=revision(made)) as events:
            label(place, resource, "a", "v")
            place.create(resource, "b")
            assert seen(take(events, 1)[0])[:2] == ("ADDED", "b")


@case()
def an_object_that_leaves_the_selection_is_deleted_as_it_was(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a", metadata={"labels": {"k": "v"}})
        with place.watch(resource, resourceVersion=revision(made), labelSelector="k=v") as events:
            left = label(place, resource, "a", "other")
            (event,) = take(events, 1)
        assert seen(event) == ("DELETED", "a", revision(left))
        assert event["object"]["metadata"]["labels"] == {"k": "v"}


@case()
def an_object_that_enters_the_selection_is_added(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        with place.watch(resource, resourceVersion=revision(made), labelSelector="k=v") as events:
            label(place, resource, "a", "other")
            entered = label(place, resource, "a", "v")
            (event,) = take(events, 1)
        assert event == {"type": "ADDED", "object": entered}


@case()
def what_happens_outside_the_selection_is_not_told(place: Place) -> None:
    for resource in both(place):
        start = now(place, resource)
        with place.watch(resource, resourceVersion=start, labelSelector="k=v") as events:
            place.create(resource, "out", metadata={"labels": {"k": "other"}})
            place.delete(resource, "out")
            place.create(resource, "in", metadata={"labels": {"k": "v"}})
            gone = place.delete(resource, "in")
            assert [seen(event)[:2] for event in take(events, 2)] == [("ADDED", "in"), ("DELETED", "in")]
        assert gone["status"] == "Success"


@case()
def one_object_can_be_watched_by_its_name(place: Place) -> None:
    for resource in both(place):
        start = now(place, resource)
        with place.watch(resource, resourceVersion=start, fieldSelector="metadata.name=b") as events:
            place.create(resource, "a")
            place.create(resource, "b")
            place.delete(resource, "a")
            place.delete(resource, "b")
            assert [seen(event)[:2] for event in take(events, 2)] == [("ADDED", "b"), ("DELETED", "b")]


@case()
def all_namespaces_can_be_watched(place: Place) -> None:
    other = place.new_namespace()
    for resource in both(place):
        start = now(place, resource)
        path = f"{resource.path()}?watch=1&resourceVersion={start}&labelSelector=mark%3D{place.namespace}"
        with place.api.stream(path) as events:
            for namespace in (place.namespace, other):
                body = resource.body("a", metadata={"labels": {"mark": place.namespace}})
                succeeded(place.api.request("POST", resource.path(namespace), body), 201)
            found = [event["object"]["metadata"]["namespace"] for event in take(events, 2)]
        assert found == [place.namespace, other]


@case()
def other_namespaces_are_not_told(place: Place) -> None:
    other = place.new_namespace()
    for resource in both(place):
        with place.watch(resource, resourceVersion=now(place, resource)) as events:
            succeeded(place.api.request("POST", resource.path(other), resource.body("elsewhere")), 201)
            place.create(resource, "here")
            assert seen(take(events, 1)[0])[:2] == ("ADDED", "here")


@case()
def a_finalizer_turns_a_deletion_into_a_change_first(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a", metadata={"finalizers": [FINALIZER]})
        with place.watch(resource, resourceVersion=revision(made)) as events:
            marked = place.delete(resource, "a")
            place.patch(resource, "a", {"metadata": {"finalizers": None}})
            modified, deleted = take(events, 2)
        assert modified == {"type": "MODIFIED", "object": marked}
        assert deleted["type"] == "DELETED"
        assert int(revision(deleted["object"])) > int(revision(marked))
        assert "deletionTimestamp" in deleted["object"]["metadata"]


@case()
def deleting_a_collection_is_an_event_for_each(place: Place) -> None:
    for resource in both(place):
        for name in "ab":
            place.create(resource, name)
        with place.watch(resource, resourceVersion=now(place, resource)) as events:
            succeeded(place.send("DELETE", resource))
            deleted = [seen(event) for event in take(events, 2)]
        assert sorted(event[:2] for event in deleted) == [("DELETED", "a"), ("DELETED", "b")]
        assert deleted[0].revision != deleted[1].revision


@case()
def the_status_subresource_is_watched_too(place: Place) -> None:
    made = place.create(place.widgets, "a")
    with place.watch(place.widgets, resourceVersion=revision(made)) as events:
        changed = place.patch(place.widgets, "a", {"status": {"phase": "Ready"}}, sub="status")
        assert take(events, 1) == [{"type": "MODIFIED", "object": changed}]


@case()
def another_version_of_a_custom_resource_is_watched_as_asked_for(place: Place) -> None:
    older = place.widgets._replace(version="v1beta1")
    with place.watch(older, resourceVersion=now(place, older)) as events:
        place.create(place.widgets, "a")
        (event,) = take(events, 1)
    assert event["object"]["apiVersion"] == older.api_version

"""DELETE: what its options may be, and what they leave behind."""

from __future__ import annotations

from tests.conformance.expect import causes, named_in, refused, revision
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, PODS, Resource
from tests.conformance.watching import seen, settle, take

HOLD = ["example.com/hold"]
POD = {"containers": [{"name": "c", "image": "i"}]}


def both(place: Place) -> tuple[Resource, Resource]:
    """Return a built-in and a custom resource: most rules hold for either."""
    return CONFIG_MAPS, place.widgets


@case()
def options_of_wrong_types_are_not_foreseen(place: Place) -> None:
    for resource in both(place):
        for options in (
            {"gracePeriodSeconds": "x"},
            {"dryRun": "All"},
            {"preconditions": {"uid": 5}},
            {"orphanDependents": "true"},
            {"propagationPolicy": 5},
            {"kind": "Foo", "apiVersion": "v1"},
        ):
            refused(place.send("DELETE", resource, "a", options), 500, None)


@case()
def an_empty_option_is_one(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        for options in ({"propagationPolicy": ""}, {"propagationPolicy": "", "preconditions": {"uid": "x"}}):
            found = causes(refused(place.send("DELETE", resource, "a", options), 422, "Invalid"))
            assert found == [("FieldValueNotSupported", "propagationPolicy")]
        found = causes(refused(place.send("DELETE", resource, "a", dryRun=""), 422, "Invalid"))
        assert found == [("FieldValueNotSupported", "dryRun")]
        for name in ("uid", "resourceVersion"):
            answer = place.send("DELETE", resource, "a", {"preconditions": {name: ""}})
            refused(answer, 409, "Conflict", "in the precondition () does not match")


@case()
def the_old_word_for_background_accepts_what_it_cannot_finish(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a", metadata={"finalizers": HOLD})
        assert place.send("DELETE", resource, "a", orphanDependents=False).status == 202
        place.patch(resource, "a", {"metadata": {"finalizers": None}})
        place.create(resource, "a")
        assert place.send("DELETE", resource, "a", orphanDependents=False).status == 200


@case()
def a_policy_can_come_later(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a", metadata={"finalizers": HOLD})
        marked = place.delete(resource, "a")
        again = place.delete(resource, "a", {"propagationPolicy": "Orphan"})
        assert again["metadata"]["finalizers"] == [*HOLD, "orphan"]
        assert int(revision(again)) > int(revision(marked))
        assert again["metadata"]["deletionTimestamp"] == marked["metadata"]["deletionTimestamp"]
        place.patch(resource, "a", {"metadata": {"finalizers": None}})


@case()
def another_policy_takes_the_place_of_one_that_an_object_has(place: Place) -> None:
    for resource in both(place):
        for options, finalizers in (
            ({"propagationPolicy": "Background"}, HOLD),
            ({"propagationPolicy": "Foreground"}, [*HOLD, "foregroundDeletion"]),
            ({"orphanDependents": False}, HOLD),
            ({}, ["orphan", *HOLD]),
        ):
            place.create(resource, "a", metadata={"finalizers": ["orphan", *HOLD]})
            going = place.send("DELETE", resource, "a", options).json
            assert going["metadata"]["finalizers"] == finalizers
            place.patch(resource, "a", {"metadata": {"finalizers": None}})


@case()
def a_pod_is_marked_even_if_it_goes_at_once(place: Place) -> None:
    made = place.create(PODS, "a", spec=POD)
    with place.watch(PODS, resourceVersion=revision(made)) as events:
        answered = place.delete(PODS, "a")
        marked, deleted = take(events, 2)
    assert marked == {"type": "MODIFIED", "object": answered}
    assert answered["metadata"]["deletionGracePeriodSeconds"] == 0
    assert int(revision(made)) < int(revision(answered)) < int(revision(deleted["object"]))
    deleted["object"]["metadata"]["resourceVersion"] = revision(answered)
    assert deleted == {"type": "DELETED", "object": answered}


@case()
def the_time_of_a_pod_that_stops_is_only_ever_cut(place: Place) -> None:
    place.create(PODS, "a", spec={**POD, "nodeName": "n"})
    marked = place.delete(PODS, "a", gracePeriodSeconds=60)
    assert place.delete(PODS, "a", gracePeriodSeconds=90) == marked
    assert place.delete(PODS, "a") == marked
    sooner = place.delete(PODS, "a", gracePeriodSeconds=20)
    assert sooner["metadata"]["deletionGracePeriodSeconds"] == 20
    assert sooner["metadata"]["deletionTimestamp"] < marked["metadata"]["deletionTimestamp"]
    place.delete(PODS, "a", gracePeriodSeconds=0)
    assert not place.exists(PODS, "a")


@case()
def what_loses_its_last_finalizer_is_seen_as_it_was_stored(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a", metadata={"finalizers": HOLD})
        marked = place.delete(resource, "a")
        with place.watch(resource, resourceVersion=revision(marked)) as events:
            place.patch(resource, "a", {"metadata": {"finalizers": None, "labels": {"k": "v"}}})
            (deleted,) = take(events, 1)
        assert seen(deleted)[:2] == ("DELETED", "a")
        deleted["object"]["metadata"]["resourceVersion"] = revision(marked)
        assert deleted["object"] == marked


@case()
def a_list_of_any_state_knows_no_pages(place: Place) -> None:
    for resource in both(place):
        for name in "abc":
            place.create(resource, name)
        settle(place, resource)
        listed = place.collection(resource, limit=2, resourceVersion=0)
        assert sorted(named_in(listed)) == ["a", "b", "c"]
        assert not listed["metadata"].get("continue")


@case()
def one_object_by_its_name_is_read_as_it_is_now(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        changed = place.patch(resource, "a", {"metadata": {"labels": {"k": "v"}}})
        query = {"limit": 500, "resourceVersion": revision(made)}
        (listed,) = place.collection(resource, fieldSelector="metadata.name=a", **query)["items"]
        assert revision(listed) == revision(changed)
        (listed,) = place.collection(resource, **query)["items"]
        assert revision(listed) == revision(made)

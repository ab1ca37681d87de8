"""DELETE: options, preconditions, finalizers, and whole collections."""

from __future__ import annotations

from tests.conformance.api import YAML
from tests.conformance.expect import named_in, refused, revision, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, PODS, Resource

HOLD = ["example.com/hold"]


def both(place: Place) -> tuple[Resource, Resource]:
    """Return a built-in and a custom resource: most rules hold for either."""
    return CONFIG_MAPS, place.widgets


def release(place: Place, resource: Resource, name: str) -> None:
    """Take every finalizer away, so that the object goes."""
    place.patch(resource, name, {"metadata": {"finalizers": None}})
    assert not place.exists(resource, name)


@case()
def a_deleted_object_is_gone_and_success_tells_whose(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        status = place.delete(resource, "a")
        assert (status["kind"], status["apiVersion"], status["status"]) == ("Status", "v1", "Success")
        details = {"name": "a", "group": resource.group, "kind": resource.plural, "uid": made["metadata"]["uid"]}
        assert status["details"] == {key: value for key, value in details.items() if value}
        assert not place.exists(resource, "a")
        assert place.names(resource) == []


@case()
def a_name_is_free_again_for_another_object(place: Place) -> None:
    for resource in both(place):
        first = place.create(resource, "a")
        place.delete(resource, "a")
        assert place.create(resource, "a")["metadata"]["uid"] != first["metadata"]["uid"]


@case()
def a_missing_object_is_not_found(place: Place) -> None:
    for resource in both(place):
        status = refused(place.send("DELETE", resource, "a"), 404, "NotFound", f'{resource.qualified} "a" not found')
        assert status["details"]["kind"] == resource.plural


@case()
def another_uid_as_precondition_is_a_conflict(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        status = refused(
            place.send("DELETE", resource, "a", {"preconditions": {"uid": "0000"}}),
            409,
            "Conflict",
            f'Operation cannot be fulfilled on {resource.qualified_kind} "a": ',
            f"the UID in the precondition (0000) does not match the UID in record ({made['metadata']['uid']}). ",
            "The object might have been deleted and then recreated",
        )
        assert (status["details"]["name"], status["details"]["kind"]) == ("a", resource.kind)
        assert place.exists(resource, "a")


@case()
def another_resource_version_as_precondition_is_a_conflict(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        changed = place.patch(resource, "a", {"metadata": {"labels": {"k": "v"}}})
        refused(
            place.send("DELETE", resource, "a", {"preconditions": {"resourceVersion": revision(made)}}),
            409,
            "Conflict",
            f'Operation cannot be fulfilled on {resource.qualified_kind} "a": ',
            f"the ResourceVersion in the precondition ({revision(made)}) does not match ",
            f"the ResourceVersion in record ({revision(changed)}). ",
            "The object might have been modified",
        )
        assert place.exists(resource, "a")


@case()
def preconditions_that_hold_let_it_go(place: Place) -> None:
    for resource in both(place):
        metadata = place.create(resource, "a")["metadata"]
        given = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        place.delete(resource, "a", {"preconditions": given})
        assert not place.exists(resource, "a")


@case()
def options_may_tell_their_kind_and_come_as_yaml(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "0000"}}
        assert place.send("DELETE", resource, "a", options).status == 409
        text = b"kind: DeleteOptions\napiVersion: v1\npreconditions: {uid: '0000'}\n"
        assert place.send("DELETE", resource, "a", text, headers={"Content-Type": YAML}).status == 409
        options = {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "preconditions": {"uid": "0000"}}
        assert place.send("DELETE", resource, "a", options).status == 409


@case()
def unreadable_options_are_refused(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        assert place.send("DELETE", resource, "a", b"{").status in (400, 500)
        answer = place.send("DELETE", resource, "a", b"x", headers={"Content-Type": "text/plain"})
        refused(answer, 415, "UnsupportedMediaType", "the body of the request was in an unknown format")
        assert place.exists(resource, "a")


@case()
def an_unknown_propagation_is_invalid(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        words = (
            'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Foo": supported values: '
        )
        answer = place.send("DELETE", resource, "a", {"propagationPolicy": "Foo"})
        refused(answer, 422, "Invalid", words, '"Foreground", "Background", "Orphan"')
        refused(place.send("DELETE", resource, "a", propagationPolicy="Foo"), 422, "Invalid", words)
        assert place.exists(resource, "a")


@case()
def orphaning_is_said_in_one_way_only(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        words = (
            'propagationPolicy: Invalid value: "Orphan": ',
            "orphanDependents and deletionPropagation cannot be both set",
        )
        options = {"propagationPolicy": "Orphan", "orphanDependents": True}
        refused(place.send("DELETE", resource, "a", options), 422, "Invalid", *words)
        answer = place.send("DELETE", resource, "a", propagationPolicy="Orphan", orphanDependents=True)
        refused(answer, 422, "Invalid", *words)


@case()
def background_is_what_happens_anyway(place: Place) -> None:
    for resource in both(place):
        for options in ({"propagationPolicy": "Background"}, {"orphanDependents": False}, {}):
            place.create(resource, "a")
            assert place.delete(resource, "a", options)["status"] == "Success"


@case()
def other_propagations_leave_a_finalizer_for_the_garbage_collector(place: Place) -> None:
    for resource in both(place):
        for options, finalizer in (
            ({"propagationPolicy": "Foreground"}, "foregroundDeletion"),
            ({"propagationPolicy": "Orphan"}, "orphan"),
            ({"orphanDependents": True}, "orphan"),
        ):
            place.create(resource, "a", metadata={"finalizers": HOLD})
            answered = place.delete(resource, "a", options)
            assert answered["kind"] == resource.kind
            assert sorted(answered["metadata"]["finalizers"]) == sorted([*HOLD, finalizer])
            assert "deletionTimestamp" in answered["metadata"]
            release(place, resource, "a")


@case()
def a_grace_period_is_a_number_and_means_nothing_to_most_kinds(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        words = 'strconv.ParseInt: parsing "x": invalid syntax'
        refused(place.send("DELETE", resource, "a", gracePeriodSeconds="x"), 400, "BadRequest", words)
        assert place.delete(resource, "a", gracePeriodSeconds=30)["status"] == "Success"
        assert not place.exists(resource, "a")


@case()
def a_pod_on_a_node_stays_for_its_grace_period(place: Place) -> None:
    spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "n"}
    place.create(PODS, "a", spec=spec)
    pod = place.delete(PODS, "a", gracePeriodSeconds=7)
    assert pod["kind"] == "Pod"
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 7
    assert pod["metadata"]["deletionTimestamp"] > pod["metadata"]["creationTimestamp"]
    assert place.exists(PODS, "a")
    place.delete(PODS, "a", gracePeriodSeconds=0)
    assert not place.exists(PODS, "a")


@case()
def a_pod_without_a_node_goes_at_once(place: Place) -> None:
    place.create(PODS, "a", spec={"containers": [{"name": "c", "image": "i"}]})
    pod = place.delete(PODS, "a")
    assert (pod["kind"], pod["metadata"]["name"]) == ("Pod", "a")
    assert not place.exists(PODS, "a")


@case()
def a_finalizer_keeps_an_object_that_is_marked(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a", metadata={"finalizers": HOLD})
        marked = place.delete(resource, "a")
        assert (marked["kind"], marked["metadata"]["finalizers"]) == (resource.kind, HOLD)
        assert marked["metadata"]["deletionTimestamp"] >= made["metadata"]["creationTimestamp"]
        assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
        assert int(revision(marked)) > int(revision(made))
        assert place.get(resource, "a") == marked
        assert place.names(resource) == ["a"]
        release(place, resource, "a")


@case()
def marking_an_object_raises_its_generation(place: Place) -> None:
    place.create(place.widgets, "a", metadata={"finalizers": HOLD})
    assert place.delete(place.widgets, "a")["metadata"]["generation"] == 2
    release(place, place.widgets, "a")


@case()
def a_marked_object_is_not_marked_again(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a", metadata={"finalizers": HOLD})
        marked = place.delete(resource, "a")
        assert place.delete(resource, "a") == marked
        assert place.get(resource, "a") == marked
        release(place, resource, "a")


@case()
def the_mark_cannot_be_taken_away(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a", metadata={"finalizers": HOLD})
        marked = place.delete(resource, "a")
        patched = place.patch(resource, "a", {"metadata": {"deletionTimestamp": None}})
        assert patched["metadata"]["deletionTimestamp"] == marked["metadata"]["deletionTimestamp"]
        release(place, resource, "a")


@case()
def a_marked_object_can_change_but_gets_no_new_finalizers(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a", metadata={"finalizers": [*HOLD, "example.com/other"]})
        place.delete(resource, "a")
        words = (
            f'{resource.qualified_kind} "a" is invalid: metadata.finalizers: Forbidden: ',
            "no new finalizers can be added if the object is being deleted, found new finalizers ",
            '[]string{"example.com/new"}',
        )
        answer = place.try_patch(resource, "a", {"metadata": {"finalizers": [*HOLD, "example.com/new"]}})
        refused(answer, 422, "Invalid", *words)
        changed = place.patch(resource, "a", {"metadata": {"finalizers": HOLD, "labels": {"k": "v"}}})
        assert (changed["metadata"]["finalizers"], changed["metadata"]["labels"]) == (HOLD, {"k": "v"})
        release(place, resource, "a")


@case()
def the_last_finalizer_takes_a_marked_object_with_it(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a", metadata={"finalizers": HOLD})
        marked = place.delete(resource, "a")
        marked["metadata"]["finalizers"] = []
        last = place.put(resource, marked)
        assert last["metadata"]["name"] == "a"
        assert not last["metadata"].get("finalizers")
        assert not place.exists(resource, "a")


@case()
def finalizers_of_an_object_that_is_not_marked_are_only_words(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a", metadata={"finalizers": HOLD})
        place.patch(resource, "a", {"metadata": {"finalizers": None}})
        assert place.exists(resource, "a")


@case()
def a_name_is_taken_until_the_marked_object_is_gone(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a", metadata={"finalizers": HOLD})
        place.delete(resource, "a")
        answer = place.send("POST", resource, body=resource.body("a"))
        words = f'object is being deleted: {resource.qualified} "a" already exists'
        refused(answer, 409, "AlreadyExists", words)
        release(place, resource, "a")


@case()
def preconditions_are_checked_for_a_marked_object_too(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a", metadata={"finalizers": HOLD})
        place.delete(resource, "a")
        answer = place.send("DELETE", resource, "a", {"preconditions": {"uid": "0000"}})
        refused(answer, 409, "Conflict", "the UID in the precondition (0000) does not match")
        release(place, resource, "a")


@case()
def a_collection_is_deleted_and_listed_as_it_was(place: Place) -> None:
    for resource in both(place):
        made = [place.create(resource, name) for name in "ab"]
        listed = succeeded(place.send("DELETE", resource))
        assert listed["kind"] == f"{resource.kind}List"
        assert named_in(listed) == ["a", "b"]
        assert [item["metadata"]["uid"] for item in listed["items"]] == [each["metadata"]["uid"] for each in made]
        assert place.names(resource) == []


@case()
def an_empty_collection_can_be_deleted(place: Place) -> None:
    for resource in both(place):
        assert succeeded(place.send("DELETE", resource))["items"] == []


@case()
def selectors_say_what_goes(place: Place) -> None:
    for resource in both(place):
        for name in "abcd":
            place.create(resource, name, metadata={"labels": {"k": "v" if name in "ab" else "w"}})
        assert named_in(succeeded(place.send("DELETE", resource, labelSelector="k=v"))) == ["a", "b"]
        assert named_in(succeeded(place.send("DELETE", resource, fieldSelector="metadata.name=c"))) == ["c"]
        assert place.names(resource) == ["d"]


@case()
def selectors_of_a_collection_are_checked(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        refused(place.send("DELETE", resource, labelSelector="a b"), 400, "BadRequest", "unable to parse requirement")
        refused(place.send("DELETE", resource, fieldSelector="foo=bar"), 400, "BadRequest", "foo")
        assert place.exists(resource, "a")


@case()
def options_hold_for_each_object_of_a_collection(place: Place) -> None:
    for resource in both(place):
        for name in "ab":
            place.create(resource, name)
        answer = place.send("DELETE", resource, body={"preconditions": {"uid": "0000"}})
        refused(answer, 409, "Conflict", "the UID in the precondition (0000) does not match")
        assert place.names(resource) == ["a", "b"]
        answer = place.send("DELETE", resource, body={"propagationPolicy": "Foo"})
        refused(answer, 422, "Invalid", "propagationPolicy: Unsupported value")


@case()
def finalizers_keep_objects_of_a_collection(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        place.create(resource, "held", metadata={"finalizers": HOLD})
        succeeded(place.send("DELETE", resource))
        assert place.names(resource) == ["held"]
        assert "deletionTimestamp" in place.get(resource, "held")["metadata"]
        release(place, resource, "held")


@case()
def a_limit_deletes_the_first_objects_only(place: Place) -> None:
    for resource in both(place):
        for name in "abc":
            place.create(resource, name)
        listed = succeeded(place.send("DELETE", resource, limit=2))
        assert named_in(listed) == ["a", "b"]
        assert listed["metadata"]["continue"]
        assert place.names(resource) == ["c"]


@case()
def deleting_one_namespace_spares_the_others(place: Place) -> None:
    other = place.new_namespace()
    for resource in both(place):
        place.create(resource, "a")
        succeeded(place.api.request("POST", resource.path(other), resource.body("a")), 201)
        succeeded(place.send("DELETE", resource))
        assert place.api.request("GET", resource.path(other, "a")).status == 200

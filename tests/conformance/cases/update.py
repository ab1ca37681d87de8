"""PUT: when it is taken, what it may change, and what moves with it."""

from __future__ import annotations

import copy
from typing import Any

from tests.conformance.api import Document
from tests.conformance.expect import causes, refused, revision, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, DEPLOYMENTS, LEASES, SECRETS, Resource

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def both(place: Place) -> tuple[Resource, Resource]:
    """Return a built-in and a custom resource: most rules hold for either."""
    return CONFIG_MAPS, place.widgets


def with_metadata(document: Document, **changes: Any) -> Document:
    """Return a copy with other metadata; None takes a field out."""
    changed = copy.deepcopy(document)
    changed["metadata"].update(changes)
    changed["metadata"] = {key: value for key, value in changed["metadata"].items() if value is not None}
    return changed


@case()
def what_is_put_replaces_what_was_there(place: Place) -> None:
    made = place.create(CONFIG_MAPS, "a", data={"old": "1"}, metadata={"labels": {"old": "1"}})
    made["data"] = {"new": "2"}
    del made["metadata"]["labels"]
    updated = place.put(CONFIG_MAPS, made)
    assert updated["data"] == {"new": "2"}
    assert "labels" not in updated["metadata"]
    assert updated == place.get(CONFIG_MAPS, "a")
    assert int(revision(updated)) > int(revision(made))
    assert updated["metadata"]["uid"] == made["metadata"]["uid"]


@case()
def an_outdated_resource_version_is_a_conflict(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        place.put(resource, with_metadata(made, labels={"k": "first"}))
        answer = place.send("PUT", resource, "a", with_metadata(made, labels={"k": "second"}))
        words = f'Operation cannot be fulfilled on {resource.qualified} "a": {MODIFIED}'
        status = refused(answer, 409, "Conflict", words)
        details = {"name": "a", "group": resource.group, "kind": resource.plural}
        assert status["details"] == {key: value for key, value in details.items() if value}
        assert place.get(resource, "a")["metadata"]["labels"] == {"k": "first"}


@case()
def a_custom_resource_cannot_be_put_without_a_resource_version(place: Place) -> None:
    made = place.create(place.widgets, "a")
    for version in (None, "", "0"):
        status = refused(
            place.send("PUT", place.widgets, "a", with_metadata(made, resourceVersion=version)),
            422,
            "Invalid",
            f'{place.widgets.qualified} "a" is invalid: metadata.resourceVersion: Invalid value: ',
            "must be specified for an update",
        )
        assert causes(status) == [("FieldValueInvalid", "metadata.resourceVersion")]
        assert status["details"]["kind"] == "widgets"


@case()
def a_built_in_object_can_be_put_unconditionally(place: Place) -> None:
    for resource in (CONFIG_MAPS, SECRETS):
        place.create(resource, "a")
        place.put(resource, resource.body("a", metadata={"labels": {"k": "v"}}))
        assert place.get(resource, "a")["metadata"]["labels"] == {"k": "v"}


@case()
def leases_are_put_with_a_resource_version_or_created(place: Place) -> None:
    body = LEASES.body("a", spec={"holderIdentity": "me"})
    made = succeeded(place.send("PUT", LEASES, "a", body), 201)
    assert made["spec"]["holderIdentity"] == "me"
    refused(place.send("PUT", LEASES, "a", body), 422, "Invalid", "metadata.resourceVersion", "must be specified")


@case()
def a_resource_version_is_a_number(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        answer = place.send("PUT", resource, "a", with_metadata(made, resourceVersion="x"))
        assert answer.status in (400, 422, 500)
        assert 'strconv.ParseUint: parsing "x": invalid syntax' in answer.json["message"]


@case()
def another_uid_is_a_conflict(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        refused(
            place.send("PUT", resource, "a", with_metadata(made, uid="0000")),
            409,
            "Conflict",
            f'Operation cannot be fulfilled on {resource.qualified} "a": ',
            f"Precondition failed: UID in precondition: 0000, UID in object meta: {made['metadata']['uid']}",
        )


@case()
def an_object_that_is_not_there_is_not_found(place: Place) -> None:
    for resource in both(place):
        answer = place.send("PUT", resource, "a", resource.body("a"))
        refused(answer, 404, "NotFound", f'{resource.qualified} "a" not found')
        assert not place.exists(resource, "a")


@case()
def a_deleted_object_that_is_put_again_is_not_recreated(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        place.delete(resource, "a")
        answer = place.send("PUT", resource, "a", made)
        refused(answer, 409, "Conflict", f"Precondition failed: UID in precondition: {made['metadata']['uid']}")
        assert not place.exists(resource, "a")


@case()
def a_name_or_namespace_other_than_the_path_is_a_bad_request(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        for changes, words in (
            ({"name": "b"}, "the name of the object (b) does not match the name on the URL (a)"),
            ({"name": None}, "the name of the object (a based on URL) was undeterminable: name must be provided"),
            (
                {"namespace": "other"},
                "the namespace of the object (other) does not match the namespace on the request",
            ),
        ):
            answer = place.send("PUT", resource, "a", with_metadata(made, **changes))
            refused(answer, 400, "BadRequest", words)
        assert place.put(resource, with_metadata(made, namespace=None))["metadata"]["namespace"] == place.namespace


@case()
def putting_the_same_changes_nothing(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a", metadata={"labels": {"k": "v"}})
        before = revision(place.collection(resource))
        assert revision(place.put(resource, made)) == revision(made)
        assert place.get(resource, "a") == made
        assert int(revision(place.collection(resource))) >= int(before)


@case()
def what_only_the_server_may_say_is_kept(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        forged = with_metadata(
            made,
            uid=None,
            creationTimestamp="2001-01-01T00:00:00Z",
            generation=7,
            selfLink="/nowhere",
            deletionGracePeriodSeconds=None,
        )
        assert place.put(resource, forged)["metadata"] == made["metadata"]


@case()
def a_time_of_deletion_cannot_be_put(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        answer = place.send("PUT", resource, "a", with_metadata(made, deletionTimestamp="2001-01-01T00:00:00Z"))
        words = (f'{resource.qualified_kind} "a" is invalid: ', "metadata.deletionTimestamp: ", "field is immutable")
        status = refused(answer, 422, "Invalid", *words)
        assert set(causes(status)) == {("FieldValueInvalid", "metadata.deletionTimestamp")}


@case()
def the_generation_of_a_custom_resource_moves_with_all_but_metadata_and_status(place: Place) -> None:
    made = place.create(place.widgets, "a", spec={"weight": 1})
    assert made["metadata"]["generation"] == 1
    labelled = place.put(place.widgets, with_metadata(made, labels={"k": "v"}, annotations={"k": "v"}))
    assert labelled["metadata"]["generation"] == 1
    labelled["spec"]["weight"] = 2
    heavier = place.put(place.widgets, labelled)
    assert heavier["metadata"]["generation"] == 2
    heavier["status"] = {"phase": "Ready"}
    assert place.put(place.widgets, heavier, sub="status")["metadata"]["generation"] == 2


@case()
def the_generation_of_a_deployment_moves_with_its_spec(place: Place) -> None:
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    made = place.create(
        DEPLOYMENTS, "a", spec={"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    )
    assert made["metadata"]["generation"] == 1
    labelled = place.put(DEPLOYMENTS, with_metadata(made, labels={"k": "v"}))
    assert labelled["metadata"]["generation"] == 1
    labelled["spec"]["replicas"] = 2
    assert place.put(DEPLOYMENTS, labelled)["metadata"]["generation"] == 2


@case()
def invalid_content_is_refused_and_changes_nothing(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        answer = place.send("PUT", resource, "a", with_metadata(made, labels={"k": "-x"}))
        status = refused(answer, 422, "Invalid", f'{resource.qualified_kind} "a" is invalid: ', "metadata.labels: ")
        assert set(causes(status)) == {("FieldValueInvalid", "metadata.labels")}
        assert place.get(resource, "a") == made


@case()
def an_unreadable_body_is_a_bad_request(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        for body in (b"", b"{"):
            refused(place.send("PUT", resource, "a", body), 400, "BadRequest", f"(must be of type {resource.kind})")


@case()
def an_immutable_config_map_keeps_its_data(place: Place) -> None:
    made = place.create(CONFIG_MAPS, "a", data={"k": "v"}, immutable=True)
    answer = place.send("PUT", CONFIG_MAPS, "a", {**made, "data": {"k": "w"}})
    refused(answer, 422, "Invalid", "data: Forbidden: field is immutable when `immutable` is set")
    answer = place.send("PUT", CONFIG_MAPS, "a", {**made, "immutable": False})
    refused(answer, 422, "Invalid", "immutable: Forbidden: field is immutable when `immutable` is set")
    assert place.put(CONFIG_MAPS, with_metadata(made, labels={"k": "v"}))["data"] == {"k": "v"}


@case()
def a_secret_keeps_its_type(place: Place) -> None:
    made = place.create(SECRETS, "a", stringData={"k": "v"})
    assert (made["type"], made["data"]) == ("Opaque", {"k": "dg=="})
    assert "stringData" not in made
    refused(place.send("PUT", SECRETS, "a", {**made, "type": "example.com/t"}), 422, "Invalid", "type: ", "immutable")


@case()
def what_the_server_fills_in_again_is_no_change(place: Place) -> None:
    labels = {"app": "a"}
    containers = [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "500m"}}}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    made = place.create(DEPLOYMENTS, "a", spec={"selector": {"matchLabels": labels}, "template": template})
    again = copy.deepcopy(made)
    del again["spec"]["replicas"]
    del again["spec"]["template"]["spec"]["restartPolicy"]
    again["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = 0.5
    assert place.put(DEPLOYMENTS, again)["metadata"] == made["metadata"]

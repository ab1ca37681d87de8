"""The life of a namespace, and of what is in it."""

from __future__ import annotations

from tests.conformance.expect import causes, eventually, refused, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, NAMESPACES, SECRETS

HOLD = ["example.com/hold"]


@case()
def a_new_namespace_is_active_and_has_a_finalizer_of_its_own(place: Place) -> None:
    namespace = place.create(NAMESPACES, place.new_name())
    assert namespace["spec"]["finalizers"] == ["kubernetes"]
    assert namespace["status"] == {"phase": "Active"}
    assert "finalizers" not in namespace["metadata"]
    assert place.get(NAMESPACES, namespace["metadata"]["name"]) == namespace


@case(since="1.22")
def a_namespace_is_labelled_with_its_name(place: Place) -> None:
    name = place.new_name()
    assert place.create(NAMESPACES, name)["metadata"]["labels"] == {"kubernetes.io/metadata.name": name}
    patched = place.patch(NAMESPACES, name, {"metadata": {"labels": {"kubernetes.io/metadata.name": None, "k": "v"}}})
    assert patched["metadata"]["labels"] == {"kubernetes.io/metadata.name": name, "k": "v"}


@case()
def some_namespaces_are_there_from_the_start(place: Place) -> None:
    assert {"default", "kube-system", "kube-public"} <= set(place.names(NAMESPACES))


@case()
def some_namespaces_cannot_be_deleted(place: Place) -> None:
    for name in ("default", "kube-system", "kube-public"):
        status = refused(
            place.send("DELETE", NAMESPACES, name),
            403,
            "Forbidden",
            f'namespaces "{name}" is forbidden: this namespace may not be deleted',
        )
        assert status["details"] == {"name": name, "kind": "namespaces"}


@case()
def a_deleted_namespace_is_terminating_until_it_is_empty(place: Place) -> None:
    place.create(CONFIG_MAPS, "a", metadata={"finalizers": HOLD})
    before = place.get(NAMESPACES, place.namespace)
    answered = place.delete(NAMESPACES, place.namespace)
    assert (answered["kind"], answered["metadata"]["uid"]) == ("Namespace", before["metadata"]["uid"])
    assert answered["status"]["phase"] == "Terminating"
    assert "deletionTimestamp" in answered["metadata"]
    assert place.get(NAMESPACES, place.namespace)["status"]["phase"] == "Terminating"
    place.patch(CONFIG_MAPS, "a", {"metadata": {"finalizers": None}})


@case()
def nothing_is_created_in_a_terminating_namespace(place: Place) -> None:
    place.create(CONFIG_MAPS, "held", metadata={"finalizers": HOLD})
    place.delete(NAMESPACES, place.namespace)
    for resource in (CONFIG_MAPS, place.widgets):
        status = refused(
            place.send("POST", resource, body=resource.body("a")),
            403,
            "Forbidden",
            f'{resource.qualified} "a" is forbidden: unable to create new content in namespace {place.namespace} '
            "because it is being terminated",
        )
        assert causes(status) == [("NamespaceTerminating", "metadata.namespace")]
        message = f"namespace {place.namespace} is being terminated"
        assert status["details"]["causes"][0]["message"] == message
    place.patch(CONFIG_MAPS, "held", {"metadata": {"finalizers": None}})


@case()
def what_is_left_in_a_terminating_namespace_can_change(place: Place) -> None:
    place.create(CONFIG_MAPS, "held", metadata={"finalizers": HOLD})
    place.delete(NAMESPACES, place.namespace)
    assert place.patch(CONFIG_MAPS, "held", {"data": {"k": "v"}})["data"] == {"k": "v"}
    place.patch(CONFIG_MAPS, "held", {"metadata": {"finalizers": None}})


@case()
def the_name_of_a_terminating_namespace_is_taken(place: Place) -> None:
    place.create(CONFIG_MAPS, "held", metadata={"finalizers": HOLD})
    place.delete(NAMESPACES, place.namespace)
    answer = place.send("POST", NAMESPACES, body=NAMESPACES.body(place.namespace))
    words = f'object is being deleted: namespaces "{place.namespace}" already exists'
    refused(answer, 409, "AlreadyExists", words)
    place.patch(CONFIG_MAPS, "held", {"metadata": {"finalizers": None}})


@case()
def a_deleted_namespace_takes_everything_in_it_along(place: Place) -> None:
    """A real server leaves this to a controller, which takes some seconds."""
    for resource in (CONFIG_MAPS, SECRETS, place.widgets, place.gadgets):
        place.create(resource, "a")
    place.delete(NAMESPACES, place.namespace)
    eventually(lambda: not place.exists(NAMESPACES, place.namespace), "the end of the namespace", 30)
    for resource in (CONFIG_MAPS, SECRETS, place.widgets, place.gadgets):
        assert not place.exists(resource, "a")
    again = place.create(NAMESPACES, place.namespace)
    assert again["status"]["phase"] == "Active"
    assert place.names(CONFIG_MAPS, fieldSelector="metadata.name=a") == []


@case()
def a_namespace_is_deleted_one_at_a_time(place: Place) -> None:
    answer = place.api.request("DELETE", NAMESPACES.path())
    refused(answer, 405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


@case()
def deleting_a_namespace_that_is_not_there_is_not_found(place: Place) -> None:
    name = place.new_name()
    refused(place.send("DELETE", NAMESPACES, name), 404, "NotFound", f'namespaces "{name}" not found')


@case()
def a_namespace_has_labels_and_annotations_like_everything_else(place: Place) -> None:
    patched = place.patch(
        NAMESPACES, place.namespace, {"metadata": {"labels": {"k": "v"}, "annotations": {"a": "b"}}}
    )
    assert patched["metadata"]["labels"]["k"] == "v"
    found = succeeded(place.api.request("GET", f"{NAMESPACES.path()}?labelSelector=k%3Dv"))["items"]
    assert place.namespace in [item["metadata"]["name"] for item in found]

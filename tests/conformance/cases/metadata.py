"""Metadata: labels, annotations, owners, and what becomes of nothing."""

from __future__ import annotations

from tests.conformance.expect import causes, refused, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, Resource


def both(place: Place) -> tuple[Resource, Resource]:
    """Return a built-in and a custom resource: all rules hold for either."""
    return CONFIG_MAPS, place.widgets


@case()
def empty_maps_are_left_out(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a", metadata={"labels": {}, "annotations": None, "finalizers": []})
        assert {"labels", "annotations", "finalizers"}.isdisjoint(made["metadata"])


@case()
def the_last_label_takes_the_map_along(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a", metadata={"labels": {"k": "v"}, "annotations": {"k": "v"}})
        patched = place.patch(resource, "a", {"metadata": {"labels": {"k": None}, "annotations": None}})
        assert {"labels", "annotations"}.isdisjoint(patched["metadata"])


@case()
def labels_and_annotations_may_be_empty_text(place: Place) -> None:
    for resource in both(place):
        words = {"example.com/k": ""}
        made = place.create(resource, "a", metadata={"labels": words, "annotations": words})
        assert made["metadata"]["labels"] == made["metadata"]["annotations"] == words


@case()
def annotations_hold_any_text(place: Place) -> None:
    for resource in both(place):
        words = {"k": "line\n\ttab \u00e9 \U0001f600 \u2028 </script> \\"}
        place.create(resource, "a", metadata={"annotations": words})
        assert place.get(resource, "a")["metadata"]["annotations"] == words


@case()
def owners_are_kept(place: Place) -> None:
    for resource in both(place):
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u", "controller": True}
        made = place.create(resource, "a", metadata={"ownerReferences": [owner], "finalizers": ["example.com/f"]})
        assert made["metadata"]["ownerReferences"] == [owner]
        place.patch(resource, "a", {"metadata": {"finalizers": None}})


@case()
def only_one_owner_is_the_controller(place: Place) -> None:
    for resource in both(place):
        owners = [
            {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": name, "controller": True} for name in ("o", "p")
        ]
        answer = place.send("POST", resource, body=resource.body("a", metadata={"ownerReferences": owners}))
        status = refused(answer, 422, "Invalid", "Only one reference can have Controller set to true")
        assert [field for _, field in causes(status)] == ["metadata.ownerReferences"]


@case()
def text_of_any_script_is_kept(place: Place) -> None:
    data = {"k": "\u00fc\u4e16\u754c \U0001f4a9 \u0000"}
    made = place.create(CONFIG_MAPS, "a", data=data)
    assert made["data"] == data == place.get(CONFIG_MAPS, "a")["data"]


@case()
def finalizers_and_labels_keep_their_order_and_values(place: Place) -> None:
    for resource in both(place):
        finalizers = ["example.com/z", "example.com/a"]
        place.create(resource, "a", metadata={"finalizers": finalizers})
        assert place.get(resource, "a")["metadata"]["finalizers"] == finalizers
        place.patch(resource, "a", {"metadata": {"finalizers": None}})


@case()
def a_namespace_in_the_body_is_optional(place: Place) -> None:
    for resource in both(place):
        body = resource.body("a", metadata={"namespace": place.namespace})
        made = succeeded(place.send("POST", resource, body=body), 201)
        assert made["metadata"]["namespace"] == place.namespace
        assert place.create(resource, "b")["metadata"]["namespace"] == place.namespace


@case()
def a_cluster_scoped_object_loses_a_namespace_that_it_claims(place: Place) -> None:
    made = place.create(place.planets, place.new_name(), metadata={"namespace": "x"})
    assert "namespace" not in made["metadata"]

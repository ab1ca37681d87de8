"""Label and field selectors, and how they are refused."""

from __future__ import annotations

from tests.conformance.expect import refused, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, EVENTS, PODS, SECRETS

LABELLED = {
    "both": {"app": "web", "tier": "front"},
    "empty": {"app": ""},
    "none": {},
    "other": {"app": "db"},
    "web": {"app": "web"},
}

SELECTORS = {
    "": ["both", "empty", "none", "other", "web"],
    "app=web": ["both", "web"],
    "app==web": ["both", "web"],
    "app=": ["empty"],
    "app!=web": ["empty", "none", "other"],
    "app": ["both", "empty", "other", "web"],
    "!app": ["none"],
    "! app": ["none"],
    "app in (web, db)": ["both", "other", "web"],
    "app notin (web,db)": ["empty", "none"],
    "app in (web,)": ["both", "empty", "web"],
    "app in ()": ["empty"],
    "app=web,tier": ["both"],
    "app=web,!tier": ["web"],
    "tier=front , app in (web)": ["both"],
    "app=web,app=db": [],
    "in=x": [],
    "app>1": [],
}

BAD_SELECTORS = {
    "app=-x": "invalid label value",
    "a b": "unable to parse requirement",
    "app in web": "unable to parse requirement",
    "app in (web": "unable to parse requirement",
    "a/b/c=x": "unable to parse requirement",
    "app>x": "unable to parse requirement",
    "=x": "found '='",
    "a=b,": "identifier after ','",
}


@case()
def labels_select(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        for name, labels in LABELLED.items():
            place.create(resource, name, metadata={"labels": labels})
        found = {selector: place.names(resource, labelSelector=selector) for selector in SELECTORS}
        assert found == SELECTORS


@case()
def numbers_in_labels_can_be_compared(place: Place) -> None:
    for value in ("1", "5", "10", "x"):
        place.create(CONFIG_MAPS, f"n{value}", metadata={"labels": {"n": value}})
    assert place.names(CONFIG_MAPS, labelSelector="n>4") == ["n10", "n5"]
    assert place.names(CONFIG_MAPS, labelSelector="n<5") == ["n1"]


@case()
def a_label_selector_that_cannot_be_read_is_a_bad_request(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        for selector, words in BAD_SELECTORS.items():
            refused(place.send("GET", resource, labelSelector=selector), 400, "BadRequest", words)


@case()
def every_kind_can_be_selected_by_name_and_namespace(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        for name in "abc":
            place.create(resource, name)
        for selector, names in (
            ("metadata.name=b", ["b"]),
            ("metadata.name==b", ["b"]),
            ("metadata.name!=b", ["a", "c"]),
            ("metadata.name=b,metadata.name!=b", []),
            (f"metadata.namespace={place.namespace}", ["a", "b", "c"]),
            ("metadata.namespace=other", []),
            (f"metadata.name=a,metadata.namespace={place.namespace}", ["a"]),
            ("", ["a", "b", "c"]),
        ):
            assert place.names(resource, fieldSelector=selector) == names, selector


@case()
def a_namespace_can_be_selected_across_all(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        place.create(resource, "a")
        query = f"?fieldSelector=metadata.namespace%3D{place.namespace}"
        items = succeeded(place.api.request("GET", resource.path() + query))["items"]
        assert [item["metadata"]["name"] for item in items] == ["a"]


@case()
def selectors_are_joined(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        for name in "ab":
            place.create(resource, name, metadata={"labels": {"k": "v"}})
        assert place.names(resource, labelSelector="k=v", fieldSelector="metadata.name=b") == ["b"]
        assert place.names(resource, labelSelector="k=x", fieldSelector="metadata.name=b") == []


@case()
def a_field_that_is_not_selectable_is_a_bad_request(place: Place) -> None:
    words = 'is not a known field selector: only "metadata.name", "metadata.namespace"'
    refused(place.send("GET", CONFIG_MAPS, fieldSelector="data.k=v"), 400, "BadRequest", '"data.k"', words)
    for resource in (place.widgets, PODS):
        answer = place.send("GET", resource, fieldSelector="spec.size=small")
        refused(answer, 400, "BadRequest", "field label not supported: spec.size")


@case()
def a_field_selector_that_cannot_be_read_is_a_bad_request(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        answer = place.send("GET", resource, fieldSelector="foo")
        refused(answer, 400, "BadRequest", "invalid selector: 'foo'; can't understand 'foo'")


@case()
def pods_are_selected_by_node_and_phase(place: Place) -> None:
    container = {"name": "c", "image": "i"}
    place.create(PODS, "a", spec={"containers": [container], "nodeName": "n1"})
    place.create(PODS, "b", spec={"containers": [container]})
    for selector, names in (
        ("spec.nodeName=n1", ["a"]),
        ("spec.nodeName=", ["b"]),
        ("spec.nodeName!=n1", ["b"]),
        ("status.phase=Pending", ["a", "b"]),
        ("status.phase=Running", []),
        ("spec.restartPolicy=Always", ["a", "b"]),
    ):
        assert place.names(PODS, fieldSelector=selector) == names, selector
    for name in "ab":
        place.delete(PODS, name, gracePeriodSeconds=0)


@case()
def secrets_are_selected_by_type(place: Place) -> None:
    place.create(SECRETS, "a")
    place.create(SECRETS, "b", type="example.com/t")
    assert place.names(SECRETS, fieldSelector="type=example.com/t") == ["b"]
    assert place.names(SECRETS, fieldSelector="type=Opaque") == ["a"]


@case()
def events_are_selected_by_what_they_are_about(place: Place) -> None:
    about = {"kind": "Pod", "name": "p", "namespace": place.namespace, "uid": "u1"}
    place.create(EVENTS, "a", involvedObject=about, reason="Started", type="Normal")
    place.create(EVENTS, "b", involvedObject={**about, "name": "q"}, reason="Failed", type="Warning")
    for selector, names in (
        ("involvedObject.name=p", ["a"]),
        ("involvedObject.kind=Pod,involvedObject.uid=u1", ["a", "b"]),
        ("reason=Failed", ["b"]),
        ("type!=Warning", ["a"]),
    ):
        assert place.names(EVENTS, fieldSelector=selector) == names, selector

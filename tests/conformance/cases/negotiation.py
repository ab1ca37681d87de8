"""Media types: what is accepted, what is answered, and what is refused."""

from __future__ import annotations

import yaml

from tests.conformance.api import PARTIAL, PARTIAL_LIST, YAML
from tests.conformance.expect import refused, revision, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, Resource


def both(place: Place) -> tuple[Resource, Resource]:
    """Return a built-in and a custom resource: most rules hold for either."""
    return CONFIG_MAPS, place.widgets


def accept(media_type: str) -> dict[str, str]:
    return {"Accept": media_type}


@case()
def json_is_what_is_answered_unless_told_otherwise(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        for media_type in (
            "application/json",
            "*/*",
            "application/json;q=0.5",
            "application/json, */*",
            "text/html,application/json",
            "application/xml;q=0.9, */*;q=0.1",
        ):
            answer = place.send("GET", resource, "a", headers=accept(media_type))
            assert (answer.status, answer.headers["content-type"]) == (200, "application/json"), media_type
            assert answer.json == made


@case()
def yaml_is_answered_on_demand(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a", metadata={"labels": {"k": "true"}})
        answer = place.send("GET", resource, "a", headers=accept(YAML))
        assert answer.headers["content-type"] == YAML
        read = yaml.safe_load(answer.body)
        assert read["metadata"]["labels"] == {"k": "true"}
        assert (read["kind"], read["metadata"]["uid"]) == (resource.kind, made["metadata"]["uid"])


@case()
def the_first_possible_media_type_wins(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        answer = place.send("GET", resource, "a", headers=accept("application/yaml,application/json"))
        assert answer.headers["content-type"] == YAML


@case()
def an_impossible_media_type_is_not_acceptable(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        for media_type in ("text/html", "application/xml"):
            refused(place.send("GET", resource, "a", headers=accept(media_type)), 406, "NotAcceptable")


@case()
def an_unknown_transformation_is_not_acceptable(place: Place) -> None:
    for resource in both(place):
        place.create(resource, "a")
        for parameters in ("as=Foo;v=v1;g=meta.k8s.io", "as=Table;v=v9;g=meta.k8s.io", "as=Table;v=v1;g=example.com"):
            answer = place.send("GET", resource, "a", headers=accept(f"application/json;{parameters}"))
            refused(answer, 406, "NotAcceptable", "only the following media types are accepted: application/json")


@case()
def a_later_choice_stands_in_for_an_unknown_transformation(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        headers = accept("application/json;as=Foo;v=v1;g=meta.k8s.io,application/json")
        assert succeeded(place.send("GET", resource, "a", headers=headers)) == made


@case()
def a_body_in_an_unknown_format_is_unsupported(place: Place) -> None:
    for resource in both(place):
        for content_type in ("text/plain", "application/xml", "garbage"):
            refused(
                place.send("POST", resource, body=resource.body("a"), headers={"Content-Type": content_type}),
                415,
                "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: ",
                "application/json, application/yaml",
            )
            assert not place.exists(resource, "a")


@case()
def a_charset_is_no_matter(place: Place) -> None:
    for resource in both(place):
        headers = {"Content-Type": "application/json; charset=utf-8"}
        succeeded(place.send("POST", resource, body=resource.body("a"), headers=headers), 201)


@case()
def a_body_without_content_type_is_json(place: Place) -> None:
    for resource in both(place):
        succeeded(place.send("POST", resource, body=resource.body("a"), headers={"Content-Type": ""}), 201)


@case()
def metadata_alone_is_answered_on_demand(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a", metadata={"labels": {"k": "v"}})
        partial = succeeded(place.send("GET", resource, "a", headers=accept(PARTIAL)))
        expected = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": made["metadata"]}
        assert partial == expected
        listed = succeeded(place.send("GET", resource, headers=accept(PARTIAL_LIST)))
        assert (listed["kind"], listed["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
        assert listed["items"] == [expected]
        assert int(revision(listed)) >= int(revision(made))


@case()
def metadata_of_a_list_comes_in_pages_too(place: Place) -> None:
    for resource in both(place):
        for name in "ab":
            place.create(resource, name)
        listed = succeeded(place.send("GET", resource, limit=1, headers=accept(PARTIAL_LIST)))
        assert len(listed["items"]) == 1
        assert listed["metadata"]["continue"]


@case()
def metadata_of_an_object_is_no_list(place: Place) -> None:
    for resource in both(place):
        answer = place.send("GET", resource, headers=accept(PARTIAL))
        words = "you requested PartialObjectMetadata, but the requested object is a list"
        refused(answer, 406, "NotAcceptable", words)
    place.create(CONFIG_MAPS, "a")
    answer = place.send("GET", CONFIG_MAPS, "a", headers=accept(PARTIAL_LIST))
    words = "you requested PartialObjectMetadataList, but the requested object is not a list"
    refused(answer, 406, "NotAcceptable", words)


@case()
def errors_are_plain_statuses_whatever_was_asked_for(place: Place) -> None:
    for resource in both(place):
        answer = place.send("GET", resource, "a", headers=accept(f"{PARTIAL},application/json"))
        refused(answer, 404, "NotFound", f'{resource.qualified} "a" not found')


@case()
def answers_tell_caches_to_stay_away(place: Place) -> None:
    for resource in both(place):
        assert place.send("GET", resource).headers["cache-control"] == "no-cache, private"

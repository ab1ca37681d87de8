"""Lists in pages: limit, continue, and the revision to which all pages of a list belong."""

from __future__ import annotations

from typing import Any

from tests.conformance.api import Document, with_query
from tests.conformance.expect import named_in, refused, revision, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, Resource


def both(place: Place) -> tuple[Resource, Resource]:
    """Return a built-in and a custom resource: all rules hold for either."""
    return CONFIG_MAPS, place.widgets


def fill(place: Place, resource: Resource, names: str = "abcde", **metadata: object) -> None:
    for name in names:
        place.create(resource, name, metadata=metadata)


def after(token: str) -> dict[str, Any]:
    """Return the query that goes on with a list; its name is a word of Python."""
    return {"continue": token}


def is_last(page: Document) -> bool:
    """Tell whether nothing follows: lists of custom resources then have an empty continuation, others none."""
    return not page["metadata"].get("continue")


def next_page(place: Place, resource: Resource, page: Document, **query: object) -> Document:
    return place.collection(resource, **after(page["metadata"]["continue"]), **query)


@case()
def pages_hold_as_many_items_as_asked_for(place: Place) -> None:
    for resource in both(place):
        fill(place, resource)
        first = place.collection(resource, limit=2)
        second = next_page(place, resource, first, limit=2)
        third = next_page(place, resource, second, limit=2)
        assert [named_in(page) for page in (first, second, third)] == [["a", "b"], ["c", "d"], ["e"]]
        assert is_last(third)


@case()
def a_page_tells_how_many_items_remain(place: Place) -> None:
    for resource in both(place):
        fill(place, resource)
        first = place.collection(resource, limit=2)
        assert first["metadata"]["remainingItemCount"] == 3
        second = next_page(place, resource, first, limit=2)
        assert second["metadata"]["remainingItemCount"] == 1
        assert "remainingItemCount" not in next_page(place, resource, second, limit=2)["metadata"]


@case()
def with_a_selector_nobody_knows_how_many_remain(place: Place) -> None:
    for resource in both(place):
        fill(place, resource, labels={"k": "v"})
        for selector in ({"labelSelector": "k=v"}, {"fieldSelector": "metadata.name!=x"}):
            first = place.collection(resource, limit=2, **selector)
            assert named_in(first) == ["a", "b"]
            assert first["metadata"]["continue"]
            assert "remainingItemCount" not in first["metadata"]


@case()
def a_list_that_fits_has_no_continuation(place: Place) -> None:
    for resource in both(place):
        fill(place, resource)
        for limit in (5, 6, 0, -1):
            listed = place.collection(resource, limit=limit)
            assert named_in(listed) == list("abcde")
            assert is_last(listed)
            assert "remainingItemCount" not in listed["metadata"]


@case()
def all_pages_are_of_one_revision(place: Place) -> None:
    for resource in both(place):
        fill(place, resource)
        first = place.collection(resource, limit=2)
        place.patch(resource, "c", {"metadata": {"labels": {"k": "new"}}})
        place.delete(resource, "d")
        place.create(resource, "c2")
        second = next_page(place, resource, first)
        assert named_in(second) == ["c", "d", "e"]
        assert "labels" not in second["items"][0]["metadata"]
        assert revision(second) == revision(first)
        assert place.names(resource) == ["a", "b", "c", "c2", "e"]


@case()
def the_limit_may_change_between_pages(place: Place) -> None:
    for resource in both(place):
        fill(place, resource)
        first = place.collection(resource, limit=1)
        second = next_page(place, resource, first, limit=3)
        assert named_in(second) == ["b", "c", "d"]
        assert named_in(next_page(place, resource, second)) == ["e"]


@case()
def a_selector_goes_on_over_the_pages(place: Place) -> None:
    for resource in both(place):
        fill(place, resource, "ace", labels={"k": "v"})
        fill(place, resource, "bd")
        first = place.collection(resource, limit=2, labelSelector="k=v")
        assert named_in(first) == ["a", "c"]
        assert named_in(next_page(place, resource, first, limit=2, labelSelector="k=v")) == ["e"]


@case()
def a_token_may_be_used_again(place: Place) -> None:
    for resource in both(place):
        fill(place, resource)
        first = place.collection(resource, limit=2)
        assert next_page(place, resource, first) == next_page(place, resource, first)


@case()
def pages_run_over_namespaces(place: Place) -> None:
    ours = {"mark": place.namespace}
    other = place.new_namespace()
    for resource in both(place):
        fill(place, resource, "ab", labels=ours)
        assert (
            place.api.request("POST", resource.path(other), resource.body("a", metadata={"labels": ours})).status
            == 201
        )
        found: list[tuple[str, str]] = []
        token = ""
        for _ in range(3):
            target = with_query(
                resource.path(), limit=1, labelSelector=f"mark={place.namespace}", **{"continue": token}
            )
            page = succeeded(place.api.request("GET", target))
            found += [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in page["items"]]
            token = page["metadata"].get("continue", "")
        assert found == sorted([(place.namespace, "a"), (place.namespace, "b"), (other, "a")])


@case()
def a_continuation_comes_with_no_other_revision(place: Place) -> None:
    for resource in both(place):
        fill(place, resource)
        token = place.collection(resource, limit=2)["metadata"]["continue"]
        answer = place.send("GET", resource, resourceVersion=5, **after(token))
        refused(answer, 400, "BadRequest", "specifying resource version is not allowed when using continue")
        assert place.names(resource, resourceVersion=0, **after(token)) == ["c", "d", "e"]


@case()
def a_continuation_comes_without_a_match(place: Place) -> None:
    for resource in both(place):
        fill(place, resource)
        token = place.collection(resource, limit=2)["metadata"]["continue"]
        query = {"resourceVersion": 5, "resourceVersionMatch": "Exact", **after(token)}
        words = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided"
        refused(place.send("GET", resource, **query), 422, "Invalid", words)


@case()
def a_made_up_token_is_a_bad_request(place: Place) -> None:
    for resource in both(place):
        for token in ("garbage", "e30"):
            refused(place.send("GET", resource, **after(token)), 400, "BadRequest", "continue")


@case()
def a_limit_is_a_number(place: Place) -> None:
    for resource in both(place):
        refused(
            place.send("GET", resource, limit="x"), 400, "BadRequest", 'strconv.ParseInt: parsing "x": invalid syntax'
        )


@case()
def an_exact_revision_comes_in_pages_too(place: Place) -> None:
    for resource in both(place):
        fill(place, resource)
        past = revision(place.collection(resource))
        place.delete(resource, "b")
        first = place.collection(resource, limit=2, resourceVersion=past, resourceVersionMatch="Exact")
        assert (named_in(first), revision(first)) == (["a", "b"], past)
        assert named_in(next_page(place, resource, first)) == ["c", "d", "e"]


@case()
def an_expired_token_is_gone_but_brings_a_new_one(place: Place) -> None:
    for resource in both(place):
        fill(place, resource)
        token = place.collection(resource, limit=2)["metadata"]["continue"]
        place.delete(resource, "d")
        place.expire_history()
        status = refused(
            place.send("GET", resource, limit=2, **after(token)),
            410,
            "Expired",
            "The provided continue parameter is too old to display a consistent list result. ",
            "or use the continue token in this response to retrieve the remainder of the results.",
        )
        rest = place.collection(resource, **after(status["metadata"]["continue"]))
        assert named_in(rest) == ["c", "e"]

"""Watches: how they end and expire, what they may be asked for, and in which form they come."""

from __future__ import annotations

from typing import Any

from tests.conformance.api import PARTIAL, TABLE
from tests.conformance.expect import refused, revision
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, NAMESPACES, Resource
from tests.conformance.watching import now, seen, settle, take

SOON: dict[str, Any] = {"timeoutSeconds": 1}
"""For watches that a case reads to their end."""


def both(place: Place) -> tuple[Resource, Resource]:
    """Return a built-in and a custom resource: all rules hold for either."""
    return CONFIG_MAPS, place.widgets


@case()
def a_watch_ends_when_its_time_is_over(place: Place) -> None:
    place.create(place.widgets, "a")
    settle(place, place.widgets)
    with place.watch(place.widgets, **SOON) as events:
        assert [seen(event)[:2] for event in events] == [("ADDED", "a")]


@case()
def a_bookmark_tells_how_far_a_watch_has_come(place: Place) -> None:
    """It comes shortly before the end, if not sooner; only the kind and the resourceVersion of its object count."""
    start = now(place, place.widgets)
    with place.watch(place.widgets, resourceVersion=start, allowWatchBookmarks="true", timeoutSeconds=3) as events:
        made = place.create(place.widgets, "a")
        added, bookmark = take(events, 2)
    assert seen(added) == ("ADDED", "a", revision(made))
    assert bookmark["type"] == "BOOKMARK"
    assert (bookmark["object"]["kind"], bookmark["object"]["apiVersion"]) == ("Widget", place.widgets.api_version)
    assert int(revision(bookmark["object"])) >= int(revision(made))
    assert "name" not in bookmark["object"]["metadata"]


@case()
def an_expired_resource_version_is_an_error_event(place: Place) -> None:
    place.create(place.widgets, "a")
    place.expire_history()
    with place.watch(place.widgets, resourceVersion=1) as events:
        ((event),) = list(events)
    assert event["type"] == "ERROR"
    status = event["object"]
    assert (status["kind"], status["status"], status["reason"], status["code"]) == (
        "Status",
        "Failure",
        "Expired",
        410,
    )
    assert status["message"].startswith("too old resource version: 1 (")


@case()
def a_watch_goes_on_when_history_expires(place: Place) -> None:
    for resource in both(place):
        start = now(place, resource)
        with place.watch(resource, resourceVersion=start) as events:
            place.create(resource, "a")
            place.expire_history()
            place.create(resource, "b")
            assert [seen(event)[:2] for event in take(events, 2)] == [("ADDED", "a"), ("ADDED", "b")]


@case()
def a_watch_may_be_asked_for_as_a_table(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        settle(place, resource)
        with place.watch(resource, headers={"Accept": TABLE}) as events:
            (event,) = take(events, 1)
        table = event["object"]
        assert (event["type"], table["kind"], table["apiVersion"]) == ("ADDED", "Table", "meta.k8s.io/v1")
        assert table["columnDefinitions"][0]["name"] == "Name"
        (row,) = table["rows"]
        assert row["cells"][0] == "a"
        assert row["object"]["kind"] == "PartialObjectMetadata"
        assert row["object"]["metadata"]["uid"] == made["metadata"]["uid"]
        assert revision(table) == revision(made)


@case()
def only_the_first_table_of_a_watch_repeats_its_columns(place: Place) -> None:
    for resource in both(place):
        for name in "ab":
            place.create(resource, name)
        settle(place, resource)
        with place.watch(resource, headers={"Accept": TABLE}) as events:
            first, second = take(events, 2)
        assert first["object"]["columnDefinitions"]
        assert not second["object"]["columnDefinitions"]


@case()
def a_watch_may_be_asked_for_metadata_only(place: Place) -> None:
    for resource in both(place):
        made = place.create(resource, "a")
        settle(place, resource)
        with place.watch(resource, headers={"Accept": PARTIAL}) as events:
            (event,) = take(events, 1)
        assert event["object"] == {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": made["metadata"],
        }


@case()
def a_watch_is_json_by_the_line(place: Place) -> None:
    place.create(place.widgets, "a")
    settle(place, place.widgets)
    answer = place.send("GET", place.widgets, watch=1, **SOON)
    assert answer.headers["content-type"] == "application/json"
    assert answer.text.count("\n") == 1
    assert answer.json["type"] == "ADDED"


@case()
def a_watch_cannot_be_yaml(place: Place) -> None:
    answer = place.send("GET", place.widgets, watch=1, headers={"Accept": "application/yaml"}, **SOON)
    assert answer.status == 406
    assert "application/json;stream=watch" in answer.text


@case()
def anything_but_false_asks_for_a_watch(place: Place) -> None:
    place.create(CONFIG_MAPS, "a")
    settle(place, CONFIG_MAPS)
    for text in ("1", "true", "", "foo"):
        with place.api.stream(place.path(CONFIG_MAPS, watch=text)) as events:
            assert seen(take(events, 1)[0])[:2] == ("ADDED", "a")
    for text in ("0", "false"):
        assert place.collection(CONFIG_MAPS, watch=text)["kind"] == "ConfigMapList"


@case()
def a_match_is_forbidden_for_a_watch(place: Place) -> None:
    for resource in both(place):
        answer = place.send("GET", resource, watch=1, resourceVersion=1, resourceVersionMatch="NotOlderThan", **SOON)
        words = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch"
        refused(answer, 422, "Invalid", words)


@case()
def selectors_of_a_watch_are_checked_too(place: Place) -> None:
    for resource in both(place):
        refused(place.send("GET", resource, watch=1, labelSelector="a b"), 400, "BadRequest", "unable to parse")
        refused(place.send("GET", resource, watch=1, fieldSelector="foo=bar"), 400, "BadRequest", "foo")


@case()
def namespaces_are_watched_like_everything_else(place: Place) -> None:
    start = now(place, NAMESPACES)
    name = place.new_namespace()
    with place.watch(NAMESPACES, resourceVersion=start, fieldSelector=f"metadata.name={name}") as events:
        assert seen(take(events, 1)[0])[:2] == ("ADDED", name)


@case(since="1.32")
def initial_events_end_with_a_bookmark(place: Place) -> None:
    """Servers from 1.27 on can be told to; since 1.32 they do it by themselves."""
    for resource in both(place):
        for name in "ab":
            place.create(resource, name)
        query: dict[str, Any] = {
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
            "allowWatchBookmarks": "true",
        }
        settle(place, resource)
        with place.watch(resource, **query) as events:
            *added, bookmark = take(events, 3)
        assert sorted(seen(event)[:2] for event in added) == [("ADDED", "a"), ("ADDED", "b")]
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert int(revision(bookmark["object"])) >= max(int(revision(event["object"])) for event in added)


@case(since="1.32")
def initial_events_need_a_match(place: Place) -> None:
    answer = place.send("GET", place.widgets, watch=1, sendInitialEvents="true", allowWatchBookmarks="true", **SOON)
    words = "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
    refused(answer, 422, "Invalid", words)
    refused(place.send("GET", place.widgets, sendInitialEvents="true"), 422, "Invalid", "sendInitialEvents")

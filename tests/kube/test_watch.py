"""WATCH: it resumes behind what it has seen, neither missing nor doubling, and knows when to give up."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.apiserver import Answer, answer, failure, html
from tests.kube.test_listing import WithSpec
from tests.kube.world import EVENTS
from zenctl.core.objects import KeyFields
from zenctl.errors import ApiFailure, Denied, Expired, NotFound, Unreachable
from zenctl.kube.gateway import Gateway
from zenctl.kube.watch import Watching, lines
from zenctl.ports import ALL, ListQuery, WatchEvent

RESET = Answer(reset=True)
DENIED = failure(403, "enough")


def event(kind: str, version: int, name: str = "a", **more: object) -> bytes:
    metadata = {"name": name, "namespace": "ns", "resourceVersion": str(version)}
    return json.dumps({"type": kind, "object": {"metadata": metadata, **more}}).encode() + b"\n"


def stream(*chunks: bytes, cut: int | None = None) -> Answer:
    return Answer(chunks=chunks, cut=cut)


def _watch(gateway: Gateway, since: str = "5", query: ListQuery = ALL) -> Iterator[WatchEvent[KeyFields]]:
    return gateway.watch(EVENTS, KeyFields, query, since)


def _seen(events: Any, count: int) -> list[tuple[str, str]]:
    taken = [(each.type, each.object.fields.metadata.resource_version) for each in itertools.islice(events, count)]
    events.close()
    return taken


def _since(server) -> list[str | None]:
    return [request.query.get("resourceVersion") for request in server.requests]


def test_events_come_with_their_objects(gateway, server):
    server.will(stream(event("ADDED", 6, "a"), event("MODIFIED", 7, "b") + event("DELETED", 8, "c")))
    events = _watch(gateway, query=ListQuery("ns", "a=b"))
    first = next(events)
    assert (first.type, str(first.object.key), json.loads(bytes(first.object.body))["metadata"]["name"]) == (
        "ADDED", "ns/a", "a",
    )  # fmt: skip
    assert _seen(events, 2) == [("MODIFIED", "7"), ("DELETED", "8")]
    (request,) = server.requests
    assert request.query["watch"] == "1"
    assert request.query["allowWatchBookmarks"] == "true"
    assert request.query["labelSelector"] == "a=b"
    assert int(request.query["timeoutSeconds"]) > 0


def test_an_orderly_end_is_followed_by_the_next_connection_at_once(gateway, server, world):
    server.will(stream(event("ADDED", 6)), stream(event("ADDED", 7)))
    assert _seen(_watch(gateway), 2) == [("ADDED", "6"), ("ADDED", "7")]
    assert _since(server) == ["5", "6"]
    assert world.waits == []


def test_bookmarks_move_the_resume_point_and_are_no_events(gateway, server):
    server.will(stream(event("BOOKMARK", 20)), stream(event("ADDED", 21)))
    assert _seen(_watch(gateway), 1) == [("ADDED", "21")]
    assert _since(server) == ["5", "20"]


@pytest.mark.parametrize("place", [1, 20, -2])
def test_a_cut_in_the_middle_of_a_line_resumes_behind_the_last_event(gateway, server, world, place):
    server.will(
        stream(event("ADDED", 6), event("ADDED", 7)[:place], cut=1), stream(event("ADDED", 7), event("ADDED", 8))
    )
    assert _seen(_watch(gateway), 3) == [("ADDED", "6"), ("ADDED", "7"), ("ADDED", "8")]
    assert _since(server) == ["5", "6"]
    assert len(world.waits) == 1


def test_an_event_without_a_version_does_not_lose_the_place(gateway, server):
    bare = b'{"type":"BOOKMARK","object":{"metadata":{}}}\n'
    server.will(stream(event("ADDED", 6), bare), stream(event("ADDED", 7)))
    assert _seen(_watch(gateway), 2) == [("ADDED", "6"), ("ADDED", "7")]
    assert _since(server) == ["5", "6"]


def test_an_error_event_of_410_is_expired(gateway, server):
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
    server.will(stream(json.dumps(gone).encode() + b"\n"))
    with pytest.raises(Expired, match="too old resource version"):
        next(_watch(gateway))
    assert len(server.requests) == 1


def test_a_410_at_once_is_expired(gateway, server):
    server.will(failure(410, "too old"))
    with pytest.raises(Expired):
        next(_watch(gateway))


@pytest.mark.parametrize(
    ("reply", "error"), [(failure(403), Denied), (failure(404), NotFound), (html(404), ApiFailure)]
)
def test_what_will_not_pass_ends_the_watch(gateway, server, reply, error):
    server.will(reply)
    with pytest.raises(error):
        next(_watch(gateway))
    assert len(server.requests) == 1


@pytest.mark.parametrize("bad", [RESET, failure(429), failure(500), html(502), failure(503), stream(b"no json\n")])
def test_what_may_pass_is_tried_again(gateway, server, world, bad):
    server.will(bad, bad, stream(event("ADDED", 6)))
    assert _seen(_watch(gateway), 1) == [("ADDED", "6")]
    assert _since(server) == ["5"] * 3
    assert len(world.waits) == 2


def test_an_error_event_of_500_is_tried_again(gateway, server):
    error = {"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "etcd"}}
    server.will(stream(json.dumps(error).encode() + b"\n"), stream(event("ADDED", 6)))
    assert _seen(_watch(gateway), 1) == [("ADDED", "6")]


@pytest.mark.parametrize("bad", [RESET, failure(503), stream()])
def test_several_failures_in_a_row_are_unreachable_with_growing_waits(gateway, server, world, bad):
    server.otherwise = bad
    with pytest.raises(Unreachable):
        next(_watch(gateway))
    assert len(server.requests) == 8
    assert len(world.waits) == 7
    assert all(wait <= 15 for wait in world.waits)
    assert world.waits[-1] > world.waits[0]


def test_something_that_came_forgives_the_failures_before_it(gateway, server):
    for version in (6, 7, 8):
        server.will(*[RESET] * 6, stream(event("BOOKMARK", version)))
    server.will(stream(event("ADDED", 9)))
    assert _seen(_watch(gateway), 1) == [("ADDED", "9")]


def test_a_quiet_collection_may_be_cut_for_ever(client, server, world):
    """A balancer that ends idle connections after a minute is no failure."""
    minutes = itertools.count(0.0, 60.0)
    server.will(*[stream(cut=1)] * 20, stream(event("ADDED", 6)))
    watching = Watching(client, EVENTS, ALL, monotonic=lambda: next(minutes))
    assert _seen(watching.events(KeyFields, "5"), 1) == [("ADDED", "6")]


def test_an_expired_token_is_renewed_before_the_first_event(world, server):
    token = world.folder / "token"
    token.write_text("old")
    client = world.client(world.kubeconfig(server.url, {"tokenFile": str(token)}))
    unauthorized = failure(401)
    server.will(stream(event("ADDED", 6)), unauthorized, stream(event("ADDED", 7)), unauthorized, unauthorized)
    events = Watching(client, EVENTS, ALL).events(KeyFields, "5")
    next(events)
    token.write_text("new")
    next(events)
    assert [request.header("Authorization") for request in server.requests] == [
        "Bearer old", "Bearer old", "Bearer new",
    ]  # fmt: skip
    with pytest.raises(Denied):
        next(events)
    assert len(server.requests) == 5


def test_an_object_of_an_odd_shape_is_named(gateway, server):
    server.will(stream(event("ADDED", 6, spec={"severity": 5})))
    with pytest.raises(ApiFailure, match="ns/a is not as its kind should be"):
        next(gateway.watch(EVENTS, WithSpec, ALL, "5"))


def test_a_consumer_that_stops_frees_the_connection(gateway, server):
    server.will(stream(event("ADDED", 6), event("ADDED", 7)), answer({"gitVersion": "v1"}))
    assert _seen(_watch(gateway), 1) == [("ADDED", "6")]
    assert gateway.server_version() == "v1"


@given(st.lists(st.binary(max_size=6) | st.sampled_from([b"\n", b"a\nb", b"\n\n"]), max_size=30))
def test_lines_do_not_depend_on_the_chunks(chunks):
    whole = b"".join(chunks)
    *whole_lines, _ = whole.split(b"\n")
    assert list(lines(iter(chunks))) == [line for line in whole_lines if line.strip()]

"""A whole list as a stream: what it asks for, where it ends, and that anything else leads to pages."""

from __future__ import annotations

import json
import threading
import tracemalloc
from typing import Any

import msgspec
import pytest

from tests.apiserver import Answer, answer, failure, html
from tests.kube.test_listing import EXPIRED, WithSpec, page
from tests.kube.test_watch import event, stream
from tests.kube.world import EVENTS, World
from zenctl.core.objects import CONFIG_MAP, KeyFields, ObjectKey
from zenctl.errors import ApiFailure, Denied, Unreachable
from zenctl.kube import streaming
from zenctl.kube.gateway import Gateway
from zenctl.kube.listing import PAGE_SIZE
from zenctl.ports import ListQuery

NO_STREAMS = failure(422, 'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents is forbidden', "Invalid")


def end(version: int = 9) -> bytes:
    metadata = {"resourceVersion": str(version), "annotations": {"k8s.io/initial-events-end": "true"}}
    return json.dumps({"type": "BOOKMARK", "object": {"metadata": metadata}}).encode() + b"\n"


def _whole(gateway: Gateway, *, fields: Any = KeyFields, restarts: int = 2) -> list[list[str]]:
    pages = gateway.pages(EVENTS, fields, restarts=restarts, whole=True)
    return [[item.key.name for item in each.objects] for each in pages]


def _ways(server) -> list[str]:
    return ["stream" if "watch" in request.query else "page" for request in server.requests]


def test_one_request_brings_it_all(gateway, server):
    server.will(stream(event("ADDED", 3, "a", spec={"x": 1.50}) + event("ADDED", 7, "b"), end(9)))
    (only,) = gateway.pages(EVENTS, KeyFields, ListQuery("n s", "severity in (HIGH)", "metadata.name!=x"), whole=True)
    assert [item.key for item in only.objects] == [ObjectKey("ns", "a"), ObjectKey("ns", "b")]
    assert b'"x": 1.5}' in bytes(only.objects[0].body)
    assert (only.resource_version, only.remaining, only.restarted, only.mixed) == ("9", None, False, False)
    (request,) = server.requests
    assert request.path == "/apis/zen.kube-zen.io/v1alpha1/namespaces/n%20s/zenevents"
    assert request.query == {
        "timeoutSeconds": "3600",
        "watch": "1",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
        "labelSelector": "severity in (HIGH)",
        "fieldSelector": "metadata.name!=x",
    }


def test_pages_of_a_stream_are_bounded_by_number_and_by_size(gateway, server, monkeypatch):
    many = [event("ADDED", 3, f"n{number:04}") for number in range(PAGE_SIZE + 1)]
    server.will(stream(*many, end(9)))
    first, last = gateway.pages(EVENTS, KeyFields, whole=True)
    assert (len(first.objects), len(last.objects)) == (PAGE_SIZE, 1)
    assert (first.resource_version, last.resource_version) == ("", "9")
    monkeypatch.setattr(streaming, "_PAGE_BYTES", 10_000)
    server.will(stream(*(event("ADDED", 3, name, spec="x" * 6_000) for name in "abc"), end(9)))
    assert _whole(gateway) == [["a", "b"], ["c"]]


def test_nothing_that_comes_after_the_end_counts(gateway, server):
    server.will(stream(event("ADDED", 3), end(9) + event("ADDED", 10, "later") + event("DELETED", 11)))
    assert _whole(gateway) == [["a"]]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        NO_STREAMS, failure(400, "no"), failure(403, "may not watch"), failure(404), failure(405), html(404),
        failure(429, retry_after=1), failure(500), html(502), failure(504, "Too large resource version"),
        Answer(reset=True), stream(b'{"type":"ERROR","object":{"kind":"Status","code":500}}\n'),
        stream(), stream(b"no json\n"), stream(b"[1]\n"), stream(b'{"type":"NEWS","object":{}}\n'),
        answer({"kind": "ObservationList", "metadata": {"resourceVersion": "7"}, "items": []}),
        stream(b'{"type":"BOOKMARK","object":7}\n'),
    ],
)  # fmt: skip
def test_where_no_stream_comes_it_is_read_in_pages(gateway, server, refusal):
    server.will(refusal, page("a", token="t1"), page("b"))
    pages = list(gateway.pages(EVENTS, KeyFields, whole=True))
    assert [item.key.name for each in pages for item in each.objects] == ["a", "b"]
    assert not any(each.restarted for each in pages)
    assert _ways(server) == ["stream", "page", "page"]


@pytest.mark.parametrize(
    "rest",
    [
        (), (event("MODIFIED", 8),), (event("DELETED", 8),), (event("BOOKMARK", 8),), (b"no json\n",),
        (b'{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}}\n',),
    ],
)  # fmt: skip
def test_a_stream_that_breaks_off_begins_again_in_pages_and_says_so(gateway, server, monkeypatch, rest):
    monkeypatch.setattr(streaming, "PAGE_SIZE", 2)
    server.will(stream(*(event("ADDED", 3, name) for name in "abc"), *rest), page("a", token="t1"), page("b"))
    pages = list(gateway.pages(EVENTS, KeyFields, whole=True))
    assert [[item.key.name for item in each.objects] for each in pages] == [["a", "b"], ["a"], ["b"]]
    assert [each.restarted for each in pages] == [False, True, False]
    assert [each.resource_version for each in pages] == ["", "7", "7"]


@pytest.mark.parametrize("place", [1, 40, -2])
def test_a_stream_that_is_cut_in_the_middle_of_an_object(gateway, server, monkeypatch, place):
    monkeypatch.setattr(streaming, "PAGE_SIZE", 1)
    server.will(stream(event("ADDED", 3, "a"), event("ADDED", 4, "b")[:place], cut=1), page("a", "b"))
    pages = list(gateway.pages(EVENTS, KeyFields, whole=True))
    assert [(len(each.objects), each.restarted) for each in pages] == [(1, False), (2, True)]


def test_a_stream_that_broke_off_was_one_of_the_restarts(gateway, server, monkeypatch):
    monkeypatch.setattr(streaming, "PAGE_SIZE", 1)
    server.will(stream(event("ADDED", 3, "a")), page("a", token="t"), EXPIRED, page("b"))
    pages = list(gateway.pages(EVENTS, KeyFields, restarts=1, whole=True))
    assert [(each.restarted, each.mixed) for each in pages] == [(False, False), (True, False), (False, True)]


def test_who_cannot_begin_again_gets_pages(gateway, server):
    server.will(page("a"))
    assert _whole(gateway, restarts=0) == [["a"]]
    assert _ways(server) == ["page"]


def test_an_ordinary_watch_falls_silent_and_is_left(world: World, server, monkeypatch):
    """A server that knows the parameter not, and does not refuse it either: objects, and never the end of them."""
    monkeypatch.setattr(streaming, "_SILENCE_SECONDS", 0.2)
    held = threading.Event()
    server.will(Answer(chunks=_hanging(event("ADDED", 3, "a"), held)), page("a", "b"))
    try:
        assert _whole(Gateway(world.client(world.kubeconfig(server.url)))) == [["a", "b"]]
    finally:
        held.set()


class _hanging(list[bytes]):  # noqa: N801 - it stands for chunks
    """Chunks of which the second does not come."""

    def __init__(self, first: bytes, held: threading.Event) -> None:
        super().__init__([first])
        self._held = held

    def __iter__(self):
        yield from super().__iter__()
        self._held.wait(10)


def test_what_refused_once_is_not_asked_again(gateway, server):
    lists = answer({"kind": "ConfigMapList", "metadata": {"resourceVersion": "1"}, "items": []})
    server.will(NO_STREAMS, page("a"), page("a"), failure(403, "no"), lists, lists, stream(end()))
    _whole(gateway)
    _whole(gateway)
    for namespace in ("x", "x", "y"):
        list(gateway.pages(CONFIG_MAP, KeyFields, ListQuery(namespace), whole=True))
    assert _ways(server) == ["stream", "page", "page", "stream", "page", "page", "stream"]


def test_a_resource_that_cannot_be_watched_is_not(gateway, server):
    server.will(page("a"))
    resource = msgspec.structs.replace(EVENTS, verbs=frozenset({"list", "get"}))
    list(gateway.pages(resource, KeyFields, whole=True))
    assert _ways(server) == ["page"]


@pytest.mark.parametrize(("stays", "error"), [(failure(403, "enough"), Denied), (Answer(reset=True), Unreachable)])
def test_what_pages_meet_too_is_the_error(gateway, server, stays, error):
    server.otherwise = stays
    with pytest.raises(error, match=r"cannot list zenevents.zen.kube-zen.io: "):
        _whole(gateway)


def test_an_object_of_an_odd_shape_is_named_and_not_read_again(gateway, server):
    server.will(stream(event("ADDED", 3, "a\x1b", spec={"severity": 5}), end()))
    with pytest.raises(ApiFailure, match=r"ns/a.* is not as its kind should be"):
        _whole(gateway, fields=WithSpec)
    assert len(server.requests) == 1


@pytest.mark.parametrize("stop", ["close", "raise"])
def test_a_consumer_that_stops_early_ends_the_stream(gateway, server, monkeypatch, stop):
    monkeypatch.setattr(streaming, "PAGE_SIZE", 1)
    server.will(stream(*(event("ADDED", 3, f"n{number}") for number in range(50)), end()))
    pages = gateway.pages(EVENTS, KeyFields, whole=True)
    next(pages)
    if stop == "close":
        pages.close()
    else:
        with pytest.raises(KeyboardInterrupt):
            pages.throw(KeyboardInterrupt)
    assert len(server.requests) == 1


def test_memory_does_not_grow_with_the_length_of_a_stream(gateway, server):
    def peak(count: int) -> int:
        lines = (event("ADDED", 3, f"n{number}", spec="x" * 2_000) for number in range(count))
        server.will(Answer(chunks=_Lazily(lines)))
        tracemalloc.start()
        seen = 0
        for each in gateway.pages(EVENTS, KeyFields, whole=True):
            seen += len(each.objects)
            del each
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert seen == count
        return highest

    peak(1_000)
    assert peak(20_000) < 1.5 * peak(2_000)


class _Lazily(list[bytes]):
    """Chunks that are made as they are sent, so that the server holds none of them; the end comes last."""

    def __init__(self, lines) -> None:
        super().__init__()
        self._lines = lines

    def __iter__(self):
        yield from self._lines
        yield end()

"""Paged LIST: the pages, the one page of look-ahead, and what an expired continue token leads to."""

from __future__ import annotations

import json
import threading
import tracemalloc

import msgspec
import pytest

from tests.apiserver import Answer, Request, answer, failure, html
from tests.kube.world import EVENTS
from zenctl.core.objects import CONFIG_MAP, KeyFields, Metadata, ObjectKey
from zenctl.errors import ApiFailure, Denied, Expired, NotFound, Unreachable
from zenctl.kube.listing import PAGE_SIZE
from zenctl.ports import ListQuery


class _Severe(msgspec.Struct, frozen=True):
    severity: str = ""


class WithSpec(msgspec.Struct, frozen=True):
    metadata: Metadata = Metadata()
    spec: _Severe = _Severe()


def page(*names: str, token: str = "", remaining: int | None = None, version: str = "7", **more: object) -> Answer:
    items = [{"metadata": {"name": name, "namespace": "ns"}, **more} for name in names]
    metadata = {"resourceVersion": version, "continue": token, "remainingItemCount": remaining}
    kept = {name: value for name, value in metadata.items() if value is not None}
    return answer({"kind": "ObservationList", "apiVersion": "x/v1", "metadata": kept, "items": items})


def _names(pages) -> list[list[str]]:
    return [[item.key.name for item in each.objects] for each in pages]


def _tokens(server) -> list[str]:
    return [request.query.get("continue", "") for request in server.requests]


EXPIRED = failure(410, "The provided continue parameter is too old", "Expired", **{"continue": "inconsistent"})
EXPIRED_FOR_GOOD = failure(410, "too old", "Expired")


def test_pages_carry_the_servers_own_bytes(gateway, server):
    server.will(page("a", "b", token="t1", remaining=1, spec={"x": 1.50}), page("c", version="7"))
    first, second = gateway.pages(EVENTS, KeyFields)
    assert [item.key for item in first.objects] == [ObjectKey("ns", "a"), ObjectKey("ns", "b")]
    assert (first.resource_version, first.remaining, first.restarted, first.mixed) == ("7", 1, False, False)
    assert (second.remaining, second.restarted, second.mixed) == (None, False, False)
    assert json.loads(bytes(first.objects[0].body)) == {
        "metadata": {"name": "a", "namespace": "ns"},
        "spec": {"x": 1.5},
    }
    assert b'"x": 1.5}' in bytes(first.objects[0].body)


@pytest.mark.parametrize("items", [[], None])
def test_an_empty_collection_is_one_empty_page(gateway, server, items):
    server.will(answer({"kind": "ObservationList", "metadata": {"resourceVersion": "7"}, "items": items}))
    (only,) = gateway.pages(EVENTS, KeyFields)
    assert (list(only.objects), only.resource_version) == ([], "7")


def test_every_request_has_a_limit_and_repeats_the_query(gateway, server):
    server.will(page("a", token="t1"), page("b", token="t 2/="), EXPIRED, page("c", token="t3"), page("d"))
    query = ListQuery("n s", "severity in (HIGH,LOW)", "metadata.name!=x")
    list(gateway.pages(EVENTS, KeyFields, query))
    assert _tokens(server) == ["", "t1", "t 2/=", "", "t3"]
    for request in server.requests:
        assert request.path == "/apis/zen.kube-zen.io/v1alpha1/namespaces/n%20s/zenevents"
        assert request.query["limit"] == str(PAGE_SIZE)
        assert request.query["labelSelector"] == "severity in (HIGH,LOW)"
        assert request.query["fieldSelector"] == "metadata.name!=x"


def test_built_in_collections_have_their_own_root(gateway, server):
    server.will(answer({"kind": "ConfigMapList", "metadata": {"resourceVersion": "1"}, "items": []}))
    list(gateway.pages(CONFIG_MAP, KeyFields))
    assert server.asked() == [f"GET /api/v1/configmaps?limit={PAGE_SIZE}"]


def test_exactly_one_page_is_on_its_way_while_one_is_used(gateway, server):
    arrived = [threading.Event() for _ in range(4)]

    def serve(number: int, reply: Answer):
        def script(_: Request) -> Answer:
            arrived[number].set()
            return reply

        return script

    replies = [page("a", token="t1"), page("b", token="t2"), page("c", token="t3"), page("d")]
    server.will(*(serve(number, reply) for number, reply in enumerate(replies)))
    pages = gateway.pages(EVENTS, KeyFields)
    assert server.requests == []
    for number in range(3):
        next(pages)
        assert arrived[number + 1].wait(10)
        assert not any(event.is_set() for event in arrived[number + 2 :])
    assert _names(pages) == [["d"]]
    assert len(server.requests) == 4


def test_an_expired_token_begins_again_and_says_so(gateway, server):
    server.will(page("a", token="t1"), EXPIRED, page("a", token="t2", version="9"), page("b", version="9"))
    pages = list(gateway.pages(EVENTS, KeyFields))
    assert _names(pages) == [["a"], ["a"], ["b"]]
    assert [each.restarted for each in pages] == [False, True, False]
    assert not any(each.mixed for each in pages)
    assert _tokens(server) == ["", "t1", "", "t2"]


def test_after_the_restarts_it_goes_on_mixed_with_the_token_of_the_410(gateway, server):
    server.will(page("a", token="t1"), EXPIRED, page("a", token="t2"), EXPIRED, page("b", token="t3"), page("c"))
    pages = list(gateway.pages(EVENTS, KeyFields, restarts=1))
    assert _names(pages) == [["a"], ["a"], ["b"], ["c"]]
    assert [(each.restarted, each.mixed) for each in pages] == [
        (False, False), (True, False), (False, True), (False, True),
    ]  # fmt: skip
    assert _tokens(server) == ["", "t1", "", "t2", "inconsistent", "t3"]


def test_without_restarts_it_is_mixed_at_once(gateway, server):
    server.will(page("a", token="t1"), EXPIRED, page("b", token="t2"), EXPIRED, page("c"))
    pages = list(gateway.pages(EVENTS, KeyFields, restarts=0))
    assert [(each.restarted, each.mixed) for each in pages] == [(False, False), (False, True), (False, True)]
    assert _tokens(server) == ["", "t1", "inconsistent", "t2", "inconsistent"]


@pytest.mark.parametrize(
    ("restarts", "script"),
    [
        (0, [page("a", token="t1"), EXPIRED_FOR_GOOD]),
        (1, [page("a", token="t1"), EXPIRED, page("a", token="t2"), EXPIRED_FOR_GOOD]),
        (0, [page("a", token="t1"), EXPIRED, EXPIRED]),
    ],
)
def test_where_there_is_no_way_to_go_on_it_is_expired(gateway, server, restarts, script):
    server.will(*script)
    server.otherwise = EXPIRED
    with pytest.raises(Expired):
        list(gateway.pages(EVENTS, KeyFields, restarts=restarts))
    assert len(server.requests) == len(script)
    assert all("limit" in request.query for request in server.requests)


def test_even_the_first_page_may_expire(gateway, server):
    server.will(EXPIRED_FOR_GOOD, page("a"))
    (only,) = gateway.pages(EVENTS, KeyFields)
    assert only.restarted


@pytest.mark.parametrize("stop", ["close", "forget", "raise"])
def test_a_consumer_that_stops_early_leaves_no_thread(gateway, server, stop):
    server.otherwise = page("a", token="more")
    pages = gateway.pages(EVENTS, KeyFields)
    next(pages)
    if stop == "close":
        pages.close()
    elif stop == "raise":
        with pytest.raises(KeyboardInterrupt):
            pages.throw(KeyboardInterrupt)
    del pages
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("list")]
    assert len(server.requests) == 2


def test_a_failing_page_is_an_error_after_the_pages_before_it(gateway, server):
    server.will(page("a", token="t1"), failure(403, "no"))
    pages = gateway.pages(EVENTS, KeyFields)
    next(pages)
    with pytest.raises(Denied):
        next(pages)


@pytest.mark.parametrize(
    "broken",
    [
        html(200), Answer(200, b""), Answer(200, b"{}"), answer({"message": "please log in"}),
        Answer(200, b"[" * 9_999),
        answer({"kind": "Observation", "metadata": {"resourceVersion": "7"}}), Answer(200, b'{"items":[{"a'),
        answer({"kind": "ObservationList", "metadata": {}, "items": []}), Answer(200, b"\xff\xfe"),
    ],
)  # fmt: skip
def test_what_is_no_list_never_passes_for_an_empty_one(gateway, server, broken):
    server.will(broken)
    with pytest.raises(ApiFailure, match="not what an API server sends"):
        list(gateway.pages(EVENTS, KeyFields))


def test_truncated_json_is_asked_for_again(gateway, server):
    whole = page("a")
    server.will(page("x", token="t"), Answer(200, whole.body, cut=len(whole.body) - 5), whole)
    assert _names(gateway.pages(EVENTS, KeyFields)) == [["x"], ["a"]]
    server.otherwise = Answer(200, whole.body, cut=9)
    with pytest.raises(Unreachable):
        list(gateway.pages(EVENTS, KeyFields))


def test_an_object_of_an_odd_shape_is_named(gateway, server):
    server.will(page("a", "b\x1b", spec={"severity": 5}))
    with pytest.raises(ApiFailure) as caught:
        list(gateway.pages(EVENTS, WithSpec))
    assert "ns/a is not as its kind should be" in caught.value.message
    assert "$.spec.severity" in caught.value.message


def test_items_that_are_no_objects(gateway, server):
    server.will(answer({"kind": "XList", "metadata": {"resourceVersion": "1"}, "items": [7]}))
    with pytest.raises(ApiFailure, match="one object is not as its kind should be"):
        list(gateway.pages(EVENTS, KeyFields))


def test_a_resource_that_is_not_served_is_not_found(gateway, server):
    server.will(Answer(404, b"404 page not found\n", content_type="text/plain"))
    with pytest.raises(NotFound):
        list(gateway.pages(EVENTS, KeyFields))


def test_memory_does_not_grow_with_the_number_of_pages(gateway, server):
    def peak(pages: int) -> int:
        for number in range(pages):
            token = f"t{number}" if number < pages - 1 else ""
            server.will(
                lambda _, token=token: page(*(f"n{name}" for name in range(50)), token=token, spec="x" * 2000)
            )
        tracemalloc.start()
        for each in gateway.pages(EVENTS, KeyFields):
            del each
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        server.requests.clear()
        return highest

    peak(3)
    assert peak(30) < 2 * peak(6)

"""The gateway on the sandbox, by both transports: the ports' own suite, and what the faults do to a client."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator

import pytest

from tests.conformance.embedded import TOKEN
from tests.kube.ports_suite import CHECKS, Place, named
from tests.sandbox.world import in_process, over_http, with_observations
from zenctl.core.objects import KeyFields
from zenctl.errors import ApiFailure, Expired, NotFound, Throttled, Unreachable
from zenctl.kube import streaming
from zenctl.kube.discovery import Discovery
from zenctl.kube.gateway import Gateway
from zenctl.kube.http import Client
from zenctl.ports import ListQuery
from zenctl.sandbox.apiserver import watch
from zenctl.sandbox.apiserver.faults import parse_fault
from zenctl.sandbox.apiserver.server import ApiServer

_EVENT = watch._event
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "here"}}


@pytest.fixture
def server() -> ApiServer:
    made = with_observations()
    made.load([NAMESPACE])
    return made


@pytest.fixture(params=["in-process", "http"])
def client(request, server, tmp_path) -> Iterator[Client]:
    """Give a client whose waits take no time."""

    def no_wait(_seconds: float) -> None:
        """Go on at once."""

    if request.param == "in-process":
        yield in_process(server, sleep=no_wait)
        return
    with over_http(server, tmp_path / "sandbox", sleep=no_wait) as made:
        yield made


@pytest.fixture
def place(client) -> Place:
    return Place(Gateway(client), Discovery(client).resolve("ze"), "here")


@pytest.mark.parametrize("check", CHECKS, ids=named)
def test_the_ports(place, check):
    check(place)


# -- faults, as a client meets them --------------------------------------------------------------------


def _fill(place: Place, count: int) -> list[str]:
    names = [f"n{number:04d}" for number in range(count)]
    for name in names:
        place.create(name)
    return names


def test_what_passes_is_repeated_until_it_has_passed(server, place):
    server.faults.add(parse_fault("429:times=2,retry-after=1"), parse_fault("503:times=2,verb=create"))
    place.create("a")
    assert place.names() == ["a"]
    assert [times for _, times in server.faults.struck()] == [2, 2]


def test_what_stays_is_an_error_of_its_kind(server, place):
    server.faults.add(parse_fault("429:verb=list"))
    with pytest.raises(Throttled):
        place.names()
    server.faults.clear()
    server.faults.add(parse_fault("502:verb=list"))
    with pytest.raises(ApiFailure, match="without a word from Kubernetes"):
        place.names()
    server.faults.clear()
    server.faults.add(parse_fault("404:verb=get"))
    with pytest.raises(NotFound):
        place.document("a")


def test_a_list_goes_on_when_its_snapshot_expires(server, place):
    names = _fill(place, 1_200)
    server.faults.add(parse_fault("410:verb=list,after=1,times=1"))
    pages = list(place.cluster.pages(place.resource, KeyFields, ListQuery("here")))
    assert any(page.restarted for page in pages)
    server.faults.clear()
    server.faults.add(parse_fault("410:verb=list,after=1,times=1"))
    pages = list(place.cluster.pages(place.resource, KeyFields, ListQuery("here"), restarts=0))
    assert pages[-1].mixed
    assert [item.key.name for page in pages for item in page.objects] == names


def test_a_whole_list_is_one_request(client, place):
    names = _fill(place, 1_200)
    before = client.requests
    pages = list(place.cluster.pages(place.resource, KeyFields, ListQuery("here"), whole=True))
    assert [item.key.name for page in pages for item in page.objects] == names
    assert [len(page.objects) for page in pages] == [500, 500, 200]
    assert client.requests - before == 1


@pytest.mark.parametrize(
    ("fault", "restarted"),
    [
        ("410:verb=watch", False), ("429:verb=watch,retry-after=1", False), ("500:verb=watch", False),
        ("403:verb=watch", False), ("reset:verb=watch", False), ("reset:verb=watch,after-bytes=90000", False),
        ("reset:verb=watch,after-bytes=300000", True),
    ],
)  # fmt: skip
def test_a_whole_list_needs_no_stream(server, client, place, fault, restarted):
    names = _fill(place, 1_200)
    server.faults.add(parse_fault(fault))
    before = client.requests
    pages = list(place.cluster.pages(place.resource, KeyFields, ListQuery("here"), whole=True))
    begun = max((number for number, page in enumerate(pages) if page.restarted), default=0)
    assert [item.key.name for page in pages[begun:] for item in page.objects] == names
    assert any(page.restarted for page in pages) is restarted
    assert client.requests - before == 1 + 3


def test_a_stream_that_says_nothing_any_more_is_left(server, place, monkeypatch):
    monkeypatch.setattr(streaming, "_SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(watch, "_event", lambda kind, body: b"" if kind == b"BOOKMARK" else _EVENT(kind, body))
    names = _fill(place, 3)
    assert place.whole_names() == names


def test_history_that_was_forgotten_is_expired(server, place):
    since = place.version()
    _fill(place, 3)
    server.compact()
    with pytest.raises(Expired):
        next(place.cluster.watch(place.resource, KeyFields, ListQuery("here"), since))


def test_history_is_expired_one_revision_before_it_begins(server, place):
    _fill(place, 2)
    server.compact()
    begins = place.version()
    place.create("later")
    (event,) = place.events(begins, 1)
    assert event.object.key.name == "later"
    with pytest.raises(Expired):
        place.events(str(int(begins) - 1), 1)


def test_the_next_revision_is_too_large_until_it_is_there(server, place):
    """Checked here to the number; a real server's counter moves by itself."""
    path = f"/api/v1/namespaces?resourceVersion={int(place.version()) + 1}"
    headers = [("Authorization", f"Bearer {TOKEN}")]
    assert server.call("GET", path, headers, b"").status == 504
    place.create("a")
    assert server.call("GET", path, headers, b"").status == 200


@pytest.mark.parametrize("spec", ["reset:verb=create,times=1", "reset:verb=create,times=1,after-bytes=40"])
def test_an_answer_that_is_cut_off_is_asked_for_again(server, place, spec):
    """The write was carried out; the repetition finds the object there, and says that it repeated."""
    server.faults.add(parse_fault(spec))
    with pytest.raises(ApiFailure) as caught:
        place.create("a")
    assert (caught.value.status, caught.value.repeated) == (409, True)
    assert place.names() == ["a"]


def test_no_answer_at_all_is_unreachable(server, place):
    server.faults.add(parse_fault("reset:verb=list"))
    with pytest.raises(Unreachable):
        place.names()


def test_a_watch_outlives_its_connection(server, place):
    """Every connection is cut after one event or two: nothing is missed and nothing comes twice."""
    since = place.version()
    names = _fill(place, 10)
    server.faults.add(parse_fault("reset:verb=watch,after-bytes=1000"))
    watching = place.cluster.watch(place.resource, KeyFields, ListQuery("here"), since)
    with contextlib.closing(watching):
        seen = [event.object.key.name for event in itertools.islice(watching, len(names))]
    assert seen == names
    ((_, times),) = server.faults.struck()
    assert times >= 3


def test_a_skewed_clock_shows_in_the_date(server, place):
    before = place.cluster.now()
    server.faults.add(parse_fault("skew:seconds=-1h"))
    assert 3_500 < (before - place.cluster.now()).total_seconds() < 3_700


def test_latency_delays_the_answer(server, place):
    server.faults.add(parse_fault("latency:seconds=0.2"))
    began = time.monotonic()
    place.names()
    assert time.monotonic() - began >= 0.2

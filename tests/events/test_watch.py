"""The rows of a watch: what is wanted of what happens, from several resources, for a while."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests import golden
from tests.events.samples import GROUP, WITHOUT_STATUS, observation
from tests.events.test_follow import Scripted, put
from tests.fakes import NOW, FakeCluster, FixedClock
from zenctl.cli.session import SystemClock
from zenctl.core.instants import format_instant
from zenctl.core.observation import Phase
from zenctl.errors import Invalid, Refused, Unreachable, UsageError
from zenctl.events.follow import Change, FollowPorts
from zenctl.events.select import Filter
from zenctl.events.watch import WatchPorts, WatchRequest, WatchRow, watch_events, watch_stream
from zenctl.ports import ALL, Clock, ListQuery
from zenctl.product.crd import OBSERVATIONS
from zenctl.render import FORMATS, View, render_rows

USUAL = frozenset({Change.ADDED, Change.PHASE})
EVERY = frozenset(Change)


def rows_of(
    cluster: FakeCluster,
    changes: frozenset[Change] = USUAL,
    wanted: Filter | None = None,
    seconds: float | None = None,
    clock: Clock | None = None,
) -> Iterator[WatchRow]:
    said = getattr(cluster, "said", [])
    ports = WatchPorts(cluster, FollowPorts(cluster, clock or FixedClock(), said.append))
    return watch_events(ports, GROUP, WatchRequest(ALL, wanted or Filter(), changes, seconds), NOW)


def told(rows: Iterator[WatchRow]) -> list[tuple[str, str]]:
    return [(row.name, row.change) for row in rows]


def test_what_is_not_asked_for_is_not_shown():
    cluster = Scripted(put("b"), put("b", "Resolved"), put("b", "Resolved", message="x"))
    put("a")(cluster)
    assert told(rows_of(cluster)) == [("b", "added"), ("b", "phase")]


def test_filters_judge_every_row_and_times_only_what_is_there_at_the_beginning():
    hour = timedelta(hours=1)
    cluster = Scripted(
        put("late", timestamp=format_instant(NOW - 9 * hour)), put("odd", timestamp="x"), put("low", severity="LOW")
    )
    put("old", timestamp=format_instant(NOW - 9 * hour))(cluster)
    put("young", timestamp=format_instant(NOW))(cluster)
    put("untimed", timestamp="x")(cluster)
    wanted = Filter(severities=frozenset({"HIGH"}), since=NOW - hour)
    assert told(rows_of(cluster, EVERY, wanted)) == [("young", "present"), ("late", "added"), ("odd", "added")]
    assert cluster.said == ["left out 1 of unreadable time", "watching; Ctrl-C ends it"]


def test_a_phase_that_was_left_is_no_match_for_it():
    cluster = Scripted(put("a"), put("a", "Resolved"), put("a", "Active"))
    wanted = Filter(phases=frozenset({Phase.ACTIVE.value}))
    assert told(rows_of(cluster, EVERY, wanted)) == [("a", "added"), ("a", "phase")]


def test_every_resource_of_the_kind_is_watched():
    cluster = FakeCluster(OBSERVATIONS, WITHOUT_STATUS)
    cluster.put(OBSERVATIONS, observation("one"))
    cluster.put(WITHOUT_STATUS, observation("two"))
    cluster.said = []  # type: ignore[attr-defined]
    assert sorted(told(rows_of(cluster, EVERY))) == [("one", "present"), ("two", "present")]
    assert cluster.said == ["watching; Ctrl-C ends it"]  # type: ignore[attr-defined]


def test_a_cluster_without_the_kind_is_refused_before_any_row():
    with pytest.raises(Refused):
        rows_of(FakeCluster())


@pytest.mark.parametrize(
    ("error", "raised"), [(Unreachable("gone"), Unreachable), (Invalid("bad selector", status=400), UsageError)]
)
def test_an_error_of_a_thread_ends_the_watch(error, raised):
    cluster = Scripted()
    cluster.fail("list", error)
    with pytest.raises(raised):
        list(rows_of(cluster))


class Silent(FakeCluster):
    """A cluster whose watch waits, as a real one does."""

    def __init__(self) -> None:
        super().__init__(OBSERVATIONS)
        self.done = threading.Event()

    def watch(self, resource: Any, kind: Any, query: ListQuery, since: str) -> Iterator[Any]:
        yield from super().watch(resource, kind, query, since)
        self.done.wait(30)


def test_a_watch_for_a_while_ends_by_itself_with_what_came():
    cluster = Silent()
    cluster.put(OBSERVATIONS, observation("one"))
    assert told(rows_of(cluster, EVERY, seconds=0.5, clock=SystemClock())) == [("one", "present")]
    cluster.done.set()


def test_whoever_stops_reading_stops_the_thread_that_writes():
    cluster = FakeCluster(OBSERVATIONS, page_size=500)
    for number in range(3_000):
        cluster.put(OBSERVATIONS, observation(f"n{number}"))
    rows = rows_of(cluster, EVERY)
    next(rows)
    rows.close()  # type: ignore[attr-defined]
    left = [thread for thread in threading.enumerate() if thread.name == "watch"]
    for thread in left:
        thread.join(10)
    assert not [thread for thread in left if thread.is_alive()]


@pytest.mark.parametrize("fmt", FORMATS)
def test_look(fmt):
    web = {"kind": "Pod", "name": "web-0"}
    cluster = Scripted(
        put("trivy-1", severity="critical", message="CVE-2026-1\nin openssl", resource=web),
        put("trivy-1", "Acknowledged", severity="critical", message="CVE-2026-1\nin openssl", resource=web),
        put("falco-2", severity="LOW", timestamp="x", source="falco"),
    )
    golden.check(f"events/watch.{fmt}.txt", "".join(render_rows(watch_stream(rows_of(cluster)), fmt, View())))


def test_look_on_a_terminal():
    cluster = Scripted(put("trivy-1", message="CVE-2026-1 in openssl"), put("trivy-1", "Resolved"))
    text = "".join(render_rows(watch_stream(rows_of(cluster)), "table", View(80)))
    golden.check("events/watch.table.80.txt", text)
    assert max(map(len, text.splitlines())) <= 80

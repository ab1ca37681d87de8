"""Statistics: every Observation counted once, what is not known apart, days those of the calendar asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import golden
from tests.events.samples import GROUP, WITHOUT_STATUS, cluster_of, observation, ports_of, row
from tests.fakes import NOW, FakeCluster
from zenctl.core.instants import format_instant
from zenctl.core.report import Bar, Report, Series, document
from zenctl.events.rows import EventRow
from zenctl.events.scan import scan
from zenctl.events.select import Filter
from zenctl.events.stats import Calendar, Lines, Statistics, Words, together
from zenctl.events.stats_report import stats_report
from zenctl.ports import ALL
from zenctl.product.crd import OBSERVATIONS
from zenctl.render import FORMATS, View, render

DAY = timedelta(days=1)
WEEK = Calendar(NOW, UTC, 7)
WORDS = st.none() | st.sampled_from(["a", "B", "CRITICAL", "high", "Active", ""])
INSTANTS = st.datetimes(timezones=st.just(UTC)) | st.timedeltas(-10 * DAY, 10 * DAY).map(lambda ago: NOW - ago)


def at(ago: timedelta, name: str = "a", **spec: Any) -> EventRow:
    return row(name, timestamp=format_instant(NOW - ago), **spec)


def counted(*rows: EventRow, calendar: Calendar = WEEK, wanted: Filter | None = None) -> Statistics:
    found = Statistics(wanted or Filter(), calendar)
    for each in rows:
        found.add_row(each)
    return found


def said(found: Statistics, calendar: Calendar = WEEK) -> Any:
    return document(stats_report(found, calendar, mixed=False))["data"]


def sample() -> Report:
    rows = (
        at(timedelta(hours=1), severity="critical", source="falco", category="security"),
        at(timedelta(hours=3), severity="critical", source="falco", status={"phase": "acknowledged"}),
        at(DAY, severity="HIGH", category="compliance"),
        at(2 * DAY, severity="Severe", source=None, status={"phase": "Resolved"}),
        at(40 * DAY, severity="LOW", status={"phase": "Weird"}),
        row(timestamp="soon", severity=7),
        at(-DAY),
    )
    return stats_report(counted(*rows), WEEK, mixed=True)


@pytest.mark.parametrize("fmt", FORMATS)
def test_look(fmt):
    golden.check(f"events/stats.{fmt}.txt", "".join(render(sample(), fmt, View())))


def test_look_on_a_terminal():
    golden.check("events/stats.table.80.txt", "".join(render(sample(), "table", View(80))))


def test_nothing_has_no_charts():
    report = stats_report(counted(), WEEK, mixed=False)
    assert not [block for block in report.blocks if isinstance(block, Bar | Series)]


@pytest.mark.parametrize(
    ("ago", "zone", "place"),
    [
        (timedelta(0), UTC, 6),
        (timedelta(hours=2), UTC, 6),
        (timedelta(hours=2, microseconds=1), UTC, 5),
        (timedelta(hours=2), ZoneInfo("America/New_York"), 6),
        (timedelta(hours=7), ZoneInfo("America/New_York"), 6),
        (timedelta(hours=24), ZoneInfo("Asia/Tokyo"), 5),
        (6 * DAY, UTC, 0),
        (7 * DAY, UTC, -1),
    ],
)
def test_a_day_is_that_of_the_calendar(ago, zone, place):
    assert Calendar(NOW, zone, 7).place(NOW - ago) == place


@pytest.mark.parametrize("instant", [datetime.min.replace(tzinfo=UTC), datetime(1, 1, 1, 5, tzinfo=UTC)])
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_the_first_hours_of_all_time_are_an_earlier_day(instant, zone):
    assert Calendar(NOW, ZoneInfo(zone), 7).place(instant) < 0


def test_days_stay_days_when_clocks_change():
    spring = Calendar(datetime(2026, 3, 30, 12, tzinfo=UTC), ZoneInfo("Europe/Berlin"), 4)
    assert [day.isoformat() for day in spring.days] == ["2026-03-27", "2026-03-28", "2026-03-29", "2026-03-30"]
    nights = [datetime(2026, 3, 28, hour, 30, tzinfo=UTC) for hour in (22, 23)]
    assert [spring.place(night) for night in nights] == [1, 2]
    assert {later - earlier for earlier, later in pairwise(spring.days)} == {DAY}


def test_what_has_no_usable_time_is_counted_and_in_no_day():
    found = said(counted(row(timestamp="x"), at(-DAY), at(30 * DAY), at(DAY)))
    assert (found["total"], sum(found["perDay"])) == (4, 1)
    assert (found["untimed"], found["future"], found["earlier"], found["leftOutUntimed"]) == (1, 1, 1, 0)


def test_a_window_leaves_the_untimed_out_and_says_how_many():
    found = said(counted(row(timestamp="x"), at(DAY), wanted=Filter(since=NOW - 2 * DAY)))
    assert (found["total"], found["untimed"], found["leftOutUntimed"]) == (1, 0, 1)


def test_a_phase_of_another_vendor_is_not_open_and_not_hidden():
    phases = ("Active", "ACKNOWLEDGED", "Resolved", "Archived", "Snoozed", None)
    found = said(counted(*(row(status={"phase": phase}) for phase in phases)))
    assert found["open"] == 3
    counts = [(each["value"], each["count"]) for each in found["byPhase"]["counts"]]
    assert counts == [("Active", 2), ("Resolved", 1), ("Archived", 1), ("ACKNOWLEDGED", 1), ("Snoozed", 1)]


def test_severities_come_worst_first_then_unknown_words_then_none():
    found = said(counted(*(row(severity=word) for word in ("low", "odd", 3, "CRITICAL", "Low"))))
    counts = [(each["value"], each["count"]) for each in found["bySeverity"]["counts"]]
    assert counts == [("CRITICAL", 1), ("LOW", 2), ("ODD", 1), (None, 1)]


def test_words_and_lines_are_bounded_and_lose_no_count():
    words, lines = Words(most=2), Lines(2, most=2)
    for word in ("a", "b", "c", "a", "d"):
        words.add(word)
        lines.add(word, 1)
    assert (dict(words.counts), words.others) == ({"a": 2, "b": 1}, 2)
    assert (lines.lines, lines.others) == ({"a": [0, 2], "b": [0, 1]}, 2)


def test_several_resources_and_a_listing_that_begins_again_are_counted_once():
    cluster = FakeCluster(OBSERVATIONS, WITHOUT_STATUS, now=NOW)
    for number in range(5):
        cluster.put(OBSERVATIONS, observation(f"e{number}"))
    cluster.put(WITHOUT_STATUS, observation("other", source="falco"))
    found = scan(ports_of(cluster), GROUP, ALL, lambda: Statistics(Filter(), WEEK))
    whole = said(together(found.tallies, Filter(), WEEK))
    assert (whole["total"], whole["perDay"]) == (6, [0, 0, 0, 0, 0, 0, 6])
    assert [(each["value"], sum(each["counts"])) for each in whole["sourcePerDay"]] == [("trivy", 5), ("falco", 1)]


@given(st.lists(st.tuples(WORDS, WORDS, st.none() | INSTANTS), max_size=20), st.integers(1, 9), st.integers(0, 20))
def test_every_observation_is_in_each_count_once_however_it_is_split(given_rows, days, cut):
    calendar = Calendar(NOW, UTC, days)
    rows = [
        row(severity=severity, source=source, timestamp=format_instant(when) if when else "x")
        for severity, source, when in given_rows
    ]
    found = said(counted(*rows, calendar=calendar), calendar)
    for what in ("bySeverity", "byPhase", "bySource", "byNamespace", "byCategory"):
        assert sum(each["count"] for each in found[what]["counts"]) == len(rows) == found["total"]
    dated = found["untimed"] + found["earlier"] + found["future"] + sum(found["perDay"])
    assert dated == len(rows)
    for lines in (found["severityPerDay"], found["sourcePerDay"]):
        assert [sum(column) for column in zip(*(each["counts"] for each in lines), strict=True)] in (
            found["perDay"], [],
        )  # fmt: skip
    parts = (counted(*rows[:cut], calendar=calendar), counted(*rows[cut:], calendar=calendar))
    assert said(together(parts, Filter(), calendar), calendar) == found


def test_the_fake_is_read_only():
    cluster = cluster_of(observation("one"))
    scan(ports_of(cluster), GROUP, ALL, lambda: Statistics(Filter(), WEEK))
    assert {call.verb for call in cluster.calls} == {"list"}

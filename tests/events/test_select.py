from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.events.samples import row
from tests.fakes import NOW
from zenctl.core.instants import format_instant
from zenctl.errors import UsageError
from zenctl.events import select
from zenctl.events.rows import EventRow
from zenctl.events.select import Filter, Match, Selection, SortBy, checked_window, matcher, ordering

HOUR = timedelta(hours=1)


def at(hours: float) -> str:
    return format_instant(NOW - hours * HOUR)


@pytest.mark.parametrize(
    ("wanted", "match"),
    [
        (Filter(), Match.WANTED),
        (Filter(severities=frozenset({"high"})), Match.WANTED),
        (Filter(severities=frozenset({"LOW", "HIGH"})), Match.WANTED),
        (Filter(severities=frozenset({"LOW"})), Match.OTHER),
        (Filter(sources=frozenset({"TRIVY"})), Match.WANTED),
        (Filter(sources=frozenset({"falco"})), Match.OTHER),
        (Filter(categories=frozenset({"SeCuRiTy"})), Match.WANTED),
        (Filter(categories=frozenset({"compliance"})), Match.OTHER),
        (Filter(phases=frozenset({"active"})), Match.WANTED),
        (Filter(phases=frozenset({"Resolved"})), Match.OTHER),
        (Filter(severities=frozenset({"HIGH"}), sources=frozenset({"falco"})), Match.OTHER),
        (Filter(since=NOW - HOUR), Match.WANTED),
        (Filter(until=NOW), Match.OTHER),
        (Filter(since=NOW, until=NOW + HOUR), Match.WANTED),
        (Filter(since=NOW + HOUR), Match.OTHER),
    ],
)
def test_a_filter_wants_what_fulfils_all_of_it(wanted, match):
    assert matcher(wanted)(row(source="Trivy", category="security", timestamp=at(0))) is match


def test_what_a_row_does_not_say_no_filter_finds():
    asked = Filter(categories=frozenset({"security"}))
    assert matcher(asked)(row()) is Match.OTHER
    assert matcher(asked)(row(category=7)) is Match.OTHER


@pytest.mark.parametrize("time", ["yesterday", "2026-11-23T01:00:00", 17])
def test_a_time_that_cannot_be_read_is_told_apart_only_where_times_count(time):
    assert matcher(Filter())(row(timestamp=time)) is Match.WANTED
    assert matcher(Filter(since=NOW - HOUR))(row(timestamp=time)) is Match.UNTIMED
    assert matcher(Filter(until=NOW, sources=frozenset({"falco"})))(row(timestamp=time)) is Match.OTHER


def test_windows_that_meet_share_no_row():
    rows = [row(timestamp=at(hours)) for hours in (0.5, 1, 1.5, 2)]
    later, earlier = Filter(since=NOW - HOUR), Filter(since=NOW - 2 * HOUR, until=NOW - HOUR)
    assert [matcher(later)(each) is matcher(earlier)(each) for each in rows] == [False] * 4


def test_a_window_that_nothing_fits_is_refused():
    checked_window(NOW - HOUR, NOW)
    checked_window(None, NOW)
    checked_window(NOW, None)
    with pytest.raises(UsageError, match="--since is not before --until"):
        checked_window(NOW, NOW)


ROWS = [
    row("c", severity="low", source="Trivy", timestamp=at(3), status={"phase": "Resolved", "lastSeen": at(1)}),
    row("b", severity="CRITICAL", source="falco", timestamp=at(1)),
    row("a", severity="odd", source=None, timestamp="never", status={"phase": "odd", "lastSeen": at(2)}),
    row("a", "team-0", severity="critical", source="audit", timestamp=at(2), status={"phase": "acknowledged"}),
]


@pytest.mark.parametrize(
    ("by", "names", "reversed_names"),
    [
        ("time", "b 0/a c a", "c 0/a b a"),
        ("severity", "0/a b c a", "c 0/a b a"),
        ("namespace", "0/a a b c", "a b c 0/a"),
        ("name", "0/a a b c", "c b 0/a a"),
        ("phase", "b 0/a c a", "c 0/a b a"),
        ("source", "0/a b c a", "c b 0/a a"),
        ("last-seen", "c a 0/a b", "a c 0/a b"),
    ],
)
def test_rows_are_ordered_with_the_unknown_last_either_way(by, names, reversed_names):
    def told(*, reverse: bool) -> str:
        ordered = sorted(ROWS, key=ordering(SortBy(by), reverse=reverse))
        return " ".join(("0/" if each.namespace == "team-0" else "") + each.name for each in ordered)

    assert told(reverse=False) == names
    assert told(reverse=True) == reversed_names


# -- for all rows --------------------------------------------------------------------------------------------

MANY = st.lists(
    st.builds(
        row,
        name=st.sampled_from("abc"),
        namespace=st.sampled_from(["x", "y"]),
        severity=st.sampled_from(["HIGH", "low", "odd", None]),
        source=st.sampled_from(["trivy", "Falco", "", None]),
        timestamp=st.sampled_from([at(1), at(2), at(-1), "2026-11-23T02:30:00+00:30", "never", None]),
        status=st.sampled_from([None, {"phase": "Resolved", "lastSeen": at(1)}, {"phase": "odd", "lastSeen": at(5)}]),
    ),
    max_size=12,
)
ORDERS = st.tuples(st.sampled_from(SortBy), st.booleans())


def chosen(rows: list[EventRow], order: tuple[SortBy, bool], limit: int | None) -> list[EventRow]:
    selection = Selection(ordering(order[0], reverse=order[1]), limit)
    for each in rows:
        selection.add(each)
    return selection.ranked()


@given(MANY, ORDERS, st.integers(1, 8), st.integers(0, 3))
def test_a_limit_keeps_the_first_of_the_whole_order(rows, order, limit, spare):
    key = ordering(order[0], reverse=order[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select, "_LEAST_SPARE", spare)
        some = chosen(rows, order, limit)
    assert [key(each) for each in some] == [key(each) for each in chosen(rows, order, None)][:limit]


@given(MANY, ORDERS)
def test_the_order_does_not_depend_on_how_rows_came(rows, order):
    key = ordering(order[0], reverse=order[1])
    assert [key(each) for each in chosen(rows, order, None)] == [
        key(each) for each in chosen(rows[::-1], order, None)
    ]


@given(MANY, st.sampled_from(SortBy))
def test_reversing_leaves_the_unknown_where_they_are(rows, by):
    up, down = (chosen(rows, (by, reverse), None) for reverse in (False, True))
    unknown = [each for each in up if ordering(by)(each)[0] == 1]
    assert up[len(up) - len(unknown) :] == down[len(down) - len(unknown) :] == unknown


@given(MANY)
def test_newest_first_never_goes_forward_in_time(rows):
    times = [each.instant for each in chosen(rows, (SortBy.TIME, False), None) if each.instant is not None]
    assert all(earlier >= later for earlier, later in pairwise(times))


@given(
    MANY, st.sampled_from([Filter(), Filter(since=NOW - 1.5 * HOUR), Filter(until=NOW, phases=frozenset({"active"}))])
)
def test_every_row_is_judged_and_only_times_are_excused(rows, wanted):
    for each in rows:
        match = matcher(wanted)(each)
        assert (match is Match.UNTIMED) <= (wanted.timed and each.instant is None)


def test_a_selection_with_a_limit_holds_no_more_than_a_few_times_that():
    selection = Selection(ordering(SortBy.NAME), 10)
    template = row()
    for _ in range(20_000):
        selection.add(template)
        assert len(selection._rows) < 2 * 10 + select._LEAST_SPARE

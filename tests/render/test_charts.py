"""Bars and sparklines: every count that is something is seen, and nothing and unknown are told apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.core.report import Bar, Series
from zenctl.core.text import display_width
from zenctl.render.charts import BAR_WIDTH, bar, chart_table, sparkline


@pytest.mark.parametrize(
    ("count", "longest", "drawn"),
    [
        (0, 5, " "),
        (0, 0, " "),
        (5, 5, "█" * 20),
        (1, 10**9, "▏"),
        (1, 2, "█" * 10),
        (1, 16, "█▎"),
        (7, 8, "█" * 17 + "▌"),
    ],
)
def test_a_bar_is_as_long_as_its_count(count, longest, drawn):
    assert bar(count, longest) == drawn


@pytest.mark.parametrize(
    ("counts", "drawn"),
    [
        ((), ""),
        ((0, 0), "··"),
        ((1, 2, 3, 4, 5, 6, 7, 8), "▁▂▃▄▅▆▇█"),
        ((1, 10**6), "▁█"),
        ((5, 5), "██"),
    ],
)
def test_a_spark_is_as_high_as_its_count(counts, drawn):
    assert sparkline(counts) == drawn


@given(st.lists(st.integers(0, 10**9)))
def test_sparks_tell_nothing_and_something_apart_and_keep_the_order(counts):
    drawn = sparkline(counts)
    assert display_width(drawn) == len(counts)
    for count, spark in zip(counts, drawn, strict=True):
        assert (spark == "·") == (count == 0)
    known = sorted((count, spark) for count, spark in zip(counts, drawn, strict=True) if count)
    heights = ["▁▂▃▄▅▆▇█".index(spark) for _, spark in known]
    assert heights == sorted(heights)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_bar_is_never_too_long_and_never_hides_a_count(count, longest):
    drawn = bar(count, max(count, longest))
    assert display_width(drawn) <= BAR_WIDTH
    assert (drawn != " ") == (count > 0)


@pytest.mark.parametrize(
    ("count", "total", "share"),
    [(0, 10, "0 %"), (1, 1000, "<1 %"), (999, 1000, "99 %"), (1000, 1000, "100 %"), (1, 3, "33 %"), (0, 0, None)],
)
def test_a_share_is_all_or_nothing_only_where_it_is(count, total, share):
    assert chart_table(Bar("x", (("a", count),), total)).rows[0][2] == share


def test_a_series_without_buckets_has_no_last_and_no_most():
    (row,) = chart_table(Series("x", "span", (("a", ()),))).rows
    assert row == ("a", "", None, None, 0)

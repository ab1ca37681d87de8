"""The brakes: exact to the object, all named at once, and each with what would allow it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cleanup.samples import OLD, POLICY, YOUNG, cluster_of, observation, planned
from zenctl.cleanup.brakes import Limits, tripped
from zenctl.cleanup.report import plan_report
from zenctl.errors import ExitCode


@pytest.mark.parametrize(
    ("limits", "to_delete", "live", "flags"),
    [
        (Limits(), 0, 1_000, []),
        (Limits(), 500, 1_000, []),
        (Limits(), 501, 1_000, ["--max-percent 50.1"]),
        (Limits(), 99, 99, []),  # of fewer than 100 all may go
        (Limits(), 51, 100, ["--max-percent 51"]),
        (Limits(), 50, 100, []),
        (Limits(), 500_001, 1_000_001, ["--max-percent 50.01"]),  # 50.00005 %: no rounding lets it pass
        (Limits(max_percent=Fraction("33.3")), 333, 1_000, []),
        (Limits(max_percent=Fraction("33.3")), 334, 1_000, ["--max-percent 33.4"]),
        (Limits(max_percent=Fraction(0)), 1, 100, ["--max-percent 1"]),
        (Limits(max_percent=Fraction(100)), 100, 100, []),
        (Limits(max_percent=None), 100, 100, []),
        (Limits(max_deletes=5), 5, 1_000, []),
        (Limits(max_deletes=5), 6, 1_000, ["--max-deletes 6"]),
        (Limits(max_deletes=0), 1, 1_000, ["--max-deletes 1"]),
        (Limits(min_remaining=10), 5, 15, []),
        (Limits(min_remaining=10), 6, 15, ["--min-remaining 9"]),
        (Limits(1, Fraction(1), 1_000), 600, 1_000, ["--max-deletes 600", "--max-percent 60", "--min-remaining 400"]),
        (Limits(0, Fraction(0), 9_999), 0, 1_000, []),  # deleting nothing is always allowed
    ],
)
def test_a_brake_trips_exactly_where_it_should(limits, to_delete, live, flags):
    assert [brake.flag for brake in tripped(limits, to_delete, live)] == flags


@given(
    st.builds(
        Limits,
        st.none() | st.integers(0, 50),
        st.none() | st.fractions(0, 100, max_denominator=1_000),
        st.none() | st.integers(0, 300),
    ),
    st.integers(0, 300),
    st.integers(0, 300),
)
def test_what_a_brake_offers_would_allow_it(limits, to_delete, more):
    live = to_delete + more
    changed = limits
    for brake in tripped(limits, to_delete, live):
        option, value = brake.flag.split()
        changed = changed._replace(**{option.removeprefix("--").replace("-", "_"): Fraction(value)})
    assert tripped(changed, to_delete, live) == ()


def test_what_is_going_already_is_not_live():
    going = [observation(f"going-{n}", timestamp=OLD, deletion=YOUNG) for n in range(100)]
    plan = planned(cluster_of(*going, *(observation(f"o{n}", timestamp=OLD) for n in range(99)))).plan
    assert (plan.total, plan.live, plan.to_delete) == (199, 99, 99)


def test_a_tripped_brake_is_the_verdict_of_the_plan():
    cluster = cluster_of(*(observation(f"o{n}", timestamp=OLD) for n in range(100)))
    report = plan_report(planned(cluster, POLICY, limits=Limits()).plan)
    assert report.verdict is ExitCode.REFUSED
    assert plan_report(planned(cluster, POLICY).plan).verdict is ExitCode.GOOD

"""Which archives stay: tables for every rule, and properties against an oracle that is written another way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backup import retention_oracle
from zenctl.backup.retention import FUTURE_SKEW, Backup, Judgement, Period, Policy, Rule, judge

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # a Monday
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, **facts: bool) -> Backup:
    """Return an archive that is called as it is dated."""
    return Backup(text, datetime.fromisoformat(text).replace(tzinfo=UTC), **facts)


def every(step: timedelta, count: int, newest: datetime = NOW) -> list[Backup]:
    """Return archives at regular times, the newest called 0, the one before it 1, and so on."""
    return [Backup(str(number), newest - number * step) for number in range(count)]


def policy(*rules: Rule, min_keep: int = 1, zone: tzinfo = UTC) -> Policy:
    return Policy(rules, min_keep, zone)


def reasons(backups: Iterable[Backup], *rules: Rule, min_keep: int = 1, zone: tzinfo = UTC) -> dict[str, str]:
    """Return why each archive that stays does."""
    judged = judge(backups, policy(*rules, min_keep=min_keep, zone=zone), NOW)
    return {j.backup.name: ", ".join(j.reasons) for j in judged if j.keep}


def names(backups: Iterable[Backup], *rules: Rule, min_keep: int = 1, zone: tzinfo = UTC) -> list[str]:
    return list(reasons(backups, *rules, min_keep=min_keep, zone=zone))


HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LAST, HOURLY, DAILY, WEEKLY, MONTHLY, YEARLY = Period


# -- each rule by itself ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "step", "stay"),
    [
        (Rule(LAST, 3), HOUR, [0, 1, 2]),
        (Rule(LAST), DAY, list(range(40))),
        (Rule(HOURLY, 3), timedelta(minutes=20), [0, 1, 4]),  # 02:00, 01:40, 00:40
        (Rule(DAILY, 3), 6 * HOUR, [0, 1, 5]),  # Monday 02:00, Sunday 20:00, Saturday 20:00
        (Rule(WEEKLY, 3), DAY, [0, 1, 8]),  # Monday, Sunday, Sunday
        (Rule(MONTHLY, 2), DAY, [0, 23]),
        (Rule(YEARLY, 2), 30 * DAY, [0, 11]),
        (Rule(LAST, within=2 * HOUR), HOUR, [0, 1]),  # exactly two hours is not within two hours
        (Rule(HOURLY, within=HOUR), timedelta(minutes=20), [0, 1]),
        (Rule(DAILY, within=2 * DAY), 6 * HOUR, [0, 1, 5]),
        (Rule(WEEKLY, within=14 * DAY), DAY, [0, 1, 8]),
        (Rule(MONTHLY, within=30 * DAY), DAY, [0, 23]),
        (Rule(YEARLY, within=400 * DAY), 30 * DAY, [0, 11]),
    ],
)  # fmt: skip
def test_a_rule_keeps_the_newest_of_each_of_its_periods(rule, step, stay):
    assert names(every(step, 40), rule) == [str(number) for number in stay]


def test_only_periods_with_an_archive_count():
    sundays = every(7 * DAY, 12, datetime(2019, 11, 17, 11, 0, tzinfo=UTC))
    assert names(sundays, Rule(DAILY, 4)) == ["0", "1", "2", "3"]


def test_an_archive_stays_when_any_rule_keeps_it_and_one_may_count_for_several():
    daily = every(DAY, 60)
    both = names(daily, Rule(DAILY, 7), Rule(WEEKLY, 3))
    assert both == ["0", "1", "2", "3", "4", "5", "6", "8"]
    assert reasons(daily, Rule(DAILY, 7), Rule(WEEKLY, 3))["1"] == "daily, weekly"


def test_a_hundred_years_of_daily_archives():
    archives = every(DAY, 36_525)
    rules = (Rule(DAILY, 7), Rule(WEEKLY, 5), Rule(MONTHLY, 12), Rule(YEARLY, 75))
    stay = reasons(archives, *rules)
    assert list(stay.values())[-1] == "yearly"
    # Two weekly ones, the newest monthly and the newest yearly are daily ones too, and 2025's is December's.
    assert len(stay) == 7 + 3 + 11 + 73


# -- the oldest -------------------------------------------------------------------------------------------------


def test_the_oldest_stays_while_a_rule_has_places_left():
    archives = every(HOUR, 20)  # of two days
    assert reasons(archives, Rule(DAILY, 3)) == {"0": "daily", "3": "daily", "19": "oldest daily"}
    assert reasons(archives, Rule(DAILY, 2)) == {"0": "daily", "3": "daily"}
    assert reasons(archives, Rule(WEEKLY, 9))["19"] == "oldest weekly"


def test_the_oldest_stays_for_a_window_only_when_it_lies_in_it():
    archives = every(HOUR, 20)
    assert reasons(archives, Rule(DAILY, within=DAY))["19"] == "oldest daily within 1d"
    assert "19" not in reasons(archives, Rule(DAILY, within=19 * HOUR))


# -- calendars --------------------------------------------------------------------------------------------------


def test_days_are_those_of_the_zone():
    archives = [at("2026-11-20T23:30"), at("2026-11-20T22:30"), at("2026-11-20T10:00"), at("2026-11-19T10:00")]
    assert names(archives, Rule(DAILY, 2)) == ["2026-11-20T23:30", "2026-11-19T10:00"]
    assert names(archives, Rule(DAILY, 2), zone=BERLIN) == ["2026-11-20T23:30", "2026-11-20T22:30"]


def test_an_hour_that_the_clock_shows_twice_counts_once_and_one_that_it_skips_not_at_all():
    autumn = [at("2026-10-25T01:30"), at("2026-10-25T00:30"), at("2026-10-24T23:30")]  # 02:30, 02:30, 01:30
    assert names(autumn, Rule(HOURLY, 2), zone=BERLIN) == ["2026-10-25T01:30", "2026-10-24T23:30"]
    assert names(autumn, Rule(HOURLY, 2)) == ["2026-10-25T01:30", "2026-10-25T00:30"]
    spring = [at("2026-03-29T01:30"), at("2026-03-29T00:30")]  # 03:30, 01:30
    assert names(spring, Rule(HOURLY, 2), zone=BERLIN) == [backup.name for backup in spring]


def test_weeks_are_those_of_iso_8601_over_the_turn_of_a_year():
    archives = [
        at("2021-01-04T12:00"),  # 2021-W01
        at("2021-01-03T12:00"),  # 2020-W53, as the Monday before
        at("2020-12-28T12:00"),
        at("2020-12-27T12:00"),  # 2020-W52
    ]
    assert names(archives, Rule(WEEKLY, 3)) == ["2021-01-04T12:00", "2021-01-03T12:00", "2020-12-27T12:00"]
    assert names(archives, Rule(YEARLY, 2)) == ["2021-01-04T12:00", "2020-12-28T12:00"]


@pytest.mark.parametrize(
    ("period", "one", "other"),
    [
        (HOURLY, "2026-11-22T05:00", "2026-11-21T05:00"),
        (DAILY, "2026-11-22T05:00", "2026-10-22T05:00"),
        (WEEKLY, "2026-01-02T05:00", "2025-01-02T05:00"),
        (MONTHLY, "2026-11-22T05:00", "2025-11-22T05:00"),
    ],
)
def test_what_has_the_same_number_a_day_or_a_year_later_is_not_the_same(period, one, other):
    assert reasons([at(one), at(other)], Rule(period, 2)) == {one: period.value, other: period.value}


def test_a_leap_day_is_a_day_and_belongs_to_february():
    archives = [at("2024-03-01T00:00"), at("2024-02-29T23:59"), at("2024-02-29T00:00"), at("2024-02-28T12:00")]
    assert names(archives, Rule(DAILY, 3)) == ["2024-03-01T00:00", "2024-02-29T23:59", "2024-02-28T12:00"]
    assert names(archives[:3], Rule(MONTHLY, 2)) == ["2024-03-01T00:00", "2024-02-29T23:59"]


def test_of_archives_of_the_same_second_the_last_by_name_is_the_newest():
    archives = [Backup(name, NOW) for name in "bca"]
    assert names(archives, Rule(DAILY, 1)) == ["c"]
    assert names(archives, Rule(LAST, 2)) == ["c", "b"]


def test_a_window_longer_than_time_itself_keeps_everything():
    archives = every(DAY, 5)
    assert len(names(archives, Rule(LAST, within=timedelta(days=900_000)))) == 5


# -- what stays whatever the rules say --------------------------------------------------------------------------


def test_the_last_verified_one_stays_and_older_verified_ones_go():
    archives = every(DAY, 9)
    archives[5] = archives[5]._replace(verified=True)
    archives[7] = archives[7]._replace(verified=True)
    assert reasons(archives, Rule(LAST, 2)) == {"0": "last", "1": "last", "5": "last verified"}


def test_a_minimum_stays_verified_ones_first():
    archives = every(DAY, 9)
    assert names(archives, Rule(LAST, 1), min_keep=3) == ["0", "1", "2"]
    archives[6] = archives[6]._replace(verified=True)
    archives[8] = archives[8]._replace(verified=True)
    stay = reasons(archives, Rule(LAST, 1), min_keep=3)
    assert stay == {"0": "last", "6": "last verified", "8": "one of the minimum of 3"}


def test_a_pinned_one_stays_and_takes_its_place_in_the_rules_as_any_other():
    archives = every(DAY, 5)
    archives[0] = archives[0]._replace(pinned=True)
    archives[4] = archives[4]._replace(pinned=True)
    assert reasons(archives, Rule(LAST, 1)) == {"0": "pinned, last", "4": "pinned"}


def test_one_dated_in_the_future_stays_and_takes_no_place():
    ahead = Backup("ahead", NOW + FUTURE_SKEW)
    later = Backup("later", NOW + FUTURE_SKEW + timedelta(seconds=1))
    stay = reasons([*every(DAY, 3), ahead, later], Rule(LAST, 1))
    assert stay == {"later": "dated in the future", "ahead": "last"}


def test_a_damaged_one_stays_and_takes_no_place():
    archives = every(DAY, 3)
    archives[0] = archives[0]._replace(damaged=True, verified=False)
    assert reasons(archives, Rule(LAST, 1)) == {"0": "found damaged", "1": "last"}


def test_one_of_unknown_namespaces_stays():
    archives = [backup._replace(scope_known=False) for backup in every(DAY, 3)]
    assert set(reasons(archives, Rule(LAST, 1)).values()) == {"of namespaces that only its key can tell"}


# -- incomplete archives ----------------------------------------------------------------------------------------


def incomplete(backups: list[Backup], *numbers: int) -> list[Backup]:
    return [b._replace(complete=False) if int(b.name) in numbers else b for b in backups]


def test_an_incomplete_one_takes_no_place_of_a_complete_one():
    archives = incomplete(every(6 * HOUR, 12), 0, 1)
    assert reasons(archives, Rule(LAST, 2)) == {
        "0": "incomplete, and no newer one is complete, stands in as last",
        "1": "incomplete, and no newer one is complete, stands in as last",
        "2": "last",
        "3": "last",
    }


def test_it_stands_in_for_a_period_without_a_complete_one_and_goes_with_it():
    daily = every(DAY, 10)
    assert reasons(incomplete(daily, 2), Rule(DAILY, 3))["2"] == "stands in as daily"
    assert "5" not in reasons(incomplete(daily, 5), Rule(DAILY, 3))
    four_a_day = incomplete(every(6 * HOUR, 20), 5, 6, 7, 8)  # all of Saturday
    assert reasons(four_a_day, Rule(DAILY, 3)) == {
        "0": "daily", "1": "daily", "5": "stands in as daily", "9": "daily"
    }  # fmt: skip


def test_it_goes_where_a_complete_one_has_its_period():
    archives = incomplete(every(6 * HOUR, 6), 2)
    judged = {j.backup.name: j for j in judge(archives, policy(Rule(DAILY, 9)), NOW)}
    assert not judged["2"].keep
    assert judged["2"].reasons == ("incomplete, and a newer one is complete",)


def test_a_window_that_keeps_everything_keeps_it_too():
    archives = incomplete(every(HOUR, 9), 2, 6)
    assert "2" in names(archives, Rule(LAST, within=5 * HOUR))
    assert "6" not in names(archives, Rule(LAST, within=5 * HOUR))


def test_without_any_complete_one_nothing_goes():
    archives = [backup._replace(complete=False) for backup in every(DAY, 30)]
    assert len(names(archives, Rule(LAST, 1))) == 30


def test_no_archives_no_judgement():
    assert judge([], policy(Rule(LAST, 1)), NOW) == ()


def test_a_rule_is_told_in_words():
    rules = (Rule(LAST, 3), Rule(LAST), Rule(DAILY, 7), Rule(WEEKLY), Rule(LAST, within=7 * DAY))
    assert [rule.text for rule in rules] == ["last 3", "everything", "7 daily", "every weekly", "within 7d"]
    assert Rule(MONTHLY, within=90 * DAY).text == "monthly within 90d"


# -- properties -------------------------------------------------------------------------------------------------

ZONES = [UTC, *map(ZoneInfo, ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
                              "Pacific/Apia", "America/Havana"))]  # fmt: skip
ANCHORS = [
    NOW,
    datetime(2026, 10, 25, 1, 0, tzinfo=UTC),  # summer time ends in Europe
    datetime(2026, 3, 8, 7, 0, tzinfo=UTC),  # and begins in America
    datetime(2024, 2, 29, 23, 0, tzinfo=UTC),
    datetime(2021, 1, 3, 22, 0, tzinfo=UTC),  # the end of week 53
    datetime(2011, 12, 30, 10, 0, tzinfo=UTC),  # a day that Apia never had
]
OFFSETS = st.one_of(
    st.integers(-3 * 60, 3 * 60).map(lambda minutes: timedelta(minutes=minutes)),
    st.integers(-40, 40).map(lambda days: timedelta(days=days)),
    st.integers(-400, 3).map(lambda days: timedelta(days=days, hours=5)),
)
MOMENTS = st.builds(lambda anchor, offset: anchor + offset, st.sampled_from(ANCHORS), OFFSETS)
SELDOM = st.sampled_from([False] * 5 + [True])
MOSTLY = st.sampled_from([True] * 5 + [False])
FACTS = st.tuples(MOMENTS, MOSTLY, SELDOM, SELDOM, SELDOM, MOSTLY)


@st.composite
def shelves(draw: st.DrawFn) -> list[Backup]:
    found = []
    for number, (moment, complete, verified, damaged, pinned, known) in enumerate(draw(st.lists(FACTS, max_size=24))):
        found.append(
            Backup(
                name=f"{draw(st.sampled_from('abc'))}{number}",
                created_at=moment,
                complete=complete,
                verified=verified and not damaged,
                damaged=damaged,
                pinned=pinned,
                scope_known=known,
            )
        )
    return found


RULES = st.builds(
    lambda period, places, within: Rule(period, None, within) if within else Rule(period, places),
    st.sampled_from(Period),
    st.none() | st.integers(1, 6),
    st.none() | st.sampled_from([HOUR, 5 * HOUR, DAY, 7 * DAY, 45 * DAY, 500 * DAY]),
)
POLICIES = st.builds(
    Policy, st.lists(RULES, min_size=1, max_size=4).map(tuple), st.integers(1, 4), st.sampled_from(ZONES)
)


def stay_of(backups: Sequence[Backup], by: Policy) -> set[str]:
    return {judged.backup.name for judged in judge(backups, by, NOW) if judged.keep}


def countable(backups: Iterable[Backup]) -> list[Backup]:
    """Return the complete archives that may be counted on, newest first."""
    good = [
        b for b in backups if b.complete and not b.damaged and b.scope_known and b.created_at <= NOW + FUTURE_SKEW
    ]
    return sorted(good, key=lambda b: (b.created_at, b.name), reverse=True)


@settings(max_examples=400, deadline=None)
@given(shelves(), POLICIES)
def test_it_is_what_the_oracle_says(backups, by):
    assert stay_of(backups, by) == retention_oracle.kept(backups, by, NOW)


@settings(max_examples=150, deadline=None)
@given(shelves(), POLICIES)
def test_what_must_never_go_stays(backups, by):
    stay, good = stay_of(backups, by), countable(backups)
    assert {b.name for b in backups if b.pinned or b.damaged or not b.scope_known} <= stay
    assert {b.name for b in backups if b.created_at > NOW + FUTURE_SKEW} <= stay
    assert {b.name for b in good[:1]} <= stay
    verified = [b.name for b in good if b.verified]
    assert set(verified[: by.min_keep]) <= stay
    assert len([b for b in good if b.name in stay]) >= min(by.min_keep, len(good))
    for gone in (b for b in backups if b.name not in stay and not b.complete):
        assert any(b.created_at >= gone.created_at for b in good)


@settings(max_examples=150, deadline=None)
@given(shelves(), POLICIES)
def test_a_second_prune_removes_nothing(backups, by):
    stay = stay_of(backups, by)
    assert stay_of([b for b in backups if b.name in stay], by) == stay


@settings(max_examples=150, deadline=None)
@given(shelves(), POLICIES, RULES)
def test_one_rule_more_never_lets_an_archive_go(backups, by, rule):
    assert stay_of(backups, by) <= stay_of(backups, by._replace(rules=(*by.rules, rule)))


@settings(max_examples=150, deadline=None)
@given(shelves(), POLICIES, st.data())
def test_a_longer_rule_or_a_higher_minimum_never_lets_an_archive_go(backups, by, data):
    longer = tuple(
        rule._replace(
            places=rule.places + data.draw(st.integers(0, 3)) if rule.places else None,
            within=rule.within * data.draw(st.integers(1, 3)) if rule.within else None,
        )
        for rule in by.rules
    )
    assert stay_of(backups, by) <= stay_of(backups, by._replace(rules=longer, min_keep=by.min_keep + 1))


@settings(max_examples=150, deadline=None)
@given(shelves(), POLICIES, st.randoms(use_true_random=False))
def test_the_order_of_the_listing_does_not_matter_and_each_has_its_reason(backups, by, random):
    judged = judge(backups, by, NOW)
    shuffled = list(backups)
    random.shuffle(shuffled)
    assert judge(shuffled, by, NOW) == judged
    assert sorted(j.backup.name for j in judged) == sorted(b.name for b in backups)
    assert all(_told(j) for j in judged)


def _told(judged: Judgement) -> bool:
    return bool(judged.reasons) and all(judged.reasons)

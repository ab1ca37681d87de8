"""zenctl.core.instants: RFC 3339 as instants, and the reasons why a text is none."""

from datetime import UTC, datetime, timedelta, timezone

import dateutil.parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.core.instants import ABSENT, TimeProblem, format_instant, parse_instant, read_instant

EARLIEST = datetime(1, 1, 3)  # noqa: DTZ001 - room for any offset on both ends
LATEST = datetime(9999, 12, 29)  # noqa: DTZ001
ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(EARLIEST, LATEST, timezones=ZONES)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-23T02:00:00Z", datetime(2026, 11, 23, 2, tzinfo=UTC)),
        ("2026-11-23t02:00:00z", datetime(2026, 11, 23, 2, tzinfo=UTC)),
        ("2026-11-23T02:00:00+05:30", datetime(2026, 11, 22, 20, 30, tzinfo=UTC)),
        ("2026-11-23T02:00:00-00:00", datetime(2026, 11, 23, 2, tzinfo=UTC)),
        ("2026-11-23T02:00:00.5Z", datetime(2026, 11, 23, 2, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-23T02:00:00.123456789Z", datetime(2026, 11, 23, 2, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-11-23T02:00:00." + "9" * 5000 + "Z", datetime(2026, 11, 23, 2, 0, 0, 999_999, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60.75Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_rfc_3339_is_read_in_all_its_forms(text, instant):
    reading = read_instant(text)
    assert reading.instant == instant
    assert reading.instant.utcoffset() == timedelta(0)
    assert reading.problem is None


@pytest.mark.parametrize("value", [None, ""])
def test_nothing_is_absent(value):
    assert read_instant(value) == ABSENT
    assert not read_instant(value).present


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "2026-11-23",
        "2026-11-23T02:00Z",
        "2026-11-23 02:00:00Z",
        "2026-11-23T02:00:00Z ",
        "2026-11-23T02:00:00Z\n",
        "2026-11-23T02:00:00.Z",
        "2026-11-23T02:00:00,5Z",
        "2026-11-23T02:00:00+0530",
        "2026-11-23T02:00:00+24:00",
        "2026-11-23T02:00:00+05:60",
        "2026-11-23T24:00:00Z",
        "2026-11-23T02:60:00Z",
        "2026-11-23T02:00:61Z",
        "2023-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
        "\u0662\u0660\u0662\u0666-11-23T02:00:00Z",
        1_700_000_000,
        1.5,
        True,
        ["2026-11-23T02:00:00Z"],
        {},
    ],
)
def test_anything_else_is_malformed_but_present(value):
    reading = read_instant(value)
    assert reading.problem is TimeProblem.MALFORMED
    assert reading.instant is None
    assert reading.present


def test_a_time_without_zone_is_a_problem_of_its_own():
    assert read_instant("2026-11-23T02:00:00").problem is TimeProblem.ZONELESS
    assert read_instant("2026-11-23T25:00:00").problem is TimeProblem.MALFORMED


@given(INSTANTS)
def test_reading_agrees_with_the_standard_library(instant):
    text = instant.isoformat()
    assert parse_instant(text) == instant == datetime.fromisoformat(text)


@given(INSTANTS, st.integers(0, 9), st.booleans())
def test_reading_agrees_with_dateutil_on_fractions_and_case(instant, digits, lower):
    fraction = f".{instant.microsecond:06d}000"[: digits + 1] if digits else ""
    zone = instant.isoformat()[-6:]
    text = instant.replace(tzinfo=None).isoformat(timespec="seconds") + fraction + zone
    expected = dateutil.parser.isoparse(text[:19] + fraction[:7] + zone)
    assert parse_instant(text.lower() if lower else text) == expected


@given(INSTANTS)
def test_a_written_instant_reads_back(instant):
    text = format_instant(instant)
    assert text.endswith("Z")
    assert parse_instant(text) == instant


@given(st.lists(INSTANTS, max_size=5))
def test_instants_order_as_times_not_as_text(instants):
    readings = [parse_instant(instant.isoformat()) for instant in instants]
    assert sorted(readings) == [instant.astimezone(UTC) for instant in sorted(instants)]


NEARLY = st.from_regex(
    r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?\Z"
)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3)


@given(NEARLY | JSON)
def test_reading_never_raises_and_says_one_thing(value):
    reading = read_instant(value)
    assert (reading.instant is None) != (reading.problem is None)
    if reading.instant is not None:
        assert reading.instant.tzinfo is UTC


@given(st.text())
def test_parsing_gives_an_instant_or_a_reason(text):
    try:
        parse_instant(text)
    except ValueError as error:
        assert "RFC 3339" in str(error)  # noqa: PT017


def test_a_naive_datetime_is_not_taken_for_local_time():
    with pytest.raises(ValueError, match="no time zone"):
        format_instant(datetime(2026, 1, 1))  # noqa: DTZ001

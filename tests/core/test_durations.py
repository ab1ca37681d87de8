"""zenctl.core.durations: reading and writing 7d, 1d12h and the like."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.core.durations import format_duration, humanise, parse_duration

SECOND = timedelta(seconds=1)
DURATIONS = st.timedeltas(min_value=timedelta(0))


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("45m", timedelta(minutes=45)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("1d12h", timedelta(hours=36)),
        ("1w2d3h4m5s", timedelta(days=9, hours=3, minutes=4, seconds=5)),
        (" 7d\n", timedelta(days=7)),
        ("0s", timedelta(0)),
        ("007d", timedelta(days=7)),
        ("86400s", timedelta(days=1)),
    ],
)
def test_units_add_up(text, duration):
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a duration"),
        ("  ", "is not a duration"),
        ("7", "has no unit"),
        ("-7d", "has a sign"),
        ("+7d", "has a sign"),
        ("1y", "no fixed length"),
        ("3mo", "no fixed length"),
        ("2 months", "no fixed length"),
        ("12h7d", "is not a duration"),
        ("7d7d", "is not a duration"),
        ("7D", "is not a duration"),
        ("1.5h", "is not a duration"),
        ("1h 30m", "is not a duration"),
        ("\u0667d", "is not a duration"),
        ("999999999999d", "longer than time itself"),
        ("9" * 5000 + "d", "longer than time itself"),
        ("\u0000", "is not a duration"),
    ],
)
def test_what_could_be_read_two_ways_is_refused_with_the_reason(text, why):
    with pytest.raises(ValueError, match=why):
        parse_duration(text)


def test_days_written_out_are_not_taken_for_years():
    with pytest.raises(ValueError, match="3 days") as caught:
        parse_duration("3 days")
    assert "years" not in str(caught.value)


@given(st.text())
def test_any_text_is_a_duration_or_a_value_error(text):
    try:
        assert parse_duration(text) >= timedelta(0)
    except ValueError as error:
        assert repr(text) in str(error)  # noqa: PT017


@given(DURATIONS)
def test_a_written_duration_reads_back_to_the_second(duration):
    assert parse_duration(format_duration(duration)) == duration // SECOND * SECOND


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(days=7), "7d"),
        (timedelta(hours=36), "1d12h"),
        (timedelta(days=-7), "-7d"),
        (timedelta(seconds=-0.4), "0s"),
        (timedelta(seconds=59.9), "59s"),
        (timedelta.max, "999999999d23h59m59s"),
        (timedelta.min, "-999999999d"),
    ],
)
def test_durations_are_written_in_days_and_smaller(duration, text):
    assert format_duration(duration) == text


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=0.44), "0.4s"),
        (timedelta(seconds=9.99), "9.9s"),
        (timedelta(seconds=10), "10s"),
        (timedelta(seconds=725), "12m5s"),
        (timedelta(minutes=12), "12m"),
        (timedelta(days=7, hours=3, minutes=59), "7d3h"),
        (timedelta(days=7, minutes=59, seconds=5), "7d"),
        (timedelta(hours=1, seconds=30), "1h"),
        (timedelta(seconds=-0.44), "-0.4s"),
        (timedelta(days=-2, hours=-3), "-2d3h"),
        (timedelta.min, "-999999999d"),
    ],
)
def test_people_get_the_largest_unit_and_the_next(duration, text):
    assert humanise(duration) == text


@given(DURATIONS.filter(lambda duration: duration >= timedelta(seconds=10)))
def test_what_people_get_is_less_than_a_tenth_short(duration):
    shown = parse_duration(humanise(duration))
    assert timedelta(0) <= duration - shown < shown / 10

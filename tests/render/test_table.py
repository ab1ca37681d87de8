"""The table: alignment, narrow terminals, colour, and what must never be lost."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.render.samples import BLOCKS, COLLECTIONS, EVERYTHING, REPORTS, VALUES, Collection, rows_text, tables, text
from zenctl.core.findings import finding
from zenctl.core.report import (
    Block,
    ByteCount,
    Cell,
    Column,
    Facts,
    Report,
    Result,
    RowStream,
    Table,
    Text,
    Tone,
    Toned,
    Value,
)
from zenctl.core.text import display_width
from zenctl.render import View, render_rows
from zenctl.render.layout import fit, header, table_line, wrap
from zenctl.render.paint import painter
from zenctl.render.values import draw as drawn
from zenctl.render.values import value_text

NAME = "zen-system/trivy-vulnerability-9f8e7d6c5b4a"
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def draw(*blocks: Block, width: int | None = None, colour: bool = False) -> list[str]:
    return text(Report("R", Result(), blocks=blocks), "table", View(width, colour=colour)).splitlines()


def table(*rows: tuple[Cell, ...]) -> Table:
    columns = (Column("name"), Column("count", right=True), Column("message", shrinks=True))
    return Table(columns, rows)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "unknown"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (1234, "1,234"),
        (-1234567, "-1,234,567"),
        (ByteCount(12_897_485), "12.3 MiB"),
        (0.0, "0"),
        (-0.0, "0"),
        (1.5e300, "1.5e+300"),
        (1234.5, "1,234.5"),
        (99.953, "99.95"),
        (100.0, "100"),
        (0.5, "0.5"),
        (0.000123, "0.00012"),
        (-0.0001, "-0.0001"),
        (float("nan"), "unknown"),
        (float("-inf"), "unknown"),
        (datetime(2026, 11, 23, 2, 0, 0, 999_999, tzinfo=UTC), "2026-11-23 02:00:00Z"),
        (datetime(2026, 11, 23, 2, tzinfo=timezone(timedelta(hours=3))), "2026-11-22 23:00:00Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01 00:00:00Z"),
        (timedelta(days=7, hours=3), "7d3h"),
        ("", "-"),
        ("a\nb", "a\\nb"),
        (Tone.BAD, "bad"),
    ],
)
def test_a_value_is_shown_for_people(value, shown):
    assert value_text(value) == shown


def test_a_naive_datetime_is_a_bug():
    with pytest.raises(ValueError, match="no time zone"):
        value_text(datetime(2026, 1, 1))  # noqa: DTZ001


@given(VALUES)
def test_unknown_is_never_shown_as_a_value_nor_a_value_as_nothing(value: Value):
    shown = value_text(value)
    assert shown.strip() or str(value).strip() == ""
    if value is None:
        assert shown == "unknown"


def test_columns_align_and_headers_are_upper_case():
    assert draw(table(("a", 1, "x"), ("long-name", 12_345, "y"), ("日本", None, ""))) == [
        "NAME         COUNT  MESSAGE",
        "a                1  x",
        "long-name   12,345  y",
        "日本       unknown  -",
    ]


def test_a_mark_says_what_a_colour_would():
    assert draw(table((Toned("a", Tone.GOOD), Toned(1, Tone.BAD), Toned("x", Tone.MUTED)), ("b", 22, "y"))) == [
        "NAME  COUNT  MESSAGE",
        "✓ a     ✗ 1  x",
        "  b      22  y",
    ]


def test_facts_align_their_values_whatever_their_marks():
    assert draw(Facts((("a", 1), ("name", Toned("x", Tone.WARN)), ("b", None)), title="Title")) == [
        "Title",
        "a      1",
        "name ! x",
        "b      unknown",
    ]


def test_omitted_rows_are_counted():
    assert draw(Table((Column("name"),), (("a",),), omitted=1234))[-1] == "… and 1,234 more"


@pytest.mark.parametrize("block", [Table((Column("name"),), (), title="T"), Facts((), title="T")])
def test_an_empty_block_says_so(block):
    assert draw(block) == ["T", "none"]


def test_a_pipe_gets_everything():
    message = "word " * 100 + "end"
    assert draw(table((NAME, 1, message)))[1] == f"{NAME}      1  {message}"
    assert draw(Facts((("message", message),))) == [f"message   {message}"]
    assert draw(Text(message)) == [message]


def test_on_a_terminal_the_columns_that_may_shrink_do():
    lines = draw(table((NAME, 1, "a message that is too long for it"), (NAME, 2, "short")), width=64)
    assert lines[1] == f"{NAME}      1  a message t…"
    assert lines[2] == f"{NAME}      2  short"
    assert all(display_width(line) <= 64 for line in lines)


def test_where_that_does_not_suffice_each_row_is_a_record():
    message = "a message that is too long for one line"
    assert draw(table((NAME, 1, message), ("b", Toned(2, Tone.BAD), "")), width=50) == [
        f"name:      {NAME}",
        "count:     1",
        "message:   a message that is too long for one line",
        "",
        "name:      b",
        "count:   ✗ 2",
        "message:   -",
    ]


def test_on_a_very_narrow_terminal_values_stand_below_their_names():
    assert draw(table((NAME, Toned(1, Tone.GOOD), "three little words")), width=20) == [
        "name:",
        f"  {NAME}",
        "count:",
        "✓ 1",
        "message:",
        "  three little words",
    ]


def test_the_widest_column_gives_first():
    columns = (Column("left", shrinks=True), Column("right", shrinks=True))
    lines = draw(Table(columns, (("a" * 20, "b" * 40),)), width=48)
    assert lines[1] == "a" * 20 + "  " + "b" * 25 + "…"


def test_a_huge_message_costs_nothing_to_shrink():
    lines = draw(table((NAME, 1, "m" * 5_000_000)), width=80)
    assert display_width(lines[1]) == 80


def test_a_title_longer_than_its_values_is_not_cut():
    columns = (Column("name"), Column("what it says", shrinks=True))
    assert draw(Table(columns, (("n" * 20, "m" * 40),)), width=34) == [
        "NAME                  WHAT IT SAYS",
        "n" * 20 + "  " + "m" * 11 + "…",
    ]


@given(tables(), st.none() | st.integers(1, 120))
def test_a_table_fits_the_terminal_or_is_not_drawn_as_one(block, width):
    rows = [[drawn(cell) for cell in row] for row in block.rows]
    layout = fit(block.columns, rows, width)
    if layout is None:
        assert width is not None
        return
    paint = painter(colour=False)
    lines = [header(layout, paint), *(table_line(layout, row, paint) for row in rows)]
    assert width is None or all(display_width(line) <= width for line in lines)
    for line, row in zip(lines[1:], rows, strict=True):
        kept = [cell.text for column, cell in zip(block.columns, row, strict=True) if not (column.shrinks and width)]
        assert all(words in line for words in map(str.rstrip, kept))


def test_a_longer_name_after_the_sample_pushes_its_row_only_as_far_as_it_must():
    names = ("a", "bb", "c" * 9, "d")
    columns = (Column("n"), Column("count", right=True), Column("s"))
    items = (Collection(resource=name, objects=1, size_bytes=None) for name in names)
    stream = RowStream("L", columns, items, lambda row: (row.resource, row.objects, "x"))
    assert "".join(render_rows(stream, "table", View(sample=2))).splitlines() == [
        "N   COUNT  S",
        "a       1  x",
        "bb      1  x",
        "ccccccccc  1  x",
        "d       1  x",
    ]


def test_a_stream_on_a_terminal_shortens_by_its_sample():
    lines = rows_text(COLLECTIONS, "table", View(80)).splitlines()
    assert all(display_width(line) <= 80 for line in lines)
    assert len(lines) == 4


def test_no_colour_means_no_escape_sequence():
    assert "\x1b" not in text(EVERYTHING, "table", View(80))


@given(REPORTS, st.none() | st.integers(1, 120))
def test_colour_changes_nothing_but_colour(report, width):
    plain = text(report, "table", View(width))
    coloured = text(report, "table", View(width, colour=True))
    assert [line.rstrip() for line in ESCAPE.sub("", coloured).split("\n")] == [
        line.rstrip() for line in plain.split("\n")
    ]


@given(st.lists(BLOCKS, max_size=3).map(tuple), st.integers(1, 120))
def test_no_line_has_trailing_spaces_and_blocks_are_set_apart(blocks, width):
    for line in draw(*blocks, width=width):
        assert line == line.rstrip(" ")


def test_findings_are_grouped_worst_first():
    report = Report(
        "R",
        Result(),
        findings=(
            finding("ZA104", subject="ns/a", detail="x"),
            finding("ZA102", subject="member 1", detail="y"),
            finding("ZA104", subject="ns/b", detail="z"),
        ),
    )
    assert text(report, "table").splitlines() == [
        "Findings",
        "✗ critical ZA102  stored bytes differ from their checksum",
        "    member 1: y",
        "    remedy: restore from an older archive; check the disk or store that held this one",
        "! medium ZA104  an archived object does not fit its own schema",
        "    ns/a: x",
        "    ns/b: z",
        "    remedy: the API server may refuse it at restore; mend it in an export",
    ]


@pytest.mark.parametrize(
    ("source", "width", "hang", "lines"),
    [
        ("one two three", 7, 0, ["one two", "three"]),
        ("one two three", 7, 2, ["one two", "  three"]),
        ("  one two three", 7, 0, ["  one", "  two", "  three"]),
        ("averylongword b", 4, 0, ["averylongword", "b"]),
        ("one two", None, 0, ["one two"]),
        ("", 4, 0, [""]),
        ("a  b", 4, 0, ["a  b"]),
        ("日本 語", 5, 0, ["日本", "語"]),
    ],
)
def test_text_wraps_between_words(source, width, hang, lines):
    assert wrap(source, width, hang=hang) == lines


@given(st.text("ab 日"), st.integers(1, 30), st.integers(0, 4))
def test_wrapping_keeps_every_word_whole(source, width, hang):
    lines = wrap(source, width, hang=hang)
    assert [word for line in lines for word in line.split(" ") if word] == [
        word for word in source.split(" ") if word
    ]
    for line in lines:
        assert display_width(line) <= width or len(line.split()) == 1


OPTIONAL = (
    Column("name"),
    Column("source", optional=True),
    Column("about", optional=True),
    Column("message", shrinks=True),
)


@pytest.mark.parametrize(
    ("width", "titles", "note"),
    [
        (None, ["NAME", "SOURCE", "ABOUT", "MESSAGE"], ""),
        (60, ["NAME", "SOURCE", "ABOUT", "MESSAGE"], ""),
        (44, ["NAME", "ABOUT", "MESSAGE"], "(too narrow for source)"),
        (32, ["NAME", "MESSAGE"], "(too narrow for source, about)"),
    ],
)
def test_optional_columns_go_one_by_one_and_it_is_said(width: int | None, titles: list[str], note: str) -> None:
    row = ("trivy-0123456789", "trivy", "Deployment/web", "something was found in here")
    lines = draw(Table(OPTIONAL, (row,)), width=width)
    assert lines[0].split() == titles
    assert row[0] in lines[1]
    assert lines[2:] == ([note] if note else [])


def test_where_even_the_needed_columns_do_not_fit_every_value_is_shown() -> None:
    row = ("trivy-0123456789", "trivy", "Deployment/web", "something was found in here")
    lines = draw(Table(OPTIONAL, (row,)), width=20)
    assert all(title in "\n".join(lines) for title in ("name:", "source:", "about:", "message:"))

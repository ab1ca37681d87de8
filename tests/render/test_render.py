"""What holds for every format: the registry, laziness, streaming, safety and the approved looks."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests import golden
from tests.render.samples import (
    ANY_TEXT,
    COLLECTIONS,
    EVERYTHING,
    NOTHING,
    REPORTS,
    Collection,
    many,
    rows,
    rows_text,
    text,
)
from zenctl.core.report import Column, RowStream, plain
from zenctl.errors import Denied, UsageError
from zenctl.render import FORMATS, View, render, render_rows

NAMES = tuple(FORMATS)
WIDTHS = st.none() | st.integers(0, 130)


def broken(count: int) -> Iterator[Collection]:
    yield from COLLECTIONS[:count]
    raise Denied("may not list zenevents")


def test_the_formats_that_every_command_knows_are_there():
    assert NAMES == ("table", "json", "yaml", "markdown")


@pytest.mark.parametrize("fmt", ["xml", "", "JSON"])
def test_an_unknown_format_is_a_usage_error_before_anything_is_read(fmt):
    with pytest.raises(UsageError) as caught:
        render(EVERYTHING, fmt, View())
    assert all(name in str(caught.value.hint) for name in NAMES)
    with pytest.raises(UsageError):
        render_rows(rows(broken(0)), fmt, View())


@pytest.mark.parametrize("fmt", NAMES)
def test_look_of_a_report(fmt):
    golden.check(f"render/report.{fmt}.txt", text(EVERYTHING, fmt))


@pytest.mark.parametrize("width", [100, 80, 60, 40])
def test_look_of_a_report_on_a_terminal(width):
    golden.check(f"render/report.table.{width}.txt", text(EVERYTHING, "table", View(width)))


def test_look_of_a_report_in_colour():
    golden.check("render/report.table.colour.txt", text(EVERYTHING, "table", View(80, colour=True)))


@pytest.mark.parametrize("fmt", NAMES)
def test_look_of_rows(fmt):
    golden.check(f"render/rows.{fmt}.txt", rows_text(COLLECTIONS, fmt))


@pytest.mark.parametrize("fmt", NAMES)
def test_look_of_no_rows(fmt):
    golden.check(f"render/no-rows.{fmt}.txt", rows_text((), fmt))


@pytest.mark.parametrize("fmt", ["table", "markdown"])
def test_every_value_of_every_block_is_drawn(fmt):
    drawn = text(EVERYTHING, fmt)
    for words in (
        "2026-11-23 02:00:00Z", "1m15s", "12.3 MiB", "12,348", "structure, stored bytes", "unknown", "0.00012",
        "Collections", "日本語.example", "7d3h", "… and 1,234 more", "none", "Nothing was deleted", "Plain words.",
        "critical", "ZA102", "member 3", "expected 1f2e, found 33aa", "restore from an older archive",
        "medium", "ZA104",
    ):  # fmt: skip
        assert words in drawn


@pytest.mark.parametrize("fmt", NAMES)
def test_output_ends_with_one_newline_or_is_empty(fmt):
    for output in (text(EVERYTHING, fmt), rows_text(COLLECTIONS, fmt), rows_text((), fmt)):
        assert output.endswith("\n")
        assert not output.endswith("\n\n")


@pytest.mark.parametrize("fmt", ["table", "markdown"])
def test_a_report_without_blocks_and_findings_draws_nothing(fmt):
    assert text(NOTHING, fmt) == ""


@pytest.mark.parametrize("fmt", NAMES)
@given(report=REPORTS, width=WIDTHS)
def test_nothing_unsafe_reaches_the_output(fmt, report, width):
    for line in text(report, fmt, View(width)).split("\n"):
        bad = [char for char in line if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        assert not bad


@pytest.mark.parametrize("fmt", NAMES)
@given(names=st.lists(ANY_TEXT, max_size=4), width=WIDTHS)
def test_nothing_unsafe_reaches_the_output_of_a_stream(fmt, names, width):
    items = [Collection(resource=name, objects=1, size_bytes=None, note=name) for name in names]
    for line in rows_text(items, fmt, View(width)).split("\n"):
        bad = [char for char in line if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        assert not bad


@pytest.mark.parametrize("fmt", ["json", "yaml", "markdown"])
def test_only_the_table_looks_at_the_terminal(fmt):
    assert text(EVERYTHING, fmt, View(40, colour=True)) == text(EVERYTHING, fmt)
    assert rows_text(COLLECTIONS, fmt, View(40, colour=True)) == rows_text(COLLECTIONS, fmt)


@pytest.mark.parametrize("fmt", NAMES)
def test_rows_are_printed_while_more_are_to_come(fmt):
    taken = 0

    def counted() -> Iterator[Collection]:
        nonlocal taken
        for row in many(10):
            taken += 1
            yield row

    chunks = render_rows(rows(counted()), fmt, View(sample=2))
    printed = ""
    while "n1000" not in printed:
        printed += next(chunks)
    assert taken < 10
    assert f"n{10**9}" in "".join(chunks)


@pytest.mark.parametrize("fmt", NAMES)
def test_a_listing_that_fails_at_once_prints_nothing(fmt):
    with pytest.raises(Denied):
        next(render_rows(rows(broken(0)), fmt, View()))


@pytest.mark.parametrize("fmt", NAMES)
def test_a_listing_that_fails_later_shows_what_came_and_passes_the_error(fmt):
    printed: list[str] = []
    with pytest.raises(Denied):
        printed.extend(render_rows(rows(broken(2)), fmt, View(sample=1)))
    assert "zenevents" in "".join(printed)


@pytest.mark.parametrize(
    ("fmt", "colour", "foreign"),
    [
        ("json", True, set()),
        ("yaml", True, {"yaml"}),
        ("markdown", True, set()),
        ("table", False, set()),
        ("table", True, {"rich"}),
    ],
)
def test_a_format_loads_only_what_it_needs(fmt, colour, foreign):
    program = f"""
import sys
from datetime import UTC, datetime
from zenctl.core.report import Column, Facts, Report, Result, Table, Tone, Toned
from zenctl.render import View, render
report = Report("R", Result(), blocks=(Facts((("a", Toned(1, Tone.BAD)),)), Table((Column("t"),), ((None,),))))
"".join(render(report, {fmt!r}, View(80, colour={colour})))
print(*{{name.partition(".")[0] for name in sys.modules}} & {{"rich", "yaml", "typer", "kubernetes", "markdown_it"}})
print(*{{"rich.markup", "rich.console", "rich.table"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    top, inside = done.stdout.splitlines()
    assert set(top.split()) == foreign
    assert not inside


def live(items: Iterator[Collection]) -> RowStream[Collection]:
    return replace(rows(items), live=True)


@pytest.mark.parametrize("fmt", NAMES)
def test_live_rows_are_drawn_as_each_of_them_comes(fmt):
    came: list[int] = []

    def source() -> Iterator[Collection]:
        for number, row in enumerate(COLLECTIONS):
            came.append(number)
            yield row

    drawn = render_rows(live(source()), fmt, View())
    next(chunk for chunk in drawn if COLLECTIONS[0].resource in chunk)
    assert came == [0]


def test_live_rows_are_json_lines_and_yaml_documents():
    given = (*COLLECTIONS, Collection(resource="turned \u202e round", objects=1, size_bytes=None))
    lines = "".join(render_rows(live(iter(given)), "json", View())).splitlines()
    documents = list(yaml.safe_load_all("".join(render_rows(live(iter(given)), "yaml", View()))))
    assert [json.loads(line) for line in lines] == documents == [plain(row) for row in given]
    assert all(line.isprintable() for line in lines)


def test_a_column_of_rows_that_come_one_by_one_keeps_room_for_wider_ones():
    stream = RowStream("L", (Column("a", least=6), Column("b")), COLLECTIONS[1:2], lambda row: ("x", "y"), live=True)
    assert "".join(render_rows(stream, "table", View())) == "A       B\nx       y\n"

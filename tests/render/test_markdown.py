"""Markdown, judged by a CommonMark parser: whatever the data, the page shows it and obeys nothing of it."""

from __future__ import annotations

import html
import re

from hypothesis import example, given
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.render.samples import ANY_TEXT, REPORTS, text
from zenctl.core.report import Column, Facts, Report, Result, Table, Text, Tone, Toned
from zenctl.core.text import printable

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
NASTY = "<script>alert(1)</script> [x](javascript:1) `c` *b* _i_ a|b \\ \\| &lt; ~~s~~ ![i](u) $m$ #1 <!-- -->"


def page(*blocks: Facts | Table | Text) -> str:
    return text(Report("R", Result(), blocks=blocks), "markdown")


def inline(tokens: list[Token]) -> list[Token]:
    return [child for token in tokens for child in token.children or [token]]


@given(ANY_TEXT, ANY_TEXT)
@example(NASTY, NASTY)
@example("a\\", "|")
def test_a_cell_shows_its_text_and_nothing_else(first, second):
    source = page(Table((Column("a"), Column("b", right=True)), ((first, second), ("last", "row"))))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", PARSER.render(source), re.DOTALL)
    expected = [printable(first) or "-", printable(second) or "-", "last", "row"]
    assert [html.unescape(cell).strip() for cell in cells] == [cell.strip() for cell in expected]


@given(ANY_TEXT)
@example(NASTY)
@example("# h\n> q\n- l\n1. o\n1) o\n---\n===\n```\ncode\n    indented\n\n\nend")
@example("a\n=\n+ b\n* c\n\\\n")
def test_a_paragraph_is_only_text(content):
    tokens = inline(PARSER.parse(page(Text(content))))
    assert {token.type for token in tokens} <= {"paragraph_open", "paragraph_close", "text", "hardbreak", "softbreak"}
    shown = "".join(token.content for token in tokens if token.type == "text")
    assert "".join(shown.split()) == "".join(printable(content, keep_lines=True).split())


@given(ANY_TEXT, ANY_TEXT)
@example(NASTY, NASTY)
def test_a_fact_is_only_text(name, value):
    tokens = inline(PARSER.parse(page(Facts(((name, value),), title="T"))))
    nested = ("heading", "bullet_list", "list_item", "paragraph", "strong")
    allowed = {"text", *(f"{name}_{end}" for name in nested for end in ("open", "close"))}
    assert {token.type for token in tokens} <= allowed


@given(REPORTS)
def test_no_report_holds_a_tag(report):
    assert "<" not in text(report, "markdown")


def test_lines_of_a_paragraph_stay_lines():
    assert PARSER.render(page(Text("one\ntwo", Tone.BAD))) == "<p>✗ one<br />\ntwo</p>\n"


def test_a_mark_says_what_a_colour_would():
    assert "| ✓ fine |" in page(Table((Column("state"),), ((Toned("fine", Tone.GOOD),),)))


def test_numbers_stand_to_the_right():
    assert page(Table((Column("n", right=True), Column("s")), ((1234, "x"),))).splitlines() == [
        "| n | s |",
        "| ---: | --- |",
        "| 1,234 | x |",
    ]

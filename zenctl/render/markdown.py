"""Markdown as GitHub reads it, for tickets, pull requests and run books.

Cluster data is text there, never markup: what could start a tag, a link, a code span, emphasis or a new
cell is escaped. Never shortened: a page scrolls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from zenctl.core.findings import Finding
from zenctl.core.report import Bar, Block, Cell, Column, Facts, Report, Row, RowStream, Series, Table, Text, Toned
from zenctl.core.text import printable
from zenctl.render import View
from zenctl.render.charts import chart_table
from zenctl.render.values import NO_ROWS, TONES, Drawn, draw, omitted_text, worst_first

_MARKUP = re.compile(r"[\\`*_\[\]|~$#]")
_ENTITIES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}  # no raw < at all: nothing can be a tag
# What makes a heading, a list, a rule or a quotation at the start of a line, and nothing elsewhere.
_LINE_START = re.compile(r"^(\s*)([-+=]|\d+(?=[.)]))")
_FINDING_COLUMNS = tuple(Column(title) for title in ("Severity", "Code", "Finding", "Subject", "Detail", "Remedy"))


def report(report: Report, view: View, /) -> Iterator[str]:  # noqa: ARG001 - a page has no width
    """Draw the blocks of a report, then its findings."""
    parts = [_block(block) for block in report.blocks]
    if report.findings:
        parts.append(_findings(report.findings))
    for number, lines in enumerate(parts):
        if number:
            yield "\n"
        for line in lines:
            yield line + "\n"


def rows(stream: RowStream[Row], view: View, /) -> Iterator[str]:  # noqa: ARG001
    """Draw rows as one table, as they come."""
    for line in _table(stream.columns, (stream.cells(row) for row in stream.rows)):
        yield line + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Facts():
            yield from _title(block.title)
            if not block.rows:
                yield NO_ROWS
            for name, value in block.rows:
                yield f"- **{_escape(printable(name))}:** {_cell(draw(value))}"
        case Table():
            yield from _title(block.title)
            yield from _table(block.columns, block.rows)
            if block.omitted:
                yield ""
                yield omitted_text(block.omitted)
        case Bar() | Series():
            yield from _block(chart_table(block))
        case Text():
            yield from _paragraph(block)


def _title(title: str) -> Iterator[str]:
    if title:
        yield f"## {_escape(printable(title))}"
        yield ""


def _paragraph(block: Text) -> Iterator[str]:
    drawn = Drawn(printable(block.text, keep_lines=True), block.tone)
    lines = _marked(drawn).split("\n")
    for number, line in enumerate(lines, start=1):
        text = _LINE_START.sub(_guard, _escape(line.strip()))
        last = number == len(lines) or not lines[number].strip()
        yield text if last or not text else text + "\\"  # a line break that stays one


def _guard(match: re.Match[str]) -> str:
    # A number is guarded after it (1\.), anything else before.
    start, what = match.groups()
    return f"{start}{what}\\" if what.isdigit() else f"{start}\\{what}"


def _table(columns: tuple[Column, ...], rows: Iterable[Iterable[Cell]]) -> Iterator[str]:
    head = _line(_escape(printable(column.title)) for column in columns)
    rule = _line("---:" if column.right else "---" for column in columns)
    empty = True
    for row in rows:
        if empty:
            yield head
            yield rule
            empty = False
        yield _line(_cell(draw(cell)) for cell in row)
    if empty:
        yield NO_ROWS


def _findings(findings: Iterable[Finding]) -> Iterator[str]:
    yield from _title("Findings")
    yield from _table(
        _FINDING_COLUMNS,
        (
            (_severity(each), each.code, each.title, each.subject, each.detail, each.remedy)
            for each in worst_first(findings)
        ),
    )


def _severity(finding: Finding) -> Toned:
    return Toned(finding.severity, TONES[finding.severity])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Drawn) -> str:
    return _escape(_marked(cell))


def _marked(cell: Drawn) -> str:
    return f"{cell.mark} {cell.text}" if cell.mark else cell.text


def _escape(text: str) -> str:
    return _MARKUP.sub(r"\\\g<0>", text).translate(_ENTITIES)

"""Table: what a person reads on a terminal, and what a pipe gets by default.

Quiet: no lines, upper-case headers, two spaces between columns. Complete in a pipe; on a terminal as
wide as it is, and where a table does not fit, one record per row. The look is no contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from operator import attrgetter

from zenctl.core.findings import Finding
from zenctl.core.report import Bar, Block, Cell, Column, Facts, Report, Row, RowStream, Series, Table, Text, Tone
from zenctl.core.text import printable
from zenctl.render import View
from zenctl.render.charts import chart_table
from zenctl.render.layout import Layout, facts, fit, header, paragraph, table_line, wrap
from zenctl.render.paint import LABEL, TITLE, Paint, painter
from zenctl.render.values import NO_ROWS, TONES, Drawn, draw, omitted_text, worst_first

_GROUP = attrgetter("severity", "code", "title", "remedy")


def report(report: Report, view: View, /) -> Iterator[str]:
    """Draw the blocks of a report, then its findings, with an empty line between."""
    paint = painter(colour=view.colour)
    parts = [_block(block, view.width, paint) for block in report.blocks]
    if report.findings:
        parts.append(_findings(report.findings, view.width, paint))
    for number, lines in enumerate(parts):
        if number:
            yield "\n"
        for line in lines:
            yield line.rstrip(" ") + "\n"


def rows(stream: RowStream[Row], view: View, /) -> Iterator[str]:
    """Draw rows as they come; the first of them, a sample, settle the widths."""
    paint = painter(colour=view.colour)
    drawn = ([draw(cell) for cell in stream.cells(row)] for row in stream.rows)
    sample = list(islice(drawn, 1 if stream.live else max(view.sample, 1)))
    for line in _table_lines(stream.columns, sample, drawn, view.width, paint):
        yield line.rstrip(" ") + "\n"


def _block(block: Block, width: int | None, paint: Paint) -> Iterator[str]:
    match block:
        case Facts():
            yield from _title(block.title, paint)
            named = [(printable(name), draw(value)) for name, value in block.rows]
            yield from facts(named, width, paint) if named else (paint(NO_ROWS, Tone.MUTED),)
        case Table():
            yield from _title(block.title, paint)
            yield from _table_lines(block.columns, _drawn(block.rows), (), width, paint)
            if block.omitted:
                yield paint(omitted_text(block.omitted), LABEL)
        case Bar() | Series():
            yield from _block(chart_table(block), width, paint)
        case Text():
            yield from paragraph(Drawn(printable(block.text, keep_lines=True), block.tone), width, paint)


def _drawn(rows: Iterable[Sequence[Cell]]) -> list[list[Drawn]]:
    return [[draw(cell) for cell in row] for row in rows]


def _title(title: str, paint: Paint) -> Iterator[str]:
    if title:
        yield paint(printable(title).strip(), TITLE)


def _table_lines(
    columns: tuple[Column, ...],
    sample: Sequence[Sequence[Drawn]],
    rest: Iterable[Sequence[Drawn]],
    width: int | None,
    paint: Paint,
) -> Iterator[str]:
    if not sample:
        yield paint(NO_ROWS, Tone.MUTED)
        return
    shown = _fitting(columns, sample, width)
    if shown is not None:
        layout, places = shown
        yield header(layout, paint)
        for row in chain(sample, rest):
            yield table_line(layout, [row[place] for place in places], paint)
        if len(places) < len(columns):
            left_out = ", ".join(c.title for place, c in enumerate(columns) if place not in places)
            yield paint(f"(too narrow for {printable(left_out)})", LABEL)
        return
    for number, row in enumerate(chain(sample, rest)):
        if number:
            yield ""
        labels = (f"{printable(column.title)}:" for column in columns)
        yield from facts(list(zip(labels, row, strict=True)), width, paint)


def _fitting(
    columns: tuple[Column, ...], sample: Sequence[Sequence[Drawn]], width: int | None
) -> tuple[Layout, tuple[int, ...]] | None:
    """Return the layout of as many columns as fit, and their places; None where not even the needed ones do."""
    optional = [place for place, column in enumerate(columns) if column.optional]
    for dropped in range(len(optional) + 1):
        places = tuple(place for place in range(len(columns)) if place not in optional[:dropped])
        rows = [[row[place] for place in places] for row in sample]
        layout = fit(tuple(columns[place] for place in places), rows, width) if places else None
        if layout is not None:
            return layout, places
    return None


def _findings(findings: Iterable[Finding], width: int | None, paint: Paint) -> Iterator[str]:
    """Group findings by code: what it means and what to do stand there once."""
    yield paint("Findings", TITLE)
    for (severity, code, title, remedy), group in groupby(worst_first(findings), key=_GROUP):
        head = f"{severity.value} {printable(code)}  {printable(title)}"
        yield from paragraph(Drawn(head, TONES[severity]), width, paint)
        for each in group:
            yield from wrap(f"    {printable(each.subject)}: {printable(each.detail)}", width, hang=2)
        yield from wrap(f"    remedy: {printable(remedy)}", width, hang=2)

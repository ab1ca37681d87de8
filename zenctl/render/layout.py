"""Layout for a terminal or a pipe: column widths, alignment and wrapping, measured in display columns.

Works on drawn cells, which are safe text. A pipe (no width) is never shortened or wrapped. On a terminal
columns that may shrink are shortened; a name is never cut or broken. Where that does not suffice, fit
says so, and the caller draws records instead of a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from zenctl.core.report import Column
from zenctl.core.text import display_width, printable, shorten
from zenctl.render.paint import LABEL, Paint
from zenctl.render.values import Drawn

GAP = 2
LABEL_GAP = 3
_LEAST = 10  # columns that shrink keep at least so much, else their content means nothing
_LEAST_BESIDE = 16  # a value narrower than this goes below its label
_PARAGRAPH = 100  # longer lines are hard to read, however wide the terminal


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each column starts, and how wide it is; ``gutters`` says which keep room for a mark."""

    columns: tuple[Column, ...]
    starts: tuple[int, ...]
    widths: tuple[int, ...]
    gutters: tuple[bool, ...]
    bounded: bool


def fit(columns: tuple[Column, ...], rows: Sequence[Sequence[Drawn]], width: int | None) -> Layout | None:
    """Return the layout that shows these rows whole, or shortened within the width; None where neither can be."""
    gutters = tuple(not column.right and any(row[place].mark for row in rows) for place, column in enumerate(columns))
    widths = [
        max(column.least, display_width(title.text), *(_width(row[place], gutter=gutter) for row in rows))
        for place, (column, title, gutter) in enumerate(zip(columns, _titles(columns), gutters, strict=True))
    ]
    if width is not None and not _shrink(columns, widths, width):
        return None
    starts = tuple(accumulate((size + GAP for size in widths[:-1]), initial=0))
    return Layout(columns, starts, tuple(widths), gutters, width is not None)


def header(layout: Layout, paint: Paint) -> str:
    """Return the line above the rows."""
    return paint(table_line(layout, _titles(layout.columns), lambda text, _: text, titles=True), LABEL)


def table_line(layout: Layout, cells: Sequence[Drawn], paint: Paint, *, titles: bool = False) -> str:
    """Return a row. A cell that is wider than its column pushes the next ones only as far as it must."""
    parts: list[str] = []
    position = 0
    for column, cell, start, width, gutter in zip(
        layout.columns, cells, layout.starts, layout.widths, layout.gutters, strict=True
    ):
        text = _content(cell, gutter=gutter and not titles)
        begin = max(start, position + GAP) if parts else 0
        if column.shrinks and layout.bounded:
            text = shorten(text, max(start + width - begin, min(width, _LEAST)))
        size = display_width(text)
        if column.right:
            begin = max(begin, start + width - size)
        parts.append(" " * (begin - position) + paint(text, cell.tone))
        position = begin + size
    return "".join(parts).rstrip()


def facts(rows: Sequence[tuple[str, Drawn]], width: int | None, paint: Paint) -> Iterator[str]:
    """Yield lines of labels and values; a mark stands in the gap between, so that all values align.

    A long value goes on below itself, broken between words only.
    """
    column = max((display_width(label) for label, _ in rows), default=0) + LABEL_GAP
    beside = width is None or column + _LEAST_BESIDE <= width
    indent = column if beside else GAP
    for label, value in rows:
        sign = f"{value.mark} " if value.mark else ""
        lead = label if beside else ""
        blank = " " * (indent - display_width(lead) - display_width(sign))
        first, *more = wrap(value.text, None if width is None else width - indent)
        if not beside:
            yield paint(label, LABEL)
        yield paint(lead, LABEL) + blank + paint(sign + first, value.tone)
        for line in more:
            yield " " * indent + paint(line, value.tone)


def paragraph(text: Drawn, width: int | None, paint: Paint) -> Iterator[str]:
    """Yield the lines of a text whose own line breaks stay; later lines stand below the first, behind its mark."""
    sign = f"{text.mark} " if text.mark else ""
    limit = None if width is None else min(width, _PARAGRAPH) - len(sign)
    for line in text.text.split("\n"):
        for piece in wrap(line, limit):
            yield paint(f"{sign}{piece}".rstrip(), text.tone)
            sign = " " * len(sign)


def wrap(text: str, width: int | None, *, hang: int = 0) -> list[str]:
    """Return the text in lines of at most so many columns, later ones indented as the first plus ``hang``.

    It breaks at spaces only: a longer word stays whole for copying, and the terminal breaks it.
    """
    if width is None or display_width(text) <= width:
        return [text]
    content = text.lstrip(" ")
    indent = " " * (len(text) - len(content) + hang)
    first, *words = content.split(" ")
    lines: list[str] = []
    line = text[: len(text) - len(content)] + first
    for word in words:
        if display_width(line) + 1 + display_width(word) <= width:
            line += " " + word
        elif word:
            lines.append(line)
            line = indent + word
    return [each.rstrip() for each in (*lines, line)]


def _titles(columns: tuple[Column, ...]) -> list[Drawn]:
    return [Drawn(printable(column.title).upper()) for column in columns]


def _content(cell: Drawn, *, gutter: bool) -> str:
    if cell.mark:
        return f"{cell.mark} {cell.text}"
    return f"  {cell.text}" if gutter else cell.text


def _width(cell: Drawn, *, gutter: bool) -> int:
    return display_width(_content(cell, gutter=gutter))


def _shrink(columns: tuple[Column, ...], widths: list[int], width: int) -> bool:
    """Take from the widest of the columns that shrink until all fit; say whether they do."""
    least = [max(_LEAST, display_width(title.text)) for title in _titles(columns)]
    shrinking = [place for place, column in enumerate(columns) if column.shrinks]
    for place in shrinking:
        widths[place] = min(widths[place], max(width, least[place]))  # a message may be megabytes long
    for _ in range(sum(widths) + GAP * (len(widths) - 1) - width):
        able = [place for place in shrinking if widths[place] > least[place]]
        if not able:
            return False
        widths[max(able, key=widths.__getitem__)] -= 1
    return True

"""Bars and series as tables, so that every format for eyes draws them alike; a picture is text in a cell.

What is not nothing is never drawn as nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from zenctl.core.report import Bar, Cell, Column, Series, Table

BAR_WIDTH = 20
_EIGHTHS = "▏▎▍▌▋▊▉█"
_SPARKS = "▁▂▃▄▅▆▇█"
_ZERO = "·"


def chart_table(block: Bar | Series) -> Table:
    """Return a chart as the table that shows it."""
    return _bar_table(block) if isinstance(block, Bar) else _series_table(block)


def _bar_table(block: Bar) -> Table:
    longest = max((count for _, count in block.rows), default=0)
    columns = (Column(block.head), Column("count", right=True), Column("share", right=True), Column(""))
    rows = tuple((name, count, _share(count, block.total), bar(count, longest)) for name, count in block.rows)
    return Table(columns, rows, block.title, block.omitted)


def _series_table(block: Series) -> Table:
    columns = (
        Column(block.head), Column(block.span), Column("last", right=True), Column("most", right=True),
        Column("all", right=True),
    )  # fmt: skip
    return Table(columns, tuple(_series_row(name, counts) for name, counts in block.rows), block.title, block.omitted)


def _series_row(name: Cell, counts: Sequence[int]) -> tuple[Cell, ...]:
    return name, sparkline(counts), counts[-1] if counts else None, max(counts, default=None), sum(counts)


def _share(count: int, total: int) -> Cell:
    """Return a share in whole percent that is 0 or 100 only where that is so."""
    if not total:
        return None
    percent = round(100 * count / total)
    if 0 < count < total:
        return "<1 %" if percent == 0 else f"{min(percent, 99)} %"
    return f"{percent} %"


def bar(count: int, longest: int) -> str:
    """Return a bar in eighths of a character; the longest count has the full width, and nothing has no bar."""
    if count <= 0 or longest <= 0:
        return " "
    eighths = max(1, count * BAR_WIDTH * 8 // longest)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest - 1] if rest else "")


def sparkline(counts: Sequence[int]) -> str:
    """Return one sign for each count, as high as it is beside the largest; nothing is a dot."""
    most = max(counts, default=0)
    return "".join(_spark(count, most) for count in counts)


def _spark(count: int, most: int) -> str:
    return _SPARKS[(count * len(_SPARKS) - 1) // most] if count > 0 else _ZERO

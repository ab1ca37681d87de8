"""JSON: the document of a report, and nothing that the document does not say.

Text is UTF-8 as it is, except that whatever a terminal obeys or hides is escaped, which JSON can do
without changing the value. Indented by two, so that people and diff can read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from zenctl.core.report import SCHEMA_VERSION, Report, Row, RowStream, document, plain
from zenctl.core.text import escape_unsafe
from zenctl.render import View

_ITEM_INDENT = " " * 4


def report(report: Report, view: View, /) -> Iterator[str]:  # noqa: ARG001 - a document looks the same everywhere
    """Draw a report as its document."""
    yield _encode(document(report)) + "\n"


def rows(stream: RowStream[Row], view: View, /) -> Iterator[str]:  # noqa: ARG001
    """Draw rows as one document, item by item; an interrupted one is visibly incomplete, for good reason.

    Live ones are JSON lines: a document each.
    """
    if stream.live:
        yield from (f"{_line(plain(row))}\n" for row in stream.rows)
        return
    head = f'{{\n  "kind": {_encode(stream.kind)},\n  "schemaVersion": {SCHEMA_VERSION},\n  "items": ['
    separator = "\n"
    for row in stream.rows:
        # Raw newlines occur only between tokens, so indenting the text cannot change a value.
        item = _encode(plain(row)).replace("\n", "\n" + _ITEM_INDENT)
        yield f"{head}{separator}{_ITEM_INDENT}{item}"
        head, separator = "", ",\n"
    yield f"{head}]\n}}\n" if head else "\n  ]\n}\n"


def _encode(value: Any) -> str:
    lines = msgspec.json.format(msgspec.json.encode(value), indent=2).decode().split("\n")
    # What is unsafe stands only inside strings, where JSON has an escape for any character.
    return "\n".join(escape_unsafe(line, _escape) for line in lines)


def _line(value: Any) -> str:
    return escape_unsafe(msgspec.json.encode(value).decode(), _escape)


def _escape(char: str) -> str:
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))

"""YAML: the same document as JSON, for people who keep it in files."""

from __future__ import annotations

from collections.abc import Iterator

from zenctl.core.report import SCHEMA_VERSION, Report, Row, RowStream, document, plain
from zenctl.core.yaml_text import yaml_text
from zenctl.render import View


def report(report: Report, view: View, /) -> Iterator[str]:  # noqa: ARG001 - a document looks the same everywhere
    """Draw a report as its document."""
    yield yaml_text(document(report))


def rows(stream: RowStream[Row], view: View, /) -> Iterator[str]:  # noqa: ARG001
    """Draw rows as one document, item by item; live ones as a document each."""
    if stream.live:
        yield from (f"---\n{yaml_text(plain(row))}" for row in stream.rows)
        return
    head = yaml_text({"kind": stream.kind, "schemaVersion": SCHEMA_VERSION})
    for row in stream.rows:
        yield (f"{head}items:\n" if head else "") + yaml_text([plain(row)])
        head = ""
    if head:
        yield f"{head}items: []\n"

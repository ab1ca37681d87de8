"""Renderers: one Report, or one stream of rows, in; text in chunks out.

A format is a module with two functions; it is imported when it is asked for, so that JSON pays neither
for YAML nor for colours. Renderers decide how values look and nothing else: they read no clock, no
environment and no terminal (that is what View says), and they write nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from zenctl.core.report import Report, Row, RowStream
from zenctl.errors import UsageError

SAMPLE = 200
"""So many rows of a stream settle the widths of a table's columns."""


@dataclass(frozen=True, slots=True)
class View:
    """What the text is shown on.

    ``width`` is that of a terminal in columns; None is a pipe or a file, where nothing is ever shortened
    or wrapped. Without ``colour`` there are no escape sequences at all. ``sample`` is how many rows of a
    stream a table waits for before it prints: 1 where rows arrive as they happen.
    """

    width: int | None = None
    colour: bool = False
    sample: int = SAMPLE


class Renderer(Protocol):
    """A format: both functions yield chunks of text that end with a newline when put together."""

    def report(self, report: Report, view: View, /) -> Iterator[str]:
        """Draw a report."""

    def rows(self, stream: RowStream[Row], view: View, /) -> Iterator[str]:
        """Draw rows as they come."""


def render(report: Report, fmt: str, view: View) -> Iterator[str]:
    """Return a report as chunks of text. Raises UsageError at once where the format is unknown."""
    return _renderer(fmt).report(report, view)


def render_rows(stream: RowStream[Row], fmt: str, view: View) -> Iterator[str]:
    """Return rows as chunks of text while they come; an error of the source passes through.

    Nothing is yielded before the first row is there, so that a listing that fails at once prints nothing.
    Raises UsageError at once where the format is unknown.
    """
    return _renderer(fmt).rows(stream, view)


def _renderer(fmt: str) -> Renderer:
    load = FORMATS.get(fmt)
    if load is None:
        raise UsageError(f"unknown output format {fmt!r}", hint=f"use one of {', '.join(FORMATS)}")
    return load()


def _table() -> Renderer:
    from zenctl.render import table

    return table


def _json() -> Renderer:
    from zenctl.render import json_document

    return json_document


def _yaml() -> Renderer:
    from zenctl.render import yaml_document

    return yaml_document


def _markdown() -> Renderer:
    from zenctl.render import markdown

    return markdown


FORMATS: Mapping[str, Callable[[], Renderer]] = MappingProxyType(
    {"table": _table, "json": _json, "yaml": _yaml, "markdown": _markdown}
)
"""Every format by its name; the values load it."""

"""The Report: the only thing that renderers know, and the only thing that a command returns.

``data`` is a typed frozen result and the contract: JSON, YAML and openmetrics are its encoding and
nothing else. ``findings`` is all that SARIF and JUnit know. ``blocks`` is what table, markdown and
HTML draw. A block holds values, not text: how a time or a size looks is the renderer's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite
from typing import Any, Generic, TypeVar

import msgspec

from zenctl.core.findings import Finding
from zenctl.core.instants import format_instant
from zenctl.core.text import well_formed
from zenctl.errors import ExitCode

SCHEMA_VERSION = 1
"""Version of the JSON and YAML documents; grows only when a key changes its meaning or goes away."""


class Result(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Base of the typed results that a Report carries as ``data``; keys are camelCase."""


Row = TypeVar("Row", bound=Result)


class ByteCount(int):
    """A number of bytes, so that renderers can print it as a size."""


class Tone(StrEnum):
    """What a value means to the reader; renderers choose a colour or a mark for it, or nothing."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    MUTED = "muted"


Value = str | int | float | bool | datetime | timedelta | ByteCount | None
"""A value in a block. None is "unknown" and is never drawn as zero, empty or good."""


@dataclass(frozen=True, slots=True)
class Toned:
    """A value with a meaning attached."""

    value: Value
    tone: Tone


Cell = Value | Toned


@dataclass(frozen=True, slots=True)
class Facts:
    """Named values, one a line."""

    rows: tuple[tuple[str, Cell], ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    On a narrow terminal ``shrinks`` columns are shortened first; where that does not suffice, ``optional``
    ones are left out, the first of them first, and the renderer says so. It is at least ``least`` columns of text
    wide, for rows that come one by one.
    """

    title: str
    right: bool = False
    shrinks: bool = False
    optional: bool = False
    least: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns. ``omitted`` rows exist beyond those shown, and the renderer says so."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    omitted: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str
    tone: Tone | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """Counts as parts of ``total``, the largest with the longest bar; rows beyond those shown are ``omitted``."""

    head: str
    rows: tuple[tuple[Cell, int], ...]
    total: int
    title: str = ""
    omitted: int = 0


@dataclass(frozen=True, slots=True)
class Series:
    """Counts over time, in each row one for each bucket; ``span`` says from when to when."""

    head: str
    span: str
    rows: tuple[tuple[Cell, tuple[int, ...]], ...]
    title: str = ""
    omitted: int = 0


Block = Facts | Table | Bar | Series | Text


@dataclass(frozen=True, slots=True)
class Report:
    """What a command has to say; its verdict is the exit code."""

    kind: str
    data: Result
    verdict: ExitCode = ExitCode.GOOD
    findings: tuple[Finding, ...] = ()
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class RowStream(Generic[Row]):
    """A listing that may be too long for a Report: typed rows that a renderer prints as they come.

    ``cells`` turns a row into the cells of ``columns``; JSON and YAML encode the row itself. Rows of a ``live``
    stream come as they happen, so that each is printed at once, and as a document of its own.
    """

    kind: str
    columns: tuple[Column, ...]
    rows: Iterable[Row]
    cells: Callable[[Row], tuple[Cell, ...]]
    live: bool = False


def document(report: Report) -> dict[str, Any]:
    """Return the report as the plain document that JSON and YAML print; keys keep their declared order."""
    return {
        "kind": report.kind,
        "schemaVersion": SCHEMA_VERSION,
        "verdict": report.verdict.name.lower(),
        "exitCode": int(report.verdict),
        "findings": [plain(finding) for finding in report.findings],
        "data": plain(report.data),
    }


def plain(value: object) -> Any:
    """Return any result as dicts, lists and scalars that JSON can hold.

    Times are RFC 3339 in UTC, durations numbers of seconds (their keys say so), a number that is none or
    infinite is unknown, and a lone surrogate is written out, since UTF-8 has no place for it.
    """
    built = msgspec.to_builtins(value, builtin_types=(datetime, timedelta), str_keys=True, enc_hook=_builtin)
    return _plain(built)


def _builtin(value: object) -> object:
    if isinstance(value, int):
        return int(value)  # msgspec knows int but not its subclasses, such as ByteCount
    raise NotImplementedError(f"a result cannot hold {type(value).__name__}")


def _plain(value: object) -> object:
    match value:
        case str():
            return well_formed(value)
        case dict():
            return {well_formed(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float():
            return value if isfinite(value) else None
        case datetime():
            return format_instant(value)
        case timedelta():
            return value.total_seconds()
        case _:
            return value

"""Reports that the tests of every renderer share: one of everything, one of nothing, and arbitrary ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from zenctl.core.findings import Finding, FindingSeverity, finding
from zenctl.core.report import (
    Bar,
    Block,
    ByteCount,
    Cell,
    Column,
    Facts,
    Report,
    Result,
    RowStream,
    Series,
    Table,
    Text,
    Tone,
    Toned,
    Value,
)
from zenctl.errors import ExitCode
from zenctl.render import View, render, render_rows

PIPE = View()
TAKEN = datetime(2026, 11, 23, 2, tzinfo=UTC)


class Collection(Result, frozen=True):
    """A row."""

    resource: str
    objects: int | None
    size_bytes: ByteCount | None
    age: timedelta | None = None
    note: str = ""


class Backup(Result, frozen=True):
    """Data of a report."""

    archive: str
    taken: datetime
    took: timedelta
    loss: float
    collections: tuple[Collection, ...] = ()


COLLECTIONS = (
    Collection(
        resource="zenevents.zen.kube-zen.io",
        objects=12_345,
        size_bytes=ByteCount(12_897_485),
        age=timedelta(days=7, hours=3),
        note="listed twice, since the server forgot the first list in the middle of it",
    ),
    Collection(resource="ingesters.zen.kube-zen.io", objects=3, size_bytes=ByteCount(512), note="a|b <i>*c*</i>"),
    Collection(resource="日本語.example", objects=None, size_bytes=None, note="tab\there \x1b[31mred\x1b[0m"),
)

COLUMNS = (
    Column("resource"),
    Column("objects", right=True),
    Column("size", right=True),
    Column("state"),
    Column("age", right=True),
    Column("note", shrinks=True),
)
_TONES = (Tone.GOOD, Tone.WARN, Tone.BAD)


def cells(row: Collection) -> tuple[Cell, ...]:
    """Return the cells of a row."""
    place = min(len(row.resource) % 3, 2)
    state = Toned(("snapshot", "restarted", "mixed")[place], _TONES[place])
    return (row.resource, row.objects, row.size_bytes, state, row.age, row.note)


EVERYTHING = Report(
    kind="BackupReport",
    data=Backup(
        archive="backup-2026-11-23T020000Z.zen",
        taken=TAKEN,
        took=timedelta(seconds=75),
        loss=float("nan"),
        collections=COLLECTIONS,
    ),
    verdict=ExitCode.DAMAGED,
    findings=(
        finding("ZA104", subject="zen-system/trivy-vuln-0003", detail="spec.severity: 'SEVERE' is none of the five"),
        finding("ZA102", subject="member 3", detail="expected 1f2e, found 33aa"),
        finding("ZA102", subject="member 4", detail="expected \x1b[31m1f2e, found <b>33aa</b>"),
    ),
    blocks=(
        Facts(
            (
                ("archive", "backup-2026-11-23T020000Z.zen"),
                ("cluster", "prod-eu (0f3d0c9e-5a1f-4c7b-9a53-2b1f0e6d7c11)"),
                ("taken", TAKEN),
                ("took", timedelta(seconds=75)),
                ("size", ByteCount(12_897_485)),
                ("objects", 12_348),
                ("encrypted", False),
                ("verified", Toned("structure, stored bytes and every object against its schema", Tone.GOOD)),
                ("free space", Toned(ByteCount(1536), Tone.WARN)),
                ("pinned", Toned("no", Tone.MUTED)),
                ("last drill", None),
                ("loss", 0.000123),
            )
        ),
        Table(COLUMNS, tuple(cells(row) for row in COLLECTIONS), title="Collections", omitted=1_234),
        Table((Column("name"),), (), title="Skipped"),
        Text(
            "Nothing was deleted. Run `zenctl cleanup undo 20261123` to put everything back as it was.\n"
            "1. first\n- second",
            Tone.WARN,
        ),
        Text("Plain words."),
        Bar("severity", (("CRITICAL", 3), ("LOW", 1200), (None, 0)), 1204, title="By severity", omitted=2),
        Series(
            "source",
            "2026-11-16 to 2026-11-23",
            (("trivy", (0, 1, 2, 30, 400, 8, 4, 0)), ("falco|x", (0, 0, 0, 0, 0, 0, 0, 7))),
            title="By day",
        ),
    ),
)

NOTHING = Report("EmptyReport", Backup(archive="", taken=TAKEN, took=timedelta(0), loss=0.0))


def rows(items: Iterable[Collection]) -> RowStream[Collection]:
    """Return a stream of rows."""
    return RowStream("CollectionList", COLUMNS, items, cells)


def many(count: int) -> Iterator[Collection]:
    """Yield rows whose names grow longer and longer."""
    for number in range(count):
        yield Collection(resource=f"n{10**number}", objects=number, size_bytes=ByteCount(number), note="word " * 9)


def text(report: Report, fmt: str, view: View = PIPE) -> str:
    """Return a whole report as text."""
    return "".join(render(report, fmt, view))


def rows_text(items: Iterable[Collection], fmt: str, view: View = PIPE) -> str:
    """Return a whole stream as text."""
    return "".join(render_rows(rows(items), fmt, view))


ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=30) | st.text(
    st.sampled_from("ab 0\n\t\x1b\x9b\u202e\u2028\\|`<>*_[]()#-+=!~&$."), max_size=30
)
VALUES: st.SearchStrategy[Value] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.integers(0, 2**70).map(ByteCount)
    | st.datetimes(timezones=st.just(UTC))
    | st.timedeltas()
    | ANY_TEXT
)
CELLS: st.SearchStrategy[Cell] = VALUES | st.builds(Toned, VALUES, st.sampled_from(Tone))
FINDINGS = st.builds(
    Finding,
    code=ANY_TEXT,
    severity=st.sampled_from(FindingSeverity),
    title=ANY_TEXT,
    subject=ANY_TEXT,
    detail=ANY_TEXT,
    remedy=ANY_TEXT,
)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Any table."""
    columns = tuple(
        draw(
            st.lists(st.builds(Column, ANY_TEXT, st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=4)
        )
    )
    rows = draw(st.lists(st.tuples(*[CELLS] * len(columns)), max_size=4))
    return Table(columns, tuple(rows), draw(ANY_TEXT), draw(st.integers(0, 5)))


COUNTS = st.integers(0, 10**6)
BARS = st.builds(
    Bar, ANY_TEXT, st.lists(st.tuples(CELLS, COUNTS), max_size=4).map(tuple), COUNTS, ANY_TEXT, st.integers(0, 3)
)
SERIES = st.builds(
    Series,
    ANY_TEXT,
    ANY_TEXT,
    st.lists(st.tuples(CELLS, st.lists(COUNTS, max_size=9).map(tuple)), max_size=4).map(tuple),
    ANY_TEXT,
    st.integers(0, 3),
)
BLOCKS: st.SearchStrategy[Block] = (
    st.builds(Facts, st.lists(st.tuples(ANY_TEXT, CELLS), max_size=4).map(tuple), ANY_TEXT)
    | tables()
    | st.builds(Text, ANY_TEXT, st.none() | st.sampled_from(Tone))
    | BARS
    | SERIES
)


class Anything(Result, frozen=True):
    """Data with anything that JSON can hold."""

    value: object


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
REPORTS = st.builds(
    Report,
    kind=st.just("AnyReport"),
    data=st.builds(Anything, value=PLAIN),
    verdict=st.sampled_from(ExitCode),
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    blocks=st.lists(BLOCKS, max_size=3).map(tuple),
)

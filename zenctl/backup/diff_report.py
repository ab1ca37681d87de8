"""What two sides differ in as a Report, and the parts of it that other comparisons show too. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from zenctl.backup.compare import Change
from zenctl.backup.diff import Differences
from zenctl.backup.tally import KindTally, ObjectDifference, Tally
from zenctl.core.report import Block, Cell, Column, Facts, Report, Result, Table, Text, Tone, Toned

_SHOWN = 20
_ABSENT, _HIDDEN = "", "(secret)"


class Words(NamedTuple):
    """What a comparison calls the three ways to differ, and its two sides."""

    changes: Mapping[Change, str]
    left: str
    right: str


_WORDS = Words(MappingProxyType({change: change.value for change in Change}), "from", "to")


class FieldRow(Result, frozen=True):
    """A field that differs. The values are JSON, shortened; null is a field that is not there, or is hidden."""

    path: str
    left: str | None
    right: str | None
    hidden: bool


class ObjectRow(Result, frozen=True):
    """An object that differs."""

    kind: str
    namespace: str
    name: str
    change: str
    fields: tuple[FieldRow, ...]
    more_fields: int


class KindRow(Result, frozen=True):
    """How many objects of a kind differ."""

    resource: str
    kind: str
    added: int
    removed: int
    changed: int
    unchanged: int


class NotComparedRow(Result, frozen=True):
    """Something of which one side knows nothing."""

    what: str
    side: str
    why: str


class BackupDiff(Result, frozen=True):
    """What two sides differ in. Added is what only the right one has."""

    left: str
    right: str
    namespaces: tuple[str, ...] | None
    differing: int
    unchanged: int
    kinds: tuple[KindRow, ...]
    objects: tuple[ObjectRow, ...]
    more_objects: int
    not_compared: tuple[NotComparedRow, ...]
    mixed: bool


def diff_report(found: Differences) -> Report:
    """Return what two sides differ in; differences make the verdict."""
    tally = found.tally
    data = BackupDiff(
        left=found.left,
        right=found.right,
        namespaces=None if found.namespaces is None else tuple(sorted(found.namespaces)),
        differing=tally.differing,
        unchanged=tally.unchanged,
        kinds=tuple(map(kind_row, tally.kinds)),
        objects=tuple(map(object_row, tally.named)),
        more_objects=tally.differing - len(tally.named),
        not_compared=tuple(NotComparedRow(what=n.what, side=n.side, why=n.why) for n in found.not_compared),
        mixed=found.mixed,
    )
    facts: list[tuple[str, Cell]] = [("from", found.left), ("to", found.right)]
    if data.namespaces is not None:
        facts.append(("namespaces", ", ".join(data.namespaces)))
    facts.append(("differing", _differing(data)))
    blocks: list[Block] = [Facts(tuple(facts)), *_kind_blocks(data.kinds), *difference_blocks(tally)]
    if data.not_compared:
        rows = tuple((row.what, row.side, Toned(row.why, Tone.WARN)) for row in data.not_compared)
        columns = (Column("not compared"), Column("left out of", shrinks=True), Column("why", shrinks=True))
        blocks.append(Table(columns, rows))
    if data.mixed:
        text = "The live listing outlived its snapshot: objects later in the order are newer than earlier ones."
        blocks.append(Text(text, Tone.WARN))
    return Report(kind="BackupDiff", data=data, verdict=found.verdict, blocks=tuple(blocks))


def _differing(data: BackupDiff) -> Cell:
    if data.differing:
        return Toned(f"{data.differing:,} of {data.differing + data.unchanged:,} objects", Tone.WARN)
    if data.not_compared:
        return Toned("unknown: not everything could be compared", Tone.WARN)
    return Toned(f"none of {data.unchanged:,} objects", Tone.GOOD)


def kind_row(kind: KindTally) -> KindRow:
    """Return the counts of a kind."""
    return KindRow(
        resource=kind.resource.full_name,
        kind=kind.resource.kind,
        added=kind.counts[Change.ADDED],
        removed=kind.counts[Change.REMOVED],
        changed=kind.counts[Change.CHANGED],
        unchanged=kind.unchanged,
    )


def object_row(found: ObjectDifference, words: Words = _WORDS) -> ObjectRow:
    """Return an object that differs."""
    namespace, _, name = found.key.rpartition("/")
    fields = tuple(FieldRow(path=f.path, left=f.left, right=f.right, hidden=f.hidden) for f in found.fields)
    return ObjectRow(
        kind=found.kind,
        namespace=namespace,
        name=name,
        change=words.changes[found.change],
        fields=fields,
        more_fields=found.more_fields,
    )


def _kind_blocks(rows: Sequence[KindRow]) -> tuple[Block, ...]:
    """Tell of each kind that either side has objects of, and name the others."""
    there = [row for row in rows if row.added or row.removed or row.changed or row.unchanged]
    columns = (Column("kind"), *(Column(t, right=True) for t in (*(change.value for change in Change), "unchanged")))
    cells = tuple((row.kind, row.added, row.removed, row.changed, row.unchanged) for row in there)
    empty = ", ".join(row.kind for row in rows if row not in there)
    table = Table(columns, cells)
    return (table, Text(f"Neither side has any of: {empty}.")) if empty else (table,)


def difference_blocks(
    tally: Tally, words: Words = _WORDS, told: frozenset[tuple[str, str]] = frozenset()
) -> list[Block]:
    """Return the first objects that differ, in tables; ``told`` are kind and key of those that are told elsewhere."""
    blocks: list[Block] = []
    for change in (Change.ADDED, Change.REMOVED):
        alone = [found for found in tally.named if found.change is change and (found.kind, found.key) not in told]
        if alone:
            rows = tuple((found.kind, found.key) for found in alone[:_SHOWN])
            omitted = tally.of(change) - len(rows) - (len(told) if change is Change.REMOVED else 0)
            columns = (Column("kind"), Column(words.changes[change], shrinks=True))
            blocks.append(Table(columns, rows, omitted=max(0, omitted)))
    changed = [found for found in tally.named if found.change is Change.CHANGED][:_SHOWN]
    if changed:
        names = (words.changes[Change.CHANGED], "field", words.left, words.right)
        fields = tuple(row for found in changed for row in _field_rows(found))
        blocks.append(Table((Column("kind"), *(Column(name, shrinks=True) for name in names)), fields))
    more = tally.of(Change.CHANGED) - len(changed)
    if more:
        blocks.append(Text(f"{more:,} more are {words.changes[Change.CHANGED]}; -o json shows more of them."))
    return blocks


def _field_rows(found: ObjectDifference) -> Iterable[tuple[Cell, ...]]:
    for field in found.fields:
        values = (_HIDDEN, _HIDDEN) if field.hidden else (field.left or _ABSENT, field.right or _ABSENT)
        yield found.kind, found.key, field.path, *values
    if found.more_fields:
        yield found.kind, found.key, f"and {found.more_fields:,} more", _ABSENT, _ABSENT

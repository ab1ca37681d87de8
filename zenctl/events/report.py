"""What became of Observations that were to be settled, as a Report. Decides nothing."""

from __future__ import annotations

from zenctl.core.report import Block, Cell, Column, Facts, Report, Result, Table, Tone, Toned
from zenctl.events.run import Became, Outcome, Settled

_TONES = {Became.SETTLED: Tone.GOOD, Became.UNCHANGED: Tone.MUTED, Became.FAILED: Tone.BAD}


class SettledRow(Result, frozen=True):
    """One Observation that was named; namespace and phase are unknown where it was not found."""

    asked_for: str
    namespace: str | None
    name: str
    result: str
    phase_before: str | None
    error: str | None
    hint: str | None


class EventsSettled(Result, frozen=True):
    """What one decision came to."""

    action: str
    phase: str
    author: str
    note: str
    settled: int
    unchanged: int
    failed: int
    objects: tuple[SettledRow, ...]


def settled_report(outcome: Outcome) -> Report:
    """Return what became of each Observation."""
    decision, numbers = outcome.decision, [each.result for each in outcome.settled]
    data = EventsSettled(
        action=decision.action.value,
        phase=decision.action.phase.value,
        author=decision.author,
        note=decision.note,
        settled=numbers.count(Became.SETTLED),
        unchanged=numbers.count(Became.UNCHANGED),
        failed=numbers.count(Became.FAILED),
        objects=tuple(_row(each) for each in outcome.settled),
    )
    return Report(kind="EventsSettled", data=data, verdict=outcome.verdict, blocks=_blocks(data))


def _row(each: Settled) -> SettledRow:
    namespace = each.key.namespace if each.key else each.name.namespace
    return SettledRow(
        asked_for=str(each.name),
        namespace=namespace or None,
        name=each.name.name,
        result=each.result.value,
        phase_before=each.before,
        error=each.error.message if each.error else None,
        hint=each.error.hint if each.error else None,
    )


def _blocks(data: EventsSettled) -> tuple[Block, ...]:
    columns = [Column("namespace"), Column("name"), Column("result"), Column("was"), Column("is")]
    if data.failed:
        columns.append(Column("why it failed", shrinks=True))
    rows = tuple(_cells(row, data) for row in data.objects)
    facts: list[tuple[str, Cell]] = [("by", data.author)]
    if data.note:
        facts.append(("note", data.note))
    facts += [("hint", hint) for hint in dict.fromkeys(row.hint for row in data.objects) if hint]
    return (Table(tuple(columns), rows), Facts(tuple(facts)))


def _cells(row: SettledRow, data: EventsSettled) -> tuple[Cell, ...]:
    result = Toned(row.result, _TONES[Became(row.result)])
    if row.result == Became.FAILED:
        return (row.namespace or "", row.name, result, "", "", row.error)
    cells: tuple[Cell, ...] = (row.namespace, row.name, result, row.phase_before, data.phase)
    return (*cells, "") if data.failed else cells

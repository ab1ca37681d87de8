"""Proving that backups are what was written: one archive, or all of a store, or a night's share of it; as Reports.

No archive is changed, and one that cannot be verified never hides the others. What was found is noted beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from zenctl.archive.reader import read_footer
from zenctl.archive.verify import How, Level, Verification, verify
from zenctl.backup.notes import VerifyRecord, record_verification
from zenctl.core.findings import finding
from zenctl.core.report import Block, ByteCount, Cell, Column, Facts, Report, Result, Table, Text, Tone, Toned
from zenctl.errors import ExitCode, Refused, ZenctlError, worst
from zenctl.ports import BlobStore

_LEVELS = {1: "structure", 2: "every byte", 3: "every object against its schema"}


class NotVerified(NamedTuple):
    """An archive that could not be verified: it needs a key or a newer zenctl."""

    archive: str
    error: Refused


class Proof(NamedTuple):
    """What it takes to note what was found: when, by which version, and who hears where it cannot be noted."""

    at: datetime
    tool_version: str
    warn: Callable[[str], None]


def note_verification(store: BlobStore, result: Verification, proof: Proof) -> None:
    """Note beside an archive what a verification of it found.

    What proves less than an earlier note may say is not noted: the structure alone, or a sound slice. An archive
    without a readable footer has no identity that a note could name.
    """
    proves = result.level >= Level.BYTES and not result.slice
    if not result.archive_id or (result.sound and not proves):
        return
    record = VerifyRecord(
        level=result.level,
        at=proof.at,
        tool_version=proof.tool_version,
        sound=result.sound,
        problems=result.problem_count,
    )
    try:
        footer = read_footer(store, result.archive, store.size(result.archive))
        record_verification(store, result.archive, footer, verify=record)
    except ZenctlError as error:
        proof.warn(f"the verification of {result.archive} could not be noted beside it: {error.message}")


class BackupVerified(Result, frozen=True):
    """What a verification looked at, and how many problems it found."""

    archive: str
    level: int
    slice: str
    """The part whose bytes were compared, such as 3/7; "" is all."""
    members: int
    objects: int | None
    """Null where nobody looked for objects: at level 1, and in an encrypted archive without its key."""
    bytes_read: int
    problems: int


class NotVerifiedRow(Result, frozen=True):
    """An archive that could not be verified, and why."""

    archive: str
    why: str


class BackupsVerified(Result, frozen=True):
    """What the verification of a store looked at."""

    archives: tuple[BackupVerified, ...]
    not_verified: tuple[NotVerifiedRow, ...]


def verify_store(
    store: BlobStore, how: How, proof: Proof, advance: Callable[[int], None]
) -> Iterator[Verification | NotVerified]:
    """Verify every archive of a store, in the order of their names, and note what was found."""
    for info in store.list():
        try:
            result = verify(store, info.name, how, advance=advance)
        except Refused as error:
            yield NotVerified(info.name, error)
            continue
        note_verification(store, result, proof)
        yield result


def verified_report(result: Verification) -> Report:
    """Return what a verification found; any problem makes the archive damaged."""
    facts: list[tuple[str, Cell]] = [
        ("archive", result.archive),
        ("level", f"{int(result.level)} ({_LEVELS[int(result.level)]})"),
    ]
    if result.slice:
        facts.append(("slice", f"{result.slice} of the bytes, and the structure of all"))
    facts += [("read", ByteCount(result.bytes)), ("members", result.members)]
    if result.objects is not None:
        facts.append(("objects", result.objects))
    facts.append(("verdict", verdict_of(result)))
    blocks: list[Block] = [Facts(tuple(facts))]
    return _report("BackupVerified", row_of(result), [("", result)], blocks)


def store_report(results: Sequence[Verification | NotVerified]) -> Report:
    """Return what the verification of a store found, archive by archive."""
    verified = [result for result in results if isinstance(result, Verification)]
    refused = [result for result in results if isinstance(result, NotVerified)]
    data = BackupsVerified(
        archives=tuple(map(row_of, verified)),
        not_verified=tuple(NotVerifiedRow(archive=each.archive, why=each.error.message) for each in refused),
    )
    columns = (
        Column("archive", shrinks=True),
        Column("level", right=True),
        Column("members", right=True),
        Column("read", right=True),
        Column("verdict"),
    )
    rows: list[tuple[Cell, ...]] = [
        (each.archive, f"{each.level}{f', {each.slice}' if each.slice else ''}", each.members, ByteCount(each.bytes),
         verdict_of(each))
        for each in verified
    ]  # fmt: skip
    blocks: list[Block] = [Table(columns, tuple(rows))] if rows else []
    if refused:
        why = tuple((each.archive, Toned(each.error.message, Tone.BAD)) for each in refused)
        blocks.append(Table((Column("not verified", shrinks=True), Column("why", shrinks=True)), why))
    if not results:
        blocks.append(Text("The store holds no archives."))
    named = [(f"{each.archive}: ", each) for each in verified]
    return _report("BackupsVerified", data, named, blocks, [each.error.code for each in refused])


def _report(
    kind: str,
    data: Result,
    results: Sequence[tuple[str, Verification]],
    blocks: list[Block],
    refusals: Sequence[ExitCode] = (),
) -> Report:
    """Return the report of some verifications, each with what its problems' places begin with."""
    problems = [
        finding(problem.code, subject=prefix + problem.where.removeprefix(prefix), detail=problem.what)
        for prefix, result in results
        for problem in result.problems
    ]
    if sum(result.problem_count for _, result in results) > len(problems):
        blocks.append(Text(f"Only the first {len(problems):,} problems are named.", Tone.WARN))
    damaged = [ExitCode.DAMAGED for _, result in results if not result.sound]
    return Report(
        kind=kind,
        data=data,
        verdict=worst([*damaged, *refusals]),
        findings=tuple(problems),
        blocks=tuple(blocks),
    )


def row_of(result: Verification) -> BackupVerified:
    """Return a verification as data."""
    return BackupVerified(
        archive=result.archive,
        level=int(result.level),
        slice=result.slice,
        members=result.members,
        objects=result.objects,
        bytes_read=result.bytes,
        problems=result.problem_count,
    )


def verdict_of(result: Verification) -> Cell:
    """Return in a word what a verification found."""
    if result.sound:
        return Toned("sound", Tone.GOOD)
    return Toned(f"{result.problem_count:,} problem{'s' if result.problem_count > 1 else ''}", Tone.BAD)

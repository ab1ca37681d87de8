"""The small notes beside an archive: its pin, what verify and drill found out about it, what its cleanup did.

A note never makes an archive readable or unreadable: it is read by listings, by prune and by whoever asks
when a backup was last proved. Each names the archive that it is about by id and by the digest of its footer,
so the note of another file that once had the name is not believed. A malformed note counts as none, with one
exception: whatever carries the name of a pin pins, since the doubt must keep the archive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple, TypeVar

import msgspec

from zenctl.archive.format import Count, Footer, Instant
from zenctl.archive.reader import ArchiveStore
from zenctl.errors import Damaged, Refused
from zenctl.ports import BlobInfo, BlobStore

PIN_SUFFIX = ".pin.json"
VERIFIED_SUFFIX = ".verified.json"
RUN_SUFFIX = ".run.json"
NOTE_BYTES = 64 * 2**10
"""The largest note that is read; ours have a few hundred bytes."""
_ALL_BYTES_LEVEL = 2


class Pin(msgspec.Struct, frozen=True, rename="camel"):
    """The content of ``NAME.pin.json``: why an archive must stay, and since when."""

    archive_id: str
    footer_sha256: str
    reason: str
    pinned_at: Instant


class VerifyRecord(msgspec.Struct, frozen=True, rename="camel"):
    """How the last verification of an archive ended."""

    level: Annotated[int, msgspec.Meta(ge=1, le=3)]
    at: Instant
    tool_version: str
    sound: bool
    problems: Count


class DrillRecord(msgspec.Struct, frozen=True, rename="camel"):
    """How the last restore drill of an archive ended; a sampled one compared a part of the objects."""

    at: Instant
    equal: bool
    sampled: bool
    seconds: float


class VerificationNote(msgspec.Struct, frozen=True, rename="camel"):
    """The content of ``NAME.verified.json``: the last verification and the last drill of an archive."""

    archive_id: str
    footer_sha256: str
    verify: VerifyRecord | None = None
    drill: DrillRecord | None = None


class RunNote(msgspec.Struct, frozen=True, rename="camel"):
    """The content of ``NAME.run.json`` beside an archive of set undo: what became of the cleanup that it is of."""

    archive_id: str
    footer_sha256: str
    at: Instant
    exit_code: Count
    planned: Count
    deleted: Count
    changed: Count
    gone: Count
    failed: Count
    not_tried: Count
    rules: tuple[str, ...]
    """In words."""


class Standing(StrEnum):
    """What is known about an archive's soundness beyond its footer."""

    UNKNOWN = "unknown"
    """Nothing beyond its structure was looked at, as far as the notes say."""
    VERIFIED = "verified"
    """Every byte was compared, or everything was restored and found equal; and neither found a fault."""
    DIFFERS = "differs"
    """It verifies, but what a drill restored from it was not equal."""
    DAMAGED = "damaged"
    """The last verification found problems."""


class NoteProblem(NamedTuple):
    """A note that cannot be used, and why."""

    name: str
    what: str


class Notes(NamedTuple):
    """Every note of a store, by the name of the archive that it lies beside."""

    pins: dict[str, Pin | None]
    """None is a pin whose note cannot be read; it pins all the same."""
    verifications: dict[str, VerificationNote]
    problems: tuple[NoteProblem, ...]
    runs: dict[str, RunNote] = {}  # noqa: RUF012 - a NamedTuple's default, which nobody changes

    def verification(self, name: str, footer: Footer) -> VerificationNote | None:
        """Return what is recorded about exactly this archive; None where that is nothing."""
        note = self.verifications.get(name)
        return note if note is not None and _is_about(note, footer) else None

    def run(self, name: str, footer: Footer) -> RunNote | None:
        """Return what is recorded about the cleanup of exactly this archive; None where that is nothing."""
        note = self.runs.get(name)
        return note if note is not None and _is_about(note, footer) else None

    def standing(self, name: str, footer: Footer) -> Standing:
        """Return what is known about the soundness of an archive."""
        return standing_of(self.verification(name, footer))


NO_NOTES = Notes({}, {}, ())
_AnyNote = Pin | VerificationNote | RunNote
_Note = TypeVar("_Note", Pin, VerificationNote, RunNote)


def standing_of(note: VerificationNote | None) -> Standing:
    """Return what a record proves. A verification of the structure alone, level 1, proves nothing but damage."""
    if note is None:
        return Standing.UNKNOWN
    verify, drill = note.verify, note.drill
    if verify is not None and not verify.sound:
        return Standing.DAMAGED
    if drill is not None and not drill.equal:
        return Standing.DIFFERS
    every_byte = verify is not None and verify.level >= _ALL_BYTES_LEVEL
    return Standing.VERIFIED if every_byte or (drill is not None and not drill.sampled) else Standing.UNKNOWN


def pin_name(archive: str) -> str:
    """Return the name of the note that pins an archive."""
    return archive + PIN_SUFFIX


def verified_name(archive: str) -> str:
    """Return the name of the note with the verifications of an archive."""
    return archive + VERIFIED_SUFFIX


def run_name(archive: str) -> str:
    """Return the name of the note about the cleanup that an archive is of."""
    return archive + RUN_SUFFIX


def archive_of(note: str) -> str | None:
    """Return the name of the archive that a note lies beside; None for a name that is none of a note."""
    for suffix in (PIN_SUFFIX, VERIFIED_SUFFIX, RUN_SUFFIX):
        if note.endswith(".tar" + suffix):
            return note.removesuffix(suffix)
    return None


def read_notes(store: ArchiveStore) -> Notes:
    """Read every note of a store, with one listing. Raises what the store raises: a note unread is no note absent."""
    pins: dict[str, Pin | None] = {}
    verifications: dict[str, VerificationNote] = {}
    runs: dict[str, RunNote] = {}
    problems: list[NoteProblem] = []
    for info in store.list(suffix=".json"):
        archive = archive_of(info.name)
        if archive is None:
            continue
        found: _AnyNote | NoteProblem | None
        if info.name.endswith(PIN_SUFFIX):
            found = _read(store, info, Pin)
            if found is not None:
                pins[archive] = found if isinstance(found, Pin) else None
        elif info.name.endswith(RUN_SUFFIX):
            found = _read(store, info, RunNote)
            if isinstance(found, RunNote):
                runs[archive] = found
        else:
            found = _read(store, info, VerificationNote)
            if isinstance(found, VerificationNote):
                verifications[archive] = found
        if isinstance(found, NoteProblem):
            problems.append(found)
    return Notes(pins, verifications, tuple(problems), runs)


def read_verification(store: ArchiveStore, archive: str, footer: Footer) -> VerificationNote | None:
    """Return what is recorded about one archive; None where that is nothing, or cannot be read."""
    found = _read_one(store, verified_name(archive), VerificationNote)
    return found if isinstance(found, VerificationNote) and _is_about(found, footer) else None


def read_pin(store: ArchiveStore, archive: str) -> Pin | NoteProblem | None:
    """Return the pin of one archive; None where it has none."""
    return _read_one(store, pin_name(archive), Pin)


def record_verification(
    store: BlobStore,
    archive: str,
    footer: Footer,
    *,
    verify: VerifyRecord | None = None,
    drill: DrillRecord | None = None,
) -> VerificationNote:
    """Write down what a verification or a drill of an archive found; what the other found before stays.

    A record of another archive under the same name, or one that cannot be read, is replaced whole. A verification of
    a slice is worth recording only where it found damage: a sound part proves nothing about the rest.
    """
    before = read_verification(store, archive, footer)
    note = VerificationNote(
        archive_id=footer.archive_id,
        footer_sha256=footer.sha256,
        verify=verify or (before.verify if before else None),
        drill=drill or (before.drill if before else None),
    )
    store.replace(verified_name(archive), _encoded(note))
    return note


def write_pin(store: BlobStore, archive: str, footer: Footer, *, reason: str, at: datetime) -> Pin:
    """Pin an archive, in place of any pin that it has."""
    pin = Pin(archive_id=footer.archive_id, footer_sha256=footer.sha256, reason=reason, pinned_at=at)
    store.replace(pin_name(archive), _encoded(pin))
    return pin


def write_run(store: BlobStore, archive: str, note: RunNote) -> None:
    """Write down what became of the cleanup that an archive is of."""
    store.replace(run_name(archive), _encoded(note))


def latest_instant(note: _AnyNote) -> datetime | None:
    """Return the time of the last thing that a note records."""
    if isinstance(note, Pin):
        return note.pinned_at
    if isinstance(note, RunNote):
        return note.at
    return max((record.at for record in (note.verify, note.drill) if record is not None), default=None)


def orphans(notes: Notes, archives: Iterable[str], before: datetime) -> tuple[str, ...]:
    """Return the names of notes whose archive is gone and that record nothing since an instant.

    One that cannot be read is none: nobody knows what it is.
    """
    there = set(archives)
    found: list[str] = []
    kept: tuple[tuple[Callable[[str], str], Mapping[str, _AnyNote | None]], ...] = (
        (pin_name, notes.pins),
        (verified_name, notes.verifications),
        (run_name, notes.runs),
    )
    for name_of, by_archive in kept:
        for archive, note in by_archive.items():
            at = latest_instant(note) if note is not None else None
            if archive not in there and at is not None and at < before:
                found.append(name_of(archive))
    return tuple(sorted(found))


def _read_one(store: ArchiveStore, name: str, kind: type[_Note]) -> _Note | NoteProblem | None:
    return next((_read(store, info, kind) for info in _named(store, name)), None)


def _named(store: ArchiveStore, name: str) -> Sequence[BlobInfo]:
    # A listing says that there is none without an error that could mean something else too.
    return [info for info in store.list(prefix=name, suffix=name) if info.name == name]


def _read(store: ArchiveStore, info: BlobInfo, kind: type[_Note]) -> _Note | NoteProblem | None:
    """Return a note, why it is none, or None where it is gone since it was listed."""
    found = _decoded(store, info, kind)
    if not isinstance(found, NoteProblem):
        return found
    # Somebody may have replaced it between listing and reading: the size that was listed is not its own.
    again = _named(store, info.name)
    if not again:
        return None
    return _decoded(store, again[0], kind) if again[0] != info else found


def _decoded(store: ArchiveStore, info: BlobInfo, kind: type[_Note]) -> _Note | NoteProblem | None:
    if info.size_bytes > NOTE_BYTES:
        return NoteProblem(info.name, f"{info.size_bytes} bytes are more than a note may have")
    try:
        return msgspec.json.decode(store.get(info.name, 0, info.size_bytes), type=kind)
    except Refused:
        return None
    except Damaged:
        return NoteProblem(info.name, "it ends too early")
    except (ValueError, RecursionError, OverflowError) as error:
        return NoteProblem(info.name, f"it cannot be read: {error}")


def _is_about(note: VerificationNote | RunNote, footer: Footer) -> bool:
    return (note.archive_id, note.footer_sha256) == (footer.archive_id, footer.sha256)


def _encoded(note: _AnyNote) -> bytes:
    return msgspec.json.encode(note) + b"\n"

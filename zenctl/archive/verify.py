"""Verifying an archive: structure (1), all stored and plain bytes (2), every object and its schema (3).

It reports what it finds instead of stopping at the first, reads one member at a time, and changes nothing. An
encrypted archive is verified up to level 2 without its keys; there the first damage found ends it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

import msgspec

from zenctl.archive import members, sealed, tar
from zenctl.archive.age import Keys
from zenctl.archive.format import TAIL_BYTES, Collection, Footer, Member, manifest_name
from zenctl.archive.judge import Check, flaws
from zenctl.archive.reader import Archive, ArchiveStore, ListedArchive, open_listed, read_footer
from zenctl.errors import Damaged, Refused

PROBLEMS_KEPT = 1_000
"""How many problems a result names; it counts the others."""

_STRUCTURE, _CHECKSUM, _OBJECT, _SCHEMA = "ZA101", "ZA102", "ZA103", "ZA104"


class Level(IntEnum):
    """How deep a verification goes."""

    STRUCTURE = 1
    BYTES = 2
    OBJECTS = 3


class Slice(NamedTuple):
    """The ``number``-th of ``of`` parts of all that a store holds; every member belongs to exactly one.

    Members are dealt out in turn, beginning at a place that the archive's id decides: so the parts of a store are
    of like size also where its archives are small.
    """

    number: int
    of: int

    def takes(self, archive_id: str, place: int) -> bool:
        """Say whether the member at a place, counted from 0, belongs to it; an archive as a whole is place 0."""
        start = int.from_bytes(hashlib.sha256(archive_id.encode()).digest()[:8])
        return (start + place) % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


class Problem(msgspec.Struct, frozen=True, rename="camel"):
    """One thing that is wrong: its code in the catalogue of findings, where, and what."""

    code: str
    where: str
    what: str


class Verification(msgspec.Struct, frozen=True, rename="camel"):
    """What a verification found; ``problem_count`` may exceed the problems that are named."""

    archive: str
    level: int
    members: int
    objects: int | None
    """Objects that were counted; None where none was looked for: at level 1, and without the keys."""
    bytes: int
    """Bytes of the file that were read and compared."""
    problem_count: int
    problems: tuple[Problem, ...]
    slice: str = ""
    """The part whose bytes were read, such as 3/7; of the rest only the structure was. "" is all."""
    archive_id: str = ""
    """"" where not even the footer could be read."""

    @property
    def sound(self) -> bool:
        """Say that nothing was found."""
        return self.problem_count == 0


class How(NamedTuple):
    """How an archive is verified."""

    level: Level = Level.BYTES
    keys: Keys | None = None
    checks: Callable[[Archive], Check] | None = None
    """Gives what level 3 asks of an object beyond being one."""
    slice: Slice | None = None


ALL_BYTES = How()


def verify(
    store: ArchiveStore, name: str, how: How = ALL_BYTES, *, advance: Callable[[int], None] = lambda _: None
) -> Verification:
    """Verify an archive up to a level; ``advance`` is called with 1 for each member that is done.

    With a slice the structure of all of it is verified, and the bytes and objects of the members in the slice. An
    encrypted archive without its keys can only be compared as a whole, so it belongs to one slice as a whole.

    Raises what the store raises, and Refused where the archive is too new, or keys are needed and not there;
    damage is a result.
    """
    level, keys, checks, slice_ = how
    tally = _Tally(slice_)
    try:
        size_bytes = store.size(name)
        footer = read_footer(store, name, size_bytes)
        tally.archive_id = footer.archive_id
        if footer.encrypted and keys is None:
            _require_no_keys(name, level)
            if slice_ is not None and not slice_.takes(footer.archive_id, 0):
                level = Level.STRUCTURE
            _sealed(store, name, footer, level, tally, advance)
            return tally.result(name, level)
        archive = open_listed(store, ListedArchive(name, size_bytes, footer), keys)
    except Damaged as error:
        tally.add(_STRUCTURE, name, error.message)
        return tally.result(name, level)
    tally.bytes += archive.size_bytes - archive.footer.manifest_offset
    tally.objects = 0 if level > Level.STRUCTURE else None
    walk = _Walk(store, archive, tally, checks(archive) if checks and level >= Level.OBJECTS else None)
    if level == Level.STRUCTURE:
        members_done = walk.structure()
    elif slice_ is None:
        members_done = walk.content(objects=level >= Level.OBJECTS)
    else:
        members_done = walk.part(slice_, objects=level >= Level.OBJECTS)
    for _ in members_done:
        tally.members += 1
        advance(1)
    return tally.result(name, level)


def _require_no_keys(name: str, level: Level) -> None:
    if level >= Level.OBJECTS:
        raise Refused(
            f"archive {name} is encrypted, and level 3 looks into its objects",
            hint="give a key that opens it with --identity FILE, or verify at level 2, which needs none",
        )


def _sealed(
    store: ArchiveStore, name: str, footer: Footer, level: Level, tally: _Tally, advance: Callable[[int], None]
) -> None:
    """Verify without keys. Raises Damaged at the first thing that is wrong."""
    tally.bytes += tar.occupied(footer.manifest_size) + TAIL_BYTES
    for part in sealed.parts(store, name, footer):
        tally.members += 1
        tally.bytes += tar.occupied(part.size_bytes) - part.size_bytes
        advance(1)
    if level >= Level.BYTES:
        tally.bytes = TAIL_BYTES
        for size_bytes in sealed.whole_digest(store, name, footer):
            tally.bytes += size_bytes


class _Tally:
    """What was found so far, with a bound on what is kept."""

    def __init__(self, slice_: Slice | None) -> None:
        self._slice = slice_
        self.archive_id = ""
        self.members = 0
        self.objects: int | None = None
        self.bytes = 0
        self._count = 0
        self._problems: list[Problem] = []

    def add(self, code: str, where: str, what: str) -> None:
        self._count += 1
        if self._count <= PROBLEMS_KEPT:
            self._problems.append(Problem(code, where, what))

    def result(self, name: str, level: Level) -> Verification:
        return Verification(
            archive=name,
            level=int(level),
            members=self.members,
            objects=self.objects,
            bytes=self.bytes,
            problem_count=self._count,
            problems=tuple(self._problems),
            slice=str(self._slice or ""),
            archive_id=self.archive_id,
        )


class _Walk:
    """One pass over the members of an archive; each generator yields once a member."""

    def __init__(self, store: ArchiveStore, archive: Archive, tally: _Tally, check: Check | None) -> None:
        self._store = store
        self._archive = archive
        self._tally = tally
        self._check = check
        self._time_seconds = archive.footer.time_seconds
        self._manifest_name = manifest_name(encrypted=archive.footer.encrypted)

    def structure(self) -> Iterator[None]:
        """Compare what lies before, between and behind the data of the members, and read nothing else."""
        footer = self._archive.footer
        places = [(m.name, m.offset, m.stored_size) for _, m in self._archive.members()]
        places.append((self._manifest_name, footer.manifest_offset, footer.manifest_size))
        self._compare(0, tar.header(places[0][0], places[0][2], self._time_seconds), places[0][0])
        for (name, offset, size), (next_name, _, next_size) in pairwise(places):
            gap = bytes(tar.padding(size)) + tar.header(next_name, next_size, self._time_seconds)
            self._compare(offset + tar.BLOCK_BYTES + size, gap, f"between {name} and {next_name}")
            yield

    def _compare(self, offset: int, expected: bytes, where: str) -> None:
        self._tally.bytes += len(expected)
        if self._read(where, offset, len(expected)) not in (expected, None):
            self._tally.add(_STRUCTURE, where, "tar header or padding is not the one that the manifest gives")

    def content(self, *, objects: bool) -> Iterator[None]:
        """Compare every byte of the file; look into every object too where that is wanted."""
        footer = self._archive.footer
        digest = hashlib.sha256()
        for collection, member in self._archive.members():
            whole = self._read(member.name, member.offset, tar.occupied(member.stored_size))
            if whole is not None:
                self._tally.bytes += len(whole)
                digest.update(whole)
                self._member(collection, member, whole, objects=objects)
            yield
        end = self._read(self._manifest_name, footer.manifest_offset, tar.occupied(footer.manifest_size))
        digest.update(end or b"")
        if digest.hexdigest() != footer.content_sha256:
            self._tally.add(_CHECKSUM, self._archive.name, "the bytes before the footer do not match their SHA-256")

    def part(self, slice_: Slice, *, objects: bool) -> Iterator[None]:
        """Compare the structure of all, and what the members in a slice hold."""
        deque(self.structure(), maxlen=0)
        for place, (collection, member) in enumerate(self._archive.members()):
            if slice_.takes(self._archive.footer.archive_id, place):
                whole = self._read(member.name, member.offset, tar.occupied(member.stored_size))
                if whole is not None:
                    self._tally.bytes += len(whole)
                    self._member(collection, member, whole, objects=objects)
                yield

    def _read(self, where: str, offset: int, length: int) -> bytes | None:
        try:
            return self._store.get(self._archive.name, offset, length)
        except Damaged as error:
            self._tally.add(_STRUCTURE, where, error.message)
            return None

    def _member(self, collection: Collection, member: Member, whole: bytes, *, objects: bool) -> None:
        code = _STRUCTURE
        try:
            stored = members.stored_part(member, whole, self._time_seconds)
            code = _CHECKSUM
            plain = members.plain_part(member, stored, self._archive.keys)
            code = _STRUCTURE
            lines = members.lines_of(member, plain)
            self._tally.objects = (self._tally.objects or 0) + len(lines)
            members.keys_of(member, (lines[0], lines[-1]), ascending=False)
        except Damaged as error:
            self._tally.add(code, member.name, error.message)
            return
        if objects:
            self._objects(collection, member, lines)

    def _objects(self, collection: Collection, member: Member, lines: Sequence[bytes]) -> None:
        for flaw in flaws(collection.resource, lines, self._check):
            where = f"{collection.folder} {flaw.key}" if flaw.key else f"{member.name} line {flaw.number}"
            self._tally.add(_SCHEMA if flaw.key else _OBJECT, where, flaw.what)
        if collection.sorted and not members.ascends(_keys(lines)):
            self._tally.add(_STRUCTURE, member.name, "keys do not ascend, as the manifest says")


def _keys(lines: Sequence[bytes]) -> list[str]:
    """Return the keys of the lines that have one."""
    keys = []
    for line in lines:
        with suppress(Damaged):
            keys.append(members.key_of(line))
    return keys

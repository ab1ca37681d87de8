"""What a verification leaves beside an archive, and what it does not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.archive.fakes import MemoryStore, Mirror
from tests.backup.samples import a_cluster, back_up
from zenctl.archive.format import Footer
from zenctl.archive.reader import list_archives
from zenctl.archive.verify import How, Level, Slice, verify
from zenctl.backup.notes import Standing, VerifyRecord, read_notes
from zenctl.backup.proof import NotVerified, Proof, note_verification, verify_store
from zenctl.errors import Unreachable

AT = datetime(2026, 11, 24, 3, tzinfo=UTC)


@pytest.fixture
def warned() -> list[str]:
    return []


@pytest.fixture
def proof(warned) -> Proof:
    return Proof(AT, "1.2.3", warned.append)


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    back_up(a_cluster(), made)
    return made


def standing(store: MemoryStore) -> Standing:
    ((name, _, footer),) = list_archives(store)
    assert isinstance(footer, Footer)
    return read_notes(store).standing(name, footer)


def noted(store: MemoryStore, how: How, proof: Proof) -> Standing:
    (name,) = (info.name for info in store.list())
    note_verification(store, verify(store, name, how), proof)
    return standing(store)


@pytest.mark.parametrize("level", [Level.BYTES, Level.OBJECTS])
def test_a_whole_verification_is_noted(store, proof, level):
    assert noted(store, How(level), proof) is Standing.VERIFIED
    (note,) = read_notes(store).verifications.values()
    assert note.verify == VerifyRecord(level=level, at=AT, tool_version="1.2.3", sound=True, problems=0)


@pytest.mark.parametrize("how", [How(Level.STRUCTURE), How(slice=Slice(1, 2))])
def test_what_proves_less_is_not_noted_and_takes_nothing_away(store, proof, how):
    assert noted(store, how, proof) is Standing.UNKNOWN
    assert noted(store, How(), proof) is Standing.VERIFIED
    assert noted(store, how, proof) is Standing.VERIFIED


def damage(store: MemoryStore) -> None:
    (name,) = (info.name for info in store.list())
    data = bytearray(store.blobs[name])
    data[700] ^= 1
    store.blobs[name] = bytes(data)


@pytest.mark.parametrize("how", [How(), How(slice=Slice(1, 1))])
def test_damage_is_noted_by_whatever_finds_it(store, proof, how):
    assert noted(store, How(), proof) is Standing.VERIFIED
    damage(store)
    assert noted(store, how, proof) is Standing.DAMAGED


def test_a_note_that_cannot_be_written_is_warned_of_and_hides_nothing(store, proof, warned, monkeypatch):
    def refuse(name: str, data: bytes) -> None:
        raise Unreachable(f"cannot write {name}: file system is read-only")

    monkeypatch.setattr(store, "replace", refuse)
    assert noted(store, How(), proof) is Standing.UNKNOWN
    assert len(warned) == 1
    assert "could not be noted beside it: cannot write" in warned[0]


def test_a_store_is_verified_and_noted_archive_by_archive(store, proof):
    back_up(a_cluster(), store, seal=Mirror(), archive_id="e0000003-0000-4000-8000-000000000000")
    store.blobs["broken.tar"] = b"x" * 5120
    results = list(verify_store(store, How(Level.OBJECTS), proof, lambda _: None))
    assert [isinstance(result, NotVerified) for result in results] == [False, False, True]
    assert len(read_notes(store).verifications) == 1
    results = list(verify_store(store, How(), proof, lambda _: None))
    assert len(read_notes(store).verifications) == 2, "levels 1 and 2 need no key"
    assert [getattr(result, "sound", None) for result in results] == [False, True, True]

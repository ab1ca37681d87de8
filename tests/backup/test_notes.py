"""The notes beside archives: what they record, whom they are believed about, and what a bad one is taken for."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.archive.fakes import MemoryStore
from tests.backup.shelf import WatchedStore, add, daily, drill, footer_of, prove
from tests.fakes import NOW
from zenctl.backup.notes import (
    NO_NOTES,
    NOTE_BYTES,
    DrillRecord,
    NoteProblem,
    Standing,
    VerificationNote,
    VerifyRecord,
    archive_of,
    orphans,
    pin_name,
    read_notes,
    read_pin,
    read_verification,
    standing_of,
    verified_name,
    write_pin,
)
from zenctl.errors import Unreachable

VERIFY = VerifyRecord(level=2, at=NOW, tool_version="0.1.0", sound=True, problems=0)
DRILL = DrillRecord(at=NOW, equal=True, sampled=False, seconds=1.5)


def about(store: MemoryStore, name: str) -> Standing:
    return read_notes(store).standing(name, footer_of(store, name))


def test_a_record_says_what_was_done_and_to_which_archive():
    store = MemoryStore()
    name = add(store, 1)
    prove(store, name, level=3)
    footer = footer_of(store, name)
    assert json.loads(store.blobs[name + ".verified.json"]) == {
        "archiveId": footer.archive_id,
        "footerSha256": footer.sha256,
        "verify": {
            "level": 3, "at": "2026-11-23T02:00:00Z", "toolVersion": "0.1.0", "sound": True, "problems": 0,
        },
        "drill": None,
    }  # fmt: skip


def test_verification_and_drill_are_recorded_beside_each_other():
    store = MemoryStore()
    name = add(store, 1)
    prove(store, name)
    drill(store, name, at=NOW + timedelta(days=1))
    prove(store, name, level=3, at=NOW + timedelta(days=2))
    note = read_verification(store, name, footer_of(store, name))
    assert note is not None
    assert note.verify is not None
    assert note.drill is not None
    assert (note.verify.level, note.drill.at) == (3, NOW + timedelta(days=1))


def test_what_is_recorded_about_another_archive_of_the_same_name_is_not_believed_and_not_kept():
    store = MemoryStore()
    first, second = daily(store, 2)
    drill(store, first)
    store.blobs[first] = store.blobs[second]
    assert about(store, first) is Standing.UNKNOWN
    assert read_verification(store, first, footer_of(store, first)) is None
    prove(store, first)
    note = read_verification(store, first, footer_of(store, first))
    assert note is not None
    assert note.drill is None


@pytest.mark.parametrize(
    ("verify", "drilled", "standing"),
    [
        (None, None, Standing.UNKNOWN),
        ({"level": 1}, None, Standing.UNKNOWN),
        ({"level": 2}, None, Standing.VERIFIED),
        ({"level": 3}, None, Standing.VERIFIED),
        ({"level": 1, "sound": False}, None, Standing.DAMAGED),
        ({"level": 2, "sound": False}, {"equal": True}, Standing.DAMAGED),
        ({"level": 2}, {"equal": False}, Standing.DIFFERS),
        ({"level": 1}, {"equal": True}, Standing.VERIFIED),
        (None, {"equal": True}, Standing.VERIFIED),
        (None, {"equal": True, "sampled": True}, Standing.UNKNOWN),
        (None, {"equal": False, "sampled": True}, Standing.DIFFERS),
        ({"level": 3}, {"equal": True, "sampled": True}, Standing.VERIFIED),
    ],
    ids=str,
)
def test_what_a_record_proves(verify, drilled, standing):
    store = MemoryStore()
    name = add(store, 1)
    if verify:
        prove(store, name, **verify)
    if drilled:
        drill(store, name, **drilled)
    assert about(store, name) is standing


def test_no_record_is_no_verification():
    assert standing_of(None) is standing_of(VerificationNote("a", "b")) is Standing.UNKNOWN


MALFORMED = [
    b"", b"{", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b"1" * 5_000,
    json.dumps({"archiveId": "a", "footerSha256": 7, "reason": 1, "pinnedAt": "x"}).encode(),
    json.dumps({"archiveId": "a", "footerSha256": "b", "reason": "r", "pinnedAt": "2026-11-23T02:00:00"}).encode(),
    json.dumps({"archiveId": "a", "footerSha256": "b", "verify": {"level": 9}}).encode(),
    b" " * (NOTE_BYTES + 1),
]  # fmt: skip


@pytest.mark.parametrize("content", MALFORMED, ids=lambda content: repr(content[:20]))
def test_a_malformed_record_counts_as_none_and_is_said(content):
    store = MemoryStore()
    name = add(store, 1)
    store.blobs[verified_name(name)] = content
    notes = read_notes(store)
    if content != MALFORMED[9]:  # which is a pin without a zone, and so a record that records nothing
        assert [problem.name for problem in notes.problems] == [verified_name(name)]
    assert notes.standing(name, footer_of(store, name)) is Standing.UNKNOWN
    prove(store, name)
    assert about(store, name) is Standing.VERIFIED


@pytest.mark.parametrize("content", MALFORMED, ids=lambda content: repr(content[:20]))
def test_a_malformed_pin_pins_all_the_same_and_is_said(content):
    store = MemoryStore()
    name = add(store, 1)
    store.blobs[pin_name(name)] = content
    notes = read_notes(store)
    assert (notes.pins, len(notes.problems)) == ({name: None}, 1)
    assert isinstance(read_pin(store, name), NoteProblem)


def test_a_pin_says_why_and_since_when():
    store = MemoryStore()
    name = add(store, 1)
    made = write_pin(store, name, footer_of(store, name), reason="before the migration", at=NOW)
    assert read_pin(store, name) == made
    assert read_notes(store).pins == {name: made}
    assert json.loads(store.blobs[name + ".pin.json"])["reason"] == "before the migration"
    assert read_pin(store, "other.tar") is None


def test_keys_that_a_newer_version_adds_do_no_harm():
    store = MemoryStore()
    name = add(store, 1)
    prove(store, name)
    data = json.loads(store.blobs[verified_name(name)])
    store.blobs[verified_name(name)] = json.dumps({**data, "signature": "x"}).encode()
    assert about(store, name) is Standing.VERIFIED


def test_only_names_of_notes_are_read():
    store = MemoryStore()
    store.blobs |= {"list.json": b"{", "x.tar.other.json": b"{", "x.pin.json": b"{", "a.tar.pin.json.bak": b"{"}
    assert read_notes(store) == NO_NOTES
    assert store.reads == []
    assert [archive_of(name) for name in ("a.tar.pin.json", "a.tar.verified.json", "a.tar", "pin.json")] == [
        "a.tar", "a.tar", None, None,
    ]  # fmt: skip


def test_every_note_is_found_with_one_listing():
    store = MemoryStore()
    for name in daily(store, 5):
        prove(store, name)
    watched = WatchedStore(store, lambda what, name: None)
    assert len(read_notes(watched).verifications) == 5
    assert [what for what, _ in watched.calls].count("list") == 1


def test_a_note_that_is_replaced_while_it_is_read_is_read_again():
    store = MemoryStore()
    name = add(store, 1)
    write_pin(store, name, footer_of(store, name), reason="a reason of some length", at=NOW)

    def shorten(what: str, which: str) -> None:
        if what == "get" and which == pin_name(name) and len(watched.calls) < 4:
            write_pin(store, name, footer_of(store, name), reason="", at=NOW)

    watched = WatchedStore(store, shorten)
    pin = read_notes(watched).pins[name]
    assert pin is not None
    assert pin.reason == ""


def test_a_note_that_goes_while_it_is_read_is_none():
    store = MemoryStore()
    name = add(store, 1)
    store.blobs[pin_name(name)] = b"{"

    def remove(what: str, which: str) -> None:
        if what == "list" and which == pin_name(name):
            store.blobs.pop(which)

    assert read_notes(WatchedStore(store, remove)) == NO_NOTES


def test_a_store_that_fails_leaves_nobody_believing_that_there_is_no_pin():
    store = MemoryStore()
    store.blobs[pin_name(add(store, 1))] = b"{}"

    def fail(what: str, which: str) -> None:
        if what == "get":
            raise Unreachable("down")

    with pytest.raises(Unreachable):
        read_notes(WatchedStore(store, fail))


def test_notes_outlive_their_archive_for_a_while():
    store = MemoryStore()
    gone, there = daily(store, 2)
    for name in (gone, there):
        prove(store, name)
        write_pin(store, name, footer_of(store, name), reason="", at=NOW + timedelta(hours=2))
    store.blobs["lost.tar.pin.json"] = b"{"
    store.delete(gone)
    notes = read_notes(store)
    assert orphans(notes, [there], NOW) == ()
    assert orphans(notes, [there], NOW + timedelta(hours=1)) == (verified_name(gone),)
    assert orphans(notes, [there], NOW + timedelta(hours=3)) == (pin_name(gone), verified_name(gone))

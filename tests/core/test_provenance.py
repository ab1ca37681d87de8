"""Where a restored object came from first, through any number of restores."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zenctl.core.provenance import (
    ORIGINAL_CREATION,
    ORIGINAL_UID,
    PREFIX,
    original_creation,
    original_uid,
    provenance,
)

BORN = "2026-11-01T00:00:00Z"


def test_the_first_restore_notes_uid_and_creation():
    assert provenance("u", BORN, {}) == {ORIGINAL_UID: "u", ORIGINAL_CREATION: BORN}
    assert ORIGINAL_UID.startswith(PREFIX)
    assert ORIGINAL_CREATION.startswith(PREFIX)


def test_what_is_not_known_is_not_noted():
    assert provenance("", "", {}) == {}
    assert provenance("u", "", {}) == {ORIGINAL_UID: "u"}


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=5))
def test_the_first_of_any_number_of_restores_stays(lives):
    noted: dict[str, str] = {}
    for uid, created in lives:
        noted = {**noted, **provenance(uid, created, noted)}
    assert noted == {ORIGINAL_UID: lives[0][0], ORIGINAL_CREATION: lives[0][1]}


def test_an_object_that_was_never_restored_speaks_for_itself():
    for noted in (None, {}, {ORIGINAL_CREATION: "", ORIGINAL_UID: ""}):
        assert original_creation(noted, BORN) == BORN
        assert original_uid(noted, "u") == "u"


def test_a_restored_one_is_read_by_its_note():
    noted = {ORIGINAL_UID: "first", ORIGINAL_CREATION: BORN}
    assert (original_creation(noted, "later"), original_uid(noted, "second")) == (BORN, "first")

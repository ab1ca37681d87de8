"""What every store of blobs must do, as checks that run on each of them. No test belongs in here.

A check gets a place with an empty store; it asserts nothing about how a store does it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.archive.fakes import HEADING, OBSERVATION, objects
from zenctl.archive.reader import list_archives, open_archive
from zenctl.archive.verify import How, Level, verify
from zenctl.archive.writer import ArchiveWriter
from zenctl.core.listing import Consistency
from zenctl.errors import Damaged, Refused
from zenctl.ports import BlobInfo, BlobStore

ODD_NAMES = (
    "ä b.tar",
    "a#b?.tar",
    "a%20c.tar",
    "a+b.tar",
    "a~*'!()[]{}.tar",
    "a&b=c;d:e,f@g$.tar",
    "x" * 196 + ".tar",
)
UNUSABLE = ("", ".", "..", ".hidden.tar", "a/b.tar", "/etc/passwd", "a\0.tar", "a\nb", "x" * 201, "\ud800")


class Place(NamedTuple):
    """An empty store, and how much it takes until it sends a part of a blob."""

    store: BlobStore
    part_bytes: int = 1 << 20
    rewinds: bool = True

    def put(self, name: str, *pieces: bytes) -> None:
        """Write a blob."""
        sink = self.store.put(name)
        for piece in pieces:
            sink.write(piece)
        sink.commit()

    def large(self) -> list[bytes]:
        """Return pieces that make several parts, with a rest, and differ."""
        return [bytes([number]) * (self.part_bytes // 3) for number in range(8)]


def a_blob_is_there_whole_after_commit_and_not_before(place: Place) -> None:
    sink = place.store.put("a.tar")
    for piece in (b"12", b"", b"345"):
        sink.write(piece)
    assert place.store.list() in ((), [])
    with pytest.raises(Refused, match="does not exist"):
        place.store.size("a.tar")
    sink.commit()
    assert list(place.store.list()) == [BlobInfo("a.tar", 5)]
    assert place.store.size("a.tar") == 5
    assert place.store.get("a.tar", 0, 5) == b"12345"


def a_large_blob_is_there_whole_after_commit_and_not_before(place: Place) -> None:
    sink, pieces = place.store.put("a.tar"), place.large()
    for piece in pieces:
        sink.write(piece)
        assert list(place.store.list()) == []
    sink.commit()
    whole = b"".join(pieces)
    assert list(place.store.list()) == [BlobInfo("a.tar", len(whole))]
    assert place.store.get("a.tar", 0, len(whole)) == whole


def a_piece_may_be_larger_than_any_part(place: Place) -> None:
    piece = b"".join(place.large())
    place.put("a.tar", b"x", piece, piece)
    assert place.store.size("a.tar") == 1 + 2 * len(piece)
    assert place.store.get("a.tar", len(piece) - 5, 10) == piece[-6:] + piece[:4]


def an_empty_blob_is_one(place: Place) -> None:
    place.put("a.tar")
    assert list(place.store.list()) == [BlobInfo("a.tar", 0)]
    assert place.store.get("a.tar", 0, 0) == b""


def what_is_aborted_leaves_nothing(place: Place) -> None:
    for pieces in ([b"123"], place.large()):
        sink = place.store.put("a.tar")
        for piece in pieces:
            sink.write(piece)
        sink.abort()
        sink.abort()
        assert list(place.store.list()) == []
        with pytest.raises(ValueError, match="committed or aborted"):
            sink.write(b"x")
    place.put("a.tar", b"again")


def abort_after_commit_keeps_the_blob(place: Place) -> None:
    sink = place.store.put("a.tar")
    sink.write(b"123")
    sink.commit()
    sink.abort()
    assert place.store.get("a.tar", 0, 3) == b"123"


def a_name_that_exists_is_refused_at_once(place: Place) -> None:
    place.put("a.tar", b"old")
    with pytest.raises(Refused, match=r"a\.tar exists already") as caught:
        place.store.put("a.tar")
    assert "nothing was overwritten" in str(caught.value.hint)
    assert place.store.get("a.tar", 0, 3) == b"old"


def of_two_writers_one_wins(place: Place) -> None:
    for name, pieces in (("small.tar", [b"one"]), ("large.tar", place.large())):
        first, second = place.store.put(name), place.store.put(name)
        for piece in pieces:
            first.write(piece)
            second.write(piece[::-1])
        second.commit()
        with pytest.raises(Refused, match="exists already"):
            first.commit()
        assert place.store.get(name, 0, 3) == pieces[0][::-1][:3]
        assert place.store.size(name) == sum(map(len, pieces))


def what_is_held_can_be_rewound(place: Place) -> None:
    sink = place.store.put("a.tar")
    sink.write(b"12345")
    assert sink.rewind(2)
    sink.write(b"xy")
    assert sink.rewind(4)
    sink.commit()
    assert place.store.get("a.tar", 0, 4) == b"12xy"
    assert place.store.size("a.tar") == 4


def a_rewind_happens_or_is_denied(place: Place) -> None:
    sink, pieces = place.store.put("a.tar"), place.large()
    for piece in pieces:
        sink.write(piece)
    size_bytes = sum(map(len, pieces))
    assert sink.rewind(size_bytes)
    if sink.rewind(3):
        size_bytes = 3
    else:
        assert not place.rewinds
    sink.commit()
    assert place.store.size("a.tar") == size_bytes
    assert place.store.get("a.tar", 0, 3) == pieces[0][:3]


def a_range_is_exact_or_damage(place: Place) -> None:
    place.put("a.tar", b"0123456789")
    for offset, length in ((0, 10), (3, 4), (9, 1), (0, 0), (10, 0), (4, 0)):
        assert place.store.get("a.tar", offset, length) == b"0123456789"[offset : offset + length]
    for offset, length in ((0, 11), (9, 2), (10, 1), (50, 1), (11, 0), (-1, 1), (-1, 0), (0, -1)):
        with pytest.raises(Damaged, match="ends at byte 10, but"):
            place.store.get("a.tar", offset, length)


def what_is_not_there_is_said(place: Place) -> None:
    for action in (
        place.store.size,
        lambda name: place.store.get(name, 0, 1),
        lambda name: place.store.get(name, 0, 0),
    ):
        with pytest.raises(Refused, match=r"none\.tar does not exist"):
            action("none.tar")


def names_that_are_none_are_refused(place: Place) -> None:
    for name in UNUSABLE:
        actions: list[Callable[[str], object]] = [
            place.store.put,
            place.store.size,
            place.store.delete,
            lambda it: place.store.get(it, 0, 0),
            lambda it: place.store.replace(it, b""),
        ]
        for action in actions:
            with pytest.raises(Refused, match="cannot name a blob") as caught:
                action(name)
            assert caught.value.message.isprintable()


def every_other_name_is_kept_as_it_is(place: Place) -> None:
    for name in ODD_NAMES:
        place.put(name, name.encode())
    assert [info.name for info in place.store.list()] == sorted(ODD_NAMES)
    for name in ODD_NAMES:
        assert place.store.get(name, 0, len(name.encode())).decode() == name
        place.store.delete(name)
    assert list(place.store.list()) == []


def a_listing_is_ordered_and_chosen_by_both_ends(place: Place) -> None:
    for name in ("b.tar", "a.tar", "notes.txt", "a.verified.json"):
        place.put(name, name.encode())
    assert list(place.store.list()) == [BlobInfo("a.tar", 5), BlobInfo("b.tar", 5)]
    assert list(place.store.list("b")) == [BlobInfo("b.tar", 5)]
    assert [info.name for info in place.store.list("a", ".json")] == ["a.verified.json"]
    assert len(place.store.list(suffix="")) == 4


def delete_removes_and_forgives(place: Place) -> None:
    place.put("a.tar", b"1")
    place.put("b.tar", b"1")
    place.store.delete("a.tar")
    place.store.delete("a.tar")
    assert [info.name for info in place.store.list()] == ["b.tar"]


def a_note_is_replaced_whole(place: Place) -> None:
    place.store.replace("a.tar.verified.json", b"old")
    place.store.replace("a.tar.verified.json", b"newer")
    assert place.store.get("a.tar.verified.json", 0, 5) == b"newer"
    assert place.store.size("a.tar.verified.json") == 5
    assert list(place.store.list()) == []


def an_archive_is_written_listed_verified_and_searched(place: Place) -> None:
    with ArchiveWriter(place.store.put("zen.tar"), HEADING) as writer:
        writer.begin(OBSERVATION)
        writer.add(objects(2_500, message="x" * 50))
        writer.end(consistency=Consistency.SNAPSHOT, resource_versions=["1"])
        writer.finish(complete=True)
    (listed,) = list_archives(place.store)
    assert not isinstance(listed.footer, Damaged | Refused)
    assert listed.footer.objects == 2_500
    assert verify(place.store, "zen.tar", How(Level.OBJECTS)).sound
    archive = open_archive(place.store, "zen.tar")
    (collection,) = archive.manifest.collections
    assert archive.find(collection, "default/obs-001234") is not None


CHECKS: tuple[Callable[[Place], None], ...] = (
    a_blob_is_there_whole_after_commit_and_not_before,
    a_large_blob_is_there_whole_after_commit_and_not_before,
    a_piece_may_be_larger_than_any_part,
    an_empty_blob_is_one,
    what_is_aborted_leaves_nothing,
    abort_after_commit_keeps_the_blob,
    a_name_that_exists_is_refused_at_once,
    of_two_writers_one_wins,
    what_is_held_can_be_rewound,
    a_rewind_happens_or_is_denied,
    a_range_is_exact_or_damage,
    what_is_not_there_is_said,
    names_that_are_none_are_refused,
    every_other_name_is_kept_as_it_is,
    a_listing_is_ordered_and_chosen_by_both_ends,
    delete_removes_and_forgives,
    a_note_is_replaced_whole,
    an_archive_is_written_listed_verified_and_searched,
)


def named(check: Callable[[Place], None]) -> str:
    """Return a check's name for the test's id."""
    return check.__name__

"""A store that fails, throttles, cuts connections and lies: what was there stays, and nothing half is ever listed.

The S3 server behind the gateway is a real one; whatever the gateway does, the server's own state is looked at
past it.
"""

from __future__ import annotations

import threading

import pytest

from tests.archive.fakes import HEADING, OBSERVATION, objects
from tests.blob.gateway import Asked, Do, Gateway, refusal
from tests.blob.servers import SECRET, Server
from tests.blob.stores import open_store
from zenctl.archive.verify import How, Level, verify
from zenctl.archive.writer import ArchiveWriter
from zenctl.blob.object import PART_BYTES, ObjectStore
from zenctl.core.listing import Consistency
from zenctl.errors import Denied, Refused, Unreachable, ZenctlError

SLOW_DOWN, BROKEN = refusal(503, "SlowDown"), refusal(500, "InternalError")
LARGE = [bytes([number]) * (PART_BYTES // 2) for number in range(6)]
"""Pieces that make three parts."""


class Scene:
    """A bucket with a good archive in it, a store through the gateway, and one past it."""

    def __init__(self, server: Server, gateway: Gateway) -> None:
        self.server, self.gateway = server, gateway
        self.bucket = server.new_bucket()
        self.store = open_store(server.at(self.bucket, "p", gateway.url), server.environ)
        self.truth = open_store(server.at(self.bucket, "p"), server.environ)
        with ArchiveWriter(self.truth.put("old.tar"), HEADING) as writer:
            writer.begin(OBSERVATION)
            writer.add(objects(20))
            writer.end(consistency=Consistency.SNAPSHOT, resource_versions=["1"])
            writer.finish(complete=True)

    def put(self, *pieces: bytes, name: str = "new.tar", store: ObjectStore | None = None) -> None:
        sink = (store or self.store).put(name)
        try:
            for piece in pieces:
                sink.write(piece)
            sink.commit()
        except BaseException:
            sink.abort()
            raise

    def names(self) -> list[str]:
        return [info.name for info in self.truth.list(suffix="")]

    def check(self, *names: str) -> None:
        """See that these are all there is, that the old archive is sound, and that nothing is left unfinished."""
        self.gateway.heal()
        assert self.names() == sorted(names)
        assert verify(self.truth, "old.tar", How(Level.OBJECTS)).sound
        assert self.server.unfinished(self.bucket) == []


@pytest.fixture
def scene(s3: Server, gateway: Gateway) -> Scene:
    return Scene(s3, gateway)


SMALL = [b"small"]
PUTS = [("put", SMALL), ("begin", LARGE), ("part", LARGE), ("complete", LARGE)]


@pytest.mark.parametrize(("what", "pieces"), PUTS)
@pytest.mark.parametrize("do", [SLOW_DOWN, BROKEN], ids=["503", "500"])
def test_a_store_that_recovers_is_waited_for(scene, what, pieces, do):
    scene.gateway.fail(what, do, times=2)
    scene.put(*pieces)
    assert scene.truth.size("new.tar") == sum(map(len, pieces))
    scene.check("new.tar", "old.tar")


@pytest.mark.parametrize(("what", "pieces"), PUTS)
@pytest.mark.parametrize(
    ("do", "words"), [(SLOW_DOWN, "throttles its clients"), (BROKEN, "the store failed")], ids=["503", "500"]
)
def test_a_store_that_does_not_is_told_of_and_left_as_it_was(scene, what, pieces, do, words):
    scene.gateway.fail(what, do)
    with pytest.raises(Unreachable, match=words) as caught:
        scene.put(*pieces)
    assert f"cannot write s3://{scene.bucket}/p/new.tar" in caught.value.message
    assert "4 times" in caught.value.message
    assert caught.value.hint
    assert 4 <= scene.gateway.count(what) <= 8  # two parts may be on their way at once
    scene.check("old.tar")
    scene.put(*pieces)
    scene.check("new.tar", "old.tar")


@pytest.mark.parametrize(("what", "pieces"), PUTS)
def test_an_identity_that_may_not_write_leaves_nothing(scene, what, pieces):
    scene.gateway.fail(what, refusal(403, "AccessDenied"))
    with pytest.raises(Denied, match=r"access denied \(403 AccessDenied\)"):
        scene.put(*pieces)
    scene.check("old.tar")


@pytest.mark.parametrize("what", ["part", "complete"])
@pytest.mark.parametrize("cut", ["before", "unanswered", "within"])
def test_a_connection_that_breaks_in_a_large_upload(scene, what, cut):
    scene.gateway.fail(what, Do(cut=cut), times=1)
    scene.put(*LARGE)
    assert scene.truth.get("new.tar", 0, 3 * PART_BYTES) == b"".join(LARGE)
    scene.check("new.tar", "old.tar")


@pytest.mark.parametrize("cut", ["before", "unanswered", "within"])
def test_a_connection_that_breaks_in_a_small_upload(scene, cut):
    scene.gateway.fail("put", Do(cut=cut), times=1)
    scene.put(b"12345")
    assert scene.truth.get("new.tar", 0, 5) == b"12345"
    scene.check("new.tar", "old.tar")


def test_a_connection_that_breaks_every_time(scene):
    for what, pieces in (("put", SMALL), ("part", LARGE)):
        scene.gateway.fail(what, Do(cut="before"))
        with pytest.raises(Unreachable, match=r"cannot write .*new\.tar: the connection broke"):
            scene.put(*pieces)
        scene.check("old.tar")


def test_a_completion_whose_answer_was_lost_counts(scene):
    asked_before = 0

    def hook(asked: Asked) -> Do | None:
        nonlocal asked_before
        if asked.what != "complete":
            return None
        asked_before += 1
        return Do(cut="unanswered") if asked_before == 1 else refusal(404, "NoSuchUpload")

    scene.gateway.hook = hook
    scene.put(*LARGE)
    scene.check("new.tar", "old.tar")


def test_a_completion_that_fails_under_a_200_does_not(scene):
    scene.gateway.fail("complete", refusal(200, "InternalError"))
    with pytest.raises(ZenctlError, match="cannot write"):
        scene.put(*LARGE)
    scene.check("old.tar")


def test_an_upload_is_aborted_after_the_connection_broke_at_its_completion_every_time(scene):
    scene.gateway.fail("complete", Do(cut="before"))
    with pytest.raises(Unreachable, match="cannot write"):
        scene.put(*LARGE)
    scene.check("old.tar")


def test_what_is_dropped_in_the_middle_is_aborted_at_the_store(scene):
    sink = scene.store.put("new.tar")
    for piece in LARGE:
        sink.write(piece)
    sink.abort()
    assert scene.gateway.count("abort") == 1
    scene.check("old.tar")


def test_an_abort_outlasts_a_store_that_throttles(scene):
    scene.gateway.fail("abort", SLOW_DOWN, times=2)
    sink = scene.store.put("new.tar")
    for piece in LARGE:
        sink.write(piece)
    sink.abort()
    assert scene.gateway.count("abort") == 3
    scene.check("old.tar")


def test_parts_are_sent_while_others_are_made(scene):
    arrived = threading.Event()

    def hook(asked: Asked) -> None:
        if asked.what == "part":
            arrived.set()

    scene.gateway.hook = hook
    sink = scene.store.put("new.tar")
    for piece in LARGE[:3]:
        sink.write(piece)
    assert arrived.wait(10)
    sink.abort()
    scene.check("old.tar")


@pytest.mark.parametrize("pieces", [SMALL, LARGE], ids=["small", "large"])
def test_a_name_that_is_taken_behind_a_lie_is_not_overwritten(scene, pieces):
    scene.put(*LARGE, name="new.tar", store=scene.truth)
    lies = ("get", "head") if pieces is SMALL else ("get",)
    scene.gateway.hook = lambda asked: refusal(404, "NoSuchKey") if asked.what in lies else None
    sink = scene.store.put("new.tar")
    for piece in pieces:
        sink.write(piece)
    if pieces is LARGE:  # nothing but a look can prevent it there; the lie ends in time
        scene.gateway.heal()
    with pytest.raises(ZenctlError, match=r"exists already|refuses the request \(412"):
        sink.commit()
    sink.abort()
    assert scene.truth.size("new.tar") == 3 * PART_BYTES
    scene.check("new.tar", "old.tar")


def test_a_store_that_does_not_show_what_it_accepted_is_told_of(scene):
    scene.gateway.hook = lambda asked: refusal(404, "NoSuchKey") if asked.what in ("get", "head") else None
    with pytest.raises(Unreachable, match=r"accepted s3://.*/p/new\.tar, but does not show it"):
        scene.put(b"12345")
    scene.check("new.tar", "old.tar")


def test_a_store_that_shows_it_late_is_waited_for(scene):
    scene.gateway.fail("head", refusal(404, "NoSuchKey"), times=2)
    scene.put(b"12345")
    scene.check("new.tar", "old.tar")


def test_a_listing_without_the_new_one_says_nothing_wrong_of_the_others(scene):
    before = scene.server.ask("GET", f"/{scene.bucket}?list-type=2&prefix=p%2F&delimiter=%2F")
    scene.put(b"12345")
    scene.gateway.fail("list", Do(200, before, {"Content-Type": "application/xml"}))
    assert [info.name for info in scene.store.list()] == ["old.tar"]
    scene.check("new.tar", "old.tar")


def test_a_store_without_conditions_is_looked_at_instead(scene):
    def hook(asked: Asked) -> Do | None:
        conditional = any(name.lower() == "if-none-match" for name in asked.headers)
        return refusal(501, "NotImplemented") if asked.what == "put" and conditional else None

    scene.gateway.hook = hook
    scene.put(b"12345")
    with pytest.raises(Refused, match="exists already"):
        scene.put(b"67890")
    assert scene.truth.get("new.tar", 0, 5) == b"12345"
    scene.check("new.tar", "old.tar")


def test_a_conflict_of_conditions_is_tried_again(scene):
    scene.gateway.fail("put", refusal(409, "ConditionalRequestConflict"), times=1)
    scene.put(b"12345")
    assert scene.gateway.count("put") == 2
    scene.check("new.tar", "old.tar")


def test_an_identity_that_may_only_write_can_back_up(scene):
    scene.gateway.hook = lambda asked: refusal(403, "AccessDenied") if asked.what in ("get", "head", "list") else None
    scene.put(b"12345", name="small.tar")
    scene.put(*LARGE, name="large.tar")
    scene.check("large.tar", "old.tar", "small.tar")


@pytest.mark.parametrize(
    ("what", "action"),
    [
        ("get", lambda store: store.get("old.tar", 0, 1000)),
        ("head", lambda store: store.size("old.tar")),
        ("list", lambda store: store.list()),
        ("delete", lambda store: store.delete("none.tar")),
        ("put", lambda store: store.replace("note.json", b"1")),
    ],
    ids=["get", "head", "list", "delete", "replace"],
)
class TestEveryRequest:
    """What one request does with each kind of failure."""

    @pytest.mark.parametrize("do", [SLOW_DOWN, BROKEN, refusal(429, "TooManyRequests")], ids=["503", "500", "429"])
    def test_is_repeated_after_an_error(self, scene, what, action, do):
        scene.gateway.fail(what, do, times=2)
        action(scene.store)
        assert scene.gateway.count(what) == 3

    @pytest.mark.parametrize("cut", ["before", "unanswered", "within"])
    def test_is_repeated_after_a_broken_connection(self, scene, what, action, cut):
        scene.gateway.fail(what, Do(cut=cut), times=2)
        action(scene.store)

    @pytest.mark.parametrize(
        ("do", "kind", "words"),
        [
            (refusal(403, "AccessDenied"), Denied, "access denied"),
            (refusal(403, "InvalidAccessKeyId"), Denied, "does not know this access key"),
            (refusal(403, "SignatureDoesNotMatch"), Denied, "the signature does not match"),
            (refusal(403, "RequestTimeTooSkewed"), Denied, "the clock of this machine"),
            (refusal(400, "ExpiredToken"), Denied, "the session token has expired"),
            (refusal(404, "NoSuchBucket"), Refused, "there is no bucket"),
            (refusal(301, "PermanentRedirect"), Refused, "in another region"),
            (refusal(503, "SlowDown"), Unreachable, "throttles"),
            (refusal(500, "InternalError"), Unreachable, "the store failed"),
            (refusal(507, "XMinioStorageFull"), Unreachable, "is full"),
        ],
        ids=lambda value: "" if not isinstance(value, str) else value.replace(" ", "-"),
    )
    def test_tells_of_an_error_in_one_line(self, scene, what, action, do, kind, words):
        # HEAD has no body, so the store is asked once more in a way that has.
        scene.gateway.hook = lambda asked: do if asked.what in (what, "get" if what == "head" else what) else None
        with pytest.raises(kind, match=words) as caught:
            action(scene.store)
        told = f"{caught.value.message} {caught.value.hint}"
        assert told.isprintable()
        assert f"s3://{scene.bucket}/p" in told or "no bucket" in told
        assert not {"secret-text", SECRET, "http://"} & set(told.replace(",", " ").split())
        assert caught.value.hint

    def test_tells_of_a_server_that_does_not_answer(self, s3, scene, what, action):
        release = threading.Event()
        slow = open_store(s3.at(scene.bucket, "p", scene.gateway.url), s3.environ, timeout_seconds=0.2)
        scene.gateway.fail(what, Do(wait=release))
        try:
            with pytest.raises(Unreachable, match="no answer in time") as caught:
                action(slow)
            assert "--request-timeout" in str(caught.value.hint)
        finally:
            release.set()


def test_a_page_that_is_no_listing_is_not_taken_for_an_empty_store(scene):
    scene.gateway.fail("any", Do(200, b"<html>please log in</html>", {"Content-Type": "text/html"}))
    with pytest.raises(Unreachable, match="what answers is no object store"):
        scene.store.list()
    with pytest.raises(ZenctlError):
        scene.put(b"12345")
    with pytest.raises(ZenctlError):
        scene.store.replace("a.json", b"1")
    scene.check("old.tar")


def test_an_empty_store_costs_one_look_more(s3, gateway):
    store = open_store(s3.at(s3.new_bucket(), "p", gateway.url), s3.environ)
    assert store.list() == ()
    assert [asked.what for asked in gateway.asked] == ["list", "get"]


def test_a_bucket_that_is_not_there_is_refused_before_anything_is_sent(s3, gateway):
    store = open_store(s3.at("nowhere", "p", gateway.url), s3.environ)
    for action in (
        lambda: store.put("a.tar"),
        store.list,
        lambda: store.size("a.tar"),
        lambda: store.get("a.tar", 0, 1),
    ):
        with pytest.raises(Refused, match="there is no bucket nowhere") as caught:
            action()
        assert "zenctl makes no buckets" in str(caught.value.hint)
    assert gateway.count("put") == 0


def test_a_listing_goes_on_behind_its_first_page(scene):
    for number in range(1_005):
        scene.server.ask("PUT", f"/{scene.bucket}/p/n-{number:04d}.tar")
    scene.server.ask("PUT", f"/{scene.bucket}/p/folder/below.tar")
    scene.server.ask("PUT", f"/{scene.bucket}/other/beside.tar")
    names = [info.name for info in scene.store.list()]
    assert len(names) == 1_006
    assert names == sorted(names)
    assert scene.gateway.count("list") == 2


def test_more_parts_than_a_store_takes_are_refused(scene, monkeypatch):
    monkeypatch.setattr("zenctl.blob.object.PART_COUNTS", {"s3": 2})
    with pytest.raises(Refused, match="is larger than 16,777,216 bytes"):
        scene.put(*LARGE)
    scene.check("old.tar")

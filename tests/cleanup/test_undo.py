"""What goes is archived first: the spool, the archive, the audit log, the list of runs and how long they are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import golden
from tests.archive.fakes import MemoryStore
from tests.cleanup.samples import (
    OLD,
    POLICY,
    MemoryScratch,
    Notes,
    Planned,
    carried_out,
    cluster_of,
    keys_of,
    observation,
    planned,
    ports_of,
    raw,
    request_to,
)
from tests.fakes import NOW, FakeCluster, FixedClock, SilentProgress
from zenctl.archive.age import Seal
from zenctl.archive.format import UNDO
from zenctl.archive.reader import list_archives, open_archive
from zenctl.archive.verify import verify
from zenctl.backup.notes import read_notes
from zenctl.backup.prune import PrunePorts
from zenctl.cleanup.audit import PLANNED, Audit, Line, Run, line_of
from zenctl.cleanup.run import Answer, Question, archive, candidates, delete, may_delete, read_and_plan
from zenctl.cleanup.runs import expire, find_run, note_outcome, runs_report
from zenctl.cleanup.spool import CHUNK_BYTES, Spool
from zenctl.core.observation import GROUP
from zenctl.core.report import document
from zenctl.errors import ApiFailure, Conflict, Damaged, Denied, Refused, Unreachable, UsageError
from zenctl.ports import ALL
from zenctl.product.crd import OBSERVATIONS
from zenctl.render import View, render


def old(count: int, **more: Any) -> list[dict[str, Any]]:
    return [observation(f"old-{number:03d}", timestamp=OLD, **more) for number in range(count)]


class Lines(list[bytes]):
    def write(self, line: bytes) -> None:
        self.append(line)


# -- the spool -------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 5), max_size=6), st.integers(0, 3))
def test_what_is_spooled_comes_back_as_often_as_is_asked(counts, restarted):
    spool = Spool(MemoryScratch())
    for number, count in enumerate(counts):
        spool.begin(OBSERVATIONS)
        if number == restarted:
            spool.add(raw(observation("void")).body)
            spool.restart()
        for n in range(count):
            spool.add(raw(observation(f"{number}-{n}")).body)
    spool.end()
    for _ in range(2):
        found = [[item.key.name for chunk in spool.chunks(s) for item in chunk] for s in spool.resources]
        assert found == [[f"{number}-{n}" for n in range(count)] for number, count in enumerate(counts)]


def test_the_spool_is_flat_in_memory():
    scratch = MemoryScratch()
    spool = Spool(scratch)
    spool.begin(OBSERVATIONS)
    body = msgspec.json.encode(observation("a", message="x" * 100_000))
    for _ in range(100):
        spool.add(body)
        assert sum(map(len, spool._lines)) < CHUNK_BYTES + len(body)
    assert len(scratch.data) > 0


def test_a_restart_gives_the_room_of_what_is_void_back():
    scratch = MemoryScratch()
    spool = Spool(scratch)
    for restarts in (0, 1):
        spool.begin(OBSERVATIONS)
        for _ in range(restarts + 1):
            for number in range(30):
                spool.add(msgspec.json.encode(observation(f"{number}", message="x" * 100_000)))
            spool.end()
            kept = len(scratch.data)
            if restarts:
                spool.restart()
                assert len(scratch.data) == spool.resources[-1].begin < kept


def test_a_restarted_listing_leaves_nothing_of_the_first_in_the_archive():
    cluster, store = cluster_of(*old(5)), MemoryStore()
    gone = cluster.keys(OBSERVATIONS)[0]
    calls = 0

    def expire_second_page(call: Any) -> None:
        nonlocal calls
        calls += call.verb == "list"
        if calls == 2:
            calls += 1
            cluster.remove(OBSERVATIONS, gone)
            from zenctl.errors import Expired

            raise Expired("too old", status=410)

    cluster.hooks.append(expire_second_page)
    found = planned(cluster)
    outcome = carried_out(cluster, found, store)
    assert gone not in keys_of(found)
    assert outcome.undo is not None
    archived = open_archive(store, outcome.undo.name)
    assert (archived.footer.objects, archived.manifest.collections[0].consistency) == (4, "restarted")


# -- the archive -------------------------------------------------------------------------------------------------


def test_everything_is_in_the_archive_before_the_first_delete():
    cluster, store = cluster_of(*old(5)), MemoryStore()
    before = {str(key): cluster.stored(OBSERVATIONS, key) for key in cluster.keys(OBSERVATIONS)}
    seen: list[int] = []

    def look(call: Any) -> None:
        if call.verb == "delete":
            (listed,) = list_archives(store)
            seen.append(listed.footer.objects)  # type: ignore[union-attr]

    cluster.hooks.append(look)
    outcome = carried_out(cluster, planned(cluster), store)
    assert seen == [5] * 5
    assert outcome.undo is not None
    opened = open_archive(store, outcome.undo.name)
    assert (opened.footer.set_name, opened.footer.complete, opened.footer.cluster_name) == (UNDO, True, "prod")
    kept = {key: msgspec.json.decode(line) for key, line in opened.objects(opened.manifest.collections[0])}
    assert kept == before


@pytest.mark.parametrize("fault", ["commit", "lie"])
def test_a_store_that_fails_or_lies_deletes_nothing(fault, monkeypatch):
    cluster, store = cluster_of(*old(5)), MemoryStore()
    found = planned(cluster)
    if fault == "commit":
        monkeypatch.setattr(store, "put", _fails)
        with pytest.raises(Unreachable):
            carried_out(cluster, found, store)
    else:
        real = store.get
        monkeypatch.setattr(store, "get", lambda name, offset, length: real(name, offset, length)[:-1] + b"\x01")
        with pytest.raises(Damaged, match="so nothing was deleted"):
            carried_out(cluster, found, store)
    assert len(cluster.keys(OBSERVATIONS)) == 5
    assert "delete" not in [call.verb for call in cluster.calls]


def _fails(_name: str) -> Any:
    raise Unreachable("no space left")


def test_an_encrypted_archive_is_proved_without_its_key():
    import pyrage

    from zenctl.archive.age import seal_to

    identity = pyrage.x25519.Identity.generate()
    seal: Seal = seal_to([("test", str(identity.to_public()))])
    cluster, store = cluster_of(*old(3)), MemoryStore()
    found = planned(cluster)
    undo = archive(ports_of(cluster), found.plan, found.spool, request_to(store)._replace(seal=seal))
    assert undo.encrypted
    assert verify(store, undo.name).sound
    with pytest.raises(Refused, match="encrypted"):
        open_archive(store, undo.name)


def test_who_may_not_delete_is_told_before_anything_is_written():
    cluster = cluster_of(*old(3), observation("elsewhere", "team-b", timestamp=OLD))
    cluster.forbidden.add(f"delete {OBSERVATIONS.full_name}")
    found = planned(cluster)
    with pytest.raises(Denied, match=r"cannot delete zenevents\.zen\.kube-zen\.io in team-a, team-b"):
        may_delete(ports_of(cluster), found.plan, found.spool, None)
    with pytest.raises(Denied, match=r"in team-b: "):
        may_delete(ports_of(cluster), found.plan, found.spool, "team-b")


# -- clocks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ahead", "refused"), [(59, False), (-59, False), (61, True), (-61, True)])
def test_clocks_that_differ_too_much_are_refused(ahead, refused):
    cluster = cluster_of(*old(1), now=NOW + timedelta(minutes=ahead))
    ports = ports_of(cluster)._replace(clock=FixedClock(NOW))
    question = Question(GROUP, POLICY, ALL, planned(cluster_of()).plan.limits, timedelta(hours=1))
    if refused:
        with pytest.raises(Refused, match=r"clock is 1h1m (ahead of|behind) the local one, more than 1h$"):
            read_and_plan(ports, question, Spool(MemoryScratch()))
        assert not [call for call in cluster.calls if call.verb == "list"]
    else:
        plan = read_and_plan(ports, question, Spool(MemoryScratch()))
        assert plan.skew == timedelta(minutes=ahead)


# -- the audit log -----------------------------------------------------------------------------------------------


def audited(cluster: FakeCluster, found: Planned) -> list[Line]:
    lines = Lines()
    ports = ports_of(cluster)
    undo = archive(ports, found.plan, found.spool, request_to(MemoryStore()))
    common = Run(undo.archive_id, found.plan.policy, found.plan.now)
    delete(ports, found.plan, found.spool, Audit(lines, FixedClock(), common), undo)
    return [msgspec.json.decode(line, type=Line) for line in lines]


def test_the_audit_log_names_every_candidate_and_its_answer():
    cluster = cluster_of(*old(60))
    found = planned(cluster)
    keys = keys_of(found)
    cluster.remove(OBSERVATIONS, keys[0])
    cluster.put(OBSERVATIONS, observation("old-001", phase="Active", timestamp=OLD))
    cluster.fail("delete", ApiFailure("cannot delete: etcd is sad", status=500), keys[2])
    cluster.hooks.append(lambda call: _deny_from(call, 30))
    lines = audited(cluster, found)
    assert [line.name for line in lines] == [key.name for key in keys]
    answers = [line.answer for line in lines]
    assert answers[:4] == ["gone", "changed", "failed", "deleted"]
    assert (lines[2].error, lines[3].error) == ("cannot delete: etcd is sad", "")
    assert answers.count("not-tried") == 60 - 30 - 25
    first = lines[3]
    assert (first.rule, first.older_than, first.age_from, first.age_instant) == ("", "7d", "timestamp", OLD)
    assert first.age_seconds == (NOW - datetime(2026, 11, 1, tzinfo=UTC)).total_seconds()
    assert first.run == "63ed0583-4701-411b-bd63-8d0a594e66ef"


def _deny_from(call: Any, number: int) -> None:
    if call.verb == "delete" and call.key.name >= f"old-{number:03d}":
        raise Denied("cannot delete: no longer")


def test_a_list_of_candidates_has_no_run_and_no_time():
    found = planned(cluster_of(*old(1)))
    (candidate,) = candidates(found.spool, found.plan)
    line = line_of(Run("", found.plan.policy, NOW), candidate, PLANNED, "", None)
    assert (line.run, line.time, line.answer) == ("", "", "planned")


# -- runs --------------------------------------------------------------------------------------------------------


def a_run(store: MemoryStore, *, ago: timedelta = timedelta(0), noted: bool = True, identity: int = 1) -> str:
    cluster = cluster_of(*old(3))
    ports = ports_of(cluster)._replace(clock=FixedClock(NOW - ago))
    found = planned(cluster)
    request = request_to(store)._replace(archive_id=f"{identity:08x}-4701-411b-bd63-8d0a594e66ef")
    undo = archive(ports, found.plan, found.spool, request)
    if noted:
        outcome = delete(ports, found.plan, found.spool, Notes(), undo)
        note_outcome(store, undo, outcome, NOW - ago)
    return undo.name


def a_store() -> MemoryStore:
    store = MemoryStore()
    a_run(store, identity=0xAAAA0001)
    a_run(store, ago=timedelta(days=1), noted=False, identity=0xAAAA0002)
    a_run(store, ago=timedelta(days=40), identity=0xBBBB0003)
    return store


@pytest.mark.parametrize("fmt", ["table", "json", "yaml", "markdown"])
def test_runs_are_told_in_every_format(fmt):
    store = a_store()
    report = runs_report(list_archives(store), read_notes(store))
    golden.check(f"cleanup/runs.{fmt}", "".join(render(report, fmt, View(width=None, colour=False))))


def test_a_run_that_was_stopped_is_not_called_good():
    store = a_store()
    runs = document(runs_report(list_archives(store), read_notes(store)))["data"]["runs"]
    assert [(run["exitCode"], run["deleted"]) for run in runs] == [(0, 3), (None, None), (0, 3)]


def test_a_store_without_runs_says_so():
    report = runs_report([], read_notes(MemoryStore()))
    assert "No cleanup has left an archive" in "".join(render(report, "table", View(width=None, colour=False)))


def test_a_run_is_found_by_the_start_of_its_id():
    store = a_store()
    assert "aaaa0001" in find_run(store, "aaaa0001", "")
    assert "aaaa0001" in find_run(store, "latest", "prod")
    with pytest.raises(UsageError, match="2 runs have an id that begins with 'aaaa'"):
        find_run(store, "aaaa", "")
    with pytest.raises(Refused, match="no cleanup 'bbb' in the store"):
        find_run(store, "bbb", "")
    with pytest.raises(Refused, match="no cleanup 'latest' of cluster other"):
        find_run(store, "latest", "other")
    with pytest.raises(Refused, match="no cleanup '1f0c44aa'"):
        find_run(MemoryStore(), "1f0c44aa", "")


def test_archives_of_long_ago_go_with_their_notes_and_others_stay():
    store = a_store()
    before = set(store.blobs)
    ports = PrunePorts(store, FixedClock(), SilentProgress())
    cluster_id = list_archives(store)[0].footer.cluster_id  # type: ignore[union-attr]
    outcome = expire(ports, cluster_id, timedelta(days=30))
    gone = before - set(store.blobs)
    assert len(gone) == 2
    assert all("bbbb0003" in name for name in gone)
    assert not outcome.failures


def test_a_conflict_is_counted_as_changed_and_never_tried_again():
    cluster = cluster_of(*old(2))
    found = planned(cluster)
    cluster.fail("delete", Conflict("it changed", status=409))
    outcome = carried_out(cluster, found)
    assert outcome.count(Answer.CHANGED) == 2
    assert [call.verb for call in cluster.calls].count("delete") == 2

"""Pruning a store: which archives are judged together, and what is left when something comes between."""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from tests.archive.fakes import MemoryStore, Mirror
from tests.backup.shelf import (
    KEEP_TWO,
    STAGING,
    WatchedStore,
    add,
    daily,
    drill,
    footer_of,
    ports_of,
    prove,
    request,
)
from tests.blob.fakes import Faulty
from tests.fakes import NOW, FixedClock
from zenctl.archive.format import Cluster
from zenctl.archive.reader import list_archives
from zenctl.archive.verify import verify
from zenctl.backup.notes import pin_name, read_notes, verified_name, write_pin
from zenctl.backup.prune import Fate, PruneOutcome, PrunePlan, PruneRequest, apply, plan_prune
from zenctl.backup.retention import Period, Policy, Rule
from zenctl.blob.folder import FolderStore
from zenctl.core.patience import LIMIT
from zenctl.errors import Denied, ExitCode, Refused, Unreachable
from zenctl.ports import BlobStore


def plan(store: BlobStore, wanted: PruneRequest | None = None, clock: FixedClock | None = None) -> PrunePlan:
    return plan_prune(ports_of(store, clock), wanted or request())


def prune(store: BlobStore, wanted: PruneRequest | None = None) -> PruneOutcome:
    ports = ports_of(store)
    return apply(ports, plan_prune(ports, wanted or request()))


def going(made: PrunePlan) -> list[str]:
    return [item.archive.name for item in made.removals]


def names(store: BlobStore) -> list[str]:
    return [info.name for info in store.list()]


def pin(store: BlobStore, name: str) -> None:
    write_pin(store, name, footer_of(store, name), reason="", at=NOW)


# -- what is judged, and with what ------------------------------------------------------------------------------


def test_what_no_rule_keeps_goes_with_its_notes_and_the_rest_stays():
    store = MemoryStore()
    made = daily(store, 5)
    for name in made[:1] + made[3:]:
        prove(store, name)
    outcome = prune(store)
    assert outcome.verdict is ExitCode.GOOD
    assert outcome.fates == dict.fromkeys(made[:1:-1], Fate.REMOVED)
    assert sorted(store.blobs) == sorted([made[0], verified_name(made[0]), made[1]])


def test_the_oldest_goes_first():
    store = MemoryStore()
    made = daily(store, 6)
    assert going(plan(store)) == made[:1:-1]


def test_a_second_run_removes_nothing():
    store = MemoryStore()
    daily(store, 9)
    prune(store)
    assert prune(store).fates == {}


def test_clusters_are_judged_by_themselves_even_under_one_name():
    store = MemoryStore()
    ours = daily(store, 3)
    rebuilt = [add(store, 0x2000 + n, age=timedelta(days=n), cluster=STAGING) for n in range(3)]
    assert going(plan(store)) == [ours[2]]
    assert going(plan(store, request(cluster="uid-2"))) == [rebuilt[2]]
    everything = plan(store, request(cluster=None))
    assert [group.cluster_name for group in everything.groups] == ["prod-eu", "staging"]
    assert going(everything) == [ours[2], rebuilt[2]]


def test_two_clusters_of_one_name_are_two():
    store = MemoryStore()
    daily(store, 2)
    for number in range(2):
        add(store, 0x2000 + number, age=timedelta(days=9 + number), cluster=Cluster("uid-9", "prod-eu"))
    made = plan(store)
    assert [len(group.items) for group in made.groups] == [2, 2]
    assert going(made) == []


def test_archives_of_another_set_are_not_looked_at():
    store = MemoryStore()
    undo = [add(store, 0x2000 + n, age=timedelta(days=n), set_name="undo") for n in range(4)]
    backups = daily(store, 3)
    assert going(plan(store)) == backups[2:]
    assert going(plan(store, request(set_name="undo"))) == [undo[3], undo[2]]
    assert plan(store, request(set_name="other")).groups == ()


def test_archives_of_some_namespaces_take_no_place_of_those_of_all():
    store = MemoryStore()
    whole = daily(store, 3)
    team_a = [add(store, 0x2000 + n, age=timedelta(hours=n), namespaces=("team-a",)) for n in range(3)]
    team_b = [add(store, 0x3000 + n, age=timedelta(hours=n), namespaces=("team-b",)) for n in range(2)]
    made = plan(store)
    assert [group.key.namespaces for group in made.groups] == [None, ("team-a",), ("team-b",)]
    assert going(made) == [whole[2], team_a[2]]
    assert team_b[0] in names(store)


def test_encrypted_archives_of_some_namespaces_stay_without_their_key():
    store, keys = MemoryStore(), Mirror()
    made = [add(store, n, age=timedelta(days=n), namespaces=("team-a",), seal=keys) for n in range(4)]
    found = plan(store)
    assert [group.key.namespaces for group in found.groups] == [()]
    assert going(found) == []
    assert len(found.groups[0].items) == len(made)
    opened = plan(store, request()._replace(keys=keys))
    assert [group.key.namespaces for group in opened.groups] == [("team-a",)]
    assert going(opened) == made[:1:-1]


def test_encrypted_archives_of_all_namespaces_need_no_key():
    store = MemoryStore()
    made = [add(store, n, age=timedelta(days=n), seal=Mirror()) for n in range(4)]
    assert going(plan(store)) == made[:1:-1]


def test_archives_of_all_namespaces_are_judged_by_their_footers_alone():
    store = MemoryStore()
    daily(store, 6)
    store.reads.clear()
    plan(store)
    assert [read.length for read in store.reads] == [3584] * 6


def test_a_cluster_without_archives_is_refused_unless_the_store_is_empty():
    store = MemoryStore()
    assert plan(store, request(cluster="nowhere")).groups == ()
    daily(store, 1)
    with pytest.raises(Refused, match="no archive of cluster nowhere") as caught:
        plan(store, request(cluster="nowhere"))
    assert "prod-eu" in str(caught.value.hint)


# -- notes ------------------------------------------------------------------------------------------------------


def test_the_last_verified_one_stays():
    store = MemoryStore()
    made = daily(store, 6)
    prove(store, made[3])
    drill(store, made[4])
    assert going(plan(store)) == [made[5], made[4], made[2]]


@pytest.mark.parametrize("doubt", [{"level": 1}, {"sound": False}])
def test_what_was_not_proved_is_not_the_last_verified(doubt):
    store = MemoryStore()
    made = daily(store, 6)
    prove(store, made[3])
    prove(store, made[2], **doubt)
    assert made[3] not in going(plan(store))


def test_one_that_was_found_damaged_stays_and_takes_no_place():
    store = MemoryStore()
    made = daily(store, 4)
    prove(store, made[0], sound=False)
    assert going(plan(store)) == [made[3]]


@pytest.mark.parametrize("content", [None, b"", b"not json"])
def test_a_pin_keeps_even_when_it_cannot_be_read(content):
    store = MemoryStore()
    made = daily(store, 5)
    pin(store, made[4])
    if content is not None:
        store.blobs[pin_name(made[4])] = content
    found = plan(store)
    assert going(found) == [made[3], made[2]]
    assert bool(found.note_problems) == (content is not None)


def test_notes_of_archives_that_are_gone_go_after_a_day_and_only_if_it_stays_gone():
    store = MemoryStore()
    made = daily(store, 2)
    for name in made:
        prove(store, name, at=NOW - timedelta(hours=25))
    lost, content = made[1], store.blobs.pop(made[1])
    found = plan(store)
    assert found.orphan_notes == (verified_name(lost),)
    store.blobs[lost] = content
    assert apply(ports_of(store), found).notes_removed == 0
    assert verified_name(lost) in store.blobs
    store.delete(lost)
    assert apply(ports_of(store), found).notes_removed == 1
    assert sorted(store.blobs) == sorted([made[0], verified_name(made[0])])


def test_young_notes_without_an_archive_stay():
    store = MemoryStore()
    made = daily(store, 2)
    prove(store, made[1])
    store.delete(made[1])
    assert plan(store).orphan_notes == ()


# -- damage -----------------------------------------------------------------------------------------------------


def test_what_cannot_be_read_is_named_kept_and_makes_the_verdict():
    store = MemoryStore()
    made = daily(store, 4)
    store.blobs["broken.tar"] = b"x" * 5120
    outcome = prune(store)
    assert [entry.name for entry in outcome.plan.unreadable] == ["broken.tar"]
    assert outcome.verdict is ExitCode.DAMAGED
    assert sorted(store.blobs) == sorted(["broken.tar", *made[:2]])


def test_a_damaged_manifest_of_one_of_some_namespaces_is_damage_too():
    store = MemoryStore()
    name = add(store, 1, namespaces=("team-a",))
    data = bytearray(store.blobs[name])
    data[footer_of(store, name).manifest_offset + 600] ^= 1
    store.blobs[name] = bytes(data)
    found = plan(store)
    assert ([entry.name for entry in found.unreadable], found.groups) == ([name], ())


# -- between plan and apply -------------------------------------------------------------------------------------


def test_one_that_was_replaced_since_stays():
    store = MemoryStore()
    made = daily(store, 4)
    found = plan(store)
    store.blobs[made[3]] = store.blobs[made[0]]
    outcome = apply(ports_of(store), found)
    assert outcome.fates == {made[3]: Fate.REPLACED, made[2]: Fate.REMOVED}
    assert (outcome.verdict, made[3] in store.blobs) == (ExitCode.GOOD, True)


def test_one_that_was_pinned_since_stays():
    store = MemoryStore()
    made = daily(store, 4)
    found = plan(store)
    pin(store, made[3])
    assert apply(ports_of(store), found).fates == {made[3]: Fate.PINNED, made[2]: Fate.REMOVED}


def test_one_that_is_gone_is_no_failure():
    store = MemoryStore()
    made = daily(store, 4)
    found = plan(store)
    store.delete(made[2])
    outcome = apply(ports_of(store), found)
    assert (outcome.fates[made[2]], outcome.verdict) == (Fate.GONE, ExitCode.GOOD)


def test_nothing_goes_when_one_is_gone_that_was_to_stay():
    store = MemoryStore()
    made = daily(store, 4)
    found = plan(store)
    store.delete(made[1])
    with pytest.raises(Refused, match="is gone"):
        apply(ports_of(store), found)
    assert names(store) == sorted([made[0], made[2], made[3]])


def test_one_that_became_unreadable_is_a_failure_and_stays():
    store = MemoryStore()
    made = daily(store, 4)
    found = plan(store)
    store.blobs[made[3]] = b"x" * 5120
    outcome = apply(ports_of(store), found)
    assert [failure.name for failure in outcome.failures] == [made[3]]
    assert (outcome.verdict, made[3] in store.blobs) == (ExitCode.PARTIAL, True)


# -- failures ---------------------------------------------------------------------------------------------------


def failing(store: MemoryStore, fails: Callable[[str], bool], error: Exception) -> WatchedStore:
    def hook(what: str, name: str) -> None:
        if what == "delete" and fails(name):
            raise error

    return WatchedStore(store, hook)


def test_a_removal_that_fails_is_partly_done_and_the_rest_goes_on():
    store = MemoryStore()
    made = daily(store, 6)
    outcome = prune(failing(store, lambda name: name == made[4], Unreachable("disk is full")))
    assert outcome.verdict is ExitCode.PARTIAL
    assert [(failure.name, failure.error.message) for failure in outcome.failures] == [(made[4], "disk is full")]
    assert names(store) == sorted([made[0], made[1], made[4]])


def test_where_no_removal_works_the_cause_is_the_verdict():
    store = MemoryStore()
    daily(store, 6)
    outcome = prune(failing(store, lambda name: True, Denied("read-only")))
    assert (outcome.verdict, len(outcome.failures)) == (ExitCode.DENIED, 4)


def test_it_gives_up_where_every_removal_fails_alike():
    store = MemoryStore()
    daily(store, LIMIT + 12)
    outcome = prune(failing(store, lambda name: True, Unreachable("down")))
    assert (len(outcome.failures), outcome.not_tried) == (LIMIT, 10)


def test_a_note_that_cannot_go_is_a_failure_that_does_not_hide_the_removal():
    store = MemoryStore()
    made = daily(store, 3)
    prove(store, made[0])
    prove(store, made[2])
    outcome = prune(failing(store, lambda name: name.endswith(".json"), Denied("not yours")))
    assert outcome.fates == {made[2]: Fate.REMOVED}
    assert outcome.verdict is ExitCode.PARTIAL
    assert [failure.name for failure in outcome.failures] == [verified_name(made[2])]


# -- crashes ----------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone; nothing may catch this."""


def a_full_store() -> tuple[MemoryStore, list[str]]:
    store = MemoryStore()
    made = daily(store, 7)
    for name in made:
        prove(store, name, at=NOW - timedelta(days=3))
    pin(store, made[5])
    return store, made


def calls_of_a_whole_run() -> int:
    watched = WatchedStore(a_full_store()[0], lambda what, name: None)
    prune(watched)
    return len(watched.calls)


@pytest.mark.parametrize("at", range(calls_of_a_whole_run()))
def test_a_crash_at_any_call_leaves_what_stays_whole_and_a_second_run_ends_the_same(at):
    store, made = a_full_store()

    def kill(what: str, name: str) -> None:
        if len(watched.calls) == at + 1:
            raise Killed

    watched = WatchedStore(store, kill)
    with pytest.raises(Killed):
        prune(watched)
    for name in (made[0], made[1], made[5]):
        assert verify(store, name).sound
    assert made[5] in read_notes(store).pins
    assert all(item.name in made for item in list_archives(store))
    prune(store)
    prune_later(store)
    expected, _ = a_full_store()
    prune(expected)
    assert sorted(store.blobs) == sorted(expected.blobs)


def prune_later(store: MemoryStore) -> None:
    """Run once more, when notes that a crash left without an archive are old enough."""
    clock = FixedClock()
    clock.advance(timedelta(days=2))
    ports = ports_of(store, clock)
    apply(ports, plan_prune(ports, request()))


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("at", range(8))
def test_a_folder_that_fails_at_any_call_loses_nothing_that_stays(tmp_path: Path, at: int, code: int):
    sound = FolderStore(tmp_path)
    made = daily(sound, 5)
    prove(sound, made[3])
    outcome = prune(FolderStore(tmp_path, Faulty(at, code)), request(KEEP_TWO._replace(min_keep=2)))
    assert (outcome.verdict is ExitCode.GOOD) == (not outcome.failures)
    for name in (made[0], made[1], made[3]):
        assert verify(sound, name).sound
    assert prune(sound, request(KEEP_TWO._replace(min_keep=2))).verdict is ExitCode.GOOD
    assert names(sound) == sorted([made[0], made[1], made[3]])


def test_a_zone_and_several_rules_reach_the_policy():
    store = MemoryStore()
    daily(store, 60)
    rules = (Rule(Period.DAY, 7), Rule(Period.WEEK, within=timedelta(days=28)))
    assert len(going(plan(store, request(Policy(rules, 3, UTC))))) == 60 - 7 - 3

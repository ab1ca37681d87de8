"""A run that has lost its Lease stops with the next page, and makes nothing visible."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.archive.fakes import MemoryStore
from tests.backup.samples import a_cluster, ports_of, request
from tests.fakes import SequentialWorkers
from zenctl.backup.create import create_backup
from zenctl.errors import Refused
from zenctl.unattended.guard import GuardedReader, GuardedStore, GuardedWorkers


def lost_after(asked: int) -> Callable[[], None]:
    left = iter(range(asked))

    def guard() -> None:
        if next(left, None) is None:
            raise Refused("lease lost")

    return guard


def _back_up(guard: Callable[[], None]) -> MemoryStore:
    cluster, store = a_cluster(), MemoryStore()
    ports = ports_of(cluster, store)
    guarded = ports._replace(reader=GuardedReader(cluster, guard), store=GuardedStore(store, guard))
    try:
        create_backup(guarded, request())
    finally:
        names = [info.name for info in store.list()]
        assert len(names) <= 1
    return store


def test_a_lease_that_is_held_changes_nothing():
    assert len(_back_up(lost_after(1_000)).list()) == 1


def test_whenever_it_is_lost_nothing_is_listed():
    asked = 0
    while True:
        try:
            store = _back_up(lost_after(asked))
        except Refused:
            asked += 1
            continue
        break
    assert len(store.list()) == 1
    assert asked == 5  # three pages of Observations, one of ConfigMaps, and the commit


def test_a_store_is_asked_before_anything_in_it_changes():
    store = MemoryStore()
    guarded = GuardedStore(store, lost_after(1))
    guarded.replace("note", b"x")
    with pytest.raises(Refused):
        guarded.replace("note", b"y")
    with pytest.raises(Refused):
        guarded.delete("note")
    assert guarded.get("note", 0, 1) == b"x"
    assert guarded.size("note") == 1


def test_no_job_is_begun_once_it_is_lost():
    done: list[int] = []
    workers = GuardedWorkers(SequentialWorkers(), lost_after(3))
    with pytest.raises(Refused):
        for _ in workers.run(range(9), done.append):
            pass
    assert done == [0, 1, 2]

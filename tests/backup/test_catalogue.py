"""Which archive a word means: latest, the start of an id, a name; and what is said where there is none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.archive.fakes import MemoryStore
from tests.backup.samples import UID, a_cluster, ports_of, request
from tests.fakes import FakeCluster, FixedClock
from zenctl.archive.reader import list_archives
from zenctl.backup.catalogue import find, newest_first
from zenctl.backup.create import Created, create_backup
from zenctl.errors import Refused, UsageError


class Shelf:
    """A store that is filled with one backup an hour."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FixedClock()
        self._number = 0x10

    def add(self, cluster: FakeCluster | None = None, **changes: Any) -> Created:
        self._number += 1
        self.clock.advance(timedelta(hours=1))
        ports = ports_of(cluster or a_cluster(observations=1), self.store, self.clock)
        return create_backup(ports, request(self._number)._replace(**changes))

    def add_incomplete(self) -> Created:
        cluster = a_cluster(observations=1)
        cluster.forbidden.add("list configmaps")
        return self.add(cluster)


def another_cluster(uid: str) -> FakeCluster:
    cluster = a_cluster(observations=1)
    cluster.uid = lambda: uid  # type: ignore[method-assign]
    return cluster


def test_latest_is_the_newest_complete_backup_of_this_cluster():
    shelf = Shelf()
    shelf.add()
    newest = shelf.add()
    shelf.add_incomplete()
    shelf.add(set_name="undo")
    shelf.add(another_cluster("another"), cluster_name="staging")
    assert find(shelf.store, "latest", UID) == newest.name


def test_latest_of_another_cluster_is_asked_for_by_its_name_or_id():
    shelf = Shelf()
    shelf.add()
    theirs = shelf.add(another_cluster("another"), cluster_name="staging")
    shelf.add()
    assert find(shelf.store, "latest", "staging") == find(shelf.store, "latest", "another") == theirs.name


def test_without_one_of_this_cluster_it_says_what_there_is():
    shelf = Shelf()
    theirs = shelf.add(another_cluster("another"), cluster_name="staging")
    with pytest.raises(Refused, match="no complete backup of cluster") as caught:
        find(shelf.store, "latest", UID)
    assert theirs.written.footer.archive_id[:8] in str(caught.value.hint)
    assert "staging" in str(caught.value.hint)
    assert "--cluster" in str(caught.value.hint)


def test_latest_is_never_one_of_some_namespaces_only():
    shelf = Shelf()
    whole = shelf.add()
    part = shelf.add(namespace="team-00")
    assert find(shelf.store, "latest", UID) == whole.name
    assert find(shelf.store, part.written.footer.archive_id, UID) == part.name
    shelf.store.delete(whole.name)
    with pytest.raises(Refused) as caught:
        find(shelf.store, "latest", UID)
    assert "(some namespaces only)" in str(caught.value.hint)


def test_an_incomplete_one_is_named_as_such():
    shelf = Shelf()
    shelf.add_incomplete()
    with pytest.raises(Refused) as caught:
        find(shelf.store, "latest", UID)
    assert "(incomplete)" in str(caught.value.hint)


def test_an_empty_store_is_said_to_be_empty():
    with pytest.raises(Refused) as caught:
        find(MemoryStore(), "latest", UID)
    assert "holds no archives" in str(caught.value.hint)


def test_a_store_of_damaged_archives_is_not_said_to_be_empty():
    store = MemoryStore()
    store.blobs["a.tar"] = b"not an archive"
    with pytest.raises(Refused) as caught:
        find(store, "latest", UID)
    assert "none can be read" in str(caught.value.hint)


def test_a_damaged_newest_one_does_not_hide_the_one_before():
    shelf = Shelf()
    older, newer = shelf.add(), shelf.add()
    shelf.store.blobs[newer.name] = shelf.store.blobs[newer.name][:-1024]
    assert find(shelf.store, "latest", UID) == older.name


def test_the_start_of_an_id_is_enough():
    shelf = Shelf()
    made = [shelf.add(), shelf.add()]
    for created in made:
        archive_id = created.written.footer.archive_id
        assert find(shelf.store, archive_id[:8], "") == find(shelf.store, archive_id, "") == created.name


def test_the_start_of_several_ids_is_refused_with_their_names():
    shelf = Shelf()
    made = [shelf.add(), shelf.add()]
    with pytest.raises(UsageError, match="2 archives") as caught:
        find(shelf.store, "0000", "")
    assert all(created.written.footer.archive_id in str(caught.value.hint) for created in made)


@pytest.mark.parametrize("wanted", ["000", "ffff", "nothing.tar", ""])
def test_what_fits_none_is_refused(wanted):
    shelf = Shelf()
    shelf.add()
    with pytest.raises(Refused, match="no archive"):
        find(shelf.store, wanted, "")


def test_a_whole_name_always_fits_even_of_what_is_damaged():
    shelf = Shelf()
    created = shelf.add()
    shelf.store.blobs["broken.tar"] = b""
    assert find(shelf.store, created.name, "") == created.name
    assert find(shelf.store, "broken.tar", "") == "broken.tar"


def test_the_newest_comes_first():
    shelf = Shelf()
    made = [shelf.add().name for _ in range(3)]
    assert [item.name for item in newest_first(list_archives(shelf.store))] == made[::-1]

"""SIGKILL at random moments of backup, prune, restore and cleanup: what was good stays, the next run ends the work.

Each runs as a program against a sandbox of this process. Moments are drawn over the time that an undisturbed one
takes.
"""

from __future__ import annotations

import random

import msgspec
import pytest

from tests import torture
from tests.archive.fakes import HEADING, OBSERVATION, objects
from tests.backup.samples import config_map
from tests.dataset import samples
from tests.faults.world import Json, Place, a_place, revision_of, sound_archives, state
from tests.sandbox.world import with_observations
from tests.torture import part
from zenctl.archive.format import archive_name
from zenctl.archive.writer import ArchiveWriter
from zenctl.blob.folder import FolderStore
from zenctl.sandbox.apiserver.faults import parse_fault

pytestmark = [pytest.mark.torture, pytest.mark.timeout(3600)]

KILLS = 100
OBSERVATIONS = 1_500
SLOW = "latency:verb=list,seconds=0.02"


def observations() -> list[Json]:
    return [sample.object for sample in samples(OBSERVATIONS)]


def moments(longest_seconds: float) -> list[float]:
    """Return the moments of this run, a little beyond the end too."""
    chance = random.Random(torture.SEED)
    return part([chance.uniform(0.05, longest_seconds * 1.05) for _ in range(KILLS)])


def test_a_killed_backup_leaves_the_earlier_ones_and_no_half_one(tmp_path):
    with a_place(tmp_path, observations()) as place:
        place.server.faults.add(parse_fault(SLOW))
        place.do("backup")
        (first,) = sound_archives(place.store)
        longest = place.duration_seconds("backup", "--no-lock")
        finished = 0
        for moment in moments(longest):
            before = sound_archives(place.store)
            # Without a Lease: a killed run's keeps the next one waiting for a minute.
            finished += place.killed(moment, "backup", "--no-lock")
            after = sound_archives(place.store)
            assert set(before) <= set(after)
            assert len(after) <= len(before) + 1
            assert first in after
            for name in set(after) - {first}:
                (place.store / name).unlink()
        place.do("backup")
        assert len(sound_archives(place.store)) == 2
        # What the killed ones left is hidden, and nobody's after a day.
        left = [path.name for path in place.store.iterdir() if path.name.startswith(".")]
        assert all(name.endswith(".partial") for name in left)


RESTORE = ("restore", "latest", "--yes", "--no-lock")
CLEANUP = ("cleanup", "--older-than", "7d", "--max-percent", "100", "--yes", "--no-lock")
"""Without a Lease: a killed run's keeps the next one waiting for a minute."""


def test_a_killed_restore_is_ended_by_the_next_run_and_doubles_nothing(tmp_path):
    content = [*observations(), config_map("filters", a="1")]
    with a_place(tmp_path / "from", content) as source:
        source.do("backup")
        expected = state(source.server)
        store = source.store
    seconds = None
    with a_place(tmp_path / "try") as place:
        place.store = store
        seconds = place.duration_seconds(*RESTORE)
    for number, moment in enumerate(moments(seconds)):
        with a_place(tmp_path / f"to-{number}") as place:
            place.store = store
            place.killed(moment, *RESTORE)
            half = state(place.server)
            assert half.keys() <= expected.keys()
            place.do(*RESTORE)
            assert state(place.server) == expected, f"killed after {moment:.3f} s with {len(half)} objects"
            revision = revision_of(place.server)
            place.do(*RESTORE)
            assert revision_of(place.server) == revision, "a run more writes nothing"


def test_whatever_a_killed_cleanup_deleted_is_in_an_archive(tmp_path):
    content = [*observations(), config_map("filters", a="1")]
    with a_place(tmp_path / "try", content) as place:
        longest = place.duration_seconds(*CLEANUP)
        cleaned = state(place.server)
    for number, moment in enumerate(moments(longest)):
        with a_place(tmp_path / f"on-{number}", content) as place:
            before = state(place.server)
            place.killed(moment, *CLEANUP)
            after = state(place.server)
            assert cleaned.keys() <= after.keys() <= before.keys()
            archives = sound_archives(place.store) if place.store.exists() else []
            assert archives or after == before, f"killed after {moment:.3f} s"
            for name in archives:
                place.do("cleanup", "undo", name, "--yes", "--no-lock")
            assert state(place.server) == before, f"killed after {moment:.3f} s"
            place.do(*CLEANUP)
            assert state(place.server).keys() == cleaned.keys()


def fill(store: FolderStore, days: int) -> list[str]:
    """Write a small archive for each day, and return their names, the newest first."""
    from datetime import timedelta

    names = []
    for day in range(days):
        at = HEADING.created_at - timedelta(days=day)
        archive_id = f"{day:08x}-0000-4000-8000-000000000000"
        heading = msgspec.structs.replace(HEADING, created_at=at, archive_id=archive_id)
        name = archive_name(heading.set_name, heading.cluster.name, at, archive_id)
        with ArchiveWriter(store.put(name), heading) as writer:
            writer.begin(OBSERVATION)
            writer.add(objects(3))
            writer.end(consistency="snapshot", resource_versions=())
            writer.finish(complete=True)
        names.append(name)
    return names


PRUNE = ("backup", "prune", "--keep-last", "5", "--all-clusters", "--yes")


def test_a_killed_prune_removes_nothing_that_it_should_keep(tmp_path):
    place = Place(with_observations(), tmp_path / "none", tmp_path / "store")
    store = FolderStore(place.store)
    keep = set(fill(store, 40)[:5])
    longest = place.duration_seconds(*PRUNE)
    for moment in moments(longest):
        for name in (path.name for path in place.store.iterdir()):
            store.delete(name)
        every = set(fill(store, 40))
        place.killed(moment, *PRUNE)
        left = set(sound_archives(place.store))
        assert keep <= left <= every
        place.do(*PRUNE)
        assert set(sound_archives(place.store)) == keep

"""A server that fails in every way while a backup or a restore runs: earlier backups stay, a re-run ends the work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.backup.samples import config_map
from tests.cli.runner import run
from tests.dataset import samples
from tests.faults.world import Place, a_place, revision_of, sound_archives, state
from zenctl.errors import ExitCode
from zenctl.sandbox.apiserver.faults import parse_fault

COUNT = 1_200
"""More than one page."""
CONTENT = [*(sample.object for sample in samples(COUNT)), config_map("filters", a="1")]

FINE, PARTIAL, UNREACHABLE, DENIED = ExitCode.GOOD, ExitCode.PARTIAL, ExitCode.UNREACHABLE, ExitCode.DENIED

WHILE_READING = [
    ("reset:verb=list,times=1", FINE),
    ("reset:verb=list,after=1,times=1,after-bytes=100000", FINE),
    ("reset:verb=list,after-bytes=5000", UNREACHABLE),
    ("410:verb=list,resource=zenevents,after=1,times=1", FINE),
    ("410:verb=list,resource=zenevents,after=1,times=2", FINE),
    ("410:verb=list,resource=zenevents,after=1", UNREACHABLE),
    ("429:verb=list,times=4,retry-after=0", FINE),
    ("500:verb=list,times=1", FINE),
    ("503:verb=list,times=2", FINE),
    ("500:verb=list", UNREACHABLE),
    ("503:verb=list", UNREACHABLE),
    ("500:verb=get,resource=namespaces", UNREACHABLE),
    ("401:verb=list", DENIED),
    ("403:verb=list,resource=zenevents", DENIED),
    ("404:verb=list,resource=zenevents", ExitCode.REFUSED),
    ("skew:seconds=3600", FINE),
]
NO_STREAMS = "422:verb=watch"
"""What a server says that sends no whole collection as a stream."""
WHILE_STREAMING = [
    NO_STREAMS,
    "403:verb=watch",
    "410:verb=watch",
    "429:verb=watch,retry-after=0",
    "500:verb=watch,times=1",
    "503:verb=watch",
    "reset:verb=watch,times=1",
    "reset:verb=watch,resource=zenevents,after-bytes=5000",
    "reset:verb=watch,resource=zenevents,after-bytes=1500000",
]


@pytest.fixture
def source(tmp_path) -> Iterator[Place]:
    with a_place(tmp_path / "from", CONTENT) as place:
        place.do("backup")
        yield place


@pytest.mark.parametrize(("fault", "code"), WHILE_READING, ids=lambda value: str(value))
def test_a_backup_is_whole_or_not_there(source, fault, code):
    before = sound_archives(source.store)
    source.server.faults.add(parse_fault(NO_STREAMS), parse_fault(fault))
    ran = run(*source.at("backup"))
    assert ran.code == code, ran.stderr
    assert source.server.faults.struck()[-1][1], "the fault did not strike"
    after = sound_archives(source.store)
    assert set(before) <= set(after)
    assert len(after) == len(before) + (code is FINE)
    assert [path.name for path in source.store.iterdir() if path.name not in after] == []
    source.server.faults.clear()
    source.do("backup")


@pytest.mark.parametrize("fault", WHILE_STREAMING)
def test_a_stream_that_fails_is_read_in_pages(source, fault):
    before = sound_archives(source.store)
    source.server.faults.add(parse_fault(fault))
    ran = run(*source.at("backup"), "-o", "json")
    assert ran.code == FINE, ran.stderr
    assert all(times for _, times in source.server.faults.struck()), "the fault did not strike"
    rows = {row["resource"]: row for row in json.loads(ran.stdout)["data"]["collections"]}
    assert rows["zenevents.zen.kube-zen.io"]["objects"] == COUNT
    assert len(sound_archives(source.store)) == len(before) + 1


def test_a_kind_that_may_not_be_read_makes_the_backup_incomplete_and_is_named(source):
    source.server.faults.add(parse_fault(NO_STREAMS), parse_fault("403:verb=list,resource=configmaps"))
    ran = run(*source.at("backup"), "-o", "json")
    assert ran.code == DENIED
    made = json.loads(ran.stdout)["data"]
    assert made["archive"]["complete"] is False
    assert [omission["what"] for omission in made["omissions"]] == ["configmaps"]
    shown = json.loads(run(*source.at("backup", "show", "latest"), "-o", "json").stdout)["data"]
    assert shown["archive"]["complete"] is True, "latest is the earlier one"


LONG = partial(pytest.param, marks=[pytest.mark.torture, pytest.mark.timeout(1200)])
"""What waits more than a minute for a server that does not mend; CI runs it with the long suites."""

WHILE_WRITING = [
    ("reset:verb=create,every=7,times=40", FINE),
    ("reset:verb=create,every=7,times=40,after-bytes=40", FINE),
    ("reset:verb=update,every=7,times=40", FINE),
    ("reset:verb=list,times=2", FINE),
    LONG("429:verb=create,resource=zenevents,every=2,times=300,retry-after=0", FINE),
    ("429:verb=create,retry-after=0", UNREACHABLE),
    ("503:verb=create,every=9,times=20", FINE),
    ("500:verb=create,resource=zenevents,every=50,times=10", FINE),
    ("422:verb=create,resource=zenevents,every=100,times=5", PARTIAL),
    ("409:verb=update,resource=zenevents/status,every=10,times=20", FINE),
    ("403:verb=update,resource=zenevents/status", DENIED),
    ("404:verb=update,resource=zenevents/status,every=100,times=3", PARTIAL),
    ("500:verb=update,resource=zenevents/status,every=100,times=3", FINE),
    LONG("500:verb=update,resource=zenevents/status", UNREACHABLE),
]


@pytest.fixture(scope="module")
def backup(tmp_path_factory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give a store with a backup, and what restoring it must give."""
    with a_place(tmp_path_factory.mktemp("from"), CONTENT) as place:
        place.do("backup")
        yield place.store, state(place.server)


@pytest.mark.parametrize(("fault", "code"), WHILE_WRITING, ids=lambda value: str(value))
def test_a_restore_is_ended_by_the_next_run(tmp_path, backup, fault, code):
    store, expected = backup
    with a_place(tmp_path) as place:
        place.store = store
        place.server.faults.add(parse_fault(fault))
        rejects = tmp_path / "rejects.ndjson"
        ran = run(*place.at("restore", "latest", "--yes", "--rejects", str(rejects)), "-o", "json")
        assert ran.code == code, ran.stderr + ran.stdout
        assert any(times for _, times in place.server.faults.struck()), "the fault did not strike"
        # Where not even the first question is answered, nothing was tried.
        failed = len(json.loads(ran.stdout)["data"]["failed"]) if ran.stdout else 0
        assert bool(failed) == (code is not FINE and bool(ran.stdout))
        assert (len(rejects.read_text().splitlines()) if rejects.exists() else 0) == failed
        place.server.faults.clear()
        place.do("restore", "latest", "--yes")
        assert state(place.server) == expected
        revision = revision_of(place.server)
        place.do("restore", "latest", "--yes")
        assert revision_of(place.server) == revision

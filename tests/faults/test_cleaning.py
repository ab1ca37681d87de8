"""A server that fails in every way while a cleanup runs: it tells the truth, and a re-run or undo ends it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import torture
from tests.cli.runner import run
from tests.faults.test_server import DENIED, FINE, LONG, NO_STREAMS, PARTIAL, UNREACHABLE, source
from tests.faults.world import Place, sound_archives, state
from zenctl.errors import ExitCode
from zenctl.sandbox.apiserver.faults import parse_fault

__all__ = ["source"]  # the fixture

WHOLE_RUNS = pytest.mark.skipif(torture.FRACTION < 1, reason="takes four minutes until it gives up")
CLEANUP = ("cleanup", "--older-than", "7d", "--max-percent", "100", "--keep-undo", "3650d")
WHILE_CLEANING = [
    ("410:verb=list,resource=zenevents,after=1,times=1", FINE),
    ("410:verb=list,resource=zenevents,after=1", UNREACHABLE),
    ("reset:verb=list,resource=zenevents,after=1,times=1,after-bytes=100000", FINE),
    ("403:verb=list,resource=zenevents,after=1", DENIED),
    ("429:verb=delete,every=2,times=60,retry-after=0", FINE),
    pytest.param("429:verb=delete,retry-after=0", UNREACHABLE, marks=[*LONG.keywords["marks"], WHOLE_RUNS]),
    ("403:verb=delete,after=40", DENIED),
    ("403:verb=delete,every=100,times=1", DENIED),
    ("422:verb=delete,every=100,times=2", PARTIAL),
    ("409:verb=delete,every=10,times=9", FINE),
    ("500:verb=delete,every=50,times=4", FINE),
    ("reset:verb=delete,every=7,times=30", FINE),
    ("reset:verb=delete,every=7,times=30,after-bytes=40", FINE),
    ("skew:seconds=1800", FINE),
    ("skew:seconds=7200", ExitCode.REFUSED),
]


@pytest.mark.parametrize(("fault", "code"), WHILE_CLEANING, ids=lambda value: str(value))
def test_a_cleanup_is_truthful_and_is_ended_by_the_next_run(source, tmp_path, fault, code):
    place, backups, before = source, sound_archives(source.store), state(source.server)
    going = candidates(place, tmp_path)
    place.server.faults.add(parse_fault(NO_STREAMS), parse_fault(fault))
    ran = run(*place.at(*CLEANUP, "--yes"), "-o", "json")
    assert ran.code == code, ran.stderr + ran.stdout
    assert place.server.faults.struck()[-1][1], "the fault did not strike"
    place.server.faults.clear()
    gone = {key.partition(" ")[2] for key in before.keys() - state(place.server).keys()}
    assert gone <= going
    assert set(backups) <= set(sound_archives(place.store))
    if not ran.stdout:
        assert gone == set()
        assert sound_archives(place.store) == backups
    else:
        data = json.loads(ran.stdout)["data"]
        told = data["deleted"] + data["gone"] + data["changedCount"] + data["failedCount"] + data["notTried"]
        assert told == data["scope"]["planned"] == len(going) == len(audit(place))
        assert data["deleted"] + data["gone"] == len(gone)
        assert {f"{line['namespace']}/{line['name']}" for line in audit(place, "deleted")} <= gone
    place.do(*CLEANUP, "--yes")
    assert {key.partition(" ")[2] for key in before.keys() - state(place.server).keys()} == going
    for found in json.loads(run(*place.at("cleanup", "runs"), "-o", "json").stdout)["data"]["runs"]:
        place.do("cleanup", "undo", found["run"], "--yes")
    assert state(place.server) == before


def candidates(place: Place, folder: Path) -> set[str]:
    """Return what a cleanup would delete."""
    place.do(*CLEANUP, "--dry-run", "--candidates", str(folder / "candidates.ndjson"))
    lines = [json.loads(line) for line in (folder / "candidates.ndjson").read_text().splitlines()]
    assert len(lines) > 200
    return {f"{line['namespace']}/{line['name']}" for line in lines}


def audit(place: Place, *answers: str) -> list[Any]:
    """Return the lines of the audit log, of some answers only where they are named."""
    lines = [json.loads(line) for line in (place.store / "cleanup-audit.ndjson").read_text().splitlines()]
    return [line for line in lines if not answers or line["answer"] in answers]

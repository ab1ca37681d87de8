"""Metrics: what a run says and leaves as it was, and that every text survives the way to Prometheus and back."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.golden import check
from zenctl.errors import ExitCode
from zenctl.product.metrics import (
    BACKUP_BYTES,
    BACKUP_DURATION,
    BACKUP_LAST_DRILL,
    BACKUP_LAST_EXIT_CODE,
    BACKUP_LAST_RUN,
    BACKUP_LAST_SUCCESS,
    BACKUP_LAST_VERIFIED,
    BACKUP_METRICS,
    BACKUP_OBJECTS,
)
from zenctl.unattended.metrics import (
    UNKNOWN,
    Labels,
    Made,
    Pushgateway,
    Textfile,
    exposition,
    of_backup,
    of_drill,
    of_verification,
    parse,
)

NIGHT = datetime(2026, 11, 23, 2, 0, 5, tzinfo=UTC)
MORNING = datetime(2026, 11, 24, 2, 0, 7, tzinfo=UTC)
PROD = Labels("prod-eu", "backup")
GOOD = of_backup(NIGHT, 5.3124, ExitCode.GOOD, Made(20_017, 7_340_032))
BAD = of_backup(MORNING, 61.0, ExitCode.UNREACHABLE, None)


class File:
    """A file in memory."""

    def __init__(self, data: bytes | None = None) -> None:
        self.data = data

    def read(self) -> bytes | None:
        return self.data

    def write(self, data: bytes) -> None:
        self.data = data


class Gateway:
    """Remembers what was posted."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes]] = []

    def post(self, path: str, body: bytes) -> None:
        self.posts.append((path, body))


def test_a_failed_run_keeps_the_last_success_and_all_that_belongs_to_it():
    file = File()
    sink = Textfile(file)
    sink.record(PROD, GOOD)
    sink.record(PROD, of_verification(NIGHT))
    sink.record(PROD, BAD)
    assert file.data is not None
    assert parse(file.data)[PROD] == {
        BACKUP_LAST_SUCCESS: NIGHT.timestamp(),
        BACKUP_OBJECTS: 20_017,
        BACKUP_BYTES: 7_340_032,
        BACKUP_LAST_VERIFIED: NIGHT.timestamp(),
        BACKUP_LAST_RUN: MORNING.timestamp(),
        BACKUP_LAST_EXIT_CODE: 5,
        BACKUP_DURATION: 61,
    }


def test_verification_and_drill_say_only_when():
    assert of_verification(NIGHT) == {BACKUP_LAST_VERIFIED: NIGHT.timestamp()}
    assert of_drill(NIGHT) == {BACKUP_LAST_DRILL: NIGHT.timestamp()}


def test_the_text_is_a_contract():
    undo = Labels('a "quoted" \\ name\nof two lines', "undo")
    text = exposition({PROD: {**GOOD, **of_verification(NIGHT), **of_drill(NIGHT)}, undo: BAD})
    check("unattended/metrics.prom", text)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs the program promtool")
def test_promtool_finds_nothing_to_complain_about():
    text = exposition({PROD: {**GOOD, **of_verification(NIGHT), **of_drill(NIGHT)}, Labels('"\\', "undo"): BAD})
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


_NAMES = st.text(st.characters(codec="utf-8"))


@given(
    st.dictionaries(
        st.builds(Labels, _NAMES, st.sampled_from(["backup", "undo"])),
        st.dictionaries(
            st.sampled_from(BACKUP_METRICS), st.floats(allow_nan=False, allow_infinity=False), min_size=1
        ),
        max_size=4,
    )
)
def test_what_was_written_is_read_back(found):
    assert parse(exposition(found).encode()) == found


@pytest.mark.parametrize(
    "data", [None, b"", b"\xff\xfe", b"# nothing\n", b'up{cluster="a",set="b"} 1\n', b"zenctl_backup_objects x\n",
             b'zenctl_backup_objects{cluster="prod-eu",set="backup"} many\n'],
)  # fmt: skip
def test_a_file_that_holds_nothing_of_ours_is_written_all_the_same(data):
    file = File(data)
    Textfile(file).record(PROD, GOOD)
    assert parse(file.data or b"") == {PROD: GOOD}


def test_several_clusters_share_a_file():
    file = File()
    other = Labels("prod-us", "backup")
    for labels in (PROD, other):
        Textfile(file).record(labels, GOOD)
    Textfile(file).record(other, BAD)
    found = parse(file.data or b"")
    assert found[PROD] == GOOD
    assert found[other] == {**GOOD, **BAD}


def test_a_run_that_does_not_know_its_cluster_speaks_for_the_only_one_there_is():
    file = File()
    Textfile(file).record(PROD, GOOD)
    Textfile(file).record(Labels(UNKNOWN, "backup"), BAD)
    assert parse(file.data or b"") == {PROD: {**GOOD, **BAD}}
    Textfile(file).record(Labels("prod-us", "backup"), GOOD)
    Textfile(file).record(Labels(UNKNOWN, "backup"), BAD)
    assert set(parse(file.data or b"")) == {PROD, Labels("prod-us", "backup"), Labels(UNKNOWN, "backup")}


@pytest.mark.parametrize(
    ("cluster", "group"),
    [
        ("prod-eu", "cluster/prod-eu"), ("a b?", "cluster/a%20b%3F"), ("a/b", "cluster@base64/YS9i"),
        ("..", "cluster@base64/Li4="), ("", "cluster@base64/="), ("ä", "cluster/%C3%A4"),
    ],
)  # fmt: skip
def test_a_group_of_the_pushgateway_is_a_path(cluster, group):
    gateway = Gateway()
    Pushgateway(gateway, "zenctl_backup").record(Labels(cluster, "backup"), BAD)
    ((path, body),) = gateway.posts
    assert path == f"/metrics/job/zenctl_backup/{group}/set/backup"
    assert b"last_success" not in body
    assert b"zenctl_backup_last_exit_code" in body

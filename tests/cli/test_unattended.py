"""A backup that nobody watches: its Lease, its metrics and its Event, however it ends."""

from __future__ import annotations

import json
import signal
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.apiserver import Answer, Request, answer, failure, serving
from tests.cli.runner import complaints, environment, run, start_program
from tests.cli.world import CONFIG_MAPS, EVENTS, LEASES, REVIEWS, World
from zenctl.product.metrics import (
    BACKUP_LAST_EXIT_CODE,
    BACKUP_LAST_RUN,
    BACKUP_LAST_SUCCESS,
    BACKUP_LAST_VERIFIED,
    BACKUP_OBJECTS,
)
from zenctl.unattended.lease import micro_time
from zenctl.unattended.metrics import Labels, parse

DEPLOYMENTS = "/apis/apps/v1/namespaces/zen-system/deployments"
CORE_EVENTS = "/api/v1/namespaces/zen-system/events"
LABELS = Labels("prod-eu", "backup")


def _metrics(path: Path) -> Any:
    return parse(path.read_bytes())[LABELS]


def _told(world: World) -> list[dict[str, Any]]:
    """Return the Events that were written."""
    return [json.loads(r.body) for r in world.server.requests if (r.method, r.path) == ("POST", CORE_EVENTS)]


@pytest.fixture
def watched(world: World) -> World:
    """Give a world with a Deployment, which takes Events."""
    found = {"metadata": {"name": "zen-watcher", "namespace": "zen-system", "uid": "d"}}
    world.special[DEPLOYMENTS] = answer(
        {"kind": "DeploymentList", "metadata": {"resourceVersion": "9"}, "items": [found]}
    )
    world.special[CORE_EVENTS] = lambda request: Answer(201, request.body)
    return world


# -- the Lease ---------------------------------------------------------------------------------------------


def test_a_backup_holds_a_lease_while_it_works_and_gives_it_back(world):
    holders: list[str] = []

    def look(_request: Request) -> Answer:
        assert world.lease is not None
        holders.append(world.lease["spec"]["holderIdentity"])
        told: Answer = world.told(EVENTS)
        return told

    world.special[EVENTS] = look
    assert run(*world.at("backup")).code == 0
    assert holders[0]
    assert world.lease is not None
    assert not world.lease["spec"]["holderIdentity"]


def _hold(world: World, *, ago_seconds: float, name: str = "zenctl-backup") -> None:
    at = micro_time(datetime.now(UTC) - timedelta(seconds=ago_seconds))
    spec = {"holderIdentity": "pod-z_9", "leaseDurationSeconds": 60, "acquireTime": at, "renewTime": at}
    metadata = {"name": name, "namespace": "zen-system", "resourceVersion": "1"}
    world.lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def test_a_second_backup_is_refused_with_4_and_writes_nothing(world, monkeypatch):
    monkeypatch.setattr("zenctl.unattended.lease._LOOK_EVERY_SECONDS", 0.05)
    _hold(world, ago_seconds=20)
    world.special[f"{LEASES}/zenctl-backup"] = _renewed(world)
    ran = run(*world.at("backup"))
    assert (ran.code, ran.stdout) == (4, "")
    assert "another backup is running: lease zen-system/zenctl-backup is held by pod-z_9, since 20" in ran.complaint
    assert not world.store.exists()
    assert not [asked for asked in world.server.asked() if EVENTS in asked]


def _renewed(world: World) -> Callable[[Request], Answer]:
    """Return what answers each look at the Lease with a newer one."""

    def look(_request: Request) -> Answer:
        assert world.lease is not None
        version = int(world.lease["metadata"]["resourceVersion"])
        world.lease["metadata"]["resourceVersion"] = str(version + 1)
        return answer(world.lease)

    return look


def test_without_a_lock_it_works_beside_the_other(world):
    _hold(world, ago_seconds=20)
    assert run(*world.at("backup", "--no-lock")).code == 0
    assert not [asked for asked in world.server.asked() if LEASES in asked]


def test_one_whose_holder_was_killed_is_taken_over(world):
    _hold(world, ago_seconds=80)
    assert run(*world.at("backup")).code == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_may_have_no_lease_is_told_and_has_a_backup(world, method):
    path = f"{LEASES}/zenctl-backup" if method == "GET" else LEASES
    world.special[path] = failure(403, 'leases is forbidden: User "x"', "Forbidden")
    ran = run(*world.at("backup"))
    assert ran.code == 0
    assert ran.stderr.startswith("working without a lease, so another backup may run meanwhile: cannot ")
    assert run(*world.at("backup"), "-q").stderr == ""


def test_a_lease_that_is_taken_away_stops_the_backup_before_anything_is_listed(world, monkeypatch):
    monkeypatch.setattr("zenctl.unattended.lease.HeldLease.check", _refuse)
    ran = run(*world.at("backup"))
    assert (ran.code, ran.complaint) == (4, "lease is lost")
    assert list(world.store.iterdir()) == []


def test_a_restore_beside_a_cleanup_is_refused_before_its_first_write(world, monkeypatch):
    monkeypatch.setattr("zenctl.unattended.lease._LOOK_EVERY_SECONDS", 0.05)
    assert run(*world.at("backup", "--no-lock")).code == 0
    world.events.pop()
    _hold(world, ago_seconds=20, name="zenctl-changes")
    world.special[f"{LEASES}/zenctl-changes"] = _renewed(world)
    ran = run(*world.at("restore", "latest", "--yes"))
    assert (ran.code, ran.stdout) == (4, "")
    assert "another cleanup or restore is running: lease zen-system/zenctl-changes is held by" in ran.complaint
    assert {request.path for request in world.server.requests if request.method != "GET"} == {REVIEWS}


def test_a_restore_whose_lease_is_taken_away_stops(world, monkeypatch):
    assert run(*world.at("backup", "--no-lock")).code == 0
    world.events.pop()
    monkeypatch.setattr("zenctl.unattended.lease.HeldLease.check", _refuse)
    ran = run(*world.at("restore", "latest", "--yes"))
    assert (ran.code, ran.complaint) == (4, "lease is lost")
    assert not [request for request in world.server.requests if request.method == "POST" and EVENTS in request.path]
    assert world.lease is not None
    assert world.lease["spec"]["holderIdentity"] is None


def test_a_restore_that_writes_nothing_asks_for_no_lease(world):
    assert run(*world.at("backup", "--no-lock")).code == 0
    assert run(*world.at("restore", "latest", "--yes")).code == 0
    assert not [asked for asked in world.server.asked() if LEASES in asked]


def _refuse(_lease: object) -> None:
    from zenctl.errors import Refused

    raise Refused("lease is lost")


def test_a_cluster_that_no_longer_answers_is_not_waited_for_twice(watched, monkeypatch):
    monkeypatch.setattr("zenctl.cli.session._BRIEF_SECONDS", 0.2)
    never = threading.Event()
    watched.special[CONFIG_MAPS] = failure(403, "no", "Forbidden")
    watched.special[f"{LEASES}/zenctl-backup"] = lambda request: (
        Answer(wait=never) if request.method == "PUT" else failure(404, "none", "NotFound")
    )
    try:
        ran = run(*watched.at("backup", "--event"))
    finally:
        never.set()
    assert ran.code == 6
    assert ran.stderr.startswith("zenctl: could not give the lease back: cannot replace lease")
    assert _told(watched) == []


# -- metrics -----------------------------------------------------------------------------------------------


def test_metrics_tell_of_success_and_then_of_failure(world):
    file = world.folder / "zenctl.prom"
    at = world.at("backup", "--metrics-file", file, "--cluster-name", "prod-eu")
    assert run(*at).code == 0
    good = _metrics(file)
    assert (good[BACKUP_LAST_EXIT_CODE], good[BACKUP_OBJECTS]) == (0, 5)
    assert abs(good[BACKUP_LAST_SUCCESS] - datetime.now(UTC).timestamp()) < 60
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    world.special[EVENTS] = failure(403, "no", "Forbidden")
    assert run(*at).code == 6
    bad = _metrics(file)
    assert bad[BACKUP_LAST_EXIT_CODE] == 6
    assert bad[BACKUP_LAST_RUN] > good[BACKUP_LAST_RUN]
    assert (bad[BACKUP_LAST_SUCCESS], bad[BACKUP_OBJECTS]) == (good[BACKUP_LAST_SUCCESS], 5)
    assert [path.name for path in world.folder.iterdir() if "prom" in path.name] == ["zenctl.prom"]


def test_an_incomplete_backup_is_no_success(world):
    file = world.folder / "zenctl.prom"
    world.special[CONFIG_MAPS] = failure(403, "no", "Forbidden")
    assert run(*world.at("backup", "--metrics-file", file, "--cluster-name", "prod-eu")).code == 6
    assert BACKUP_LAST_SUCCESS not in _metrics(file)


def test_even_a_usage_error_shows(world):
    file = world.folder / "zenctl.prom"
    at = ("backup", "--kubeconfig", world.kubeconfig, "--store", "s4://x", "--cluster-name", "prod-eu")
    assert run(*at, "--metrics-file", file).code == 2
    assert _metrics(file)[BACKUP_LAST_EXIT_CODE] == 2


def test_without_a_name_the_cluster_is_called_by_its_uid(world):
    file = world.folder / "zenctl.prom"
    assert run(*world.at("backup", "--metrics-file", file)).code == 0
    assert set(parse(file.read_bytes())) == {Labels("cluster-uid", "backup")}


def test_a_verification_tells_when_it_found_a_backup_sound(world):
    file = world.folder / "zenctl.prom"
    more = ("--metrics-file", file)
    assert run(*world.at("backup", *more, "--cluster-name", "prod-eu")).code == 0
    assert run(*world.at("backup", "verify", "--level", "1", "--cluster", "prod-eu", *more)).code == 0
    assert BACKUP_LAST_VERIFIED not in _metrics(file)
    assert run(*world.at("backup", "verify", "--cluster", "prod-eu", *more)).code == 0
    verified = _metrics(file)[BACKUP_LAST_VERIFIED]
    assert abs(verified - datetime.now(UTC).timestamp()) < 60
    (archive,) = world.store.glob("*.tar")
    data = bytearray(archive.read_bytes())
    data[512 + 40] ^= 1
    archive.write_bytes(bytes(data))
    assert run(*world.at("backup", "verify", "--cluster", "prod-eu", *more)).code == 8
    assert _metrics(file)[BACKUP_LAST_VERIFIED] == verified


def test_a_backup_that_was_read_back_is_verified_and_so_are_those_of_a_whole_store(world):
    file = world.folder / "zenctl.prom"
    more = ("--metrics-file", file)
    assert run(*world.at("backup", "--verify", *more, "--cluster-name", "prod-eu")).code == 0
    found = _metrics(file)
    assert found[BACKUP_LAST_VERIFIED] == found[BACKUP_LAST_SUCCESS]
    assert run(*world.at("backup", "--cluster-name", "prod-us")).code == 0
    assert run(*world.at("backup", "verify", "--all", *more)).code == 0
    both = parse(file.read_bytes())
    assert set(both) == {LABELS, Labels("prod-us", "backup")}
    assert all(BACKUP_LAST_VERIFIED in values for values in both.values())
    before = file.read_bytes()
    assert run(*world.at("backup", "verify", "--slice", "1/7", *more)).code == 0
    assert file.read_bytes() == before


def test_metrics_that_cannot_be_written_do_not_make_a_backup_bad(world):
    (world.folder / "a-file").write_text("")
    ran = run(*world.at("backup", "--metrics-file", world.folder / "a-file" / "x.prom"), "-q")
    assert ran.code == 0
    assert ran.stderr.startswith("zenctl: could not write metrics: cannot ")


def test_a_file_that_nobody_would_read_is_refused(world):
    ran = run(*world.at("backup", "--metrics-file", "zenctl.txt"))
    assert (ran.code, "does not end in .prom" in ran.complaint) == (2, True)
    assert world.server.requests == []


def test_metrics_are_pushed(world, monkeypatch):
    with serving() as pushgateway:
        pushgateway.otherwise = Answer(200)
        environ = environment(ZENCTL_PUSH_METRICS=pushgateway.url, ZENCTL_CLUSTER="prod/eu")
        assert run(*world.at("backup"), environ=environ).code == 0
        (request,) = pushgateway.requests
        assert (request.method, request.target) == (
            "POST", "/metrics/job/zenctl_backup/cluster@base64/cHJvZC9ldQ==/set/backup",
        )  # fmt: skip
        assert set(parse(request.body)) == {Labels("prod/eu", "backup")}
        pushgateway.otherwise = Answer(500)
        ran = run(*world.at("backup"), environ=environ)
        assert (ran.code, ran.complaint.partition(":")[0]) == (0, "could not write metrics")
        assert run(*world.at("backup", "--push-metrics", "nowhere")).code == 2


# -- the Event ---------------------------------------------------------------------------------------------


def test_a_failure_in_a_pod_is_an_event(watched):
    pod = environment(KUBERNETES_SERVICE_HOST="10.0.0.1")
    assert run("backup", "--kubeconfig", watched.kubeconfig, environ=pod).code == 2
    (event,) = _told(watched)
    assert (event["type"], event["reason"], event["involvedObject"]["name"]) == (
        "Warning", "BackupFailed", "zen-watcher",
    )  # fmt: skip
    assert event["message"] == "exit code 2: inside a pod there is no default place for backups"


def test_a_failure_is_an_event_where_one_is_wanted_only(watched):
    watched.special[EVENTS] = failure(403, "no\nway", "Forbidden")
    assert run(*watched.at("backup")).code == 6
    assert run(*watched.at("backup", "--no-event")).code == 6
    assert _told(watched) == []
    assert run(*watched.at("backup", "--event")).code == 6
    (event,) = _told(watched)
    assert event["message"] == r"exit code 6: cannot list zenevents.zen.kube-zen.io: no\nway"


def test_success_is_no_event(watched):
    assert run(*watched.at("backup", "--event")).code == 0
    assert _told(watched) == []


@pytest.mark.parametrize("answered", [failure(403, "no events", "Forbidden"), failure(500), Answer(reset=True)])
def test_an_event_that_cannot_be_written_changes_nothing(watched, answered):
    watched.special[CORE_EVENTS] = answered
    watched.special[EVENTS] = failure(403, "no", "Forbidden")
    ran = run(*watched.at("backup", "--event"))
    assert (ran.code, complaints(ran.stderr)[-1]) == (6, "zenctl: cannot list zenevents.zen.kube-zen.io: no")
    assert ran.stderr.startswith("zenctl: could not write an Event: ")


def test_a_bug_in_the_telling_changes_nothing_either(watched, monkeypatch):
    monkeypatch.setattr("zenctl.unattended.event.tell", lambda *_: 1 / 0)
    watched.special[EVENTS] = failure(403, "no", "Forbidden")
    ran = run(*watched.at("backup", "--event"))
    assert (ran.code, ran.stderr.splitlines()[0]) == (6, "zenctl: could not write an Event: ZeroDivisionError")


# -- the deadline of its job -------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_leaves_everything_in_order(watched, sent):
    world, file = watched, watched.folder / "zenctl.prom"
    more = ("--metrics-file", file, "--cluster-name", "prod-eu", "--event")
    assert run(*world.at("backup", *more)).code == 0
    archives = sorted(path.name for path in world.store.iterdir())
    good = _metrics(file)
    reached, never = threading.Event(), threading.Event()

    def stall(_request: object) -> Answer:
        reached.set()
        return Answer(wait=never)

    world.special[CONFIG_MAPS] = stall
    process = start_program(*world.at("backup", *more))
    try:
        assert reached.wait(30)
        process.send_signal(sent)
        never.set()
        _, stderr = process.communicate(timeout=30)
    finally:
        never.set()
        process.kill()
        process.wait()
    assert (process.returncode, stderr) == (130, "zenctl: interrupted\n")
    assert sorted(path.name for path in world.store.iterdir()) == archives
    assert world.lease is not None
    assert not world.lease["spec"]["holderIdentity"]
    bad = _metrics(file)
    assert (bad[BACKUP_LAST_EXIT_CODE], bad[BACKUP_LAST_SUCCESS]) == (130, good[BACKUP_LAST_SUCCESS])
    (event,) = _told(world)
    assert event["message"].startswith("exit code 130: interrupted")


def test_killed_it_leaves_the_earlier_backup_and_a_lease_that_runs_out(world):
    assert run(*world.at("backup")).code == 0
    archives = sorted(path.name for path in world.store.iterdir())
    reached, never = threading.Event(), threading.Event()

    def stall(_request: object) -> Answer:
        reached.set()
        return Answer(wait=never)

    world.special[CONFIG_MAPS] = stall
    process = start_program(*world.at("backup"))
    try:
        assert reached.wait(30)
    finally:
        process.kill()
        process.communicate()
        never.set()
    del world.special[CONFIG_MAPS]
    listed = json.loads(run(*world.at("backup", "list"), "-o", "json").stdout)["data"]["archives"]
    assert [archive["name"] for archive in listed] == archives
    assert world.lease is not None
    assert world.lease["spec"]["holderIdentity"]
    world.lease["spec"]["renewTime"] = micro_time(datetime.now(UTC) - timedelta(seconds=73))
    ran = run(*world.at("backup"))
    assert (ran.code, "seeing whether its holder lives" in ran.stderr) == (0, True)

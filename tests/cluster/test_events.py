"""The triage desk on a whole API server: watching over cuts and compaction, and settling beside another editor."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.apiserver import Answer, serving
from tests.cluster.controlplane import ControlPlane
from tests.fakes import NOW, SilentProgress
from tests.kube.ports_suite import Place
from zenctl.core.observation import GROUP
from zenctl.errors import ExitCode
from zenctl.events.apply import settle_planned
from zenctl.events.plan import Plan, Planner, plan_of
from zenctl.events.run import EventsPorts
from zenctl.events.scan import scan
from zenctl.events.select import Filter
from zenctl.events.settle import Action, Decision
from zenctl.kube.connect import Connection, ConnectOptions
from zenctl.kube.discovery import Discovery
from zenctl.kube.gateway import Gateway
from zenctl.kube.http import Client
from zenctl.kube.workers import Workers
from zenctl.ports import ListQuery

DECISION = Decision(Action.RESOLVE, NOW, "ann", "patched")
OBJECTS = 60


@pytest.fixture
def client(kubeconfig: Path) -> Iterator[Client]:
    """Give the administrator's client."""
    made = Client(Connection(ConnectOptions(kubeconfig=str(kubeconfig)), {}), timeout_seconds=30, user_agent="test")
    yield made
    made.close()


@pytest.fixture
def place(client: Client, namespace: str, observation_crd: object) -> Place:
    """Give an empty namespace for Observations."""
    return Place(Gateway(client), Discovery(client).resolve("ze"), namespace)


def write_status(place: Place, name: str, **status: Any) -> None:
    """Write parts of a status, as the watcher does, which is bound to nothing."""
    gateway = place.cluster
    assert isinstance(gateway, Gateway)
    body = json.dumps({"status": status}).encode()
    gateway.patch(place.resource, place.key(name), body, subresource="status")


# -- watching --------------------------------------------------------------------------------------------------


class Watch:
    """``zenctl events watch`` as a program, its rows read as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.rows: list[dict[str, Any]] = []

    def expect(self, *names: str) -> list[str]:
        """Read one row for each name, in any order; return what happened to them, in order of names."""
        came = [self._row() for _ in names]
        assert sorted(row["name"] for row in came) == sorted(names)
        return [row["change"] for row in sorted(came, key=lambda row: names.index(row["name"]))]

    def _row(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.rows.append(json.loads(line))
        return self.rows[-1]

    def stop(self, sent: signal.Signals = signal.SIGINT) -> str:
        """Stop it; return what it said on stderr. Nothing must have come that was not expected."""
        self.process.send_signal(sent)
        rest, said = self.process.communicate(timeout=30)
        assert (self.process.returncode, rest) == (130, ""), said
        assert "Traceback" not in said
        states = [(row["uid"], row["resourceVersion"]) for row in self.rows]
        assert len(states) == len(set(states))
        return said


@contextmanager
def watching(kubeconfig: Path, namespace: str, *more: str) -> Iterator[Watch]:
    command = [sys.executable, "-W", "error", "-m", "zenctl", "events", "watch", "-o", "json", "-n", namespace, *more]
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": str(kubeconfig)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True) as run:
        try:
            yield Watch(run)
        finally:
            run.kill()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_what_happens_is_shown_as_it_happens_until_it_is_stopped(kubeconfig, place, sent):
    place.create("there")
    with watching(kubeconfig, place.namespace, "--initial", "--change", "added,phase,changed,deleted") as watch:
        assert watch.expect("there") == ["present"]
        place.create("new")
        assert watch.expect("new") == ["added"]
        write_status(place, "new", phase="Acknowledged")
        assert watch.expect("new") == ["phase"]
        assert watch.rows[-1]["phaseBefore"] == "Active"
        write_status(place, "new", count=2)
        assert watch.expect("new") == ["changed"]
        found = place.document("new")["metadata"]
        place.cluster.delete(
            place.resource, place.key("new"), uid=found["uid"], resource_version=found["resourceVersion"]
        )
        assert watch.expect("new") == ["deleted"]
        watch.stop(sent)


def test_without_more_it_begins_with_nothing(kubeconfig, place):
    place.create("there")
    names = (f"new-{number}" for number in range(10**6))
    with watching(kubeconfig, place.namespace) as watch, editing(lambda _rng: _slowly(place.create, next(names))):
        assert watch.process.stdout is not None
        row = json.loads(watch.process.stdout.readline())
    assert (row["change"], row["name"].startswith("new-")) == ("added", True)


def _slowly(create: Callable[[str], object], name: str) -> None:
    create(name)
    time.sleep(0.2)


def test_a_watch_for_a_while_ends_by_itself(kubeconfig, place):
    place.create("there")
    with watching(kubeconfig, place.namespace, "--for", "1s") as watch:
        assert watch.process.communicate(timeout=30)[0] == ""
        assert watch.process.returncode == 0


def test_a_selector_that_no_server_takes_is_a_usage_error(kubeconfig, place):
    with watching(kubeconfig, place.namespace, "-l", "a=(") as watch:
        assert watch.process.wait(timeout=30) == 2


def test_cuts_lose_nothing_and_repeat_nothing(control_plane: ControlPlane, place, tmp_path):
    config = json.loads(control_plane.kubeconfig().read_text())
    with serving() as proxy:
        proxy.otherwise = Answer(200)
        config["clusters"][0]["cluster"]["proxy-url"] = proxy.url
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(config))
        place.create("first")
        with watching(path, place.namespace, "--initial") as watch:
            watch.expect("first")
            for number in range(4):
                names = (f"a{number}", f"b{number}")
                for name in names:
                    place.create(name)
                assert watch.expect(*names) == ["added", "added"]
                proxy.cut()
            watch.stop()


def test_after_compaction_it_lists_again_and_shows_only_what_is_new(control_plane: ControlPlane, place, kubeconfig):
    """While the program sleeps, the server is changed, compacted and restarted, so that it forgets what it knew."""
    place.create("kept")
    place.create("settled")
    more = ("--initial", "-v", "--change", "added,phase,changed")
    with watching(kubeconfig, place.namespace, *more) as watch:
        watch.expect("kept", "settled")
        place.create("live")
        watch.expect("live")
        watch.process.send_signal(signal.SIGSTOP)
        place.create("meanwhile")
        write_status(place, "settled", phase="Resolved")
        _forget(control_plane)
        watch.process.send_signal(signal.SIGCONT)
        assert watch.expect("meanwhile", "settled") == ["added", "phase"]
        place.create("after")
        assert watch.expect("after") == ["added"]
        said = watch.stop()
    lists = [line for line in said.splitlines() if "zenevents?limit" in line and " 200 " in line]
    assert len(lists) >= 2, said


def _forget(control_plane: ControlPlane) -> None:
    control_plane.request(
        "POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"generateName": "moves-on-"}}
    )
    control_plane.compact()
    control_plane.restart_apiserver()


# -- settling a selection --------------------------------------------------------------------------------------


@pytest.fixture
def ports(client: Client) -> EventsPorts:
    """Give everything that settling needs."""
    gateway = Gateway(client)
    return EventsPorts(Discovery(client), gateway, gateway, Workers(client.pressure), SilentProgress())


def planned(ports: EventsPorts, place: Place) -> Plan:
    found = scan(ports, GROUP, ListQuery(place.namespace), lambda: Planner(DECISION, Filter()))
    return plan_of(DECISION, found.tallies)


def phases(place: Place) -> dict[str, str]:
    documents = [place.document(name) for name in place.names()]
    return {each["metadata"]["name"]: each.get("status", {}).get("phase", "Active") for each in documents}


def test_a_selection_is_settled_and_a_second_run_finds_nothing_to_do(ports, place):
    for number in range(OBJECTS):
        place.create(f"n{number:02}")
    applied = settle_planned(ports, planned(ports, place))
    assert (applied.settled, applied.verdict) == (OBJECTS, ExitCode.GOOD)
    assert set(phases(place).values()) == {"Resolved"}
    (condition,) = place.document("n07")["status"]["conditions"]
    assert (condition["type"], condition["message"]) == ("Resolved", "patched (ann)")
    before = [place.document(name) for name in place.names()]
    again = settle_planned(ports, planned(ports, place))
    assert (again.plan.targets, again.settled) == ((), 0)
    assert [place.document(name) for name in place.names()] == before


def test_what_another_editor_changed_after_the_plan_is_left_alone(ports, place):
    for number in range(9):
        place.create(f"n{number}")
    plan = planned(ports, place)
    for name in ("n2", "n5"):
        write_status(place, name, count=7)
    applied = settle_planned(ports, plan)
    assert sorted(target.row.name for target in applied.changed) == ["n2", "n5"]
    assert applied.verdict is ExitCode.PARTIAL
    found = phases(place)
    assert {name for name, phase in found.items() if phase != "Resolved"} == {"n2", "n5"}
    assert place.document("n2")["status"] == {"count": 7, **_defaults(place)}


def _defaults(place: Place) -> dict[str, Any]:
    """Return what the CRD's schema adds to a status by itself."""
    place.create("defaults")
    write_status(place, "defaults", count=7)
    status: dict[str, Any] = place.document("defaults")["status"]
    return {name: value for name, value in status.items() if name != "count"}


def test_no_write_of_a_concurrent_editor_is_lost(ports, place):
    """The editor counts sightings all the while; whatever is settled or left, its last count stands."""
    names = [f"n{number:02}" for number in range(OBJECTS)]
    for name in names:
        place.create(name)
    plan = planned(ports, place)
    counts: dict[str, int] = {}
    with editing(lambda rng: _count(place, counts, rng.choice(names))):
        applied = settle_planned(ports, plan)
    assert applied.failures == ()
    assert applied.settled + len(applied.changed) == OBJECTS
    changed = {target.row.name for target in applied.changed}
    for name in names:
        status = place.document(name).get("status", {})
        assert status.get("count") == counts.get(name)
        assert (status.get("phase", "Active") == "Resolved") is (name not in changed)


def _count(place: Place, counts: dict[str, int], name: str) -> None:
    write_status(place, name, count=counts.get(name, 0) + 1)
    counts[name] = counts.get(name, 0) + 1


@contextmanager
def editing(edit: Callable[[random.Random], None]) -> Iterator[None]:
    """Let somebody else write, one write after another, for as long as the block runs."""
    ended, rng = threading.Event(), random.Random(7)

    def run() -> None:
        while not ended.is_set():
            edit(rng)

    editor = threading.Thread(target=run)
    editor.start()
    try:
        yield
    finally:
        ended.set()
        editor.join()


# -- who may do what -------------------------------------------------------------------------------------------

MAY_READ = [{"apiGroups": [GROUP], "resources": ["*"], "verbs": ["get", "list"]}]


def zenctl(kubeconfig: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "zenctl", "events", *words]
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": str(kubeconfig)}
    return subprocess.run(
        command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
    )


def test_who_may_only_read_observations_is_told_what_is_unknown_and_settles_nothing(place, restricted_kubeconfig):
    body = json.loads(place.body("one"))
    body["spec"]["resource"] = {"apiVersion": "v1", "kind": "Pod", "name": "web-0"}
    place.cluster.create(place.resource, place.namespace, json.dumps(body).encode())
    place.create("two")
    limited = restricted_kubeconfig(MAY_READ)

    shown = zenctl(limited, "show", f"{place.namespace}/one", "-o", "json")
    (around,) = json.loads(shown.stdout)["data"]["around"]
    assert (shown.returncode, around["resource"]["existence"], around["others"]["total"]) == (0, "unknown", 0)
    assert "cannot get resource" in around["resource"]["why"]

    settled = zenctl(limited, "resolve", "-n", place.namespace, "--yes", "-o", "json")
    said = json.loads(settled.stdout)["data"]
    assert (settled.returncode, said["settled"], len(said["failed"])) == (6, 0, 2)
    assert set(phases(place).values()) == {"Active"}


def test_a_pod_that_is_not_there_is_gone(kubeconfig, place):
    body = json.loads(place.body("one"))
    body["spec"]["resource"] = {"apiVersion": "v1", "kind": "Pod", "name": "web-0"}
    place.cluster.create(place.resource, place.namespace, json.dumps(body).encode())
    shown = zenctl(kubeconfig, "show", f"{place.namespace}/one", "-o", "json")
    (around,) = json.loads(shown.stdout)["data"]["around"]
    assert (shown.returncode, around["resource"]["existence"]) == (0, "gone")

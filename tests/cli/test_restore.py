"""Restores from the command line: choosing, planning and applying, pausing the watcher, and what is refused."""

from __future__ import annotations

import json
import stat
from typing import Any

import pytest

from tests.apiserver import Answer, answer
from tests.cli.runner import Ran, run
from tests.cli.world import EVENTS
from zenctl.errors import ExitCode

DEPLOYMENTS = "/apis/apps/v1/namespaces/zen-system/deployments"


@pytest.fixture
def backup(world):
    assert run(*world.at("backup")).code == 0
    world.events.clear()
    return world


def data(ran: Ran) -> Any:
    return json.loads(ran.stdout)["data"]


def failed(ran: Ran, code: ExitCode, said: str) -> None:
    assert ran.code == code, ran.stderr + ran.stdout
    assert said in ran.complaint
    assert ran.hint


def restore(world, *more, what="latest") -> Ran:
    return run(*world.at("restore", *((what,) if what else ()), *more), "-o", "json")


@pytest.mark.parametrize(
    ("more", "writes"),
    [
        ((), 3),
        (("--name", "team-a/o-1"), 1),
        (("--name", "o-0", "--name", "o-2"), 2),
        (("--only", "observation", "-n", "team-a"), 3),
        (("-l", "severity=high"), 3),
        (("--since", "2019-01-01T00:00:00Z", "--until", "2021-01-01T00:00:00Z"), 3),
        (("--map-namespace", "team-a=zen-system"), 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_part_can_be_chosen(backup, more, writes):
    ran = restore(backup, "--dry-run", *more)
    assert ran.code == 0, ran.stderr
    assert data(ran)["writes"] == writes


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--name", "team-a/nobody"), ExitCode.REFUSED, "matches the selection"),
        (("-l", "severity=none"), ExitCode.REFUSED, "matches the selection"),
        (("-l", "a b"), ExitCode.USAGE, "--selector"),
        (("--only", "pod"), ExitCode.USAGE, "holds nothing to restore of kind pod"),
        (("--only", "helm"), ExitCode.USAGE, "holds nothing to restore of kind helm"),
        (("--since", "yesterday"), ExitCode.USAGE, "--since"),
        (("--map-namespace", "team-a"), ExitCode.USAGE, "--map-namespace"),
        (("--map-namespace", "nowhere=x"), ExitCode.USAGE, "--map-namespace: nothing in the selection"),
        (("--plan", "p", "--apply", "p"), ExitCode.USAGE, "both --plan and --apply"),
        (("--plan", "p", "--dry-run"), ExitCode.USAGE, "both --plan and --dry-run"),
        (("--apply", "/no/such/plan"), ExitCode.USAGE, "there is no plan"),
        (("--apply", "/no/such/plan", "--only", "pod"), ExitCode.USAGE, "were given with --apply"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_said(backup, more, code, said):
    failed(restore(backup, *more), code, said)


def test_a_file_gives_what_is_asked_for_and_an_archive_too(backup, tmp_path):
    file = tmp_path / "a.json"
    file.write_text(
        '{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "team-a"}}'
    )
    (row,) = data(restore(backup, "--dry-run", what=file))["leftOut"]
    assert row["why"] == "only where it is asked for: --only deployment"
    failed(restore(backup, "--only", "Deployment", what=file), ExitCode.REFUSED, "the cluster serves no Deployment")
    other = data(run(*backup.at("backup", "--plaintext"), "-o", "json"))["archive"]["id"]
    (batch,) = data(restore(backup, "--only", "helm", "--dry-run", what=other))["batches"]
    assert (batch["share"], batch["actions"]) == ("helm", {"skip": 1})


def test_nothing_named_is_said(backup):
    failed(restore(backup, what=""), ExitCode.USAGE, "no ARCHIVE to restore was named")


def test_a_plan_is_kept_and_done(backup, tmp_path):
    plan = tmp_path / "plan.ndjson"
    ran = restore(backup, "--plan", plan)
    assert ran.code == 0, ran.stderr
    assert (data(ran)["writes"], data(ran)["planFile"]) == (3, str(plan))
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in plan.read_text().splitlines()]
    assert [line.get("action") for line in lines[1:-1]] == ["create"] * 3 + ["skip"]
    assert not [asked for asked in backup.server.asked() if asked.startswith(("POST " + EVENTS, "PUT " + EVENTS))]

    backup.special["POST " + EVENTS.replace("zenevents", "namespaces/team-a/zenevents")] = Answer(
        201, b'{"metadata": {"name": "o", "namespace": "team-a", "uid": "u", "resourceVersion": "9"}}'
    )
    for number in range(3):
        path = EVENTS.replace("zenevents", f"namespaces/team-a/zenevents/o-{number}/status")
        backup.special["PUT " + path] = Answer(
            200, b'{"metadata": {"name": "o"}, "status": {"phase": "Resolved", "count": 3}}'
        )
    refused = restore(backup, "--apply", plan, what="")
    assert refused.code == ExitCode.REFUSED, "nobody confirmed"
    done = restore(backup, "--apply", plan, "--yes", what="")
    assert done.code == 0, done.stderr
    assert data(done)["batches"][0]["done"] == {"created": 3}


def test_a_plan_that_the_cluster_has_left_behind_is_refused(backup, tmp_path, world):
    plan = tmp_path / "plan.ndjson"
    assert restore(backup, "--plan", plan).code == 0
    world.events.append({
        "apiVersion": "zen.kube-zen.io/v1alpha1", "kind": "Observation",
        "metadata": {"name": "o-1", "namespace": "team-a", "uid": "new", "resourceVersion": "77"},
    })  # fmt: skip
    failed(restore(backup, "--apply", plan, "--yes", what=""), ExitCode.REFUSED, "drifted since the plan")


def test_a_plan_of_another_backup_is_refused(backup, tmp_path):
    plan = tmp_path / "plan.ndjson"
    assert restore(backup, "--plan", plan).code == 0
    other = data(run(*backup.at("backup"), "-o", "json"))["archive"]["id"]
    failed(restore(backup, "--apply", plan, what=other), ExitCode.REFUSED, "the plan is for another source")


def test_a_plan_that_cannot_be_written_is_said_and_leaves_nothing(backup, tmp_path):
    failed(restore(backup, "--plan", tmp_path / "no" / "plan"), ExitCode.UNREACHABLE, "cannot write")
    assert list(tmp_path.glob("*plan*")) == []


def test_without_a_watcher_there_is_nothing_to_pause(backup):
    backup.groups = [
        *backup.groups,
        {"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
         "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"}},
    ]  # fmt: skip
    backup.special["/apis/apps/v1"] = answer(
        {"kind": "APIResourceList", "resources": [
            {"name": "deployments", "singularName": "deployment", "namespaced": True, "kind": "Deployment",
             "verbs": ["get", "list", "update"]}]}
    )  # fmt: skip
    backup.special[DEPLOYMENTS] = answer(
        {"kind": "DeploymentList", "metadata": {"resourceVersion": "1"}, "items": []}
    )
    failed(
        restore(backup, "--pause-watcher", "--yes"), ExitCode.REFUSED, "there is no watcher in namespace zen-system"
    )

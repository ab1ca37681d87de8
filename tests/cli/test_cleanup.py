"""zenctl cleanup on the command line: what it refuses, what it leaves behind, and what undo makes of that."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.apiserver import answer, failure
from tests.cli.runner import run
from tests.cli.world import EVENTS, LEASES, REVIEWS, World
from zenctl.product.metrics import CLEANUP_DELETED, CLEANUP_LAST_EXIT_CODE, CLEANUP_LAST_SUCCESS
from zenctl.unattended.metrics import Labels, parse

WEEK = ("cleanup", "--older-than", "7d")
CORE_EVENTS = "/api/v1/namespaces/zen-system/events"


def deletes(world: World) -> list[str]:
    return [asked for asked in world.server.asked() if asked.startswith("DELETE")]


def a_policy(folder: Path, text: str) -> Path:
    path = folder / "policy.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cleanup",), "neither --older-than nor --policy was given"),
        (("cleanup", "--older-than", "7"), "--older-than: '7' is not a duration: it has no unit"),
        (("cleanup", "--older-than", "-7d"), "--older-than: '-7d' is not a duration: it has a sign"),
        (("cleanup", "--older-than", "1mo"), "--older-than: '1mo' is not a duration: months and years"),
        (("cleanup", "--older-than", "999999999999d"), "--older-than: '999999999999d' is longer than time itself"),
        ((*WEEK, "--phase", "resolvd"), "--phase: 'resolvd' is none of Active"),
        ((*WEEK, "--max-percent", "half"), "--max-percent: 'half' is no number from 0 to 100"),
        ((*WEEK, "--max-percent", "101"), "--max-percent: '101' is no number from 0 to 100"),
        ((*WEEK, "--max-percent", "1/0"), "--max-percent: '1/0' is no number from 0 to 100"),
        ((*WEEK, "--qps", "0"), "--qps: 0.0 is no number of requests a second"),
        ((*WEEK, "--qps", "nan"), "--qps: nan is no number of requests a second"),
        ((*WEEK, "--policy", "/nowhere/p.yaml"), "both --older-than and --policy were given"),
        (("cleanup", "--policy", "/nowhere/p.yaml"), "there is no policy /nowhere/p.yaml"),
        ((*WEEK, "--encrypt-to", "age1bad"), "--encrypt-to"),
    ],
)
def test_a_wrong_command_line_is_refused_before_anything_is_asked(world, arguments, said):
    ran = run(*world.at(*arguments, "--yes"))
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.complaint.startswith(said) or said in ran.complaint
    assert world.server.asked() == []


def test_a_mistake_in_a_policy_is_named_with_its_line(world, tmp_path):
    path = a_policy(tmp_path, "rules:\n- phase: any\n  olderThan: 7\n")
    ran = run(*world.at("cleanup", "--policy", str(path), "--yes"))
    assert ran.code == 2
    assert ran.complaint.startswith(f"policy {path}, line 3: olderThan: '7' is not a duration")


def test_options_that_narrow_do_not_go_with_a_policy(world, tmp_path):
    path = a_policy(tmp_path, "rules:\n- {phase: any, olderThan: 7d}\n")
    ran = run(*world.at("cleanup", "--policy", str(path), "--severity", "low", "--yes"))
    assert (ran.code, ran.hint) == (2, "write them into its rules")


def test_a_policy_says_for_each_object_which_rule_it_was(world, tmp_path):
    path = a_policy(tmp_path, "rules:\n- {name: old ones, phase: any, olderThan: 7d}\n")
    data = json.loads(run(*world.at("cleanup", "--policy", str(path), "--dry-run"), "-o", "json").stdout)["data"]
    assert {found["rule"] for found in data["objects"]} == {"old ones"}
    assert all(found["reason"].startswith("old ones: Resolved, ") for found in data["objects"])
    assert data["scope"]["rules"][0]["toDelete"] == 3


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        (("--max-deletes", "2"), "--max-deletes 3 would allow it"),
        (("--min-remaining", "1"), "--min-remaining 0 would allow it"),
    ],
)
@pytest.mark.parametrize("confirmed", [("--yes",), ("--dry-run",)])
def test_a_tripped_brake_deletes_nothing_and_says_what_would_allow_it(world, option, hint, confirmed):
    ran = run(*world.at(*WEEK, *option, *confirmed), "-o", "json")
    assert (ran.code, json.loads(ran.stdout)["kind"]) == (4, "CleanupPlan")
    assert ran.complaint.endswith(": nothing was deleted")
    assert ran.hint == hint
    assert deletes(world) == []
    assert not world.store.exists() or list(world.store.iterdir()) == []


def test_it_leaves_an_archive_a_record_and_an_audit_log(world):
    ran = run(*world.at(*WEEK, "--yes"), "-o", "json")
    data = json.loads(ran.stdout)["data"]
    archive = data["undo"]["archive"]
    assert {path.name for path in world.store.iterdir()} == {archive, f"{archive}.run.json", "cleanup-audit.ndjson"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in world.store.iterdir())
    lines = [json.loads(line) for line in (world.store / "cleanup-audit.ndjson").read_text().splitlines()]
    assert sorted((line["name"], line["answer"]) for line in lines) == [(f"o-{n}", "deleted") for n in range(3)]
    assert ran.stderr == f"archived 3 Observations; zenctl cleanup undo {data['undo']['run'][:8]} brings them back\n"
    (row,) = json.loads(run(*world.at("cleanup", "runs"), "-o", "json").stdout)["data"]["runs"]
    assert (row["run"], row["deleted"], row["exitCode"]) == (data["undo"]["run"], 3, 0)
    assert row["rules"] == ["Resolved after 7d"]


def test_the_audit_log_and_the_candidates_go_where_they_are_told(world, tmp_path):
    log, found = tmp_path / "audit.log", tmp_path / "found.ndjson"
    more = ("--audit-log", str(log), "--candidates", str(found))
    assert run(*world.at(*WEEK, *more, "--dry-run")).code == 0
    assert not log.exists()
    assert [json.loads(line)["answer"] for line in found.read_text().splitlines()] == ["planned"] * 3
    assert run(*world.at(*WEEK, *more, "--yes")).code == 0
    assert len(log.read_text().splitlines()) == 3
    assert not (world.store / "cleanup-audit.ndjson").exists()


def test_an_audit_log_that_cannot_be_written_deletes_nothing(world, tmp_path):
    ran = run(*world.at(*WEEK, "--audit-log", str(tmp_path / "missing" / "log"), "--yes"))
    assert (ran.code, ran.stdout) == (5, "")
    assert ran.complaint.startswith(f"cannot write {tmp_path}/missing/log: ")
    assert deletes(world) == []
    assert list(world.store.glob("*.tar")) == []


def test_an_audit_log_of_somebody_else_deletes_nothing(world):
    world.store.mkdir()
    (world.store / "cleanup-audit.ndjson").mkdir()
    ran = run(*world.at(*WEEK, "--yes"))
    assert (ran.code, deletes(world)) == (5, [])
    assert ran.complaint.startswith("cannot write ")


def test_undo_creates_what_was_deleted_and_asks_first(world):
    run(*world.at(*WEEK, "--yes"))
    gone, world.events[:] = list(world.events), []
    world.server.requests.clear()
    ran = run(*world.at("cleanup", "undo", "latest"), "-o", "json")
    assert (ran.code, json.loads(ran.stdout)["kind"]) == (4, "RestorePlan")
    created: list[Any] = []

    def create(request: Any) -> Any:
        created.append(json.loads(request.body))
        return answer({**created[-1], "metadata": {**created[-1]["metadata"], "uid": "n", "resourceVersion": "50"}})

    world.special[f"POST {EVENTS.replace('zenevents', 'namespaces/team-a/zenevents')}"] = create
    rejects = ("--rejects", str(world.folder / "rejects.ndjson"))
    ran = run(*world.at("cleanup", "undo", "latest", "--yes", *rejects), "-o", "json")
    assert sorted(found["metadata"]["name"] for found in created) == [found["metadata"]["name"] for found in gone]


def test_undo_of_an_unknown_run_says_what_there_is(world):
    run(*world.at(*WEEK, "--yes"))
    ran = run(*world.at("cleanup", "undo", "ffffffff", "--yes"))
    assert (ran.code, ran.complaint) == (4, "no cleanup 'ffffffff' in the store")
    assert ran.hint.startswith("there are ")


def test_latest_never_means_an_undo_archive(world):
    run(*world.at(*WEEK, "--yes"))
    ran = run(*world.at("restore", "latest", "--yes"))
    assert (ran.code, ran.complaint) == (4, "no complete backup of cluster cluster-uid in the store")


def test_who_may_not_delete_ends_with_6_and_writes_nothing(world):
    world.special[REVIEWS] = answer({"status": {"allowed": False}})
    ran = run(*world.at(*WEEK, "--yes"))
    assert (ran.code, ran.stdout) == (6, "")
    assert ran.complaint == "cannot delete zenevents.zen.kube-zen.io in team-a: the server does not allow it"
    assert "verbs [get, list, watch, delete]" in ran.hint
    assert not world.store.exists() or list(world.store.iterdir()) == []


def test_a_permission_revoked_half_way_ends_with_6_and_a_truthful_summary(world):
    one = f"{EVENTS.replace('zenevents', 'namespaces/team-a/zenevents')}/o-1"
    world.special[f"DELETE {one}"] = failure(403, "zenevents is forbidden", "Forbidden")
    ran = run(*world.at(*WEEK, "--yes"), "-o", "json")
    data = json.loads(ran.stdout)["data"]
    assert (ran.code, data["deleted"], data["failedCount"]) == (6, 2, 1)
    (row,) = json.loads(run(*world.at("cleanup", "runs"), "-o", "json").stdout)["data"]["runs"]
    assert (row["exitCode"], row["deleted"], row["failed"]) == (6, 2, 1)


def test_some_that_fail_end_with_3(world):
    one = f"{EVENTS.replace('zenevents', 'namespaces/team-a/zenevents')}/o-1"
    world.special[f"DELETE {one}"] = failure(422, "a webhook says no", "Invalid")
    ran = run(*world.at(*WEEK, "--yes"), "-o", "json")
    assert (ran.code, json.loads(ran.stdout)["data"]["deleted"]) == (3, 2)


def test_it_works_under_a_lease_and_gives_it_back(world):
    assert run(*world.at(*WEEK, "--yes")).code == 0
    assert world.lease is not None
    assert world.lease["metadata"]["name"] == "zenctl-changes"
    assert world.lease["spec"]["holderIdentity"] is None
    world.server.requests.clear()
    assert run(*world.at(*WEEK, "--yes", "--no-lock")).code == 0
    assert not [asked for asked in world.server.asked() if LEASES in asked]


def test_metrics_tell_what_it_did_and_an_event_what_went_wrong(world, tmp_path):
    file = tmp_path / "cleanup.prom"
    told = ("--metrics-file", str(file), "--event")
    assert run(*world.at(*WEEK, "--yes", *told), "--cluster-name", "prod").code == 0
    good = parse(file.read_bytes())[Labels("prod")]
    assert (good[CLEANUP_DELETED], good[CLEANUP_LAST_EXIT_CODE]) == (3, 0)
    assert run(*world.at(*WEEK, "--yes", "--max-deletes", "0", *told), "--cluster-name", "prod").code == 4
    bad = parse(file.read_bytes())[Labels("prod")]
    assert (bad[CLEANUP_LAST_EXIT_CODE], bad[CLEANUP_LAST_SUCCESS]) == (4, good[CLEANUP_LAST_SUCCESS])
    (event,) = [json.loads(r.body) for r in world.server.requests if r.path == CORE_EVENTS]
    assert event["reason"] == "CleanupFailed"
    assert "3 Observations are more than --max-deletes 0" in event["message"]


def test_a_dry_run_tells_nobody(world, tmp_path):
    file = tmp_path / "cleanup.prom"
    told = ("--metrics-file", str(file), "--event", "--max-deletes", "0")
    assert run(*world.at(*WEEK, "--dry-run", *told)).code == 4
    assert not file.exists()
    assert not [r for r in world.server.requests if r.path == CORE_EVENTS]


def test_the_cutoff_is_an_instant_with_its_zone(world):
    facts = run(*world.at(*WEEK, "--dry-run")).stdout.splitlines()
    (cutoff,) = [line for line in facts if line.startswith("cutoff")]
    assert cutoff.endswith("Z")

"""How commands end: one line that says what is wrong, a hint, the right code, and nothing else on stdout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.apiserver import Answer, failure, html
from tests.cli.runner import Ran, complaints, environment, run, run_program
from tests.cli.world import CONFIG_MAPS, EVENTS, REVIEWS, SECRETS, World
from zenctl.errors import ExitCode

CLEANUP = ("cleanup", "--older-than", "7d")
DENIED = failure(403, 'zenevents is forbidden: User "x" cannot list resource', "Forbidden")


def refused(ran: Ran, code: ExitCode, said: str, *, hint: bool = True) -> None:
    """Check that a command ended with one complaint and nothing else."""
    assert ran.code == code, ran.stderr
    assert said in ran.complaint
    assert len(complaints(ran.stderr)) == 1
    assert bool(ran.hint) or not hint, ran.stderr
    assert len(ran.stderr.splitlines()) <= 2, ran.stderr
    assert ran.stdout == ""
    assert not ran.complaint.endswith(".")


# -- the cluster ------------------------------------------------------------------------------------------------

EVENT_COMMANDS = tuple(
    ("events", *words.split())
    for words in ("list", "stats", "digest", "watch", "resolve --all", "ack --severity high")
)
CLUSTER_COMMANDS = (("backup",), CLEANUP, ("restore", "latest"), *EVENT_COMMANDS)


@pytest.mark.parametrize("command", CLUSTER_COMMANDS, ids=" ".join)
def test_an_unreachable_server_is_5(world, command):
    world.write_kubeconfig("http://127.0.0.1:9")
    refused(run(*world.at(*command)), ExitCode.UNREACHABLE, "connection refused")


@pytest.mark.parametrize("command", CLUSTER_COMMANDS, ids=" ".join)
def test_a_token_that_nobody_knows_is_6(world, command):
    world.write_kubeconfig(world.server.url, token="expired")
    refused(run(*world.at(*command)), ExitCode.DENIED, "does not accept these credentials")


@pytest.mark.parametrize("command", CLUSTER_COMMANDS, ids=" ".join)
def test_a_context_that_is_not_there_is_2(world, command):
    ran = run(*world.at(*command), "--context", "prod")
    refused(ran, ExitCode.USAGE, "no context named 'prod'")
    assert "test" in ran.hint


@pytest.mark.parametrize("command", [("backup",), CLEANUP, *EVENT_COMMANDS], ids=" ".join)
def test_a_cluster_without_the_crd_is_4(world, command):
    world.groups = []
    ran = run(*world.at(*command))
    refused(ran, ExitCode.REFUSED, "serves no resources of the group")
    assert "zenctl manifests crd" in ran.hint


@pytest.mark.parametrize("command", [("backup",), CLEANUP, *EVENT_COMMANDS], ids=" ".join)
def test_a_verb_that_is_forbidden_is_6(world, command):
    world.special[EVENTS] = DENIED
    refused(run(*world.at(*command)), ExitCode.DENIED, "forbidden")
    assert not list(world.store.glob("*.tar"))


def test_a_delete_that_is_forbidden_is_6_with_the_outcome(world):
    for event in world.events:
        path = EVENTS.replace("zenevents", "namespaces/team-a/zenevents") + "/" + event["metadata"]["name"]
        world.special[f"DELETE {path}"] = DENIED
    ran = run(*world.at(*CLEANUP), "--yes", "-o", "json")
    assert ran.code == ExitCode.DENIED
    assert len(json.loads(ran.stdout)["data"]["failed"]) == 3


def test_config_maps_that_are_forbidden_make_6_and_an_incomplete_backup(world):
    world.special[CONFIG_MAPS] = DENIED
    ran = run(*world.at("backup"), "-o", "json")
    assert ran.code == ExitCode.DENIED
    assert json.loads(ran.stdout)["data"]["archive"]["complete"] is False
    refused(run(*world.at("backup", "show", "latest")), ExitCode.REFUSED, "no complete backup")


@pytest.mark.parametrize("more", [("--include-secrets",), ("--require", "helm"), ("--require", "HELM,helm")])
def test_what_only_an_encrypted_archive_may_hold_is_refused_in_another(world, more):
    refused(run(*world.at("backup"), *more), ExitCode.REFUSED, "encrypted archive only")
    assert not list(world.store.glob("*"))


def test_a_backup_without_helm_is_good_and_says_so_in_its_last_line(world):
    world.special[SECRETS] = DENIED
    ran = run(*world.at("backup"))
    assert ran.code == ExitCode.GOOD
    assert "without Helm data" in ran.stdout.splitlines()[-1]
    assert "without Helm data" in run(*world.at("backup", "list")).stdout
    assert run(*world.at("backup", "verify")).code == ExitCode.GOOD
    assert "without Helm data" in run(*world.at("backup", "show", "latest")).stdout.splitlines()[-1]


def test_helm_data_goes_in_in_clear_where_that_is_said(world):
    ran = run(*world.at("backup", "--plaintext", "--require", "helm"))
    assert ran.code == ExitCode.GOOD, ran.stderr
    assert "secrets in clear" in ran.stdout.splitlines()[-1]
    assert run(*world.at("backup", "verify", "--level", "3")).code == ExitCode.GOOD
    words = ("backup", "show", "latest", "zen-system/zen-watcher.v1", "--kind", "HelmRevision", "-o", "json")
    shown = run(*world.at(*words))
    assert json.loads(shown.stdout)["data"]["object"]["values"].startswith("image:\n  tag: 1.2.3\n")
    asked = [request.query["fieldSelector"] for request in world.server.requests if request.path == SECRETS]
    assert set(asked) == {"type=helm.sh/release.v1"}


def test_secrets_that_are_forbidden_make_6_where_they_were_to_go_in(world):
    world.special[SECRETS] = DENIED
    ran = run(*world.at("backup", "--plaintext"), "-o", "json")
    assert ran.code == ExitCode.DENIED
    assert [row["what"] for row in json.loads(ran.stdout)["data"]["omissions"]] == ["secrets"]


def test_an_unknown_part_is_a_usage_error(world):
    refused(run(*world.at("backup"), "--require", "hlem"), ExitCode.USAGE, "none of helm", hint=False)


def test_a_failing_server_is_5(world):
    world.special[EVENTS] = failure(501, "etcdserver: leader changed")
    refused(run(*world.at("backup")), ExitCode.UNREACHABLE, "leader changed")


def test_a_proxys_page_is_5_and_is_not_quoted(world):
    world.special[EVENTS] = html(200)
    ran = run(*world.at(*CLEANUP))
    refused(ran, ExitCode.UNREACHABLE, "the answer is not what an API server sends")
    assert "secret-page" not in ran.stderr


def test_a_restore_that_may_not_write_is_6_before_it_writes(world):
    assert run(*world.at("backup")).code == 0
    world.server.requests.clear()
    world.events = []
    world.special[REVIEWS] = Answer(201, b'{"status": {"allowed": false}}')
    ran = run(*world.at("restore", "latest"), "--yes")
    assert ran.code == ExitCode.DENIED
    assert "may not create zenevents" in ran.complaint
    assert ran.hint
    assert len(complaints(ran.stderr)) == 1
    assert '  resources: ["zenevents"]' in ran.stdout, "the rules that would grant it"
    assert not [asked for asked in world.server.asked() if asked.startswith(("POST " + EVENTS, "PUT"))]


def test_a_machine_without_a_kubeconfig_is_2():
    refused(run("backup", "--store", "/nonexistent"), ExitCode.USAGE, "no cluster to talk to")


def test_a_kubeconfig_that_is_not_there_is_2(tmp_path):
    refused(run("backup", "--kubeconfig", tmp_path / "none"), ExitCode.USAGE, "does not exist")


# -- the store --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["file", "file/below", "/proc/zenctl"])
def test_a_target_that_cannot_be_written_is_no_bug(world, target):
    (world.folder / "file").write_text("in the way")
    world.store = world.folder / target
    ran = run(*world.at("backup"))
    assert ran.code in (ExitCode.UNREACHABLE, ExitCode.DENIED, ExitCode.REFUSED)
    refused(ran, ExitCode(ran.code), "cannot create")
    assert (world.folder / "file").read_text() == "in the way"


def test_a_full_disk_is_5_and_leaves_nothing(world):
    ran = run_program(*world.at("backup"), longest_file_bytes=2048)
    refused(ran, ExitCode.UNREACHABLE, "larger than")
    assert list(world.store.iterdir()) == []


def test_what_is_no_archive_is_8(world, tmp_path):
    fake = tmp_path / "fake.tar"
    fake.write_bytes(b"not an archive" * 1024)
    for command in ("show", "verify"):
        ran = run("backup", command, fake)
        assert ran.code == ExitCode.DAMAGED
    refused(run("backup", "show", fake), ExitCode.DAMAGED, "fake.tar")
    refused(run(*world.at("restore", fake, "--yes")), ExitCode.DAMAGED, "fake.tar")


def an_archive(world: World) -> Path:
    assert run(*world.at("backup")).code == 0
    (archive,) = world.store.glob("*.tar")
    return archive


@pytest.mark.parametrize("cut", [1, 512, 1024, 4096])
def test_a_truncated_archive_is_8_and_nothing_is_restored(world, cut):
    archive = an_archive(world)
    archive.write_bytes(archive.read_bytes()[:-cut])
    asked = len(world.server.requests)
    refused(run(*world.at("restore", archive, "--yes")), ExitCode.DAMAGED, archive.name)
    assert len(world.server.requests) == asked
    listed = run(*world.at("backup", "list"), "-o", "json")
    assert (listed.code, len(json.loads(listed.stdout)["data"]["unreadable"])) == (ExitCode.DAMAGED, 1)


@pytest.mark.parametrize("level", ["1", "2", "3"])
def test_verify_tells_damage_in_a_report_at_every_level(world, level):
    archive = an_archive(world)
    data = bytearray(archive.read_bytes())
    data[0] ^= 1
    archive.write_bytes(bytes(data))
    ran = run(*world.at("backup", "verify", archive, "--level", level), "-o", "json")
    assert ran.code == ExitCode.DAMAGED
    assert json.loads(ran.stdout)["findings"]


def test_a_bit_that_flipped_is_found_before_the_first_write(world):
    archive = an_archive(world)
    world.server.requests.clear()
    data = bytearray(archive.read_bytes())
    data[512 + 40] ^= 1  # in the first member
    archive.write_bytes(bytes(data))
    refused(run(*world.at("restore", archive, "--yes")), ExitCode.DAMAGED, archive.name)
    assert not [asked for asked in world.server.asked() if asked.startswith(("POST", "PUT"))]


def test_an_archive_that_is_not_there_is_4_and_says_what_there_is(world):
    archive = an_archive(world)
    ran = run(*world.at("backup", "show", "ffff"))
    refused(ran, ExitCode.REFUSED, "no archive 'ffff'")
    assert archive.name.rpartition("_")[2].removesuffix(".tar") in ran.hint


def test_latest_of_another_cluster_is_not_taken(world):
    an_archive(world)
    ran = run(*world.at("restore", "latest", "--yes"), "--cluster-name", "another")
    refused(ran, ExitCode.REFUSED, "no complete backup of cluster another")


@pytest.mark.parametrize("name", ["x" * 300, "a\x00b", "..", "/", "a/b/c.tar"])
def test_an_impossible_name_of_an_archive_is_no_bug(world, name):
    ran = run(*world.at("backup", "show", name))
    assert ran.code in (ExitCode.REFUSED, ExitCode.USAGE, ExitCode.UNREACHABLE), ran.stderr
    assert ran.stdout == ""


# -- the command line -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["7", "-1d", "1x", "1mo", "", "d", "0s", "1d1w", "99999999999999w", "\uff11d", "7 d"]
)
def test_a_bad_duration_is_2(world, text):
    refused(run(*world.at("cleanup", f"--older-than={text}")), ExitCode.USAGE, "--older-than")
    if text:  # an option that is given as nothing is as good as not given
        ran = run(*world.at("backup"), f"--request-timeout={text}")
        refused(ran, ExitCode.USAGE, "--request-timeout")
    assert world.server.requests == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("backup", "--no-such-flag"), "--no-such-flag"),
        (("cleanup",), "--older-than"),
        (("backup", "list", "-o", "toml"), "no output format 'toml'"),
        (("backup", "list", "extra"), "extra"),
        (("frobnicate",), "frobnicate"),
        (("backup", "frobnicate"), "frobnicate"),
        (("backup", "verify", "--level", "4"), "level"),
        (("cleanup", "--older-than", "7d", "--phase", "Done"), "'Done' is none of"),
        (("cleanup", "--older-than", "7d", "--severity", "bad"), "'bad' is none of"),
        (("cleanup", "--older-than", "7d", "--age-from", "birth"), "'birth' is none of"),
        (("restore", "latest", "--on-conflict", "merge"), "'merge' is none of"),
        (("restore", "none.yaml"), "there is no file none.yaml"),
        (("restore",), "ARCHIVE"),
        (("backup", "-n", "x", "list"), "--namespace belongs to"),
        (("backup", "--store", "ftp://bucket", "list"), "ftp://"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_a_wrong_command_line_is_2(arguments, said):
    refused(run(*arguments), ExitCode.USAGE, said, hint=False)


def test_a_file_that_is_neither_json_nor_yaml_is_2(world, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("a: 1\n\tb: 2\n")
    refused(run(*world.at("restore", bad)), ExitCode.USAGE, "line 2")


def test_a_folder_without_files_is_2(world, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(run(*world.at("restore", tmp_path / "empty")), ExitCode.USAGE, "holds no YAML or JSON files")


# -- confirmation -----------------------------------------------------------------------------------------------


def test_without_terminal_and_yes_the_plan_is_shown_and_refused(world):
    ran = run(*world.at(*CLEANUP), "-o", "json")
    assert (ran.code, json.loads(ran.stdout)["kind"]) == (ExitCode.REFUSED, "CleanupPlan")
    assert complaints(ran.stderr) == ["zenctl: not confirmed: this is only the plan"]
    assert "--yes" in ran.hint
    assert not [asked for asked in world.server.asked() if asked.startswith("DELETE")]


def test_a_dry_run_plans_and_is_0_even_with_yes(world):
    ran = run(*world.at(*CLEANUP), "--dry-run", "--yes", "-o", "json")
    assert (ran.code, json.loads(ran.stdout)["data"]["scope"]["planned"]) == (ExitCode.GOOD, 3)
    assert ran.stderr == ""
    assert not [asked for asked in world.server.asked() if asked.startswith("DELETE")]


def test_a_confirmed_cleanup_deletes_under_both_preconditions(world):
    ran = run(*world.at(*CLEANUP), "--yes", "-o", "json")
    assert (ran.code, json.loads(ran.stdout)["data"]["deleted"]) == (ExitCode.GOOD, 3)
    deletes = [json.loads(r.body)["preconditions"] for r in world.server.requests if r.method == "DELETE"]
    expected = [
        {"uid": e["metadata"]["uid"], "resourceVersion": e["metadata"]["resourceVersion"]} for e in world.events
    ]
    assert sorted(deletes, key=str) == sorted(expected, key=str)


def test_a_longer_age_than_time_itself_deletes_nothing(world):
    ran = run(*world.at("cleanup", "--older-than", "900000d", "--yes"), "-o", "json")
    assert (ran.code, json.loads(ran.stdout)["data"]["deleted"]) == (ExitCode.GOOD, 0)


def test_a_restore_is_asked_about_too(world):
    an_archive(world)
    world.events = []
    ran = run(*world.at("restore", "latest"), "-o", "json")
    assert (ran.code, json.loads(ran.stdout)["kind"]) == (ExitCode.REFUSED, "RestorePlan")
    assert run(*world.at("restore", "latest", "--dry-run")).code == ExitCode.GOOD


# -- the rest of the codes -----------------------------------------------------------------------------------------


def test_some_rejected_objects_are_3_and_kept(world):
    an_archive(world)
    world.events = []
    path = EVENTS.replace("zenevents", "namespaces/team-a/zenevents")
    world.special[f"POST {path}"] = failure(422, "spec.severity: Unsupported value", "Invalid")
    world.special["POST " + CONFIG_MAPS] = Answer(201, b'{"metadata": {"name": "filters"}}')
    kept = world.folder / "rejects.ndjson"
    ran = run(*world.at("restore", "latest", "--yes", "--rejects", kept), "-o", "json")
    assert ran.code == ExitCode.PARTIAL
    assert json.loads(ran.stdout)["data"]["rejectsFile"] == str(kept)
    assert len(kept.read_bytes().splitlines()) == 3


def test_a_bug_of_ours_is_70_and_says_how_to_report_it(monkeypatch):
    def broken() -> str:
        raise RuntimeError("unthinkable")

    monkeypatch.setattr("platform.python_version", broken)
    ran = run("version")
    refused(ran, ExitCode.BUG, "this is a bug: RuntimeError: unthinkable")
    assert "-v" in ran.hint
    assert "Traceback" in run("version", "-v").stderr


def test_success_is_0_and_silent_on_stderr():
    for arguments in (("version",), ("manifests", "crd"), ("--help",)):
        ran = run(*arguments)
        assert (ran.code, ran.stderr) == (ExitCode.GOOD, "")
        assert ran.stdout


NOT_TESTED_HERE = {
    ExitCode.INTERRUPTED: "tests/cli/test_interrupt.py",
    ExitCode.FINDINGS: "tests/cli/test_backup_contents.py",
    ExitCode.NO_DATA: "tests/cli/test_backup_contents.py",
}


def test_every_exit_code_is_tested():
    text = Path(__file__).read_text().partition("NOT_TESTED_HERE = {")[0]
    tested = {code for code in ExitCode if f"ExitCode.{code.name}" in text}
    assert tested | NOT_TESTED_HERE.keys() == set(ExitCode)
    assert not tested & NOT_TESTED_HERE.keys()


def test_the_program_ends_with_the_same_codes(world):
    assert run_program("version").code == ExitCode.GOOD
    refused(run_program("backup", "list", "-o", "x"), ExitCode.USAGE, "no output format")
    ran = run_program(*world.at("backup"), environ=environment())
    assert (ran.code, ran.stderr) == (ExitCode.GOOD, "")

"""The options that every command shares: before and after the command, from the environment, and which wins."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.cli.runner import environment, run
from tests.cli.world import CONFIG_MAPS, EVENTS


def test_shared_options_stand_before_and_after_the_command():
    answers = [
        run("-o", "json", "version"),
        run("version", "-o", "json"),
        run("--output=json", "version"),
    ]
    assert {json.loads(ran.stdout)["kind"] for ran in answers} == {"Version"}
    assert len({ran.stdout for ran in answers}) == 1


def test_an_option_nearer_to_the_command_wins():
    assert yaml.safe_load(run("-o", "json", "version", "-o", "yaml").stdout)["kind"] == "Version"
    assert not run("-o", "json", "version", "-o", "yaml").stdout.startswith("{")


def test_shared_options_may_stand_between_group_and_sub_command(tmp_path):
    ran = run("backup", "--store", tmp_path, "list", "-o", "json")
    assert (ran.code, json.loads(ran.stdout)["data"]["archives"]) == (0, [])


def test_the_groups_own_options_in_front_of_a_sub_command_are_refused():
    ran = run("backup", "-n", "x", "list", "--store", "/nonexistent")
    assert ran.code == 2
    assert "--namespace belongs to zenctl backup itself" in ran.complaint
    assert "zenctl backup list --help" in ran.hint


def test_the_environment_stands_in_for_options(world):
    variables = environment(
        ZENCTL_KUBECONFIG=str(world.kubeconfig),
        ZENCTL_STORE=str(world.store),
        ZENCTL_CLUSTER="prod-eu",
        ZENCTL_OUTPUT="json",
        ZENCTL_SYSTEM_NAMESPACE="elsewhere",
    )
    world.special[CONFIG_MAPS.replace("zen-system", "elsewhere")] = world.told(CONFIG_MAPS)
    ran = run("backup", environ=variables)
    assert ran.code == 0, ran.stderr
    assert json.loads(ran.stdout)["data"]["archive"]["cluster"] == "prod-eu"
    assert any("/namespaces/elsewhere/configmaps" in asked for asked in world.server.asked())
    assert list(world.store.glob("*.tar"))


@pytest.mark.parametrize("place", ["before", "after"])
def test_an_option_wins_over_the_environment(place):
    arguments = ("-o", "json", "version") if place == "before" else ("version", "-o", "json")
    ran = run(*arguments, environ=environment(ZENCTL_OUTPUT="yaml"))
    assert json.loads(ran.stdout)["kind"] == "Version"


def test_the_environment_alone_is_used():
    ran = run("version", environ=environment(ZENCTL_OUTPUT="yaml"))
    assert yaml.safe_load(ran.stdout)["kind"] == "Version"


def test_the_group_of_the_observations_comes_from_the_environment_too(world):
    ran = run(*world.at("backup"), environ=environment(ZENCTL_API_GROUP="other.io"))
    assert "group other.io" in ran.complaint


@pytest.mark.parametrize(
    ("arguments", "variables"), [((), {"NO_COLOR": "1"}), (("--no-color",), {}), ((), {})], ids=str
)
def test_what_is_no_terminal_gets_no_colour(arguments, variables, tmp_path):
    ran = run("backup", "list", "--store", tmp_path, *arguments, environ=environment(**variables))
    assert "\x1b" not in ran.stdout + ran.stderr


def test_impersonation_reaches_the_server(world):
    run(*world.at("backup"), "--as", "ann", "--as-group", "ops", "--as-group", "dev")
    request = world.server.requests[0]
    assert request.header("Impersonate-User") == "ann"
    assert request.headers("Impersonate-Group") == ["ops", "dev"]


def test_quiet_says_nothing_but_the_result(world):
    ran = run(*world.at("backup"), "-q")
    assert (ran.code, ran.stderr) == (0, "")
    assert ran.stdout


@pytest.mark.parametrize("fmt", ["table", "json", "yaml", "markdown"])
def test_every_format_is_there_for_every_report(world, fmt):
    for arguments in (("backup",), ("backup", "list"), ("cleanup", "--older-than", "7d", "--dry-run")):
        ran = run(*world.at(*arguments), "-o", fmt)
        assert (ran.code, ran.stderr) == (0, "")
        assert ran.stdout.endswith("\n")
        if fmt == "json":
            assert json.loads(ran.stdout)["exitCode"] == 0
        if fmt == "yaml":
            assert yaml.safe_load(ran.stdout)["exitCode"] == 0


def test_a_backup_in_a_pod_needs_a_store_and_one_that_outlives_it(world):
    pod = environment(KUBERNETES_SERVICE_HOST="10.0.0.1")
    arguments = ("backup", "--kubeconfig", world.kubeconfig)
    ran = run(*arguments, "--no-event", environ=pod)
    assert (ran.code, "inside a pod" in ran.complaint) == (2, True)


def test_one_object_of_an_archive_is_shown(world):
    assert run(*world.at("backup")).code == 0
    ran = run(*world.at("backup", "show", "latest", "team-a/o-1"), "-o", "json")
    assert json.loads(ran.stdout)["data"]["object"]["metadata"]["name"] == "o-1"
    missing = run(*world.at("backup", "show", "latest", "team-a/none"))
    assert (missing.code, missing.stdout) == (4, "")
    nothing = run(*world.at("backup", "show", "latest", "team-a/o-1", "--kind", "Secret"))
    assert nothing.code == 2
    assert "Observation" in nothing.hint


def test_what_the_cluster_says_never_moves_a_cursor(world):
    world.events[0]["spec"]["severity"] = "HIGH\x1b[2J"
    ran = run(*world.at("cleanup", "--older-than", "7d", "--dry-run"))
    assert ran.code == 0
    assert "\x1b" not in ran.stdout
    assert [asked for asked in world.server.asked() if asked.startswith(f"GET {EVENTS}")]

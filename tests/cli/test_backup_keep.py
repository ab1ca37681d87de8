"""``zenctl backup prune``, ``pin`` and ``unpin`` from the outside: options, questions, exit codes, documents."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.backup.shelf import STAGING, add, daily, footer_of, prove
from tests.cli.runner import Ran, complaints, environment, modules_after, run
from tests.cli.test_terminal import on_terminal
from zenctl.backup.notes import pin_name, write_pin
from zenctl.blob.folder import FolderStore
from zenctl.errors import ExitCode, Unreachable

PRUNE = ("backup", "prune", "--keep-last", "2", "--min-keep", "1")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def at(store: FolderStore, *arguments: str, cluster: str = "prod-eu") -> Ran:
    """Run a command on a store, of a cluster that can be known without asking it."""
    return run(*arguments, "--store", store.path, "--cluster-name", cluster)


def document(ran: Ran) -> dict[str, object]:
    data = json.loads(ran.stdout)["data"]
    assert isinstance(data, dict)
    return data


def names(store: FolderStore) -> list[str]:
    return [info.name for info in store.list()]


# -- prune ------------------------------------------------------------------------------------------------------


def test_it_removes_what_no_rule_keeps(store):
    made = daily(store, 5)
    ran = at(store, *PRUNE, "--yes", "-o", "json")
    assert (ran.code, ran.stderr, document(ran)["removed"]) == (ExitCode.GOOD, "", 3)
    assert names(store) == sorted(made[:2])


def test_a_dry_run_removes_nothing_even_with_yes(store):
    made = daily(store, 5)
    ran = at(store, *PRUNE, "--dry-run", "--yes", "-o", "json")
    assert (ran.code, document(ran)["toRemove"]) == (ExitCode.GOOD, 3)
    assert names(store) == sorted(made)


def test_without_terminal_and_yes_the_plan_is_shown_and_refused(store):
    made = daily(store, 5)
    ran = at(store, *PRUNE, "-o", "json")
    assert (ran.code, json.loads(ran.stdout)["kind"]) == (ExitCode.REFUSED, "BackupPrunePlan")
    assert complaints(ran.stderr) == ["zenctl: not confirmed: this is only the plan"]
    assert names(store) == sorted(made)


@pytest.mark.parametrize(("typed", "left"), [("y\n", 2), ("n\n", 5), ("\n", 5)])
def test_on_a_terminal_it_asks(store, typed, left):
    daily(store, 5)
    code, shown = on_terminal(*PRUNE, "--store", store.path, "--cluster-name", "prod-eu", typed=typed)
    assert "Remove 3 of 5 archives? [y/N]" in shown
    assert (code, len(names(store))) == (ExitCode.GOOD if left == 2 else ExitCode.REFUSED, left)


def test_where_nothing_is_to_go_nobody_is_asked(store):
    daily(store, 2)
    ran = at(store, *PRUNE, "-o", "json")
    assert (ran.code, json.loads(ran.stdout)["kind"]) == (ExitCode.GOOD, "BackupPruned")


def test_an_empty_store_is_no_error(store):
    ran = at(store, *PRUNE)
    assert ran.code == ExitCode.GOOD
    assert "no such archives" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no rule says what to keep"),
        (("--min-keep", "5"), "no rule says what to keep"),
        (("--keep-last", "0", "--keep-daily", "0"), "no rule says what to keep"),
        (("--keep-last", "-2"), "--keep-last: '-2' is not a number"),
        (("--keep-daily", "seven"), "--keep-daily: 'seven' is not a number"),
        (("--keep-daily", "\u0667"), "--keep-daily"),
        (("--keep-daily", "9" * 30), "--keep-daily"),
        (("--keep-within", "7"), "--keep-within: '7' is not a duration: it has no unit"),
        (("--keep-within", "0d"), "--keep-within: '0d' is no time at all"),
        (("--keep-within-monthly", "1m"), "--keep-within-monthly: '1m' is no whole number of hours"),
        (("--keep-within-yearly", "75y"), "--keep-within-yearly: '75y' is not a duration: months and years"),
        (("--keep-last", "1", "--min-keep", "0"), "--min-keep"),
        (("--keep-last", "1", "--timezone", "Europe/Atlantis"), "no time zone 'Europe/Atlantis'"),
        (("--keep-last", "1", "--timezone", "Europe"), "no time zone 'Europe'"),
        (("--keep-last", "1", "--timezone", "../../etc/passwd"), "no time zone"),
        (("--keep-last", "1", "--timezone", ""), "no time zone ''"),
        (("--keep-last", "1", "--set", "Back up"), "--set: 'Back up' cannot be a set"),
        (("--keep-last", "1", "--cluster", "a", "--all-clusters"), "exclude each other"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_command_line_is_2_and_removes_nothing(store, arguments, said):
    made = daily(store, 4)
    ran = at(store, "backup", "prune", *arguments, "--yes")
    assert (ran.code, ran.stdout) == (ExitCode.USAGE, "")
    assert said in ran.complaint
    assert names(store) == sorted(made)


@pytest.mark.parametrize("word", ["unlimited", "-1"])
def test_a_rule_without_limit_keeps_one_of_every_period(store, word):
    made = [add(store, n, age=timedelta(hours=8 * n)) for n in range(9)]
    ran = at(store, "backup", "prune", "--keep-daily", word, "--min-keep", "1", "--yes")
    assert ran.code == ExitCode.GOOD
    assert names(store) == sorted([made[0], made[1], made[4], made[7], made[8]])


OPTIONS = [
    ("--keep-last", "1"), ("--keep-hourly", "1"), ("--keep-daily", "1"), ("--keep-weekly", "1"),
    ("--keep-monthly", "1"), ("--keep-yearly", "1"), ("--keep-within", "1h"), ("--keep-within-hourly", "1h"),
    ("--keep-within-daily", "1h"), ("--keep-within-weekly", "1h"), ("--keep-within-monthly", "1h"),
    ("--keep-within-yearly", "1h"),
]  # fmt: skip


@pytest.mark.parametrize(("option", "value"), OPTIONS, ids=[option for option, _ in OPTIONS])
def test_every_rule_has_its_option(store, option, value):
    made = daily(store, 3)
    ran = at(store, "backup", "prune", option, value, "--min-keep", "1", "--dry-run", "-o", "json")
    (group,) = json.loads(ran.stdout)["data"]["groups"]
    assert [(a["name"], a["keep"]) for a in group["archives"]] == [
        (made[0], True),
        (made[1], False),
        (made[2], False),
    ]
    word = option.removeprefix("--keep-").replace("within-", "")
    assert word in group["archives"][0]["reasons"][0]


@pytest.mark.parametrize(("zone", "goes"), [("UTC", 2), ("utc", 2), ("America/New_York", 1)])
def test_the_zone_decides_what_a_day_is(store, zone, goes):
    made = [add(store, hours, age=timedelta(hours=hours)) for hours in (0, 6, 30)]  # Monday 02:00 in UTC, and before
    command = ("backup", "prune", "--keep-daily", "2", "--min-keep", "1", "--timezone", zone)
    ran = at(store, *command, "--dry-run", "-o", "json")
    (group,) = json.loads(ran.stdout)["data"]["groups"]
    assert [a["name"] for a in group["archives"] if not a["keep"]] == [made[goes]]


def test_a_removal_that_fails_is_3(store, monkeypatch):
    made = daily(store, 5)
    delete = FolderStore.delete

    def refuse(self: FolderStore, name: str) -> None:
        if name == made[3]:
            raise Unreachable(f"cannot delete {name}: input/output error")
        delete(self, name)

    monkeypatch.setattr(FolderStore, "delete", refuse)
    ran = at(store, *PRUNE, "--yes", "-o", "json")
    assert ran.code == ExitCode.PARTIAL
    assert [row["name"] for row in json.loads(ran.stdout)["data"]["failed"]] == [made[3]]
    assert names(store) == sorted([*made[:2], made[3]])


def test_what_is_damaged_is_named_and_makes_8(store):
    made = daily(store, 4)
    (store.path / "broken.tar").write_bytes(b"x" * 5120)
    ran = at(store, *PRUNE, "--yes", "-o", "json")
    assert ran.code == ExitCode.DAMAGED
    assert json.loads(ran.stdout)["data"]["unreadable"][0]["what"] == "broken.tar"
    assert names(store) == sorted([*made[:2], "broken.tar"])


# -- whose archives ---------------------------------------------------------------------------------------------


def test_only_this_clusters_archives_are_judged(store):
    ours = daily(store, 3)
    theirs = [add(store, 0x2000 + n, age=timedelta(days=n), cluster=STAGING) for n in range(3)]
    assert at(store, *PRUNE, "--yes").code == ExitCode.GOOD
    assert names(store) == sorted([*ours[:2], *theirs])
    assert at(store, *PRUNE, "--cluster", "staging", "--yes").code == ExitCode.GOOD
    assert names(store) == sorted([*ours[:2], *theirs[:2]])


def test_every_cluster_is_judged_by_itself_without_asking_any(store):
    ours = daily(store, 3)
    theirs = [add(store, 0x2000 + n, age=timedelta(days=90 + n), cluster=STAGING) for n in range(3)]
    ran = run(*PRUNE, "--all-clusters", "--yes", "--store", store.path)
    assert (ran.code, ran.stderr) == (ExitCode.GOOD, "")
    assert names(store) == sorted([*ours[:2], *theirs[:2]])


def test_this_cluster_is_known_by_its_uid(world):
    for _ in range(3):
        assert run(*world.at("backup")).code == 0
    ran = run(*world.at(*PRUNE, "-o", "json"), "--dry-run")
    (group,) = json.loads(ran.stdout)["data"]["groups"]
    assert (group["clusterId"], group["remove"]) == ("cluster-uid", 1)


def test_a_cluster_that_has_nothing_in_the_store_is_4(store):
    daily(store, 2)
    ran = at(store, *PRUNE, "--yes", cluster="prod-us")
    assert (ran.code, ran.stdout) == (ExitCode.REFUSED, "")
    assert "no archive of cluster prod-us" in ran.complaint
    assert "prod-eu" in ran.hint


def test_undo_archives_are_pruned_by_name_only(store):
    undo = [add(store, 0x2000 + n, age=timedelta(days=n), set_name="undo") for n in range(4)]
    made = daily(store, 2)
    assert at(store, *PRUNE, "--yes").code == ExitCode.GOOD
    assert names(store) == sorted([*undo, *made])
    assert at(store, *PRUNE, "--set", "undo", "--yes").code == ExitCode.GOOD
    assert names(store) == sorted([*undo[:2], *made])


# -- pin and unpin ----------------------------------------------------------------------------------------------


def test_a_pinned_archive_stays_until_it_is_unpinned(store):
    made = daily(store, 4)
    ran = at(store, "backup", "pin", "00001003", "--reason", "before the migration", "-o", "json")
    assert (ran.code, json.loads(ran.stdout)["data"]["pin"]["reason"]) == (ExitCode.GOOD, "before the migration")
    assert at(store, *PRUNE, "--yes").code == ExitCode.GOOD
    assert names(store) == sorted([*made[:2], made[3]])
    assert "yes, as before" in at(store, "backup", "pin", "00001003").stdout
    assert at(store, "backup", "unpin", "00001003").code == ExitCode.GOOD
    assert "no, as before" in at(store, "backup", "unpin", "00001003").stdout
    assert at(store, *PRUNE, "--yes").code == ExitCode.GOOD
    assert names(store) == sorted(made[:2])


def test_another_reason_replaces_the_pin_and_none_leaves_it(store):
    (name,) = daily(store, 1)
    write_pin(store, name, footer_of(store, name), reason="first", at=footer_of(store, name).created_at)
    kept = document(at(store, "backup", "pin", "latest", "-o", "json"))
    assert (kept["changed"], kept["pin"]["reason"]) == (False, "first")  # type: ignore[index]
    changed = document(at(store, "backup", "pin", name, "--reason", "second", "-o", "json"))
    assert (changed["changed"], changed["pin"]["reason"]) == (True, "second")  # type: ignore[index]


def test_a_malformed_pin_is_mended_by_pinning_anew(store):
    (name,) = daily(store, 1)
    store.replace(pin_name(name), b"{")
    assert document(at(store, "backup", "pin", name, "-o", "json"))["changed"] is True
    assert document(at(store, "backup", "list", "-o", "json"))["noteProblems"] == []


def test_an_archive_can_be_pinned_by_its_path(store):
    (name,) = daily(store, 1)
    ran = run("backup", "pin", store.path / name)
    assert (ran.code, (store.path / f"{name}.pin.json").exists()) == (ExitCode.GOOD, True)


@pytest.mark.parametrize("command", ["pin", "unpin"])
def test_what_is_not_there_cannot_be_pinned(store, command):
    daily(store, 1)
    ran = at(store, "backup", command, "ffffffff")
    assert (ran.code, ran.stdout) == (ExitCode.REFUSED, "")
    (store.path / "broken.tar").write_bytes(b"x" * 5120)
    assert at(store, "backup", command, "broken.tar").code == ExitCode.DAMAGED


def test_a_reason_has_its_limit_and_never_moves_a_cursor(store):
    daily(store, 1)
    assert at(store, "backup", "pin", "latest", "--reason", "x" * 501).code == ExitCode.USAGE
    ran = at(store, "backup", "pin", "latest", "--reason", "\x1b[2J")
    assert (ran.code, "\x1b" in ran.stdout) == (ExitCode.GOOD, False)


# -- list -------------------------------------------------------------------------------------------------------


def test_the_listing_shows_pins_and_verifications(store):
    made = daily(store, 3)
    prove(store, made[1], level=3)
    assert at(store, "backup", "pin", made[2]).code == ExitCode.GOOD
    lines = at(store, "backup", "list").stdout.splitlines()
    assert [line.split()[-1] for line in lines] == ["VERIFIED", "no", "3", "no"]
    assert "complete, pinned" in lines[3]
    archives = json.loads(at(store, "backup", "list", "-o", "json").stdout)["data"]["archives"]
    assert [(a["pinned"], a["verification"]["standing"]) for a in archives] == [
        (False, "unknown"), (False, "verified"), (True, "unknown"),
    ]  # fmt: skip


# -- start-up ---------------------------------------------------------------------------------------------------


def test_pruning_with_a_named_cluster_loads_no_client(store):
    daily(store, 1)
    loaded = modules_after(*PRUNE, "--store", str(store.path), environ=environment(ZENCTL_CLUSTER="prod-eu"))
    assert not {"kubernetes", "urllib3", "requests", "pydantic", "aiohttp", "yaml", "zoneinfo"} & loaded


def test_its_help_loads_no_calendar():
    assert not {"kubernetes", "zoneinfo", "zstandard", "rich"} & modules_after("backup", "prune", "--help")

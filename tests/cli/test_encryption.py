"""Encrypted backups from the command line: who is asked for which key, and what is never printed."""

from __future__ import annotations

import json
import stat

import pytest
from pyrage import x25519

from tests.cli.runner import Ran, environment, run, run_program
from zenctl.errors import ExitCode

KEY = x25519.Identity.generate()
RECIPIENT = str(KEY.to_public())


@pytest.fixture
def key(world):
    path = world.folder / "key.txt"
    path.write_text(f"# public key: {RECIPIENT}\n{KEY}\n")
    return path


@pytest.fixture
def encrypted(world):
    ran = run(*world.at("backup", "--encrypt-to", RECIPIENT), "-o", "json")
    assert ran.code == 0, ran.stderr
    return json.loads(ran.stdout)["data"]["archive"]


def failed(ran: Ran, code: ExitCode, said: str) -> None:
    assert ran.code == code, ran.stderr + ran.stdout
    assert said in ran.complaint
    assert ran.hint
    assert str(KEY) not in ran.stderr + ran.stdout


def test_a_round_trip_with_a_key_from_each_place(world, encrypted, key):
    assert encrypted["encrypted"] is True
    (path,) = world.store.glob("*.tar")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"team-a" not in path.read_bytes()
    world.events.clear()
    for more, given in (
        ((), {"environ": environment(ZENCTL_IDENTITY=str(key))}),
        (("--identity", str(key)), {}),
        (("--identity", "-"), {"given": key.read_text()}),
    ):
        ran = run_program(*world.at("restore", "latest", "--dry-run", *more), "-o", "json", **given)
        assert ran.code == 0, ran.stderr
        assert json.loads(ran.stdout)["data"]["writes"] == 3


@pytest.mark.parametrize("command", [("show",), ("verify", "--level", "3"), ("restore",)], ids=" ".join)
def test_what_needs_a_key_says_so(world, encrypted, command):
    name, *more = command
    line = ("restore", "latest") if name == "restore" else ("backup", name, "latest", *more)
    failed(run(*world.at(*line)), ExitCode.REFUSED, "is encrypted")


@pytest.mark.parametrize("command", [("show",), ("verify", "--level", "3"), ("restore",)], ids=" ".join)
def test_another_key_is_refused(world, encrypted, command, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text(f"{x25519.Identity.generate()}\n")
    name, *more = command
    line = ("restore", "latest") if name == "restore" else ("backup", name, "latest", *more)
    ran = run(*world.at(*line, "--identity", other))
    failed(ran, ExitCode.REFUSED, "was encrypted to other recipients")


def test_what_needs_no_key_asks_for_none(world, encrypted):
    assert run(*world.at("backup", "list")).code == 0
    for level in ("1", "2"):
        ran = run(*world.at("backup", "verify", "--level", level), "-o", "json")
        assert ran.code == 0, ran.stderr
        assert json.loads(ran.stdout)["data"]["problems"] == 0


def test_recipients_come_from_files_and_the_environment(world, tmp_path):
    file = tmp_path / "recipients.txt"
    file.write_text(f"# the team\n{RECIPIENT}\n")
    for more, env in (
        (("--recipients-file", str(file)), {}),
        ((), {"ZENCTL_RECIPIENTS_FILE": str(file)}),
        ((), {"ZENCTL_ENCRYPT_TO": f"{RECIPIENT}, {x25519.Identity.generate().to_public()}"}),
    ):
        ran = run_program(*world.at("backup", *more), "-o", "json", environ=environment(**env))
        assert ran.code == 0, ran.stderr
        assert json.loads(ran.stdout)["data"]["archive"]["encrypted"] is True


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--encrypt-to", "age1nonsense"), "'age1nonsense' is no recipient"),
        (("--encrypt-to", str(KEY)), "a secret key stands where a recipient belongs"),
        (("--recipients-file", "/no/such/file"), "there is no file /no/such/file with recipients"),
        (("--recipients-file", str(KEY)), "a secret key stands where the name of a file"),
    ],
    ids=["no recipient", "secret recipient", "no file", "secret file"],
)
def test_a_recipient_that_is_none_writes_nothing(world, more, said):
    failed(run(*world.at("backup", *more)), ExitCode.USAGE, said)
    assert not world.store.exists()


def test_an_empty_file_of_recipients_never_means_in_clear(world, tmp_path):
    file = tmp_path / "recipients.txt"
    file.write_text("# nobody yet\n")
    failed(run(*world.at("backup", "--recipients-file", file)), ExitCode.USAGE, "0 recipients were given")
    assert not world.store.exists()


def test_a_secret_key_on_the_command_line_is_refused_without_being_repeated(world, encrypted):
    failed(run(*world.at("backup", "show", "latest", "--identity", KEY)), ExitCode.USAGE, "a secret key stands where")


def test_slices_and_the_whole_store(world, encrypted):
    for more, kind in (
        (("--all",), "BackupsVerified"),
        (("--slice", "1/1"), "BackupsVerified"),
        (("latest", "--slice", "1/1"), "BackupVerified"),
    ):
        ran = run(*world.at("backup", "verify", *more), "-o", "json")
        assert (ran.code, json.loads(ran.stdout)["kind"]) == (0, kind), ran.stderr
    ran = run(*world.at("backup", "verify", "--all", "--level", "3"))
    assert ran.code == ExitCode.REFUSED
    assert "NOT VERIFIED" in ran.stdout
    failed(run(*world.at("backup", "verify", "latest", "--all")), ExitCode.USAGE, "both --all and an archive")


@pytest.mark.parametrize("text", ["0/7", "8/7", "3", "a/b", "1/0", "-1/7", "1/" + "9" * 30, "²/3"])
def test_a_slice_that_is_none_is_said(world, text):
    failed(run(*world.at("backup", "verify", "--slice", text)), ExitCode.USAGE, "is no share")


def test_an_encrypted_backup_holds_helm_data_and_secrets_in_no_place_in_clear(world, key):
    ran = run(*world.at("backup", "--encrypt-to", RECIPIENT, "--include-secrets", "--require", "helm"), "-o", "json")
    assert ran.code == 0, ran.stderr
    data = json.loads(ran.stdout)["data"]
    assert (data["archive"]["leftOut"], [row["release"] for row in data["helmReleases"]]) == ([], ["zen-watcher"])
    (path,) = world.store.glob("*.tar")
    assert not [text for text in (b"minSeverity", b"zen-watcher", b"sh.helm") if text in path.read_bytes()]
    table = run(*world.at("backup", "show", "latest", "--identity", key)).stdout
    assert "zen-system/zen-watcher" in table
    assert "in clear" not in table

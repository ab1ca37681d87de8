"""diff, export, drill and --from on the command line: what they answer, and what they are not for."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pyrage import x25519

from tests.cli.runner import environment, modules_after, run
from tests.cli.test_exit_codes import DENIED, an_archive, refused
from tests.cli.test_help import EVERY, acts
from tests.cli.world import CONFIG_MAPS, EVENTS
from zenctl.blob.folder import FolderStore
from zenctl.core.documents import documents
from zenctl.errors import ExitCode, Unreachable

KEY = x25519.Identity.generate()
OFFLINE = {
    ("events", "list"), ("events", "show"), ("events", "stats"), ("events", "digest"), ("backup", "show"),
}  # fmt: skip


def data_of(ran: Any, code: ExitCode = ExitCode.GOOD) -> Any:
    assert ran.code == code, ran.stderr
    return json.loads(ran.stdout)["data"]


# -- diff -------------------------------------------------------------------------------------------------------


def test_a_cluster_equals_its_backup(world):
    an_archive(world)
    ran = run(*world.at("backup", "diff", "latest"), "-o", "json")
    assert data_of(ran)["differing"] == 0
    assert data_of(ran)["right"] == "live"


def test_differences_are_1_with_every_field(world):
    archive = an_archive(world)
    world.events[0]["spec"]["severity"] = "LOW"
    del world.events[1]
    for sides, change in (((archive,), "removed"), ((archive, "live"), "removed"), (("live", archive), "added")):
        data = data_of(run(*world.at("backup", "diff", *sides), "-o", "json"), ExitCode.FINDINGS)
        assert {each["change"] for each in data["objects"]} == {"changed", change}
    (changed,) = (each for each in data["objects"] if each["change"] == "changed")
    assert changed["fields"] == [
        {"path": "spec.severity", "left": '"LOW"', "right": '"HIGH"', "hidden": False},
    ]  # fmt: skip


def test_two_archives_need_no_cluster(world):
    first = an_archive(world)
    world.events.pop()
    assert run(*world.at("backup")).code == 0
    (second,) = set(world.store.glob("*.tar")) - {first}
    asked = len(world.server.requests)
    data = data_of(run("backup", "diff", first, second, "-o", "json"), ExitCode.FINDINGS)
    assert [each["name"] for each in data["objects"]] == ["o-2"]
    assert len(world.server.requests) == asked


def test_filters_of_a_diff(world):
    archive = an_archive(world)
    world.events.clear()
    for more in (("--kind", "configmap"), ("-l", "severity=none")):
        ran = run(*world.at("backup", "diff", archive, *more), "-o", "json")
        assert data_of(ran)["differing"] == 0, more
    assert run(*world.at("backup", "diff", archive, "-l", "severity=high")).code == ExitCode.FINDINGS


def test_what_cannot_be_compared_is_7(world):
    whole = an_archive(world)
    world.special[CONFIG_MAPS] = DENIED
    assert run(*world.at("backup")).code == ExitCode.DENIED
    (part,) = set(world.store.glob("*.tar")) - {whole}
    ran = run("backup", "diff", whole, part, "-o", "json")
    assert [each["what"] for each in data_of(ran, ExitCode.NO_DATA)["notCompared"]] == ["configmaps"]
    assert run("backup", "diff", whole, part, "--kind", "observation").code == ExitCode.GOOD


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("live",), "live and live are the same"),
        (("latest", "-l", "a in ("), "--selector: "),
        (("latest", "--kind", "pods"), "neither side has anything called pods"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_2(world, arguments, said):
    an_archive(world)
    refused(run(*world.at("backup", "diff", *arguments)), ExitCode.USAGE, said)


def test_a_comparison_that_may_not_be_made_is_6_or_5(world):
    archive = an_archive(world)
    world.special[EVENTS] = DENIED
    refused(run(*world.at("backup", "diff", archive)), ExitCode.DENIED, "forbidden")
    world.write_kubeconfig("http://127.0.0.1:9")
    refused(run(*world.at("backup", "diff", archive)), ExitCode.UNREACHABLE, "connection refused")


# -- export -----------------------------------------------------------------------------------------------------


def test_an_export_is_a_private_folder_of_files(world):
    archive = an_archive(world)
    target = world.folder / "out"
    data = data_of(run("backup", "export", archive, target, "-o", "json"))
    assert [each["name"] for each in data["files"]] == [
        "configmaps.yaml", "crd.yaml", "events.yaml", "namespaces.yaml",
    ]  # fmt: skip
    assert len(documents((target / "events.yaml").read_bytes())) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in target.iterdir()} == {0o600}
    refused(run("backup", "export", archive, target), ExitCode.REFUSED, "is not empty")
    raw = world.folder / "raw"
    assert run("backup", "export", archive, raw, "--raw").code == 0
    assert "resourceVersion" in (raw / "events.yaml").read_text()


def test_an_export_of_a_damaged_archive_leaves_no_folder(world):
    archive = an_archive(world)
    content = bytearray(archive.read_bytes())
    content[512 + 40] ^= 1
    archive.write_bytes(bytes(content))
    refused(run("backup", "export", archive, world.folder / "out"), ExitCode.DAMAGED, archive.name)
    assert not list(world.folder.glob("*out*"))


def test_an_exported_folder_can_be_restored(world):
    archive = an_archive(world)
    assert run("backup", "export", archive, world.folder / "out").code == 0
    world.events = []
    data = data_of(run(*world.at("restore", world.folder / "out", "--dry-run"), "-o", "json"))
    assert {each["kind"]: each["objects"] for each in data["batches"]} == {"Observation": 3, "ConfigMap": 1}


# -- drill ------------------------------------------------------------------------------------------------------


def test_a_drill_asks_no_cluster_but_for_its_name(world):
    archive = an_archive(world)
    asked = len(world.server.requests)
    data = data_of(run("backup", "drill", archive, "-o", "json"))
    assert (data["equal"], data["drilled"], data["sampled"]) == (True, 5, False)
    assert len(world.server.requests) == asked
    assert data_of(run(*world.at("backup", "drill"), "-o", "json"))["archive"] == archive.name


def test_a_sampled_drill_says_so(world):
    data = data_of(run("backup", "drill", an_archive(world), "--max-objects", "2", "--seed", "9", "-o", "json"))
    assert (data["sampled"], data["seed"], data["drilled"], data["equal"]) == (True, 9, 3, True)


def test_a_drill_that_does_not_bring_everything_back_is_1(world):
    world.events[0]["spec"]["tags"] = "not a list"
    data = data_of(run("backup", "drill", an_archive(world), "-o", "json"), ExitCode.FINDINGS)
    assert [each["name"] for each in data["failed"]] == ["team-a/o-0"]


def test_a_drill_of_a_damaged_archive_is_8(world):
    archive = an_archive(world)
    content = bytearray(archive.read_bytes())
    content[512 + 40] ^= 1
    archive.write_bytes(bytes(content))
    refused(run("backup", "drill", archive), ExitCode.DAMAGED, archive.name)


def test_what_a_drill_found_is_noted_beside_the_archive(world):
    archive = an_archive(world)
    note = archive.with_name(f"{archive.name}.verified.json")
    for sabotage, equal in ((False, True), (True, False)):
        if sabotage:
            world.events[0]["spec"]["tags"] = "not a list"
            archive.unlink()
            archive = an_archive(world)
            note = archive.with_name(f"{archive.name}.verified.json")
        assert run("backup", "drill", archive).code == (0 if equal else 1)
        assert json.loads(note.read_text())["drill"]["equal"] is equal
    (listed,) = data_of(run(*world.at("backup", "list"), "-o", "json"))["archives"]
    assert listed["name"] == archive.name


def test_a_drill_that_was_equal_is_told_to_metrics(world):
    archive, file = an_archive(world), world.folder / "drill.prom"
    assert run("backup", "drill", archive, "--metrics-file", file).code == 0
    assert "zenctl_backup_last_drill_timestamp_seconds{" in file.read_text()
    file.unlink()
    world.events[0]["spec"]["tags"] = "not a list"
    archive.unlink()
    assert run("backup", "drill", an_archive(world), "--metrics-file", file).code == ExitCode.FINDINGS
    assert not file.exists()


def test_a_drill_whose_note_cannot_be_kept_says_so(world, monkeypatch):
    archive = an_archive(world)

    def full(*_: object) -> None:
        raise Unreachable("no space left")

    monkeypatch.setattr(FolderStore, "replace", full)
    ran = run("backup", "drill", archive)
    assert (ran.code, ran.complaint) == (
        0, f"the drill of {archive.name} could not be noted beside it: no space left",
    )  # fmt: skip


def test_the_limit_is_the_one_of_the_slice():
    from zenctl.drill.run import MAX_OBJECTS

    (option,) = (each for each in EVERY["backup", "drill"].params if each.name == "max_objects")
    assert option.default == MAX_OBJECTS


# -- --from -----------------------------------------------------------------------------------------------------


def test_events_come_out_of_an_archive_without_a_cluster(world):
    archive = an_archive(world)
    for place in (("--from", archive, "events", "list"), ("events", "list", "--from", archive)):
        ran = run(*place, "-o", "json")
        assert ran.code == 0, ran.stderr
        assert sorted(each["name"] for each in json.loads(ran.stdout)["items"]) == ["o-0", "o-1", "o-2"]
        assert "everything is as of" in ran.stderr
        assert archive.name in ran.stderr
    ran = run("events", "show", "o-1", "-o", "json", "-q", environ=environment(ZENCTL_FROM=str(archive)))
    assert (data_of(ran)["objects"][0]["metadata"]["name"], ran.stderr) == ("o-1", "")


def test_the_same_rows_as_from_the_cluster(world):
    archive = an_archive(world)
    live, archived = (
        json.loads(run(*world.at("events", "list", *more), "-o", "json").stdout)["items"]
        for more in ((), ("--from", archive))
    )
    for each in (*live, *archived):
        each.pop("ageSeconds", None)
    assert live == archived


def test_an_archive_in_the_store_is_found_by_its_words(world):
    archive = an_archive(world)
    for word in ("latest", archive.name, archive.stem.rpartition("_")[2]):
        assert run(*world.at("events", "show", "team-a/o-0", "--from", word)).code == 0
    refused(run(*world.at("events", "list", "--from", "ffff")), ExitCode.REFUSED, "no archive 'ffff'")


def test_backup_show_takes_the_archive_from_either_place(world):
    archive = an_archive(world)
    shown = [
        data_of(run("backup", "show", archive, "team-a/o-0", "-o", "json")),
        data_of(run("backup", "show", "team-a/o-0", "--from", archive, "-o", "json")),
    ]
    assert shown[0] == shown[1]
    assert run("--from", archive, "backup", "show").stdout == run("backup", "show", archive).stdout
    refused(run("backup", "show", archive, "team-a/o-0", "--from", archive), ExitCode.USAGE, "both --from and")
    refused(run("backup", "show"), ExitCode.USAGE, "no archive was named")


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    sizes: list[int] = []
    plain = FolderStore.get

    def get(self: FolderStore, name: str, offset: int, length: int) -> bytes:
        sizes.append(length)
        return plain(self, name, offset, length)

    with monkeypatch.context() as patched:
        patched.setattr(FolderStore, "get", get)
        yield sizes


def test_one_object_costs_the_member_that_it_lies_in(tmp_path, monkeypatch):
    from tests.backup.test_offline import large

    store, opened = large()
    archive = tmp_path / "large.tar"
    archive.write_bytes(store.blobs[opened.name])
    size = archive.stat().st_size
    with counted(monkeypatch) as sizes:
        assert run("events", "show", "team-a/o-04321", "--brief", "--from", archive).code == 0
    assert len(sizes) == 3  # tail, manifest, one member
    assert sum(sizes) < size / 4
    with counted(monkeypatch) as sizes:
        assert run("events", "list", "--from", archive, "--limit", "1").code == 0
    assert sum(sizes) > size * 0.9


def test_an_encrypted_archive_is_read_with_its_key(world, tmp_path):
    key = tmp_path / "key.txt"
    key.write_text(f"{KEY}\n")
    assert run(*world.at("backup", "--encrypt-to", str(KEY.to_public()))).code == 0
    (archive,) = world.store.glob("*.tar")
    commands: tuple[tuple[Any, ...], ...] = (
        ("events", "list", "--from", archive),
        ("events", "show", "o-0", "--from", archive),
        ("backup", "show", "--from", archive),
        ("backup", "diff", archive, archive),
        ("backup", "drill", archive),
        ("backup", "export", archive, tmp_path / "out"),
    )
    for command in commands:
        refused(run(*command), ExitCode.REFUSED, "is encrypted")
        assert run(*command, "--identity", key).code == 0, command
    assert run("events", "list", "--from", archive, environ=environment(ZENCTL_IDENTITY=str(key))).code == 0


@pytest.mark.parametrize("path", sorted(path for path in EVERY if acts(path) and path not in OFFLINE), ids=" ".join)
def test_whatever_does_more_than_read_refuses_it(path):
    needed = ["x" for each in EVERY[path].params if each.param_type_name == "argument" and each.required]
    options = ["--older-than", "7d"] if path == ("cleanup",) else []
    refused(run(*path, *needed, *options, "--from", "some.tar"), ExitCode.USAGE, "does not take --from")


@pytest.mark.parametrize("path", sorted(OFFLINE), ids=" ".join)
def test_what_only_reads_says_so_in_its_help(path):
    text = run(*path, "--help").stdout
    assert "--identity" in text
    assert "--from" in text
    assert "   8  archive damaged" in text


def test_reading_an_archive_loads_no_client(world):
    archive = str(an_archive(world))
    for command in (("events", "list"), ("events", "show", "o-0"), ("backup", "show")):
        loaded = modules_after(*command, "--from", archive, "-q")
        assert not {"kubernetes", "urllib3", "requests", "aiohttp", "pydantic"} & loaded, command
    loaded = modules_after("backup", "drill", archive)
    assert not {"kubernetes", "requests", "aiohttp", "pydantic"} & loaded


@pytest.mark.parametrize("words", [("events", "stats"), ("events", "digest", "--since", "2020-01-01T00:00:00Z")])
def test_what_counts_observations_counts_those_of_an_archive(world, words):
    archive = an_archive(world)
    world.server.requests.clear()
    ran = run(*words, "--from", archive, "-o", "json")
    data = json.loads(ran.stdout)["data"]
    assert (ran.code, data["total" if "total" in data else "new"]) == (0, 3)
    assert world.server.requests == []

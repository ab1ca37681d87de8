"""What the command line refuses before it asks a cluster anything."""

from __future__ import annotations

import pytest

from zenctl.cli.app import run
from zenctl.events.rows import COLUMNS
from zenctl.events.select import SortBy


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "--columns", "name,agee"], "'agee' is none of"),
        (["list", "--columns", ""], "'' is none of"),
        (["list", "--columns", "name", "--wide"], "exclude each other"),
        (["list", "--severity", "bad"], "'bad' is none of CRITICAL"),
        (["list", "--phase", "open"], "'open' is none of Active"),
        (["list", "--sort", "age"], "'age' is none of time"),
        (["list", "--limit", "0"], "--limit"),
        (["list", "--severity", ","], "--severity is given, and names nothing"),
        (["stats", "--source", ""], "--source is given, and names nothing"),
        (["stats", "--timezone", "Mars/Olympus"], "no time zone 'Mars/Olympus'"),
        (["stats", "--days", "0"], "--days"),
        (["resolve"], "nothing says which Observations"),
        (["resolve", "-l", "", "--since", ""], "nothing says which Observations"),
        (["resolve", "a", "-l", "b=c"], "names and a selection exclude each other"),
        (["ack", "a", "--all"], "names and a selection exclude each other"),
        (["reopen", "--all", "--phase", "Resolved"], "--all and a selection exclude each other"),
        (["reopen", "--all", "-n", "team-a"], "--all and a selection exclude each other"),
        (["archive", "--severity", ""], "--severity is given, and names nothing"),
        (["ack", "a/b/c/d"], "'a/b/c/d' cannot be the name"),
        (["archive", "a/b", "-n", "c"], "another namespace"),
        (["show", "A"], "'A' cannot be the name"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(arguments, said, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert run(["events", *arguments]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_help_names_every_order(capsys):
    assert run(["events", "list", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(by in text for by in SortBy)


def test_an_unknown_column_is_answered_with_every_known_one(capsys):
    run(["events", "list", "--columns", "x"])
    said = capsys.readouterr().err
    assert all(name in said for name in COLUMNS)

"""On a terminal: colour unless it is unwanted, and the question before anything is deleted."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.cli.runner import command, environment
from tests.cli.world import World

_ROOT = Path(__file__).parents[2]


def on_terminal(*arguments: str | Path, typed: str = "", **variables: str) -> tuple[int, str]:
    """Run the program on a terminal where somebody types ahead; return its code and everything that was shown."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, typed.encode())
        process = subprocess.Popen(
            command(*arguments),
            env=environment(TERM="xterm", **variables),
            cwd=_ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # Linux says so when the other side is closed
            pass
        return process.wait(30), shown.decode()
    finally:
        os.close(ours)


def deletes(world: World) -> list[str]:
    return [asked for asked in world.server.asked() if asked.startswith("DELETE")]


@pytest.mark.parametrize(
    ("arguments", "variables", "coloured"),
    [((), {}, True), ((), {"NO_COLOR": "1"}, False), (("--no-color",), {}, False)],
    ids=["as it is", "NO_COLOR", "--no-color"],
)
def test_a_terminal_gets_colour_unless_it_is_unwanted(world, arguments, variables, coloured):
    code, shown = on_terminal(*world.at("backup"), *arguments, **variables)
    assert code == 0
    assert ("\x1b[" in shown) == coloured


@pytest.mark.parametrize("typed", ["n\n", "\n", "no\n", "delete\n"])
def test_anything_but_yes_deletes_nothing(world, typed):
    code, shown = on_terminal(*world.at("cleanup", "--older-than", "7d"), "--no-color", typed=typed)
    assert code == 4
    assert "Delete 3 of 3 Observations? [y/N]" in shown
    assert "not confirmed: nothing was done" in shown
    assert deletes(world) == []


@pytest.mark.parametrize("typed", ["y\n", "YES\n"])
def test_yes_deletes_what_the_plan_showed(world, typed):
    code, shown = on_terminal(*world.at("cleanup", "--older-than", "7d"), "--no-color", typed=typed)
    assert code == 0
    assert shown.index("would delete") < shown.index("[y/N]") < shown.index("deleted")
    assert len(deletes(world)) == 3

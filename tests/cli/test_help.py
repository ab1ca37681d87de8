"""The help: complete, with exit codes, and the same options in every place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from tests.cli.runner import run
from zenctl.cli.app import COMMANDS, app
from zenctl.cli.options import SHARED
from zenctl.errors import ExitCode


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command and group below the root with its path."""
    root = typer.main.get_command(app)
    context = typer.Context(root)

    def below(path: tuple[str, ...], found: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        yield path, found
        for name in getattr(found, "commands", {}):
            yield from below((*path, name), found.commands[name])

    for name in COMMANDS:
        yield from below((name,), root.get_command(context, name))  # type: ignore[attr-defined]


EVERY = dict(commands())
OPTIONS = [
    (path, parameter)
    for path, found in EVERY.items()
    for parameter in found.params
    if getattr(parameter, "opts", [""])[0].startswith("-")
]


def acts(path: tuple[str, ...]) -> bool:
    """Say whether a command does something itself, rather than only group others."""
    return not getattr(EVERY[path], "commands", None) or EVERY[path].invoke_without_command


def test_the_root_names_every_command_with_a_line_of_help():
    text = run("--help").stdout
    for group in COMMANDS.values():
        assert group.name in text
        assert group.summary in " ".join(text.split())


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_explains_itself(path):
    ran = run(*path, "--help")
    assert (ran.code, ran.stderr) == (0, "")
    assert ran.stdout.startswith("Usage: zenctl")
    text = (EVERY[path].help or "").strip()
    assert text
    assert text.split("\n")[0].rstrip().endswith(".")
    assert run(*path, "-h").stdout == ran.stdout


@pytest.mark.parametrize("path", [path for path in EVERY if acts(path)], ids=" ".join)
def test_every_commands_help_lists_its_exit_codes(path):
    text = run(*path, "--help").stdout
    assert "Exit codes:" in text
    for code in (ExitCode.GOOD, ExitCode.USAGE, ExitCode.BUG, ExitCode.INTERRUPTED):
        assert f"{int(code):>4}  {code.meaning}" in text


@pytest.mark.parametrize(
    ("path", "codes"),
    [
        (("backup",), {4, 5, 6}),
        (("backup", "verify"), {4, 5, 6, 8}),
        (("backup", "prune"), {3, 4, 5, 6, 8}),
        (("backup", "pin"), {4, 5, 6, 8}),
        (("restore",), {3, 4, 5, 6, 8}),
        (("cleanup",), {3, 4, 5, 6}),
    ],
)
def test_the_codes_that_a_command_answers_are_in_its_help(path, codes):
    text = run(*path, "--help").stdout
    assert all(f"{code:>4}  {ExitCode(code).meaning}" in text for code in codes)


@pytest.mark.parametrize(
    ("path", "parameter"), OPTIONS, ids=[f"{' '.join(path)} {p.opts[-1]}" for path, p in OPTIONS]
)
def test_every_option_has_a_help_text(path, parameter):
    assert parameter.help
    assert parameter.help.rstrip().endswith(".")


def test_every_shared_option_is_in_the_help_of_the_root_and_hidden_below():
    text = run("--help").stdout
    names = {shared.name for shared in SHARED}
    for path, found in EVERY.items():
        for parameter in found.params:
            if parameter.name in names:
                assert parameter.hidden, path
                assert parameter.opts[-1] in text


@pytest.mark.parametrize("path", [path for path in EVERY if acts(path)], ids=" ".join)
def test_every_command_takes_every_shared_option(path):
    names = {parameter.name for parameter in EVERY[path].params}
    assert {shared.name for shared in SHARED} <= names


def test_without_a_command_it_shows_the_help_and_is_a_usage_error():
    ran = run()
    assert "Usage: zenctl" in ran.stdout + ran.stderr
    assert ran.code in (0, 2)

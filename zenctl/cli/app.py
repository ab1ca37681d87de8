"""The root of the command line: the table of commands, the global options, and the edge for errors.

Command modules are imported when their command is asked for, never before. This is one of the two
places that may catch everything: an unknown exception is a bug of ours, and says so with code 70.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from types import FrameType
from typing import Any, NamedTuple, NoReturn

import typer
from typer.core import TyperGroup

from zenctl.cli.options import CONTEXT, SHARED, Settings, attach, program_name
from zenctl.core.text import printable
from zenctl.errors import ExitCode, Interrupted, UsageError, ZenctlError

_ClickError: type[Exception] = typer.BadParameter.__mro__[2]


class CommandGroup(NamedTuple):
    """A name of the command line, the module that implements it, and its line in the root's help."""

    name: str
    module: str
    summary: str


COMMANDS = {
    group.name: group
    for group in (
        CommandGroup("backup", "zenctl.cli.backup", "Back up Observations; prove, compare, keep and drill backups."),
        CommandGroup(
            "restore", "zenctl.cli.restore", "Bring back what a backup or kubectl's files hold, status included."
        ),
        CommandGroup("cleanup", "zenctl.cli.cleanup", "Delete settled Observations by real dates."),
        CommandGroup("events", "zenctl.cli.events", "List, show, count, watch and settle Observations."),
        CommandGroup("manifests", "zenctl.cli.manifests", "Print the manifests that zenctl ships."),
        CommandGroup("sandbox", "zenctl.cli.sandbox", "Run an embedded cluster to try everything in."),
        CommandGroup("version", "zenctl.cli.version", "Print the version."),
    )
}


class _LazyGroup(TyperGroup):
    """The root group: knows its commands by name and imports one when it is used."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is typer's
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        group = COMMANDS.get(cmd_name)
        if group is None:
            return super().get_command(ctx, cmd_name)
        return typer.main.get_command(import_module(group.module).app)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is typer's
        with formatter.section("Commands"):
            formatter.write_dl([(group.name, group.summary) for group in COMMANDS.values()])


app = typer.Typer(
    cls=_LazyGroup,
    name="zenctl",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
)


def _root(ctx: typer.Context, **values: Any) -> None:
    """Operations toolkit for Zen Watcher: its Observations, backed up, cleaned up and settled.

    Results go to stdout, everything else to stderr. The options below may stand before or after the
    command. Each can be set by an environment variable too: --request-timeout by ZENCTL_REQUEST_TIMEOUT,
    and so on; --cluster-name by ZENCTL_CLUSTER.
    """
    ctx.obj = Settings(os.environ).merged(values)


app.callback()(attach(_root, SHARED, with_environment=True))


def run(argv: Sequence[str]) -> int:
    """Run one command line; return the exit code. The errors of zenctl end here, as one line and a hint."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show a sign gets its code, and never a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = typer.main.get_command(app).main(list(argv), prog_name=program_name(), standalone_mode=False)
        sys.stdout.flush()
        if code == ExitCode.INTERRUPTED:  # typer catches Ctrl-C before we do
            return _complain(Interrupted("interrupted"))
        return int(code or 0)
    except ZenctlError as error:
        return _complain(error)
    except _ClickError as error:
        return _help(error) if type(error).__name__ == "NoArgsIsHelpError" else _complain(_usage_error(error))
    except (typer.Abort, KeyboardInterrupt):
        return _complain(Interrupted("interrupted"))
    except BrokenPipeError:
        # Whoever read our output has seen enough; that is no error of anybody's.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.GOOD
    except Exception as error:  # noqa: BLE001 - the edge: what nobody foresaw is a bug of ours
        return _confess(error, argv)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _complain(error: ZenctlError) -> int:
    if error.code is ExitCode.INTERRUPTED:
        sys.stderr.write("\n" if sys.stderr.isatty() else "")
    sys.stderr.write(f"zenctl: {printable(error.message)}\n")
    if error.hint:
        sys.stderr.write(f"hint: {printable(error.hint)}\n")
    return error.code


def _help(error: Any) -> int:
    """Print the help that was asked for by naming no command: for zenctl alone that is all it takes."""
    whole = error.ctx.parent is None
    (sys.stdout if whole else sys.stderr).write(f"{error.ctx.get_help()}\n")
    return ExitCode.GOOD if whole else ExitCode.USAGE


def _usage_error(error: Exception) -> UsageError:
    """Turn a complaint of the parser into ours: lower case, no full stop, and where to look it up."""
    said = " ".join(str(getattr(error, "format_message", error.__str__)()).split()).rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context else program_name()
    return UsageError(said[:1].lower() + said[1:], hint=f"see {path} --help")


def _confess(error: Exception, argv: Sequence[str]) -> int:
    sys.stderr.write(f"zenctl: this is a bug: {type(error).__name__}: {printable(str(error))}\n")
    if "-v" in argv or "--verbose" in argv:
        import traceback

        traceback.print_exception(error)
    else:
        sys.stderr.write("hint: run it again with -v and report what it prints\n")
    return ExitCode.BUG

"""The options that every command shares, and the decorator that makes a function a command.

A command is three moves: the session gives ports, the slice runs and returns a Report, render prints
it. The decorator does the first and the last, so that a command function is only the middle one.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from zenctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from zenctl.cli.session import Session

_Function = TypeVar("_Function", bound=Callable[..., Any])
DEFAULT_TIMEOUT = "60s"


def _shared(name: str, kind: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _option(*names: str, help_text: str, variable: str = "", **more: Any) -> Any:
    long = next(name for name in names if name.startswith("--"))
    variable = variable or "ZENCTL_" + long.strip("-").upper().replace("-", "_")
    return typer.Option(*names, envvar=variable, help=help_text, show_default=False, show_envvar=False, **more)


SHARED: tuple[inspect.Parameter, ...] = (
    _shared("kubeconfig", str, _option("--kubeconfig", metavar="FILE", help_text="Kubeconfig file to use.")),
    _shared("context", str, _option("--context", metavar="NAME", help_text="Context of the kubeconfig to use.")),
    _shared("as_user", str, _option("--as", metavar="USER", help_text="User to act as.")),
    _shared("as_group", list[str], _option("--as-group", metavar="GROUP", help_text="Group to act as; repeatable.")),
    _shared(
        "system_namespace",
        str,
        _option("--system-namespace", metavar="NS", help_text="The watcher's namespace (default zen-system)."),
    ),
    _shared(
        "request_timeout",
        str,
        _option("--request-timeout", metavar="TIME", help_text=f"Longest wait (default {DEFAULT_TIMEOUT})."),
    ),
    _shared("output", str, _option("-o", "--output", metavar="FORMAT", help_text="table, json, yaml or markdown.")),
    _shared(
        "store",
        str,
        _option("--store", metavar="DIR|URL", help_text="Where backups are kept: a folder, s3://, az:// or gs://."),
    ),
    _shared(
        "cluster_name",
        str,
        _option(
            "--cluster-name",
            metavar="NAME",
            variable="ZENCTL_CLUSTER",
            help_text="Name of this cluster in backups (default the uid of kube-system).",
        ),
    ),
    _shared(
        "from_",
        str,
        _option(
            "--from",
            metavar="ARCHIVE",
            help_text="Read this archive in place of the cluster; for commands that only read.",
        ),
    ),
    _shared("quiet", bool, _option("-q", "--quiet", help_text="No progress and no notes on stderr.")),
    _shared(
        "verbose",
        bool,
        _option("-v", "--verbose", help_text="Print each request to the cluster on stderr, and more of a bug."),
    ),
    _shared("no_color", bool, _option("--no-color", help_text="No colour; so does NO_COLOR.")),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """The shared options as they were given, and the environment that stands in for the rest."""

    environ: Mapping[str, str]
    kubeconfig: str = ""
    context: str = ""
    as_user: str = ""
    as_group: tuple[str, ...] = ()
    system_namespace: str = "zen-system"
    request_timeout: str = DEFAULT_TIMEOUT
    output: str = "table"
    store: str = ""
    cluster_name: str = ""
    from_: str = ""
    identity: tuple[str, ...] = ()
    """Key files for the archive of ``from_``; an option of the commands that read one."""
    quiet: bool = False
    verbose: bool = False
    no_color: bool = False

    def merged(self, values: Mapping[str, Any]) -> Settings:
        """Return these settings with the options that were given nearer to the command on top."""
        given: dict[str, Any] = {
            parameter.name: tuple(values[parameter.name]) if parameter.name == "as_group" else values[parameter.name]
            for parameter in SHARED
            if values.get(parameter.name)
        }
        return dataclasses.replace(self, **given)


def program_name() -> str:
    """Return the name that the user typed: zenctl, or "kubectl zen" for the plugin."""
    return "kubectl zen" if Path(sys.argv[0]).name == "kubectl-zen" else "zenctl"


def attach(function: _Function, parameters: Sequence[inspect.Parameter], *, with_environment: bool) -> _Function:
    """Give a function that takes **values the named parameters, as typer reads them from a signature."""
    own = [p for p in inspect.signature(function, eval_str=True).parameters.values() if p.kind is not p.VAR_KEYWORD]
    visible = parameters if with_environment else [_hidden(parameter) for parameter in parameters]
    function.__signature__ = inspect.Signature([*own, *visible])  # type: ignore[attr-defined]
    return function


def _hidden(parameter: inspect.Parameter) -> inspect.Parameter:
    """Return the parameter as it is below the root: accepted, but told of only in the root's help.

    The environment is read once, at the root: an option given there must win over a variable.
    """
    import copy

    kind, option = parameter.annotation.__origin__, copy.copy(parameter.annotation.__metadata__[0])
    option.hidden, option.envvar = True, None
    return parameter.replace(annotation=Annotated[kind, option])


def command(
    app: typer.Typer,
    name: str | None = None,
    *,
    codes: Sequence[ExitCode] = (),
    group_default: bool = False,
    offline: bool = False,
) -> Callable[[_Function], _Function]:
    """Make a function a command of ``app``: ``function(session, its own options) -> Report | RowStream``.

    ``codes`` are the exit codes besides 0, 2, 70 and 130 that it may answer; they are listed in its help.
    With ``group_default`` it is what the group does when no sub-command is named. With ``offline`` it only reads,
    through ``session.readable``, so that it takes --from, and --identity with it; no other command does.
    """
    codes = sorted({*codes, ExitCode.DAMAGED}) if offline else codes

    def register(function: _Function) -> _Function:
        signature = inspect.signature(function, eval_str=True)
        own = [p.replace(kind=p.KEYWORD_ONLY) for p in signature.parameters.values() if p.name != "session"]
        more = [_identity()] if offline and all(parameter.name != "identity" for parameter in own) else []

        def invoke(ctx: typer.Context, **values: Any) -> None:
            ctx.obj = ctx.obj.merged(values)
            given = {parameter.name: values[parameter.name] for parameter in own}
            if group_default and ctx.invoked_subcommand is not None:
                _refuse_lost_options(ctx, given)
                return
            if ctx.obj.from_:
                _require_reading(ctx, offline=offline)
                ctx.obj = dataclasses.replace(ctx.obj, identity=tuple(values["identity"] or ()))
            _perform(ctx.obj, lambda session: function(session, **given))

        invoke.__doc__ = function.__doc__
        attach(invoke, [], with_environment=False)
        invoke.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [*list(invoke.__signature__.parameters.values()), *own, *more, *(_hidden(p) for p in SHARED)]  # type: ignore[attr-defined]
        )
        if group_default:
            text = inspect.cleandoc(function.__doc__ or "")
            app.callback(help=text, invoke_without_command=True, no_args_is_help=False, epilog=_epilog(codes))(invoke)
        else:
            app.command(name, epilog=_epilog(codes))(invoke)
        return function

    return register


def _perform(settings: Settings, function: Callable[[Session], Any]) -> None:
    from zenctl.cli.session import Session

    with Session(settings, sys.stdin, sys.stdout, sys.stderr) as session:
        code = session.finish(function(session))
    raise typer.Exit(int(code))


def _identity() -> inspect.Parameter:
    """Return the option for the key of an archive."""
    from zenctl.cli.keys import IdentityOption

    return inspect.Parameter("identity", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=IdentityOption)


def _require_reading(ctx: typer.Context, *, offline: bool) -> None:
    """Refuse --from where it would not be heeded: nobody should believe that an archive is changed, or asked."""
    if not offline:
        raise UsageError(
            f"{ctx.command_path} does not take --from: it is no command that only reads a cluster",
            hint="leave out --from, and unset ZENCTL_FROM",
        )


def _refuse_lost_options(ctx: typer.Context, given: Mapping[str, Any]) -> None:
    """Refuse an option of the group's own action in front of a sub-command, which would never see it."""
    for name in given:
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = "--" + name.replace("_", "-")
            raise UsageError(
                f"{option} belongs to {ctx.command_path} itself, not to its sub-command {ctx.invoked_subcommand}",
                hint=f"see {ctx.command_path} {ctx.invoked_subcommand} --help",
            )


def _epilog(codes: Sequence[ExitCode]) -> str:
    every = sorted({ExitCode.GOOD, *codes, ExitCode.USAGE, ExitCode.BUG, ExitCode.INTERRUPTED})
    lines = [f"{int(code):>4}  {code.meaning}" for code in every]
    return "\n".join(
        ["\b", "Exit codes:", *lines, "", f"Global options stand anywhere; see {program_name()} --help."]
    )


CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""What every level of the command line has in common."""


def new_group(name: str, help_text: str) -> typer.Typer:
    """Return an empty group of commands with the settings that all of ours share."""
    return typer.Typer(
        name=name,
        help=help_text,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings=CONTEXT,
    )

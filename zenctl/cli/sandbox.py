"""``zenctl sandbox``."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli.keys import IdentityOption
from zenctl.cli.options import command, new_group
from zenctl.cli.session import LocalFile, Session, local_path, read_local
from zenctl.core.report import Report
from zenctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from zenctl.sandbox.apiserver.faults import Fault
    from zenctl.sandbox.home import Home

app = new_group("sandbox", "An embedded cluster to try everything in.")

_SEEDS = 1 << 31
_ASKING = "ask the sandbox how it is"
_CODES = (ExitCode.REFUSED, ExitCode.UNREACHABLE, ExitCode.DENIED)
FolderOption = Annotated[
    str,
    typer.Option(
        "--dir",
        envvar="ZENCTL_SANDBOX_DIR",
        metavar="DIR",
        help="The folder of this sandbox (default in the user's state folder).",
        show_default=False,
    ),
]


@app.callback()
def _group() -> None:
    """An embedded cluster to try everything in: an API server in one process, in memory, on this machine only.

    kubectl and zenctl use it like any other. It runs nothing: no pods come of a Deployment, and nothing is
    scheduled. What it does not implement it refuses.
    """


@command(app, "up", codes=(*_CODES, ExitCode.DAMAGED))
def up(
    session: Session,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Go on in the background.", show_default=False)
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="PORT", help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
    user: Annotated[
        list[str] | None,
        typer.Option(
            "--user", metavar="NAME[=GROUP,..]", help="A further user with a context; repeatable.", show_default=False
        ),
    ] = None,
    snapshot: Annotated[
        str,
        typer.Option(
            "--snapshot", metavar="FILE", help="Begin with this file and keep it at the end.", show_default=False
        ),
    ] = "",
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="SPEC",
            help="What shall go wrong, as in 429:probability=0.1; repeatable.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", help="Repeats uids, generated names and faults.", show_default=False),
    ] = None,
    folder: FolderOption = "",
) -> Report | str:
    """Start a sandbox, write its kubeconfig, and print how to use it.

    A fault is KIND[:key=value,..]. KIND is an HTTP status from 400 to 599, reset, latency or skew. The keys verb,
    resource, path, after, every, times and probability say which requests it strikes; retry-after, after-bytes,
    seconds and jitter say how. The same seed and the same requests give the same faults.
    """
    from zenctl.sandbox.home import parse_user
    from zenctl.sandbox.report import up_report
    from zenctl.sandbox.run import UpOptions, serve
    from zenctl.sandbox.run import detach as start

    home = _home(session, folder)
    chosen = secrets.randbelow(_SEEDS) if seed is None else seed
    faults, users = _faults(fault), tuple(parse_user(text) for text in user or ())
    if detach:
        given = ["--dir", str(home.folder), "--port", str(port), "--seed", str(chosen)]
        given += ["--snapshot", str(local_path(snapshot).absolute())] if snapshot else []
        given += [word for text in user or () for word in ("--user", text)]
        given += [word for text in fault or () for word in ("--fault", text)]
        return up_report(home, start(home, given), foreground=False)
    options = UpOptions(port, chosen, faults, users)
    kept = LocalFile(local_path(snapshot)) if snapshot else None
    serve(
        home, options, session.clock.now, kept, lambda record: session.show(up_report(home, record, foreground=True))
    )
    return ""


@command(app, "down", codes=_CODES)
def down(session: Session, folder: FolderOption = "") -> Report:
    """End the sandbox that runs; everything in it is gone, but for what --snapshot keeps."""
    from zenctl.sandbox.report import down_report
    from zenctl.sandbox.run import stop

    return down_report(stop(_home(session, folder)))


@command(app, "status", codes=_CODES)
def status(session: Session, folder: FolderOption = "") -> Report:
    """Show the sandbox that runs: how to reach it, what is in it, and how often its faults have struck."""
    from zenctl.sandbox.report import Told, status_report
    from zenctl.sandbox.run import running

    home = _home(session, folder)
    record = running(home)
    told = session.sandbox(str(home.kubeconfig)).get("status", Told, doing=_ASKING)
    return status_report(home, record, told, session.clock.now())


@command(app, "load", codes=(ExitCode.PARTIAL, *_CODES, ExitCode.DAMAGED))
def load(
    session: Session,
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|DIR|ARCHIVE",
            help="YAML or JSON of objects, a folder of such files and of logs, or an archive.",
        ),
    ],
    identity: IdentityOption = None,
    folder: FolderOption = "",
) -> Report:
    """Put objects into the sandbox as they are: with status, uid and times, as another cluster had them.

    In a folder a file logs/NAMESPACE/POD/CONTAINER.log (or CONTAINER.previous.log) is the log of that container.
    PodMetrics and NodeMetrics are what kubectl top then shows. Namespaces that are missing are made.
    """
    from zenctl.cli.archives import open_named
    from zenctl.sandbox.load import SUFFIXES, log_of, objects_of_archive, objects_of_files
    from zenctl.sandbox.load import load as put_in
    from zenctl.sandbox.run import running

    home = _home(session, folder)
    running(home)
    sandbox = session.sandbox(str(home.kubeconfig))
    path = local_path(what)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        texts = {str(file): read_local(file) for file in files if file.suffix in SUFFIXES}
        logs = [log for file in files if file.suffix == ".log" and (log := log_of(file, read_local(file)))]
        if not texts and not logs:
            raise UsageError(f"the folder {what} holds no YAML or JSON files and no logs")
        objects, others = objects_of_files(texts)
        return put_in(sandbox, what, objects, logs, others)
    if (path.suffix in SUFFIXES or "/" in what) and not path.is_file():
        raise UsageError(f"there is no file or folder {what}", hint="give a file, a folder or an archive")
    if path.suffix in SUFFIXES:
        objects, others = objects_of_files({what: read_local(path)})
        return put_in(sandbox, what, objects, rejected=others)
    archive = open_named(session, what, "", identity)
    return put_in(sandbox, archive.name, objects_of_archive(archive))


def _home(session: Session, folder: str) -> Home:
    from zenctl.sandbox.home import Home, default_folder

    return Home(local_path(folder).absolute() if folder else default_folder(session.settings.environ))


def _faults(texts: list[str] | None) -> tuple[Fault, ...]:
    from zenctl.sandbox.apiserver.faults import FORM, parse_fault

    try:
        return tuple(parse_fault(text) for text in texts or ())
    except ValueError as error:
        raise UsageError(f"--fault: {error}", hint=f"write {FORM}") from None

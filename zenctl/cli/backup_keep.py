"""``zenctl backup prune``, ``pin`` and ``unpin``: which archives stay."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zenctl.cli import keys
from zenctl.cli.archives import ArchiveArgument, locate
from zenctl.cli.arguments import DryRunOption, YesOption, duration, zone
from zenctl.cli.keys import IdentityOption
from zenctl.cli.options import command, new_group
from zenctl.cli.session import Session
from zenctl.core.report import Report
from zenctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from zenctl.backup.catalogue import Sound
    from zenctl.backup.retention import Rule
    from zenctl.ports import BlobStore

app = new_group("", "Which archives stay.")
"""Without a name, so that ``zenctl backup`` takes its commands in as its own."""

_PIN = (ExitCode.REFUSED, ExitCode.UNREACHABLE, ExitCode.DENIED, ExitCode.DAMAGED)
_PRUNE = (*_PIN, ExitCode.PARTIAL)
_REASON_LENGTH = 500
_COARSEST = timedelta(hours=1)


def _count(period: str, what: str) -> Any:
    return typer.Option(f"--keep-{period}", metavar="N", help=f"Keep {what}; unlimited is all.", show_default=False)


def _within(suffix: str, what: str) -> Any:
    text = f"Keep {what} within this time of the newest one: 36h, 30d, 52w."
    return typer.Option(f"--keep-within{suffix}", metavar="TIME", help=text, show_default=False)


WhoseOption = Annotated[
    str,
    typer.Option("--cluster", metavar="NAME", help="Whose archives (default this cluster's).", show_default=False),
]


@command(app, "prune", codes=_PRUNE)
def prune(
    session: Session,
    keep_last: Annotated[str, _count("last", "the newest N archives")] = "",
    keep_hourly: Annotated[str, _count("hourly", "the newest of each of the last N hours that have one")] = "",
    keep_daily: Annotated[str, _count("daily", "the newest of each of the last N days that have one")] = "",
    keep_weekly: Annotated[str, _count("weekly", "the newest of each of the last N ISO weeks that have one")] = "",
    keep_monthly: Annotated[str, _count("monthly", "the newest of each of the last N months that have one")] = "",
    keep_yearly: Annotated[str, _count("yearly", "the newest of each of the last N years that have one")] = "",
    keep_within: Annotated[str, _within("", "everything")] = "",
    keep_within_hourly: Annotated[str, _within("-hourly", "the newest of each hour")] = "",
    keep_within_daily: Annotated[str, _within("-daily", "the newest of each day")] = "",
    keep_within_weekly: Annotated[str, _within("-weekly", "the newest of each ISO week")] = "",
    keep_within_monthly: Annotated[str, _within("-monthly", "the newest of each month")] = "",
    keep_within_yearly: Annotated[str, _within("-yearly", "the newest of each year")] = "",
    min_keep: Annotated[
        int, typer.Option("--min-keep", metavar="N", min=1, help="Keep so many whatever the rules say.")
    ] = 3,
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="ZONE", help="Whose calendar counts, such as Europe/Berlin.")
    ] = "UTC",
    set_name: Annotated[str, typer.Option("--set", metavar="SET", help="Which archives: backup or undo.")] = "backup",
    cluster: WhoseOption = "",
    all_clusters: Annotated[
        bool, typer.Option("--all-clusters", help="Archives of every cluster, each by itself.", show_default=False)
    ] = False,
    identity: IdentityOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> Report:
    """Remove the archives that no rule keeps.

    At least one --keep rule is needed; an archive stays when any of them keeps it. The archives of each
    cluster, set and choice of namespaces are judged by themselves. Whatever the rules say, these stay:
    the last verified archive, the newest --min-keep complete ones (verified ones first), pinned ones,
    those dated in the future, and whatever is damaged. An incomplete archive takes no place in a rule,
    and goes only after a newer one is complete.

    Without --yes it shows the plan and asks; without a terminal it exits with the plan and code 4.
    """
    from zenctl.backup.prune import PrunePorts, PruneRequest, apply, plan_prune
    from zenctl.backup.prune_report import outcome_report, plan_report
    from zenctl.backup.retention import Period, Policy

    counts = (keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_yearly)
    windows = (
        keep_within, keep_within_hourly, keep_within_daily, keep_within_weekly, keep_within_monthly,
        keep_within_yearly,
    )  # fmt: skip
    rules = (
        *_count_rules(dict(zip(Period, counts, strict=True))),
        *_window_rules(dict(zip(Period, windows, strict=True))),
    )
    if not rules:
        raise UsageError("no rule says what to keep", hint="give one, such as --keep-daily 7 or --keep-within 30d")
    request = PruneRequest(
        policy=Policy(rules, min_keep, zone("--timezone", timezone)),
        set_name=_set(set_name),
        cluster=_whose(session, cluster, all_clusters=all_clusters),
        keys=keys.keys(session.settings.environ, identity),
    )
    ports = PrunePorts(store=session.store, clock=session.clock, progress=session.progress)
    plan = plan_prune(ports, request)
    if plan.removals or plan.orphan_notes or dry_run:
        question = f"Remove {len(plan.removals):,} of {sum(1 for _ in plan.items):,} archives?"
        stop = session.approve(plan_report(plan), question, yes=yes, dry_run=dry_run)
        if stop is not None:
            return stop
    return outcome_report(apply(ports, plan))


@command(app, "pin", codes=_PIN)
def pin(
    session: Session,
    archive: ArchiveArgument,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why it must stay.", show_default=False)
    ] = "",
    cluster: WhoseOption = "",
) -> Report:
    """Pin an archive, so that prune never removes it.

    The pin is a small file beside the archive. Pinning it again with another reason replaces the pin.
    """
    from zenctl.backup.notes import Pin, read_pin, write_pin
    from zenctl.backup.prune_report import pin_report

    if len(reason) > _REASON_LENGTH:
        raise UsageError(f"--reason: {len(reason)} characters are too many", hint=f"use at most {_REASON_LENGTH}")
    store, sound = _find(session, archive, cluster)
    before = read_pin(store, sound.name)
    if isinstance(before, Pin) and reason in ("", before.reason):
        return pin_report(sound, before, changed=False)
    made = write_pin(store, sound.name, sound.footer, reason=reason, at=session.clock.now())
    return pin_report(sound, made, changed=True)


@command(app, "unpin", codes=_PIN)
def unpin(session: Session, archive: ArchiveArgument, cluster: WhoseOption = "") -> Report:
    """Take the pin off an archive; prune then judges it too."""
    from zenctl.backup.notes import pin_name, read_pin
    from zenctl.backup.prune_report import pin_report

    store, sound = _find(session, archive, cluster)
    before = read_pin(store, sound.name)
    if before is not None:
        store.delete(pin_name(sound.name))
    return pin_report(sound, None, changed=before is not None)


def _find(session: Session, wanted: str, cluster: str) -> tuple[BlobStore, Sound]:
    from zenctl.archive.reader import read_footer
    from zenctl.backup.catalogue import Sound

    store, name = locate(session, wanted, cluster)
    size_bytes = store.size(name)
    return store, Sound(name, size_bytes, read_footer(store, name, size_bytes))


def _whose(session: Session, cluster: str, *, all_clusters: bool) -> str | None:
    """Return the cluster whose archives are judged; None is every one, and asks no cluster anything."""
    if all_clusters:
        if cluster:
            raise UsageError("--cluster and --all-clusters exclude each other", hint="give one of them")
        return None
    return cluster or session.settings.cluster_name or session.cluster.uid()


def _count_rules(given: dict[Any, str]) -> list[Rule]:
    """Read the options that are numbers; 0 is no rule. Raises UsageError."""
    from zenctl.backup.retention import Rule

    rules = []
    for period, text in given.items():
        cleaned = text.strip()
        if cleaned in ("unlimited", "-1"):
            rules.append(Rule(period))
        elif cleaned.isascii() and cleaned.isdecimal() and len(cleaned) <= 9:
            rules += [Rule(period, places=int(cleaned))] if int(cleaned) else []
        elif cleaned:
            raise UsageError(
                f"--keep-{period.value}: {text!r} is not a number of archives",
                hint="write a number such as 7, or unlimited",
            )
    return rules


def _window_rules(given: dict[Any, str]) -> list[Rule]:
    """Read the options that are times. Raises UsageError."""
    from zenctl.backup.retention import Period, Rule

    rules = []
    for period, text in given.items():
        if not text.strip():
            continue
        option = "--keep-within" if period is Period.EACH else f"--keep-within-{period.value}"
        within = duration(option, text)
        if within % _COARSEST:
            # In other tools' policies 1m is a month; read as a minute it would remove almost everything.
            raise UsageError(f"{option}: {text!r} is no whole number of hours", hint="write days for months: 30d")
        rules.append(Rule(period, within=within))
    return rules


def _set(text: str) -> str:
    from zenctl.archive.format import is_set_name

    if not is_set_name(text):
        raise UsageError(f"--set: {text!r} cannot be a set", hint="sets are called backup and undo")
    return text

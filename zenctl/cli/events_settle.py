"""``zenctl events resolve``, ``ack``, ``reopen`` and ``archive``: by name, or by selection with a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from zenctl.cli.arguments import ApiGroupOption, DryRunOption, NamespaceOption, SelectorOption, YesOption
from zenctl.cli.event_filters import Categories, Given, Phases, Severities, Since, Sources, Until
from zenctl.cli.options import command, new_group
from zenctl.cli.session import Session
from zenctl.core.observation import GROUP
from zenctl.core.report import Report
from zenctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from zenctl.events.names import Name
    from zenctl.events.plan import Plan
    from zenctl.events.run import EventsPorts
    from zenctl.events.settle import Action, Decision

app = new_group("", "Settle Observations.")
"""Without a name, so that ``zenctl events`` takes its commands in as its own."""

_CODES = (ExitCode.PARTIAL, ExitCode.REFUSED, ExitCode.UNREACHABLE, ExitCode.DENIED)

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="NAMESPACE/NAME, or NAME.", show_default=False)
]
Everything = Annotated[bool, typer.Option("--all", help="Select every Observation there is.", show_default=False)]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for whoever reads it.", show_default=False)]
Author = Annotated[
    str, typer.Option("--author", metavar="NAME", help="Who says so (default $USER).", show_default=False)
]
_HOW = """Named ones are settled at once. Others are selected by labels, filters or a namespace, as in list: then
it shows the plan and asks; without a terminal it exits with the plan and code 4, unless there is --yes. What has
changed since the plan is left alone, listed, and makes the exit code 3."""


class _Asked(NamedTuple):
    """What the options said."""

    names: tuple[Name, ...]
    given: Given
    note: str
    author: str
    yes: bool
    dry_run: bool
    api_group: str


def _settling(word: str, summary: str, detail: str) -> None:
    """Make a command that settles Observations."""

    def settle(
        session: Session,
        names: Names = None,
        namespace: NamespaceOption = "",
        selector: SelectorOption = "",
        severity: Severities = None,
        source: Sources = None,
        category: Categories = None,
        phase: Phases = None,
        since: Since = "",
        until: Until = "",
        everything: Everything = False,
        note: Note = "",
        author: Author = "",
        api_group: ApiGroupOption = GROUP,
        dry_run: DryRunOption = False,
        yes: YesOption = False,
    ) -> Report:
        from zenctl.events.names import parse_names
        from zenctl.events.settle import Action

        parsed = parse_names(names or (), namespace)
        given = Given(namespace, selector, severity, source, category, phase, since, until).checked()
        _require_one_way(named=bool(parsed), given=given, everything=everything)
        return _settle(session, Action(word), _Asked(parsed, given, note, author, yes, dry_run, api_group))

    settle.__doc__ = f"{summary}\n\n{detail}\n\n{_HOW}"
    command(app, word, codes=_CODES)(settle)


_settling(
    "resolve",
    "Mark Observations as Resolved.",
    "From then on cleanup may delete them by their age. A selection takes open ones, unless --phase names others.",
)
_settling(
    "ack",
    "Mark Observations as Acknowledged.",
    "Somebody knows, and it is not settled yet. A selection takes Active ones, unless --phase names others.",
)
_settling(
    "reopen",
    "Make Observations Active again.",
    "What was said about them stays in their conditions. A selection leaves Archived ones alone, unless --phase\n"
    "names them.",
)
_settling(
    "archive",
    "Mark Observations as Archived.",
    "They are settled, and kept for the record: cleanup leaves them alone unless it is told otherwise.",
)


def _require_one_way(*, named: bool, given: Given, everything: bool) -> None:
    """Refuse a command line that says two things, or nothing."""
    if named and (everything or given.selects):
        raise UsageError("names and a selection exclude each other", hint="name Observations, or select them")
    if everything and (given.selects or given.namespace):
        raise UsageError("--all and a selection exclude each other", hint="leave one of the two out")
    if not (named or everything or given.selects or given.namespace):
        raise UsageError(
            "nothing says which Observations", hint="give names, a selection such as -l or --severity, or --all"
        )


def _settle(session: Session, action: Action, asked: _Asked) -> Report:
    from zenctl.events.apply import settle_planned
    from zenctl.events.plan_report import applied_report, plan_report
    from zenctl.events.report import settled_report
    from zenctl.events.run import settle_named
    from zenctl.events.settle import Decision

    who = asked.author.strip() or session.settings.environ.get("USER") or "zenctl"
    decision = Decision(action, session.cluster.now(), who, asked.note.strip())
    ports = _ports(session)
    if asked.names and not asked.dry_run:
        return settled_report(settle_named(ports, asked.api_group, asked.names, decision))
    plan = _plan(ports, decision, asked)
    if plan.targets or asked.dry_run:
        question = f"{action.value.capitalize()} {len(plan.targets):,} of {plan.total:,} Observations?"
        stop = session.approve(plan_report(plan), question, yes=asked.yes, dry_run=asked.dry_run)
        if stop is not None:
            return stop
    return applied_report(settle_planned(ports, plan))


def _plan(ports: EventsPorts, decision: Decision, asked: _Asked) -> Plan:
    from zenctl.events.plan import Planner, plan_of
    from zenctl.events.run import read_named
    from zenctl.events.scan import scan
    from zenctl.events.select import Filter

    if asked.names:
        planner = Planner(decision, Filter(), named=True)
        for found in read_named(ports, asked.api_group, asked.names):
            planner.add(found.resource, found.item)
        return plan_of(decision, [planner])
    wanted = asked.given.filter(decision.now)
    read = scan(ports, asked.api_group, asked.given.query, lambda: Planner(decision, wanted))
    return plan_of(decision, read.tallies, mixed=read.mixed)


def _ports(session: Session) -> EventsPorts:
    from zenctl.events.run import EventsPorts

    return EventsPorts(
        discovery=session.discovery,
        reader=session.cluster,
        writer=session.cluster,
        workers=session.workers,
        progress=session.progress,
    )

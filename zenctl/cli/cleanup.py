"""``zenctl cleanup``."""

from __future__ import annotations

from typing import Annotated

import typer

from zenctl.cleanup.report import EXIT_CODES
from zenctl.cli.arguments import (
    ApiGroupOption,
    DryRunOption,
    NamespaceOption,
    SelectorOption,
    YesOption,
    choice,
    duration,
    words,
)
from zenctl.cli.options import command, new_group
from zenctl.cli.session import Session
from zenctl.core.observation import GROUP, AgeSource, Phase, Severity
from zenctl.core.report import Report

app = new_group("cleanup", "Delete settled Observations by real dates.")

OlderThan = Annotated[
    str, typer.Option("--older-than", metavar="TIME", help="Age to delete from: 7d, 1w, 12h, 1d12h.")
]
Phases = Annotated[list[str], typer.Option("--phase", metavar="PHASE", help="Phases to delete, exactly; repeatable.")]
Severities = Annotated[
    list[str] | None,
    typer.Option("--severity", metavar="SEVERITY", help="Only these severities; repeatable.", show_default=False),
]
AgeFrom = Annotated[
    str, typer.Option("--age-from", metavar="FIELD", help=f"What age is counted from: {', '.join(AgeSource)}.")
]


@command(app, "cleanup", codes=EXIT_CODES)
def cleanup(
    session: Session,
    older_than: OlderThan,
    phase: Phases = [Phase.RESOLVED.value],  # noqa: B006 - typer copies it
    severity: Severities = None,
    namespace: NamespaceOption = "",
    selector: SelectorOption = "",
    age_from: AgeFrom = AgeSource.AUTO.value,
    api_group: ApiGroupOption = GROUP,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> Report:
    """Delete Observations that are settled and old, judged by the instant that each one names.

    By default exactly the phase Resolved counts. Age is counted from spec.timestamp, else
    spec.detectedAt, else the creation time, against the API server's clock. A time that is malformed,
    without zone or in the future keeps its object, and so does a later status.lastSeen. An object that
    changes while the cleanup runs is kept.

    Without --yes it shows the plan and asks; without a terminal it exits with the plan and code 4.
    """
    from zenctl.cleanup.plan import Rule
    from zenctl.cleanup.report import outcome_report, plan_report
    from zenctl.cleanup.run import CleanupPorts, apply, read_and_plan
    from zenctl.ports import ListQuery

    rule = Rule(
        older_than=duration("--older-than", older_than),
        phases=frozenset(choice("--phase", Phase, word).value for word in words(phase)),
        severities=frozenset(choice("--severity", Severity, word).value for word in words(severity)),
        age_from=choice("--age-from", AgeSource, age_from),
    )
    ports = CleanupPorts(
        discovery=session.discovery,
        reader=session.cluster,
        writer=session.cluster,
        info=session.cluster,
        workers=session.workers,
        clock=session.clock,
        progress=session.progress,
    )
    plan = read_and_plan(ports, api_group, rule, ListQuery(namespace or None, selector))
    if plan.candidates or dry_run:
        question = f"Delete {len(plan.candidates):,} of {plan.total:,} Observations?"
        stop = session.approve(plan_report(plan), question, yes=yes, dry_run=dry_run)
        if stop is not None:
            return stop
    return outcome_report(apply(ports, plan))

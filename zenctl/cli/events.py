"""``zenctl events``: the triage desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zenctl.cli.arguments import ApiGroupOption, NamespaceOption, SelectorOption, choice, instant, words
from zenctl.cli.options import command, new_group
from zenctl.cli.session import Session
from zenctl.core.observation import GROUP, Phase, Severity
from zenctl.core.report import Report, RowStream
from zenctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from zenctl.events.run import EventsPorts, Listing
    from zenctl.events.scan import ReadPorts
    from zenctl.events.settle import Action

app = new_group("events", "List, show and settle Observations.")

_READ_CODES = (ExitCode.REFUSED, ExitCode.UNREACHABLE, ExitCode.DENIED)
_WRITE_CODES = (ExitCode.PARTIAL, *_READ_CODES)

Words = list[str] | None
Severities = Annotated[
    Words,
    typer.Option(
        "--severity", metavar="SEVERITY", help=f"Only these severities: {', '.join(Severity)}.", show_default=False
    ),
]
Sources = Annotated[
    Words, typer.Option("--source", metavar="SOURCE", help="Only what these tools found.", show_default=False)
]
Categories = Annotated[
    Words, typer.Option("--category", metavar="CATEGORY", help="Only these categories.", show_default=False)
]
Phases = Annotated[
    Words,
    typer.Option("--phase", metavar="PHASE", help=f"Only these phases: {', '.join(Phase)}.", show_default=False),
]
Since = Annotated[
    str,
    typer.Option("--since", metavar="TIME", help="From here on: 24h (ago), or an RFC 3339 time.", show_default=False),
]
Until = Annotated[
    str,
    typer.Option("--until", metavar="TIME", help="Before this: 1h (ago), or an RFC 3339 time.", show_default=False),
]
Sort = Annotated[
    str,
    typer.Option("--sort", metavar="BY", help="time, severity, namespace, name, phase, source or last-seen."),
]
Reverse = Annotated[bool, typer.Option("--reverse", help="Turn the order round.", show_default=False)]
Limit = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, help="So many at most.", show_default=False)
]
Columns = Annotated[
    Words, typer.Option("--columns", metavar="NAMES", help="Columns of the table, in order.", show_default=False)
]
Wide = Annotated[bool, typer.Option("--wide", help="More columns.", show_default=False)]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="NAMESPACE/NAME, or NAME.", show_default=False)]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for whoever reads it.", show_default=False)]
Author = Annotated[
    str, typer.Option("--author", metavar="NAME", help="Who says so (default $USER).", show_default=False)
]


@command(app, "list", codes=_READ_CODES, offline=True)
def list_(
    session: Session,
    namespace: NamespaceOption = "",
    selector: SelectorOption = "",
    severity: Severities = None,
    source: Sources = None,
    category: Categories = None,
    phase: Phases = None,
    since: Since = "",
    until: Until = "",
    sort: Sort = "time",
    reverse: Reverse = False,
    limit: Limit = None,
    columns: Columns = None,
    wide: Wide = False,
    api_group: ApiGroupOption = GROUP,
) -> RowStream[Any]:
    """List Observations, the newest first.

    Filters may be repeated and may be lists with commas; words are compared in any case. The time of
    an Observation is spec.timestamp, else spec.detectedAt, else its creation. Where that cannot be
    read, --since and --until leave it out and say how many they left out. JSON and YAML always have
    every field, whatever the columns are. With --from ARCHIVE it lists what a backup holds, and times
    and ages are those of the backup.
    """
    from zenctl.events.rows import event_stream
    from zenctl.events.run import ListRequest, list_events
    from zenctl.events.select import Filter, SortBy, checked_window, ordering
    from zenctl.ports import ListQuery

    order = ordering(choice("--sort", SortBy, sort), reverse=reverse)
    names = _column_names(columns, wide=wide)
    severities = frozenset(choice("--severity", Severity, word).value for word in words(severity))
    phases = frozenset(choice("--phase", Phase, word).value for word in words(phase))
    now = session.readable.info.now()
    wanted = Filter(
        severities=severities,
        sources=words(source),
        categories=words(category),
        phases=phases,
        since=instant("--since", since, now) if since else None,
        until=instant("--until", until, now) if until else None,
    )
    checked_window(wanted.since, wanted.until)
    request = ListRequest(ListQuery(namespace or None, selector), wanted, order, limit)
    listing = list_events(_reading(session), api_group, request, now)
    _tell(session, listing)
    return event_stream(listing.rows, names)


@command(app, "show", codes=_READ_CODES, offline=True)
def show(
    session: Session, names: Names, namespace: NamespaceOption = "", api_group: ApiGroupOption = GROUP
) -> Report:
    """Show everything about the Observations of these names.

    A NAME alone is looked for in every namespace and has to be the only one of its name. -o json and
    -o yaml print the objects themselves, complete, under data.objects. With --from ARCHIVE they come out
    of a backup, of which only the part is read in which they lie; ages are those of the backup.
    """
    from zenctl.events.details import details_report
    from zenctl.events.names import parse_names
    from zenctl.events.run import read_named

    parsed = parse_names(names, namespace)
    found = read_named(_reading(session), api_group, parsed)
    return details_report(found, session.readable.info.now())


def _settling(word: str, summary: str, detail: str) -> None:
    """Make a command that settles the Observations of its names."""

    def settle(
        session: Session,
        names: Names,
        namespace: NamespaceOption = "",
        note: Note = "",
        author: Author = "",
        api_group: ApiGroupOption = GROUP,
    ) -> Report:
        from zenctl.events.settle import Action

        return _settle(session, Action(word), names, (namespace, note, author, api_group))

    settle.__doc__ = f"{summary}\n\n{detail}"
    command(app, word, codes=_WRITE_CODES)(settle)


_settling("resolve", "Mark Observations as Resolved.", "From then on cleanup may delete them by their age.")
_settling("ack", "Mark Observations as Acknowledged.", "Somebody knows, and it is not settled yet.")
_settling("reopen", "Make Observations Active again.", "What was said about them stays in their conditions.")
_settling(
    "archive",
    "Mark Observations as Archived.",
    "They are settled, and kept for the record: cleanup leaves them alone unless it is told otherwise.",
)


def _settle(session: Session, action: Action, names: list[str], options: tuple[str, str, str, str]) -> Report:
    from zenctl.events.names import parse_names
    from zenctl.events.report import settled_report
    from zenctl.events.run import settle_named
    from zenctl.events.settle import Decision

    namespace, note, author, api_group = options
    parsed = parse_names(names, namespace)
    who = author.strip() or session.settings.environ.get("USER") or "zenctl"
    decision = Decision(action, session.cluster.now(), who, note.strip())
    return settled_report(settle_named(_ports(session), api_group, parsed, decision))


def _reading(session: Session) -> ReadPorts:
    from zenctl.events.scan import ReadPorts

    readable = session.readable
    return ReadPorts(discovery=readable.discovery, reader=readable.reader, progress=session.progress)


def _ports(session: Session) -> EventsPorts:
    from zenctl.events.run import EventsPorts

    return EventsPorts(
        discovery=session.discovery,
        reader=session.cluster,
        writer=session.cluster,
        workers=session.workers,
        progress=session.progress,
    )


def _column_names(columns: list[str] | None, *, wide: bool) -> tuple[str, ...]:
    from zenctl.events.rows import DEFAULT, WIDE, checked_columns

    if columns is None:
        return WIDE if wide else DEFAULT
    if wide:
        raise UsageError("--columns and --wide exclude each other", hint="name the columns that you want")
    return checked_columns([name for value in columns for name in value.split(",")])


def _tell(session: Session, listing: Listing) -> None:
    """Say on stderr what the rows themselves do not."""
    if not listing.rows and session.settings.output not in ("json", "yaml"):
        session.note("no Observations match")
    if len(listing.rows) < listing.matched:
        session.note(f"these are {len(listing.rows):,} of the {listing.matched:,} Observations that match")
    if listing.untimed:
        those = "1 Observation" if listing.untimed == 1 else f"{listing.untimed:,} Observations"
        session.note(f"left out {those} of unreadable time; without --since and --until they come last")
    if listing.mixed:
        session.note("the listing outlived its snapshot: some of it is newer than the rest")

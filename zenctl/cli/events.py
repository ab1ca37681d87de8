"""``zenctl events``: the triage desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zenctl.cli import events_settle
from zenctl.cli.arguments import (
    ApiGroupOption,
    NamespaceOption,
    SelectorOption,
    choice,
    duration,
    instant,
    words,
    zone,
)
from zenctl.cli.event_filters import Categories, Given, Phases, Severities, Since, Sources, Until, Words
from zenctl.cli.options import command, new_group
from zenctl.cli.session import Session
from zenctl.core.observation import GROUP
from zenctl.core.report import Report, RowStream
from zenctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from zenctl.events.run import Listing
    from zenctl.events.scan import ReadPorts

app = new_group("events", "List, show, count, watch and settle Observations.")
app.add_typer(events_settle.app)

_READ_CODES = (ExitCode.REFUSED, ExitCode.UNREACHABLE, ExitCode.DENIED)

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
Days = Annotated[int, typer.Option("--days", metavar="N", min=1, max=366, help="Days to count one by one.")]
TimeZone = Annotated[
    str, typer.Option("--timezone", metavar="ZONE", help="Whose days they are, such as Europe/Berlin.")
]
DigestSince = Annotated[
    str, typer.Option("--since", metavar="TIME", help="Where the while begins: 24h (ago), or an RFC 3339 time.")
]
Brief = Annotated[
    bool, typer.Option("--brief", help="Only the Observations, and nothing around them.", show_default=False)
]
WatchSince = Annotated[
    str,
    typer.Option("--since", metavar="TIME", help="Begin with those of 1h (ago) or of a time on.", show_default=False),
]
Changes = Annotated[list[str], typer.Option("--change", metavar="WORD", help="Which changes to show.")]
Initial = Annotated[bool, typer.Option("--initial", help="Begin with all that is there.", show_default=False)]
For = Annotated[
    str, typer.Option("--for", metavar="TIME", help="End after so long (default never).", show_default=False)
]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="NAMESPACE/NAME, or NAME.", show_default=False)]


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
    from zenctl.events.select import SortBy, ordering

    order = ordering(choice("--sort", SortBy, sort), reverse=reverse)
    names = _column_names(columns, wide=wide)
    given = Given(namespace, selector, severity, source, category, phase, since, until).checked()
    now = session.readable.info.now()
    request = ListRequest(given.query, given.filter(now), order, limit)
    listing = list_events(_reading(session), api_group, request, now)
    _tell(session, listing)
    return event_stream(listing.rows, names)


@command(app, "show", codes=_READ_CODES, offline=True)
def show(
    session: Session,
    names: Names,
    namespace: NamespaceOption = "",
    brief: Brief = False,
    api_group: ApiGroupOption = GROUP,
) -> Report:
    """Show everything about the Observations of these names.

    That is what each says and what became of it, the resource that it is about (whether it is still there, whose
    it is, how its pods do), and other Observations about the same one. What may not be read is said to be unknown.

    A NAME alone is looked for in every namespace and has to be the only one of its name. -o json and
    -o yaml print the objects themselves, complete, under data.objects. With --from ARCHIVE they come out
    of a backup, of which with --brief only the part is read in which they lie; ages are those of the backup, and
    what it does not hold is unknown.
    """
    from zenctl.events.around import look_around
    from zenctl.events.details import details_report
    from zenctl.events.names import parse_names
    from zenctl.events.run import read_named

    parsed, reading = parse_names(names, namespace), _reading(session)
    found = read_named(reading, api_group, parsed)
    now = session.readable.info.now()
    around = () if brief else look_around(reading, api_group, found, now, live=not session.settings.from_)
    return details_report(found, around, now)


@command(app, "stats", codes=_READ_CODES, offline=True)
def stats(
    session: Session,
    namespace: NamespaceOption = "",
    selector: SelectorOption = "",
    severity: Severities = None,
    source: Sources = None,
    category: Categories = None,
    phase: Phases = None,
    since: Since = "",
    until: Until = "",
    days: Days = 14,
    timezone: TimeZone = "UTC",
    api_group: ApiGroupOption = GROUP,
) -> Report:
    """Count Observations by severity, phase, source, namespace and category, and by day.

    The day of an Observation is that of its time, as in list. What has no readable time is counted, and in no
    day. Sparklines have one sign for each day, up to and with today; a dot is a day with nothing.
    With --from ARCHIVE it counts what a backup holds, and today is the day of the backup.
    """
    from zenctl.events.scan import scan
    from zenctl.events.stats import Calendar, Statistics, together
    from zenctl.events.stats_report import stats_report

    calendar_zone = zone("--timezone", timezone)
    given = Given(namespace, selector, severity, source, category, phase, since, until).checked()
    now = session.readable.info.now()
    calendar, wanted = Calendar(now, calendar_zone, days), given.filter(now)
    found = scan(_reading(session), api_group, given.query, lambda: Statistics(wanted, calendar))
    return stats_report(together(found.tallies, wanted, calendar), calendar, mixed=found.mixed)


@command(app, "digest", codes=_READ_CODES, offline=True)
def digest(
    session: Session,
    since: DigestSince = "24h",
    namespace: NamespaceOption = "",
    selector: SelectorOption = "",
    source: Sources = None,
    category: Categories = None,
    api_group: ApiGroupOption = GROUP,
) -> Report:
    """Sum up a while for a morning's message: what is new, still open, oldest and noisiest.

    -o markdown is made for a chat, and never longer than a message. What cannot be judged, because its time or
    its phase says nothing, is counted by itself and never called settled. With --from ARCHIVE it is the digest of
    a backup, up to its time.
    """
    from zenctl.events.digest import Digest
    from zenctl.events.digest_report import digest_report
    from zenctl.events.scan import scan

    given = Given(namespace, selector, source=source, category=category)
    now = session.readable.info.now()
    begin = instant("--since", since, now)
    if begin >= now:
        raise UsageError(f"--since: {since} is no time before now", hint="write a duration such as 24h")
    wanted = given.filter(now)
    found = scan(_reading(session), api_group, given.query, lambda: Digest(wanted, begin, now))
    whole = Digest(wanted, begin, now)
    for tally in found.tallies:
        whole.take(tally)
    return digest_report(whole, mixed=found.mixed)


@command(app, "watch", codes=_READ_CODES)
def watch(
    session: Session,
    namespace: NamespaceOption = "",
    selector: SelectorOption = "",
    severity: Severities = None,
    source: Sources = None,
    category: Categories = None,
    phase: Phases = None,
    change: Changes = ["added", "phase"],  # noqa: B006 - typer copies it
    since: WatchSince = "",
    initial: Initial = False,
    for_: For = "",
    api_group: ApiGroupOption = GROUP,
) -> RowStream[Any]:
    """Show what happens to Observations, as it happens, until Ctrl-C.

    A connection that is cut is taken up where it broke off. A server that has forgotten so far back is listed
    again; no state of an Observation is shown twice, and the last one of each is always shown. -o json prints a
    document a line, -o yaml one after another.

    It shows what is added and what changes its phase, or whatever --change names: added, phase, changed (anything
    else: seen again, most often), deleted. It begins with nothing, with --initial with all that is there, and with
    --since with what is there and not older.
    """
    from zenctl.events.follow import Change, FollowPorts
    from zenctl.events.watch import WatchPorts, WatchRequest, watch_events, watch_stream

    given = Given(namespace, selector, severity, source, category, phase, since).checked()
    changes = {choice("--change", Change, word) for word in words(change)}
    seconds = duration("--for", for_).total_seconds() if for_ else None
    now = session.cluster.now()
    begins = {Change.PRESENT} if initial or since else set()
    request = WatchRequest(given.query, given.filter(now), frozenset(changes | begins), seconds)
    ports = WatchPorts(session.discovery, FollowPorts(session.cluster, session.clock, session.note))
    return watch_stream(watch_events(ports, api_group, request, now))


def _reading(session: Session) -> ReadPorts:
    from zenctl.events.scan import ReadPorts

    readable = session.readable
    return ReadPorts(discovery=readable.discovery, reader=readable.reader, progress=session.progress)


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

"""The options by which commands choose Observations, and their reading into the filters of ``zenctl events``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from zenctl.cli.arguments import choice, instant, words
from zenctl.core.observation import Phase, Severity
from zenctl.errors import UsageError

if TYPE_CHECKING:
    from zenctl.events.select import Filter
    from zenctl.ports import ListQuery

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


class Given(NamedTuple):
    """What the options said."""

    namespace: str = ""
    selector: str = ""
    severity: Words = None
    source: Words = None
    category: Words = None
    phase: Words = None
    since: str = ""
    until: str = ""

    @property
    def query(self) -> ListQuery:
        """What the server selects."""
        from zenctl.ports import ListQuery

        return ListQuery(self.namespace or None, self.selector)

    @property
    def selects(self) -> bool:
        """Say whether anything but the namespace is selected by."""
        return any(
            (self.selector.strip(), self.severity, self.source, self.category, self.phase, self.since, self.until)
        )

    def checked(self) -> Given:
        """Return the same. Raises UsageError for what can be seen to be wrong without a cluster.

        An option without a word in it, as of a variable that is not set, would select everything.
        """
        self._words()
        lists = (self.severity, self.source, self.category, self.phase)
        for option, values in zip(("--severity", "--source", "--category", "--phase"), lists, strict=True):
            if values and not words(values):
                raise UsageError(f"{option} is given, and names nothing", hint="leave it out to select all")
        return self

    def filter(self, now: datetime) -> Filter:
        """Return what is selected here; times are read as counted back from ``now``. Raises UsageError."""
        from zenctl.events.select import Filter, checked_window

        severities, phases = self._words()
        since = instant("--since", self.since, now) if self.since else None
        until = instant("--until", self.until, now) if self.until else None
        checked_window(since, until)
        return Filter(
            severities=severities,
            sources=words(self.source),
            categories=words(self.category),
            phases=phases,
            since=since,
            until=until,
        )

    def _words(self) -> tuple[frozenset[str], frozenset[str]]:
        return (
            frozenset(choice("--severity", Severity, word).value for word in words(self.severity)),
            frozenset(choice("--phase", Phase, word).value for word in words(self.phase)),
        )

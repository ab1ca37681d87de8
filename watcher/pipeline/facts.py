"""What the pipeline needs of an Event beside its own fields: facts for the filter, a time that can be true."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from watcher.sources.event import Event
from zenctl.core.instants import format_instant, read_instant
from zenctl.product.filters import Facts

_RULES = ("vulnerabilityID", "checkID", "checkId", "ruleID", "testNumber", "policy", "rule", "reason")
SKEW = timedelta(minutes=5)
"""How far a tool's clock may be ahead."""


def facts_of(event: Event) -> Facts:
    """Return what the filter may know of an event."""
    group, slash, _ = event.subject.api_version.rpartition("/")
    named = (event.details.get(key) for key in _RULES)
    return Facts(
        source=event.source,
        severity=event.severity,
        event_type=event.event_type,
        category=event.category,
        namespace=event.subject.namespace,
        kind=event.subject.kind,
        group=group if slash else "",
        rules=tuple(name for name in named if isinstance(name, str)),
        actor=event.actor,
    )


def normalised(event: Event, now: datetime, *, listed: bool) -> Event:
    """Return the event with a time that can be true: what was posted without one happened now.

    A time in the future becomes now, since an Observation is otherwise never old; what the tool said is kept.
    """
    moment = read_instant(event.time).instant
    if moment is None:
        return event if listed else replace(event, time=format_instant(now))
    if moment <= now + SKEW:
        return event
    return replace(event, time=format_instant(now), details={**event.details, "reportedTime": event.time})

"""Warnings among a cluster's own Events, of core/v1 and events.k8s.io, to Events of ours.

Normal Events are no findings. The reason decides what one is, never the kind of its object or words in
its text. One decoded Event in; no files, no clocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from watcher.sources.event import Event, ReportError, Subject, UnknownReport
from watcher.sources.masking import mask
from watcher.sources.report import group_of
from watcher.sources.values import bounded, instant, mapping, one_line
from zenctl.core.observation import Severity

SOURCE = "kubernetes-events"
GROUPS = ("", "events.k8s.io")


class Kind(NamedTuple):
    """What Events of certain reasons are; words are parts of a reason, in lower case."""

    event_type: str
    category: str
    words: tuple[str, ...]


KINDS = (
    Kind("access-control-violation", "security", ("unauthorized", "forbidden", "privilegeescalation")),
    Kind("pod-security-violation", "security", ("podsecurity", "securitycontext", "seccomp", "apparmor")),
    Kind("network-policy-violation", "security", ("networkpolicy",)),
    Kind("policy-violation", "security", ("policyviolation", "policyfail", "policyerror")),
    Kind("image-pull-failure", "operations", ("imagepull", "errimage", "inspectfailed", "pulling")),
    Kind(
        "storage-access-failure",
        "operations",
        ("mount", "attachvolume", "provisioning", "volumeresize", "volumeunmap", "mapvolume"),
    ),
    Kind(
        "resource-exhaustion",
        "operations",
        ("oomkilling", "systemoom", "evict", "pressure", "insufficient", "exceeded", "failedscheduling", "freedisk"),
    ),
)
"""The first that matches holds."""
OTHERWISE = Kind("kubernetes-event", "operations", ())

_CRITICAL = ("unauthorized", "forbidden", "faileddelete", "privilegeescalation")
_HIGH = ("failed", "backoff")
_TIMES = ("deprecatedLastTimestamp", "lastTimestamp", "eventTime", "deprecatedFirstTimestamp", "firstTimestamp")


def parse(report: object) -> tuple[Event, ...]:
    """Return the finding of one Event; none where it is Normal.

    Raises UnknownReport for what is no Event of a cluster, ReportError for one that says not what it is about.
    """
    if not isinstance(report, dict) or not _is_event(report):
        raise UnknownReport(f"a {type(report).__name__} without reason and object is no Event of a cluster")
    kind = one_line(report.get("type"))
    if kind.lower() == "normal":
        return ()
    reason = one_line(report.get("reason"))
    about = mapping(report.get("regarding")) or mapping(report.get("involvedObject"))
    subject = _subject(report, about)
    if not reason:
        raise ReportError(f"Event of {subject}: it has no reason")
    said = mask(one_line(report.get("note"), 4096) or one_line(report.get("message"), 4096))
    component = _component(report)
    meant = next((known for known in KINDS if any(word in reason.lower() for word in known.words)), OTHERWISE)
    uid, count = one_line(mapping(report.get("metadata")).get("uid")), _count(report)
    details = {
        "reason": reason,
        "type": kind,
        "action": one_line(report.get("action")),
        "component": component,
        "fieldPath": one_line(about.get("fieldPath")),
        "count": count,
        "firstTimestamp": instant(report.get("firstTimestamp")) or instant(report.get("deprecatedFirstTimestamp")),
    }
    return (
        Event(
            source=SOURCE,
            category=meant.category,
            event_type=meant.event_type,
            severity=_severity(reason, kind),
            message=one_line(f"{reason}: {said}" if said else reason, 1024),
            subject=subject,
            # Not the text: it counts seconds and names new pods each time.
            identity=(reason, component, one_line(about.get("fieldPath"))),
            time=_time(report),
            details=bounded(details),
            occurrence=f"{uid}/{count or 1}" if uid else "",
            actor=component,
        ),
    )


def _is_event(report: Mapping[Any, Any]) -> bool:
    kind, version = one_line(report.get("kind")), one_line(report.get("apiVersion"))
    if kind and kind != "Event":
        return False
    if version and not (group_of(report) == GROUPS[1] or version == "v1"):
        return False
    return "involvedObject" in report or "regarding" in report or (kind == "Event" and "auditID" not in report)


def _subject(report: Mapping[Any, Any], about: Mapping[Any, Any]) -> Subject:
    kind, name = one_line(about.get("kind")), one_line(about.get("name"))
    if kind and name:
        return Subject(
            kind,
            name,
            one_line(about.get("namespace")),
            one_line(about.get("apiVersion")),
            one_line(about.get("uid")),
        )
    metadata = mapping(report.get("metadata"))
    own = one_line(metadata.get("name"))
    if not own:
        raise ReportError("an Event does not say what it is about")
    return Subject("Event", own, one_line(metadata.get("namespace")), one_line(report.get("apiVersion")))


def _component(report: Mapping[Any, Any]) -> str:
    """Return who wrote the Event; the field has had four names."""
    for key in ("reportingController", "reportingComponent"):
        if found := one_line(report.get(key)):
            return found
    return next(
        (
            found
            for key in ("source", "deprecatedSource")
            if (found := one_line(mapping(report.get(key)).get("component")))
        ),
        "",
    )


def _count(report: Mapping[Any, Any]) -> int | None:
    counts = (mapping(report.get("series")).get("count"), report.get("count"), report.get("deprecatedCount"))
    return next((count for count in counts if isinstance(count, int) and not isinstance(count, bool)), None)


def _time(report: Mapping[Any, Any]) -> str | None:
    """Return when it was last seen; Events of the scheduler carry eventTime only."""
    times = (
        instant(mapping(report.get("series")).get("lastObservedTime")),
        *(instant(report.get(key)) for key in _TIMES),
        instant(mapping(report.get("metadata")).get("creationTimestamp")),
    )
    return next(filter(None, times), None)


def _severity(reason: str, kind: str) -> Severity:
    word = reason.lower()
    if any(part in word for part in _CRITICAL):
        return Severity.CRITICAL
    if any(part in word for part in _HIGH):
        return Severity.HIGH
    return Severity.MEDIUM if kind.lower() == "warning" else Severity.LOW

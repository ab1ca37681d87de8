"""Alerts of Falco, as its HTTP output posts them, to Events.

Every priority is read; which are worth keeping is the filter's to say. Falco's reports on its own
health arrive as alerts too, and are no findings. One decoded alert in, Events out; no files, no clocks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from watcher.sources.event import UNRATED, Event, ReportError, Subject, UnknownReport
from watcher.sources.masking import mask, masked_fields
from watcher.sources.values import bounded, instant, mapping, one_line, text
from zenctl.core.instants import format_instant
from zenctl.core.observation import Severity

SOURCE = "falco"
SEVERITIES: Mapping[str, Severity] = {
    "emergency": Severity.CRITICAL,
    "critical": Severity.CRITICAL,
    "alert": Severity.HIGH,
    "error": Severity.HIGH,
    "warning": Severity.MEDIUM,
    "notice": Severity.LOW,
    "informational": Severity.LOW,
    "info": Severity.LOW,
    "debug": Severity.INFO,
}
"""What Falco's priorities mean, in any case; "informational" is how it spells info."""

_INTERNAL = "falco internal:"
_KINDS = {
    "pods": "Pod", "secrets": "Secret", "configmaps": "ConfigMap", "serviceaccounts": "ServiceAccount",
    "deployments": "Deployment", "services": "Service", "namespaces": "Namespace",
}  # fmt: skip
_PREFIX = re.compile(r"^\S*\d[\d:.T+-]*Z?: *(?:[A-Z][a-z]+ )?")
_MOST_MESSAGE = 1024
_MOST_TAGS = 20


def parse(report: object) -> tuple[Event, ...]:
    """Return the finding of one alert. Raises UnknownReport for what is none, ReportError for a broken one."""
    if not isinstance(report, dict) or not ({"rule", "priority", "output"} & set(report)) or "kind" in report:
        raise UnknownReport(f"a {type(report).__name__} without rule, priority and output is no alert of Falco")
    rule = one_line(report.get("rule"))
    if not rule:
        raise ReportError("the alert of Falco names no rule")
    if rule.lower().startswith(_INTERNAL):
        raise UnknownReport(f"{rule}: health of Falco itself, not a finding")
    fields = mapping(report.get("output_fields"))
    word = one_line(report.get("priority"))
    severity = SEVERITIES.get(word.lower())
    engine = one_line(report.get("source")).lower() or "syscall"
    details = {
        "rule": rule,
        "priority": word,
        "reportedSeverity": (word or "none") if severity is None else None,
        "engine": engine,
        "hostname": one_line(report.get("hostname")),
        "fields": masked_fields(fields),
    }
    tags = report.get("tags")
    return (
        Event(
            source=SOURCE,
            category="security",
            event_type="runtime-security",
            severity=severity or UNRATED,
            message=_message(rule, report),
            subject=_subject(fields, report),
            identity=(rule, engine, *(_field(fields, key) for key in _IDENTIFYING)),
            time=instant(report.get("time")) or _event_time(fields.get("evt.time")),
            details=bounded(details),
            tags=tuple(filter(None, map(one_line, tags[:_MOST_TAGS]))) if isinstance(tags, list) else (),
            actor=_field(fields, "ka.user.name"),
        ),
    )


_IDENTIFYING = ("k8s.container.name", "proc.name", "ka.user.name", "ka.verb")
"""Fields that tell findings of one rule about one subject apart. Not files, addresses or times: each would be new."""


def _message(rule: str, report: Mapping[Any, Any]) -> str:
    said = _PREFIX.sub("", mask(one_line(report.get("output"), 4 * _MOST_MESSAGE)))
    return one_line(f"{rule}: {said}" if said else rule, _MOST_MESSAGE)


def _field(fields: Mapping[Any, Any], *keys: str) -> str:
    values = (one_line(fields.get(key)) for key in keys)
    return next((value for value in values if value and value != "<NA>"), "")


def _subject(fields: Mapping[Any, Any], report: Mapping[Any, Any]) -> Subject:
    """Return the pod, else the target of an audited request, else the host."""
    pod, namespace = _field(fields, "k8s.pod.name"), _field(fields, "k8s.ns.name")
    if pod:
        return Subject("Pod", pod, namespace, "v1", _field(fields, "k8s.pod.uid"))
    resource, target = _field(fields, "ka.target.resource"), _field(fields, "ka.target.name")
    if resource:
        return Subject(_KINDS.get(resource, resource), target, _field(fields, "ka.target.namespace"))
    host = _field(fields, "k8s.node.name", "evt.hostname") or one_line(report.get("hostname"))
    return Subject("Node", host)


def _event_time(value: object) -> str | None:
    """Return Falco's own time, in nanoseconds or microseconds since 1970; it may also be a clock's, without a day."""
    digits = text(value)
    if not digits.isdecimal() or len(digits) not in (16, 19):
        return None
    microseconds = int(digits[:16])
    return format_instant(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds))

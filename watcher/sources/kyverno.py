"""Policy reports, as Kyverno and every other writer of PolicyReport and its successors make them, to Events.

All API groups that the kind has lived in are read alike, and none of them is part of a finding's
identity, so that a cluster's move from one to the next repeats nothing. One decoded report object in,
Events out; nothing here reads files or clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from watcher.sources.event import UNRATED, Event, ReportError, Subject, UnknownReport, severity_from
from watcher.sources.merge import merge
from watcher.sources.report import as_object, entries, group_of, name_of
from watcher.sources.values import bounded, instant, mapping, one_line, text, without_empty
from zenctl.core.observation import Severity

SOURCE = "kyverno"
GROUPS = ("wgpolicyk8s.io", "reports.x-k8s.io", "openreports.io")
KINDS = ("PolicyReport", "ClusterPolicyReport", "Report", "ClusterReport")

_NOT_FINDINGS = ("pass", "skip")
_FINDINGS = ("fail", "warn", "error")
_IDENTIFYING = ("index", "binding", "mapBinding")
"""Properties that tell results of one policy and rule apart: a benchmark's control, an admission policy's binding."""
_MOST_MESSAGE = 1024


@dataclass(frozen=True, slots=True)
class _Report:
    """What all results of one report share."""

    name: str
    namespace: str
    scope: Mapping[Any, Any]
    source: str
    created: str | None
    origin: Mapping[str, Any]
    itself: Subject


def parse(report: object) -> tuple[Event, ...]:
    """Return the results that failed, warned or could not be evaluated, one Event for each resource.

    Policies are few and chosen, so results of every severity count and nothing is summed up. Raises
    UnknownReport for objects of other kinds, ReportError for malformed ones.
    """
    body = as_object(report, "Kyverno")
    if not _is_policy_report(body):
        raise UnknownReport(f"{name_of(body)}: no policy report")
    results = body.get("results")
    listed = [] if results is None else entries(results, "results", body)
    shared = _shared(body)
    events: list[Event] = []
    for index, entry in enumerate(listed):
        word = _outcome(entry)
        if word in _NOT_FINDINGS:
            continue
        if word not in _FINDINGS:
            raise ReportError(
                f"{shared.name}: results[{index}] says {word!r}, not one of pass, fail, warn, error, skip"
            )
        if not one_line(entry.get("policy")):
            raise ReportError(f"{shared.name}: results[{index}] names no policy")
        events.extend(_event(entry, word, subject, shared) for subject in _subjects(entry, shared))
    return merge(events)


def covers(report: object) -> tuple[str, ...]:
    """Return the report's own name: it lists all results; nothing where it cannot be read, or says nothing at all.

    A report that was just made may have no results yet, which is not the same as none that failed.
    """
    try:
        parse(report)
    except ReportError:
        return ()
    body = mapping(report)
    return (name_of(body),) if isinstance(body.get("results"), list) else ()


def _is_policy_report(body: Mapping[Any, Any]) -> bool:
    kind, group = one_line(body.get("kind")), group_of(body)
    if not body.get("apiVersion"):
        return kind in KINDS[:2]  # "Report" alone could be anybody's
    return kind in KINDS and group in GROUPS


def _shared(body: Mapping[Any, Any]) -> _Report:
    metadata = mapping(body.get("metadata"))
    kind, name, namespace = (
        one_line(value) for value in (body.get("kind"), metadata.get("name"), metadata.get("namespace"))
    )
    return _Report(
        name=name_of(body),
        namespace=namespace,
        scope=mapping(body.get("scope")),
        source=one_line(body.get("source")),
        created=instant(metadata.get("creationTimestamp")),
        origin=without_empty({"kind": kind, "name": name}),
        itself=Subject(kind, name, namespace, one_line(body.get("apiVersion")), one_line(metadata.get("uid"))),
    )


def _outcome(entry: Mapping[Any, Any]) -> str:
    """Return the result in lower case; it was called status before v1alpha2."""
    return (one_line(entry.get("result")) or one_line(entry.get("status"))).lower()


def _subjects(entry: Mapping[Any, Any], shared: _Report) -> Iterator[Subject]:
    """Yield what a result is about: its own resources, else the report's scope, else the report itself."""
    resources = entry.get("resources")
    named = [mapping(resource) for resource in resources] if isinstance(resources, list) else []
    about = [subject for resource in named or [shared.scope] if (subject := _subject(resource, shared))]
    if not about and not shared.itself.name:
        raise ReportError(
            f"{shared.name}: the result of {one_line(entry.get('policy'))} does not say what it is about"
        )
    yield from about or [shared.itself]


def _subject(resource: Mapping[Any, Any], shared: _Report) -> Subject | None:
    kind, name = one_line(resource.get("kind")), one_line(resource.get("name"))
    if not kind or not name:
        return None
    return Subject(
        kind=kind,
        name=name,
        # A namespaced report speaks only of its own namespace, and often does not repeat it.
        namespace=one_line(resource.get("namespace")) or shared.namespace,
        api_version=one_line(resource.get("apiVersion")),
        uid=one_line(resource.get("uid")),
    )


def _event(entry: Mapping[Any, Any], word: str, subject: Subject, shared: _Report) -> Event:
    policy, rule = one_line(entry.get("policy")), one_line(entry.get("rule"))
    properties = mapping(entry.get("properties"))
    reported = one_line(entry.get("severity")) or one_line(properties.get("severity"))
    severity = severity_from(reported)
    message = _message(entry, word)
    details = {
        "policy": policy,
        "rule": rule,
        "result": word,
        "category": entry.get("category"),
        "scored": entry.get("scored"),
        "engine": one_line(entry.get("source")) or shared.source,
        "message": None if message.endswith(text(entry.get("message"))) else entry.get("message"),
        "description": entry.get("description"),
        "properties": properties,
        "reportedSeverity": reported if severity is None else None,
        "report": shared.origin,
    }
    return Event(
        source=SOURCE,
        category="security",
        event_type="policy-error" if word == "error" else "policy-violation",
        severity=severity or (Severity.LOW if word == "warn" else UNRATED),
        message=message,
        subject=subject,
        # Not the outcome: a policy that cannot be evaluated today is the finding of yesterday, unresolved.
        identity=(policy, rule, *(one_line(properties.get(key)) for key in _IDENTIFYING)),
        time=instant(entry.get("timestamp")) or shared.created,
        details=bounded(details),
        report=shared.name,
    )


def _message(entry: Mapping[Any, Any], word: str) -> str:
    policy, rule = one_line(entry.get("policy")), one_line(entry.get("rule"))
    name = f"{policy}/{rule}" if rule and rule != policy else policy
    said = one_line(entry.get("message"), _MOST_MESSAGE)
    otherwise = {"fail": "violated", "warn": "violated, as a warning", "error": "could not be evaluated"}[word]
    prefix = "could not be evaluated: " if word == "error" and said else ""
    return one_line(f"{name}: {prefix}{said or otherwise}", _MOST_MESSAGE)

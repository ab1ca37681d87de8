"""Reports of the Trivy operator, and of Starboard before it, to Events.

A CRITICAL or HIGH finding becomes an Event of its own; the rest of a report becomes one summary.
Nothing here reads files or clocks: one decoded report object in, Events out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from watcher.sources.event import (
    UNRATED,
    Event,
    ReportError,
    Subject,
    UnknownReport,
    severity_from,
    worst,
)
from watcher.sources.merge import merge
from watcher.sources.report import as_object, entries, group_of, name_of
from watcher.sources.values import bounded, instant, mapping, one_line, text, without_empty
from zenctl.core.observation import SEVERITY_ORDER, Severity

SOURCE = "trivy"
GROUP = "aquasecurity.github.io"
INDIVIDUALLY = frozenset({Severity.CRITICAL, Severity.HIGH})
"""Severities whose findings get an Event each by default; those of the others share a summary."""

_LABEL = "trivy-operator.resource."
_STARBOARD_LABEL = "starboard.resource."
_CONTAINER_LABELS = ("trivy-operator.container.name", "starboard.container.name")
_MOST_LISTED = 20
_MOST_MESSAGE = 512


@dataclass(frozen=True, slots=True)
class _Family:
    """Kinds of reports that are read alike."""

    findings: str
    category: str
    event_type: str
    one: str
    many: str


_VULNERABILITIES = _Family("vulnerabilities", "security", "vulnerability", "vulnerability", "vulnerabilities")
_CONFIGURATION = _Family("checks", "security", "misconfiguration", "failed check", "failed checks")
_RBAC = _Family("checks", "security", "rbac-misconfiguration", "failed check", "failed checks")
_INFRASTRUCTURE = _Family("checks", "compliance", "infra-misconfiguration", "failed check", "failed checks")
_SECRETS = _Family("secrets", "security", "exposed-secret", "exposed secret", "exposed secrets")

_FAMILIES = {
    "VulnerabilityReport": _VULNERABILITIES,
    "ClusterVulnerabilityReport": _VULNERABILITIES,
    "ConfigAuditReport": _CONFIGURATION,
    "ClusterConfigAuditReport": _CONFIGURATION,
    "RbacAssessmentReport": _RBAC,
    "ClusterRbacAssessmentReport": _RBAC,
    "InfraAssessmentReport": _INFRASTRUCTURE,
    "ClusterInfraAssessmentReport": _INFRASTRUCTURE,
    "ExposedSecretReport": _SECRETS,
}
_WITHOUT_FINDINGS = {
    "SbomReport": "an inventory has no findings",
    "ClusterSbomReport": "an inventory has no findings",
    "ClusterComplianceReport": "it repeats what the other reports say",
}


@dataclass(frozen=True, slots=True)
class _Report:
    """What all findings of one report share."""

    family: _Family
    name: str
    subject: Subject
    container: str
    time: str | None
    origin: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Finding:
    """What the reader of one family makes of one entry."""

    identity: tuple[str, ...]
    message: str
    details: Mapping[str, Any]
    tags: tuple[str, ...] = ()


def parse(report: object, *, individually: frozenset[Severity] = INDIVIDUALLY) -> tuple[Event, ...]:
    """Return the findings of one report; severities not in ``individually`` share one summary.

    Raises UnknownReport for objects that hold no findings of Trivy, ReportError for malformed ones.
    """
    body = as_object(report, "Trivy")
    family = _family(body)
    content = body.get("report")
    if not isinstance(content, dict):
        raise ReportError(f"{name_of(body)}: it has no report")
    shared = _shared(body, content, family)
    listed = entries(content.get(family.findings), f"report.{family.findings}", body)
    read = _READERS[family.findings]
    events = []
    for index, entry in enumerate(listed):
        if entry.get("success") is True:
            continue  # checks that passed stand in the same list
        finding = read(entry, shared)
        if not finding.identity[0]:
            raise ReportError(f"{name_of(body)}: report.{family.findings}[{index}] does not say what was found")
        events.append(_event(entry, finding, shared))
    found = merge(events)
    alone = tuple(event for event in found if event.severity in individually)
    rest = tuple(event for event in found if event.severity not in individually)
    return (*alone, _summary(rest, shared, content, further=bool(alone))) if rest else alone


def covers(report: object) -> tuple[str, ...]:
    """Return the report's own name: it lists all that was found; nothing where it cannot be read."""
    try:
        parse(report)
    except ReportError:
        return ()
    return (name_of(mapping(report)),)


def _family(body: Mapping[Any, Any]) -> _Family:
    kind, group = one_line(body.get("kind")), group_of(body)
    if kind in _WITHOUT_FINDINGS and group in ("", GROUP):
        raise UnknownReport(f"{name_of(body)}: {_WITHOUT_FINDINGS[kind]}")
    # Archives may drop apiVersion; the kinds are telling enough.
    if kind not in _FAMILIES or (body.get("apiVersion") and group != GROUP):
        raise UnknownReport(f"{name_of(body)}: no report of Trivy")
    return _FAMILIES[kind]


def _shared(body: Mapping[Any, Any], content: Mapping[Any, Any], family: _Family) -> _Report:
    metadata = mapping(body.get("metadata"))
    labels = mapping(metadata.get("labels"))
    container = next(filter(None, (one_line(labels.get(label)) for label in _CONTAINER_LABELS)), "")
    return _Report(
        family=family,
        name=name_of(body),
        subject=_subject(body, metadata, labels),
        container=container,
        time=instant(content.get("updateTimestamp")) or instant(metadata.get("creationTimestamp")),
        origin=_origin(body, content, container),
    )


def _subject(body: Mapping[Any, Any], metadata: Mapping[Any, Any], labels: Mapping[Any, Any]) -> Subject:
    """Return what the report is about: by its labels, else its owner, else itself.

    A name that no label can hold stands in an annotation, with only its hash in the labels. The
    report's own namespace is believed first: an owner cannot be in another one.
    """
    annotations, owner = mapping(metadata.get("annotations")), _owner(metadata)
    kind = _labelled(labels, "kind") or one_line(owner.get("kind"))
    name = _labelled(annotations, "name") or _labelled(labels, "name") or one_line(owner.get("name"))
    namespace = one_line(metadata.get("namespace")) or _labelled(labels, "namespace")
    if not kind or not name:
        kind, name, owner = one_line(body.get("kind")), one_line(metadata.get("name")), {}
    if not name:
        raise ReportError(f"{name_of(body)}: it does not say what it is about")
    known = (one_line(owner.get("kind")), one_line(owner.get("name"))) == (kind, name)
    return Subject(
        kind=kind,
        name=name,
        namespace=namespace,
        api_version=one_line(owner.get("apiVersion")) if known else "",
        uid=one_line(owner.get("uid")) if known else "",
    )


def _labelled(pairs: Mapping[Any, Any], what: str) -> str:
    return one_line(pairs.get(_LABEL + what)) or one_line(pairs.get(_STARBOARD_LABEL + what))


def _owner(metadata: Mapping[Any, Any]) -> Mapping[Any, Any]:
    owners = metadata.get("ownerReferences")
    return mapping(owners[0]) if isinstance(owners, list) and owners else {}


def _origin(body: Mapping[Any, Any], content: Mapping[Any, Any], container: str) -> Mapping[str, Any]:
    artifact, scanner, system = (mapping(content.get(key)) for key in ("artifact", "scanner", "os"))
    return without_empty(
        {
            "kind": one_line(body.get("kind")),
            "name": one_line(mapping(body.get("metadata")).get("name")),
            "container": container,
            "image": _image(mapping(content.get("registry")), artifact),
            "imageDigest": one_line(artifact.get("digest")),
            "os": one_line(f"{text(system.get('family'))} {text(system.get('name'))}"),
            "scanner": one_line(f"{text(scanner.get('name'))} {text(scanner.get('version'))}"),
        }
    )


def _image(registry: Mapping[Any, Any], artifact: Mapping[Any, Any]) -> str:
    repository, tag = one_line(artifact.get("repository")), one_line(artifact.get("tag"))
    if not repository:
        return ""
    server = one_line(registry.get("server"))
    return (f"{server}/" if server else "") + repository + (f":{tag}" if tag else "")


def _event(entry: Mapping[Any, Any], finding: _Finding, shared: _Report) -> Event:
    word = one_line(entry.get("severity"))
    severity = severity_from(word)
    details = {**finding.details, "report": shared.origin}
    if severity is None:
        details["reportedSeverity"] = word or "none"
    return Event(
        source=SOURCE,
        category=shared.family.category,
        event_type=shared.family.event_type,
        severity=severity or UNRATED,
        message=one_line(finding.message, _MOST_MESSAGE),
        subject=shared.subject,
        identity=(shared.family.event_type, shared.container, *finding.identity),
        time=shared.time,
        details=bounded(details),
        tags=finding.tags,
        report=shared.name,
    )


def _vulnerability(entry: Mapping[Any, Any], _: _Report) -> _Finding:
    identifier, package = one_line(entry.get("vulnerabilityID")), one_line(entry.get("resource"))
    installed, fixed = one_line(entry.get("installedVersion")), one_line(entry.get("fixedVersion"))
    title = one_line(entry.get("title"), _MOST_MESSAGE)
    what = " ".join(filter(None, (package, installed))) or "an unnamed package"
    remedy = f"fixed in {fixed}" if fixed else "no fixed version yet"
    return _Finding(
        identity=(identifier, package),
        message=f"{identifier} in {what}, {remedy}" + (f": {title}" if title else ""),
        details=_own_words(entry),
        tags=("fix-available",) if fixed else (),
    )


def _check(entry: Mapping[Any, Any], _: _Report) -> _Finding:
    title = one_line(entry.get("title"), _MOST_MESSAGE)
    messages = entry.get("messages")
    said = messages if isinstance(messages, list) else [entry.get("message")]
    first = next(filter(None, (one_line(message, _MOST_MESSAGE) for message in said)), "")
    identifier = one_line(entry.get("checkID")) or title or first
    parts = dict.fromkeys(filter(None, (identifier, title, first)))
    return _Finding(identity=(one_line(identifier),), message=": ".join(parts), details=_own_words(entry))


def _secret(entry: Mapping[Any, Any], shared: _Report) -> _Finding:
    rule, target = one_line(entry.get("ruleID")), one_line(entry.get("target"), 1024)
    title = one_line(entry.get("title")) or rule
    # What surrounds a secret, and sometimes the secret: Trivy masks it, not always all of it.
    details = {key: value for key, value in _own_words(entry).items() if key != "match"}
    place = f" in {target}" if target else ""
    image = f" of image {shared.origin['image']}" if "image" in shared.origin else ""
    return _Finding(identity=(rule, target), message=f"{title}{place}{image}", details=details)


_READERS: dict[str, Callable[[Mapping[Any, Any], _Report], _Finding]] = {
    "vulnerabilities": _vulnerability,
    "checks": _check,
    "secrets": _secret,
}


def _own_words(entry: Mapping[Any, Any]) -> dict[str, Any]:
    """Return an entry without what the Event says in its own fields."""
    return {key: value for key, value in entry.items() if key not in ("severity", "success")}


def _summary(rest: tuple[Event, ...], shared: _Report, content: Mapping[Any, Any], *, further: bool) -> Event:
    """Return one Event for all findings that are not worth one each."""
    counts = Counter(event.severity for event in rest)
    ordered = sorted(rest, key=lambda event: (SEVERITY_ORDER[event.severity], event.identity))
    spelled = ", ".join(f"{counts[severity]} {severity.lower()}" for severity in Severity if severity in counts)
    more, noun = "further " if further else "", shared.family.one if len(rest) == 1 else shared.family.many
    where = f" in container {shared.container}" if shared.container else ""
    details = {
        "counts": {severity.lower(): counts[severity] for severity in Severity if severity in counts},
        "fixAvailable": sum("fix-available" in event.tags for event in rest),
        "listed": [{"severity": event.severity, "message": event.message} for event in ordered[:_MOST_LISTED]],
        "reportSummary": content.get("summary"),
        "report": shared.origin,
    }
    return Event(
        source=SOURCE,
        category=shared.family.category,
        event_type=f"{shared.family.event_type}-summary",
        severity=worst(list(counts)),
        message=f"{len(rest)} {more}{noun} of {shared.subject}{where}: {spelled}",
        subject=shared.subject,
        identity=(f"{shared.family.event_type}-summary", shared.container),
        time=shared.time,
        details=bounded(details),
        report=shared.name,
    )

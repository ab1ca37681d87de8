"""Results of Checkov to Events: its JSON, alone or in a ConfigMap.

"Nothing was scanned" looks like an object of zeros and is no clean result. Code that Checkov quotes may
hold the secret that it found, and is not repeated. No files, no clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from watcher.sources.embedded import in_config_map, is_config_map
from watcher.sources.event import Event, ReportError, Subject, UnknownReport, severity_from
from watcher.sources.merge import merge
from watcher.sources.report import name_of
from watcher.sources.values import bounded, mapping, one_line
from zenctl.core.observation import Severity

SOURCE = "checkov"
EVENT_TYPE = "static-analysis"
GRAVE = frozenset({"CKV_K8S_16", "CKV_K8S_20", "CKV_K8S_23"})
"""Privileged containers, privilege escalation and root: HIGH where Checkov, offline, gives no severity."""

_CLUSTER_SCOPED = frozenset(
    {"ClusterRole", "ClusterRoleBinding", "Namespace", "PersistentVolume", "Node", "StorageClass"}
)
_SECRETS = "secrets"


def parse(report: object) -> tuple[Event, ...]:
    """Return the checks that failed. Raises UnknownReport where nothing was scanned, ReportError when malformed."""
    source = _source(report)
    events = [event for result in _results(report) for event in _failures(result, source)]
    return merge(events)


def covers(report: object) -> tuple[str, ...]:
    """Return which frameworks a ConfigMap holds complete results of: those with no file left unparsed."""
    source = _source(report)
    try:
        results = list(_results(report))
        parse(report)
    except ReportError:
        return ()
    whole = [result for result in results if not _unparsed(result)]
    return tuple(dict.fromkeys(_part(result, source) for result in whole)) if source else ()


def _source(report: object) -> str:
    return name_of(mapping(report)) if is_config_map(report) else ""


def _part(result: Mapping[Any, Any], source: str) -> str:
    return f"checkov {source} {one_line(result.get('check_type')) or 'any'}"


def _unparsed(result: Mapping[Any, Any]) -> bool:
    counted = mapping(result.get("summary")).get("parsing_errors")
    return bool(counted) or bool(mapping(result.get("results")).get("parsing_errors"))


def _results(report: object) -> Iterator[Mapping[Any, Any]]:
    """Yield the results of each framework, in whichever shape they come."""
    if is_config_map(report):
        held = in_config_map(mapping(report))
        if not isinstance(held, dict | list):
            raise ReportError(f"{_source(report)}: it holds no results of Checkov")
        yield from _results(held)
    elif isinstance(report, list):
        for entry in report:
            yield from _results(entry)
    elif isinstance(report, dict) and isinstance(report.get("results"), dict) and "kind" not in report:
        yield report
    elif isinstance(report, dict) and "checkov_version" in report:
        raise UnknownReport("Checkov scanned nothing: that is no clean result")
    else:
        raise UnknownReport(f"a {type(report).__name__} without results is no result of Checkov")


def _failures(result: Mapping[Any, Any], source: str) -> Iterator[Event]:
    framework = one_line(result.get("check_type"))
    failed = mapping(result.get("results")).get("failed_checks")
    if failed is None:
        return
    if not isinstance(failed, list):
        raise ReportError("results.failed_checks of Checkov is not a list")
    for index, entry in enumerate(failed):
        if not isinstance(entry, dict) or not one_line(entry.get("check_id")):
            raise ReportError(f"results.failed_checks[{index}] of Checkov names no check")
        yield _event(entry, framework, _part(result, source) if source else "")


def _event(entry: Mapping[Any, Any], framework: str, part: str) -> Event:
    check, name = one_line(entry.get("check_id")), one_line(entry.get("check_name"), 512)
    secret = framework == _SECRETS or check.startswith("CKV_SECRET_")
    path = one_line(entry.get("repo_file_path")) or one_line(entry.get("file_path"))
    lines = entry.get("file_line_range")
    word = one_line(entry.get("severity"))
    # Of a secret, Checkov's "resource" is its SHA-1: enough to try a dictionary on.
    resource = "" if secret else one_line(entry.get("resource"), 512)
    subject = _subject(framework, resource, path)
    details = {
        "checkId": check,
        "checkName": name,
        "framework": framework,
        "resource": resource,
        "guideline": one_line(entry.get("guideline"), 512),
        "file": path,
        "lines": lines if isinstance(lines, list) else None,
        "reportedSeverity": word if word and severity_from(word) is None else None,
    }
    return Event(
        source=SOURCE,
        category="security",
        event_type=EVENT_TYPE,
        severity=severity_from(word) or (Severity.HIGH if secret or check in GRAVE else Severity.MEDIUM),
        message=one_line(f"{check}: {name} ({subject})" if name else f"{check} ({subject})", 512),
        subject=subject,
        # Two secrets of one kind in one file differ by their lines only.
        identity=(check, one_line(resource), str(lines[0]) if secret and isinstance(lines, list) and lines else ""),
        details=bounded(details),
        report=part,
    )


def _subject(framework: str, resource: str, path: str) -> Subject:
    """Return the Kubernetes object that "Kind.namespace.name" means, else the file."""
    kind, _, rest = resource.partition(".")
    namespace, _, name = rest.partition(".")
    if framework in ("kubernetes", "helm", "kustomize") and kind and namespace and name:
        # Checkov says default of whatever has no namespace.
        return Subject(one_line(kind), one_line(name), "" if kind in _CLUSTER_SCOPED else one_line(namespace))
    if not path and not resource:
        raise ReportError("a failed check of Checkov does not say what it is about")
    return Subject("File", path or one_line(resource))

"""Results of kube-bench to Events: its JSON, alone, in a ConfigMap, or cut out of the log of its Job.

kube-bench does not say on which node it ran: whoever collects its output does. Values that it found on
a node are command lines and file contents, and are not repeated. No files, no clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from watcher.sources.embedded import in_config_map, is_config_map
from watcher.sources.event import Event, ReportError, Subject, UnknownReport
from watcher.sources.merge import merge
from watcher.sources.report import name_of
from watcher.sources.values import bounded, mapping, one_line, text
from zenctl.core.observation import Severity

SOURCE = "kube-bench"
EVENT_TYPE = "cis-benchmark-fail"
NODE_KEYS = ("kubernetes.io/hostname", "node", "nodeName")
"""Labels or annotations of a ConfigMap that say which node its results are of."""


def parse(report: object, *, node: str = "") -> tuple[Event, ...]:
    """Return the checks that failed: HIGH where they are scored, else MEDIUM.

    ``node`` is where kube-bench ran, "" where nobody knows; a ConfigMap may say it itself. Raises
    UnknownReport for what is no result of kube-bench, ReportError for a malformed one.
    """
    subject = _subject(report, node)
    events: list[Event] = []
    for control in _controls(report):
        for group in _list(control, "tests"):
            events.extend(_failures(control, group, subject))
    return merge(events)


def covers(report: object, *, node: str = "") -> tuple[str, ...]:
    """Return which parts of the benchmark a report covers: a run may be of one target only."""
    try:
        subject = _subject(report, node)
        controls = list(_controls(report))
        parse(report, node=node)
    except ReportError:
        return ()
    if not subject.name:
        return ()
    return tuple(dict.fromkeys(_part(control, subject) for control in controls if _list(control, "tests")))


def _part(control: Mapping[Any, Any], subject: Subject) -> str:
    return f"kube-bench {subject} {one_line(control.get('node_type')) or 'any'}"


def _subject(report: object, node: str) -> Subject:
    if not is_config_map(report):
        return Subject("Node", one_line(node), api_version="v1")
    metadata = mapping(mapping(report).get("metadata"))
    pairs = {**mapping(metadata.get("annotations")), **mapping(metadata.get("labels"))}
    named = one_line(node) or next(filter(None, (one_line(pairs.get(key)) for key in NODE_KEYS)), "")
    if named:
        return Subject("Node", named, api_version="v1")
    # Two nodes' ConfigMaps must not look like one node.
    return Subject("ConfigMap", one_line(metadata.get("name")), one_line(metadata.get("namespace")), "v1")


def _controls(report: object) -> Iterator[Mapping[Any, Any]]:
    """Yield the controls of a report, in whichever of its shapes it comes."""
    if is_config_map(report):
        controls = in_config_map(mapping(report))
        if not isinstance(controls, dict | list):
            raise ReportError(f"{name_of(mapping(report))}: it holds no controls of kube-bench")
        yield from _controls(controls)
    elif isinstance(report, list):
        for control in report:
            yield from _controls(control)
    elif isinstance(report, dict) and "Controls" in report:
        yield from _controls(report["Controls"])
    elif isinstance(report, dict) and "tests" in report and "kind" not in report:
        yield report
    else:
        raise UnknownReport(f"a {type(report).__name__} without Controls or tests is no result of kube-bench")


def _list(value: Mapping[Any, Any], key: str) -> list[Mapping[Any, Any]]:
    entries = value.get(key)
    if entries is None:
        return []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ReportError(f"control {_id(value) or '(without an id)'}: {key} is not a list of objects")
    return entries


def _id(value: Mapping[Any, Any]) -> str:
    return one_line(value.get("id")) or one_line(value.get("section"))


def _failures(control: Mapping[Any, Any], group: Mapping[Any, Any], subject: Subject) -> Iterator[Event]:
    for result in _list(group, "results"):
        if one_line(result.get("status")).upper() != "FAIL":
            continue
        description = one_line(result.get("test_desc"), 512)
        number = one_line(result.get("test_number")) or one_line(result.get("test_id"))
        if not number and not description:
            raise ReportError(f"control {_id(control) or '(without an id)'}: a failed check has no number")
        scored = result.get("scored") is True
        details = {
            "testNumber": number,
            "section": one_line(group.get("section")),
            "sectionTitle": one_line(group.get("desc")),
            "testDesc": description,
            "remediation": text(result.get("remediation")),
            "expected": one_line(result.get("expected_result"), 512),
            "reason": one_line(result.get("reason"), 512),
            "scored": result.get("scored"),
            "benchmark": one_line(control.get("version")),
            "nodeType": one_line(control.get("node_type")),
        }
        yield Event(
            source=SOURCE,
            category="compliance",
            event_type=EVENT_TYPE,
            severity=Severity.HIGH if scored else Severity.MEDIUM,
            message=one_line(" ".join(filter(None, (number, description))), 512),
            subject=subject,
            identity=(one_line(control.get("node_type")), number or one_line(description)),
            details=bounded(details),
            report=_part(control, subject) if subject.name else "",
        )

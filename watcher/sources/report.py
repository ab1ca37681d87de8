"""What reports of every tool have in common, being Kubernetes objects: a name to call them by, and a group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watcher.sources.event import ReportError, UnknownReport
from watcher.sources.values import mapping, one_line


def as_object(report: object, tool: str) -> Mapping[Any, Any]:
    """Return the report as an object. Raises UnknownReport where it is none, or names no kind."""
    if not isinstance(report, dict):
        raise UnknownReport(f"a {type(report).__name__} is no report of {tool}")
    if not one_line(report.get("kind")):
        keys = ", ".join(sorted(filter(None, map(one_line, list(report)[:5])))) or "nothing"
        raise UnknownReport(f"an object without a kind (it has {keys}) is no report of {tool}")
    return report


def name_of(report: Mapping[Any, Any]) -> str:
    """Return how messages call a report: "VulnerabilityReport default/pod-web-nginx"."""
    metadata = mapping(report.get("metadata"))
    name = one_line(metadata.get("name")) or "(without a name)"
    namespace = one_line(metadata.get("namespace"))
    return (
        f"{one_line(report.get('kind'))} {namespace}/{name}"
        if namespace
        else f"{one_line(report.get('kind'))} {name}"
    )


def group_of(report: Mapping[Any, Any]) -> str:
    """Return the API group of a report; "" where it does not say, or is of the core group."""
    group, slash, _ = one_line(report.get("apiVersion")).rpartition("/")
    return group if slash else ""


def entries(value: object, where: str, report: Mapping[Any, Any]) -> list[Mapping[Any, Any]]:
    """Return a list of objects as that. Raises ReportError with the place of what is none."""
    if not isinstance(value, list):
        problem = "is missing" if value is None else "is not a list"
        raise ReportError(f"{name_of(report)}: {where} {problem}")
    for index, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise ReportError(f"{name_of(report)}: {where}[{index}] is not an object")
    return value

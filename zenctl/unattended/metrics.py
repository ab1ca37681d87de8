"""Metrics of runs that end: written to a file for node-exporter's textfile collector, or pushed to a Pushgateway.

A run says only what it knows. What it does not say stays as an earlier run left it, so that the time of the last
success survives a failure. No clock is read here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, Protocol
from urllib.parse import quote

from zenctl.errors import ExitCode
from zenctl.product.metrics import (
    BACKUP_BYTES,
    BACKUP_DURATION,
    BACKUP_LAST_DRILL,
    BACKUP_LAST_EXIT_CODE,
    BACKUP_LAST_RUN,
    BACKUP_LAST_SUCCESS,
    BACKUP_LAST_VERIFIED,
    BACKUP_METRICS,
    BACKUP_OBJECTS,
    CLEANUP_DELETED,
    CLEANUP_DOUBTFUL,
    CLEANUP_DURATION,
    CLEANUP_LAST_EXIT_CODE,
    CLEANUP_LAST_RUN,
    CLEANUP_LAST_SUCCESS,
    CLEANUP_METRICS,
    Metric,
)

UNKNOWN = "unknown"
"""The cluster's name where a run ended before it was known."""

Values = Mapping[Metric, float]

_METRICS = BACKUP_METRICS + CLEANUP_METRICS
_KNOWN = {metric.name: metric for metric in _METRICS}
_SAMPLE = re.compile(r'(\w+)\{cluster="((?:[^"\\]|\\.)*)"(?:,set="((?:[^"\\]|\\.)*)")?\} ([-+.\w]+)')
_ESCAPED = re.compile(r"\\(.)")


class Labels(NamedTuple):
    """Whose metrics they are."""

    cluster: str
    set_name: str = ""
    """"" where there is no such label."""


class MetricsFile(Protocol):
    """A file that is read and replaced whole."""

    def read(self) -> bytes | None:
        """Return its content; None where there is no such file."""

    def write(self, data: bytes) -> None:
        """Replace its content, whole or not at all."""


class Push(Protocol):
    """The way to a Pushgateway."""

    def post(self, path: str, body: bytes) -> None:
        """Send metrics to a group, replacing those of the same names in it and no others."""


class Sink(Protocol):
    """Where metrics go."""

    def record(self, labels: Labels, values: Values) -> None:
        """Write these values, and leave every other as it is."""


class Made(NamedTuple):
    """What a complete backup is."""

    objects: int
    size_bytes: int
    verified: bool = False
    """Whether it was read back at once, and found sound."""


class Cleaned(NamedTuple):
    """What a cleanup came to."""

    deleted: int
    doubtful: int
    """Kept, because their time cannot be trusted."""


def of_backup(ended: datetime, seconds: float, code: ExitCode, made: Made | None) -> Values:
    """Return what a run of zenctl backup has to say; ``made`` is None unless it made a complete backup."""
    values = _of_run((BACKUP_LAST_RUN, BACKUP_LAST_EXIT_CODE, BACKUP_DURATION), ended, seconds, code)
    if made is None:
        return values
    return {
        **values,
        BACKUP_LAST_SUCCESS: ended.timestamp(),
        BACKUP_OBJECTS: float(made.objects),
        BACKUP_BYTES: float(made.size_bytes),
        **(of_verification(ended) if made.verified else {}),
    }


def of_cleanup(ended: datetime, seconds: float, code: ExitCode, cleaned: Cleaned | None) -> Values:
    """Return what a run of zenctl cleanup has to say; ``cleaned`` is None unless it did all that it set out to do."""
    values = _of_run((CLEANUP_LAST_RUN, CLEANUP_LAST_EXIT_CODE, CLEANUP_DURATION), ended, seconds, code)
    if cleaned is None:
        return values
    return {
        **values,
        CLEANUP_LAST_SUCCESS: ended.timestamp(),
        CLEANUP_DELETED: float(cleaned.deleted),
        CLEANUP_DOUBTFUL: float(cleaned.doubtful),
    }


def _of_run(metrics: tuple[Metric, Metric, Metric], ended: datetime, seconds: float, code: ExitCode) -> Values:
    """Return what every run has to say, however it ended: when that was, its exit code, how long it took."""
    return dict(zip(metrics, (ended.timestamp(), float(code), round(seconds, 3)), strict=True))


def of_verification(ended: datetime) -> Values:
    """Return what a verification has to say that found a backup sound."""
    return {BACKUP_LAST_VERIFIED: ended.timestamp()}


def of_drill(ended: datetime) -> Values:
    """Return what a drill has to say whose restore was equal to the backup."""
    return {BACKUP_LAST_DRILL: ended.timestamp()}


class Textfile:
    """A file with the metrics of any number of clusters and sets; satisfies Sink."""

    def __init__(self, file: MetricsFile) -> None:
        self._file = file

    def record(self, labels: Labels, values: Values) -> None:
        """Write the file anew. A run that does not know its cluster speaks for the only one in the file."""
        found = parse(self._file.read() or b"")
        clusters = {known.cluster for known in found if known.set_name == labels.set_name}
        if labels.cluster == UNKNOWN and len(clusters) == 1:
            labels = Labels(clusters.pop(), labels.set_name)
        found[labels] = {**found.get(labels, {}), **values}
        self._file.write(exposition(found).encode())


class Pushgateway:
    """A Pushgateway, where each cluster and set is a group of the job; satisfies Sink."""

    def __init__(self, push: Push, job: str) -> None:
        self._push, self._job = push, job

    def record(self, labels: Labels, values: Values) -> None:
        """Post to the group, which leaves its other metrics alone."""
        group = _grouping("cluster", labels.cluster)
        group += _grouping("set", labels.set_name) if labels.set_name else ""
        self._push.post(f"/metrics/job/{self._job}{group}", exposition({labels: values}).encode())


def exposition(found: Mapping[Labels, Values]) -> str:
    """Return metrics in Prometheus' text format, in a fixed order."""
    lines = []
    for metric in _METRICS:
        having = sorted(labels for labels, values in found.items() if metric in values)
        if having:
            lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
        for labels in having:
            named = f'cluster="{_quoted(labels.cluster)}"'
            named += f',set="{_quoted(labels.set_name)}"' if labels.set_name else ""
            lines.append(f"{metric.name}{{{named}}} {_number(found[labels][metric])}")
    return "\n".join([*lines, ""])


def parse(data: bytes) -> dict[Labels, Values]:
    """Read back what exposition wrote; what is anything else is forgotten."""
    found: dict[Labels, dict[Metric, float]] = {}
    for line in data.decode(errors="replace").split("\n"):
        match = _SAMPLE.fullmatch(line)
        metric = _KNOWN.get(match[1]) if match else None
        if match is None or metric is None:
            continue
        try:
            value = float(match[4])
        except ValueError:
            continue
        found.setdefault(Labels(_plain(match[2]), _plain(match[3] or "")), {})[metric] = value
    return dict(found)


def _grouping(name: str, value: str) -> str:
    """Return a label of a group as a piece of path; a value that no path can hold is encoded."""
    if value and "/" not in value and value not in (".", ".."):
        return f"/{name}/{quote(value, safe='')}"
    import base64

    return f"/{name}@base64/{base64.urlsafe_b64encode(value.encode()).decode() or '='}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], text)

"""Writing an Event as an Observation: its fingerprint, its name, its labels and its fields.

The name is made of the fingerprint alone, so that the same finding, reported again or by another
replica, is the same object. Nothing here reads a clock: times are the report's.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from watcher.sources.event import Event, ReportError, Subject
from watcher.sources.values import without_empty
from zenctl.core.observation import KIND, Phase, Severity
from zenctl.product import labels
from zenctl.product.crd import API_VERSION

NAME_DIGITS = 20
"""Hexadecimal digits of the fingerprint in a name: 80 bits, so that a million findings practically never collide."""

_PRIORITY = {Severity.CRITICAL: 1, Severity.HIGH: 3, Severity.MEDIUM: 5, Severity.LOW: 7, Severity.INFO: 9}
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_NOT_IN_LABELS = re.compile(r"[^A-Za-z0-9_.-]+", re.ASCII)


def fingerprint(event: Event) -> str:
    """Return the identity of the finding: SHA-256 over source, subject and what the parser calls identity.

    The subject counts by kind, namespace and name. Its uid does not: a workload that is deleted and
    made again with the same flaw has the same finding.
    """
    subject = event.subject
    parts = [event.source, subject.kind, subject.namespace, subject.name, *event.identity]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True, separators=(",", ":")).encode("ascii")).hexdigest()


def object_name(event: Event) -> str:
    """Return the name of the Observation: "trivy-6f1ed002ab5595859014"."""
    return f"{event.source}-{fingerprint(event)[:NAME_DIGITS]}"


def label_value(value: str) -> str:
    """Return text as a label may hold it: 63 of A-Z a-z 0-9 _ . - that begin and end with a letter or digit."""
    return _NOT_IN_LABELS.sub("-", value).strip("_.-")[:63].rstrip("_.-")


def namespace_of(event: Event, default_namespace: str) -> str:
    """Return where the Observation of an event lives."""
    return event.subject.namespace or default_namespace


def observation(event: Event, *, default_namespace: str) -> dict[str, Any]:
    """Return the Observation, as the API server takes it, with the status that a first sighting has.

    It lives in the namespace of its subject; findings about cluster-scoped ones in the default.
    Raises ReportError where the report names a namespace that cannot be.
    """
    namespace = namespace_of(event, default_namespace)
    if not _NAMESPACE.fullmatch(namespace):
        raise ReportError(f"{event.subject}: {namespace!r} cannot be a namespace")
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": object_name(event), "namespace": namespace, "labels": _labels(event)},
        "spec": _spec(event),
        "status": without_empty(
            {"phase": Phase.ACTIVE.value, "firstSeen": event.time, "lastSeen": event.time, "count": 1}
        ),
    }


def _labels(event: Event) -> dict[str, str]:
    return {
        labels.SOURCE: label_value(event.source),
        labels.CATEGORY: label_value(event.category),
        labels.SEVERITY: event.severity.value.lower(),
        labels.EVENT_TYPE: label_value(event.event_type),
    }


def _spec(event: Event) -> dict[str, Any]:
    return without_empty(
        {
            "source": event.source,
            "category": event.category,
            "severity": event.severity.value,
            "eventType": event.event_type,
            "message": event.message,
            "timestamp": event.time,
            "detectedAt": event.time,
            "resource": _resource(event.subject),
            "details": dict(event.details),
            "priority": _PRIORITY[event.severity],
            "tags": list(event.tags),
            "fingerprint": fingerprint(event),
        }
    )


def _resource(subject: Subject) -> dict[str, str]:
    return without_empty(
        {
            "apiVersion": subject.api_version,
            "kind": subject.kind,
            "name": subject.name,
            "namespace": subject.namespace,
            "uid": subject.uid,
        }
    )

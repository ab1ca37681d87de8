"""What an Observation is: the fields that commands read, its phases, its severities and its age.

Objects of every earlier writer are read: a field of an unexpected type is a value that is not known,
never an error. Nothing here reads a clock or talks to a cluster.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from zenctl.core.instants import ABSENT, TimeReading, read_instant
from zenctl.core.provenance import original_creation

GROUP = "zen.kube-zen.io"
KIND = "Observation"

Scalar = str | int | float | bool | list[Any] | None
"""What may stand where a JSON object is expected, in an object that no schema ever checked."""


class Phase(StrEnum):
    """The life of an Observation; an absent phase reads as Active."""

    ACTIVE = "Active"
    ACKNOWLEDGED = "Acknowledged"
    RESOLVED = "Resolved"
    ARCHIVED = "Archived"


class Severity(StrEnum):
    """Severities in the case that spec carries them; labels carry them in lower case."""

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"
    INFO = "INFO"


SEVERITY_ORDER = {severity: rank for rank, severity in enumerate(Severity)}


class AgeSource(StrEnum):
    """Where the age of an Observation is taken from; AUTO is timestamp, detectedAt, creation in this order."""

    AUTO = "auto"
    TIMESTAMP = "timestamp"
    DETECTED_AT = "detectedAt"
    CREATION = "creationTimestamp"
    RESOLVED_AT = "resolvedAt"
    LAST_SEEN = "lastSeen"


class ObservationMetadata(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The part of ``metadata`` that judging an Observation needs."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: Any = None
    deletion_timestamp: Any = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Spec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The fields of ``spec`` that commands filter, sort and print by."""

    source: Any = None
    category: Any = None
    severity: Any = None
    event_type: Any = None
    message: Any = None
    title: Any = None
    timestamp: Any = None
    detected_at: Any = None
    expires_at: Any = None
    fingerprint: Any = None
    resource: Any = None


class Status(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The fields of ``status`` that commands judge by."""

    phase: Any = None
    last_seen: Any = None
    resolved_at: Any = None
    count: Any = None


class ObservationFields(msgspec.Struct, frozen=True, gc=False):
    """The fields of an Observation that bulk paths decode; the rest stays bytes."""

    metadata: ObservationMetadata = ObservationMetadata()
    spec: Spec | Scalar = None
    status: Status | Scalar = None


_NO_SPEC = Spec()
_NO_STATUS = Status()


def spec_of(fields: ObservationFields) -> Spec:
    """Return the spec; an empty one where the object has none, or something else in its place."""
    return fields.spec if isinstance(fields.spec, Spec) else _NO_SPEC


def status_of(fields: ObservationFields) -> Status:
    """Return the status; an empty one where the object has none, or something else in its place."""
    return fields.status if isinstance(fields.status, Status) else _NO_STATUS


def phase_of(fields: ObservationFields) -> str:
    """Return the phase as it is written, whatever that is; Active where there is none."""
    return text(status_of(fields).phase) or Phase.ACTIVE.value


def severity_of(fields: ObservationFields) -> str:
    """Return the severity in upper case; "" where there is none."""
    return text(spec_of(fields).severity).upper()


def text(value: object) -> str:
    """Return a value that should be text as text; "" where it is something else."""
    return value if isinstance(value, str) else ""


class Age(msgspec.Struct, frozen=True):
    """When an Observation happened, and which field said so."""

    reading: TimeReading
    source: AgeSource


def age_of(fields: ObservationFields, source: AgeSource = AgeSource.AUTO) -> Age:
    """Read the time that an Observation's age is counted from.

    AUTO takes the first of spec.timestamp, spec.detectedAt and creation that is present at all: a
    time that is present but unreadable is not passed over, because the object would look younger or
    older than whoever wrote it meant.
    """
    if source is not AgeSource.AUTO:
        return Age(_read(fields, source), source)
    for candidate in (AgeSource.TIMESTAMP, AgeSource.DETECTED_AT, AgeSource.CREATION):
        reading = _read(fields, candidate)
        if reading.present:
            return Age(reading, candidate)
    return Age(ABSENT, AgeSource.CREATION)


def _read(fields: ObservationFields, source: AgeSource) -> TimeReading:
    spec, status, metadata = spec_of(fields), status_of(fields), fields.metadata
    match source:
        case AgeSource.TIMESTAMP:
            return read_instant(spec.timestamp)
        case AgeSource.DETECTED_AT:
            return read_instant(spec.detected_at)
        case AgeSource.RESOLVED_AT:
            return read_instant(status.resolved_at)
        case AgeSource.LAST_SEEN:
            return read_instant(status.last_seen)
        case _:
            return read_instant(original_creation(metadata.annotations, metadata.creation_timestamp))


def last_seen(fields: ObservationFields) -> TimeReading:
    """Read when the Observation was last seen again."""
    return read_instant(status_of(fields).last_seen)

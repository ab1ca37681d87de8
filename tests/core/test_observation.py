"""What commands read of an Observation, whoever wrote it and whatever stands in its fields."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.core.instants import TimeProblem, parse_instant
from zenctl.core.observation import (
    AgeSource,
    ObservationFields,
    Phase,
    Severity,
    age_of,
    last_seen,
    phase_of,
    severity_of,
    spec_of,
    status_of,
    text,
)
from zenctl.core.provenance import ORIGINAL_CREATION

CREATED, DETECTED, STAMPED = "2026-11-03T00:00:00Z", "2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z"


def read(spec: object = None, status: object = None, **metadata: Any) -> ObservationFields:
    document = {"metadata": {"name": "a", "namespace": "n", **metadata}, "spec": spec, "status": status}
    return msgspec.json.decode(msgspec.json.encode(document), type=ObservationFields)


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        (None, "Active"),
        ({}, "Active"),
        ({"phase": None}, "Active"),
        ({"phase": ""}, "Active"),
        ({"phase": 3}, "Active"),
        ("Resolved", "Active"),
        ([], "Active"),
        ({"phase": "Resolved"}, "Resolved"),
        ({"phase": "resolved"}, "resolved"),
        ({"phase": "Sleeping"}, "Sleeping"),
    ],
)
def test_an_absent_phase_reads_as_active_and_any_other_as_written(status, phase):
    assert phase_of(read(status=status)) == phase


@pytest.mark.parametrize(
    ("spec", "severity"),
    [
        (None, ""),
        ({}, ""),
        ({"severity": None}, ""),
        ({"severity": 3}, ""),
        ({"severity": "hIgh"}, "HIGH"),
        ("HIGH", ""),
    ],
)
def test_a_severity_reads_in_upper_case(spec, severity):
    assert severity_of(read(spec)) == severity


@pytest.mark.parametrize(
    ("spec", "metadata", "expected", "source"),
    [
        ({"timestamp": STAMPED, "detectedAt": DETECTED}, {}, STAMPED, AgeSource.TIMESTAMP),
        ({"detectedAt": DETECTED}, {}, DETECTED, AgeSource.DETECTED_AT),
        ({"timestamp": "", "detectedAt": None}, {}, CREATED, AgeSource.CREATION),
        (None, {"annotations": {ORIGINAL_CREATION: STAMPED}}, STAMPED, AgeSource.CREATION),
        (None, {"annotations": {ORIGINAL_CREATION: ""}}, CREATED, AgeSource.CREATION),
        (None, {"annotations": None}, CREATED, AgeSource.CREATION),
    ],
)
def test_age_is_the_first_time_that_is_there(spec, metadata, expected, source):
    fields = read(spec, **{"creationTimestamp": CREATED, **metadata})
    age = age_of(fields)
    assert (age.reading.instant, age.source) == (parse_instant(expected), source)
    assert age_of(fields).reading.instant == parse_instant(expected)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("yesterday", TimeProblem.MALFORMED),
        (1_700_000_000, TimeProblem.MALFORMED),
        ("2026-11-01T00:00:00", TimeProblem.ZONELESS),
    ],
)
def test_a_time_that_cannot_be_read_is_not_passed_over(value, problem):
    fields = read({"timestamp": value, "detectedAt": DETECTED}, creationTimestamp=CREATED)
    age = age_of(fields)
    assert (age.reading.instant, age.reading.problem, age.source) == (None, problem, AgeSource.TIMESTAMP)
    assert age_of(fields).reading.instant is None


def test_without_any_time_age_is_absent():
    age = age_of(read())
    assert (age.reading.problem, age.source) == (TimeProblem.ABSENT, AgeSource.CREATION)


@pytest.mark.parametrize("source", [source for source in AgeSource if source is not AgeSource.AUTO])
def test_a_source_that_is_asked_for_is_the_only_one_that_is_read(source):
    everything = {
        AgeSource.TIMESTAMP: "2026-01-01T00:00:00Z",
        AgeSource.DETECTED_AT: "2026-01-02T00:00:00Z",
        AgeSource.CREATION: "2026-01-03T00:00:00Z",
        AgeSource.RESOLVED_AT: "2026-01-04T00:00:00Z",
        AgeSource.LAST_SEEN: "2026-01-05T00:00:00Z",
    }

    def with_only(kept: dict[AgeSource, str]) -> ObservationFields:
        def named(*sources: AgeSource) -> dict[str, str]:
            return {s.value: kept[s] for s in sources if s in kept}

        return read(
            named(AgeSource.TIMESTAMP, AgeSource.DETECTED_AT),
            named(AgeSource.RESOLVED_AT, AgeSource.LAST_SEEN),
            **named(AgeSource.CREATION),
        )

    age = age_of(with_only(everything), source)
    assert (age.reading.instant, age.source) == (parse_instant(everything[source]), source)
    others = {s: value for s, value in everything.items() if s is not source}
    assert age_of(with_only(others), source).reading.problem is TimeProblem.ABSENT


def test_last_seen_is_read_apart():
    assert last_seen(read(status={"lastSeen": DETECTED})).instant == parse_instant(DETECTED)
    assert not last_seen(read(status={})).present
    assert last_seen(read(status={"lastSeen": []})).problem is TimeProblem.MALFORMED


def test_phases_and_severities_are_those_of_the_design():
    assert [phase.value for phase in Phase] == ["Active", "Acknowledged", "Resolved", "Archived"]
    assert list(Severity) == ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFO"]


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KNOWN = ["severity", "timestamp", "detectedAt", "source", "phase", "lastSeen", "resolvedAt", "message"]
parts = anything | st.dictionaries(st.sampled_from(KNOWN), anything, max_size=4)


@given(parts, parts, st.sampled_from(AgeSource))
def test_whatever_stands_in_its_fields_an_observation_can_be_read(spec, status, source):
    fields = read(spec, status, creationTimestamp=CREATED)
    assert isinstance(phase_of(fields), str)
    assert severity_of(fields) == severity_of(fields).upper()
    assert isinstance(text(spec_of(fields).source), str)
    reading = age_of(fields, source).reading
    assert (reading.instant is None) != (reading.problem is None)
    assert status_of(fields) is not None

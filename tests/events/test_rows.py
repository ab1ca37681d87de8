from __future__ import annotations

from datetime import timedelta

import pytest

from tests.events.samples import fields, observation, row
from tests.fakes import NOW
from zenctl.core.provenance import ORIGINAL_CREATION
from zenctl.core.report import Tone, Toned, plain
from zenctl.errors import UsageError
from zenctl.events.rows import COLUMNS, DEFAULT, WIDE, Subject, checked_columns, event_stream, row_of


def test_a_row_says_everything_that_json_promises():
    document = observation(
        "trivy-1",
        status={"phase": "Resolved", "count": 3, "lastSeen": "2026-11-23T01:00:00Z"},
        category="security",
        severity="critical",
        eventType="vulnerability",
        message="CVE",
        fingerprint="abc",
        timestamp="2026-11-23T02:00:00+01:00",
        resource={"kind": "Pod", "name": "web", "namespace": "team-a", "uid": "1"},
    )
    document["metadata"]["uid"] = "u1"

    assert plain(row_of(fields(document), NOW)) == {
        "namespace": "team-a",
        "name": "trivy-1",
        "resource": {"kind": "Pod", "name": "web", "namespace": "team-a"},
        "severity": "CRITICAL",
        "source": "trivy",
        "category": "security",
        "eventType": "vulnerability",
        "phase": "Resolved",
        "instant": "2026-11-23T01:00:00Z",
        "ageSeconds": 3600.0,
        "ageFrom": "timestamp",
        "timeProblem": None,
        "lastSeen": "2026-11-23T01:00:00Z",
        "count": 3,
        "message": "CVE",
        "fingerprint": "abc",
        "uid": "u1",
    }


@pytest.mark.parametrize(
    "spec", [None, 7, "text", [], {}, {"source": 1, "severity": [], "message": {}, "resource": "x"}]
)
@pytest.mark.parametrize("status", [None, 7, {"phase": 1, "count": "3", "lastSeen": 5}, {"count": True}])
def test_fields_of_other_types_are_unknown_and_nothing_fails(spec, status):
    document = {"metadata": {"name": "a", "namespace": "b"}, "spec": spec, "status": status}
    read = row_of(fields(document), NOW)

    assert (read.source, read.severity, read.message, read.count, read.last_seen) == (None,) * 5
    assert read.resource == Subject(kind=None, name=None, namespace=None)
    assert read.phase == "Active"
    assert (read.instant, read.age_seconds, read.time_problem) == (None, None, "absent")


@pytest.mark.parametrize(
    ("timestamp", "problem", "seconds"),
    [
        ("2026-11-23T01:59:59.5Z", None, 0.5),
        ("2026-11-23 01:00:00Z", "malformed", None),
        (17, "malformed", None),
        ("2026-11-23T01:00:00", "zoneless", None),
        ("2026-11-23T03:00:00Z", "future", -3600.0),
    ],
)
def test_a_time_is_read_or_its_problem_named(timestamp, problem, seconds):
    read = row(timestamp=timestamp)
    assert (read.time_problem, read.age_seconds, read.age_from) == (problem, seconds, "timestamp")


def test_the_age_of_a_restored_object_is_counted_from_its_first_creation():
    document = observation("a", timestamp=None)
    document["metadata"] |= {
        "creationTimestamp": "2026-11-23T01:59:00Z",
        "annotations": {ORIGINAL_CREATION: "2026-11-22T02:00:00Z"},
    }
    assert row_of(fields(document), NOW).age_seconds == 86_400


def test_a_title_stands_in_for_a_missing_message():
    assert row(title="T").message == "T"
    assert row(title="T", message="M").message == "M"


def test_the_table_shows_the_columns_in_the_order_asked_for():
    stream = event_stream([row(message="two\nlines  and  spaces", resource={"kind": "Pod", "name": "web"})])
    assert [column.title for column in stream.columns] == [
        "namespace", "name", "severity", "source", "phase", "age", "resource", "message",
    ]  # fmt: skip
    (only,) = stream.rows
    assert stream.cells(only) == (
        "team-a", "a", "HIGH", "trivy", "Active", timedelta(0), "Pod/web", "two lines and spaces",
    )  # fmt: skip
    assert [column.shrinks for column in stream.columns] == [False] * 7 + [True]


def test_mild_severities_are_muted_and_an_unknown_one_is_unknown():
    cells = [event_stream([row(severity=severity)], ["severity"]) for severity in ("low", "CRITICAL", None)]
    assert [stream.cells(next(iter(stream.rows)))[0] for stream in cells] == [
        Toned("LOW", Tone.MUTED), "CRITICAL", None,
    ]  # fmt: skip


@pytest.mark.parametrize("resource", [None, {}, {"kind": "Pod"}, {"name": "web"}])
def test_a_subject_without_name_or_kind_is_shown_as_far_as_it_goes(resource):
    stream = event_stream([row(resource=resource)], ["resource"])
    assert stream.cells(next(iter(stream.rows))) == ("".join((resource or {}).values()),)


def test_every_column_can_be_drawn_of_the_emptiest_row():
    empty = row_of(fields({"metadata": {"name": "a", "namespace": "b"}}), NOW)
    stream = event_stream([empty], tuple(COLUMNS))
    assert len(stream.cells(empty)) == len(stream.columns) == len(COLUMNS)


def test_default_and_wide_columns_exist_and_wide_has_more():
    assert set(DEFAULT) < set(WIDE) <= set(COLUMNS)


def test_column_names_are_read_in_any_case():
    assert checked_columns([" Name", "AGE "]) == ("name", "age")


@pytest.mark.parametrize("name", ["", "agee", "spec.severity"])
def test_an_unknown_column_is_a_usage_error_that_lists_the_known(name):
    with pytest.raises(UsageError) as refused:
        checked_columns(["name", name])
    assert repr(name) in refused.value.message
    assert all(known in refused.value.message for known in COLUMNS)

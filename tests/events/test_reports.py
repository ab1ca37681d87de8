from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.events.samples import DECISION, GROUP, cluster_of, observation, ports_of
from tests.fakes import NOW
from zenctl.core.provenance import ORIGINAL_CREATION, ORIGINAL_UID
from zenctl.core.report import Facts, Report, Table, Text, Tone, Toned, document
from zenctl.errors import ExitCode
from zenctl.events.details import details_report
from zenctl.events.names import parse_names
from zenctl.events.report import settled_report
from zenctl.events.run import read_named, settle_named
from zenctl.product.crd import OBSERVATIONS
from zenctl.render import View, render


def settled(*names: str, note: str = "patched") -> Report:
    cluster = cluster_of(observation("one"), observation("two", status={"phase": "Resolved"}))
    decision = DECISION._replace(note=note)
    return settled_report(settle_named(ports_of(cluster), GROUP, parse_names(names, ""), decision))


def shown(given: dict[str, Any]) -> Report:
    cluster = cluster_of(given)
    found = read_named(ports_of(cluster), GROUP, parse_names([given["metadata"]["name"]], ""))
    assert found[0].document == cluster.stored(OBSERVATIONS, found[0].key)
    return details_report(found, (), NOW)


def facts_of(report: Report, title: str = "Observation team-a/one") -> dict[str, Any]:
    return dict(next(block for block in report.blocks if isinstance(block, Facts) and block.title == title).rows)


def table_of(report: Report, title: str) -> Table:
    return next(block for block in report.blocks if isinstance(block, Table) and block.title == title)


def drawn(report: Report) -> str:
    return "".join(render(report, "table", View()))


# -- what was settled ----------------------------------------------------------------------------------------


def test_the_document_of_a_settlement_says_what_became_of_each():
    said = document(settled("team-a/one", "two", "nobody"))
    assert (said["kind"], said["verdict"], said["exitCode"]) == ("EventsSettled", "refused", 4)
    objects = said["data"].pop("objects")
    assert said["data"] == {
        "action": "resolve", "phase": "Resolved", "author": "ann", "note": "patched",
        "settled": 1, "unchanged": 1, "failed": 1,
    }  # fmt: skip
    assert objects == [
        {"askedFor": "team-a/one", "namespace": "team-a", "name": "one", "result": "settled",
         "phaseBefore": "Active", "error": None, "hint": None},
        {"askedFor": "two", "namespace": "team-a", "name": "two", "result": "unchanged",
         "phaseBefore": "Resolved", "error": None, "hint": None},
        {"askedFor": "nobody", "namespace": None, "name": "nobody", "result": "failed", "phaseBefore": None,
         "error": "there is no Observation nobody", "hint": "see zenctl events list"},
    ]  # fmt: skip


def test_the_table_of_a_settlement_has_a_reason_where_something_failed():
    report = settled("one", "nobody")
    table = next(block for block in report.blocks if isinstance(block, Table))
    assert [column.title for column in table.columns][-1] == "why it failed"
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert "there is no Observation nobody" in drawn(report)
    assert "see zenctl events list" in drawn(report)


def test_where_nothing_failed_no_column_waits_for_it():
    report = settled("one", note="")
    table = next(block for block in report.blocks if isinstance(block, Table))
    assert [column.title for column in table.columns] == ["namespace", "name", "result", "was", "is"]
    assert report.verdict is ExitCode.GOOD
    assert "note" not in drawn(report)


# -- what is shown -------------------------------------------------------------------------------------------


FULL = observation(
    "one",
    severity="critical",
    message="CVE-2026-1\nin openssl",
    detectedAt="2026-11-23 01:00",
    resource={"kind": "Pod", "name": "web", "namespace": "team-a"},
    affectedResources=[{"kind": "Node", "name": "n1"}, "odd"],
    details={"score": 9.8, "links": ["a", "b"], "none": None, "fixed": True},
    tags=["x", 1],
    priority=1,
    ttlSecondsAfterCreation=86_400,
    expiresAt="2026-12-01T00:00:00Z",
    status={
        "phase": "Acknowledged",
        "count": 12,
        "firstSeen": "2026-11-23T01:00:00",
        "lastSeen": "2026-11-24T00:00:00Z",
        "conditions": [
            {"type": "Acknowledged", "status": "True", "lastTransitionTime": "2026-11-23T01:00:00Z"},
            "odd",
        ],
    },
)


def test_the_document_of_show_is_the_object_itself():
    said = document(shown(FULL))
    (given,) = said["data"]["objects"]
    assert given["spec"] == FULL["spec"]
    assert given["status"] == FULL["status"]
    assert (given["apiVersion"], given["kind"]) == (OBSERVATIONS.api_version, "Observation")


def test_show_says_what_it_is_about():
    facts = facts_of(shown(FULL))
    assert facts["severity"] == Toned("CRITICAL", Tone.BAD)
    assert facts["phase"] == "Acknowledged"
    assert facts["about"] == "Pod/team-a/web"
    assert facts["seen"] == "12 times"
    assert facts["tags"] == "x, 1"
    assert facts["kept for"] == timedelta(days=1)


def test_show_tells_every_time_with_what_is_wrong_with_it_in_words():
    rows = {row[0]: row[1:] for row in table_of(shown(FULL), "times").rows}
    assert rows["spec.timestamp"] == (NOW, timedelta(0), "age is counted from here")
    assert rows["spec.detectedAt"] == (
        "2026-11-23 01:00",
        "",
        Toned("is not RFC 3339, so it says nothing", Tone.WARN),
    )
    assert rows["status.firstSeen"][2] == Toned("has no zone, so nobody knows which hour it means", Tone.WARN)
    assert rows["status.lastSeen"][2] == Toned("lies in the future", Tone.WARN)
    assert rows["spec.expiresAt"][2] == ""


def test_show_names_the_unreadable_time_that_leaves_the_age_unknown():
    rows = {row[0]: row[1:] for row in table_of(shown(observation("one", timestamp=17)), "times").rows}
    assert rows["spec.timestamp"] == (
        17,
        "",
        Toned("is not RFC 3339, so it says nothing; so the age is unknown", Tone.WARN),
    )


def test_the_age_of_a_restored_object_is_traced_to_its_first_creation():
    given = observation("one", timestamp=None)
    given["metadata"]["annotations"] = {ORIGINAL_CREATION: "2026-11-20T00:00:00Z"}
    rows = {row[0]: row[3] for row in table_of(shown(given), "times").rows}
    assert rows == {
        "creation before a restore": "age is counted from here",
        "metadata.creationTimestamp": "",
    }


def test_show_names_the_uid_that_a_restored_object_had_first():
    given = observation("one")
    given["metadata"]["annotations"] = {ORIGINAL_UID: "first"}
    assert facts_of(shown(given))["uid before a restore"] == "first"
    assert "uid before a restore" not in facts_of(shown(observation("one")))


def test_show_lists_conditions_affected_resources_and_details():
    report = shown(FULL)
    assert table_of(report, "conditions").rows[1] == ("odd", "", "", "", "")
    assert table_of(report, "conditions").rows[0][:2] == ("Acknowledged", "True")
    assert table_of(report, "affected resources").rows == (("Node", "", "n1"), ("", "", "odd"))
    assert facts_of(report, "details") == {"score": 9.8, "links": '["a","b"]', "none": "null", "fixed": True}
    assert next(block for block in report.blocks if isinstance(block, Text)).text == "CVE-2026-1\nin openssl"


@pytest.mark.parametrize("odd", [None, 7, "text", [], {}, ["x"], {"a": 1}, True, [None], [[1]]])
def test_show_draws_objects_of_any_shape(odd):
    names = ("resource", "affectedResources", "details", "tags", "message", "severity", "timestamp", "priority",
             "ttlSecondsAfterCreation", "expiresAt")  # fmt: skip
    given = observation("one", status={"phase": odd, "conditions": odd, "count": odd, "lastSeen": odd},
                        **dict.fromkeys(names, odd))  # fmt: skip
    assert drawn(shown(given))
    for part in ("spec", "status"):
        assert drawn(shown({**observation("one"), part: odd}))


def test_control_characters_of_a_message_reach_no_terminal():
    assert "\x1b" not in drawn(shown(observation("one", message="\x1b[2Jgone", details={"\x1b": "\x1b"})))

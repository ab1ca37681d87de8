"""Tables: columns and cells as a real server prints them, and how ages and values are put into words.

``recorded_tables.jsonl`` holds objects with the cells that kube-apiserver v1.20.2 printed for them, one a line,
without fields that no column shows. What newer servers print otherwise is in the tables below.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.core.instants import parse_instant
from zenctl.sandbox.apiserver.columns import human_duration
from zenctl.sandbox.apiserver.errors import ApiError
from zenctl.sandbox.apiserver.jsonpath import compile_json_path
from zenctl.sandbox.apiserver.kinds import BUILT_IN, Served
from zenctl.sandbox.apiserver.tables import custom_cell, custom_columns, included, table

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BY_KEY = {served.storage_key: served for served in BUILT_IN}
RECORDED = [
    msgspec.json.decode(line) for line in Path(__file__).with_name("recorded_tables.jsonl").read_bytes().splitlines()
]


def cells(served: Served, obj: Mapping[str, Any], now: datetime = NOW) -> dict[str, Any]:
    """The one row of a table by its columns."""
    found = table([obj], served, now, list_meta={})
    names = [column["name"] for column in found["columnDefinitions"]]
    return dict(zip(names, found["rows"][0]["cells"], strict=True))


@pytest.mark.parametrize(
    "case", RECORDED, ids=lambda case: f"{case['resource']}/{case['object']['metadata']['name']}"
)
def test_cells_are_those_of_a_real_server(case: dict[str, Any]) -> None:
    shown = cells(BY_KEY[case["resource"]], case["object"], parse_instant(case["now"]))

    assert {name: shown[name] for name in case["cells"]} == case["cells"]


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(seconds=-2), "<invalid>"),
        (timedelta(seconds=-1), "0s"),
        (timedelta(0), "0s"),
        (timedelta(seconds=119.9), "119s"),
        (timedelta(minutes=2), "2m"),
        (timedelta(minutes=9, seconds=59), "9m59s"),
        (timedelta(minutes=10, seconds=30), "10m"),
        (timedelta(minutes=179), "179m"),
        (timedelta(hours=3), "3h"),
        (timedelta(hours=7, minutes=59), "7h59m"),
        (timedelta(hours=8, minutes=59), "8h"),
        (timedelta(hours=47), "47h"),
        (timedelta(hours=48), "2d"),
        (timedelta(days=7, hours=23), "7d23h"),
        (timedelta(days=8, hours=23), "8d"),
        (timedelta(days=729), "729d"),
        (timedelta(days=730), "2y"),
        (timedelta(days=740), "2y10d"),
        (timedelta(days=365 * 8 - 1), "7y364d"),
        (timedelta(days=365 * 8 + 100), "8y"),
    ],
)
def test_an_age_is_short(duration: timedelta, text: str) -> None:
    assert human_duration(duration) == text


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=20_000)))
def test_an_age_says_no_more_than_there_is(duration: timedelta) -> None:
    sizes = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "y": 365 * 86_400}
    said, number = 0, ""
    for letter in human_duration(duration):
        if letter.isdigit():
            number += letter
        else:
            said, number = said + int(number) * sizes[letter], ""

    assert said <= duration.total_seconds() < max(said * 1.13, said + 1)


def container(name: str, *, restarts: int = 0, ready: bool = False, **states: Any) -> dict[str, Any]:
    last = {"terminated": {"finishedAt": states.pop("restarted")}} if "restarted" in states else {}
    return {"name": name, "restartCount": restarts, "ready": ready, "state": states, "lastState": last}


RUNNING: dict[str, Any] = {"running": {}}


def pod(*statuses: dict[str, Any], init: tuple[dict[str, Any], ...] = (), **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "creationTimestamp": "2026-03-01T11:00:00Z"},
        "spec": {
            "containers": [{"name": each["name"]} for each in statuses],
            "initContainers": [{"name": "side", "restartPolicy": "Always"}] if init else [],
        },
        "status": {"containerStatuses": [*statuses], "initContainerStatuses": [*init], **status},
    }


@pytest.mark.parametrize(
    ("obj", "ready", "status", "restarts"),
    [
        (pod(container("a", ready=True, **RUNNING), phase="Running"), "1/1", "Running", "0"),
        (
            pod(container("a", restarts=7, restarted="2026-03-01T11:55:00Z", waiting={"reason": "CrashLoopBackOff"})),
            "0/1",
            "CrashLoopBackOff",
            "7 (5m ago)",
        ),
        (
            pod(
                container("a", restarts=1, restarted="2026-03-01T10:00:00Z", ready=True, **RUNNING),
                container("b", restarts=2, restarted="2026-03-01T11:59:30Z", ready=True, **RUNNING),
                phase="Running",
            ),
            "2/2",
            "Running",
            "3 (30s ago)",
        ),
        (
            pod(
                container("a", ready=True, **RUNNING),
                init=({**container("side", restarts=1, ready=True, **RUNNING), "started": True},),
                phase="Running",
            ),
            "2/2",
            "Running",
            "1",
        ),
        (
            pod(container("a"), init=(container("side", waiting={"reason": "ErrImagePull"}),), phase="Pending"),
            "0/2",
            "Init:ErrImagePull",
            "0",
        ),
        (
            pod(
                container("a"),
                phase="Pending",
                conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
            ),
            "0/1",
            "SchedulingGated",
            "0",
        ),
    ],
)
def test_a_pod_says_what_its_containers_do(obj: dict[str, Any], ready: str, status: str, restarts: str) -> None:
    shown = cells(BY_KEY["/pods"], obj)

    assert (shown["Ready"], shown["Status"], shown["Restarts"]) == (ready, status, restarts)


@pytest.mark.parametrize(
    ("phase", "status"), [("Running", "Terminating"), ("Succeeded", "Succeeded"), ("Failed", "Failed")]
)
def test_a_deleted_pod_terminates_unless_it_is_over(phase: str, status: str) -> None:
    obj = pod(phase=phase)
    obj["metadata"]["deletionTimestamp"] = "2026-03-01T11:59:00Z"

    assert cells(BY_KEY["/pods"], obj)["Status"] == status


@pytest.mark.parametrize(
    ("key", "obj", "column", "shown"),
    [
        ("batch/jobs", {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}, "Status", "Complete"),
        ("batch/jobs", {"status": {"conditions": [{"type": "Failed", "status": "True"}]}}, "Status", "Failed"),
        ("batch/jobs", {"status": {"conditions": [{"type": "Suspended", "status": "True"}]}}, "Status", "Suspended"),
        ("batch/jobs", {"status": {"conditions": [{"type": "Failed", "status": "False"}]}}, "Status", "Running"),
        ("batch/jobs", {"metadata": {"deletionTimestamp": "2026-03-01T11:00:00Z"}}, "Status", "Terminating"),
        ("batch/cronjobs", {"spec": {"timeZone": "Europe/Berlin"}}, "Timezone", "Europe/Berlin"),
        ("batch/cronjobs", {}, "Timezone", "<none>"),
        ("batch/cronjobs", {}, "Suspend", "<unset>"),
        ("/persistentvolumeclaims", {}, "VolumeAttributesClass", "<unset>"),
        ("metrics.k8s.io/nodes", {"usage": {"cpu": "250m", "memory": "1Gi"}}, "CPU", "250m"),
        ("metrics.k8s.io/pods", {"window": "30s"}, "Window", "30s"),
    ],
)
def test_columns_that_the_recorded_server_does_not_have(
    key: str, obj: dict[str, Any], column: str, shown: str
) -> None:
    assert cells(BY_KEY[key], obj)[column] == shown


@pytest.mark.parametrize("served", BUILT_IN, ids=lambda served: served.storage_key)
def test_an_object_of_which_nothing_is_known_is_printed_too(served: Served) -> None:
    assert cells(served, {"metadata": {"name": "x"}})["Name"] == "x"


CONFIG_MAP = {"metadata": {"name": "a", "namespace": "n"}, "data": {"k": "v"}}
PARTIAL = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}


@pytest.mark.parametrize(
    ("include", "shown"),
    [
        ("Metadata", {**PARTIAL, "metadata": CONFIG_MAP["metadata"]}),
        ("Object", {"kind": "ConfigMap", "apiVersion": "v1", **CONFIG_MAP}),
        ("None", None),
    ],
)  # fmt: skip
def test_a_row_carries_as_much_of_its_object_as_is_wanted(include: str, shown: object) -> None:
    found = table(
        [CONFIG_MAP], BY_KEY["/configmaps"], NOW, include_object=include, list_meta={"resourceVersion": "7"}
    )

    assert found["kind"] == "Table"
    assert found["apiVersion"] == "meta.k8s.io/v1"
    assert found["metadata"] == {"resourceVersion": "7"}
    assert found["columnDefinitions"][0] == {
        "name": "Name", "type": "string", "format": "name", "description": "", "priority": 0,
    }  # fmt: skip
    assert found["rows"] == [{"cells": ["a", 1, "<unknown>"], "object": shown}]


def test_nothing_else_can_be_wanted() -> None:
    assert [included(value) for value in ("", "None", "Object")] == ["Metadata", "None", "Object"]
    with pytest.raises(ApiError, match="includeObject: Invalid value: \"Foo\": must be 'Metadata'"):
        included("Foo")


SEEN = "2026-03-01T11:50:00Z"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x", ("x", None, None, None, "<invalid>")),
        ("", ("", None, None, None, "<unknown>")),
        (1, ("1", 1, 1, None, None)),
        (1.5, ("1.5", 1, 1.5, None, None)),
        (-0.00001, ("-1e-05", 0, -0.00001, None, None)),
        (100000000.0, ("100000000", 100000000, 100000000, None, None)),
        (123456789.5, ("1.234567895e+08", 123456789, 123456789.5, None, None)),
        (1e21, ("1e+21", -(2**63), 1e21, None, None)),
        (True, ("true", None, None, True, None)),
        (None, ("<no value>", None, None, None, None)),
        ({"b": 1, "a": "<"}, ('{"a":"\\u003c","b":1}', None, None, None, None)),
        (["x", 1], ('["x",1]', None, None, None, None)),
        ([], ("[]", None, None, None, None)),
        (SEEN, (SEEN, None, None, None, "10m")),
        ("2026-03-01T13:50:00+02:00", ("2026-03-01T13:50:00+02:00", None, None, None, "10m")),
    ],
)
def test_a_value_is_printed_as_its_column_is_declared(value: object, shown: tuple[object, ...]) -> None:
    kinds = ("string", "integer", "number", "boolean", "date")

    assert tuple(custom_cell(kind, value, NOW) for kind in kinds) == shown


OBSERVATION = {
    "metadata": {"name": "o", "creationTimestamp": "2026-03-01T10:00:00Z"},
    "spec": {"severity": "HIGH", "tags": ["a", "b"]},
    "status": {"lastSeen": SEEN},
}


def test_a_custom_resource_prints_its_name_and_the_columns_that_it_declares() -> None:
    declared: list[dict[str, object]] = [
        {"name": "Severity", "type": "string", "jsonPath": ".spec.severity", "description": "How bad."},
        {"name": "Seen", "type": "date", "jsonPath": ".status.lastSeen", "priority": 1},
        {"name": "Tag", "type": "string", "jsonPath": ".spec.tags[*]"},
        {"name": "Count", "type": "integer", "jsonPath": ".status.count", "format": "int32"},
    ]
    columns = custom_columns(declared, compile_json_path)
    served = Served(BY_KEY["/configmaps"].type, columns=columns, builtin=False)

    assert cells(served, OBSERVATION) == {"Name": "o", "Severity": "HIGH", "Seen": "10m", "Tag": "a", "Count": None}
    assert [(c.priority, c.format, c.description) for c in columns[1:3]] == [
        (0, "", "How bad."),
        (1, "", "Custom resource definition column (in JSONPath format): .status.lastSeen"),
    ]
    assert columns[4].format == "int32"


def test_a_custom_resource_without_columns_prints_its_age() -> None:
    served = Served(BY_KEY["/configmaps"].type, columns=custom_columns((), compile_json_path), builtin=False)

    assert cells(served, OBSERVATION) == {"Name": "o", "Age": "120m"}
    assert served.columns[1].type == "date"

"""Names, labels and fingerprints of Observations, and the bounds of what they may hold."""

from __future__ import annotations

import itertools
import json
import math
import random
import re
import string
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.watcher.samples import SYSTEM, WAYS, files, reports
from watcher.sources.event import Event, ReportError, Subject
from watcher.sources.observation import fingerprint, label_value, object_name, observation
from watcher.sources.values import bounded, instant, one_line, text
from zenctl.core.observation import Severity

NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")

EVENT = Event(
    source="trivy",
    category="security",
    event_type="vulnerability",
    severity=Severity.HIGH,
    message="m",
    subject=Subject("Pod", "web", "shop", "v1", "u"),
    identity=("vulnerability", "app", "CVE-1", "openssl"),
    time="2026-01-01T00:00:00Z",
    details={"score": 9.8},
    tags=("fix-available",),
)


def check(found: dict[str, Any]) -> None:
    """Assert what the API server demands of every object."""
    metadata = found["metadata"]
    assert NAME.fullmatch(metadata["name"])
    assert len(metadata["name"]) <= 63
    assert NAME.fullmatch(metadata["namespace"])
    assert len(metadata["namespace"]) <= 63
    assert set(metadata["labels"]) == {"source", "category", "severity", "event-type"}
    assert all(LABEL.fullmatch(value) and 0 < len(value) <= 63 for value in metadata["labels"].values())
    assert metadata["labels"]["severity"] == found["spec"]["severity"].lower()
    body = json.dumps(found, allow_nan=False, ensure_ascii=False).encode()
    assert json.loads(body) == found
    assert len(body) < 300_000
    assert "\n" not in found["spec"]["message"]
    assert not CONTROL.search(body.decode())


# --- identity


def test_the_name_is_made_of_the_fingerprint():
    assert object_name(EVENT) == f"trivy-{fingerprint(EVENT)[:20]}"
    assert re.fullmatch(r"[0-9a-f]{64}", fingerprint(EVENT))


def test_the_fingerprint_never_changes_between_releases():
    assert fingerprint(EVENT) == "dde38c19edcd7a63f755ec450cf12b840115f6d7bd201dbe00da2bfe897f1fd6"


@pytest.mark.parametrize(
    "changes",
    [
        {"severity": Severity.LOW}, {"message": "other"}, {"time": None}, {"details": {}}, {"tags": ()},
        {"category": "c"}, {"event_type": "e"}, {"subject": Subject("Pod", "web", "shop", "v2", "another")},
    ],
)  # fmt: skip
def test_what_may_change_is_not_identity(changes):
    assert fingerprint(replace(EVENT, **changes)) == fingerprint(EVENT)


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "s"}, {"identity": ("vulnerability", "app", "CVE-2", "openssl")}, {"identity": ("vulnerability",)},
        {"subject": Subject("Job", "web", "shop")}, {"subject": Subject("Pod", "w", "shop")},
        {"subject": Subject("Pod", "web", "")},
    ],
)  # fmt: skip
def test_what_tells_findings_apart_is_identity(changes):
    assert fingerprint(replace(EVENT, **changes)) != fingerprint(EVENT)


def test_parts_of_the_identity_do_not_run_into_each_other():
    one = replace(EVENT, identity=("a", "bc"))
    assert fingerprint(one) != fingerprint(replace(EVENT, identity=("ab", "c")))
    assert fingerprint(one) != fingerprint(replace(EVENT, identity=("a", "b", "c")))


def shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(entry, rng) for entry in value] if isinstance(value, list) else value


VOLATILE = {
    "updateTimestamp": "2030-01-01T00:00:00Z", "creationTimestamp": "2030-01-01T00:00:00Z", "resourceVersion": "1",
    "generation": 99, "score": 1.5, "timestamp": {"seconds": 1893456000}, "uid": "another", "links": ["x"],
    "fixedVersion": "9", "installedVersion": "8", "title": "t", "description": "d", "messages": ["m"], "message": "m",
    "scanner": {}, "managedFields": [], "summary": {}, "artifact": {"repository": "r", "tag": "9"},
}  # fmt: skip


def changed(value: Any, volatile: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: volatile.get(key, changed(entry, volatile)) for key, entry in value.items()}
    return [changed(entry, volatile) for entry in value] if isinstance(value, list) else value


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_names_survive_volatile_changes_and_key_order(path):
    # Who wrote a report is no part of a policy's finding; for Falco and Events it is.
    volatile = VOLATILE | ({"source": "s"} if path.parent.name == "kyverno" else {})
    originals = list(enumerate(reports(f"{path.parent.name}/{path.name}")))
    for parse, (number, original) in itertools.product(WAYS[path.parent.name], originals):
        try:
            before = [object_name(event) for event in parse(original)]
        except ReportError:
            continue
        mixed = shuffled(changed(original, volatile), random.Random(number))
        assert [object_name(event) for event in parse(mixed)] == before


# --- names and labels


@settings(deadline=None)
@given(st.text(max_size=100))
def test_any_text_becomes_a_label(value):
    assert LABEL.fullmatch(label_value(value))
    assert len(label_value(value)) <= 63


@settings(deadline=None)
@given(st.text(string.ascii_letters + string.digits, min_size=1, max_size=63))
def test_what_is_a_label_already_stays(value):
    assert label_value(value) == value


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_every_sample_makes_objects_that_a_server_takes(path):
    for original in reports(f"{path.parent.name}/{path.name}"):
        for parse in WAYS[path.parent.name]:
            try:
                events = parse(original)
            except ReportError:
                continue
            for event in events:
                if event.subject.namespace != "namespaceValue":  # the placeholder of two fixtures of the API
                    check(observation(event, default_namespace=SYSTEM))


# --- values


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", "a"), (1, "1"), (1.16, "1.16"), (True, ""), (None, ""), ([], ""), ({}, ""), (math.nan, ""), (2**63, ""),
     ("\ud800", "\\ud800")],
)  # fmt: skip
def test_text_of_any_value(value, expected):
    assert text(value) == expected


def test_a_number_too_long_to_print_is_no_text():
    assert text(10**5000) == ""


def test_one_line_is_one_line():
    assert one_line(" a\n b\t\rc ") == "a b c"
    assert one_line("word " * 100, 12) == "word word w…"


def test_details_hold_nothing_that_json_cannot():
    value = {
        "nan": math.nan, "inf": [math.inf, 1], "big": 2**70, "none": None, "empty": [{}, [], ""], "bytes": b"x",
        "set": {1}, 7: "number as key", None: "no key", "lone": "\udcff", "false": False, "zero": 0,
    }  # fmt: skip
    assert bounded(value) == {
        "inf": [1], "7": "number as key", "lone": "\\udcff", "false": False, "zero": 0,
    }  # fmt: skip


def test_details_are_bounded():
    deep: Any = "x"
    for _ in range(50):
        deep = {"d": deep}
    shared: Any = ["x"] * 50
    for _ in range(10):
        shared = [shared] * 50
    for value in (
        {"long": "x" * 10**6},
        {"many": ["x" * 100] * 10**5},
        deep,
        {"bomb": shared},
        dict.fromkeys(range(10**5), "x"),
    ):
        assert len(json.dumps(bounded(value))) < 250_000
    assert len(bounded({"long": "x" * 10**6})["long"]) == 8193


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_a_time_is_a_time_or_none(value):
    for candidate in (value, {"seconds": value}, {"seconds": 1, "nanos": value}):
        found = instant(candidate)
        assert found is None or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", found)


@pytest.mark.parametrize(
    ("value", "cut"),
    [
        ({"a": "x" * 100_000}, True), ({"a": ["x"] * 101}, True), ({"a": "x" * 100}, False),
        ({"a": ["x"] * 100}, False),
        ({str(key): "x" * 8_000 for key in range(50)}, True), ({"a": {"b": {"c": {}}}}, False),
        ({"a": json.loads("[" * 20 + "1" + "]" * 20)}, True),
    ],
)  # fmt: skip
def test_what_was_cut_says_so(value, cut):
    assert bounded(value).get("truncated", False) is cut

"""The dataset that other tests build on keeps its word: real, unique, reproducible, honest about size and truth."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from datetime import timedelta
from statistics import mean

import msgspec
import pytest

from tests.dataset import DAY, NOW, PLAIN_SHARE, TIMES, as_served, observations, real_events, samples
from tests.watcher.test_observation import check
from zenctl.core.instants import TimeProblem
from zenctl.core.observation import ObservationFields, age_of, last_seen, phase_of

COUNT = 4000
SAMPLES = list(samples(COUNT))
TRUTHS = [sample.truth for sample in SAMPLES]


def size(value: object) -> int:
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def test_every_observation_is_one_that_a_server_takes():
    for found, truth in SAMPLES:
        check(found)
        assert (found["metadata"]["namespace"], found["metadata"]["name"]) == truth.key


def test_names_are_unique_and_namespaces_are_as_many_as_asked_for():
    assert len({truth.key for truth in TRUTHS}) == COUNT
    assert len({truth.name for truth in TRUTHS}) == COUNT
    assert Counter(truth.namespace for truth in TRUTHS) == {f"team-{n:02d}": COUNT // 5 for n in range(5)}
    assert len({truth.namespace for _, truth in samples(60, namespaces=20)}) == 20


def test_it_follows_from_the_seed_and_the_clock_given():
    assert list(samples(50)) == SAMPLES[:50]
    assert list(observations(50)) == [sample.object for sample in SAMPLES[:50]]
    assert list(samples(50, seed=2)) != SAMPLES[:50]
    later = list(samples(50, now=NOW + DAY))
    for (_, before), (_, after) in zip(SAMPLES, later, strict=False):
        assert before.instant is after.instant is None or after.instant == (before.instant or NOW) + DAY


def test_findings_are_real():
    # Severity, identity and words come from the reports; only the workload around them is made up.
    assert len(real_events()) == 572
    messages = {event.message for event in real_events()}
    assert {sample.object["spec"]["message"] for sample in SAMPLES} <= messages
    assert len({sample.object["spec"]["message"] for sample in SAMPLES}) > 400
    assert {sample.object["spec"]["source"] for sample in SAMPLES} == {"trivy", "kyverno"}


def test_sizes_are_those_of_real_observations():
    written = [size(sample.object) for sample in SAMPLES]
    served = [size(as_served(sample.object, number)) for number, sample in enumerate(SAMPLES)]
    assert 1_600 < mean(written) < 2_000
    assert 2_000 < mean(served) < 3_000
    assert min(written) > 700
    assert max(written) < 5_000


def test_as_served_adds_what_a_server_adds_and_changes_nothing():
    found = SAMPLES[0].object
    served = as_served(found, 7)
    added = {"creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"}
    assert set(served["metadata"]) - set(found["metadata"]) == added
    assert {key: served["metadata"][key] for key in found["metadata"]} == found["metadata"]
    assert (served["spec"], served.get("status")) == (found["spec"], found.get("status"))


def test_a_third_is_resolved_and_every_phase_occurs():
    phases = Counter(truth.phase for truth in TRUTHS)
    assert set(phases) == {"Active", "Acknowledged", "Resolved", "Archived", ""}
    assert phases["Resolved"] / COUNT == pytest.approx(1 / 3, abs=0.03)
    assert min(phases.values()) > COUNT / 50


def test_every_kind_of_time_occurs_in_its_share():
    kinds = Counter(truth.time for truth in TRUTHS)
    assert set(kinds) == set(TIMES)
    assert kinds["plain"] / COUNT == pytest.approx(PLAIN_SHARE, abs=0.03)
    for kind in set(TIMES) - {"plain"}:
        assert kinds[kind] / COUNT == pytest.approx((1 - PLAIN_SHARE) / (len(TIMES) - 1), abs=0.01)


def test_each_kind_of_time_looks_as_it_is_called():
    shapes = {
        "plain": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
        "offset east": r".*\+02:00",
        "offset west": r".*-09:30",
        "fraction": r".*\.123456789Z",
        "lower case": r"\d{4}-\d\d-\d\dt\d\d:\d\d:\d\dz",
        "empty": "",
        "malformed": r"\d\d\.\d\d\.\d{4} \d\d:\d\d",
        "seconds": r"\d{10}",
        "zoneless": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
        "future": r"202[78]-.*Z",
        "timestamp only": r".*Z",
        "seen again": r".*Z",
    }
    for found, truth in SAMPLES:
        if truth.time in shapes:
            assert re.fullmatch(shapes[truth.time], found["spec"]["timestamp"])
        else:
            assert "timestamp" not in found["spec"]
        assert ("detectedAt" in found["spec"]) is (
            truth.time not in ("fraction", "timestamp only", "absent", "restored", "future")
        )


def test_the_truth_is_what_the_fields_say():
    decoder = msgspec.json.Decoder(ObservationFields)
    for found, truth in SAMPLES:
        fields = decoder.decode(json.dumps(found))
        reading = age_of(fields).reading
        assert phase_of(fields) == (truth.phase or "Active")
        assert last_seen(fields).instant == truth.last_seen
        if truth.problem in (TimeProblem.MALFORMED, TimeProblem.ZONELESS, TimeProblem.ABSENT):
            assert reading.problem == truth.problem
        else:
            assert reading.instant == truth.instant
            assert (truth.problem == "future") is (truth.instant is not None and truth.instant > NOW)


def test_what_must_go_and_what_must_stay():
    week = timedelta(days=7)
    deleted = [truth for truth in TRUTHS if truth.deleted_by(week)]
    assert len(deleted) / COUNT == pytest.approx(0.25, abs=0.03)
    assert {truth.phase for truth in deleted} == {"Resolved"}
    kept_by_time = {"absent", "empty", "malformed", "seconds", "zoneless", "future", "seen again"}
    assert {truth.time for truth in deleted} == set(TIMES) - kept_by_time
    assert sum(truth.deleted_by(week, phase="Active") for truth in TRUTHS) > 0
    assert not any(truth.deleted_by(365 * DAY) for truth in TRUTHS)


def test_comparing_times_as_text_would_be_wrong_in_both_directions():
    cutoff = (NOW - timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
    as_text = [(sample.object["spec"].get("timestamp") or "") < cutoff for sample in SAMPLES]
    wrong = Counter(
        (said, truth.deleted_by(timedelta(days=7)))
        for said, truth in zip(as_text, TRUTHS, strict=True)
        if truth.phase == "Resolved" and truth.time.startswith("offset")
    )
    assert wrong[True, False] > 0
    assert wrong[False, True] > 0


def test_it_is_lazy():
    assert len(list(itertools.islice(samples(10**9), 3))) == 3

"""The pipeline: nothing double, nothing lost, nothing resolved that is still there."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.watcher.samples import SYSTEM, report
from tests.watcher.test_observation import EVENT
from watcher.pipeline.facts import facts_of, normalised
from watcher.pipeline.live import REPORT_ANNOTATION, Live, known_from
from watcher.pipeline.pipeline import Batch, Bounds, Pipeline, bounds_of
from watcher.pipeline.plan import Create, Plan, Repeat, Resolve
from watcher.pipeline.status import after_clearing, after_sightings
from watcher.pipeline.window import Rate, Window
from watcher.sources import trivy
from watcher.sources.event import Event, Subject
from watcher.sources.registry import PARSERS
from zenctl.core.observation import Severity
from zenctl.product.configuration import Configuration
from zenctl.product.filters import Filter, Rules, own
from zenctl.product.sources import NAMES

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LOUD = replace(EVENT, source="falco", severity=Severity.CRITICAL, time=None)
ALL = Filter({})


def pipeline(kept: Filter = ALL, **changes: Any) -> Pipeline:
    bounds = {key: changes.pop(key) for key in list(changes) if key in Bounds._fields}
    configured = bounds_of(Configuration())._replace(**bounds)
    return Pipeline(kept, configured, default_namespace=SYSTEM, **changes)


def posted(*events: Event) -> Batch:
    return Batch("falco", events, listed=False)


def listed(*events: Event, covered: tuple[str, ...] = ("r",)) -> Batch:
    return Batch("trivy", [replace(event, report="r") for event in events], listed=True, covered=covered)


def kinds(plan: Plan) -> list[str]:
    return [type(write).__name__ for write in plan.writes]


def numbered(number: int, event: Event = EVENT) -> Event:
    return replace(event, identity=(str(number),))


# --- sightings


def test_news_is_created_and_repeats_are_counted_and_written_together():
    line = pipeline()
    (create,) = line.take(posted(LOUD), NOW).writes
    assert isinstance(create, Create)
    assert create.object["spec"]["timestamp"] == "2026-01-01T12:00:00Z"
    for second in range(1, 4):
        plan = line.take(posted(LOUD), NOW + second * SECOND)
        assert (plan.writes, plan.dropped) == ([], {"duplicate": 1})
    assert line.due(NOW + 59 * SECOND) == []
    (repeat,) = line.due(NOW + 60 * SECOND)
    assert (repeat.key, repeat.count, repeat.time) == (create.key, 3, "2026-01-01T12:00:03Z")
    assert line.due(NOW + 300 * SECOND) == []


def test_a_repeat_after_the_window_is_written_at_once_with_those_before():
    line = pipeline()
    line.take(posted(LOUD), NOW)
    line.take(posted(LOUD), NOW + SECOND)
    (repeat,) = line.take(posted(LOUD), NOW + 61 * SECOND).writes
    assert isinstance(repeat, Repeat)
    assert repeat.count == 2


def test_a_steady_repeat_does_not_keep_the_window_open():
    line = pipeline()
    writes = [line.take(posted(LOUD), NOW + second * SECOND).writes for second in range(0, 600, 10)]
    assert sum(map(len, writes)) == 10


def test_the_same_delivery_twice_is_counted_once():
    line, event = pipeline(), replace(LOUD, occurrence="audit-1")
    line.take(posted(event), NOW)
    assert line.take(posted(event), NOW + SECOND).dropped == {"redelivered": 1}
    assert line.take(posted(replace(event, occurrence="audit-2")), NOW + SECOND).dropped == {"duplicate": 1}
    assert line.take(posted(replace(event, occurrence="audit-2")), NOW + SECOND).dropped == {"redelivered": 1}


def test_a_failed_write_is_news_again():
    line = pipeline()
    (create,) = line.take(posted(LOUD), NOW).writes
    line.failed(create)
    assert kinds(line.take(posted(LOUD), NOW + SECOND)) == ["Create"]


def test_a_failed_write_says_how_many_events_are_lost():
    line = pipeline()
    (create,) = line.take(posted(LOUD), NOW).writes
    line.take(posted(LOUD, LOUD), NOW)
    assert line.failed(create) == 3
    assert line.due(NOW, everything=True) == []


def test_times_are_compared_as_instants():
    line = pipeline()
    line.take(posted(LOUD), NOW)
    for time in ("2026-01-01T12:00:05.5Z", "2026-01-01T12:00:05Z", "2026-01-01T13:00:05+02:00"):
        line.take(posted(replace(LOUD, time=time)), NOW + 6 * SECOND)
    (repeat,) = line.due(NOW, everything=True)
    assert repeat.time == "2026-01-01T12:00:05.5Z"


def test_what_was_closed_is_news_again():
    line = pipeline()
    (create,) = line.take(posted(LOUD), NOW).writes
    line.closed(create.key)
    assert kinds(line.take(posted(LOUD), NOW + SECOND)) == ["Create"]


def test_before_an_end_everything_is_written():
    line = pipeline()
    line.take(posted(LOUD, LOUD), NOW)
    (repeat,) = line.due(NOW, everything=True)
    assert repeat.count == 1


def test_a_restart_emits_nothing_twice():
    before, events = pipeline(), trivy.parse(report("trivy/docs-configaudit-report-1.yaml"))
    batch = Batch("trivy", events, listed=True)
    objects = [write.object for write in before.take(batch, NOW).writes if isinstance(write, Create)]
    assert len(objects) == 2
    known = [found for found in map(known_from, objects) if found]
    after = pipeline(live=known).take(batch, NOW + timedelta(hours=1))
    assert (after.writes, after.dropped) == ([], {"redelivered": 2})


def test_a_newer_report_with_the_same_finding_is_a_recurrence():
    line = pipeline()
    line.take(listed(EVENT), NOW)
    assert kinds(line.take(listed(replace(EVENT, time="2026-01-01T11:00:00Z")), NOW + timedelta(hours=1))) == [
        "Repeat"
    ]
    assert kinds(line.take(listed(replace(EVENT, time="2026-01-01T11:00:00Z")), NOW + timedelta(hours=9))) == []


def test_ten_events_of_one_second_are_ten_sightings_and_none_after_a_restart():
    events = [replace(EVENT, occurrence=f"uid-{number}/1") for number in range(10)]
    line = pipeline()
    plan = line.take(listed(*events), NOW)
    assert (kinds(plan), plan.dropped) == (["Create"], {"duplicate": 9})
    assert line.take(listed(*events[:3]), NOW + SECOND).dropped == {"redelivered": 3}
    (create,) = plan.writes
    assert isinstance(create, Create)
    known = known_from(create.object)
    assert known
    assert pipeline(live=[known]).take(listed(*events), NOW).dropped == {"redelivered": 10}


# --- what is gone


def test_what_the_next_complete_report_lacks_is_resolved_and_returns():
    line, one, two = pipeline(), numbered(1), numbered(2)
    first, second = line.take(listed(one, two), NOW).writes
    (gone,) = line.take(listed(one), NOW + SECOND).writes
    assert gone == Resolve(second.key, "r")
    assert line.take(listed(one), NOW + SECOND).writes == []
    (back,) = line.take(listed(one, two), NOW + 2 * SECOND).writes
    assert isinstance(back, Create)
    assert back.key == second.key != first.key


def test_an_empty_report_resolves_all_and_a_broken_one_nothing():
    line = pipeline()
    line.take(listed(numbered(1), numbered(2)), NOW)
    assert line.take(listed(covered=()), NOW).writes == []
    assert line.take(listed(covered=("another",)), NOW).writes == []
    assert kinds(line.take(listed(), NOW)) == ["Resolve", "Resolve"]


def test_what_the_filter_drops_is_not_gone():
    line = pipeline()
    line.take(listed(EVENT), NOW)
    line.filter = Filter({"trivy": Rules(enabled=False)})
    plan = line.take(listed(EVENT), NOW + SECOND)
    assert (plan.writes, plan.dropped) == ([], {"source_disabled": 1})


def test_resolving_can_be_switched_off():
    line = pipeline(resolve_gone=False)
    line.take(listed(EVENT), NOW)
    assert line.take(listed(), NOW).writes == []


def test_the_report_is_remembered_on_the_object():
    (create,) = pipeline().take(listed(EVENT), NOW).writes
    assert isinstance(create, Create)
    assert create.object["metadata"]["annotations"] == {REPORT_ANNOTATION: "r"}
    found = known_from(create.object)
    assert found
    assert Live([found]).of_report("trivy", "r") == (create.key,)
    assert known_from({**create.object, "status": {"phase": "Resolved"}}) is None
    assert known_from({"metadata": 3}) is None


# --- bounds


def test_a_source_has_only_so_many_live_observations():
    line = pipeline(live_per_source=2)
    plan = line.take(listed(*map(numbered, range(5))), NOW)
    assert (kinds(plan), plan.dropped) == (["Create"] * 2, {"overflow": 3})
    assert kinds(line.take(posted(LOUD), NOW)) == ["Create"]  # another source has its own
    line.closed(plan.writes[0].key)
    assert kinds(line.take(listed(numbered(7), covered=()), NOW)) == ["Create"]


def test_the_rate_of_what_is_posted_is_limited_and_counted_apart():
    line = pipeline(events_per_second=1, burst=3)
    many = [numbered(number, LOUD) for number in range(5)]
    assert line.take(posted(*many), NOW).dropped == {"rate_limited": 2}
    assert line.take(posted(*many[3:]), NOW + SECOND).dropped == {"rate_limited": 1}
    assert line.take(listed(*map(numbered, range(50))), NOW).dropped == {}  # a list cannot be sent again


def test_what_the_guide_calls_a_burst_is_not_limited():
    many = [numbered(number, LOUD) for number in range(5_000)]
    assert pipeline().take(posted(*many), NOW).dropped == {}


def test_a_bucket_fills_to_its_burst_and_survives_a_clock_that_goes_back():
    rate = Rate(10, 2)
    assert [rate.takes(NOW) for _ in range(3)] == [True, True, False]
    assert not rate.takes(NOW - timedelta(hours=1))
    assert [rate.takes(NOW + timedelta(hours=1)) for _ in range(3)] == [True, True, False]


def test_the_window_is_bounded_and_loses_no_count():
    line = pipeline(max_entries=2)
    line.take(posted(numbered(0, LOUD), numbered(0, LOUD)), NOW)
    line.take(posted(*(numbered(number, LOUD) for number in range(1, 5))), NOW)
    (repeat,) = line.due(NOW)
    assert repeat.count == 1
    window = Window(SECOND, 10)
    for number in range(100):
        window.wrote(("ns", str(number)), NOW, "")
    assert len(window) == 10


def test_an_event_that_cannot_be_written_is_named_and_stops_no_other():
    bad = replace(EVENT, subject=Subject("Pod", "web", "Not A Namespace"))
    plan = pipeline().take(listed(bad, EVENT), NOW)
    assert (kinds(plan), plan.dropped) == (["Create"], {"invalid": 1})
    assert "cannot be a namespace" in plan.errors[0]


# --- filter and order


def test_what_is_filtered_takes_no_room_and_says_why():
    kept = Filter({}, Rules(exclude_namespaces=("shop",)))
    plan = pipeline(kept).take(posted(LOUD), NOW)
    assert (plan.writes, plan.dropped) == ([], {"exclude_namespace": 1})


def test_the_order_decides_what_a_filtered_duplicate_is_counted_as():
    for dedup_first, reason in ((False, "source_disabled"), (True, "duplicate")):
        line = pipeline(dedup_first=dedup_first)
        line.take(posted(LOUD), NOW)
        line.filter = Filter({"falco": Rules(enabled=False)})
        assert line.take(posted(LOUD), NOW).dropped == {reason: 1}
        assert line.take(posted(numbered(9, LOUD)), NOW).dropped == {"source_disabled": 1}


def test_cleaning_up_a_thousand_observations_makes_none():
    deletion = report("audit/delete_service.json")
    kept = Filter(own=own("zen.kube-zen.io", "zen-system"))
    dropped: Counter[str] = Counter()
    line = pipeline(kept, events_per_second=10_000, burst=10_000)
    for number in range(1_000):
        deletion["auditID"] = str(number)
        deletion["objectRef"] = {
            "apiGroup": "zen.kube-zen.io", "apiVersion": "v1alpha1", "resource": "zenevents", "namespace": "shop",
            "name": f"trivy-{number}",
        }  # fmt: skip
        plan = line.take(Batch("audit", PARSERS["audit"](copy.deepcopy(deletion)), listed=False), NOW)
        assert plan.writes == []
        dropped += plan.dropped
    assert dropped == {"self": 1_000}


def test_facts_name_what_found_it():
    event = replace(EVENT, details={"policy": "p", "rule": "r", "testNumber": 3}, actor="jane")
    found = facts_of(replace(event, subject=Subject("Deployment", "web", "shop", "apps/v1")))
    assert (found.rules, found.group, found.actor, found.kind) == (("p", "r"), "apps", "jane", "Deployment")
    assert facts_of(EVENT).group == ""


@pytest.mark.parametrize(
    ("time", "from_list", "expected"),
    [
        (None, False, "2026-01-01T12:00:00Z"), (None, True, None),
        ("2026-01-01T12:04:00Z", True, "2026-01-01T12:04:00Z"),
        ("2026-01-01T12:06:00Z", True, "2026-01-01T12:00:00Z"),
        ("2031-01-01T00:00:00Z", True, "2026-01-01T12:00:00Z"),
        ("2020-01-01T00:00:00Z", False, "2020-01-01T00:00:00Z"),
    ],
)  # fmt: skip
def test_no_event_is_of_the_future(time, from_list, expected):
    found = normalised(replace(EVENT, time=time), NOW, listed=from_list)
    assert found.time == expected
    assert ("reportedTime" in found.details) is (time in ("2031-01-01T00:00:00Z", "2026-01-01T12:06:00Z"))


def test_every_source_has_a_parser_and_none_is_left_out():
    assert tuple(PARSERS) == NAMES


# --- status


SEEN = {"phase": "Active", "firstSeen": "2025-01-01T00:00:00Z", "lastSeen": "2026-01-01T00:00:00Z", "count": 2}
LATER, EARLIER = "2026-01-01T06:00:00Z", "2025-06-01T00:00:00Z"


def after(status: dict[str, Any], time: str | None = LATER, *, from_list: bool = False) -> dict[str, Any] | None:
    return after_sightings(status, count=3, time=time, now=NOW, listed=from_list)


def test_sightings_are_counted_and_the_last_is_kept():
    assert after(SEEN) == SEEN | {"count": 5, "lastSeen": LATER}
    assert after(SEEN, EARLIER) == SEEN | {"count": 5}
    assert after({}) == {"phase": "Active", "firstSeen": LATER, "lastSeen": LATER, "count": 4}
    assert after(SEEN | {"phase": "Acknowledged"}) == SEEN | {"phase": "Acknowledged", "count": 5, "lastSeen": LATER}
    assert after(SEEN | {"count": "many"}) == SEEN | {"count": 4, "lastSeen": LATER}


@pytest.mark.parametrize("phase", ["Resolved", "Archived"])
def test_a_recurrence_reopens(phase):
    found = after(SEEN | {"phase": phase, "resolvedAt": EARLIER, "conditions": [{"type": "Acknowledged"}, 3]})
    assert found
    assert found["phase"] == "Active"
    assert "resolvedAt" not in found
    assert [(entry["type"], entry.get("status")) for entry in found["conditions"]] == [
        ("Acknowledged", None), ("Resolved", "False"),
    ]  # fmt: skip


def test_a_list_that_comes_again_reopens_nothing():
    resolved = SEEN | {"phase": "Resolved", "resolvedAt": "2026-01-01T07:00:00Z"}
    assert after(resolved, LATER, from_list=True) is None
    assert after(resolved, "2026-01-01T08:00:00Z", from_list=True)
    assert after(SEEN, EARLIER, from_list=True) is None
    assert after(resolved, None, from_list=True) is None


def test_what_the_source_was_clear_of_returns_even_without_a_time():
    cleared = after_clearing(SEEN, NOW)
    assert cleared
    assert (cleared["phase"], cleared["resolvedAt"]) == ("Resolved", "2026-01-01T12:00:00Z")
    assert cleared["conditions"][0]["reason"] == "SourceCleared"
    back = after(cleared, None, from_list=True)
    assert back
    assert (back["phase"], back["conditions"][0]["status"]) == ("Active", "False")
    assert len(back["conditions"]) == 1


@pytest.mark.parametrize("phase", ["Resolved", "Archived"])
def test_what_somebody_closed_is_not_resolved_once_more(phase):
    assert after_clearing(SEEN | {"phase": phase}, NOW) is None


# --- the ledger


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 90), st.sampled_from(["", "a", "b"]), st.booleans()), max_size=60
    ),
    st.booleans(),
)
def test_every_event_is_in_one_write_or_one_reason(steps, dedup_first):
    kept = Filter({"falco": Rules(exclude_rules=("0",))})
    line = pipeline(kept, dedup_first=dedup_first, max_entries=3, live_per_source=4, events_per_second=1, burst=20)
    now, total, counted = NOW, 0, 0
    dropped: Counter[str] = Counter()
    for identity, seconds, occurrence, fails in steps:
        now += seconds * SECOND
        event = replace(numbered(identity, LOUD), occurrence=occurrence, details={"rule": str(identity)})
        plan = line.take(posted(event), now)
        total += 1
        dropped += plan.dropped
        for write in plan.writes:
            if isinstance(write, Create) and fails:
                counted += line.failed(write)
            counted += (
                write.count if isinstance(write, Create | Repeat) and not (isinstance(write, Create) and fails) else 0
            )
        if fails:
            counted += sum(repeat.count for repeat in line.due(now))
    counted += sum(repeat.count for repeat in line.due(now, everything=True))
    assert counted == total - sum(count for reason, count in dropped.items() if reason != "duplicate")
    assert line.due(now, everything=True) == []

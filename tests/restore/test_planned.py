"""Plans in a file: what they say, that they are whole, and that nothing else is ever done than what was written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backup.samples import a_cluster, config_map, observation
from tests.fakes import FakeCluster
from tests.restore.samples import archive_of, empty_cluster, file_of, ports_of, restore, writes
from zenctl.core.objects import CONFIG_MAP, ObjectKey
from zenctl.errors import Conflict, ExitCode, Refused, UsageError
from zenctl.product.crd import OBSERVATIONS
from zenctl.restore import record
from zenctl.restore.apply import Done, apply
from zenctl.restore.batch import Source
from zenctl.restore.decide import Action, OnConflict
from zenctl.restore.plan import Plan
from zenctl.restore.planned import plan_again, record_plan
from zenctl.restore.record import Choice, Recorded

KEY = ObjectKey("team-a", "o-00000")
CLUSTER = FakeCluster().uid()


def planned(cluster: FakeCluster, source: Source, policy: OnConflict = OnConflict.SKIP) -> tuple[Plan, bytes]:
    heading = record.heading(
        source.label, source.identity, CLUSTER, at="2026-11-23T02:00:00Z", tool_version="t",
        choice=Choice(on_conflict=policy.value),
    )  # fmt: skip
    parts: list[bytes] = []
    plan = record_plan(ports_of(cluster), source, policy, heading, parts.append)
    return plan, b"".join(parts)


def again(cluster: FakeCluster, source: Source, data: bytes) -> Plan:
    return plan_again(ports_of(cluster), source, record.read("plan", data), CLUSTER)


def decisions(data: bytes) -> list[record.Decision]:
    return list(record.read("plan", data).decisions())


def test_a_plan_says_what_becomes_of_each_object():
    cluster = restore(empty_cluster(crd=False), archive_of()).cluster
    changed = cluster.stored(OBSERVATIONS, KEY)
    changed["spec"]["severity"] = "LOW"
    cluster.put(OBSERVATIONS, changed)
    cluster.remove(OBSERVATIONS, ObjectKey("team-b", "o-00001"))
    plan, data = planned(cluster, archive_of(), OnConflict.UPDATE)
    found = {f"{d.kind} {d.key}": d for d in decisions(data)}
    assert found["Observation team-a/o-00000"].action is Action.UPDATE
    (difference,) = found["Observation team-a/o-00000"].differences
    assert (difference.field, difference.archived, difference.live) == ("spec.severity", '"HIGH"', '"LOW"')
    assert found["Observation team-b/o-00001"].action is Action.CREATE
    assert found["Observation team-a/o-00002"].action is Action.UNCHANGED
    assert found["Observation team-a/o-00002"].uid
    assert (plan.writes, len(found)) == (2, 6)
    assert writes(cluster)[-1:] != ["update"], "nothing is written"


def test_what_its_own_schema_is_against_is_said():
    source = file_of(observation("good"), observation("bad", ttlSecondsAfterCreation="soon"), config_map("c"))
    plan, data = planned(empty_cluster(), source)
    flawed = {d.name: d.invalid for d in decisions(data) if d.invalid}
    assert list(flawed) == ["bad"]
    assert "ttlSecondsAfterCreation" in flawed["bad"][0]
    assert sum(batch.invalid for batch in plan.batches) == 1
    assert plan.batches[0].invalid_named[0][0] == ObjectKey("team-a", "bad")


@pytest.mark.parametrize("policy", OnConflict)
def test_what_was_planned_is_done(policy):
    source, cluster = archive_of(), empty_cluster(crd=False)
    _, data = planned(cluster, source, policy)
    assert writes(cluster) == []
    plan = again(cluster, source, data)
    assert plan.strict
    outcome = apply(ports_of(cluster), plan)
    assert outcome.verdict is ExitCode.GOOD
    assert sum(batch.done.get(Done.CREATED, 0) for batch in outcome.batches) == 6
    assert cluster.stored(OBSERVATIONS, KEY)["status"]["phase"] == "Resolved"
    with pytest.raises(Refused, match="drifted since the plan"):
        again(cluster, source, data)


def created(cluster: FakeCluster) -> None:
    cluster.put(OBSERVATIONS, observation("o-00001", "team-b"))


def deleted(cluster: FakeCluster) -> None:
    cluster.remove(OBSERVATIONS, KEY)


def changed(cluster: FakeCluster) -> None:
    stored = cluster.stored(OBSERVATIONS, KEY)
    stored["spec"]["severity"] = "LOW"
    cluster.put(OBSERVATIONS, stored)


def made_anew(cluster: FakeCluster) -> None:
    stored = cluster.stored(OBSERVATIONS, KEY)
    cluster.remove(OBSERVATIONS, KEY)
    stored["metadata"]["uid"] = "another"
    cluster.put(OBSERVATIONS, stored)


@pytest.mark.parametrize(
    ("drift", "says"),
    [
        (created, "Observation team-b/o-00001: planned create, now unchanged"),
        (deleted, "Observation team-a/o-00000: planned unchanged, now create"),
        (changed, "Observation team-a/o-00000: planned unchanged, now update"),
        (made_anew, "Observation team-a/o-00000 has changed"),
    ],
)
def test_a_cluster_that_drifted_is_refused(drift, says):
    source = archive_of()
    cluster = restore(empty_cluster(crd=False), source).cluster
    cluster.remove(OBSERVATIONS, ObjectKey("team-b", "o-00001"))
    _, data = planned(cluster, source, OnConflict.UPDATE)
    before = len(writes(cluster))
    drift(cluster)
    with pytest.raises(Refused, match=says) as caught:
        again(cluster, source, data)
    assert caught.value.hint == "plan again with zenctl restore --plan"
    assert len(writes(cluster)) == before


def test_much_drift_is_told_shortly():
    source, cluster = archive_of(a_cluster(observations=30)), empty_cluster(crd=False)
    _, data = planned(cluster, source)
    restore(cluster, source)
    with pytest.raises(Refused, match=r"and 26 more") as caught:
        again(cluster, source, data)
    assert len(caught.value.message) < 600


def test_another_source_or_another_cluster_is_refused():
    cluster = empty_cluster()
    _, data = planned(cluster, file_of(observation("a")))
    with pytest.raises(Refused, match="the plan is for another source"):
        again(cluster, file_of(observation("a", severity="LOW")), data)
    with pytest.raises(Refused, match="the plan is for the cluster"):
        plan_again(ports_of(cluster), file_of(observation("a")), record.read("plan", data), "another")


def test_what_changes_while_it_is_carried_out_fails_and_is_not_decided_anew():
    source = file_of(observation("a"), observation("b", phase="Acknowledged"))
    cluster = empty_cluster()
    cluster.put(OBSERVATIONS, observation("b"))
    _, data = planned(cluster, source, OnConflict.UPDATE)
    plan = again(cluster, source, data)
    cluster.put(OBSERVATIONS, observation("a", severity="LOW"))
    stored = cluster.stored(OBSERVATIONS, ObjectKey("team-a", "b"))
    cluster.put(OBSERVATIONS, stored)
    outcome = apply(ports_of(cluster), plan)
    assert [(str(f.key), type(f.error)) for f in outcome.failures] == [("team-a/a", Conflict), ("team-a/b", Conflict)]
    assert outcome.verdict is ExitCode.PARTIAL
    assert cluster.stored(OBSERVATIONS, ObjectKey("team-a", "a"))["spec"]["severity"] == "LOW"


def test_an_answer_that_was_lost_is_not_somebody_elses_object():
    """The first attempt made it and its answer was cut off; the repetition finds it there."""
    archived = observation("a")
    archived["metadata"]["uid"] = "u"
    source, cluster = file_of(archived), empty_cluster()
    cluster.put(next(r for r in cluster.resources if r.kind == "Namespace"), {"metadata": {"name": "team-a"}})
    _, data = planned(cluster, source)
    plan = again(cluster, source, data)
    once = iter([True])

    def hook(call: Any) -> None:
        if call.verb == "create" and call.resource == OBSERVATIONS and next(once, False):
            value = observation("a")
            value["metadata"]["annotations"] = {"zenctl.kube-zen.io/original-uid": "u"}
            error = Conflict("exists", status=409)
            error.repeated = True
            del value["status"]
            cluster.put(OBSERVATIONS, value)
            raise error

    cluster.hooks.append(hook)
    outcome = apply(ports_of(cluster), plan)
    assert outcome.failures == ()
    assert outcome.batches[0].done == {Done.ADOPTED: 1}
    assert cluster.stored(OBSERVATIONS, ObjectKey("team-a", "a"))["status"]["phase"] == "Resolved"


# -- the file ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plan_file() -> bytes:
    return planned(empty_cluster(crd=False), archive_of())[1]


def test_every_line_is_json(plan_file):
    lines = [json.loads(line) for line in plan_file.splitlines()]
    assert lines[0]["kind"] == "RestorePlanFile"
    assert lines[-1]["decisions"] == len(lines) - 2 == 6


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: b"", "is no plan of a restore"),
        (lambda data: b"{}\n", "is no plan of a restore"),
        (lambda data: data.replace(b"RestorePlanFile", b"RestorePlanPile"), "is no plan that this version"),
        (lambda data: data.replace(b'"schemaVersion":1', b'"schemaVersion":2'), "is no plan that this version"),
        (lambda data: data[:-1], "was changed|is cut off"),
        (lambda data: data[: len(data) // 2], "is cut off"),
        (lambda data: data + data, "was changed"),
        (lambda data: data.replace(b'"create"', b'"update"', 1), "was changed"),
        (lambda data: data.replace(b"o-00002", b"o-00009", 1), "was changed"),
    ],
)
def test_a_file_that_is_none_or_not_whole_is_refused(plan_file, change, says):
    with pytest.raises(UsageError, match=says):
        record.read("plan.ndjson", change(plan_file))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_change_of_a_byte_goes_unnoticed(plan_file, data):
    place = data.draw(st.integers(0, len(plan_file) - 1))
    byte = data.draw(st.integers(0, 255))
    changed_file = plan_file[:place] + bytes([byte]) + plan_file[place + 1 :]
    if changed_file == plan_file:
        return
    with pytest.raises(UsageError):
        record.read("plan", changed_file)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    with pytest.raises(UsageError):
        record.read("plan", data)


def test_a_plan_by_hand_with_a_decision_that_is_none_is_refused():
    recorder = record.Recorder(
        record.heading("s", "i", "c", at="t", tool_version="v", choice=Choice(on_conflict="skip"))
    )
    line = recorder._line({"kind": "X"})
    recorder._count += 1
    found: Recorded = record.read("plan", recorder.first + line + recorder.end())
    with pytest.raises(UsageError, match="line 2 of the plan cannot be read"):
        list(found.decisions())


def test_kinds_of_core_are_planned_too():
    cluster = empty_cluster()
    _, data = planned(cluster, file_of(config_map("c")))
    (decision,) = decisions(data)
    assert (decision.kind, decision.action) == (CONFIG_MAP.kind, Action.CREATE)

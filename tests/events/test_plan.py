"""What a selection settles: forward only, out of the archive only when asked, and a reason for what it leaves."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.events.samples import DECISION, fields, observation
from tests.fakes import NOW
from zenctl.core.objects import ObjectKey, RawObject
from zenctl.events.plan import Left, Plan, Planner, plan_of
from zenctl.events.select import Filter
from zenctl.events.settle import Action, settle
from zenctl.product.crd import OBSERVATIONS

PHASES = ("Active", "Acknowledged", "Resolved", "Archived", "Snoozed", "active", None)


def raw(document: dict[str, Any]) -> RawObject[Any]:
    metadata = document["metadata"]
    metadata.setdefault("uid", metadata["name"])
    key = ObjectKey(metadata["namespace"], metadata["name"])
    return RawObject(key, fields(document), memoryview(msgspec.json.encode(document)))


def in_phase(phase: str | None, name: str = "a") -> dict[str, Any]:
    return observation(name, status=None if phase is None else {"phase": phase, "count": 3})


def planned(*documents: dict[str, Any], action: Action = Action.RESOLVE, named: bool = False, **wanted: Any) -> Plan:
    decision = DECISION._replace(action=action)
    planner = Planner(decision, Filter(**wanted), named=named)
    for document in documents:
        planner.add(OBSERVATIONS, raw(document))
    return plan_of(decision, [planner])


@pytest.mark.parametrize(
    ("action", "taken"),
    [
        (Action.ACK, ("Active", "active", None)),
        (Action.RESOLVE, ("Active", "Acknowledged", "active", None)),
        (Action.ARCHIVE, ("Active", "Acknowledged", "Resolved", "active", None)),
        (Action.REOPEN, ("Acknowledged", "Resolved")),
    ],
)
def test_a_selection_moves_forward_and_leaves_the_archive_alone(action, taken):
    for phase in PHASES:
        plan = planned(in_phase(phase), action=action)
        assert bool(plan.targets) is (phase in taken), phase


def test_a_phase_that_was_asked_for_is_taken_whatever_it_is():
    plan = planned(in_phase("Archived"), in_phase("Resolved", "b"), in_phase("Active", "c"), action=Action.REOPEN,
                   phases=frozenset({"Archived"}))  # fmt: skip
    assert [target.row.name for target in plan.targets] == ["a"]
    assert plan.left == {}


@pytest.mark.parametrize("phase", PHASES)
def test_a_name_takes_every_phase_but_the_one_it_leads_to(phase):
    plan = planned(in_phase(phase), action=Action.RESOLVE, named=True)
    assert bool(plan.targets) is (phase != "Resolved")
    assert plan.left == ({Left.ALREADY: 1} if phase == "Resolved" else {})


def test_every_one_that_is_left_has_a_reason():
    going = in_phase("Active", "going")
    going["metadata"]["deletionTimestamp"] = "2026-11-23T01:00:00Z"
    plan = planned(
        in_phase("Active"), in_phase("Resolved", "b"), in_phase("Archived", "c"), in_phase("Snoozed", "d"), going,
        observation("e", timestamp="soon"), observation("f", source="falco"),
        since=NOW, sources=frozenset({"trivy"}),
    )  # fmt: skip
    assert [target.row.name for target in plan.targets] == ["a"]
    assert plan.left == {Left.ALREADY: 1, Left.OTHER_PHASE: 2, Left.GOING: 1, Left.UNTIMED: 1}
    assert plan.total == 7


def test_a_target_knows_what_it_was_judged_at():
    document = in_phase("Acknowledged")
    document["metadata"] |= {"uid": "u", "resourceVersion": "77"}
    (target,) = planned(document).targets
    assert (target.uid, target.resource_version, target.key) == ("u", "77", ObjectKey("team-a", "a"))
    assert msgspec.json.decode(target.status) == {"phase": "Acknowledged", "count": 3}


@given(st.lists(st.sampled_from(PHASES), max_size=12), st.sampled_from(Action), st.booleans())
def test_what_a_plan_has_settled_is_in_no_second_plan(phases, action, named):
    documents = [in_phase(phase, f"n{number}") for number, phase in enumerate(phases)]
    plan = planned(*documents, action=action, named=named)
    assert len(plan.targets) + sum(plan.left.values()) == plan.total == len(documents)
    decision = DECISION._replace(action=action)
    by_name = {each["metadata"]["name"]: each for each in documents}
    for target in plan.targets:
        by_name[target.row.name]["status"] = settle(msgspec.json.decode(target.status), decision)
    second = planned(*documents, action=action, named=named)
    assert second.targets == ()
    assert second.left.get(Left.ALREADY, 0) == plan.left.get(Left.ALREADY, 0) + len(plan.targets)

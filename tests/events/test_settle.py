from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import NOW
from zenctl.core.instants import format_instant
from zenctl.core.observation import Phase
from zenctl.events.settle import Action, Decision, phase_in, settle

LATER = NOW + timedelta(hours=1)
EARLIER_TEXT, NOW_TEXT = "2026-11-01T00:00:00Z", format_instant(NOW)


def decide(action: Action, *, note: str = "patched") -> Decision:
    return Decision(action, NOW, "ann", note)


def condition(kind: str, status: str = "True", **more: Any) -> dict[str, Any]:
    return {"type": kind, "status": status, "lastTransitionTime": EARLIER_TEXT, **more}


@pytest.mark.parametrize(
    ("action", "phase"),
    [("resolve", "Resolved"), ("ack", "Acknowledged"), ("archive", "Archived")],
)
def test_an_action_writes_its_phase_and_a_condition_that_says_who_and_why(action, phase):
    settled = settle({"phase": "Active", "count": 3}, decide(Action(action)))

    assert settled is not None
    assert settled["phase"] == phase
    assert settled["conditions"] == [
        {
            "type": phase,
            "status": "True",
            "reason": "SettledByUser",
            "message": "patched (ann)",
            "lastTransitionTime": NOW_TEXT,
        }
    ]
    assert settled["count"] == 3


def test_without_a_note_the_condition_names_the_author():
    settled = settle({}, decide(Action.ACK, note=""))
    assert settled is not None
    assert settled["conditions"][0]["message"] == "by ann"


@pytest.mark.parametrize(
    ("old", "action", "resolved_at"),
    [
        ({}, "resolve", NOW_TEXT),
        ({"phase": "Archived", "resolvedAt": EARLIER_TEXT}, "resolve", NOW_TEXT),
        ({"phase": "Resolved", "resolvedAt": EARLIER_TEXT}, "archive", EARLIER_TEXT),
        ({"phase": "Active"}, "archive", None),
        ({"phase": "Resolved", "resolvedAt": EARLIER_TEXT}, "reopen", None),
        ({"phase": "Resolved", "resolvedAt": EARLIER_TEXT}, "ack", None),
    ],
)
def test_resolved_at_is_there_exactly_while_the_observation_is_resolved_or_archived_after_it(
    old, action, resolved_at
):
    settled = settle(old, decide(Action(action)))
    assert settled is not None
    assert settled.get("resolvedAt") == resolved_at


@pytest.mark.parametrize("status", [None, {}, {"phase": None}, {"phase": ""}, {"phase": 7}, "odd", [], {"count": 1}])
def test_an_absent_phase_is_active_already(status):
    assert settle(status, decide(Action.REOPEN)) is None
    settled = settle(status, decide(Action.RESOLVE))
    assert settled is not None
    assert settled["phase"] == "Resolved"


@pytest.mark.parametrize("phase", ["resolved", "RESOLVED", "Done"])
def test_a_phase_of_another_spelling_is_written_anew(phase):
    settled = settle({"phase": phase}, decide(Action.RESOLVE))
    assert settled is not None
    assert settled["phase"] == "Resolved"


def test_reopening_turns_every_condition_of_triage_false_and_adds_none():
    old = {"phase": "Archived", "conditions": [condition("Resolved"), condition("Ready"), condition("Archived")]}
    settled = settle(old, decide(Action.REOPEN, note="it is back"))

    assert settled is not None
    told = {entry["type"]: (entry["status"], entry.get("reason")) for entry in settled["conditions"]}
    assert told == {
        "Resolved": ("False", "ReopenedByUser"),
        "Ready": ("True", None),
        "Archived": ("False", "ReopenedByUser"),
    }
    assert settled["conditions"][0]["message"] == "it is back (ann)"
    assert settled["conditions"][0]["lastTransitionTime"] == NOW_TEXT


def test_a_condition_that_is_false_already_keeps_what_it_says():
    false = condition("Acknowledged", "False", reason="Other")
    settled = settle({"phase": "Resolved", "conditions": [condition("Resolved"), false]}, decide(Action.REOPEN))
    assert settled is not None
    assert settled["conditions"][1] == false


def test_settling_for_less_takes_the_later_stages_back():
    old = {"phase": "Archived", "conditions": [condition("Acknowledged"), condition("Archived")]}
    settled = settle(old, decide(Action.RESOLVE))
    assert settled is not None
    assert [(entry["type"], entry["status"]) for entry in settled["conditions"]] == [
        ("Acknowledged", "True"),
        ("Archived", "False"),
        ("Resolved", "True"),
    ]


def test_the_transition_time_changes_only_with_the_status_of_the_condition():
    old = {"phase": "Active", "conditions": [condition("Resolved", reason="SourceCleared", observedGeneration=2)]}
    settled = settle(old, decide(Action.RESOLVE))
    assert settled is not None
    assert settled["conditions"] == [
        condition("Resolved", reason="SettledByUser", message="patched (ann)", observedGeneration=2)
    ]


def test_of_several_conditions_of_a_type_the_newest_is_the_one_that_changes():
    stale = condition("Resolved", lastTransitionTime="2026-10-01T00:00:00Z")
    unreadable = condition("Resolved", lastTransitionTime="yesterday")
    newest = condition("Resolved", lastTransitionTime="2026-11-02T01:00:00+02:00")
    settled = settle({"phase": "Resolved", "conditions": [stale, newest, unreadable]}, decide(Action.REOPEN))
    assert settled is not None
    assert settled["conditions"][0] == stale
    assert settled["conditions"][1]["status"] == "False"
    assert settled["conditions"][2] == unreadable


@pytest.mark.parametrize("odd", [None, [], ["text", 7, None, {"no": "type"}]])
def test_conditions_of_other_shapes_stay(odd):
    settled = settle({"phase": "Acknowledged", "conditions": odd}, decide(Action.REOPEN))
    assert settled is not None
    *kept, added = settled["conditions"]
    assert (kept, added["type"], added["status"]) == (odd or [], "Acknowledged", "False")


@pytest.mark.parametrize("phase", ["Acknowledged", "Resolved", "Archived"])
def test_a_reopening_says_who_and_why_even_where_nobody_said_so_before(phase):
    """Whoever set that phase, such as the watcher, may have left no condition that could become False."""
    settled = settle({"phase": phase, "count": 2}, decide(Action.REOPEN))
    assert settled is not None
    (condition,) = settled["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (phase, "False", "ReopenedByUser")
    assert "ann" in condition["message"]


def test_a_phase_of_another_vendor_gets_no_condition_by_its_name():
    settled = settle({"phase": "Snoozed"}, decide(Action.REOPEN))
    assert settled == {"phase": "Active"}


# -- for every status there can be ---------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=6)
TIMES = st.sampled_from([EARLIER_TEXT, NOW_TEXT, "yesterday", "2026-11-01T00:00:00", ""]) | SCALARS
CONDITIONS = st.lists(
    SCALARS
    | st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["Resolved", "Acknowledged", "Archived", "Ready"]) | SCALARS,
            "status": st.sampled_from(["True", "False", "Unknown"]) | SCALARS,
            "lastTransitionTime": TIMES,
            "observedGeneration": SCALARS,
        },
    ),
    max_size=5,
)
KNOWN: dict[str, st.SearchStrategy[Any]] = {
    "phase": st.sampled_from([*Phase, "resolved", ""]) | SCALARS,
    "conditions": CONDITIONS | SCALARS,
    "resolvedAt": TIMES,
    "firstSeen": TIMES,
    "lastSeen": TIMES,
    "count": SCALARS,
}
UNKNOWN = st.dictionaries(st.text(max_size=6).filter(lambda name: name not in KNOWN), SCALARS, max_size=3)
STATUSES = SCALARS | UNKNOWN.flatmap(
    lambda unknown: st.fixed_dictionaries({name: st.just(value) for name, value in unknown.items()}, optional=KNOWN)
)
ACTIONS = st.sampled_from(Action)


@given(STATUSES, ACTIONS)
def test_settling_twice_is_settling_once(status, action):
    once = settle(status, decide(action))
    assert settle(status if once is None else once, Decision(action, LATER, "bob")) is None


@given(STATUSES, ACTIONS)
def test_the_phase_is_the_one_that_was_asked_for(status, action):
    settled = settle(status, decide(action))
    assert phase_in(status if settled is None else settled) == action.phase


@given(STATUSES, ACTIONS)
def test_the_old_status_is_left_alone(status, action):
    before = copy.deepcopy(status)
    settle(status, decide(action))
    assert status == before


@given(STATUSES, ACTIONS)
def test_what_is_not_about_triage_is_kept(status, action):
    settled = settle(status, decide(action))
    if settled is None or not isinstance(status, dict):
        return
    ours = {"phase", "resolvedAt", "conditions"}
    assert {n: v for n, v in settled.items() if n not in ours} == {n: v for n, v in status.items() if n not in ours}


@given(STATUSES, ACTIONS)
def test_no_condition_is_lost_or_moved(status, action):
    settled = settle(status, decide(action))
    old = status.get("conditions") if isinstance(status, dict) else None
    if settled is None or not isinstance(old, list):
        return
    new = settled["conditions"]
    assert len(new) - len(old) in (0, 1)
    changed = {"status", "reason", "message", "lastTransitionTime"}
    for before, after in zip(old, new, strict=False):
        if isinstance(before, dict):
            before, after = ({n: v for n, v in each.items() if n not in changed} for each in (before, after))
        assert before == after


@given(STATUSES)
def test_resolving_and_reopening_leaves_only_the_condition_that_tells_of_it(status):
    resolved = settle(status, decide(Action.RESOLVE)) or status
    reopened = settle(resolved, decide(Action.REOPEN))
    assert reopened is not None
    assert reopened["phase"] == "Active"
    assert "resolvedAt" not in reopened
    if settle(status, decide(Action.RESOLVE)) is not None:
        held = [entry for entry in reopened["conditions"] if isinstance(entry, dict)]
        assert any(entry.get("type") == "Resolved" and entry.get("reason") == "ReopenedByUser" for entry in held)

"""What becomes of one archived object, given what lives under its name."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.core.provenance import ORIGINAL_UID
from zenctl.restore.decide import Action, LiveFields, OnConflict, decide, fingerprint_of, live_state, triaged

RESOLVED = {"phase": "Resolved", "resolvedAt": "2026-11-01T00:00:00Z"}
ACTIVE = {"phase": "Active", "count": 4, "firstSeen": "2026-11-01T00:00:00Z"}
SAME, OTHER = {"fingerprint": "f1"}, {"fingerprint": "f2"}
ADOPT, SKIP = Action.ADOPT, Action.SKIP


class Case(NamedTuple):
    archived: dict[str, Any]
    live: dict[str, Any]
    action: Action
    """Under the policy skip."""


def archived(status: object = None, spec: object = None, uid: str = "u-old", **annotations: str) -> dict[str, Any]:
    metadata = {"name": "a", "namespace": "n", "uid": uid, "annotations": annotations or None}
    return {"metadata": metadata, "spec": spec, "status": status}


def live(status: object = None, spec: object = None, *, restored_from: str = "") -> dict[str, Any]:
    annotations = {ORIGINAL_UID: restored_from} if restored_from else {}
    return archived(status, spec, "u-new", **annotations)


def fields(document: dict[str, Any]) -> LiveFields:
    return msgspec.convert(document, LiveFields)


def decided(
    one: dict[str, Any], other: dict[str, Any] | None, policy: OnConflict, *, has_status: bool = True
) -> Action:
    state = None if other is None else live_state(fields(other))
    return decide(fields(one), state, policy, has_status=has_status)


CASES = {
    "the same finding, detected again": Case(archived(RESOLVED, SAME), live(ACTIVE, SAME), ADOPT),
    "the same finding without a status yet": Case(archived(RESOLVED, SAME), live(None, SAME), ADOPT),
    "the same finding, triaged since": Case(archived(RESOLVED, SAME), live({"phase": "Acknowledged"}, SAME), SKIP),
    "the same finding, reopened since": Case(
        archived(RESOLVED, SAME), live({"phase": "Active", "conditions": [{"type": "Reopened"}]}, SAME), SKIP
    ),
    "the same finding, with a trace of a settlement": Case(
        archived(RESOLVED, SAME), live({"phase": "Active", "resolvedAt": "2026-11-02T00:00:00Z"}, SAME), SKIP
    ),
    "nothing to take over": Case(archived(ACTIVE, SAME), live(ACTIVE, SAME), SKIP),
    "no status to take over": Case(archived(None, SAME), live(ACTIVE, SAME), SKIP),
    "an acknowledgement is worth taking over": Case(
        archived({"phase": "Acknowledged"}, SAME), live(ACTIVE, SAME), ADOPT
    ),
    "a note on an active finding is": Case(
        archived({"phase": "Active", "conditions": [{}]}, SAME), live(ACTIVE, SAME), ADOPT
    ),
    "another finding": Case(archived(RESOLVED, SAME), live(ACTIVE, OTHER), SKIP),
    "no fingerprints": Case(archived(RESOLVED, {}), live(ACTIVE, {}), SKIP),
    "empty fingerprints": Case(archived(RESOLVED, {"fingerprint": ""}), live(ACTIVE, {"fingerprint": ""}), SKIP),
    "a spec that is no object": Case(archived(RESOLVED, "spec"), live(ACTIVE, "spec"), SKIP),
    "a fingerprint that is no text": Case(
        archived(RESOLVED, {"fingerprint": 7}), live(ACTIVE, {"fingerprint": 7}), SKIP
    ),
    "half restored: made, and stopped before its status": Case(
        archived(ACTIVE), live(None, restored_from="u-old"), ADOPT
    ),
    "half restored, and somebody wrote a status since": Case(
        archived(RESOLVED), live(ACTIVE, restored_from="u-old"), SKIP
    ),
    "half restored from another object": Case(archived(RESOLVED), live(None, restored_from="u-x"), SKIP),
    "half restored, by the first uid of a second generation": Case(
        archived(RESOLVED, None, "u-2", **{ORIGINAL_UID: "u-1"}), live(None, restored_from="u-1"), ADOPT
    ),
    "half restored, and there is no status to write": Case(archived(None), live(None, restored_from="u-old"), SKIP),
    "an archived object without uid is nobody's half": Case(archived(RESOLVED, None, ""), live(None), SKIP),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_live_object_adopts_or_stays(case):
    assert decided(case.archived, case.live, OnConflict.SKIP) is case.action


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize(
    ("policy", "otherwise"), [(OnConflict.UPDATE, Action.UPDATE), (OnConflict.FAIL, Action.CONFLICT)]
)
def test_the_policy_decides_what_is_not_adopted(case, policy, otherwise):
    expected = case.action if case.action is ADOPT else otherwise
    assert decided(case.archived, case.live, policy) is expected


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_kind_without_status_of_its_own_adopts_nothing(case):
    assert decided(case.archived, case.live, OnConflict.SKIP, has_status=False) is SKIP


@pytest.mark.parametrize("policy", OnConflict)
@pytest.mark.parametrize("has_status", [True, False])
def test_what_is_not_there_is_created_under_every_policy(policy, has_status):
    assert decided(archived(RESOLVED, SAME), None, policy, has_status=has_status) is Action.CREATE


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (None, False),
        ({}, False),
        ("Resolved", False),
        ([RESOLVED], False),
        ({"phase": None}, False),
        ({"phase": 3}, False),
        ({"phase": "Active"}, False),
        ({"phase": "Active", "conditions": []}, False),
        ({"phase": "Archived"}, True),
        ({"phase": "resolved"}, True),
        (RESOLVED, True),
    ],
)
def test_triage_shows_in_phase_conditions_and_resolvedat(status, answer):
    assert triaged(status) is answer


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
statuses = st.one_of(
    anything, st.fixed_dictionaries({"phase": anything | st.sampled_from(["Active", "Resolved"])})
)  # fmt: skip
specs = st.one_of(st.none(), st.text(), st.fixed_dictionaries({"fingerprint": anything | st.just("f1")}))


@given(statuses, specs, statuses, specs, st.sampled_from(OnConflict), st.booleans())
def test_any_content_is_decided_and_triage_is_never_overwritten_unasked(
    a_status, a_spec, l_status, l_spec, policy, has
):
    one, other = archived(a_status, a_spec), live(l_status, l_spec)
    action = decided(one, other, policy, has_status=has)
    assert action is not Action.CREATE
    if action is ADOPT:
        assert not triaged(l_status)
        assert triaged(a_status)
        assert fingerprint_of(fields(one)) == fingerprint_of(fields(other)) != ""

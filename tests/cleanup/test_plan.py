"""Which Observations may go: every sentence of the decision, an independent oracle, and mutants of the predicate."""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from dateutil import parser as dateutil_parser
from hypothesis import given
from hypothesis import strategies as st

from tests.cleanup.samples import CUTOFF, OLD, RULE, WEEK, YOUNG, ago, fields, observation, plan_cleanup, raw
from tests.dataset import NOW as DATASET_NOW
from tests.dataset import as_served, samples
from tests.fakes import NOW
from zenctl.cleanup import judge as judge_module
from zenctl.cleanup.judge import Judgement, Policy, Reason, Rule, judge
from zenctl.core.instants import format_instant, parse_instant
from zenctl.core.objects import ObjectKey, RawObject, ResourceType
from zenctl.core.observation import AgeSource, ObservationFields
from zenctl.core.provenance import ORIGINAL_CREATION, ORIGINAL_UID
from zenctl.core.selectors import parse_label_selector
from zenctl.product.crd import OBSERVATIONS
from zenctl.product.labels import PROTECTED


class Case(NamedTuple):
    """An Observation, the reason that is right, and the rules that it is judged by."""

    document: dict[str, Any]
    reason: Reason
    rule: Rule = RULE
    further: tuple[Rule, ...] = ()
    field: str = ""
    """The field that decided; "" where any will do."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        return (self.rule, *self.further)


def by(source: AgeSource, **more: Any) -> Rule:
    return Rule(older_than=WEEK, age_from=source, **more)


def narrow(**more: Any) -> Rule:
    """Return the rule for Resolved and a week, changed."""
    return Rule(**{"older_than": WEEK, **more})


def of(phase: str) -> Rule:
    return narrow(phases=frozenset({phase}))


MICROSECOND = timedelta(microseconds=1)
DELETED, KEPT_YOUNG = Reason.EXPIRED, Reason.YOUNG

CASES = {
    # -- the field that age is counted from ---------------------------------------------------------
    "timestamp is asked first": Case(observation(timestamp=OLD, detectedAt=YOUNG), DELETED),
    "a young timestamp wins over an old detectedAt": Case(observation(timestamp=YOUNG, detectedAt=OLD), KEPT_YOUNG),
    "detectedAt is next": Case(observation(detectedAt=OLD), DELETED),
    "a young detectedAt wins over an old creation": Case(observation(detectedAt=YOUNG, created=OLD), KEPT_YOUNG),
    "creation is last": Case(observation(created=OLD), DELETED),
    "a young creation keeps": Case(observation(created=YOUNG), KEPT_YOUNG),
    "null counts as absent": Case(observation(timestamp=None, detectedAt=None, created=OLD), DELETED),
    "empty text counts as absent": Case(observation(timestamp="", detectedAt="", created=OLD), DELETED),
    "no time at all keeps": Case(observation(created=None), Reason.NO_TIME),
    # -- provenance --------------------------------------------------------------------------------
    "an old first creation counts": Case(observation(annotations={ORIGINAL_CREATION: OLD}), DELETED),
    "a young first creation counts too": Case(
        observation(created=OLD, annotations={ORIGINAL_CREATION: YOUNG}), KEPT_YOUNG
    ),
    "a timestamp wins over provenance": Case(
        observation(timestamp=YOUNG, annotations={ORIGINAL_CREATION: OLD}), KEPT_YOUNG
    ),
    "malformed provenance keeps": Case(
        observation(created=OLD, annotations={ORIGINAL_CREATION: "last week"}), Reason.MALFORMED_TIME
    ),
    "the first uid alone says nothing of time": Case(observation(annotations={ORIGINAL_UID: "u"}), KEPT_YOUNG),
    # -- any RFC 3339, compared as instants ----------------------------------------------------------
    "an offset east that sorts after the cutoff as text": Case(
        observation(timestamp="2026-11-16T03:59:59+02:00"), DELETED
    ),
    "an offset west that sorts before the cutoff as text": Case(
        observation(timestamp="2026-11-15T17:00:00-09:30"), KEPT_YOUNG
    ),
    "a fraction before the cutoff": Case(observation(timestamp="2026-11-16T01:59:59.999999999Z"), DELETED),
    "a fraction after the cutoff": Case(observation(timestamp="2026-11-16T02:00:00.000001Z"), KEPT_YOUNG),
    "lower case before": Case(observation(timestamp="2026-11-16t01:59:59z"), DELETED),
    "lower case after": Case(observation(timestamp="2026-11-16t02:00:01z"), KEPT_YOUNG),
    "at the cutoff it is kept": Case(observation(timestamp=format_instant(CUTOFF)), KEPT_YOUNG),
    "a microsecond before it goes": Case(observation(timestamp=format_instant(CUTOFF - MICROSECOND)), DELETED),
    "the cutoff in another zone is kept": Case(observation(timestamp="2026-11-16T04:00:00+02:00"), KEPT_YOUNG),
    # -- times that cannot be trusted; detectedAt is good in each -----------------------------------------
    "a malformed timestamp is not passed over": Case(
        observation(timestamp="01.11.2026", detectedAt=OLD), Reason.MALFORMED_TIME
    ),
    "a number is no time": Case(observation(timestamp=1_760_000_000, detectedAt=OLD), Reason.MALFORMED_TIME),
    "false is no time": Case(observation(timestamp=False, detectedAt=OLD), Reason.MALFORMED_TIME),
    "an object is no time": Case(observation(timestamp={"at": OLD}), Reason.MALFORMED_TIME),
    "a date is no time": Case(observation(timestamp="2026-11-01", detectedAt=OLD), Reason.MALFORMED_TIME),
    "a day that does not exist": Case(observation(timestamp="2026-02-30T00:00:00Z"), Reason.MALFORMED_TIME),
    "a time without zone": Case(observation(timestamp="2026-11-01T00:00:00", detectedAt=OLD), Reason.ZONELESS_TIME),
    "a time in the future": Case(observation(timestamp=ago(days=-1), detectedAt=OLD), Reason.FUTURE_TIME),
    "a microsecond in the future": Case(observation(timestamp=format_instant(NOW + MICROSECOND)), Reason.FUTURE_TIME),
    "now itself is not the future": Case(observation(timestamp=format_instant(NOW)), KEPT_YOUNG),
    # -- seen again ---------------------------------------------------------------------------------
    "seen after the cutoff": Case(
        observation(timestamp=OLD, status={"lastSeen": YOUNG}), Reason.SEEN_AGAIN, field="lastSeen"
    ),
    "seen at the cutoff": Case(
        observation(timestamp=OLD, status={"lastSeen": format_instant(CUTOFF)}), Reason.SEEN_AGAIN
    ),
    "seen a microsecond before the cutoff": Case(
        observation(timestamp=OLD, status={"lastSeen": format_instant(CUTOFF - MICROSECOND)}), DELETED
    ),
    "seen in the future": Case(observation(timestamp=OLD, status={"lastSeen": ago(days=-3)}), Reason.SEEN_AGAIN),
    "seen nobody knows when": Case(
        observation(timestamp=OLD, status={"lastSeen": "yesterday"}), Reason.MALFORMED_TIME
    ),
    "seen without zone": Case(
        observation(timestamp=OLD, status={"lastSeen": "2026-11-01T00:00:00"}), Reason.ZONELESS_TIME
    ),
    "never seen again": Case(observation(timestamp=OLD, status={"lastSeen": ""}), DELETED),
    # -- phase ----------------------------------------------------------------------------------------
    "Active": Case(observation(phase="Active", timestamp=OLD), Reason.OTHER_PHASE),
    "Acknowledged": Case(observation(phase="Acknowledged", timestamp=OLD), Reason.OTHER_PHASE),
    "Archived": Case(observation(phase="Archived", timestamp=OLD), Reason.OTHER_PHASE),
    "another case is another phase": Case(observation(phase="resolved", timestamp=OLD), Reason.OTHER_PHASE),
    "an absent phase reads as Active": Case(observation(phase=None, timestamp=OLD), Reason.OTHER_PHASE),
    "an empty phase reads as Active": Case(
        observation(phase="", timestamp=OLD), DELETED, by(AgeSource.AUTO, phases=frozenset({"Active"}))
    ),
    "a phase that is no text": Case(observation(phase=["Resolved"], timestamp=OLD), Reason.OTHER_PHASE),
    "a status that is no object": Case(observation(status="Resolved", timestamp=OLD), Reason.OTHER_PHASE),
    "a phase asked for": Case(
        observation(phase="Archived", timestamp=OLD), DELETED, by(AgeSource.AUTO, phases=frozenset({"Archived"}))
    ),
    "a phase not asked for": Case(
        observation(timestamp=OLD), Reason.OTHER_PHASE, by(AgeSource.AUTO, phases=frozenset({"Archived"}))
    ),
    # -- severity -----------------------------------------------------------------------------------
    "a severity asked for, in any case": Case(
        observation(timestamp=OLD, severity="low"), DELETED, by(AgeSource.AUTO, severities=frozenset({"LOW"}))
    ),
    "a severity not asked for": Case(
        observation(timestamp=OLD), Reason.OTHER_SEVERITY, by(AgeSource.AUTO, severities=frozenset({"LOW"}))
    ),
    "no severity where one is asked for": Case(
        observation(timestamp=OLD, severity=None),
        Reason.OTHER_SEVERITY,
        by(AgeSource.AUTO, severities=frozenset({"LOW"})),
    ),
    # -- age from one field: only that field, and never another in its place ----------------------------
    "from timestamp": Case(observation(timestamp=OLD, detectedAt=YOUNG), DELETED, by(AgeSource.TIMESTAMP)),
    "from an absent timestamp": Case(
        observation(detectedAt=OLD, created=OLD), Reason.NO_TIME, by(AgeSource.TIMESTAMP)
    ),
    "from detectedAt": Case(observation(timestamp=YOUNG, detectedAt=OLD), DELETED, by(AgeSource.DETECTED_AT)),
    "from an absent detectedAt": Case(observation(timestamp=OLD), Reason.NO_TIME, by(AgeSource.DETECTED_AT)),
    "from creation": Case(observation(timestamp=YOUNG, created=OLD), DELETED, by(AgeSource.CREATION)),
    "from the first creation": Case(
        observation(timestamp=YOUNG, annotations={ORIGINAL_CREATION: OLD}), DELETED, by(AgeSource.CREATION)
    ),
    "from a young creation": Case(observation(timestamp=OLD), KEPT_YOUNG, by(AgeSource.CREATION)),
    "from resolvedAt": Case(
        observation(timestamp=YOUNG, status={"resolvedAt": OLD}), DELETED, by(AgeSource.RESOLVED_AT)
    ),
    "from a young resolvedAt": Case(
        observation(timestamp=OLD, status={"resolvedAt": YOUNG}), KEPT_YOUNG, by(AgeSource.RESOLVED_AT)
    ),
    "from an absent resolvedAt": Case(observation(timestamp=OLD), Reason.NO_TIME, by(AgeSource.RESOLVED_AT)),
    "from lastSeen": Case(observation(timestamp=YOUNG, status={"lastSeen": OLD}), DELETED, by(AgeSource.LAST_SEEN)),
    "from an absent lastSeen": Case(observation(timestamp=OLD), Reason.NO_TIME, by(AgeSource.LAST_SEEN)),
    # -- what else may narrow a rule ---------------------------------------------------------------------
    "a source asked for": Case(observation(timestamp=OLD, source="Trivy"), DELETED, narrow(sources={"trivy"})),
    "a source not asked for": Case(observation(timestamp=OLD), Reason.OTHER_SOURCE, narrow(sources={"falco"})),
    "no source where one is asked for": Case(
        observation(timestamp=OLD, source=None), Reason.OTHER_SOURCE, narrow(sources={"trivy"})
    ),
    "a category asked for": Case(
        observation(timestamp=OLD, category="Security"), DELETED, narrow(categories={"security"})
    ),
    "a category not asked for": Case(
        observation(timestamp=OLD, category="security"), Reason.OTHER_CATEGORY, narrow(categories={"compliance"})
    ),
    "a namespace asked for": Case(observation(timestamp=OLD), DELETED, narrow(namespaces={"team-a"})),
    "a namespace not asked for": Case(
        observation(timestamp=OLD), Reason.OTHER_NAMESPACE, narrow(namespaces={"team-b", "TEAM-A"})
    ),
    "labels asked for": Case(
        observation(timestamp=OLD, labels={"team": "a"}), DELETED, narrow(labels=parse_label_selector("team=a"))
    ),
    "labels not asked for": Case(
        observation(timestamp=OLD, labels={"team": "b"}),
        Reason.OTHER_LABELS,
        narrow(labels=parse_label_selector("team=a")),
    ),
    "no labels where some are asked for": Case(
        observation(timestamp=OLD), Reason.OTHER_LABELS, narrow(labels=parse_label_selector("team"))
    ),
    # -- several rules: the first that is about it decides ------------------------------------------------
    "none of several is about it": Case(observation(phase="Active", timestamp=OLD), Reason.NO_RULE, RULE, (RULE,)),
    "the second is": Case(observation(phase="Archived", timestamp=OLD), DELETED, RULE, (of("Archived"),)),
    "a first that keeps": Case(
        observation(timestamp=OLD, severity="critical"),
        Reason.NEVER,
        narrow(older_than=None, severities={"CRITICAL"}),
        (RULE,),
    ),
    "a first that is about others": Case(
        observation(timestamp=OLD, severity="low"), DELETED, narrow(older_than=None, severities={"CRITICAL"}), (RULE,)
    ),
    "a first for which it is too young": Case(
        observation(timestamp=OLD), KEPT_YOUNG, narrow(older_than=timedelta(days=300)), (RULE,)
    ),
    "a rule for any phase": Case(observation(phase="whatever", timestamp=OLD), DELETED, narrow(phases=None)),
    "a rule that keeps, alone": Case(observation(timestamp=OLD), Reason.NEVER, narrow(older_than=None)),
    "a rule that keeps what is going already": Case(
        observation(timestamp=OLD, deletion=YOUNG), Reason.ALREADY_GOING, narrow(older_than=None)
    ),
    # -- what protects ------------------------------------------------------------------------------------
    "seen again, and that is to be ignored": Case(
        observation(timestamp=OLD, status={"lastSeen": YOUNG}), DELETED, narrow(ignore_last_seen=True)
    ),
    "seen nobody knows when, and that is to be ignored": Case(
        observation(timestamp=OLD, status={"lastSeen": "soon"}), DELETED, narrow(ignore_last_seen=True)
    ),
    "it expires later": Case(
        observation(timestamp=OLD, expiresAt=ago(days=-1)), Reason.NOT_EXPIRED, field="expiresAt"
    ),
    "it expires a microsecond later": Case(
        observation(timestamp=OLD, expiresAt=format_instant(NOW + MICROSECOND)), Reason.NOT_EXPIRED
    ),
    "it expires now": Case(observation(timestamp=OLD, expiresAt=format_instant(NOW)), DELETED),
    "it has expired": Case(observation(timestamp=OLD, expiresAt=YOUNG), DELETED),
    "it expires nobody knows when": Case(observation(timestamp=OLD, expiresAt="2027"), Reason.MALFORMED_TIME),
    "it expires in no zone": Case(observation(timestamp=OLD, expiresAt="2026-11-01T00:00:00"), Reason.ZONELESS_TIME),
    "it never expires": Case(observation(timestamp=OLD, expiresAt=""), DELETED),
    "an annotation protects": Case(observation(timestamp=OLD, annotations={PROTECTED: "true"}), Reason.PROTECTED),
    "a label protects": Case(observation(timestamp=OLD, labels={PROTECTED: ""}), Reason.PROTECTED),
    "false does not protect": Case(
        observation(timestamp=OLD, labels={PROTECTED: "False"}, annotations={PROTECTED: "false"}), DELETED
    ),
    "other marks do not protect": Case(
        observation(timestamp=OLD, labels={"protected": "true"}, annotations={"a": "true"}), DELETED
    ),
    # -- the rest -------------------------------------------------------------------------------------
    "what is going and no rule is about": Case(
        observation(phase="Active", timestamp=OLD, deletion=YOUNG), Reason.ALREADY_GOING
    ),
    "what is going already is left alone": Case(observation(timestamp=OLD, deletion=YOUNG), Reason.ALREADY_GOING),
    "hours are hours": Case(observation(timestamp=ago(hours=11)), KEPT_YOUNG, Rule(older_than=timedelta(hours=12))),
    "hours are hours, past them": Case(
        observation(timestamp=ago(hours=13)), DELETED, Rule(older_than=timedelta(hours=12))
    ),
    "longer than time itself deletes nothing": Case(
        observation(timestamp="0001-01-01T00:00:00Z"), KEPT_YOUNG, Rule(older_than=timedelta(days=900_000))
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_reason_is_the_right_one(case):
    judged = judge(fields(case.document), Policy(case.rules), NOW)
    assert judged.reason is case.reason
    assert case.field in ("", judged.field)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_reached(reason):
    assert any(case.reason is reason for case in CASES.values())


def test_the_judgement_names_the_field_that_decided():
    def judged(document: dict[str, Any], source: AgeSource = AgeSource.AUTO) -> Judgement:
        return judge(fields(document), Policy((by(source),)), NOW)

    assert judged(observation(timestamp=OLD)).field == AgeSource.TIMESTAMP
    assert judged(observation(detectedAt="never")).field == AgeSource.DETECTED_AT
    assert judged(observation(created=OLD)).field == AgeSource.CREATION
    bad_last_seen = judged(observation(timestamp=OLD, status={"lastSeen": "never"}))
    assert (bad_last_seen.field, bad_last_seen.instant) == (AgeSource.LAST_SEEN, None)
    seen = judged(observation(timestamp=OLD, status={"lastSeen": YOUNG}))
    assert (seen.field, seen.instant) == (AgeSource.LAST_SEEN, parse_instant(YOUNG))


def test_a_later_lastseen_keeps_also_what_is_judged_by_another_field():
    document = observation(status={"resolvedAt": OLD, "lastSeen": YOUNG})
    assert judge(fields(document), Policy((by(AgeSource.RESOLVED_AT),)), NOW).reason is Reason.SEEN_AGAIN


def test_resolved_objects_without_a_timestamp_are_not_deleted_for_lack_of_one():
    """The guide's loop reads an absent timestamp as the text null, which sorts before every cutoff."""
    fresh = [observation(name, created=ago(hours=1), **spec) for name, spec in _WITHOUT_TIMESTAMP.items()]
    planned = plan_cleanup(_listed(fresh), Policy((RULE,)), NOW)
    assert planned.to_delete == 0
    assert planned.kept == {Reason.YOUNG: len(fresh)}


_WITHOUT_TIMESTAMP: dict[str, dict[str, Any]] = {"none": {}, "null": {"timestamp": None}, "empty": {"timestamp": ""}}


# -- against an oracle that was written apart, in another way ---------------------------------------------

SPELLINGS: list[Callable[[datetime], str]] = [
    format_instant,
    lambda at: format_instant(at).lower(),
    lambda at: (at + timedelta(hours=5, minutes=45)).strftime("%Y-%m-%dT%H:%M:%S.%f+05:45"),
    lambda at: (at - timedelta(hours=9, minutes=30)).strftime("%Y-%m-%dT%H:%M:%S.%f-09:30"),
]
instants = st.one_of(
    st.timedeltas(timedelta(days=-60), timedelta(days=80)).map(lambda span: NOW - span),
    st.integers(-3, 3).map(lambda micro: CUTOFF + timedelta(microseconds=micro)),
    st.integers(-3, 3).map(lambda micro: NOW + timedelta(microseconds=micro)),
)
good = st.builds(lambda at, spell: spell(at), instants, st.sampled_from(SPELLINGS))
zoneless = instants.map(lambda at: at.strftime("%Y-%m-%dT%H:%M:%S"))
garbage = st.sampled_from(["null", "yesterday", "01.11.2026", "2026-13-01T00:00:00Z", 7, True, [OLD], " " + OLD])
times = st.one_of(st.just(None), st.just(""), good, good, zoneless, garbage)
documents = st.builds(
    observation,
    phase=st.sampled_from(["Resolved", "Resolved", "Resolved", "Active", "resolved", None, 3]),
    created=good,
    timestamp=times,
    detectedAt=times,
    annotations=st.one_of(st.none(), st.builds(lambda text: {ORIGINAL_CREATION: text}, good)),
    status=st.builds(lambda seen, resolved: {"lastSeen": seen, "resolvedAt": resolved}, times, times),
)
_PLACES = {
    "timestamp": ("spec", "timestamp"),
    "detectedAt": ("spec", "detectedAt"),
    "resolvedAt": ("status", "resolvedAt"),
    "lastSeen": ("status", "lastSeen"),
}


def oracle_deletes(document: dict[str, Any], source: str) -> bool:
    """Say whether Resolved and older than a week deletes a plain dict, by dateutil's reading of its times."""
    if (document.get("status") or {}).get("phase") != "Resolved":
        return False
    annotations = document["metadata"].get("annotations") or {}
    creation = annotations.get(ORIGINAL_CREATION) or document["metadata"].get("creationTimestamp")
    chain = {"auto": ["timestamp", "detectedAt", "creationTimestamp"]}.get(source, [source])
    values = [creation if n == "creationTimestamp" else document[_PLACES[n][0]].get(_PLACES[n][1]) for n in chain]
    value = next((value for value in values if value not in (None, "")), None)
    if not oracle_is_before_cutoff(value):
        return False
    seen = document["status"].get("lastSeen")
    return seen in (None, "") or oracle_is_before_cutoff(seen)


def oracle_is_before_cutoff(value: object) -> bool:
    return _before(oracle_read(value), CUTOFF)


@given(documents, st.sampled_from(list(AgeSource)))
def test_an_independent_oracle_agrees(document, source):
    reason = judge(fields(document), Policy((by(source),)), NOW).reason
    assert (reason is Reason.EXPIRED) == oracle_deletes(document, source.value), reason


mostly_old = st.one_of(st.just(OLD), st.just(OLD), st.just(None), good, times)
mostly_fitting = st.builds(
    observation,
    phase=st.sampled_from(["Resolved", "Resolved", "Active", "Archived", None]),
    created=good,
    timestamp=mostly_old,
    detectedAt=mostly_old,
    status=st.builds(lambda seen: {"lastSeen": seen}, st.just(None) | mostly_old),
)
phases = st.none() | st.sets(st.sampled_from(["Resolved", "Active", "Archived"]), min_size=1)
rules = st.builds(
    lambda phases, severities, sources, namespaces, days, ignore: {
        "phases": phases, "severities": severities, "sources": sources, "namespaces": namespaces,
        "days": days, "ignore": ignore,
    },
    phases,
    st.sets(st.sampled_from(["HIGH", "LOW"]), max_size=1) | st.just(set()),
    st.sets(st.sampled_from(["trivy", "falco"]), max_size=1) | st.just(set()),
    st.sets(st.sampled_from(["team-a", "team-b"]), max_size=1) | st.just(set()),
    st.sampled_from([1, 7, 7, 7, 40, None]),
    st.booleans(),
)  # fmt: skip
marks = st.sampled_from([None, {PROTECTED: "true"}, {PROTECTED: "false"}, {"other": "true"}])
marked = st.builds(
    lambda document, severity, source, namespace, labels, expires: {
        **document,
        "metadata": {**document["metadata"], "namespace": namespace, **({"labels": labels} if labels else {})},
        "spec": {**document["spec"], "severity": severity, "source": source, "expiresAt": expires},
    },
    mostly_fitting, st.sampled_from(["high", "LOW", None]), st.sampled_from(["trivy", "Falco", 7]),
    st.sampled_from(["team-a", "team-b"]), marks, st.none() | times,
)  # fmt: skip


def oracle_of_a_policy(document: dict[str, Any], policy: list[dict[str, Any]]) -> bool:
    """Say whether a policy deletes a plain dict: the first rule that fits decides."""
    spec, metadata, status = document["spec"], document["metadata"], document["status"]
    phase = status.get("phase") if isinstance(status.get("phase"), str) and status["phase"] else "Active"
    words = {"severities": str(spec["severity"]).upper(), "sources": str(spec["source"]).lower()}
    for rule in policy:
        fits = [rule["phases"] is None or phase in rule["phases"]]
        fits += [not rule[name] or word in rule[name] for name, word in words.items()]
        fits += [not rule["namespaces"] or metadata["namespace"] in rule["namespaces"]]
        if not all(fits):
            continue
        if rule["days"] is None:
            return False
        cutoff = NOW - timedelta(days=rule["days"])
        creation = (metadata.get("annotations") or {}).get(ORIGINAL_CREATION) or metadata.get("creationTimestamp")
        chain = [spec.get("timestamp"), spec.get("detectedAt"), creation]
        age = oracle_read(next((value for value in chain if value not in (None, "")), None))
        seen, expires = status.get("lastSeen"), spec.get("expiresAt")
        seen_before = rule["ignore"] or seen in (None, "") or _before(oracle_read(seen), cutoff)
        expired = expires in (None, "") or _before(oracle_read(expires), NOW + MICROSECOND)
        protected = (metadata.get("labels") or {}).get(PROTECTED) == "true"
        return _before(age, cutoff) and seen_before and expired and not protected
    return False


def oracle_read(value: object) -> datetime | None:
    """Return the instant that a value names; None for any other value."""
    if not isinstance(value, str) or value[4:5] != "-" or value[10:11] not in ("T", "t"):
        return None
    try:
        read = dateutil_parser.isoparse(value.upper())
    except ValueError:
        return None
    return read if read.tzinfo is not None else None


def _before(instant: datetime | None, limit: datetime) -> bool:
    return instant is not None and instant < limit


@given(marked, st.lists(rules, min_size=1, max_size=4))
def test_an_independent_oracle_agrees_about_policies(document, policy):
    judged = judge(fields(document), Policy(tuple(as_rule(rule) for rule in policy)), NOW)
    assert (judged.reason is Reason.EXPIRED) == oracle_of_a_policy(document, policy), judged.reason


def as_rule(rule: dict[str, Any]) -> Rule:
    return Rule(
        older_than=None if rule["days"] is None else timedelta(days=rule["days"]),
        phases=None if rule["phases"] is None else frozenset(rule["phases"]),
        severities=frozenset(rule["severities"]),
        sources=frozenset(rule["sources"]),
        namespaces=frozenset(rule["namespaces"]),
        ignore_last_seen=rule["ignore"],
    )


@given(documents, st.integers(0, 60), st.integers(0, 60))
def test_a_longer_age_never_deletes_more(document, days, more):
    shorter, longer = Rule(older_than=timedelta(days=days)), Rule(older_than=timedelta(days=days + more))
    if judge(fields(document), Policy((longer,)), NOW).reason is Reason.EXPIRED:
        assert judge(fields(document), Policy((shorter,)), NOW).reason is Reason.EXPIRED


@pytest.mark.parametrize("older_than", [timedelta(days=7), timedelta(days=30), timedelta(hours=12)], ids=str)
@pytest.mark.parametrize("phase", ["Resolved", "Active", "Archived"])
def test_the_plan_deletes_exactly_what_the_data_set_knows(older_than, phase):
    known = list(samples(3_000, seed=7))
    served = [as_served(sample.object, number) for number, sample in enumerate(known)]
    rule = Rule(older_than=older_than, phases=frozenset({phase}))
    policy, listed = Policy((rule,)), _listed(served)
    planned = plan_cleanup(listed, policy, DATASET_NOW)
    going = {item.key for _, item in listed if judge(item.fields, policy, DATASET_NOW).reason is Reason.EXPIRED}
    expected = {s.truth.key for s in known if s.truth.deleted_by(older_than, phase=phase)}
    assert {tuple(key) for key in going} == expected
    assert expected
    assert planned.to_delete == len(expected)
    assert {candidate.key for candidate in planned.shown} <= going
    assert planned.total == len(known) == planned.to_delete + sum(planned.kept.values())
    doubtful = {
        s.truth.key for s in known if (s.truth.phase or "Active") == phase and s.truth.problem not in (None, "absent")
    }
    assert {tuple(doubt.key) for doubt in planned.doubts} == doubtful


def test_a_plan_carries_what_a_deletion_must_be_bound_to():
    document = observation(timestamp=OLD)
    document["metadata"].update(uid="u-1", resourceVersion="42")
    (candidate,) = plan_cleanup(_listed([document]), Policy((RULE,)), NOW).shown
    assert (candidate.key, candidate.uid, candidate.resource_version) == (ObjectKey("team-a", "a"), "u-1", "42")
    assert (candidate.phase, candidate.severity, candidate.source) == ("Resolved", "HIGH", "trivy")


def _listed(found: Iterable[dict[str, Any]]) -> list[tuple[ResourceType, RawObject[ObservationFields]]]:
    return [(OBSERVATIONS, raw(document)) for document in found]


# -- mutants: each single change to the predicate must be seen by the table above --------------------------

SWAPPED = {
    "the phase is compared in any case": (
        "phase_of(fields) not in rule.phases",
        "phase_of(fields).capitalize() not in rule.phases",
    ),
    "the severity is compared in one case": (
        "severity_of(fields) not in rule.severities",
        "spec_of(fields).severity not in rule.severities",
    ),
    "the unit is wrong": ("return now - older_than", "return now - older_than / 24"),
    "the cutoff is now": ("return now - older_than", "return now"),
    "an overflow deletes": ("        return _FIRST", "        return now"),
    "age is always automatic": ("age_of(fields, rule.age_from)", "age_of(fields)"),
    "the field is swapped": ("age_of(fields, rule.age_from)", "age_of(fields, AgeSource.DETECTED_AT)"),
    "the label is compared with the annotation": ("_protects(metadata.labels)", "_protects(metadata.annotations)"),
    "lastSeen is taken from the age": ("seen = last_seen(fields)", "seen = age.reading"),
    "expiresAt is taken from the age": ("read_instant(spec_of(fields).expires_at)", "age.reading"),
    "the future is judged by the cutoff": ("reading.instant > now", "reading.instant > cutoff"),
    "expiry is judged by the cutoff": ("_expires_later(expires, now)", "_expires_later(expires, cutoff)"),
    "seen is judged by now": ("_seen_again(seen, cutoff)", "_seen_again(seen, now)"),
    "age is judged by now": ("_by_age(age.reading, cutoff, now)", "_by_age(age.reading, now, now)"),
    "problems are mixed up": ("TimeProblem.ZONELESS: Reason.ZONELESS_TIME", "TimeProblem.ZONELESS: Reason.NO_TIME"),
    "sources are compared in one case": ("text(spec.source).casefold()", "text(spec.source)"),
    "categories are compared in one case": ("text(spec.category).casefold()", "text(spec.category)"),
    "the category is looked for in the source": ("text(spec.category)", "text(spec.source)"),
    "the last rule decides": ("for rule in policy.rules if", "for rule in reversed(policy.rules) if"),
    "only the first rule is asked": ("for rule in policy.rules if", "for rule in policy.rules[:1] if"),
    "protection is read in one case": ('"false").lower()', '"false")'),
}


@pytest.mark.parametrize("change", SWAPPED.values(), ids=SWAPPED.keys())
def test_a_swapped_field_unit_or_case_is_caught(change):
    before, after = change
    source = Path(str(judge_module.__file__)).read_text()
    assert source.count(before) == 1, "the mutant no longer fits the source"
    assert _wrong(_compiled(source.replace(before, after))), "no case of the table tells the two apart"


def test_every_turned_comparison_condition_and_answer_is_caught():
    tree = ast.parse(Path(str(judge_module.__file__)).read_text())
    changes = list(single_changes(tree))
    assert len(changes) > 100
    survivors = [what for what, mutant in changes if not _wrong(_compiled(mutant))]
    assert survivors == []


def test_the_table_finds_nothing_in_the_unchanged_source():
    assert _wrong(_compiled(Path(str(judge_module.__file__)).read_text())) == []


OTHER_OPERATORS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.Sub: (ast.Add,),
}
NO_PREDICATES = {"doubtful"}


def single_changes(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield every single change to the functions of a module: where and what, and the source with it."""
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name not in NO_PREDICATES
    ]
    for function in functions:
        for node in ast.walk(function):
            for what, undo in changes_of(node):
                yield f"{function.name}, line {getattr(node, 'lineno', '?')}: {what}", ast.unparse(tree)
                undo()


def changes_of(node: ast.AST) -> Iterator[tuple[str, Callable[[], None]]]:
    """Make each change to one node, and yield it with what takes it back."""
    for holder, name, old, new in _replacements(node):
        _put(holder, name, new)
        yield f"{_show(old)} becomes {_show(new)}", partial(_put, holder, name, old)


def _replacements(node: ast.AST) -> Iterator[tuple[Any, Any, ast.AST, ast.AST]]:
    if isinstance(node, ast.Compare):
        for other in OTHER_OPERATORS[type(node.ops[0])]:
            yield node.ops, 0, node.ops[0], other()
    if isinstance(node, ast.BoolOp | ast.BinOp):
        for other in OTHER_OPERATORS.get(type(node.op), ()):
            yield node, "op", node.op, other()
    if isinstance(node, ast.If | ast.IfExp):
        for value in (True, False):
            yield node, "test", node.test, ast.Constant(value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node, "operand", node.operand, ast.UnaryOp(ast.Not(), node.operand)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason":
        yield node, "attr", node.attr, "EXPIRED" if node.attr != "EXPIRED" else "YOUNG"  # type: ignore[misc]


def _put(holder: Any, name: Any, value: Any) -> None:
    if isinstance(holder, list):
        holder[name] = value
    else:
        setattr(holder, name, value)


def _show(node: Any) -> str:
    return node if isinstance(node, str) else ast.dump(node)[:60]


def _compiled(source: str) -> types.ModuleType:
    name = "mutant_of_the_cleanup_plan"
    module = types.ModuleType(name)
    sys.modules[name] = module  # msgspec looks the annotations of a Struct up in its module
    try:
        exec(compile(source, name, "exec"), module.__dict__)
    finally:
        del sys.modules[name]
    return module


def _wrong(module: types.ModuleType) -> list[str]:
    """Return the cases that a mutant judges otherwise than the table says."""
    wrong = []
    for name, case in CASES.items():
        rules = tuple(module.Rule(**msgspec.structs.asdict(rule)) for rule in case.rules)
        try:
            judged = module.judge(fields(case.document), module.Policy(rules), NOW)
            reason = judged.reason.value
        except (TypeError, KeyError, AttributeError):
            reason = "an error"
        if reason != case.reason.value or (case.field and judged.field != case.field):
            wrong.append(name)
    return wrong

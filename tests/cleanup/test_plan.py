"""Which Observations may go: every sentence of the decision, an independent oracle, and mutants of the predicate."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from dateutil import parser as dateutil_parser
from hypothesis import given
from hypothesis import strategies as st

from tests.cleanup.samples import CUTOFF, OLD, RULE, WEEK, YOUNG, ago, fields, observation
from tests.dataset import NOW as DATASET_NOW
from tests.dataset import as_served, samples
from tests.fakes import NOW
from zenctl.cleanup import plan as plan_module
from zenctl.cleanup.plan import Judgement, Reason, Rule, judge, plan_cleanup
from zenctl.core.instants import format_instant, parse_instant
from zenctl.core.objects import ObjectKey, ResourceType
from zenctl.core.observation import AgeSource, ObservationFields
from zenctl.core.provenance import ORIGINAL_CREATION, ORIGINAL_UID
from zenctl.product.crd import OBSERVATIONS


class Case(NamedTuple):
    """An Observation, the rule that it is judged by, and the reason that is right."""

    document: dict[str, Any]
    reason: Reason
    rule: Rule = RULE


def by(source: AgeSource, **more: Any) -> Rule:
    return Rule(older_than=WEEK, age_from=source, **more)


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
    "seen after the cutoff": Case(observation(timestamp=OLD, status={"lastSeen": YOUNG}), Reason.SEEN_AGAIN),
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
    # -- the rest -------------------------------------------------------------------------------------
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
    assert judge(fields(case.document), case.rule, NOW).reason is case.reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_reached(reason):
    assert any(case.reason is reason for case in CASES.values())


def test_the_judgement_names_the_field_that_decided():
    def judged(document: dict[str, Any], source: AgeSource = AgeSource.AUTO) -> Judgement:
        return judge(fields(document), by(source), NOW)

    assert judged(observation(timestamp=OLD)).source is AgeSource.TIMESTAMP
    assert judged(observation(detectedAt="never")).source is AgeSource.DETECTED_AT
    assert judged(observation(created=OLD)).source is AgeSource.CREATION
    bad_last_seen = judged(observation(timestamp=OLD, status={"lastSeen": "never"}))
    assert (bad_last_seen.source, bad_last_seen.instant) == (AgeSource.LAST_SEEN, None)
    seen = judged(observation(timestamp=OLD, status={"lastSeen": YOUNG}))
    assert (seen.source, seen.instant) == (AgeSource.LAST_SEEN, parse_instant(YOUNG))


def test_a_later_lastseen_keeps_also_what_is_judged_by_another_field():
    document = observation(status={"resolvedAt": OLD, "lastSeen": YOUNG})
    assert judge(fields(document), by(AgeSource.RESOLVED_AT), NOW).reason is Reason.SEEN_AGAIN


def test_resolved_objects_without_a_timestamp_are_not_deleted_for_lack_of_one():
    """The guide's loop reads an absent timestamp as the text null, which sorts before every cutoff."""
    fresh = [observation(name, created=ago(hours=1), **spec) for name, spec in _WITHOUT_TIMESTAMP.items()]
    planned = plan_cleanup(_listed(fresh), RULE, NOW)
    assert planned.candidates == ()
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
    if not isinstance(value, str) or value[4:5] != "-" or value[10:11] not in ("T", "t"):
        return False
    try:
        read = dateutil_parser.isoparse(value.upper())
    except ValueError:
        return False
    return read.tzinfo is not None and read < CUTOFF


@given(documents, st.sampled_from(list(AgeSource)))
def test_an_independent_oracle_agrees(document, source):
    reason = judge(fields(document), by(source), NOW).reason
    assert (reason is Reason.EXPIRED) == oracle_deletes(document, source.value), reason


@given(documents, st.integers(0, 60), st.integers(0, 60))
def test_a_longer_age_never_deletes_more(document, days, more):
    shorter, longer = Rule(older_than=timedelta(days=days)), Rule(older_than=timedelta(days=days + more))
    if judge(fields(document), longer, NOW).reason is Reason.EXPIRED:
        assert judge(fields(document), shorter, NOW).reason is Reason.EXPIRED


@pytest.mark.parametrize("older_than", [timedelta(days=7), timedelta(days=30), timedelta(hours=12)], ids=str)
@pytest.mark.parametrize("phase", ["Resolved", "Active", "Archived"])
def test_the_plan_deletes_exactly_what_the_data_set_knows(older_than, phase):
    known = list(samples(3_000, seed=7))
    served = [as_served(sample.object, number) for number, sample in enumerate(known)]
    rule = Rule(older_than=older_than, phases=frozenset({phase}))
    planned = plan_cleanup(_listed(served), rule, DATASET_NOW)
    expected = {s.truth.key for s in known if s.truth.deleted_by(older_than, phase=phase)}
    assert {tuple(candidate.key) for candidate in planned.candidates} == expected
    assert expected
    assert planned.total == len(known) == len(planned.candidates) + sum(planned.kept.values())
    doubtful = {
        s.truth.key for s in known if (s.truth.phase or "Active") == phase and s.truth.problem not in (None, "absent")
    }
    assert {tuple(doubt.key) for doubt in planned.doubts} == doubtful


def test_a_plan_carries_what_a_deletion_must_be_bound_to():
    document = observation(timestamp=OLD)
    document["metadata"].update(uid="u-1", resourceVersion="42")
    (candidate,) = plan_cleanup(_listed([document]), RULE, NOW).candidates
    assert (candidate.key, candidate.uid, candidate.resource_version) == (ObjectKey("team-a", "a"), "u-1", "42")
    assert (candidate.phase, candidate.severity, candidate.source) == ("Resolved", "HIGH", "trivy")


def _listed(found: Iterable[dict[str, Any]]) -> list[tuple[ResourceType, ObjectKey, ObservationFields]]:
    return [(OBSERVATIONS, ObjectKey(d["metadata"]["namespace"], d["metadata"]["name"]), fields(d)) for d in found]


# -- mutants: each single change to the predicate must be seen by the table above --------------------------

MUTANTS = {
    "the comparison with the cutoff is turned": ("reading.instant < cutoff else", "reading.instant > cutoff else"),
    "at the cutoff it goes": ("reading.instant < cutoff else", "reading.instant <= cutoff else"),
    "age is not looked at": ("Reason.EXPIRED if reading.instant < cutoff else", "Reason.EXPIRED if True else"),
    "everything is young": ("Reason.EXPIRED if reading.instant < cutoff else", "Reason.EXPIRED if False else"),
    "the phase is ignored": ("phase_of(fields) not in rule.phases", "False"),
    "the phase is turned": ("phase_of(fields) not in rule.phases", "phase_of(fields) in rule.phases"),
    "the phase is compared in any case": (
        "phase_of(fields) not in rule.phases",
        "phase_of(fields).capitalize() not in rule.phases",
    ),
    "the severity is ignored": ("rule.severities and severity_of", "False and severity_of"),
    "the severity is compared in one case": (
        "severity_of(fields) not in rule.severities",
        "spec_of(fields).severity not in rule.severities",
    ),
    "a limit on severities is always asked": ("rule.severities and severity_of(fields)", "severity_of(fields)"),
    "the future is the past": ("reading.instant > now", "False"),
    "now is the future": ("reading.instant > now", "reading.instant >= now"),
    "the future is turned": ("reading.instant > now", "reading.instant < now"),
    "an unknown time is old": ("return _PROBLEMS[reading.problem or TimeProblem.ABSENT]", "return Reason.EXPIRED"),
    "what is going is deleted again": ("fields.metadata.deletion_timestamp is not None", "False"),
    "the unit is wrong": ("return now - older_than", "return now - older_than / 24"),
    "the cutoff lies in the future": ("return now - older_than", "return now + older_than"),
    "the cutoff is now": ("return now - older_than", "return now"),
    "an overflow deletes": ("        return _FIRST", "        return now"),
    "age is always automatic": ("age_of(fields, rule.age_from)", "age_of(fields)"),
    "the field is swapped": ("age_of(fields, rule.age_from)", "age_of(fields, AgeSource.DETECTED_AT)"),
    "lastSeen is ignored": ("reason = _seen_again(seen, cutoff)", "reason = Reason.EXPIRED"),
    "lastSeen is taken from the age": ("seen = last_seen(fields)", "seen = age.reading"),
    "seen at the cutoff is old": ("if seen.instant < cutoff else", "if seen.instant <= cutoff else"),
    "seen is turned": ("if seen.instant < cutoff else", "if seen.instant > cutoff else"),
    "seen nobody knows when is old": (
        "return _PROBLEMS[seen.problem or TimeProblem.MALFORMED]",
        "return Reason.EXPIRED",
    ),
    "only what was seen goes": (
        "    if not seen.present:\n        return Reason.EXPIRED",
        "    if not seen.present:\n        return Reason.YOUNG",
    ),
    "problems are mixed up": ("TimeProblem.ZONELESS: Reason.ZONELESS_TIME", "TimeProblem.ZONELESS: Reason.NO_TIME"),
}


@pytest.mark.parametrize("change", MUTANTS.values(), ids=MUTANTS.keys())
def test_every_single_change_to_the_predicate_is_caught(change):
    before, after = change
    source = Path(str(plan_module.__file__)).read_text()
    assert source.count(before) == 1, "the mutant no longer fits the source"
    mutant = _compiled(source.replace(before, after))
    assert _wrong(mutant), "no case of the table tells this mutant from the original"


def test_the_table_finds_nothing_in_the_unchanged_source():
    assert _wrong(_compiled(Path(str(plan_module.__file__)).read_text())) == []


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
        rule = module.Rule(
            older_than=case.rule.older_than,
            phases=case.rule.phases,
            severities=case.rule.severities,
            age_from=case.rule.age_from,
        )
        try:
            reason = module.judge(fields(case.document), rule, NOW).reason.value
        except (TypeError, KeyError, AttributeError):
            reason = "an error"
        if reason != case.reason.value:
            wrong.append(name)
    return wrong

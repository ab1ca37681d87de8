"""The decision whether an Observation may go: pure, one reason for each, and keeping in every doubt.

The first rule that an Observation meets decides, and no other. It goes only when that rule has an age, the
instant that its age is counted from is known and lies before the cutoff, nobody has seen it again since, and
nothing protects it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec

from zenctl.core.instants import TimeProblem, TimeReading, read_instant
from zenctl.core.observation import (
    AgeSource,
    ObservationFields,
    Phase,
    age_of,
    last_seen,
    phase_of,
    severity_of,
    spec_of,
    text,
)
from zenctl.core.selectors import LabelSelector
from zenctl.product.labels import PROTECTED

_EXPIRES_AT = "expiresAt"
_ANYTHING = LabelSelector()


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Which Observations it is about, and from what age on they go.

    Phases and namespaces are compared exactly, other words in any case. None is any phase; an empty set asks for
    nothing, but an empty set of phases is met by none.
    """

    older_than: timedelta | None
    """None keeps what the rule is about for ever."""
    name: str = ""
    phases: frozenset[str] | None = frozenset({Phase.RESOLVED.value})
    severities: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    labels: LabelSelector = _ANYTHING
    age_from: AgeSource = AgeSource.AUTO
    ignore_last_seen: bool = False


class Policy(NamedTuple):
    """The rules, in the order in which they are asked."""

    rules: tuple[Rule, ...]
    origin: str = ""
    """The file that they are from; "" for the command line."""


class Reason(StrEnum):
    """Why an Observation is deleted or kept."""

    EXPIRED = "expired"
    OTHER_PHASE = "other-phase"
    OTHER_SEVERITY = "other-severity"
    OTHER_SOURCE = "other-source"
    OTHER_CATEGORY = "other-category"
    OTHER_NAMESPACE = "other-namespace"
    OTHER_LABELS = "other-labels"
    NO_RULE = "no-rule"
    """None of several rules is about it."""
    NEVER = "never"
    """Its rule keeps what it is about."""
    YOUNG = "young"
    SEEN_AGAIN = "seen-again"
    NOT_EXPIRED = "expires-later"
    PROTECTED = "protected"
    NO_TIME = "no-time"
    MALFORMED_TIME = "malformed-time"
    ZONELESS_TIME = "zoneless-time"
    FUTURE_TIME = "future-time"
    ALREADY_GOING = "already-going"

    @property
    def doubtful(self) -> bool:
        """Say whether the object is kept only because its time cannot be trusted."""
        return self in _DOUBTFUL


_DOUBTFUL = frozenset({Reason.NO_TIME, Reason.MALFORMED_TIME, Reason.ZONELESS_TIME, Reason.FUTURE_TIME})
_PROBLEMS = {
    TimeProblem.ABSENT: Reason.NO_TIME,
    TimeProblem.MALFORMED: Reason.MALFORMED_TIME,
    TimeProblem.ZONELESS: Reason.ZONELESS_TIME,
}
_FIRST = datetime.min.replace(tzinfo=UTC)


class Judgement(NamedTuple):
    """What was decided about one Observation, by which rule, and the field that decided with the instant it names."""

    reason: Reason
    field: str
    """Of those that hold times; the one that age is counted from where no time decided."""
    instant: datetime | None
    rule: Rule | None
    """None where no rule is about it."""


def judge(fields: ObservationFields, policy: Policy, now: datetime) -> Judgement:
    """Decide about one Observation; ``now`` is the API server's time."""
    rule = next((rule for rule in policy.rules if _missed(fields, rule) is Reason.EXPIRED), None)
    if fields.metadata.deletion_timestamp is not None:
        return Judgement(Reason.ALREADY_GOING, AgeSource.AUTO, None, rule)
    if rule is not None:
        return _by_rule(fields, rule, now)
    reason = _missed(fields, policy.rules[0]) if len(policy.rules) == 1 else Reason.NO_RULE
    return Judgement(reason, AgeSource.AUTO, None, None)


def cutoff_of(now: datetime, older_than: timedelta) -> datetime:
    """Return the instant before which an Observation counts as old; the first of all where time has no such one."""
    try:
        return now - older_than
    except OverflowError:
        return _FIRST


def _missed(fields: ObservationFields, rule: Rule) -> Reason:
    """Return what keeps an Observation from being one of a rule's; EXPIRED where it is one."""
    if rule.phases is not None and phase_of(fields) not in rule.phases:
        return Reason.OTHER_PHASE
    if rule.severities and severity_of(fields) not in rule.severities:
        return Reason.OTHER_SEVERITY
    spec = spec_of(fields)
    if rule.sources and text(spec.source).casefold() not in rule.sources:
        return Reason.OTHER_SOURCE
    if rule.categories and text(spec.category).casefold() not in rule.categories:
        return Reason.OTHER_CATEGORY
    if rule.namespaces and fields.metadata.namespace not in rule.namespaces:
        return Reason.OTHER_NAMESPACE
    if not rule.labels.matches(fields.metadata.labels or {}):
        return Reason.OTHER_LABELS
    return Reason.EXPIRED


def _by_rule(fields: ObservationFields, rule: Rule, now: datetime) -> Judgement:
    """Decide about an Observation that a rule is about."""
    if rule.older_than is None:
        return Judgement(Reason.NEVER, rule.age_from, None, rule)
    cutoff = cutoff_of(now, rule.older_than)
    age = age_of(fields, rule.age_from)
    reason = _by_age(age.reading, cutoff, now)
    if reason is not Reason.EXPIRED:
        return Judgement(reason, age.source, age.reading.instant, rule)
    seen = last_seen(fields)
    reason = Reason.EXPIRED if rule.ignore_last_seen else _seen_again(seen, cutoff)
    if reason is not Reason.EXPIRED:
        return Judgement(reason, AgeSource.LAST_SEEN, seen.instant, rule)
    expires = read_instant(spec_of(fields).expires_at)
    reason = _expires_later(expires, now)
    if reason is not Reason.EXPIRED:
        return Judgement(reason, _EXPIRES_AT, expires.instant, rule)
    metadata = fields.metadata
    if _protects(metadata.annotations) or _protects(metadata.labels):
        reason = Reason.PROTECTED
    return Judgement(reason, age.source, age.reading.instant, rule)


def _by_age(reading: TimeReading, cutoff: datetime, now: datetime) -> Reason:
    if reading.instant is None:
        return _PROBLEMS[reading.problem or TimeProblem.ABSENT]
    if reading.instant > now:
        return Reason.FUTURE_TIME
    return Reason.EXPIRED if reading.instant < cutoff else Reason.YOUNG


def _seen_again(seen: TimeReading, cutoff: datetime) -> Reason:
    """Keep what was seen after the cutoff, and what says when in a way that nobody can read."""
    if not seen.present:
        return Reason.EXPIRED
    if seen.instant is None:
        return _PROBLEMS[seen.problem or TimeProblem.MALFORMED]
    return Reason.EXPIRED if seen.instant < cutoff else Reason.SEEN_AGAIN


def _expires_later(expires: TimeReading, now: datetime) -> Reason:
    """Keep what somebody said to keep until a later time, or until one that nobody can read."""
    if not expires.present:
        return Reason.EXPIRED
    if expires.instant is None:
        return _PROBLEMS[expires.problem or TimeProblem.MALFORMED]
    return Reason.EXPIRED if expires.instant <= now else Reason.NOT_EXPIRED


def _protects(marks: Mapping[str, str] | None) -> bool:
    """Say whether labels or annotations protect; whatever the mark says but "false", since the doubt must keep."""
    return (marks or {}).get(PROTECTED, "false").lower() != "false"

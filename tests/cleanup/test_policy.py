"""Policy files: what they may say, and where they are wrong."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cleanup.samples import OLD, fields, observation
from tests.fakes import NOW
from zenctl.cleanup.judge import Reason, Rule, judge
from zenctl.cleanup.policy import parse_policy
from zenctl.core.marked import BadValue
from zenctl.core.observation import AgeSource
from zenctl.core.selectors import parse_label_selector

GUIDE = b"""\
rules:
  - name: critical findings stay
    severity: CRITICAL
    phase: any
    olderThan: never
  - name: info
    severity: [INFO, low]
    phase: any
    olderThan: 1d
  - name: resolved
    phase: Resolved
    olderThan: 7d
  - name: archived
    phase: archived
    olderThan: 90d
"""


def test_a_policy_is_its_rules_in_their_order():
    policy = parse_policy(GUIDE, "policy.yaml")
    assert policy.origin == "policy.yaml"
    assert policy.rules == (
        Rule(name="critical findings stay", older_than=None, phases=None, severities=frozenset({"CRITICAL"})),
        Rule(name="info", older_than=timedelta(days=1), phases=None, severities=frozenset({"INFO", "LOW"})),
        Rule(name="resolved", older_than=timedelta(days=7), phases=frozenset({"Resolved"})),
        Rule(name="archived", older_than=timedelta(days=90), phases=frozenset({"Archived"})),
    )


@pytest.mark.parametrize(
    ("found", "reason", "rule"),
    [
        (observation(timestamp=OLD, severity="critical"), Reason.NEVER, "critical findings stay"),
        (observation(timestamp=OLD, severity="info", phase="Active"), Reason.EXPIRED, "info"),
        (observation(timestamp=OLD), Reason.EXPIRED, "resolved"),
        (observation(timestamp=OLD, phase="Archived"), Reason.YOUNG, "archived"),
        (observation(timestamp=OLD, phase="Active"), Reason.NO_RULE, None),
    ],
)
def test_the_first_rule_that_is_about_it_decides(found, reason, rule):
    judged = judge(fields(found), parse_policy(GUIDE, "p"), NOW)
    assert (judged.reason, judged.rule.name if judged.rule else None) == (reason, rule)


def test_a_rule_may_be_narrow():
    text = (
        b"rules:\n- {phase: [Resolved, Archived], olderThan: 1d12h, source: Trivy, category: [Security],"
        b" namespace: team-a, labels: 'team in (a,b)', ageFrom: resolvedAt, ignoreLastSeen: true}\n"
    )
    assert parse_policy(text, "p").rules == (
        Rule(
            name="rule 1",
            older_than=timedelta(days=1, hours=12),
            phases=frozenset({"Resolved", "Archived"}),
            sources=frozenset({"trivy"}),
            categories=frozenset({"security"}),
            namespaces=frozenset({"team-a"}),
            labels=parse_label_selector("team in (a,b)"),
            age_from=AgeSource.RESOLVED_AT,
            ignore_last_seen=True,
        ),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"rules: []", "line 1: there is no rule in it"),
        (b"rules:\n- olderThan: 7d\n", "line 2: rules[0]: object missing required field `phase`"),
        (b"rules:\n- phase: any\n", "line 2: rules[0]: object missing required field `olderThan`"),
        (b"rules:\n- phase: []\n  olderThan: 7d\n", "line 2: phase: there is none in the list; write any"),
        (b"rules:\n- phase: resolvd\n  olderThan: 7d\n", "line 2: phase: 'resolvd' is none of Active, Ack"),
        (b"rules:\n- phase: [any, Resolved]\n  olderThan: 7d\n", "line 2: phase: 'any' is none of Active"),
        (
            b"rules:\n- phase: any\n  olderThan: 7\n",
            "line 3: olderThan: '7' is not a duration: it has no unit; write one such",
        ),
        (b"rules:\n- phase: any\n  olderThan: -1d\n", "line 3: olderThan: '-1d' is not a duration: it has a sign"),
        (b"rules:\n- phase: any\n  olderThan: 1mo\n", "line 3: olderThan: '1mo' is not a duration: months and years"),
        (b"rules:\n- phase: any\n  olderThan: 0s\n", "line 3: olderThan: '0s' is no time at all"),
        (b"rules:\n- phase: any\n  olderThan: 99999999999d\n", "line 3: olderThan: '99999999999d' is longer than"),
        (b"rules:\n- phase: any\n  olderThan: 1d\n  severty: LOW\n", "line 4: rules[0] has no field severty"),
        (
            b"rules:\n- phase: any\n  olderThan: 1d\n  severity: WARN\n",
            "line 4: severity: 'WARN' is none of CRI",
        ),
        (b"rules:\n- phase: any\n  olderThan: 1d\n  source: ['']\n", "line 4: source: an empty word selects nothing"),
        (b"rules:\n- phase: any\n  olderThan: 1d\n  labels: 'a in'\n", "line 4: labels: "),
        (b"rules:\n- phase: any\n  olderThan: 1d\n  ageFrom: born\n", "line 4: ageFrom: 'born' is none of auto, "),
        (
            b"rules:\n- {name: a, phase: any, olderThan: 1d}\n- {name: a, phase: any, olderThan: 2d}\n",
            "line 3: another rule has the name 'a'",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(text, said):
    with pytest.raises(BadValue) as raised:
        parse_policy(text, "p")
    assert str(raised.value).startswith(said)


broken = ["  - phase: x", "    labels: [", "rules: {}", "\tx", "    olderThan: 5"]
lines = st.sampled_from([*GUIDE.decode().splitlines(), *broken])


@given(st.lists(lines, max_size=14).map("\n".join))
def test_any_shuffle_of_lines_is_a_policy_or_refused(text):
    with suppress(BadValue):
        assert parse_policy(text.encode(), "p").rules

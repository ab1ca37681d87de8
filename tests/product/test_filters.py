"""The filter: each rule drops what it says and nothing else, defaults hold, and errors say where."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from zenctl.core.observation import Severity
from zenctl.product.filters import DEFAULTS, Facts, Filter, Reason, own, read_filter
from zenctl.product.located import ConfigurationError
from zenctl.product.sources import NAMES

FACTS = Facts(
    source="trivy",
    severity=Severity.HIGH,
    event_type="vulnerability",
    category="security",
    namespace="shop",
    kind="Pod",
    rules=("CVE-1",),
    actor="jane",
)


def reason(rules: dict[str, Any], where: str = "trivy", **changes: Any) -> Reason | None:
    text = {"everywhere": rules} if where == "everywhere" else {"sources": {where: rules}}
    return read_filter(json.dumps(text).encode(), known=NAMES).reason(replace(FACTS, **changes))


DROPS = [
    ({"enabled": False}, "source_disabled"),
    ({"minSeverity": "critical"}, "min_severity"),
    ({"includeSeverity": ["CRITICAL", "low"]}, "include_severity"),
    ({"excludeEventTypes": ["Vulnerability"]}, "exclude_event_type"),
    ({"includeEventTypes": ["other"]}, "include_event_type"),
    ({"excludeNamespaces": ["sh*"]}, "exclude_namespace"),
    ({"includeNamespaces": ["prod"]}, "include_namespace"),
    ({"excludeKinds": ["pod"]}, "exclude_kind"),
    ({"ignoreKinds": ["Pod"]}, "exclude_kind"),
    ({"includeKinds": ["Deployment"]}, "include_kind"),
    ({"excludeCategories": ["security"]}, "exclude_category"),
    ({"includeCategories": ["compliance"]}, "include_category"),
    ({"excludeRules": ["CVE-*"]}, "exclude_rule"),
    ({"includeRules": ["CVE-2"]}, "include_rule"),
    ({"excludeActors": ["jane"]}, "exclude_actor"),
]
KEEPS = [
    {}, {"enabled": True}, {"minSeverity": "HIGH"}, {"minSeverity": "low"}, {"includeSeverity": ["high"]},
    {"minSeverity": "CRITICAL", "includeSeverity": ["HIGH"]}, {"excludeNamespaces": ["sho"]},
    {"excludeRules": ["CVE-11"]},
    {"includeNamespaces": ["s*"]}, {"includeKinds": ["POD"]}, {"includeRules": ["CVE-1"]},
    {"excludeActors": ["janet"]},
]  # fmt: skip


@pytest.mark.parametrize(("rules", "expected"), DROPS)
@pytest.mark.parametrize("where", ["trivy", "everywhere"])
def test_a_rule_drops_for_its_reason(rules, expected, where):
    assert reason(rules, where) == expected


@pytest.mark.parametrize(("rules", "_"), DROPS)
def test_rules_of_another_source_do_not_count(rules, _):
    assert reason(rules, "kyverno") is None


@pytest.mark.parametrize("rules", KEEPS)
def test_what_no_rule_speaks_of_is_kept(rules):
    assert reason(rules) is None


def test_every_reason_can_happen():
    assert {expected for _, expected in DROPS} | {"self"} == set(Reason)


def test_info_is_below_every_other_severity():
    assert reason({"minSeverity": "LOW"}, severity=Severity.INFO) == "min_severity"


def test_namespaces_do_not_speak_of_cluster_scoped_findings():
    assert reason({"includeNamespaces": ["prod"]}, namespace="") is None


@pytest.mark.parametrize("written", ["kubernetesEvents", "KUBERNETES-EVENTS", "k8s-events", "kubernetes-events"])
def test_a_source_is_known_by_all_its_names(written):
    assert reason({"enabled": False}, written, source="kubernetes-events") == "source_disabled"
    assert reason({"enabled": False}, "kubebench", source="kube-bench") == "source_disabled"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"source": "audit", "actor": "system:serviceaccount:kube-system:replicaset-controller"}, "exclude_actor"),
        ({"source": "audit", "actor": "system:node:worker-1"}, "exclude_actor"),
        ({"source": "audit", "actor": "system:kube-scheduler"}, "exclude_actor"),
        ({"source": "audit", "actor": "system:serviceaccount:shop:app"}, None),
        ({"source": "audit", "actor": "system:admin"}, None),
        ({"source": "falco", "severity": Severity.LOW}, "min_severity"),
        ({"source": "falco", "severity": Severity.MEDIUM}, None),
        ({"source": "trivy", "severity": Severity.INFO}, None),
    ],
)
def test_the_default(changes, expected):
    assert Filter().reason(replace(FACTS, **changes)) == expected


def test_what_is_configured_replaces_that_part_of_the_default_only():
    found = read_filter(b"sources: {audit: {minSeverity: LOW}}", known=NAMES)
    assert found.sources["audit"].exclude_actors == DEFAULTS["audit"].exclude_actors
    assert read_filter(b"sources: {audit: {excludeActors: []}}", known=NAMES).sources["audit"].exclude_actors == ()


@pytest.mark.parametrize(
    ("changes", "dropped"),
    [
        ({"source": "audit", "group": "zen.kube-zen.io"}, True),
        ({"source": "audit", "actor": "system:serviceaccount:zen-system:zen-watcher"}, True),
        ({"source": "audit", "actor": "system:serviceaccount:zen-system:zenctl-cleanup"}, True),
        ({"source": "audit", "actor": "system:serviceaccount:zen-system:zenctlx"}, False),
        ({"source": "audit", "actor": "system:serviceaccount:other:zen-watcher"}, False),
        ({"source": "kubernetes-events", "actor": "zen-watcher"}, True),
        ({"source": "kubernetes-events", "actor": "zenctl"}, True),
        ({"source": "kubernetes-events", "group": "zen.kube-zen.io"}, True),
        ({"source": "kubernetes-events", "actor": "kubelet"}, False),
        ({"source": "trivy", "group": "zen.kube-zen.io"}, False),
    ],
)
def test_what_the_installation_does_itself_is_no_news(changes, dropped):
    found = Filter({}, own=own("zen.kube-zen.io", "zen-system")).reason(replace(FACTS, **changes))
    assert found == ("self" if dropped else None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "line 2: did not find expected node content"),
        ("sources:\n  trivvy: {}", "line 2: sources.trivvy: is no source"),
        ("sources:\n  trivy:\n    minSeverty: HIGH",
         "line 3: sources.trivy.minSeverty: is not known; did you mean minSeverity?"),
        ("sources:\n  trivy:\n    minSeverity: RED", "line 3: sources.trivy.minSeverity: is 'RED', not one of"),
        ("sources:\n  trivy:\n    excludeKinds:\n    - Pod\n    - 'a*b'",
         "line 5: sources.trivy.excludeKinds[1]: is 'a*b'"),
        ("sources:\n  trivy:\n    excludeKinds: Pod", "line 3: sources.trivy.excludeKinds: is 'Pod', not a list"),
        ("sources:\n  trivy:\n    enabled: 1", "line 3: sources.trivy.enabled: is 1, not true or false"),
        ("sources: []", "line 1: sources: is a list, not an object"),
        ("everywhere: 3", "line 1: everywhere: is 3, not an object"),
        ("a: 1\n---\nb: 1", "line 2: but found another document"),
    ],
)  # fmt: skip
def test_errors_say_where(text, problem):
    with pytest.raises(ConfigurationError) as raised:
        read_filter(text.encode(), known=NAMES)
    assert problem in str(raised.value)


def test_nothing_at_all_is_the_default():
    assert read_filter(b"", known=NAMES) == Filter()

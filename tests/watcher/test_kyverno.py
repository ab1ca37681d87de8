"""What a policy report becomes, in every group and by every writer, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.watcher.samples import SYSTEM, events, kyverno_observations, report
from watcher.sources import kyverno
from watcher.sources.event import ReportError, UnknownReport

POD = {"apiVersion": "v1", "kind": "Pod", "name": "web", "namespace": "shop"}


def policy_report(*results: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "wgpolicyk8s.io/v1alpha2",
        "kind": "PolicyReport",
        "metadata": {"name": "polr", "namespace": "shop"},
        "results": list(results),
        "scope": POD,
    } | fields


def result(outcome: str = "fail", **fields: Any) -> dict[str, Any]:
    return {"policy": "require-limits", "rule": "check", "result": outcome, "message": "no limits"} | fields


# --- the fields


def test_a_violation_becomes_an_observation():
    (found,) = kyverno_observations(report("kyverno/web-reports-1.yaml"))
    assert found["metadata"] == {
        "name": "kyverno-f523a2fa52946ffcc527",
        "namespace": "kube-system",
        "labels": {
            "source": "kyverno",
            "category": "security",
            "severity": "medium",
            "event-type": "policy-violation",
        },
    }
    spec = found["spec"]
    assert spec["message"].startswith(
        "disallow-host-namespaces/host-namespaces: validation error: Sharing the host namespaces is disallowed."
    )
    assert spec["timestamp"] == spec["detectedAt"] == "2023-12-06T13:19:22Z"
    assert spec["resource"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": "kube-apiserver-kind-control-plane",
        "namespace": "kube-system",
        "uid": "487df031-11d8-4ab4-b089-dfc0db1e533e",
    }
    assert spec["details"] == {
        "policy": "disallow-host-namespaces",
        "rule": "host-namespaces",
        "result": "fail",
        "category": "Pod Security Standards (Baseline)",
        "scored": True,
        "engine": "kyverno",
        "report": {"kind": "PolicyReport", "name": "487df031-11d8-4ab4-b089-dfc0db1e533e"},
    }
    assert (spec["severity"], spec["priority"]) == ("MEDIUM", 5)
    assert found["status"] == {
        "phase": "Active",
        "firstSeen": "2023-12-06T13:19:22Z",
        "lastSeen": "2023-12-06T13:19:22Z",
        "count": 1,
    }


@pytest.mark.parametrize(
    ("name", "subject", "message", "time"),
    [
        ("web-cli-1.yaml", "Pod default/nginx2",
         ("require-pod-requests-limits/validate-resources: Validation error: CPU and memory resource requests and "
          "limits are required; Validation rule validate-resources failed at path "
          "/spec/containers/0/resources/limits/"), None),
        ("web-cli-2.yaml", "Deployment staging/nginx-1",
         "check-deployment-replicas: failed expression: object.spec.replicas <= 5", "2024-02-08T12:21:11Z"),
        ("web-cli-4.yaml", "Pod default/bad-pod", "check-pod-name-from-configmap: violated", "2025-07-17T12:50:17Z"),
        ("web-reports-2.yaml", "Pod default/example-deployment-c94dc9f47-dfq6l",
         ("default/require-app-label/check-app-label: validation error: Pods must have an 'app' label. rule "
          "check-app-label failed at path /metadata/labels/app/"), "2028-08-05T01:06:37Z"),
        ("mutating-admission-policy-reports__background__with-binding-fail__report-assert.yaml",
         "ConfigMap default/zk-kafka-address-2", "add-label-to-configmap-2: mutation is not applied", None),
        ("wg-sample-cis-k8s.yaml", "PolicyReport sample-cis-bench-api-server",
         "api-server:anonymous-auth: ensure that --anonymous-auth argument is set to false", None),
    ],
)  # fmt: skip
def test_the_important_fields_of_the_samples(name, subject, message, time):
    event = events(f"kyverno/{name}")[0]
    assert (str(event.subject), event.message, event.time) == (subject, message, time)


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("wgpolicyk8s.io/v1alpha1", "PolicyReport"),
        ("wgpolicyk8s.io/v1alpha2", "ClusterPolicyReport"),
        ("wgpolicyk8s.io/v1beta1", "PolicyReport"),
        ("reports.x-k8s.io/v1beta2", "PolicyReport"),
        ("openreports.io/v1alpha1", "Report"),
        ("openreports.io/v1alpha1", "ClusterReport"),
        ("openreports.io/v1alpha1", "PolicyReport"),
        (None, "PolicyReport"),
    ],
)
def test_every_group_gives_the_same_observation(version, kind):
    (found,) = kyverno_observations(policy_report(result(), apiVersion=version, kind=kind))
    (reference,) = kyverno_observations(policy_report(result()))
    assert found["metadata"] == reference["metadata"]
    assert found["spec"]["fingerprint"] == reference["spec"]["fingerprint"]


# --- outcome, severity, time


@pytest.mark.parametrize("key", ["result", "status"])
@pytest.mark.parametrize(
    ("outcome", "event_type", "severity", "message"),
    [
        ("fail", "policy-violation", "MEDIUM", "require-limits/check: no limits"),
        ("Fail", "policy-violation", "MEDIUM", "require-limits/check: no limits"),
        ("warn", "policy-violation", "LOW", "require-limits/check: no limits"),
        ("error", "policy-error", "MEDIUM", "require-limits/check: could not be evaluated: no limits"),
    ],
)
def test_an_outcome_that_is_a_finding(key, outcome, event_type, severity, message):
    entry = result()
    del entry["result"]
    (event,) = kyverno.parse(policy_report(entry | {key: outcome}))
    assert (event.event_type, event.severity, event.message) == (event_type, severity, message)


@pytest.mark.parametrize("outcome", ["pass", "skip", "PASS"])
def test_an_outcome_that_is_none(outcome):
    assert kyverno.parse(policy_report(result(outcome), {"status": outcome})) == ()


@pytest.mark.parametrize(
    ("outcome", "said"),
    [("fail", "violated"), ("warn", "violated, as a warning"), ("error", "could not be evaluated")],
)
def test_a_missing_message_is_made_up_for(outcome, said):
    (event,) = kyverno.parse(policy_report(result(outcome, message=None)))
    assert event.message == f"require-limits/check: {said}"


def test_the_outcome_is_not_the_identity():
    # A policy that cannot be evaluated today must not look as if yesterday's violation were gone.
    names = {
        kyverno_observations(policy_report(result(outcome)))[0]["metadata"]["name"]
        for outcome in ("fail", "warn", "error")
    }
    assert len(names) == 1


@pytest.mark.parametrize(
    ("fields", "severity", "reported"),
    [
        ({"severity": "critical"}, "CRITICAL", None),
        ({"severity": "high"}, "HIGH", None),
        ({"severity": "info"}, "INFO", None),
        ({"properties": {"severity": "low"}}, "LOW", None),
        ({"severity": "high", "properties": {"severity": "low"}}, "HIGH", None),
        ({}, "MEDIUM", None),
        ({"severity": "unheard-of"}, "MEDIUM", "unheard-of"),
    ],
)
def test_severity(fields, severity, reported):
    (event,) = kyverno.parse(policy_report(result(**fields)))
    assert event.severity == severity
    assert event.details.get("reportedSeverity") == reported


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ({"seconds": 1701868762, "nanos": 0}, "2023-12-06T13:19:22Z"),
        ({"seconds": "1701868762", "nanos": 123456789}, "2023-12-06T13:19:22.123456Z"),
        ({"seconds": 1701868762}, "2023-12-06T13:19:22Z"),
        ("2023-12-06T14:19:22+01:00", "2023-12-06T13:19:22Z"),
        ({"seconds": 0, "nanos": 0}, "2021-04-08T11:44:57Z"),
        ({"seconds": 10**30}, "2021-04-08T11:44:57Z"),
        ({"nanos": 5}, "2021-04-08T11:44:57Z"),
        (None, "2021-04-08T11:44:57Z"),
    ],
)
def test_the_time_is_the_results_else_the_creation(timestamp, expected):
    metadata = {"name": "polr", "namespace": "shop", "creationTimestamp": "2021-04-08T11:44:57Z"}
    (event,) = kyverno.parse(policy_report(result(timestamp=timestamp), metadata=metadata))
    assert event.time == expected


# --- what it is about


@pytest.mark.parametrize(
    ("fields", "resources", "subjects"),
    [
        ({}, None, ["Pod shop/web"]),
        ({}, [], ["Pod shop/web"]),
        (
            {},
            [{"kind": "Job", "name": "a"}, {"kind": "Job", "name": "b", "namespace": "c"}],
            ["Job shop/a", "Job c/b"],
        ),
        ({"scope": {"kind": "Pod", "name": "web"}}, None, ["Pod shop/web"]),
        ({"scope": {"kind": "Node", "name": "n1"}, "metadata": {"name": "cpolr"}}, None, ["Node n1"]),
        ({"scope": None}, None, ["PolicyReport shop/polr"]),
        ({"scope": {"kind": "Pod"}}, [{"name": "x"}], ["PolicyReport shop/polr"]),
    ],
)
def test_what_a_result_is_about(fields, resources, subjects):
    found = kyverno.parse(policy_report(result(resources=resources), **fields))
    assert [str(event.subject) for event in found] == subjects


def test_a_cluster_scoped_subject_goes_to_the_default_namespace():
    body = policy_report(result(), scope={"kind": "Node", "name": "n1"}, metadata={"name": "cpolr"})
    (found,) = kyverno_observations(body)
    assert found["metadata"]["namespace"] == SYSTEM
    assert "namespace" not in found["spec"]["resource"]


# --- identity


def test_controls_of_a_benchmark_under_one_rule_are_findings_of_their_own():
    found = kyverno_observations(report("kyverno/wg-kube-bench-policy-report-217KB.yaml"))
    assert len({entry["metadata"]["name"] for entry in found}) == 85


def test_two_bindings_of_one_policy_are_two_findings():
    entries = [result(rule=None, properties={"binding": name}) for name in ("a", "b")]
    assert len(kyverno.parse(policy_report(*entries))) == 2


def test_a_result_that_is_repeated_is_one_finding():
    (event,) = kyverno.parse(policy_report(result(), result(), result(severity="high", category="c")))
    assert event.severity == "HIGH"
    assert event.details["occurrences"] == 3
    assert event.details["alsoSeen"] == [{"category": "c"}]


def test_a_long_message_is_whole_in_the_details():
    said = "line one\nline two " + "x" * 3000
    (event,) = kyverno.parse(policy_report(result(message=said)))
    assert len(event.message) == 1024
    assert event.message.startswith("require-limits/check: line one line two x")
    assert event.details["message"] == said


# --- what is refused


def test_a_report_without_results_has_none():
    body = policy_report()
    del body["results"]
    assert kyverno.parse(body) == ()


@pytest.mark.parametrize(
    "value",
    [
        None, "x", [], {}, {"kind": "Report"}, {"kind": "Report", "apiVersion": "example.com/v1"},
        {"kind": "ClusterPolicy", "apiVersion": "kyverno.io/v1"}, {"kind": "PolicyReport", "apiVersion": "v1"},
    ],
)  # fmt: skip
def test_what_is_no_policy_report_is_passed_over(value):
    with pytest.raises(UnknownReport):
        kyverno.parse(value)


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ({}, "results is not a list"),
        ([result(), 7], r"results\[1\] is not an object"),
        ([result(""), result()], r"results\[0\] says '', not one of pass, fail, warn, error, skip"),
        ([result("maybe")], r"results\[0\] says 'maybe'"),
        ([result(policy=None)], r"results\[0\] names no policy"),
    ],
)
def test_a_malformed_report_is_refused_by_name_and_cause(results, reason):
    with pytest.raises(ReportError, match=f"PolicyReport shop/polr: {reason}"):
        kyverno.parse(policy_report() | {"results": results})


def test_a_result_about_nothing_is_refused():
    with pytest.raises(ReportError, match="require-limits does not say what it is about"):
        kyverno.parse(policy_report(result(), scope=None, metadata=None))

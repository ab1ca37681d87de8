"""What a Trivy report becomes: fields of the important kinds, peculiarities of the format, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.watcher.samples import EVERY, SYSTEM, events, report, trivy_observations
from watcher.sources import trivy
from watcher.sources.event import ReportError, UnknownReport
from watcher.sources.observation import observation
from zenctl.core.observation import Severity


def vulnerability_report(*vulnerabilities: dict[str, Any], **content: Any) -> dict[str, Any]:
    return {
        "apiVersion": "aquasecurity.github.io/v1alpha1",
        "kind": "VulnerabilityReport",
        "metadata": {
            "name": "pod-web-app",
            "namespace": "shop",
            "labels": {
                "trivy-operator.resource.kind": "Pod",
                "trivy-operator.resource.name": "web",
                "trivy-operator.container.name": "app",
            },
        },
        "report": {"vulnerabilities": list(vulnerabilities), **content},
    }


def vulnerability(identifier: str = "CVE-2026-0001", **fields: Any) -> dict[str, Any]:
    return {"vulnerabilityID": identifier, "resource": "openssl", "severity": "HIGH"} | fields


def check_report(*checks: dict[str, Any], kind: str = "ConfigAuditReport") -> dict[str, Any]:
    body = vulnerability_report()
    return body | {"kind": kind, "report": {"checks": list(checks)}}


# --- the fields of each kind


def test_a_vulnerability_becomes_an_observation():
    (found,) = trivy_observations(report("trivy/dd-vulnerabilityreport_single_vuln.json"))
    assert found == {
        "apiVersion": "zen.kube-zen.io/v1alpha1",
        "kind": "Observation",
        "metadata": {
            "name": "trivy-7a49b269f67386020967",
            "namespace": "default",
            "labels": {
                "source": "trivy",
                "category": "security",
                "severity": "critical",
                "event-type": "vulnerability",
            },
        },
        "spec": {
            "source": "trivy",
            "category": "security",
            "severity": "CRITICAL",
            "eventType": "vulnerability",
            "message": "CVE-2023-23914 in curl 7.87.0-r1, fixed in 7.87.0-r2: "
            "curl: HSTS ignored on multiple requests",
            "timestamp": "2023-03-23T16:23:01Z",
            "detectedAt": "2023-03-23T16:23:01Z",
            "resource": {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "nginx-deployment-965685897",
                "namespace": "default",
                "uid": "d19c7f74-b4c3-429d-9a45-1b2f5efc3c88",
            },
            "details": {
                "fixedVersion": "7.87.0-r2",
                "installedVersion": "7.87.0-r1",
                "primaryLink": "https://avd.aquasec.com/nvd/cve-2023-23914",
                "resource": "curl",
                "score": 4.2,
                "title": "curl: HSTS ignored on multiple requests",
                "vulnerabilityID": "CVE-2023-23914",
                "report": {
                    "kind": "VulnerabilityReport",
                    "name": "replicaset-nginx-deployment-965685897-nginx",
                    "container": "nginx",
                    "image": "index.docker.io/library/nginx:alpine",
                    "scanner": "Trivy 0.38.2",
                },
            },
            "priority": 1,
            "tags": ["fix-available"],
            "fingerprint": "7a49b269f67386020967" + found["spec"]["fingerprint"][20:],
        },
        "status": {
            "phase": "Active",
            "firstSeen": "2023-03-23T16:23:01Z",
            "lastSeen": "2023-03-23T16:23:01Z",
            "count": 1,
        },
    }


@pytest.mark.parametrize(
    ("name", "index", "category", "event_type", "subject", "message"),
    [
        ("docs-vulnerability-report-1.yaml", 1, "security", "vulnerability", "ReplicaSet default/nginx-6d4cf56db6",
         ("CVE-2018-25009 in libwebp6 0.6.1-2, no fixed version yet: "
          "libwebp: out-of-bounds read in WebPMuxCreateInternal")),
        ("envtest-cronjob-configauditreport-expected.yaml", 0, "security", "misconfiguration",
         "CronJob default/hello",
         ("KSV014: Root file system is not read-only: Container 'hello' of CronJob 'hello' should set "
          "'securityContext.readOnlyRootFilesystem' to true")),
        ("docs-rbacassessment-report-1.yaml", 0, "security", "rbac-misconfiguration",
         "Role kube-system/system:controller:token-cleaner",
         "KSV041: Do not allow management of secrets: Role permits management of secret(s)"),
        ("docs-infraassessment-report-1.yaml", 0, "compliance", "infra-misconfiguration-summary",
         "Pod kube-system/kube-apiserver-minikube",
         "11 failed checks of Pod kube-system/kube-apiserver-minikube: 1 medium, 10 low"),
        ("dd-exposedsecretreport_many.json", 1, "security", "exposed-secret",
         "ReplicaSet default/nginx-deployment-c868466d4",
         "GitHub Personal Access Token in root/github_secret.txt of image index.docker.io/library/secret:latest"),
        ("vulnerabilityReportList-v0.5.json", 0, "security", "vulnerability-summary", "Pod default/tt-reg",
         "88 vulnerabilities of Pod default/tt-reg in container test: 36 medium, 52 low"),
        ("docs-configaudit-report-1.yaml", 1, "security", "misconfiguration-summary",
         "ReplicaSet default/nginx-6d4cf56db6",
         "1 further failed check of ReplicaSet default/nginx-6d4cf56db6: 1 low"),
    ],
)  # fmt: skip
def test_the_important_fields_of_each_kind(name, index, category, event_type, subject, message):
    event = events(f"trivy/{name}")[index]
    assert (event.category, event.event_type, str(event.subject), event.message) == (
        category, event_type, subject, message,
    )  # fmt: skip


def test_details_keep_what_the_report_says():
    found = trivy.parse(report("trivy/docs-vulnerability-report-2.yaml"), individually=EVERY)
    assert found[0].details["cvss"]["nvd"]["V3Score"] == 5.7
    assert found[0].details["description"].startswith("APT had several integer overflows")
    assert len(found[0].details["links"]) == 8
    assert found[0].details["report"]["os"] == "debian 10.3"
    assert found[0].details["report"]["image"] == "index.docker.io/library/nginx:1.16"


def test_a_summary_counts_and_lists_the_worst():
    *alone, summary = events("trivy/vulnerabilityReportList-v0.5.json", 1)
    assert len(alone) == 126
    assert summary.severity is Severity.MEDIUM
    assert summary.details["counts"] == {"medium": 66, "low": 118}
    assert len(summary.details["listed"]) == 20
    assert {entry["severity"] for entry in summary.details["listed"]} == {"MEDIUM"}
    assert summary.details["reportSummary"]["criticalCount"] == 40


def test_severities_of_their_own_can_be_chosen():
    name = "trivy/dd-configauditreport_many.json"
    assert len(events(name)) == 1
    assert len(trivy.parse(report(name), individually=EVERY)) == 13
    assert [event.event_type for event in trivy.parse(report(name), individually=frozenset({Severity.MEDIUM}))] == [
        "misconfiguration", "misconfiguration", "misconfiguration-summary",
    ]  # fmt: skip


# --- peculiarities


@pytest.mark.parametrize("fixed", ["", None, "absent"])
def test_no_fixed_version_is_said_so(fixed):
    entry = vulnerability(installedVersion="1.0", **({} if fixed == "absent" else {"fixedVersion": fixed}))
    (event,) = trivy.parse(vulnerability_report(entry))
    assert event.message == "CVE-2026-0001 in openssl 1.0, no fixed version yet"
    assert event.tags == ()
    assert "fixedVersion" not in event.details


@pytest.mark.parametrize(
    ("score", "kept"), [(9.8, 9.8), (7, 7), (0, 0), (None, None), (float("nan"), None), ({}, None)]
)
def test_a_score_is_a_number_or_absent(score, kept):
    (event,) = trivy.parse(vulnerability_report(vulnerability(score=score)))
    assert event.details.get("score") == kept


@pytest.mark.parametrize(
    ("updated", "created", "expected"),
    [
        ("2023-03-23T16:23:01Z", "2020-01-01T00:00:00Z", "2023-03-23T16:23:01Z"),
        ("2023-03-23T18:23:01.5+02:00", None, "2023-03-23T16:23:01.500000Z"),
        (None, "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("yesterday", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("2023-03-23T16:23:01", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        (1679588581, None, None),
        (None, None, None),
    ],
)
def test_the_time_is_the_update_else_the_creation_else_absent(updated, created, expected):
    body = vulnerability_report(vulnerability(), updateTimestamp=updated)
    body["metadata"]["creationTimestamp"] = created
    (found,) = trivy_observations(body)
    assert found["spec"].get("timestamp") == found["spec"].get("detectedAt") == expected
    assert found["status"].get("firstSeen") == found["status"].get("lastSeen") == expected


def test_an_unquoted_yaml_time_is_a_time():
    (event,) = events("trivy/envtest-vulnerability-ttl.yaml")
    assert event.time == "2022-12-08T15:50:37Z"


def test_passed_checks_are_no_findings():
    found = trivy.parse(report("trivy/docs-rbacassessment-report-1.yaml"), individually=EVERY)
    assert [event.details["checkID"] for event in found] == ["KSV041"]


@pytest.mark.parametrize("success", [False, None, "true", "absent"])
def test_a_check_that_does_not_say_it_passed_has_failed(success):
    check = {"checkID": "KSV001", "severity": "HIGH"} | ({} if success == "absent" else {"success": success})
    assert len(trivy.parse(check_report(check))) == 1


def test_a_check_without_an_id_goes_by_its_title_or_message():
    by_title, by_message = trivy.parse(
        check_report({"title": "Runs as root", "severity": "HIGH"}, {"message": "no limits", "severity": "HIGH"})
    )
    assert by_title.message == "Runs as root"
    assert by_message.message == "no limits"
    assert by_title.identity != by_message.identity


@pytest.mark.parametrize(
    ("word", "severity"),
    [("CRITICAL", "CRITICAL"), ("high", "HIGH"), ("danger", "HIGH"), ("Moderate", "MEDIUM"), (" low ", "LOW")],
)
def test_severity_words_of_every_release_are_known(word, severity):
    (event,) = trivy.parse(vulnerability_report(vulnerability(severity=word)), individually=EVERY)
    assert event.severity == severity
    assert "reportedSeverity" not in event.details


@pytest.mark.parametrize(("word", "reported"), [("UNKNOWN", "UNKNOWN"), (None, "none"), ("", "none"), (7, "7")])
def test_an_unrated_finding_counts_as_medium_and_says_so(word, reported):
    (event,) = trivy.parse(vulnerability_report(vulnerability(severity=word)), individually=EVERY)
    assert event.severity is Severity.MEDIUM
    assert event.details["reportedSeverity"] == reported


def test_one_finding_in_several_places_is_one_observation():
    entry = vulnerability(installedVersion="1.0", packagePath="a.jar", severity="HIGH")
    elsewhere = entry | {"installedVersion": "1.1", "packagePath": "b.jar", "severity": "CRITICAL"}
    (event,) = trivy.parse(vulnerability_report(entry, entry, elsewhere))
    assert event.severity is Severity.CRITICAL
    assert event.details["occurrences"] == 3
    assert event.details["alsoSeen"] == [{"installedVersion": "1.1", "packagePath": "b.jar"}]


def test_the_same_finding_in_two_containers_is_two():
    body = vulnerability_report(vulnerability())
    other = vulnerability_report(vulnerability())
    other["metadata"]["labels"]["trivy-operator.container.name"] = "sidecar"
    assert trivy_observations(body)[0]["metadata"]["name"] != trivy_observations(other)[0]["metadata"]["name"]


@pytest.mark.parametrize("match", ["key: hunter2", "key: hunter2*****", "key: *****", None, "", 5])
def test_what_surrounds_a_secret_is_not_repeated(match):
    body = vulnerability_report() | {"kind": "ExposedSecretReport"}
    body["report"] = {"secrets": [{"ruleID": "r", "target": "/f", "severity": "HIGH", "match": match}]}
    (found,) = trivy_observations(body)
    assert "match" not in found["spec"]["details"]
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"name": "n", "labels": {"trivy-operator.resource.kind": "Pod",
          "trivy-operator.resource.name": "web"}}, "Pod web"),
        ({"name": "n", "namespace": "a", "labels": {"trivy-operator.resource.kind": "Pod",
          "trivy-operator.resource.name": "web", "trivy-operator.resource.namespace": "b"}}, "Pod a/web"),
        ({"name": "n", "labels": {"trivy-operator.resource.kind": "Pod", "trivy-operator.resource.name": "web",
          "trivy-operator.resource.namespace": "b"}}, "Pod b/web"),
        ({"name": "n", "labels": {"trivy-operator.resource.kind": "Role", "trivy-operator.resource.name-hash": "1f"},
          "annotations": {"trivy-operator.resource.name": "system:x"}}, "Role system:x"),
        ({"name": "n", "labels": {"starboard.resource.kind": "Pod", "starboard.resource.name": "web"}}, "Pod web"),
        ({"name": "n", "ownerReferences": [{"kind": "Pod", "name": "web"}]}, "Pod web"),
        ({"name": "n", "namespace": "a"}, "VulnerabilityReport a/n"),
    ],
)  # fmt: skip
def test_what_a_report_is_about(metadata, expected):
    (event,) = trivy.parse(vulnerability_report(vulnerability()) | {"metadata": metadata})
    assert str(event.subject) == expected


def test_a_cluster_scoped_subject_goes_to_the_default_namespace():
    body = check_report({"checkID": "KSV041", "severity": "CRITICAL"}, kind="ClusterRbacAssessmentReport")
    body["metadata"] = {"name": "n", "ownerReferences": [{"kind": "ClusterRole", "name": "system:node"}]}
    (found,) = trivy_observations(body)
    assert found["metadata"]["namespace"] == SYSTEM
    assert found["spec"]["resource"] == {"kind": "ClusterRole", "name": "system:node"}


def test_the_version_may_be_missing():
    body = vulnerability_report(vulnerability())
    del body["apiVersion"]
    assert len(trivy.parse(body)) == 1


# --- what is refused


@pytest.mark.parametrize(
    "value", [None, 1, "x", [], {}, {"kind": ""}, {"kind": "Pod"}, {"kind": ["VulnerabilityReport"]}]
)
def test_what_is_no_report_is_passed_over(value):
    with pytest.raises(UnknownReport):
        trivy.parse(value)


def test_the_same_kind_in_another_group_is_passed_over():
    with pytest.raises(UnknownReport, match=r"VulnerabilityReport shop/pod-web-app: no report of Trivy"):
        trivy.parse(vulnerability_report(vulnerability()) | {"apiVersion": "example.com/v1"})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "it has no report"),
        ([], "it has no report"),
        ({}, "report.vulnerabilities is missing"),
        ({"vulnerabilities": None}, "report.vulnerabilities is missing"),
        ({"vulnerabilities": {}}, "report.vulnerabilities is not a list"),
        ({"vulnerabilities": [vulnerability(), 7]}, r"report.vulnerabilities\[1\] is not an object"),
        ({"vulnerabilities": [vulnerability(), {"severity": "LOW"}]}, r"report.vulnerabilities\[1\] does not say"),
    ],
)
def test_a_malformed_report_is_refused_by_name_and_cause(content, reason):
    with pytest.raises(ReportError, match=f"VulnerabilityReport shop/pod-web-app: {reason}"):
        trivy.parse(vulnerability_report() | {"report": content})


def test_a_report_about_nothing_is_refused():
    with pytest.raises(ReportError, match="does not say what it is about"):
        trivy.parse(vulnerability_report(vulnerability()) | {"metadata": None})


def test_a_namespace_that_cannot_be_is_refused():
    body = vulnerability_report(vulnerability())
    body["metadata"]["namespace"] = "../etc"
    (event,) = trivy.parse(body)
    with pytest.raises(ReportError, match="cannot be a namespace"):
        observation(event, default_namespace=SYSTEM)

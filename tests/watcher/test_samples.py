"""Every sample report parses, or is refused for the reason that is stated here."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.watcher.samples import DATA, SYSTEM, files, reports
from watcher.sources.event import ReportError, UnknownReport
from watcher.sources.observation import observation
from watcher.sources.registry import PARSERS

# For each file: for each of its objects, the findings by event type and severity, or why there are none; for
# files of many objects, what all of them give together.
EXPECTED: dict[str, list[dict[str, int] | str] | dict[str, int]] = {
    "audit/anonymous_creates_namespace_foo.json": [{}],
    "audit/attach_cluster_admin_role.json": [{"rbac-change HIGH": 1}],
    "audit/audit2rbac-demo.jsonl": {},
    "audit/create_cluster_role_pod_exec.json": [{"rbac-change HIGH": 1}],
    "audit/create_cluster_role_wildcard_resources.json": [{"rbac-change HIGH": 1}],
    "audit/create_cluster_role_write_privileges.json": [{"rbac-change HIGH": 1}],
    "audit/create_clusterrole.json": [{"rbac-change HIGH": 1}],
    "audit/create_clusterrolebinding.json": [{"rbac-change HIGH": 1}],
    "audit/create_configmap.json": [{"secret-access HIGH": 1}],
    "audit/create_configmap_no_sensitive_values.json": [{"secret-access HIGH": 1}],
    "audit/create_deployment.json": [{}],
    "audit/create_nginx_pod_hostnetwork.json": [{}],
    "audit/create_nginx_pod_nohostnetwork.json": [{}],
    "audit/create_nginx_pod_privileged.json": [{"privileged-pod-creation HIGH": 1}],
    "audit/create_nginx_pod_privileged_2nd_container.json": [{"privileged-pod-creation HIGH": 1}],
    "audit/create_nginx_pod_sensitive_mount.json": [{}],
    "audit/create_nginx_pod_unprivileged.json": [{}],
    "audit/create_nginx_pod_unsensitive_mount.json": [{}],
    "audit/create_nginx_service_nodeport.json": [{}],
    "audit/create_nginx_service_nonodeport.json": [{}],
    "audit/create_pod_kube_public_namespace.json": [{}],
    "audit/create_pod_kube_system_namespace.json": [{}],
    "audit/create_secret.json": [{"secret-access HIGH": 1}],
    "audit/create_service.json": [{}],
    "audit/create_serviceaccount.json": [{}],
    "audit/create_serviceaccount_kube_public_namespace.json": [{}],
    "audit/create_serviceaccount_kube_system_namespace.json": [{}],
    "audit/delete_clusterrole.json": [{"rbac-change HIGH": 1}],
    "audit/delete_clusterrolebinding.json": [{"rbac-change HIGH": 1}],
    "audit/delete_configmap.json": [{"secret-access HIGH": 1}],
    "audit/delete_deployment.json": [{"resource-deletion HIGH": 1}],
    "audit/delete_secret.json": [{"secret-access HIGH": 1}],
    "audit/delete_service.json": [{"resource-deletion HIGH": 1}],
    "audit/delete_serviceaccount.json": [{"resource-deletion HIGH": 1}],
    "audit/eventlist-wrapped.json": [
        {"secret-access HIGH": 1},
        {"privileged-pod-creation HIGH": 1},
        {"pod-exec HIGH": 1},
        {},
        {"rbac-change HIGH": 1},
        {},
    ],
    "audit/exec_pod.json": [{"pod-exec HIGH": 1}],
    "audit/falco-plugins-tests.jsonl": [{}],
    "audit/minikube_creates_namespace_foo.json": [{}],
    "audit/rbac-tool-auditgen-testdata-01.jsonl": [{}, {"secret-access HIGH": 1}, {"secret-access HIGH": 1}],
    "audit/rbac-tool-auditgen-testdata-02.jsonl": [{}, {"secret-access HIGH": 1}, {"secret-access HIGH": 1}],
    "checkov/clean-configmap.json": [{}],
    "checkov/dd-checkov-report-0-vuln.json": [{}],
    "checkov/empty-dir.json": ["Checkov scanned nothing: that is no clean result"],
    "checkov/examples-ai-quiet-compact.json": [{"static-analysis MEDIUM": 53, "static-analysis HIGH": 6}],
    "checkov/mixed-skip-annotation.json": [{"static-analysis MEDIUM": 22, "static-analysis HIGH": 2}],
    "checkov/multi-framework.json": [{}, {"static-analysis MEDIUM": 5}, {"static-analysis HIGH": 1}],
    "falco/falco-test-cat-write.jsonl": [
        {"runtime-security MEDIUM": 1},
        {"runtime-security MEDIUM": 1},
        {"runtime-security MEDIUM": 1},
        {"runtime-security MEDIUM": 1},
        {"runtime-security MEDIUM": 1},
        {"runtime-security MEDIUM": 1},
        {"runtime-security MEDIUM": 1},
        {"runtime-security MEDIUM": 1},
    ],
    "falco/sidekick-readme-and-tests.jsonl": [
        {"runtime-security HIGH": 1},
        {"runtime-security INFO": 1},
        "Falco internal: syscall event drop: health of Falco itself, not a finding",
        "Falco internal: syscall event drop: health of Falco itself, not a finding",
        "Falco internal: syscall event drop: health of Falco itself, not a finding",
        {"runtime-security INFO": 1},
    ],
    "falco/web-channels-1.json": [{"runtime-security CRITICAL": 1}],
    "falco/web-channels.jsonl": [{"runtime-security CRITICAL": 1}],
    "falco/web-engine-part3-cloudevent-1.json": [{"runtime-security LOW": 1}],
    "falco/web-k8saudit-eks.jsonl": [{"runtime-security LOW": 1}, {"runtime-security LOW": 1}],
    "falco/web-metrics-1.json": ["Falco internal: metrics snapshot: health of Falco itself, not a finding"],
    "falco/web-metrics-2.json": ["Falco internal: metrics snapshot: health of Falco itself, not a finding"],
    "falco/web-metrics-3.json": ["Falco internal: metrics snapshot: health of Falco itself, not a finding"],
    "falco/web-metrics-4.json": ["Falco internal: metrics snapshot: health of Falco itself, not a finding"],
    "kube-bench/controlsCollection.json": [{}, {}, {}],
    "kube-bench/dd-kube-bench-controls.json": [{"cis-benchmark-fail HIGH": 36}],
    "kube-bench/passedControlsCollection.json": [{}, {}],
    "kube-bench/result.json": [{}],
    "kube-bench/result_no_totals.json": [{}, {}, {}],
    "kube-bench/wg-cis-1.6-full.json": [{"cis-benchmark-fail HIGH": 36}],
    "kubernetes-events/k8s-api-core.v1.Event-HEAD.json": [{"kubernetes-event LOW": 1}],
    "kubernetes-events/k8s-api-events.k8s.io.v1.Event-HEAD.json": [{"kubernetes-event LOW": 1}],
    "kubernetes-events/troubleshoot-message-container-creating-failed-mount.json": {
        "kubernetes-event HIGH": 15,
        "kubernetes-event MEDIUM": 2,
        "resource-exhaustion HIGH": 5,
        "storage-access-failure HIGH": 2,
    },
    "kubernetes-events/troubleshoot-message-image-pull-fail.json": {
        "kubernetes-event HIGH": 3,
        "resource-exhaustion HIGH": 3,
    },
    "trivy/dd-configauditreport_many.json": [{"misconfiguration-summary MEDIUM": 1}],
    "trivy/dd-configauditreport_no_vuln.json": [{}],
    "trivy/dd-exposedsecretreport_many.json": [{"exposed-secret CRITICAL": 2}],
    "trivy/dd-vulnerabilityreport_no_vuln.json": [{}],
    "trivy/dd-vulnerabilityreport_single_vuln.json": [{"vulnerability CRITICAL": 1}],
    "trivy/docs-clustercompliance-report-1.yaml": [
        "ClusterComplianceReport nsa: it repeats what the other reports say"
    ],
    "trivy/docs-configaudit-report-1.yaml": [{"misconfiguration CRITICAL": 1, "misconfiguration-summary LOW": 1}],
    "trivy/docs-exposedsecret-report-1.yaml": [{"exposed-secret HIGH": 1}],
    "trivy/docs-infraassessment-report-1.yaml": [{"infra-misconfiguration-summary MEDIUM": 1}],
    "trivy/docs-rbacassessment-report-1.yaml": [{"rbac-misconfiguration CRITICAL": 1}],
    "trivy/docs-sbom-report-1.yaml": [
        "SbomReport kube-system/pod-kube-apiserver-kind-control-plane-kube-apiserver: an inventory has no findings"
    ],
    "trivy/docs-vulnerability-report-1.yaml": [{"vulnerability CRITICAL": 2}],
    "trivy/docs-vulnerability-report-2.yaml": [{"vulnerability-summary MEDIUM": 1}],
    "trivy/envtest-api-server-infraassessmentreport-expected.yaml": [{"infra-misconfiguration-summary MEDIUM": 1}],
    "trivy/envtest-config-audit-ttl-historical.yaml": [{"misconfiguration-summary LOW": 1}],
    "trivy/envtest-cronjob-configauditreport-expected.yaml": [
        {"misconfiguration HIGH": 1, "misconfiguration-summary MEDIUM": 1}
    ],
    "trivy/envtest-pod-configauditreport-expected.yaml": [
        {"misconfiguration HIGH": 1, "misconfiguration-summary MEDIUM": 1}
    ],
    "trivy/envtest-role-rbacassessment-expected.yaml": [{"rbac-misconfiguration-summary MEDIUM": 1}],
    "trivy/envtest-vulnerability-ttl.yaml": [{"vulnerability HIGH": 1}],
    "trivy/raw-trivy-exposedsecret_report.json": [
        "an object without a kind (it has Metadata, Results, SchemaVersion) is no report of Trivy"
    ],
    "trivy/raw-trivy-full_report.json": [
        "an object without a kind (it has Metadata, Results, SchemaVersion) is no report of Trivy"
    ],
    "trivy/raw-trivy-vulnerability_report.json": [
        "an object without a kind (it has Metadata, Results, SchemaVersion) is no report of Trivy"
    ],
    "trivy/vulnerabilityReportList-v0.5.json": [
        {"vulnerability-summary MEDIUM": 1},
        {"vulnerability CRITICAL": 40, "vulnerability HIGH": 86, "vulnerability-summary MEDIUM": 1},
    ],
    "kyverno/generating-policies__reports__audit-annotations__report-assert.yaml": [{}],
    "kyverno/image-validating-policies__report__admission__report.yaml": [{"policy-violation MEDIUM": 1}],
    "kyverno/mutating-admission-policy-reports__background__with-binding-fail__report-assert.yaml": [
        {"policy-violation MEDIUM": 1}
    ],
    "kyverno/mutating-policies__reporting__with-exception-skip-result__report-skip-assert.yaml": [{}],
    "kyverno/reports__admission__test-report-admission-mode__chainsaw-step-03-assert-1.yaml": [{}],
    "kyverno/reports__background__exception-with-conditions__report-assert.yaml": [{}],
    "kyverno/reports__background__report-deletion__report-error.yaml": [{}],
    "kyverno/validate__clusterpolicy__cornercases__validate-pattern-should-skip__report-skip-assert.yaml": [{}],
    "kyverno/validating-admission-policy-reports__background__with-validating-admission-policy-binding-no-reports__"
    "report-error.yaml": [{"policy-violation MEDIUM": 1}, {}],
    "kyverno/validating-policies__report__with-exception__fail-report-assert.yaml": [{"policy-violation MEDIUM": 1}],
    "kyverno/web-cli-1.yaml": [{"policy-violation MEDIUM": 1}],
    "kyverno/web-cli-2.yaml": [{"policy-violation MEDIUM": 1}],
    "kyverno/web-cli-3.yaml": [{"policy-violation MEDIUM": 1}],
    "kyverno/web-cli-4.yaml": [{"policy-violation MEDIUM": 1}],
    "kyverno/web-cli-5.yaml": [{}],
    "kyverno/web-exceptions-1.yaml": [{}],
    "kyverno/web-exceptions-2.yaml": [{}],
    "kyverno/web-exceptions-3.yaml": [{}, {}],
    "kyverno/web-reports-1.yaml": [{"policy-violation MEDIUM": 1}],
    "kyverno/web-reports-2.yaml": [{"policy-violation MEDIUM": 1}],
    "kyverno/web-reports-3.yaml": [{"policy-violation MEDIUM": 1}, {}],
    "kyverno/wg-kube-bench-policy-report-217KB.yaml": [{"policy-violation MEDIUM": 36, "policy-violation LOW": 49}],
    "kyverno/wg-sample-cis-k8s.yaml": [{"policy-violation LOW": 2, "policy-violation MEDIUM": 1}],
    "kyverno/wg-sample-falco-policy.yaml": [{"policy-violation LOW": 1}, {"policy-violation MEDIUM": 1}],
    "kyverno/wg-sample-v1beta1-kyverno.yaml": [{}],
}


def test_every_sample_is_expected():
    assert {f"{path.parent.name}/{path.name}" for path in files()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_gives_what_is_expected(name):
    parse = PARSERS[name.partition("/")[0]]
    found: list[dict[str, int] | str] = []
    for report in reports(name):
        try:
            found.append(dict(Counter(f"{event.event_type} {event.severity}" for event in parse(report))))
        except UnknownReport as error:
            found.append(str(error))
    expected = EXPECTED[name]
    assert (_together(found) if isinstance(expected, dict) else found) == expected


def _together(found: list[dict[str, int] | str]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counts in found:
        assert isinstance(counts, dict)
        total.update(counts)
    return dict(total)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_other_parsers_pass_over_a_sample(name):
    for other in set(PARSERS) - {name.partition("/")[0]}:
        for report in reports(name):
            with pytest.raises(UnknownReport):
                PARSERS[other](report)


def test_names_are_unique_among_all_samples():
    names: Counter[tuple[str, str]] = Counter()
    for name in EXPECTED:
        for report in reports(name):
            try:
                events = PARSERS[name.partition("/")[0]](report)
            except ReportError:
                continue
            if "-HEAD." in name:
                continue  # a fixture of the API, full of placeholders that no namespace can be called
            found = [observation(event, default_namespace=SYSTEM)["metadata"] for event in events]
            keys = {(metadata["namespace"], metadata["name"]) for metadata in found}
            assert len(keys) == len(found), name
            if name.startswith(("trivy", "kyverno")):  # of the others, some files repeat each other
                names.update(keys)
    assert max(names.values()) == 1


def test_provenance_lists_every_sample():
    listed = {
        line.split("|")[1].strip()
        for line in (DATA / "PROVENANCE.md").read_text().splitlines()
        if line.startswith("| ") and "/" in line[:24]
    }
    assert listed == set(EXPECTED)

"""kube-bench and Checkov: results in ConfigMaps and logs, what they cover, and what only looks clean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.watcher.samples import DATA, report
from watcher.sources import checkov, kube_bench, kyverno, trivy
from watcher.sources.embedded import in_log
from watcher.sources.event import ReportError, Subject, UnknownReport
from watcher.sources.observation import object_name

BENCH = "kube-bench/wg-cis-1.6-full.json"


def config_map(content: object, **metadata: Any) -> dict[str, Any]:
    text = content if isinstance(content, str) else json.dumps(content)
    return {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "results", "namespace": "bench", **metadata},
        "data": {"results.json": text},
    }


# --- kube-bench


def test_a_failed_check_says_what_and_on_which_node():
    found = kube_bench.parse(report(BENCH), node="node-a")[0]
    assert found.subject == Subject("Node", "node-a", "", "v1")
    assert (found.category, found.event_type, found.severity) == ("compliance", "cis-benchmark-fail", "HIGH")
    assert found.message.startswith("1.1.1 Ensure that the API server pod specification")
    assert found.details["testNumber"] == "1.1.1"
    assert "chmod 644" in found.details["remediation"]


def test_checks_that_are_not_scored_are_medium_and_others_than_failed_are_no_findings():
    result = {"test_number": "1", "test_desc": "d", "status": "FAIL", "scored": False}
    control = {"id": "1", "node_type": "node", "tests": [{"results": [result, result | {"status": "WARN"}]}]}
    (found,) = kube_bench.parse(control)
    assert found.severity == "MEDIUM"


def test_one_number_of_two_targets_is_two_findings():
    result = {"test_number": "1", "test_desc": "d", "status": "FAIL"}
    names = [
        object_name(event)
        for target in ("master", "node")
        for event in kube_bench.parse({"node_type": target, "tests": [{"results": [result]}]}, node="n")
    ]
    assert len(set(names)) == 2


def test_each_check_and_each_node_is_a_finding_of_its_own():
    names = [object_name(event) for node in ("a", "b") for event in kube_bench.parse(report(BENCH), node=node)]
    assert len(set(names)) == len(names) == 72


def test_what_was_found_on_a_node_is_not_repeated():
    value = report(BENCH)
    for group in value["Controls"][0]["tests"]:
        for result in group["results"]:
            result["actual_value"] = "--token=hunter2"
    assert "hunter2" not in str(kube_bench.parse(value))


@pytest.mark.parametrize(
    ("metadata", "subject"),
    [
        ({"labels": {"kubernetes.io/hostname": "n1"}}, Subject("Node", "n1", "", "v1")),
        ({"annotations": {"node": "n2"}}, Subject("Node", "n2", "", "v1")),
        ({}, Subject("ConfigMap", "results", "bench", "v1")),
    ],
)
def test_a_config_map_says_its_node_or_stands_for_it(metadata, subject):
    assert {event.subject for event in kube_bench.parse(config_map(report(BENCH), **metadata))} == {subject}


def test_a_report_covers_the_targets_that_ran():
    parts = kube_bench.covers(report(BENCH), node="n")
    assert parts == tuple(
        f"kube-bench Node n {kind}" for kind in ("master", "etcd", "controlplane", "node", "policies")
    )
    assert {event.report for event in kube_bench.parse(report(BENCH), node="n")} <= set(parts)
    assert kube_bench.covers(report(BENCH)) == ()
    assert kube_bench.covers(config_map("{"), node="n") == ()
    assert kube_bench.covers(config_map({"Controls": [{"id": "1", "tests": []}]}), node="n") == ()


def test_a_log_may_have_chatter_around_its_json():
    text = (DATA / "kube-bench" / "result.json").read_text()
    (found,) = in_log(f"I0101 starting [ok]\n{text}\ndone {{}}\n")
    assert found == json.loads(text)
    with pytest.raises(ReportError, match="the log holds no JSON"):
        in_log("[INFO] 1 Master Node Security Configuration\n")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (config_map("{"), "ConfigMap bench/results: results.json is not JSON"),
        (config_map("5"), "ConfigMap bench/results: it holds no controls"),
        (config_map("[" * 100_000), "ConfigMap bench/results: results.json is not JSON"),
        (config_map("{}") | {"data": None}, "ConfigMap bench/results: it has no results.json"),
        ({"id": "4", "tests": 3}, "control 4: tests is not a list of objects"),
        ({"id": "4", "tests": [{"results": [{"status": "FAIL"}]}]}, "control 4: a failed check has no number"),
    ],
)
def test_malformed_results_are_named(value, message):
    with pytest.raises(ReportError, match=message.replace("(", r"\(")):
        kube_bench.parse(value)


# --- Checkov


def test_a_failed_check_is_about_the_object_in_its_namespace():
    found = {str(event.subject) for event in checkov.parse(report("checkov/mixed-skip-annotation.json"))}
    assert found == {"Deployment shop/web", "ClusterRole too-wide", "Pod shop/web.app-web"}


def test_nothing_scanned_is_not_clean():
    with pytest.raises(UnknownReport, match="no clean result"):
        checkov.parse(report("checkov/empty-dir.json"))
    assert checkov.covers(config_map(report("checkov/empty-dir.json"))) == ()
    assert checkov.covers(config_map(report("checkov/clean-configmap.json"))) == (
        "checkov ConfigMap bench/results kubernetes",
    )


def test_files_that_were_not_parsed_make_a_report_incomplete():
    value = report("checkov/clean-configmap.json")
    value["summary"]["parsing_errors"] = 1
    assert checkov.covers(config_map(value)) == ()


def test_code_with_a_secret_and_its_hash_are_not_repeated():
    value = json.loads((DATA / "checkov" / "multi-framework.json").read_text())
    found = str(checkov.parse(config_map(value)))
    assert "CKV_SECRET_2" in found
    for hidden in ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI", "25910f981e85ca04baf359199dd0bd4a3ae738b6"):
        assert hidden not in found


@pytest.mark.parametrize(
    ("check", "severity", "expected"),
    [
        ("CKV_K8S_16", None, "HIGH"),
        ("CKV_K8S_1", None, "MEDIUM"),
        ("CKV_K8S_16", "LOW", "LOW"),
        ("X", "odd", "MEDIUM"),
    ],
)
def test_the_severity_of_a_check(check, severity, expected):
    failed = {"check_id": check, "severity": severity, "resource": "Pod.a.b.c"}
    (found,) = checkov.parse({"check_type": "kubernetes", "results": {"failed_checks": [failed]}})
    assert (found.severity, found.subject) == (expected, Subject("Pod", "b.c", "a"))


@pytest.mark.parametrize("failed", [3, [3], [{}], [{"check_id": "X"}]])
def test_malformed_checks_are_errors(failed):
    with pytest.raises(ReportError, match="Checkov"):
        checkov.parse({"check_type": "kubernetes", "results": {"failed_checks": failed}})


# --- what reports of the others cover


def test_a_report_covers_itself_unless_it_is_broken():
    value = report("trivy/dd-vulnerabilityreport_no_vuln.json")
    name = f"VulnerabilityReport {value['metadata']['namespace']}/{value['metadata']['name']}"
    assert trivy.covers(value) == (name,)
    assert trivy.covers(value | {"report": {}}) == ()
    polr = report("kyverno/web-reports-1.yaml")
    assert kyverno.covers(polr) == (kyverno.parse(polr)[0].report,)
    assert kyverno.covers(polr | {"results": None}) == ()
    assert kyverno.covers(value) == ()

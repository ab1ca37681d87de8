"""Whatever a parser is given, it parses or refuses; and what it makes of it, an API server takes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.watcher.samples import SYSTEM, WAYS, files, places, replaced, report
from tests.watcher.test_observation import check
from watcher.sources.event import ReportError
from watcher.sources.observation import observation
from watcher.sources.reports import UnreadableInput, load

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KINDS = st.sampled_from(
    ["VulnerabilityReport", "ConfigAuditReport", "ExposedSecretReport", "PolicyReport", "ClusterReport", "SbomReport"]
)
VERSIONS = st.sampled_from(["aquasecurity.github.io/v1alpha1", "wgpolicyk8s.io/v1alpha2", "openreports.io/v1alpha1"])
WORDS = st.sampled_from(["fail", "error", "HIGH", "LOW", "CVE-1", "x"])
ENTRY = st.dictionaries(
    st.sampled_from(
        ["vulnerabilityID", "severity", "resource", "title", "links", "score", "success", "checkID", "messages",
         "ruleID", "match", "target", "policy", "rule", "result", "status", "resources", "properties", "timestamp"]
    ),
    WORDS | JSON,
)  # fmt: skip
ENTRIES = st.lists(ENTRY | JSON, max_size=4) | JSON
METADATA = st.dictionaries(st.sampled_from(["name", "namespace", "labels", "ownerReferences"]), WORDS | JSON)
CONTENT = st.dictionaries(st.sampled_from(["vulnerabilities", "checks", "secrets", "summary"]), ENTRIES)
ALMOST = st.fixed_dictionaries(
    {"kind": KINDS, "apiVersion": VERSIONS},
    optional={
        "metadata": METADATA | JSON,
        "report": CONTENT | JSON,
        "results": ENTRIES,
        "scope": st.fixed_dictionaries({"kind": WORDS | JSON, "name": WORDS | JSON}) | JSON,
    },
)  # fmt: skip


def parse_with_all(value: object) -> None:
    for parse in (parse for ways in WAYS.values() for parse in ways):
        try:
            found = [observation(event, default_namespace=SYSTEM) for event in parse(value)]
        except ReportError as error:
            assert len(str(error)) < 2_000  # noqa: PT017
            assert str(error).isprintable()  # noqa: PT017
            continue
        for entry in found:
            check(entry)


@settings(deadline=None)
@given(JSON)
def test_any_json_is_parsed_or_refused(value):
    parse_with_all(value)


@settings(deadline=None)
@given(ALMOST)
def test_anything_like_a_report_is_parsed_or_refused(value):
    parse_with_all(value)


REAL = [
    report("trivy/docs-vulnerability-report-2.yaml"),
    report("trivy/dd-exposedsecretreport_many.json"),
    report("trivy/docs-configaudit-report-1.yaml"),
    report("kyverno/web-reports-1.yaml"),
    report("kyverno/web-cli-2.yaml"),
    report("falco/web-channels-1.json"),
    report("falco/web-k8saudit-eks.jsonl"),
    report("audit/create_nginx_pod_privileged.json"),
    report("audit/attach_cluster_admin_role.json"),
    report("kube-bench/result.json"),
    report("kube-bench/result_no_totals.json"),
    report("checkov/multi-framework.json", 2),
    report("kubernetes-events/k8s-api-core.v1.Event-HEAD.json"),
    report("kubernetes-events/k8s-api-events.k8s.io.v1.Event-HEAD.json"),
]
PLACES = [(original, path) for original in REAL for path in places(original)]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_a_real_report_with_anything_anywhere_is_parsed_or_refused(place, new):
    original, path = place
    parse_with_all(replaced(original, path, new))


BYTES = [path.read_bytes() for path in files() if path.stat().st_size < 5_000]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(BYTES), st.integers(0, 5_000), st.integers(0, 40), st.binary(max_size=20))
def test_a_real_file_with_any_bytes_anywhere_is_parsed_or_refused(data, start, length, new):
    try:
        found = load(data[:start] + new + data[start + length :])
    except UnreadableInput as error:
        assert str(error).isprintable()  # noqa: PT017
        return
    for value in found:
        parse_with_all(value)

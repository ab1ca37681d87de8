"""The sources of findings that the watcher knows, and how it comes by their reports; stated once."""

from __future__ import annotations

from typing import NamedTuple


class Source(NamedTuple):
    """One source.

    ``resources`` are plural.group of what is watched, ``webhook`` where reports are posted, ``config_maps``
    the label of ConfigMaps that hold them. ``state`` says that each report is the whole truth about its
    subject, so that what is missing in the next is gone. ``namespace`` is where its tool usually lives.
    """

    name: str
    title: str
    category: str
    state: bool
    resources: tuple[str, ...] = ()
    webhook: str = ""
    config_maps: str = ""
    namespace: str = ""
    namespace_variables: tuple[str, ...] = ()


_TRIVY = (
    "vulnerabilityreports", "clustervulnerabilityreports", "configauditreports", "clusterconfigauditreports",
    "rbacassessmentreports", "clusterrbacassessmentreports", "infraassessmentreports",
    "clusterinfraassessmentreports", "exposedsecretreports",
)  # fmt: skip

SOURCES = (
    Source(
        "trivy", "Trivy", "security", state=True, namespace="trivy-system",
        resources=tuple(f"{plural}.aquasecurity.github.io" for plural in _TRIVY),
        namespace_variables=("TRIVY_NAMESPACE",),
    ),
    Source(
        "kyverno", "Kyverno", "security", state=True, namespace="kyverno",
        resources=(
            "policyreports.wgpolicyk8s.io", "clusterpolicyreports.wgpolicyk8s.io", "policyreports.reports.x-k8s.io",
            "clusterpolicyreports.reports.x-k8s.io", "reports.openreports.io", "clusterreports.openreports.io",
        ),
        namespace_variables=("KYVERNO_NAMESPACE",),
    ),
    Source(
        "falco", "Falco", "security", state=False, webhook="/falco/webhook", namespace="falco",
        namespace_variables=("FALCO_NAMESPACE",),
    ),
    Source("audit", "API server audit log", "compliance", state=False, webhook="/audit/webhook"),
    Source(
        "kube-bench", "kube-bench", "compliance", state=True, config_maps="app=kube-bench", namespace="kube-bench",
        namespace_variables=("KUBE_BENCH_NAMESPACE", "KUBEBENCH_NAMESPACE"),
    ),
    Source(
        "checkov", "Checkov", "security", state=True, config_maps="app=checkov", namespace="checkov",
        namespace_variables=("CHECKOV_NAMESPACE",),
    ),
    Source(
        "kubernetes-events", "Kubernetes Events", "operations", state=False,
        resources=("events.", "events.events.k8s.io"),
    ),
)  # fmt: skip
"""Of two groups that serve the same objects, the watcher takes one."""

NAMES = tuple(source.name for source in SOURCES)
_WORN = {"kubebench": "kube-bench", "kubernetesevents": "kubernetes-events", "k8s-events": "kubernetes-events"}


def canonical(name: str) -> str:
    """Return the name of a source as we write it, from any of those that users have written."""
    word = name.strip().lower()
    return _WORN.get(word, word)

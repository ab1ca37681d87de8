"""Which parser reads which source: the one list of the sources that there are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from watcher.sources import audit, checkov, falco, kube_bench, kubernetes_events, kyverno, trivy
from watcher.sources.event import Coverage, Parser

PARSERS: Mapping[str, Parser] = MappingProxyType(
    {
        trivy.SOURCE: trivy.parse,
        kyverno.SOURCE: kyverno.parse,
        falco.SOURCE: falco.parse,
        audit.SOURCE: audit.parse,
        kube_bench.SOURCE: kube_bench.parse,
        checkov.SOURCE: checkov.parse,
        kubernetes_events.SOURCE: kubernetes_events.parse,
    }
)

COVERAGE: Mapping[str, Coverage] = MappingProxyType(
    {
        trivy.SOURCE: trivy.covers,
        kyverno.SOURCE: kyverno.covers,
        kube_bench.SOURCE: kube_bench.covers,
        checkov.SOURCE: checkov.covers,
    }
)
"""The sources that report a state: what is missing in their next complete report is gone."""

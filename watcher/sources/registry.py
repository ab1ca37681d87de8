"""Which parser reads which source: the one list of the sources that there are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from watcher.sources import kyverno, trivy
from watcher.sources.event import Parser

PARSERS: Mapping[str, Parser] = MappingProxyType({trivy.SOURCE: trivy.parse, kyverno.SOURCE: kyverno.parse})

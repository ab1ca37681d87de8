"""The labels of an Observation and the place of an installation: names that users type into selectors."""

from __future__ import annotations

SOURCE = "source"
CATEGORY = "category"
SEVERITY = "severity"
"""In lower case, unlike spec.severity."""
EVENT_TYPE = "event-type"

SYSTEM_NAMESPACE = "zen-system"
"""Where the watcher is installed by default, and where Observations about cluster-scoped resources live."""

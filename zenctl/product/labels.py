"""The labels of an Observation and the place of an installation: names that users type into selectors."""

from __future__ import annotations

from collections.abc import Mapping

SOURCE = "source"
CATEGORY = "category"
SEVERITY = "severity"
"""In lower case, unlike spec.severity."""
EVENT_TYPE = "event-type"

PROTECTED = "zenctl.kube-zen.io/protected"
"""As a label or an annotation of an Observation it keeps cleanup away, whatever it says but "false"."""

SYSTEM_NAMESPACE = "zen-system"
"""Where the watcher is installed by default, and where Observations about cluster-scoped resources live."""

NAME = "zen-watcher"
_APP_LABELS = ("app", "app.kubernetes.io/name")
"""The watcher's own objects carry either: the one in the guide, or the one that charts write; ours carry both."""
WATCHER_SELECTORS = tuple(f"{label}={NAME}" for label in _APP_LABELS)
"""What finds them, one after the other: no selector says "or"."""


def is_watcher(labels: Mapping[str, str]) -> bool:
    """Say whether an object with these labels belongs to the watcher's installation."""
    return any(labels.get(label) == NAME for label in _APP_LABELS)

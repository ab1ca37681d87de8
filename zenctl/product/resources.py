"""Which of a cluster's resources are Observations, whatever their plural is called.

zenctl ships the CRD zenevents; the upstream operator calls the same kind observations. Neither name
is assumed anywhere: commands ask discovery for the group and take what is of this kind.
"""

from __future__ import annotations

from collections.abc import Iterable

from zenctl.core.objects import ResourceType
from zenctl.core.observation import KIND
from zenctl.errors import Refused

_INSTALL = "install the CRD with: zenctl manifests crd | kubectl apply -f -"


def served(resources: Iterable[ResourceType], group: str) -> tuple[ResourceType, ...]:
    """Return the resources of the group that hold objects. Raises Refused where there are none."""
    found = tuple(resource for resource in resources if {"list", "get"} <= resource.verbs)
    if not found:
        raise Refused(
            f"this cluster serves no resources of the group {group}",
            hint=f"{_INSTALL}, or name another group with --api-group",
        )
    return found


def observations(resources: Iterable[ResourceType], group: str) -> tuple[ResourceType, ...]:
    """Return the resources of the group whose kind is Observation. Raises Refused where there are none."""
    found = tuple(resource for resource in served(resources, group) if resource.kind == KIND)
    if not found:
        raise Refused(
            f"this cluster serves the group {group}, but nothing of kind {KIND} in it",
            hint=_INSTALL,
        )
    return found

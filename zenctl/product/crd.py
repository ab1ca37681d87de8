"""The names of the CRD that this project ships; the manifest itself is package data of zenctl.manifests.

Commands never assume these names: they ask discovery which resources the group serves. They are for
what ships the CRD, and for what a cluster without one is told.
"""

from __future__ import annotations

from zenctl.core.objects import ResourceType
from zenctl.core.observation import GROUP, KIND

__all__ = ["API_VERSION", "GROUP", "KIND", "NAME", "OBSERVATIONS", "PLURAL", "SHORT_NAMES", "SINGULAR", "VERSION"]

VERSION = "v1alpha1"
PLURAL = "zenevents"
SINGULAR = "zenevent"
SHORT_NAMES = ("ze", "zevt")

OBSERVATIONS = ResourceType(
    group=GROUP,
    version=VERSION,
    kind=KIND,
    plural=PLURAL,
    singular=SINGULAR,
    short_names=SHORT_NAMES,
    namespaced=True,
    verbs=frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}),
    status_subresource=True,
)
"""The resource as discovery describes it, once the CRD is installed."""

API_VERSION = OBSERVATIONS.api_version
NAME = OBSERVATIONS.full_name
"""Name of the CustomResourceDefinition."""

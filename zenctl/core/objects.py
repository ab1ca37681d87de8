"""The shared words for objects of a cluster: their keys, their resource types, and RawObject.

Bulk paths carry each object as the server's own bytes with the few fields that the caller asked for.
Nothing here knows what an Observation is, nor how bytes travel.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec


class HasKey(Protocol):
    """What a field type must offer at least: the object's name and namespace."""

    @property
    def metadata(self) -> NamedInNamespace:
        """The object's metadata, or the part of it that was decoded."""


class NamedInNamespace(Protocol):
    """The part of metadata that makes a key."""

    @property
    def name(self) -> str:
        """The object's name."""

    @property
    def namespace(self) -> str:
        """The object's namespace, "" where it has none."""


Fields = TypeVar("Fields", bound=HasKey)


class ObjectKey(NamedTuple):
    """Namespace ("" for cluster-scoped objects) and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class ResourceType(msgspec.Struct, frozen=True, rename="camel"):
    """A resource as discovery describes it: enough to address it and to print it."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str = ""
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    verbs: frozenset[str] = frozenset()
    status_subresource: bool = False

    @property
    def api_version(self) -> str:
        """The value of ``apiVersion`` in objects of this type: "v1", "apps/v1"."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """The name that kubectl accepts without ambiguity: "zenevents.zen.kube-zen.io", "configmaps"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def kind_and_group(self) -> str:
        """The folder of this type in an archive: "Observation.zen.kube-zen.io", "ConfigMap.core"."""
        return f"{self.kind}.{self.group or 'core'}"

    @property
    def built_in(self) -> bool:
        """Whether Kubernetes itself brings the type; the status of such objects is the cluster's own account."""
        return "." not in self.group or self.group.endswith(".k8s.io")


class RawObject(NamedTuple, Generic[Fields]):
    """One object: its key, the fields that the caller asked for, and its JSON as the server sent it.

    Items of built-in lists carry no apiVersion and kind; the collection that they came in records them.
    """

    key: ObjectKey
    fields: Fields
    body: bytes | memoryview


class Metadata(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The part of ``metadata`` that every bulk path needs."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""


class KeyFields(msgspec.Struct, frozen=True, gc=False):
    """The least that can be asked of an object: who it is."""

    metadata: Metadata = Metadata()


CONFIG_MAP = ResourceType("", "v1", "ConfigMap", "configmaps", "configmap", ("cm",))
NAMESPACE = ResourceType("", "v1", "Namespace", "namespaces", "namespace", ("ns",), namespaced=False)
EVENT = ResourceType("", "v1", "Event", "events", "event", ("ev",))
DEPLOYMENT = ResourceType("apps", "v1", "Deployment", "deployments", "deployment", ("deploy",))
LEASE = ResourceType("coordination.k8s.io", "v1", "Lease", "leases", "lease")
CUSTOM_RESOURCE_DEFINITION = ResourceType(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions",
    "customresourcedefinition", ("crd", "crds"), namespaced=False, status_subresource=True,
)  # fmt: skip

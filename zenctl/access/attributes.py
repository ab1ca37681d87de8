"""What is asked: a verb on a resource, or on a path that is no resource.

It owns the two shapes of a question. Which verb an HTTP request has is decided by whoever reads requests.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import msgspec

from zenctl.core.objects import NAMESPACE, ObjectKey, ResourceType


class ResourceAttributes(msgspec.Struct, frozen=True, kw_only=True):
    """A verb on a resource, and where.

    The name is the one in the URL: creating and deleting collections have none, list and watch have one only where
    the client selects by the field metadata.name. RBAC does not look at the version.
    """

    verb: str
    resource: str
    group: str = ""
    version: str = ""
    subresource: str = ""
    namespace: str = ""
    """Empty for cluster-scoped resources, and for all namespaces at once."""
    name: str = ""

    @classmethod
    def of(cls, resource: ResourceType, verb: str, key: ObjectKey, subresource: str = "") -> ResourceAttributes:
        """Return the question about a resource that discovery knows.

        A cluster-scoped resource is asked about without the namespace, in which RoleBindings would give a
        misleading yes. The exception is the server's: a namespace lies in the namespace of its own name.
        """
        namespace = key.namespace
        if not resource.namespaced:
            namespace = key.name if (resource.group, resource.plural) == _NAMESPACES else ""
        return cls(
            verb=verb,
            resource=resource.plural,
            group=resource.group,
            version=resource.version,
            subresource=subresource,
            namespace=namespace,
            name=key.name,
        )


class NonResourceAttributes(msgspec.Struct, frozen=True, kw_only=True):
    """A verb (HTTP's, in lower case) on a path such as /metrics, which is in no namespace."""

    verb: str
    path: str
    namespace: ClassVar[str] = ""


Attributes: TypeAlias = ResourceAttributes | NonResourceAttributes
_NAMESPACES = (NAMESPACE.group, NAMESPACE.plural)

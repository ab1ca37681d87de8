"""URL paths of the Kubernetes API, with every part escaped."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from zenctl.core.objects import ResourceType


def resource_path(
    resource: ResourceType,
    *,
    namespace: str | None = None,
    name: str = "",
    subresource: str = "",
    query: Mapping[str, str | int] | None = None,
) -> str:
    """Return the path of a collection, an object or its subresource; empty query values are left out."""
    root = f"/apis/{resource.group}" if resource.group else "/api"
    parts = [root, resource.version]
    if namespace and resource.namespaced:
        parts += ["namespaces", quote(namespace, safe="")]
    parts.append(resource.plural)
    if name:
        parts.append(quote(name, safe=""))
    if subresource:
        parts.append(subresource)
    wanted = {key: value for key, value in (query or {}).items() if value != ""}
    return "/".join(parts) + (f"?{urlencode(wanted)}" if wanted else "")

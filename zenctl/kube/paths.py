"""URL paths of the Kubernetes API, with every part escaped."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from zenctl.core.objects import ObjectKey, ResourceType
from zenctl.core.text import printable
from zenctl.errors import Invalid


def resource_path(
    resource: ResourceType,
    *,
    namespace: str | None = None,
    name: str = "",
    subresource: str = "",
    query: Mapping[str, str | int] | None = None,
) -> str:
    """Return the path of a collection, an object or its subresource; empty query values are left out.

    Raises Invalid where a name would lead to another path than its own, as ".." does.
    """
    parts = ["apis", resource.group] if resource.group else ["api"]
    parts.append(resource.version)
    if namespace and resource.namespaced:
        parts += ["namespaces", namespace]
    parts.append(resource.plural)
    parts += [part for part in (name, subresource) if part]
    wanted = {key: value for key, value in (query or {}).items() if value != ""}
    return "".join(map(_escaped, parts)) + (f"?{urlencode(wanted)}" if wanted else "")


def object_path(resource: ResourceType, key: ObjectKey, *, subresource: str = "", dry_run: bool = False) -> str:
    """Return the path of one object. Raises Invalid for a key without a name, which is the whole collection's."""
    if not key.name:
        raise Invalid(f"{resource.full_name} has no object without a name", status=400)
    query = {"dryRun": "All"} if dry_run else None
    return resource_path(resource, namespace=key.namespace, name=key.name, subresource=subresource, query=query)


def _escaped(part: str) -> str:
    if part in ("", ".", ".."):
        raise Invalid(f"nothing can be named {printable(part)!r}", status=400)
    return "/" + quote(part, safe="")

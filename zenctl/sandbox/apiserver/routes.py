"""What a request is about: verb, resource, namespace, name, subresource, as authorization and dispatch see it.

The rules are those of Kubernetes' request attributes: a GET of a collection is list or watch, and of an
object get; DELETE of a collection is deletecollection. Whether the resource exists is not asked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zenctl.sandbox.apiserver.messages import Request

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}
_NO_VERB = "none"
"""Of a method that is not served; authorization knows no such verb but as ``*``."""
_NAMESPACE_PARTS = ("status", "finalize")


@dataclass(frozen=True, slots=True)
class Route:
    """A request read. ``resource`` is "" for a path that is not about objects; then the verb is the method's."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    rest: tuple[str, ...] = ()
    """Path segments beyond the subresource, which nothing here serves."""

    @property
    def about_objects(self) -> bool:
        """Whether the path names a resource."""
        return bool(self.resource)


def truth(value: str) -> bool:
    """Read a parameter that is a boolean, as Go does: absent, "0" and "false" are false."""
    return value.lower() not in ("", "0", "false")


def asks_for_watch(query: Mapping[str, str]) -> bool:
    """Return whether a LIST is to be a watch: by any value but a plain no, by none at all too."""
    return "watch" in query and query["watch"] not in ("0", "false")


def route(request: Request) -> Route:
    """Read what a request is about."""
    if "//" in request.path:  # which nobody serves, and which must not be authorized as something else
        return Route(request.method.lower(), request.path)
    parts = [part for part in request.path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) >= 3:
        return _objects(request, "", parts[1], parts[2:])
    if parts[:1] == ["apis"] and len(parts) >= 4:
        return _objects(request, parts[1], parts[2], parts[3:])
    return Route(request.method.lower(), request.path)


def _objects(request: Request, group: str, version: str, parts: list[str]) -> Route:
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and (group or parts[2] not in _NAMESPACE_PARTS):
            parts = parts[2:]
    resource, name, subresource, *rest = [*parts, "", ""]
    if not name and resource == "namespaces":
        namespace = ""
    query = request.query
    if not name:
        # A collection that a field selector narrows to one name is authorized by that name.
        name_asked = _only_name(query.get("fieldSelector", ""))
    verb = _VERBS.get(request.method, _NO_VERB)
    if not name and verb == "get":
        verb = "watch" if asks_for_watch(query) else "list"
    elif not name and verb == "delete":
        verb = "deletecollection"
    authorized = name or (name_asked if verb in ("list", "watch") else "")
    return Route(
        verb, request.path, group, version, resource, subresource, namespace, authorized, tuple(r for r in rest if r)
    )


def _only_name(field_selector: str) -> str:
    for requirement in field_selector.split(","):
        field, equals, value = requirement.partition("=")
        if field.strip() == "metadata.name" and equals:
            return value.lstrip("=").strip()
    return ""

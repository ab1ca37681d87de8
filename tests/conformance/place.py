"""Where a case works: one server, a namespace of its own, resources to work on, and words to work with them.

It owns the helpers that cases use and the clean-up after each of them. It asserts that the plain steps of a case
succeed; what a case is about, the case asserts itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conformance.api import (
    MERGE_PATCH,
    STREAM_SECONDS,
    Answer,
    Api,
    Document,
    Headers,
    Impersonating,
    with_query,
)
from tests.conformance.crds import definition, serve
from tests.conformance.expect import named_in, succeeded
from tests.conformance.resources import CRDS, NAMESPACES, Resource


@dataclass(frozen=True)
class Server:
    """A server under test, and what a target can do to it beside requests."""

    api: Api
    run: str
    """With this starts the name of everything cluster-scoped that this run makes."""
    version: tuple[int, int]
    widgets: Resource
    """Namespaced, with a status subresource and every construct that a schema can have."""
    gadgets: Resource
    """Namespaced, without a status subresource."""
    planets: Resource
    """Not namespaced, with a status subresource."""
    expire_history: Callable[[], None] | None = None
    """Make every older revision expire, so that continue tokens and watches from before answer 410."""


@dataclass
class Place:
    """One case's view of the server. The namespace comes into being when it is first asked for."""

    server: Server
    _namespace: str = ""
    _to_delete: list[str] = field(default_factory=list)

    # --- what there is

    @property
    def api(self) -> Api:
        """The server as its administrator."""
        return self.server.api

    @property
    def version(self) -> tuple[int, int]:
        """Release of the server: major and minor."""
        return self.server.version

    def at_least(self, minor: int) -> bool:
        """Tell whether the server is of release 1.minor or later: a case may know two forms of an answer."""
        return self.version >= (1, minor)

    @property
    def widgets(self) -> Resource:
        """Custom resources with a status subresource and a rich schema."""
        return self.server.widgets

    @property
    def gadgets(self) -> Resource:
        """Custom resources without a status subresource."""
        return self.server.gadgets

    @property
    def planets(self) -> Resource:
        """Custom resources that are not namespaced."""
        return self.server.planets

    @property
    def namespace(self) -> str:
        """A namespace of the case's own."""
        if not self._namespace:
            self._namespace = self.new_namespace()
        return self._namespace

    def new_namespace(self) -> str:
        """Make another namespace, gone when the case ends."""
        name = self.new_name()
        self.create(NAMESPACES, name)
        return name

    def new_name(self) -> str:
        """Return a name that no cluster-scoped object has."""
        return f"{self.server.run}-{secrets.token_hex(5)}"

    def user(self, name: str, groups: Sequence[str] = (), **more: Any) -> Api:
        """Return the server as somebody else, by impersonation."""
        return Impersonating(self.api, name, groups, **more)

    def expire_history(self) -> None:
        """Make every older revision expire; a case that needs it is skipped where the target cannot."""
        if self.server.expire_history is None:
            pytest.skip("this target cannot expire its history at will")
        self.server.expire_history()

    # --- requests

    def path(self, resource: Resource, name: str = "", subresource: str = "", **query: Any) -> str:
        """Return a request target in the case's namespace."""
        namespace = self.namespace if resource.namespaced else ""
        return with_query(resource.path(namespace, name, subresource), **query)

    def send(
        self,
        method: str,
        resource: Resource,
        name: str = "",
        body: object = None,
        *,
        sub: str = "",
        headers: Headers | None = None,
        **query: Any,
    ) -> Answer:
        """Send a request about a resource in the case's namespace; whatever comes back is the case's business."""
        return self.api.request(method, self.path(resource, name, sub, **query), body, headers=headers)

    def create(self, resource: Resource, name: str, **content: Any) -> Document:
        """Create an object (see Resource.body) and return it as the server answered it."""
        if not resource.namespaced:
            self.clean_up(resource, name)
        return succeeded(self.send("POST", resource, body=resource.body(name, **content)), 201)

    def get(self, resource: Resource, name: str, **query: Any) -> Document:
        """Read an object that exists."""
        return succeeded(self.send("GET", resource, name, **query))

    def serve(self, resource: Resource, *versions: Document, **names: Any) -> Document:
        """Serve a custom resource of the case's own until it ends; its CRD is as ``crds.definition`` makes it."""
        made = definition(resource, *versions, names=names)
        self.clean_up(CRDS, made["metadata"]["name"])
        serve(self.api, made)
        return self.get(CRDS, made["metadata"]["name"])

    def new_resource(self, kind: str = "Thing", *, namespaced: bool = True) -> Resource:
        """Return a custom resource in a group that nobody has; ``serve`` makes it exist."""
        return Resource(f"{self.new_name()}.example.com", "v1", f"{kind.lower()}s", kind, namespaced)

    def exists(self, resource: Resource, name: str) -> bool:
        """Tell whether there is such an object."""
        return self.send("GET", resource, name).status == 200

    def collection(self, resource: Resource, **query: Any) -> Document:
        """List a collection."""
        return succeeded(self.send("GET", resource, **query))

    def names(self, resource: Resource, **query: Any) -> list[str]:
        """List the names in a collection, in the server's order."""
        return named_in(self.collection(resource, **query))

    def put(self, resource: Resource, document: Document, *, sub: str = "", **query: Any) -> Document:
        """Replace an object and return what became of it."""
        return succeeded(self.send("PUT", resource, document["metadata"]["name"], document, sub=sub, **query))

    def patch(
        self,
        resource: Resource,
        name: str,
        patch: object,
        *,
        content_type: str = MERGE_PATCH,
        sub: str = "",
        **query: Any,
    ) -> Document:
        """Patch an object and return what became of it."""
        headers = {"Content-Type": content_type}
        return succeeded(self.send("PATCH", resource, name, patch, sub=sub, headers=headers, **query))

    def try_patch(
        self, resource: Resource, name: str, patch: object, *, content_type: str = MERGE_PATCH, sub: str = ""
    ) -> Answer:
        """Patch an object; whatever comes back is the case's business."""
        return self.send("PATCH", resource, name, patch, sub=sub, headers={"Content-Type": content_type})

    def delete(self, resource: Resource, name: str, options: Document | None = None, **query: Any) -> Document:
        """Delete an object and return the answer."""
        return succeeded(self.send("DELETE", resource, name, options, **query))

    def watch(
        self, resource: Resource, *, headers: Headers | None = None, seconds: float = STREAM_SECONDS, **query: Any
    ) -> AbstractContextManager[Iterator[Document]]:
        """Watch a collection in the case's namespace; see Api.stream."""
        return self.api.stream(self.path(resource, watch=1, **query), headers=headers, seconds=seconds)

    # --- life

    def clean_up(self, resource: Resource, name: str) -> None:
        """Delete this object, which is not in the case's namespace, when the case ends."""
        self._to_delete.append(resource.path("", name))

    def close(self) -> None:
        """Delete what the case made."""
        for path in reversed(self._to_delete):
            self.api.request("DELETE", path)
        self._to_delete.clear()

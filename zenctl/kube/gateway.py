"""The gateway: reading, writing and asking one cluster; satisfies the cluster ports of zenctl.ports.

It moves bytes and translates errors. It decides nothing: what to write, and what a conflict means, is
the business of the slices.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from zenctl.core.listing import Page
from zenctl.core.objects import NAMESPACE, Fields, KeyFields, ObjectKey, RawObject, ResourceType
from zenctl.errors import ApiFailure, NotFound
from zenctl.kube.errors import NOT_DECODED, not_kubernetes
from zenctl.kube.http import Client, Response, parse_date
from zenctl.kube.listing import Listing
from zenctl.kube.paths import object_path, resource_path
from zenctl.kube.streaming import Streams
from zenctl.kube.watch import Watching
from zenctl.ports import ALL, ListQuery, WatchEvent

_ASKING_VERSION = "ask the API server for its version"


class _VersionBody(msgspec.Struct, frozen=True, rename="camel"):
    git_version: str


class _Decision(msgspec.Struct, frozen=True):
    allowed: bool


class _Review(msgspec.Struct, frozen=True):
    status: _Decision


class _Deleted(msgspec.Struct, frozen=True):
    """The answer to a DELETE: the object, or a Status."""

    kind: str


_Answer = TypeVar("_Answer")


class Gateway:
    """One cluster. Every method raises the errors of zenctl.errors and nothing else."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._streams = Streams(client)

    def pages(
        self,
        resource: ResourceType,
        fields: type[Fields],
        query: ListQuery = ALL,
        *,
        restarts: int = 2,
        whole: bool = False,
    ) -> Iterator[Page[Fields]]:
        """LIST in pages of bounded size (see zenctl.kube.listing), a whole one as a stream where there are any."""
        if whole:
            return self._streams.pages(resource, fields, query, restarts)
        return Listing(self._client, resource, query, restarts).pages(fields)

    def watch(
        self, resource: ResourceType, fields: type[Fields], query: ListQuery, since: str
    ) -> Iterator[WatchEvent[Fields]]:
        """WATCH from a resourceVersion, resuming after every cut; raises Expired when that is too old."""
        return Watching(self._client, resource, query).events(fields, since)

    def get(self, resource: ResourceType, key: ObjectKey, fields: type[Fields]) -> RawObject[Fields]:
        """GET one object. Raises NotFound."""
        doing = f"read {resource.singular} {key}"
        body = self._client.send("GET", object_path(resource, key), doing=doing).body
        found = _decoded(body, fields, doing)
        if found.metadata.name != key.name:
            raise not_kubernetes(doing)
        return RawObject(key, found, body)

    def create(
        self, resource: ResourceType, namespace: str, body: bytes, *, dry_run: bool = False
    ) -> RawObject[KeyFields]:
        """POST. Raises Conflict where the object exists, Invalid where the server refuses it.

        Here and in every other write, a dry run lets the server judge the request, and store nothing.
        """
        path = resource_path(resource, namespace=namespace, query={"dryRun": "All"} if dry_run else None)
        return self._write("POST", path, body, doing=f"create a {resource.singular}")

    def replace(
        self, resource: ResourceType, key: ObjectKey, body: bytes, *, dry_run: bool = False
    ) -> RawObject[KeyFields]:
        """PUT; the body names the resourceVersion it replaces. Raises Conflict, Invalid."""
        path = object_path(resource, key, dry_run=dry_run)
        return self._write("PUT", path, body, doing=f"replace {resource.singular} {key}")

    def replace_status(
        self, resource: ResourceType, key: ObjectKey, body: bytes, *, dry_run: bool = False
    ) -> RawObject[KeyFields]:
        """PUT to the status subresource; only status is taken from the body. Raises Conflict, Invalid."""
        path = object_path(resource, key, subresource="status", dry_run=dry_run)
        return self._write("PUT", path, body, doing=f"write the status of {resource.singular} {key}")

    def patch(
        self, resource: ResourceType, key: ObjectKey, body: bytes, *, subresource: str = "", dry_run: bool = False
    ) -> RawObject[KeyFields]:
        """PATCH with a JSON merge patch (RFC 7386). Raises NotFound, Conflict, Invalid."""
        path = object_path(resource, key, subresource=subresource, dry_run=dry_run)
        doing = f"patch {resource.singular} {key}"
        return self._write("PATCH", path, body, doing=doing, content_type="application/merge-patch+json")

    def delete(
        self, resource: ResourceType, key: ObjectKey, *, uid: str, resource_version: str, dry_run: bool = False
    ) -> None:
        """DELETE under both preconditions. Raises Conflict where the object changed, NotFound where it is gone."""
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
        }
        if dry_run:  # with a body the server does not look at the query
            options["dryRun"] = ["All"]
        doing = f"delete {resource.singular} {key}"
        body = msgspec.json.encode(options)
        try:
            answer = self._client.send("DELETE", object_path(resource, key), doing=doing, body=body)
        except NotFound as gone:
            # An attempt that got no answer was carried out after all.
            if not gone.repeated:
                raise
            return
        _decoded(answer.body, _Deleted, doing)

    def allowed(self, resource: ResourceType, verb: str, *, namespace: str = "", subresource: str = "") -> bool:
        """Ask by SelfSubjectAccessReview whether the caller may do something; "" is every namespace."""
        attributes = {
            "group": resource.group,
            "resource": resource.plural,
            "subresource": subresource,
            "verb": verb,
            "namespace": namespace,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        path, doing = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "ask what this account may do"
        answer = self._client.send("POST", path, doing=doing, body=msgspec.json.encode(review))
        return _decoded(answer.body, _Review, doing).status.allowed

    def uid(self) -> str:
        """Return the uid of the namespace kube-system, which names a cluster for as long as it lives."""
        return self.get(NAMESPACE, ObjectKey("", "kube-system"), KeyFields).fields.metadata.uid

    def server_version(self) -> str:
        """Return the gitVersion of the API server."""
        return _decoded(self._version().body, _VersionBody, _ASKING_VERSION).git_version

    def now(self) -> datetime:
        """Return the API server's time by its Date header, which has whole seconds."""
        try:
            return parse_date(self._version().headers.get("Date", ""))
        except ValueError as error:
            raise ApiFailure("the API server's answer has no usable Date header", status=200) from error

    def _version(self) -> Response:
        return self._client.send("GET", "/version", doing=_ASKING_VERSION)

    def _write(
        self, method: str, path: str, body: bytes, *, doing: str, content_type: str = "application/json"
    ) -> RawObject[KeyFields]:
        answer = self._client.send(method, path, doing=doing, body=body, content_type=content_type)
        fields = _decoded(answer.body, KeyFields, doing)
        if not fields.metadata.name:
            raise not_kubernetes(doing)
        return RawObject(ObjectKey(fields.metadata.namespace, fields.metadata.name), fields, answer.body)


def _decoded(body: bytes, kind: type[_Answer], doing: str) -> _Answer:
    try:
        return msgspec.json.decode(body, type=kind)
    except NOT_DECODED as error:
        raise not_kubernetes(doing) from error

"""The gateway: reading, writing and asking one cluster; satisfies the cluster ports of zenctl.ports.

It moves bytes and translates errors. It decides nothing: what to write, and what a conflict means, is
the business of the slices.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from zenctl.core.listing import Page
from zenctl.core.objects import NAMESPACE, Fields, KeyFields, ObjectKey, RawObject, ResourceType
from zenctl.errors import ApiFailure, NotFound
from zenctl.kube.http import Client, Response
from zenctl.kube.listing import Listing
from zenctl.kube.paths import resource_path
from zenctl.kube.watch import Watching
from zenctl.ports import ALL, ListQuery, WatchEvent


class _VersionBody(msgspec.Struct, frozen=True, rename="camel"):
    git_version: str = ""


class _Decision(msgspec.Struct, frozen=True):
    allowed: bool = False


class _Review(msgspec.Struct, frozen=True):
    status: _Decision = _Decision()


class Gateway:
    """One cluster. Every method raises the errors of zenctl.errors and nothing else."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def pages(
        self,
        resource: ResourceType,
        fields: type[Fields],
        query: ListQuery = ALL,
        *,
        restarts: int = 2,
    ) -> Iterator[Page[Fields]]:
        """LIST in pages of bounded size; see zenctl.kube.listing for an expired token."""
        return Listing(self._client, resource, query, restarts).pages(fields)

    def watch(
        self, resource: ResourceType, fields: type[Fields], query: ListQuery, since: str
    ) -> Iterator[WatchEvent[Fields]]:
        """WATCH from a resourceVersion, resuming after every cut; raises Expired when that is too old."""
        return Watching(self._client, resource, query).events(fields, since)

    def get(self, resource: ResourceType, key: ObjectKey, fields: type[Fields]) -> RawObject[Fields]:
        """GET one object. Raises NotFound."""
        path = resource_path(resource, namespace=key.namespace, name=key.name)
        body = self._client.send("GET", path, doing=f"read {resource.singular} {key}").body
        try:
            return RawObject(key, msgspec.json.decode(body, type=fields), body)
        except msgspec.MsgspecError as error:
            raise ApiFailure(
                f"cannot read {resource.singular} {key}: the answer is no such object", status=200
            ) from error

    def create(self, resource: ResourceType, namespace: str, body: bytes) -> RawObject[KeyFields]:
        """POST. Raises Conflict where the object exists, Invalid where the server refuses it."""
        path = resource_path(resource, namespace=namespace)
        return _stored(self._client.send("POST", path, doing=f"create a {resource.singular}", body=body))

    def replace(self, resource: ResourceType, key: ObjectKey, body: bytes) -> RawObject[KeyFields]:
        """PUT; the body names the resourceVersion it replaces. Raises Conflict, Invalid."""
        path = resource_path(resource, namespace=key.namespace, name=key.name)
        return _stored(self._client.send("PUT", path, doing=f"replace {resource.singular} {key}", body=body))

    def replace_status(self, resource: ResourceType, key: ObjectKey, body: bytes) -> RawObject[KeyFields]:
        """PUT to the status subresource; only status is taken from the body. Raises Conflict, Invalid."""
        path = resource_path(resource, namespace=key.namespace, name=key.name, subresource="status")
        doing = f"write the status of {resource.singular} {key}"
        return _stored(self._client.send("PUT", path, doing=doing, body=body))

    def patch(
        self, resource: ResourceType, key: ObjectKey, body: bytes, *, subresource: str = ""
    ) -> RawObject[KeyFields]:
        """PATCH with a JSON merge patch (RFC 7386). Raises NotFound, Conflict, Invalid."""
        path = resource_path(resource, namespace=key.namespace, name=key.name, subresource=subresource)
        doing = f"patch {resource.singular} {key}"
        content_type = "application/merge-patch+json"
        return _stored(self._client.send("PATCH", path, doing=doing, body=body, content_type=content_type))

    def delete(self, resource: ResourceType, key: ObjectKey, *, uid: str, resource_version: str) -> None:
        """DELETE under both preconditions. Raises Conflict where the object changed, NotFound where it is gone."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
        }
        path = resource_path(resource, namespace=key.namespace, name=key.name)
        doing = f"delete {resource.singular} {key}"
        try:
            self._client.send("DELETE", path, doing=doing, body=msgspec.json.encode(options))
        except NotFound as gone:
            # An attempt that got no answer was carried out after all.
            if not gone.repeated:
                raise

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
        answer = self._client.send(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            doing="ask what this account may do",
            body=msgspec.json.encode(review),
        )
        return msgspec.json.decode(answer.body, type=_Review).status.allowed

    def uid(self) -> str:
        """Return the uid of the namespace kube-system, which names a cluster for as long as it lives."""
        return self.get(NAMESPACE, ObjectKey("", "kube-system"), KeyFields).fields.metadata.uid

    def server_version(self) -> str:
        """Return the gitVersion of the API server."""
        try:
            return msgspec.json.decode(self._version().body, type=_VersionBody).git_version
        except msgspec.MsgspecError as error:
            raise ApiFailure("the server's /version is not that of an API server", status=200) from error

    def now(self) -> datetime:
        """Return the API server's time by its Date header, which has whole seconds."""
        date = self._version().headers.get("Date", "")
        try:
            return parsedate_to_datetime(date).astimezone(UTC)
        except (ValueError, TypeError) as error:
            raise ApiFailure("the API server's answer has no usable Date header", status=200) from error

    def _version(self) -> Response:
        return self._client.send("GET", "/version", doing="ask the API server for its version")


def _stored(answer: Response) -> RawObject[KeyFields]:
    try:
        fields = msgspec.json.decode(answer.body, type=KeyFields)
    except msgspec.MsgspecError as error:
        raise ApiFailure("the API server's answer to a write is no object", status=200) from error
    return RawObject(ObjectKey(fields.metadata.namespace, fields.metadata.name), fields, answer.body)

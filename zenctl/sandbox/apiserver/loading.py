"""Putting objects in as they are: with their status, uid, times and finalizers, as another cluster had them.

This is how a sandbox gets the pods, nodes and metrics that nobody runs in it. It is not part of the Kubernetes API.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from zenctl.sandbox.apiserver import metadata as meta
from zenctl.sandbox.apiserver.errors import ApiError, bad_request
from zenctl.sandbox.apiserver.lifecycle import NAMESPACES
from zenctl.sandbox.apiserver.objects import Json, loaded
from zenctl.sandbox.apiserver.registry import Registry
from zenctl.sandbox.apiserver.writes import Target, Writer

_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
_DEFAULT_NAMESPACE = "default"


class Refusal(NamedTuple):
    """An object that was not loaded, and why."""

    kind: str
    what: str
    why: str


class Loader:
    """Loads objects. Not safe for threads; the server holds its lock."""

    def __init__(self, writer: Writer, registry: Registry) -> None:
        self._writer, self._registry = writer, registry

    def load(self, documents: Iterable[object]) -> tuple[int, list[Refusal]]:
        """Load objects, CRDs and namespaces first; return how many, and which were refused."""
        loaded, refused = 0, []
        for document in _in_order(documents):
            try:
                self._load(document)
                loaded += 1
            except ApiError as error:
                refused.append(Refusal(kind_of(document), _named(document), error.message))
        return loaded, refused

    def _load(self, sent: object) -> None:
        if not isinstance(sent, dict) or not isinstance(sent.get("metadata"), dict):
            raise bad_request("it is no Kubernetes object")
        api_version, kind = str(sent.get("apiVersion")), str(sent.get("kind"))
        served = self._registry.of_kind(api_version, kind)
        if served is None:
            raise bad_request(f"{kind} of {api_version} is not served here")
        given = meta.known(sent["metadata"], kind, served.type.version)
        namespace = given.get("namespace", _DEFAULT_NAMESPACE) if served.type.namespaced else ""
        target = Target(served, namespace, given.get("name", ""))
        if namespace:
            self._ensure_namespace(namespace)
        given.pop("resourceVersion", None)
        begun = meta.begin(given, served, namespace, self._writer.clock(), self._writer.random)
        begun.update(self._who(target))
        begun.update({key: given[key] for key in _KEPT if key in given})
        self._writer.place(target, {**sent, "metadata": begun})

    def _who(self, target: Target) -> Json:
        """Return who an object of this name is already: loading it again makes no other one of it."""
        body = self._writer.store.collection(target.served.storage_key).get(target.key)
        if body is None:
            return {}
        metadata = loaded(body, target.served.type)["metadata"]
        return {key: metadata[key] for key in ("uid", "creationTimestamp", "generation") if key in metadata}

    def _ensure_namespace(self, name: str) -> None:
        if self._writer.store.collection(NAMESPACES).get(name) is None:
            self._load({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def _in_order(documents: Iterable[object]) -> Iterator[object]:
    first = {"CustomResourceDefinition": 0, "Namespace": 1}
    yield from sorted(
        documents, key=lambda each: first.get(str(each.get("kind")), 2) if isinstance(each, dict) else 2
    )


def kind_of(document: object) -> str:
    """Return the kind that a document says it is of."""
    return str(document.get("kind")) if isinstance(document, dict) else ""


def _named(document: object) -> str:
    if not isinstance(document, dict):
        return "something"
    metadata = document.get("metadata")
    named: Json = metadata if isinstance(metadata, dict) else {}
    where = "/".join(str(part) for part in (named.get("namespace"), named.get("name")) if part)
    return f"{kind_of(document)} {where}".strip()

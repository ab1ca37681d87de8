"""The garbage collector: what becomes of dependents when their owner goes.

It does what was asked of a deletion: in the background dependents go after their owner, in the foreground before it,
and orphans stay without the reference. Objects whose owners never were here, as in data from another cluster, stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zenctl.sandbox.apiserver.deletes import FOREGROUND, ORPHAN, DeleteOptions, Deleter
from zenctl.sandbox.apiserver.objects import Json, loaded
from zenctl.sandbox.apiserver.registry import Registry
from zenctl.sandbox.apiserver.store import Store
from zenctl.sandbox.apiserver.writes import Target, Writer


class Collector:
    """Follows ownerReferences. It is told of every change and every removal."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store, self._registry = store, registry
        self._writer: Writer
        self._deleter: Deleter
        self._dependents: dict[str, dict[tuple[str, str], Target]] = {}
        self._waiting: dict[str, Target] = {}
        """Owners that go when their last dependent has gone."""

    def attach(self, writer: Writer, deleter: Deleter) -> None:
        """Give it the hands to work with."""
        self._writer, self._deleter = writer, deleter

    def stored(self, target: Target, document: Json) -> None:
        """Note whom an object belongs to, and carry out what its own deletion asks for."""
        metadata = document["metadata"]
        for owner in metadata.get("ownerReferences", ()):
            of_owner = self._dependents.setdefault(str(owner.get("uid")), {})
            of_owner[target.served.storage_key, target.key] = target
        if "deletionTimestamp" in metadata:
            finalizers = metadata.get("finalizers", ())
            if FOREGROUND in finalizers:
                self._in_the_foreground(target, metadata["uid"])
            elif ORPHAN in finalizers:
                self._orphan(target, metadata["uid"])

    def removed(self, document: Json) -> None:
        """Let the dependents of an object that is gone follow it, and owners that waited for it go on."""
        uid = document["metadata"]["uid"]
        for dependent, its in self._living(uid):
            self._follow(dependent, its, uid, DeleteOptions())
        self._dependents.pop(uid, None)
        self._waiting.pop(uid, None)
        for owner in document["metadata"].get("ownerReferences", ()):
            waiting = self._waiting.get(owner.get("uid"))
            if waiting is not None:
                self._in_the_foreground(waiting, owner["uid"])

    def _in_the_foreground(self, target: Target, uid: str) -> None:
        self._waiting[uid] = target
        for dependent, its in self._living(uid):
            if "deletionTimestamp" not in its["metadata"]:
                self._follow(dependent, its, uid, DeleteOptions(policy="Foreground"))
        if not any(True for _ in self._living(uid)):
            self._drop_finalizer(target, FOREGROUND)

    def _follow(self, dependent: Target, its: Json, uid: str, options: DeleteOptions) -> None:
        """Delete a dependent after its owner, unless somebody else owns it as well."""
        others = [ref for ref in its["metadata"].get("ownerReferences", ()) if ref.get("uid") != uid]
        if any(map(self._exists, others)):
            self._keep_owners(dependent, its, others)
        else:
            self._deleter.delete(dependent, options)

    def _orphan(self, target: Target, uid: str) -> None:
        for dependent, its in self._living(uid):
            others = [ref for ref in its["metadata"].get("ownerReferences", ()) if ref.get("uid") != uid]
            self._keep_owners(dependent, its, others)
        self._drop_finalizer(target, ORPHAN)

    def _keep_owners(self, target: Target, document: Json, owners: list[Any]) -> None:
        metadata = {key: value for key, value in document["metadata"].items() if key != "ownerReferences"}
        if owners:
            metadata["ownerReferences"] = owners
        self._writer.store_document(target, {**document, "metadata": metadata})

    def _drop_finalizer(self, target: Target, finalizer: str) -> None:
        body = self._store.collection(target.served.storage_key).get(target.key)
        if body is None:
            return  # the last dependent has taken it along
        document = loaded(body, target.served.type)
        left = [each for each in document["metadata"].get("finalizers", ()) if each != finalizer]
        document["metadata"]["finalizers"] = left
        if left:
            self._writer.store_document(target, document)
        else:
            self._writer.finish(target, document)

    def _living(self, uid: str) -> Iterator[tuple[Target, Json]]:
        """Yield the dependents of an owner that are still there, and still name it."""
        for target in list(self._dependents.get(uid, {}).values()):
            body = self._store.collection(target.served.storage_key).get(target.key)
            document = loaded(body, target.served.type) if body is not None else None
            owners = document["metadata"].get("ownerReferences", ()) if document is not None else ()
            if document is not None and any(owner.get("uid") == uid for owner in owners):
                yield target, document

    def _exists(self, owner: Json) -> bool:
        found = self._owner(owner)
        return found is not None and "deletionTimestamp" not in found[1]["metadata"]

    def _owner(self, owner: Json) -> tuple[Target, Json] | None:
        """Return the object that a reference means, in any namespace; None where it is not there."""
        served = self._registry.of_kind(str(owner.get("apiVersion")), str(owner.get("kind")))
        if served is None:
            return None
        collection = self._store.collection(served.storage_key)
        name, uid = str(owner.get("name")), owner.get("uid")
        for key, body in collection.scan("", "", self._store.revision):
            if key.rpartition("/")[2] == name:
                document = loaded(body, served.type)
                if document["metadata"]["uid"] == uid:
                    return Target(served, document["metadata"].get("namespace", ""), name), document
        return None

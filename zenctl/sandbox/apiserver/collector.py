"""The garbage collector: what becomes of dependents when their owner goes.

It does what was asked of a deletion: in the background dependents go after their owner, in the foreground before it,
and orphans stay without the reference. Objects whose owners never were here, as in data from another cluster, stay.
One thing is done after the other, from a queue, so that long chains of owners cost no stack.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from zenctl.sandbox.apiserver.deletes import FOREGROUND, ORPHAN, DeleteOptions, Deleter
from zenctl.sandbox.apiserver.errors import ApiError
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
        """By the uid of an owner."""
        self._waiting: dict[str, Target] = {}
        """Owners that go when their last dependent has gone, by their uid."""
        self._tasks: deque[Callable[[], None]] = deque()
        self._busy = False

    def attach(self, writer: Writer, deleter: Deleter) -> None:
        """Give it the hands to work with."""
        self._writer, self._deleter = writer, deleter

    def begin(self, everything: Iterable[tuple[Target, Json]]) -> None:
        """Learn anew whom every object belongs to, and go on with the deletions that are under way."""
        self._dependents.clear()
        self._waiting.clear()
        stored = list(everything)
        for target, document in stored:
            self._note(target, document)
        for target, document in stored:
            self._follow_up(target, document)

    def stored(self, target: Target, document: Json) -> None:
        """Note whom an object belongs to, and carry out what its own deletion asks for."""
        self._note(target, document)
        self._follow_up(target, document)

    def removed(self, target: Target, document: Json) -> None:
        """Let the dependents of an object that is gone follow it, and owners that waited for it go on."""
        uid = document["metadata"]["uid"]
        self._waiting.pop(uid, None)
        for owner in document["metadata"].get("ownerReferences", ()):
            its = self._dependents.get(str(owner.get("uid")), {})
            its.pop((target.served.storage_key, target.key), None)
            if owner.get("uid") in self._waiting:
                self._do(partial(self._in_the_foreground, self._waiting[owner["uid"]], owner["uid"]))
        if uid in self._dependents:
            self._do(partial(self._after, uid))

    def _note(self, target: Target, document: Json) -> None:
        for owner in document["metadata"].get("ownerReferences", ()):
            of_owner = self._dependents.setdefault(str(owner.get("uid")), {})
            of_owner[target.served.storage_key, target.key] = target

    def _follow_up(self, target: Target, document: Json) -> None:
        metadata = document["metadata"]
        if "deletionTimestamp" not in metadata:
            return
        finalizers = metadata.get("finalizers", ())
        if FOREGROUND in finalizers:
            self._waiting[metadata["uid"]] = target
            self._do(partial(self._in_the_foreground, target, metadata["uid"]))
        elif ORPHAN in finalizers:
            self._do(partial(self._orphan, target, metadata["uid"]))

    def _do(self, task: Callable[[], None]) -> None:
        """Do a task after those before it; what a task leads to comes after them all."""
        self._tasks.append(task)
        if self._busy:
            return
        self._busy = True
        try:
            while self._tasks:
                self._tasks.popleft()()
        finally:
            self._busy = False
            self._tasks.clear()

    # -- the tasks ---------------------------------------------------------------------------------------

    def _after(self, uid: str) -> None:
        for dependent, its in list(self._living(uid)):
            self._follow(dependent, its, uid, DeleteOptions())
        self._dependents.pop(uid, None)

    def _in_the_foreground(self, target: Target, uid: str) -> None:
        if uid not in self._waiting:
            return
        for dependent, its in list(self._living(uid)):
            if "deletionTimestamp" not in its["metadata"]:
                self._follow(dependent, its, uid, DeleteOptions(policy="Foreground"))
        if all(self._owns(its["metadata"]["uid"], uid) for _, its in self._living(uid)):
            self._waiting.pop(uid)
            self._drop_finalizer(target, FOREGROUND)

    def _follow(self, dependent: Target, its: Json, uid: str, options: DeleteOptions) -> None:
        """Delete a dependent after its owner, unless somebody else owns it as well, or it must not be deleted."""
        others = [ref for ref in its["metadata"].get("ownerReferences", ()) if ref.get("uid") != uid]
        try:
            if any(self._exists(owner, dependent.namespace) for owner in others):
                self._keep_owners(dependent, its, others)
            else:
                self._deleter.delete(dependent, options)
        except ApiError:
            return  # such as a namespace that a cluster cannot be without; a real collector tries for ever

    def _orphan(self, target: Target, uid: str) -> None:
        for dependent, its in list(self._living(uid)):
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
            return
        document = loaded(body, target.served.type)
        metadata = document["metadata"]
        left = [each for each in metadata.get("finalizers", ()) if each != finalizer]
        if left or metadata.get("deletionGracePeriodSeconds") or self._writer.lifecycle.holds(target):
            self._writer.store_document(target, {**document, "metadata": {**metadata, "finalizers": left}})
        else:
            self._writer.finish(target, document)

    # -- who belongs to whom -----------------------------------------------------------------------------

    def _living(self, uid: str) -> Iterator[tuple[Target, Json]]:
        """Yield the dependents of an owner that are still there, and still name it."""
        for target in list(self._dependents.get(uid, {}).values()):
            document = self._present(target)
            owners = document["metadata"].get("ownerReferences", ()) if document is not None else ()
            if document is not None and any(owner.get("uid") == uid for owner in owners):
                yield target, document

    def _present(self, target: Target) -> Json | None:
        body = self._store.collection(target.served.storage_key).get(target.key)
        return None if body is None else loaded(body, target.served.type)

    def _owns(self, owner: str, uid: str) -> bool:
        """Return whether, through owners that wait themselves, one object belongs to another: a circle."""
        seen, ahead = {uid}, [uid]
        while ahead:
            target = self._waiting.get(ahead.pop())
            document = self._present(target) if target is not None else None
            for reference in document["metadata"].get("ownerReferences", ()) if document is not None else ():
                if reference.get("uid") == owner:
                    return True
                if reference.get("uid") not in seen:
                    seen.add(reference.get("uid"))
                    ahead.append(reference.get("uid"))
        return False

    def _exists(self, owner: Json, namespace: str) -> bool:
        """Return whether a reference means an object that is there, and stays."""
        served = self._registry.of_kind(str(owner.get("apiVersion")), str(owner.get("kind")))
        if served is None:
            return False
        target = Target(served, namespace if served.type.namespaced else "", str(owner.get("name")))
        found = self._present(target)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return False
        return bool(found["metadata"]["uid"] == owner.get("uid"))

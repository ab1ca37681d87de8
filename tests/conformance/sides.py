"""Two servers side by side: each operation is sent to both, and their answers are compared.

It owns how operations become requests, what is remembered of the answers, and the search for the shortest sequence
that still differs. What makes answers comparable is differential's.
"""

from __future__ import annotations

import http.client
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.conformance.api import JSON, MERGE_PATCH, STREAM_SECONDS, Answer, Api, Document, NothingCame, with_query
from tests.conformance.differential import BROKEN, Normaliser, Outcome, allowed, eased, ours, without_managers
from tests.conformance.expect import eventually, succeeded
from tests.conformance.grammar import Kind, changed
from tests.conformance.operations import SENTINEL, Key, Operation, Ref
from tests.conformance.resources import Resource

COLLECTOR_FINALIZERS = ("foregroundDeletion", "orphan")


class Side:
    """One server during one sequence: what was seen there, and how operations become requests."""

    def __init__(self, name: str, api: Api, *, collects: bool, patient: bool) -> None:
        self.name, self.api = name, api
        self._collects = collects
        """Whether its garbage collector acts before it answers; of the other one we play it."""
        self._patient = patient
        """Whether it needs time to show a watch what was done."""
        self.forget()

    def forget(self) -> None:
        """Begin a sequence."""
        self._say = Normaliser()
        self._seen: dict[Key, list[Document]] = {}

    def do(self, operation: Operation) -> tuple[Outcome, Any]:
        """Carry out an operation; return what is compared and what was said."""
        if operation.verb == "watch":
            return self._watch(operation)
        answer = self._send(operation)
        if answer.status in (200, 201):
            self._learn(operation, answer.json)
        outcome = self._say.answer(answer)
        if operation.verb in ("delete", "deletecollection") and not self._collects:
            self._collect(operation)
        return outcome, answer

    # -- sending -----------------------------------------------------------------------------------------

    def _send(self, operation: Operation) -> Answer:
        key = operation.key
        if operation.query.get("resourceVersion") and self._patient:
            self._settle(key)
        path = key.resource.path(key.namespace, key.name, operation.subresource)
        query = {name: self._resolved(value) for name, value in operation.query.items()}
        body = self._resolved(operation.body)
        headers = {"Content-Type": operation.content_type, "Accept": operation.accept}
        try:
            return self.api.request(METHODS[operation.verb], with_query(path, **query), body, headers=headers)
        except http.client.RemoteDisconnected:
            return Answer(BROKEN)

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, Ref):
            return self._known(value)
        if isinstance(value, dict):
            return {key: self._resolved(item) for key, item in value.items()}
        return [self._resolved(item) for item in value] if isinstance(value, list) else value

    def _known(self, ref: Ref) -> Any:
        """Return what a Ref stands for; of what was never seen something that is the same for every server."""
        states = self._seen.get(ref.key, [])
        state = states[-1 - ref.age] if len(states) > ref.age else None
        if ref.what == "object":
            document = without_managers(state) if state else ref.key.resource.body(ref.key.name)
            for path, value in ref.changes:
                document = _changed(document, path, value)
            return document
        return (state or {"metadata": {}})["metadata"].get(ref.what, "")

    def _settle(self, key: Key) -> None:
        """Wait until the server's cache has what was done: answers for a resourceVersion come from there."""
        path = key.resource.path(key.namespace)
        now = self._revisions(path)
        eventually(lambda: self._revisions(with_query(path, resourceVersion=0)) == now, path)

    def _revisions(self, path: str) -> set[tuple[str, str]]:
        items = succeeded(self.api.request("GET", path))["items"]
        return {(item["metadata"]["uid"], item["metadata"]["resourceVersion"]) for item in items}

    def _learn(self, operation: Operation, document: Document) -> None:
        """Remember the objects in an answer, unless there are none or it was only tried."""
        key = operation.key
        if document.get("kind") == "Status" or "dryRun" in operation.query or "resourceVersion" in operation.query:
            return
        if "items" not in document:
            document = {**document, "items": [document] if operation.accept == JSON else []}
        elif operation.verb == "list":
            self._seen.setdefault(key, []).append(document)
        for item in document["items"] or ():
            self._note(key.resource, item)

    def _note(self, resource: Resource, item: Document) -> None:
        metadata = item["metadata"]
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **item}
        states = self._seen.setdefault(Key(resource, metadata.get("namespace", ""), metadata["name"]), [])
        if not states or states[-1]["metadata"].get("resourceVersion") != metadata.get("resourceVersion"):
            states.append(whole)

    # -- watching ----------------------------------------------------------------------------------------

    def _watch(self, operation: Operation) -> tuple[Outcome, Any]:
        """Return the events since a revision up to the sentinel, which is made for it and deleted again."""
        key = operation.key
        made = key.resource.path(key.namespace)
        query = {name: self._resolved(value) for name, value in operation.query.items()}
        query |= {"watch": 1, "timeoutSeconds": 5}
        if not query["resourceVersion"]:
            query["resourceVersion"] = succeeded(self.api.request("GET", made))["metadata"]["resourceVersion"]
        succeeded(self.api.request("POST", made, operation.sentinel), 201)
        succeeded(self.api.request("DELETE", f"{made}/{SENTINEL}"))
        events: list[Document] = []
        try:
            with self.api.stream(with_query(made, **query), seconds=STREAM_SECONDS) as stream:
                for event in stream:
                    events.append(event)
                    if event["object"]["metadata"].get("name") == SENTINEL and event["type"] == "DELETED":
                        break
        except NothingCame:
            pass
        return Outcome(200, content=[self._say.event(event) for event in events]), events

    # -- cleaning ----------------------------------------------------------------------------------------

    def _collect(self, operation: Operation) -> None:
        """Do what a garbage collector does with an object that has no dependents: take its finalizer away."""
        key = operation.key
        listed = self.api.request("GET", key.resource.path(key.namespace)).json
        for item in listed["items"]:
            metadata = item["metadata"]
            finalizers = metadata.get("finalizers", [])
            if "deletionTimestamp" in metadata and set(finalizers) & set(COLLECTOR_FINALIZERS):
                left = [each for each in finalizers if each not in COLLECTOR_FINALIZERS]
                self._set_finalizers(key.resource, item, left)

    def _set_finalizers(self, resource: Resource, item: Document, finalizers: list[str]) -> None:
        metadata = item["metadata"]
        path = resource.path(metadata.get("namespace", ""), quote(metadata["name"], safe=""))
        headers = {"Content-Type": MERGE_PATCH}
        body = {"metadata": {"finalizers": finalizers or None}}
        succeeded(self.api.request("PATCH", path, body, headers=headers))

    def clean(self, kinds: Sequence[Kind]) -> None:
        """Delete everything that a sequence has left."""
        for kind in kinds:
            for item in succeeded(self.api.request("GET", kind.resource.path()))["items"]:
                if not ours(item):
                    continue
                if item["metadata"].get("finalizers"):
                    self._set_finalizers(kind.resource, item, [])
                name = quote(item["metadata"]["name"], safe="")
                path = kind.resource.path(item["metadata"].get("namespace", ""), name)
                self.api.request("DELETE", path)


METHODS: Mapping[str, str] = {
    "create": "POST", "get": "GET", "list": "GET", "put": "PUT", "patch": "PATCH", "delete": "DELETE",
    "deletecollection": "DELETE",
}  # fmt: skip


def _changed(document: Document, path: tuple[str | int, ...], value: Any) -> Document:
    """Return a document with a change, or as it is where the path leads nowhere in it."""
    try:
        made: Document = changed(document, path, value)
    except (KeyError, IndexError, TypeError, AttributeError):
        return document
    return made


@dataclass(frozen=True)
class Difference:
    """The last of these operations is answered differently."""

    operations: tuple[Operation, ...]
    outcomes: Mapping[str, Outcome]
    said: Mapping[str, Any]


@dataclass
class Pair:
    """Two servers under comparison: the real one, and the one that is to be like it."""

    real: Side
    other: Side
    kinds: Sequence[Kind]
    done: int = 0
    """Operations so far."""
    allowed: Counter[str] = field(default_factory=Counter)
    """Why sequences ended early, and how often."""

    def first_difference(self, operations: Sequence[Operation]) -> Difference | None:
        """Run a sequence from nothing and return where the servers part; None where they do not."""
        for side in (self.real, self.other):
            side.forget()
            side.clean(self.kinds)
        for place, operation in enumerate(operations):
            self.done += 1
            done = {side.name: side.do(operation) for side in (self.real, self.other)}
            outcomes = {name: eased(operation, outcome) for name, (outcome, _) in done.items()}
            if outcomes[self.real.name] != outcomes[self.other.name]:
                said = {name: what for name, (_, what) in done.items()}
                why = allowed(operation, said) if operation.verb != "watch" else ""
                if why:
                    self.allowed[why] += 1
                    return None
                return Difference(tuple(operations[: place + 1]), outcomes, said)
        return None

    def shortest(self, found: Difference, tries: int) -> Difference:
        """Leave operations out as long as the last one is still answered differently."""
        size = len(found.operations) // 2
        while size and tries:
            place = 0
            while place < len(found.operations) - 1 and tries:
                tries -= 1
                kept = found.operations[:place] + found.operations[min(place + size, len(found.operations) - 1) :]
                again = self.first_difference(kept)
                if again is not None:
                    found = again
                else:
                    place += size
            size //= 2
        return found

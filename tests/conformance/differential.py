"""Two servers side by side: each operation is sent to both, and their answers are compared.

It owns what makes answers comparable, the list of the differences that are known and why they may be, and the search
for the shortest sequence that still differs. Messages are not compared: they are words, and the conformance cases
look at those that matter. Everything else in an answer is.
"""

from __future__ import annotations

import http.client
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import quote

from tests.conformance.api import (
    JSON_PATCH,
    MERGE_PATCH,
    PARTIAL_LIST,
    STRATEGIC_PATCH,
    STREAM_SECONDS,
    Answer,
    Api,
    Document,
    NothingCame,
    with_query,
)
from tests.conformance.expect import eventually, succeeded
from tests.conformance.grammar import Kind, changed
from tests.conformance.operations import NAMESPACES, SENTINEL, Key, Operation, Ref
from tests.conformance.resources import Resource

COLLECTOR_FINALIZERS = ("foregroundDeletion", "orphan")


class Outcome(NamedTuple):
    """An answer, or the events of a watch, in a form that two servers have in common."""

    status: int
    reason: str = ""
    causes: frozenset[tuple[str, str]] = frozenset()
    content: Any = None

    def __str__(self) -> str:
        said = [str(self.status), self.reason, *(f"{field}: {reason}" for reason, field in sorted(self.causes))]
        return " ".join(filter(None, said)) + (f" {self.content}" if self.content is not None else "")


# -- known differences -----------------------------------------------------------------------------------


class Easing(NamedTuple):
    """A known difference that is taken out of both outcomes."""

    why: str
    apply: Callable[[Operation, Outcome], Outcome]


def _old_reasons(_: Operation, outcome: Outcome) -> Outcome:
    newer = ("FieldValueTypeInvalid", "FieldValueTooLong", "FieldValueTooMany")
    causes = ((("FieldValueInvalid" if reason in newer else reason), where) for reason, where in outcome.causes)
    return outcome._replace(causes=frozenset(causes))


def _without_indexes(operation: Operation, outcome: Outcome) -> Outcome:
    if "example.com" not in operation.key.resource.group:
        return outcome
    causes = ((reason, re.sub(r"\[\d+\]", "", where)) for reason, where in outcome.causes)
    return outcome._replace(causes=frozenset(causes))


def _without_count(operation: Operation, outcome: Outcome) -> Outcome:
    if operation.accept != PARTIAL_LIST or "items" not in (outcome.content or {}):
        return outcome
    metadata = {key: value for key, value in outcome.content["metadata"].items() if key != "remainingItemCount"}
    return outcome._replace(content={**outcome.content, "metadata": metadata})


def _in_order(operation: Operation, outcome: Outcome) -> Outcome:
    if "resourceVersion" not in operation.query or "items" not in (outcome.content or {}):
        return outcome

    def place(item: Document) -> tuple[str, str]:
        return item["metadata"].get("namespace", ""), item["metadata"]["name"]

    items = sorted(outcome.content["items"], key=place)
    return outcome._replace(content={**outcome.content, "items": items})


def _no_rules(operation: Operation, outcome: Outcome) -> Outcome:
    if operation.key.resource.kind != "Role" or "rules" not in (outcome.content or {}):
        return outcome
    return outcome._replace(content={**outcome.content, "rules": outcome.content["rules"] or None})


EASINGS = (
    Easing("newer releases have reasons of their own for wrong types and for what is too long", _old_reasons),
    Easing("before 1.25 the fields of causes in custom resources had no indexes of lists", _without_indexes),
    Easing("before 1.23 a list of metadata did not say how many items remain", _without_count),
    Easing("no rules are [] in an answer that does not come from storage, and null in all others", _no_rules),
    Easing("before 1.31 what a server answered from its cache was in no order", _in_order),
)


class Allowance(NamedTuple):
    """A known difference after which the two servers hold different things, so that the sequence ends there."""

    why: str
    explains: Callable[[Operation, Answer, Answer], bool]
    """Whether it explains the difference between the real server's answer and the other's."""


def _empty_text(operation: Operation, real: Answer, _: Answer) -> bool:
    if "example.com" not in operation.key.resource.group or real.status != 422:
        return False
    return any('must be of type string: "null"' in cause["message"] for cause in _causes(real))


def _panic(operation: Operation, real: Answer, _: Answer) -> bool:
    return real.status == BROKEN and (operation.verb == "patch" or operation.key.resource.kind == "Widget")


def _generated_name(_: Operation, real: Answer, other: Answer) -> bool:
    return (real.status, other.status) == (500, 409) and real.json.get("reason") == "ServerTimeout"


def _noted(operation: Operation, real: Answer, other: Answer) -> bool:
    if operation.verb not in ("put", "patch") or not real.status == other.status == 200:
        return False
    mine, others = ({key: value for key, value in said.json.items() if key != "metadata"} for said in (real, other))
    return mine == others and real.json["metadata"].get("labels") == other.json["metadata"].get("labels")


def _bad_patch(operation: Operation, real: Answer, other: Answer) -> bool:
    return operation.verb == "patch" and (real.status, other.status) == (500, 400)


def _storage_only(operation: Operation, real: Answer, other: Answer) -> bool:
    return operation.query.get("resourceVersionMatch") == "NotOlderThan" and (real.status, other.status) == (400, 500)


def _null_in_list(operation: Operation, *_: Answer) -> bool:
    return operation.content_type == MERGE_PATCH and _has_null_in_list(operation.body)


def _nil_map(_: Operation, real: Answer, other: Answer) -> bool:
    if real.status != 422 or other.status not in (200, 422):
        return False
    more = [cause for cause in _causes(real) if cause not in _causes(other)]
    return bool(more) and all(cause["message"].endswith("when `immutable` is set") for cause in more)


def _causes(answer: Answer) -> list[Document]:
    found: list[Document] = answer.json.get("details", {}).get("causes", [])
    return found


def _new_null(operation: Operation, *_: Answer) -> bool:
    return operation.content_type == STRATEGIC_PATCH and _has_null(operation.body)


def _has_null(value: Any) -> bool:
    if isinstance(value, dict):
        here = None in value.values() or any(key.startswith("$") for key in value)
        return here or any(map(_has_null, value.values()))
    return isinstance(value, list) and any(map(_has_null, value))


def _new_root(operation: Operation, *_: Answer) -> bool:
    steps = operation.body if operation.content_type == JSON_PATCH else None
    return isinstance(steps, list) and any(isinstance(step, dict) and step.get("path") == "" for step in steps)


def _has_null_in_list(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_null_in_list, value.values()))
    return isinstance(value, list) and (None in value or any(map(_has_null_in_list, value)))


def _bytes_as_list(operation: Operation, real: Answer, other: Answer) -> bool:
    refused = "cannot unmarshal array into Go struct field"
    return any(f"{refused} {field}" in other.text for field in ("Secret.data", "ConfigMap.binaryData"))


ALLOWANCES = (
    Allowance("before 1.22 a merge patch lost the nulls in lists", _null_in_list),
    Allowance("before 1.22 a strategic patch kept nulls and directives in what was new", _new_null),
    Allowance("before 1.22 a JSON patch could not replace the whole document", _new_root),
    Allowance("to Go an empty map is not an absent one when it looks for changes of what is immutable", _nil_map),
    Allowance("Go reads bytes from lists of numbers as well, and nobody sends them", _bytes_as_list),
    Allowance("before 1.22 an empty text in a custom resource was taken for null", _empty_text),
    Allowance("release 1.20 falls over whole numbers that are to be multiples, and over some patches", _panic),
    Allowance("before 1.30 a name that was taken could be a generated one, and worth another try", _generated_name),
    Allowance("before 1.22 a write of a status that changed nothing was noted in managedFields", _noted),
    Allowance("before 1.26 a patch that is none was an internal error", _bad_patch),
    Allowance("release 1.20 with resourceVersionMatch lists from its storage, whose error differs", _storage_only),
)


# -- outcomes --------------------------------------------------------------------------------------------


class Ordinals:
    """Numbers for what a server makes up, in the order in which it is first seen."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._count = count(1)

    def __call__(self, value: object) -> str:
        if not value or not isinstance(value, str):
            return repr(value)
        if value not in self._numbers:
            self._numbers[value] = next(self._count)
        return f"#{self._numbers[value]}"


class Normaliser:
    """Puts what one server says into words that are not its own."""

    def __init__(self) -> None:
        self._uids, self._revisions = Ordinals(), Ordinals()

    def answer(self, answer: Answer) -> Outcome:
        """Return the outcome of a plain request."""
        try:
            document = answer.json
        except ValueError:
            return Outcome(answer.status, content=answer.text if answer.status < 400 else None)
        if document.get("kind") == "Status":
            return self.status(document, answer.status)
        if "items" in document:
            return Outcome(answer.status, content=self.listed(document))
        return Outcome(answer.status, content=self.object(document))

    def status(self, document: Document, code: int) -> Outcome:
        """Return the outcome that a Status tells: not its words."""
        details = dict(document.get("details") or {})
        causes = frozenset((each.get("reason", ""), each.get("field", "")) for each in details.pop("causes", ()))
        if "uid" in details:
            details["uid"] = self._uids(details["uid"])
        said = {key: document.get(key) for key in ("status", "code")}
        return Outcome(code, document.get("reason", ""), causes, {**said, "details": details})

    def listed(self, document: Document) -> Document:
        """Return a list: of its revision nothing can be said, since others write as well."""
        metadata = {**document["metadata"], "resourceVersion": document["metadata"]["resourceVersion"].isdigit()}
        metadata.pop("selfLink", None)
        if "continue" in metadata:
            metadata["continue"] = bool(metadata["continue"])
        items = [self.object(item) for item in document["items"] or () if _ours(item)]
        return {**document, "metadata": metadata, "items": items}

    def object(self, document: Document) -> Document:
        """Return an object without what is a server's own."""
        document = _without_managers(document)
        metadata = document["metadata"]
        for key, say in (("uid", self._uids), ("resourceVersion", self._revisions)):
            if key in metadata:
                metadata[key] = say(metadata[key])
        for key in ("creationTimestamp", "deletionTimestamp"):
            if metadata.get(key):
                metadata[key] = "some time"
        return {**document, "metadata": metadata}

    def event(self, event: Document) -> tuple[str, Any]:
        """Return an event of a watch."""
        if event["type"] == "ERROR":
            return event["type"], self.status(event["object"], 0)
        return event["type"], self.object(event["object"])


def _ours(item: Document) -> bool:
    return item["metadata"].get("namespace", NAMESPACES[0]) in NAMESPACES


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
            document = _without_managers(state) if state else ref.key.resource.body(ref.key.name)
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
            document = {**document, "items": [document] if operation.accept == JSON_ONLY else []}
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
        headers = {"Content-Type": "application/merge-patch+json"}
        body = {"metadata": {"finalizers": finalizers or None}}
        succeeded(self.api.request("PATCH", path, body, headers=headers))

    def clean(self, kinds: Sequence[Kind]) -> None:
        """Delete everything that a sequence has left."""
        for kind in kinds:
            for item in succeeded(self.api.request("GET", kind.resource.path()))["items"]:
                if not _ours(item):
                    continue
                if item["metadata"].get("finalizers"):
                    self._set_finalizers(kind.resource, item, [])
                name = quote(item["metadata"]["name"], safe="")
                path = kind.resource.path(item["metadata"].get("namespace", ""), name)
                self.api.request("DELETE", path)


JSON_ONLY = "application/json"
BROKEN = 0
"""Stands for the status of a request that a server answered with nothing."""
METHODS: Mapping[str, str] = {
    "create": "POST", "get": "GET", "list": "GET", "put": "PUT", "patch": "PATCH", "delete": "DELETE",
    "deletecollection": "DELETE",
}  # fmt: skip


def _without_managers(document: Document) -> Document:
    metadata = {key: value for key, value in document["metadata"].items() if key not in ("managedFields", "selfLink")}
    return {**document, "metadata": metadata}


def _changed(document: Document, path: tuple[str | int, ...], value: Any) -> Document:
    """Return a document with a change, or as it is where the path leads nowhere in it."""
    try:
        made: Document = changed(document, path, value)
    except (KeyError, IndexError, TypeError, AttributeError):
        return document
    return made


def eased(operation: Operation, outcome: Outcome) -> Outcome:
    """Return an outcome without the differences that are known."""
    for easing in EASINGS:
        outcome = easing.apply(operation, outcome)
    return outcome


def allowed(operation: Operation, said: Mapping[str, Answer]) -> str:
    """Return why two answers may differ; "" where nothing explains it."""
    return next((each.why for each in ALLOWANCES if each.explains(operation, *said.values())), "")


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

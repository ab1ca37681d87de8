"""What two servers say side by side: what makes answers comparable, and which differences are known.

Messages are not compared: they are words, and the conformance cases look at those that matter. Everything else in an
answer is. A difference that may be is in one of the two lists here, with the reason why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, NamedTuple

from tests.conformance.api import JSON_PATCH, MERGE_PATCH, PARTIAL_LIST, STRATEGIC_PATCH, Answer, Document
from tests.conformance.operations import NAMESPACES, Operation, Ref

BROKEN = 0
"""Stands for the status of a request that a server answered with nothing."""


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
    items = sorted(outcome.content["items"], key=_place)
    return outcome._replace(content={**outcome.content, "items": items})


def _place(item: Document) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _no_rules(operation: Operation, outcome: Outcome) -> Outcome:
    if operation.key.resource.kind != "Role" or "rules" not in (outcome.content or {}):
        return outcome
    return outcome._replace(content={**outcome.content, "rules": outcome.content["rules"] or None})


EASINGS = (
    Easing("newer releases have reasons of their own for wrong types and for what is too long", _old_reasons),
    Easing("in release 1.20 the fields of causes in custom resources have no indexes of lists", _without_indexes),
    Easing("in release 1.20 a list of metadata does not say how many items remain", _without_count),
    Easing("no rules are [] in an answer that does not come from storage, and null in all others", _no_rules),
    Easing("what release 1.20 answers from its cache is in no order", _in_order),
)


class Allowance(NamedTuple):
    """A known difference after which the two servers hold different things, so that the sequence ends there."""

    why: str
    explains: Callable[[Operation, Answer, Answer], bool]
    """Whether it explains the difference between the real server's answer and the other's."""


def _empty_text(operation: Operation, real: Answer, _: Answer) -> bool:
    if "example.com" not in operation.key.resource.group or real.status != 422:
        return False
    return any(cause["message"].endswith('string: "null"') for cause in _causes(real))


def _panic(operation: Operation, real: Answer, _: Answer) -> bool:
    return real.status == BROKEN and (operation.verb == "patch" or operation.key.resource.kind == "Widget")


def _generated_name(_: Operation, real: Answer, other: Answer) -> bool:
    return (real.status, other.status) == (500, 409) and real.json.get("reason") == "ServerTimeout"


def _noted(operation: Operation, real: Answer, other: Answer) -> bool:
    if operation.verb not in ("put", "patch") or not real.status == other.status == 200:
        return False
    return _but_revision(real.json) == _but_revision(other.json)


def _whole_fraction(operation: Operation, real: Answer, other: Answer) -> bool:
    if not real.status == other.status == 200 or not _has_whole_fraction(operation.body):
        return False
    documents = [_but_revision(answer.json) for answer in (real, other)]
    for document in documents:
        document["metadata"].pop("generation", None)
    return documents[0] == documents[1]


def _has_whole_fraction(value: Any) -> bool:
    if isinstance(value, Ref):
        return any(_has_whole_fraction(change) for _, change in value.changes)
    if isinstance(value, dict | list):
        return any(map(_has_whole_fraction, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) and value.is_integer()


def _judged_in_part(operation: Operation, real: Answer, other: Answer) -> bool:
    body = operation.body
    if "example.com" not in operation.key.resource.group or not isinstance(body, dict):
        return False
    refused = real.status >= 400 and other.status >= 400
    return refused and (not body.get("apiVersion") or body.get("kind") != operation.key.resource.kind)


def _but_revision(document: Document) -> Document:
    own = ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "managedFields", "selfLink")
    return {**document, "metadata": {key: value for key, value in document["metadata"].items() if key not in own}}


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
    Allowance("in release 1.20 a merge patch loses the nulls in lists", _null_in_list),
    Allowance("in release 1.20 a strategic patch keeps nulls and directives in what is new", _new_null),
    Allowance("in release 1.20 a JSON patch cannot replace the whole document", _new_root),
    Allowance("to Go an empty map is not an absent one when it looks for changes of what is immutable", _nil_map),
    Allowance("to Go 1.0 is not 1, and what is stored is 1, so that writing 1.0 again is a change", _whole_fraction),
    Allowance("what is of another kind has other faults too, and the order of telling them is odd", _judged_in_part),
    Allowance("Go reads bytes from lists of numbers as well, and nobody sends them", _bytes_as_list),
    Allowance("release 1.20 takes an empty text in a custom resource for null", _empty_text),
    Allowance("release 1.20 falls over whole numbers that are to be multiples, and over some patches", _panic),
    Allowance("in release 1.20 a name that is taken beside generateName is worth another try", _generated_name),
    Allowance("before 1.22 a write of a status that changed nothing was noted in managedFields", _noted),
    Allowance("before 1.26 a patch that is none was an internal error", _bad_patch),
    Allowance("release 1.20 with resourceVersionMatch lists from its storage, whose error differs", _storage_only),
)


def eased(operation: Operation, outcome: Outcome) -> Outcome:
    """Return an outcome without the differences that are known."""
    for easing in EASINGS:
        outcome = easing.apply(operation, outcome)
    return outcome


def allowed(operation: Operation, said: Mapping[str, Answer]) -> str:
    """Return why two answers may differ; "" where nothing explains it."""
    return next((each.why for each in ALLOWANCES if each.explains(operation, *said.values())), "")


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
        items = [item for item in document["items"] or () if ours(item)]
        for item in sorted(items, key=_place):
            self.object(item)  # numbers are given in this order, whatever the order of the list
        items = [self.object(item) for item in items]
        return {**document, "metadata": metadata, "items": items}

    def object(self, document: Document) -> Document:
        """Return an object without what is a server's own."""
        document = without_managers(document)
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


def ours(item: Document) -> bool:
    return item["metadata"].get("namespace", NAMESPACES[0]) in NAMESPACES


def without_managers(document: Document) -> Document:
    metadata = {key: value for key, value in document["metadata"].items() if key not in ("managedFields", "selfLink")}
    return {**document, "metadata": metadata}

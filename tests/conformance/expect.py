"""What a case expects of answers: success, or a refusal with its reason and the key words of its message."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.conformance.api import Answer, Document

POLL_SECONDS = 0.02


def succeeded(answer: Answer, status: int = 200) -> Document:
    """Return the document of an answer that must have this status."""
    assert answer.status == status, answer
    return answer.json


def refused(answer: Answer, status: int, reason: str | None, *words: str) -> Document:
    """Return the Status of a refusal that must have this code, this reason and these words in its message.

    ``reason`` None stands for a Status without one.
    """
    assert answer.status == status, answer
    document = answer.json
    said = {key: document.get(key) for key in ("kind", "apiVersion", "status", "code", "reason")}
    expected = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "reason": reason}
    assert said == expected, answer
    for each in words:
        assert each in document["message"], answer
    return document


def named_in(listed: Mapping[str, Any]) -> list[str]:
    """Return the names of a list's items."""
    return [item["metadata"]["name"] for item in listed["items"]]


def causes(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the causes of a Status: reason and field of each."""
    listed = status["details"].get("causes", [])
    return [(cause["reason"], cause.get("field", "")) for cause in listed]


def eventually(probe: Callable[[], object], what: str = "it", seconds: float = 15.0) -> None:
    """Wait until a probe is true: for what a server does soon, but not before it answers."""
    deadline = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(POLL_SECONDS)


def revision(document: Mapping[str, Any]) -> str:
    """Return the resourceVersion of an object or a list."""
    version: str = document["metadata"]["resourceVersion"]
    return version

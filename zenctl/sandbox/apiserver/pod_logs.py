"""Logs of pods that nobody runs: text that was loaded, given out as the log subresource does.

The lines carry no times of their own, so what selects or shows times is refused, and so is following.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from zenctl.sandbox.apiserver.causes import invalid_value
from zenctl.sandbox.apiserver.errors import ApiError, bad_request, invalid
from zenctl.sandbox.apiserver.listing import number
from zenctl.sandbox.apiserver.objects import Json
from zenctl.sandbox.apiserver.routes import truth

_WITHOUT_TIMES = ("sinceSeconds", "sinceTime")


class LogKey(NamedTuple):
    """Whose log it is; ``previous`` is that of the container's last but one run."""

    namespace: str
    pod: str
    container: str
    previous: bool = False


class PodLogs:
    """The logs that were loaded."""

    def __init__(self) -> None:
        self._texts: dict[LogKey, bytes] = {}

    def put(self, key: LogKey, text: bytes) -> None:
        """Keep a log in place of what was there."""
        self._texts[key] = text

    def clear(self) -> None:
        """Forget every log."""
        self._texts.clear()

    def items(self) -> list[tuple[LogKey, bytes]]:
        """Return everything that was loaded."""
        return sorted(self._texts.items())

    def read(self, pod: Json, query: Mapping[str, str]) -> bytes:
        """Return what a client asks for of a pod's log. Raises ApiError."""
        for name in _WITHOUT_TIMES:
            if query.get(name):
                raise _not_served(f"the loaded lines carry no times, so {name} cannot be served")
        if truth(query.get("timestamps", "")):
            raise _not_served("the loaded lines carry no times, so timestamps cannot be served")
        if truth(query.get("follow", "")):
            raise _not_served("nothing runs here, so no log grows, and following is not served")
        metadata = pod["metadata"]
        container, previous = _container(pod, query.get("container", "")), truth(query.get("previous", ""))
        found = self._texts.get(LogKey(metadata["namespace"], metadata["name"], container, previous))
        if found is None and previous:
            raise bad_request(f'previous terminated container "{container}" in pod "{metadata["name"]}" not found')
        if found is None:
            raise bad_request(
                f'container "{container}" in pod "{metadata["name"]}" is waiting to start: no log was loaded for it'
            )
        return _cut(found, query)


def _cut(text: bytes, query: Mapping[str, str]) -> bytes:
    if "tailLines" in query:
        lines = text.splitlines(keepends=True)
        wanted = _natural("tailLines", query["tailLines"])
        text = b"".join(lines[len(lines) - wanted :] if wanted < len(lines) else lines) if wanted else b""
    if "limitBytes" in query:
        text = text[: _natural("limitBytes", query["limitBytes"])]
    return text


def _natural(name: str, text: str) -> int:
    found = number(name, text)
    if found < 0:
        raise invalid("PodLogOptions", "", "", [invalid_value(name, found, "must be greater than or equal to 0")])
    return found


def _container(pod: Json, asked: str) -> str:
    spec = pod.get("spec", {})
    groups = ("containers", "initContainers", "ephemeralContainers")
    names = {
        group: [str(each.get("name")) for each in spec.get(group) or () if isinstance(each, Mapping)]
        for group in groups
    }
    everyone = [name for group in groups for name in names[group]]
    name = pod["metadata"]["name"]
    if asked:
        if asked not in everyone:
            raise bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    if len(names["containers"]) != 1:
        listed = f"[{' '.join(names['containers'])}]"
        beside = f" or one of the init containers: [{' '.join(names['initContainers'])}]" * bool(
            names["initContainers"]
        )
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: {listed}{beside}")
    return names["containers"][0]


def _not_served(why: str) -> ApiError:
    return ApiError(501, "NotImplemented", why)

"""How people name an Observation on the command line: NAME, NAMESPACE/NAME or RESOURCE/NAMESPACE/NAME.

Reads text and nothing else; whether there is such an object is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from zenctl.errors import UsageError

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAMESPACE = re.compile(rf"(?!.{{64}}){_LABEL}", re.ASCII)
_NAME = re.compile(rf"(?!.{{254}}){_LABEL}(\.{_LABEL})*", re.ASCII)


class Name(NamedTuple):
    """What a person called an Observation; what they left out is ""."""

    resource: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(filter(None, self))


def parse_names(texts: Iterable[str], namespace: str) -> tuple[Name, ...]:
    """Read names, each of them once; ``namespace`` is what -n says, or "". Raises UsageError."""
    return tuple(dict.fromkeys(_parse(text, namespace) for text in texts))


def _parse(text: str, namespace: str) -> Name:
    parts = text.split("/")
    if not 1 <= len(parts) <= 3:
        raise _no_name(text)
    resource, own, name = ["", "", *parts][-3:]
    if own and namespace and own != namespace:
        raise UsageError(f"{text!r} names another namespace than -n {namespace}", hint="leave one of the two out")
    read = Name(resource, own or namespace, name)
    complete = all(parts) and _NAME.fullmatch(name)
    if not complete or (read.namespace and not _NAMESPACE.fullmatch(read.namespace)):
        raise _no_name(text)
    return read


def _no_name(text: str) -> UsageError:
    return UsageError(f"{text!r} cannot be the name of an Observation", hint="write NAME or NAMESPACE/NAME")

"""How people name an Observation on the command line: NAME or NAMESPACE/NAME.

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
    """What a person called an Observation; the namespace is "" where they left it out."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def parse_names(texts: Iterable[str], namespace: str) -> tuple[Name, ...]:
    """Read names, each of them once; ``namespace`` is what -n says, or "". Raises UsageError."""
    return tuple(dict.fromkeys(_parse(text, namespace) for text in texts))


def _parse(text: str, namespace: str) -> Name:
    own, slash, name = text.rpartition("/")
    if own and namespace and own != namespace:
        raise UsageError(f"{text!r} names another namespace than -n {namespace}", hint="leave one of the two out")
    read = Name(own or namespace, name)
    bad_namespace = (slash and not own) or (read.namespace and not _NAMESPACE.fullmatch(read.namespace))
    if bad_namespace or not _NAME.fullmatch(name):
        raise UsageError(f"{text!r} cannot be the name of an Observation", hint="write NAME or NAMESPACE/NAME")
    return read

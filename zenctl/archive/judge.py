"""Level 3, one member at a time: whether each line is an object, and fits what its kind must fit.

Verification asks it of what it reads, and the writer of what it is about to encrypt. Which schema an object must
fit is the caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from zenctl.archive.format import Resource
from zenctl.archive.members import key_of
from zenctl.errors import Damaged

Check = Callable[[Resource, bytes], Sequence[str]]
"""Says what is wrong with an object of a resource, given its line."""


class Flaw(NamedTuple):
    """What is wrong with one object; ``key`` is "" where it has none that can be read."""

    number: int
    key: str
    what: str


def flaws(resource: Resource, lines: Sequence[bytes], check: Check | None) -> Iterator[Flaw]:
    """Yield what is wrong with the objects of one member, counted from 1."""
    for number, line in enumerate(lines, 1):
        try:
            key = key_of(line)
            msgspec.json.decode(line)
        except (Damaged, ValueError, RecursionError) as error:
            yield Flaw(number, "", str(error))
            continue
        for problem in check(resource, line) if check else ():
            yield Flaw(number, key, problem)

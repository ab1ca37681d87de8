"""A policy file: several rules with their own ages, read and checked. Pure.

    rules:
      - name: critical findings stay
        severity: CRITICAL
        phase: any
        olderThan: never
      - name: resolved
        phase: Resolved
        olderThan: 7d

Every rule says from what phases it deletes: one that forgot to would delete what is still open. Errors name the line.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

import msgspec

from zenctl.cleanup.judge import Policy, Rule
from zenctl.core.durations import ACCEPTED, parse_duration
from zenctl.core.marked import Marked, Path, bad, convert, read_marked
from zenctl.core.observation import AgeSource, Phase, Severity
from zenctl.core.selectors import LabelSelector, parse_label_selector

ANY = "any"
NEVER = "never"
_Word = TypeVar("_Word", bound=StrEnum)
_Words = str | list[str]


class _RuleText(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    older_than: str | int | float
    phase: _Words
    name: str = ""
    severity: _Words = ()  # type: ignore[assignment]  # a default that nobody can change
    source: _Words = ()  # type: ignore[assignment]
    category: _Words = ()  # type: ignore[assignment]
    namespace: _Words = ()  # type: ignore[assignment]
    labels: str = ""
    age_from: str = AgeSource.AUTO.value
    ignore_last_seen: bool = False


class _PolicyText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: list[_RuleText]


def parse_policy(data: bytes, origin: str) -> Policy:
    """Return the policy in a file's content. Raises BadValue, whose message names the line."""
    marked = read_marked(data)
    found = convert(marked, _PolicyText)
    if not found.rules:
        raise bad(marked, ("rules",), "there is no rule in it")
    rules = tuple(_rule(marked, text, place) for place, text in enumerate(found.rules))
    names = [rule.name for rule in rules]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise bad(marked, ("rules", place, "name"), f"another rule has the name {name!r}")
    return Policy(rules, origin)


def _rule(marked: Marked, text: _RuleText, place: int) -> Rule:
    at: Path = ("rules", place)

    def words(field: str, value: _Words) -> list[str]:
        values = [value] if isinstance(value, str) else list(value)
        if any(not word.strip() for word in values):
            raise bad(marked, (*at, field), f"{field}: an empty word selects nothing")
        return values

    phases = words("phase", text.phase)
    if not phases:
        raise bad(marked, (*at, "phase"), f"phase: there is none in the list; write {ANY} for every phase")
    return Rule(
        name=text.name or f"rule {place + 1}",
        older_than=_older_than(marked, (*at, "olderThan"), str(text.older_than)),
        phases=None if phases == [ANY] else _known(marked, (*at, "phase"), Phase, phases),
        severities=_known(marked, (*at, "severity"), Severity, words("severity", text.severity)),
        sources=_any_case(words("source", text.source)),
        categories=_any_case(words("category", text.category)),
        namespaces=frozenset(words("namespace", text.namespace)),
        labels=_labels(marked, (*at, "labels"), text.labels),
        age_from=AgeSource(next(iter(_known(marked, (*at, "ageFrom"), AgeSource, [text.age_from])))),
        ignore_last_seen=text.ignore_last_seen,
    )


def _older_than(marked: Marked, path: Path, text: str) -> timedelta | None:
    if text == NEVER:
        return None
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise bad(marked, path, f"olderThan: {error}; write one {ACCEPTED}, or {NEVER}") from None
    if not found:
        raise bad(marked, path, f"olderThan: {text!r} is no time at all; write one {ACCEPTED}, or {NEVER}")
    return found


def _known(marked: Marked, path: Path, kind: type[_Word], found: Iterable[str]) -> frozenset[str]:
    """Return words of a closed set as it writes them; any case is read."""
    by_case = {member.value.casefold(): member.value for member in kind}
    known = set()
    for word in found:
        if word.casefold() not in by_case:
            raise bad(marked, path, f"{path[-1]}: {word!r} is none of {', '.join(by_case.values())}")
        known.add(by_case[word.casefold()])
    return frozenset(known)


def _any_case(found: Iterable[str]) -> frozenset[str]:
    return frozenset(word.casefold() for word in found)


def _labels(marked: Marked, path: Path, text: str) -> LabelSelector:
    try:
        return parse_label_selector(text)
    except ValueError as error:
        raise bad(marked, path, f"labels: {error}") from None

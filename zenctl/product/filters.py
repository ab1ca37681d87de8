"""Which events are kept: the rules of the filter, what each of them is called, and their order.

The rules come as JSON or YAML from the ConfigMap zen-watcher-filter; the reasons are label values of
metrics. One event's facts in, a reason or nothing out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from zenctl.core.marked import Path
from zenctl.core.observation import SEVERITY_ORDER, Severity
from zenctl.product.located import Located, described, read
from zenctl.product.sources import canonical


class Reason(StrEnum):
    """Why an event was dropped."""

    SELF = "self"
    SOURCE_DISABLED = "source_disabled"
    INCLUDE_SEVERITY = "include_severity"
    MIN_SEVERITY = "min_severity"
    EXCLUDE_EVENT_TYPE = "exclude_event_type"
    INCLUDE_EVENT_TYPE = "include_event_type"
    EXCLUDE_NAMESPACE = "exclude_namespace"
    INCLUDE_NAMESPACE = "include_namespace"
    EXCLUDE_KIND = "exclude_kind"
    INCLUDE_KIND = "include_kind"
    EXCLUDE_CATEGORY = "exclude_category"
    INCLUDE_CATEGORY = "include_category"
    EXCLUDE_RULE = "exclude_rule"
    INCLUDE_RULE = "include_rule"
    EXCLUDE_ACTOR = "exclude_actor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a filter may know of an event; ``rules`` are names of what found it: a CVE, a policy, a check."""

    source: str
    severity: Severity
    event_type: str
    category: str
    namespace: str
    kind: str
    group: str = ""
    rules: tuple[str, ...] = ()
    actor: str = ""


Patterns = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds for one source; an empty include means everything. A pattern may end in "*"."""

    enabled: bool = True
    min_severity: Severity | None = None
    include_severity: frozenset[Severity] = frozenset()
    exclude_event_types: Patterns = ()
    include_event_types: Patterns = ()
    exclude_namespaces: Patterns = ()
    include_namespaces: Patterns = ()
    exclude_kinds: Patterns = ()
    include_kinds: Patterns = ()
    exclude_categories: Patterns = ()
    include_categories: Patterns = ()
    exclude_rules: Patterns = ()
    include_rules: Patterns = ()
    exclude_actors: Patterns = ()


CONTROLLERS = ("system:serviceaccount:kube-system:*", "system:node:*", "system:kube-*", "system:apiserver")
"""Those who change a cluster all day without anybody having asked: its controllers, its nodes, itself."""

DEFAULTS: Mapping[str, Rules] = {
    "audit": Rules(exclude_actors=CONTROLLERS),
    "falco": Rules(min_severity=Severity.MEDIUM),
}
"""What holds where the configuration says nothing; a key that it has replaces the key here."""


@dataclass(frozen=True, slots=True)
class Own:
    """What is the installation's own: its API group, its service accounts and the components of its Events."""

    group: str
    accounts: Patterns
    components: frozenset[str] = frozenset({"zen-watcher", "zenctl"})

    def made(self, facts: Facts) -> bool:
        """Say whether an event is about the installation's own work.

        Only the audit log and Events tell of it. Were they not dropped, each Observation written or
        deleted would make another one.
        """
        if facts.source == "audit":
            return facts.group == self.group or _any(self.accounts, facts.actor)
        if facts.source == "kubernetes-events":
            return facts.group == self.group or facts.actor in self.components
        return False


def own(group: str, system_namespace: str, accounts: Iterable[str] = ("zen-watcher", "zenctl", "zenctl-*")) -> Own:
    """Return what is the own of an installation in that namespace."""
    return Own(group, tuple(f"system:serviceaccount:{system_namespace}:{name}" for name in accounts))


@dataclass(frozen=True, slots=True)
class Filter:
    """The rules of all sources, and the namespaces that hold for every one of them."""

    sources: Mapping[str, Rules] = field(default_factory=lambda: DEFAULTS)
    everywhere: Rules = field(default_factory=Rules)
    own: Own | None = None

    def reason(self, facts: Facts) -> Reason | None:
        """Return why an event is to be dropped; None where it is kept."""
        if self.own is not None and self.own.made(facts):
            return Reason.SELF
        rules = self.sources.get(facts.source, self.everywhere)
        return _reason(rules, facts) or _reason(self.everywhere, facts)


def _reason(rules: Rules, facts: Facts) -> Reason | None:
    if not rules.enabled:
        return Reason.SOURCE_DISABLED
    if rules.include_severity:  # a list of severities makes a least one meaningless
        if facts.severity not in rules.include_severity:
            return Reason.INCLUDE_SEVERITY
    elif rules.min_severity and SEVERITY_ORDER[facts.severity] > SEVERITY_ORDER[rules.min_severity]:
        return Reason.MIN_SEVERITY
    # A finding about something cluster-scoped is in no namespace, so no list of namespaces speaks of it.
    namespaces = (facts.namespace,) if facts.namespace else ()
    for excluded, included, values, reasons in (
        (rules.exclude_event_types, rules.include_event_types, (facts.event_type,), _EVENT_TYPE),
        (rules.exclude_namespaces, rules.include_namespaces if namespaces else (), namespaces, _NAMESPACE),
        (rules.exclude_kinds, rules.include_kinds, (facts.kind,), _KIND),
        (rules.exclude_categories, rules.include_categories, (facts.category,), _CATEGORY),
        (rules.exclude_rules, rules.include_rules, facts.rules, _RULE),
        (rules.exclude_actors, (), (facts.actor,) if facts.actor else (), _ACTOR),
    ):
        if any(_any(excluded, value) for value in values):
            return reasons[0]
        if included and not any(_any(included, value) for value in values):
            return reasons[1]
    return None


_EVENT_TYPE = (Reason.EXCLUDE_EVENT_TYPE, Reason.INCLUDE_EVENT_TYPE)
_NAMESPACE = (Reason.EXCLUDE_NAMESPACE, Reason.INCLUDE_NAMESPACE)
_KIND = (Reason.EXCLUDE_KIND, Reason.INCLUDE_KIND)
_CATEGORY = (Reason.EXCLUDE_CATEGORY, Reason.INCLUDE_CATEGORY)
_RULE = (Reason.EXCLUDE_RULE, Reason.INCLUDE_RULE)
_ACTOR = (Reason.EXCLUDE_ACTOR, Reason.EXCLUDE_ACTOR)


def _any(patterns: Patterns, value: str) -> bool:
    """Say whether one of the patterns matches; upper and lower case, "-" and "_" are the same."""
    plain = _folded(value)
    return any(
        plain.startswith(folded[:-1]) if folded.endswith("*") else plain == folded
        for folded in map(_folded, patterns)
    )


def _folded(text: str) -> str:
    return text.lower().replace("_", "-")


# --- reading


_ALIASES = {"ignoreKinds": "excludeKinds"}


def read_filter(data: bytes, *, known: Iterable[str], own: Own | None = None) -> Filter:
    """Return the filter in a text, of sources that are known. Raises ConfigurationError with all that is wrong."""
    document = read(data)
    found = filter_from(document, document.value, (), frozenset(known), own)
    document.done()
    return found


def filter_from(document: Located, value: Any, path: Path, known: frozenset[str], own: Own | None) -> Filter:
    """Return the filter at a place of a document; what is wrong is noted there."""
    body = document.object(value, path, ("sources", "everywhere"))
    everywhere = _rules(document, body.get("everywhere"), (*path, "everywhere"), Rules())
    sources = dict(DEFAULTS)
    given = body.get("sources")
    if given is not None and not isinstance(given, dict):
        document.problem((*path, "sources"), f"is {described(given)}, not an object")
    for key, entry in (given if isinstance(given, dict) else {}).items():
        name, at = canonical(str(key)), (*path, "sources", str(key))
        if name not in known:
            document.problem(at, f"is no source (known are {', '.join(sorted(known))})")
        sources[name] = _rules(document, entry, at, DEFAULTS.get(name, Rules()))
    return Filter(sources, everywhere, own)


def _rules(document: Located, value: Any, path: Path, default: Rules) -> Rules:
    names = {_camel(entry.name): entry.name for entry in fields(Rules)}
    body = document.object(value, path, (*names, *_ALIASES))
    read_as: dict[str, Any] = {entry.name: getattr(default, entry.name) for entry in fields(Rules)}
    for key, entry in body.items():
        name, at = names[_ALIASES.get(key, key)], (*path, key)
        if name == "enabled":
            read_as[name] = _boolean(document, entry, at)
        elif name == "min_severity":
            read_as[name] = _severity(document, entry, at)
        elif name == "include_severity":
            listed = (_severity(document, word, (*at, index)) for index, word in enumerate(document.list(entry, at)))
            read_as[name] = frozenset(filter(None, listed))
        else:
            read_as[name] = _patterns(document, entry, at)
    return Rules(**read_as)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _boolean(document: Located, value: Any, path: Path) -> bool:
    if not isinstance(value, bool):
        document.problem(path, f"is {described(value)}, not true or false")
    return value is not False


def _severity(document: Located, value: Any, path: Path) -> Severity | None:
    try:
        return Severity(str(value).upper())
    except ValueError:
        document.problem(path, f"is {described(value)}, not one of {', '.join(Severity)}")
        return None


def _patterns(document: Located, value: Any, path: Path) -> Patterns:
    listed = document.list(value, path)
    for index, entry in enumerate(listed):
        if not isinstance(entry, str) or not entry or "*" in entry[:-1]:
            document.problem((*path, index), f'is {described(entry)}, not a text that may end in "*"')
    return tuple(str(entry) for entry in listed)

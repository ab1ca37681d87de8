"""Reading the watcher's configuration: a file, then the environment over it, everything wrong found at once.

Bytes and a mapping of variables come in; files and the process's environment are read elsewhere.
"""

from __future__ import annotations

import ipaddress
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from datetime import timedelta
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from zenctl.core.durations import format_duration, parse_duration
from zenctl.core.marked import Path
from zenctl.product.configuration import Configuration, SourceSettings
from zenctl.product.custom import CustomSource, read_custom
from zenctl.product.filters import filter_from, own
from zenctl.product.located import Located, described, read
from zenctl.product.sources import NAMES, SOURCES, canonical

_APART = ("sources", "custom", "filter")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
_NETWORKS = ("allowed_networks", "trusted_proxies")
_DAYS = "OBSERVATION_TTL_DAYS"


class Setting(NamedTuple):
    """One setting, as documentation lists it."""

    path: str
    default: str
    variables: tuple[str, ...]
    help: str


def settings() -> Iterator[Setting]:
    """Yield every setting there is, in the order of the configuration."""
    yield from _settings(Configuration, "")
    yield from _settings(SourceSettings, "sources.NAME.")


def _settings(structure: type, prefix: str) -> Iterator[Setting]:
    hints = get_type_hints(structure)
    for entry in _plain(structure):
        if is_dataclass(hints[entry.name]):
            yield from _settings(hints[entry.name], f"{prefix}{_camel(entry.name)}.")
        else:
            name = f"{prefix}{_camel(entry.name)}"
            yield Setting(name, _shown(entry.default), entry.metadata["variables"], entry.metadata["help"])


def _shown(value: Any) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def read_configuration(data: bytes, environment: Mapping[str, str]) -> Configuration:
    """Return the configuration of a file and the variables that override it.

    Raises ConfigurationError with all that is wrong, each with its line or the name of the variable.
    """
    document = read(data)
    body = document.object(document.value, (), (*map(_camel, _names(Configuration)), *_APART))
    built = _Reader(document, environment).structure(Configuration, body, ())
    custom = _custom(document, body.get("custom"))
    known = frozenset(NAMES) | {source.name for source in custom}
    itself = own(built["api_group"], built["system_namespace"])
    kept = filter_from(document, body.get("filter"), ("filter",), known, itself)
    sources = _sources(document, body.get("sources"), environment, known)
    document.done()
    return Configuration(**built, filter=kept, sources=sources, custom=custom)


def _custom(document: Located, value: Any) -> tuple[CustomSource, ...]:
    found: list[CustomSource] = []
    for index, entry in enumerate(document.list(value, ("custom",))):
        taken = frozenset(NAMES) | {source.name for source in found}
        if source := read_custom(document, entry, ("custom", index), taken):
            found.append(source)
    return tuple(found)


def _sources(
    document: Located, value: Any, environment: Mapping[str, str], known: frozenset[str]
) -> Mapping[str, SourceSettings]:
    if value is not None and not isinstance(value, dict):
        document.problem(("sources",), f"is {described(value)}, not an object")
    given: dict[str, tuple[Any, Path]] = {}
    for key, entry in (value if isinstance(value, dict) else {}).items():
        name = canonical(str(key))
        path: Path = ("sources", str(key))
        if name not in known:
            document.problem(path, f"is no source (known are {', '.join(sorted(known))})")
        given[name] = (entry, path)
    found = {}
    for name in sorted(known):
        entry, path = given.get(name, ({}, ("sources", name)))
        body = document.object(entry, path, map(_camel, _names(SourceSettings)))
        variables = next((source.namespace_variables for source in SOURCES if source.name == name), ())
        namespace = next((environment[variable] for variable in variables if environment.get(variable)), "")
        built = _Reader(document, {}).structure(SourceSettings, body, path)
        found[name] = SourceSettings(**{**built, **({"namespace": namespace} if namespace else {})})
    return found


def _plain(structure: Any) -> list[Field[Any]]:
    return [entry for entry in fields(structure) if structure is not Configuration or entry.name not in _APART]


def _names(structure: type) -> list[str]:
    return [entry.name for entry in _plain(structure)]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class _Reader:
    """Reads one structure of settings after the other, and notes what is wrong in the document."""

    def __init__(self, document: Located, environment: Mapping[str, str]) -> None:
        self._document = document
        self._environment = environment

    def structure(self, structure: Any, body: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """Return the values of a structure's settings, by name; the default stands in for a wrong one."""
        hints = get_type_hints(structure)
        found: dict[str, Any] = {}
        for entry in _plain(structure):
            key, hint = _camel(entry.name), hints[entry.name]
            if is_dataclass(hint):
                inner = self._document.object(body.get(key), (*path, key), map(_camel, _names(hint)))  # type: ignore[arg-type]
                found[entry.name] = hint(**self.structure(hint, inner, (*path, key)))  # type: ignore[operator]
            else:
                found[entry.name] = self._setting(entry, hint, body.get(key), (*path, key))
        return found

    def _setting(self, entry: Field[Any], hint: Any, value: Any, path: Path) -> Any:
        outside = ""
        for variable in entry.metadata["variables"]:
            if self._environment.get(variable, "").strip():
                value, outside = self._environment[variable].strip(), variable
                break
        else:
            if entry.name == "ttl" and (days := self._environment.get(_DAYS, "").strip()):
                value, outside = f"{days}d", _DAYS
        if value is None:
            return entry.default
        try:
            read_as = _value(hint, value, from_text=bool(outside))
            _check(entry, read_as)
        except ValueError as error:
            if outside:
                self._document.elsewhere(outside, str(error))
            else:
                self._document.problem(path, str(error))
            return entry.default
        return read_as


def _value(hint: Any, value: Any, *, from_text: bool) -> Any:
    """Return a value of the type that a setting has. Raises ValueError that completes "setting: is ..."."""
    if isinstance(hint, types.UnionType):
        hint = next(part for part in get_args(hint) if part is not types.NoneType)
    if get_origin(hint) is tuple:
        return _texts(value, from_text=from_text)
    if hint is bool:
        return _boolean(value, from_text=from_text)
    if hint is int:
        if isinstance(value, bool) or not re.fullmatch(r"\d{1,18}", str(value), re.ASCII):
            raise _wrong(value, "a whole number")
        return int(value)
    if hint is timedelta:
        return _duration(value, from_text=from_text)
    if not isinstance(value, str):
        raise _wrong(value, "a text")
    return value


def _wrong(value: Any, expected: str) -> ValueError:
    return ValueError(f"is {described(value)}, not {expected}")


def _texts(value: Any, *, from_text: bool) -> tuple[str, ...]:
    if from_text:
        return tuple(filter(None, (part.strip() for part in str(value).split(","))))
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise _wrong(value, "a list of texts")
    return tuple(value)


def _boolean(value: Any, *, from_text: bool) -> bool:
    if from_text and str(value).lower() in (*_TRUE, *_FALSE):
        return str(value).lower() in _TRUE
    if not isinstance(value, bool):
        raise _wrong(value, "true or false")
    return value


def _duration(value: Any, *, from_text: bool) -> timedelta:
    # The variables whose names end in _SECONDS have always been numbers.
    if from_text and re.fullmatch(r"\d{1,12}", str(value), re.ASCII):
        value = f"{value}s"
    if not isinstance(value, str):
        raise _wrong(value, "a duration such as 90s or 7d")
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ValueError(str(error)) from None


def _check(entry: Field[Any], value: Any) -> None:
    least, most, choices = (entry.metadata[key] for key in ("least", "most", "choices"))
    for part in value if isinstance(value, tuple) else (value,):
        if choices and part not in choices:
            raise ValueError(f"is {part!r}, not one of {', '.join(choices)}")
        if entry.name in _NETWORKS:
            try:
                ipaddress.ip_network(part, strict=False)
            except ValueError:
                raise ValueError(f"{part!r} is neither an address nor a network") from None
        if entry.name in ("namespaces", "namespace", "system_namespace") and part and not _NAMESPACE.fullmatch(part):
            raise ValueError(f"{part!r} cannot be a namespace")
    if least is not None and not least <= value <= most:
        raise ValueError(f"is {_shown(value)}, not {_shown(least)} to {_shown(most)}")

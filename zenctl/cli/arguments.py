"""Options that several commands share by meaning, and their reading into typed values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Annotated, TypeVar

import typer

from zenctl.core.durations import ACCEPTED, parse_duration
from zenctl.core.instants import parse_instant
from zenctl.errors import UsageError

_Choice = TypeVar("_Choice", bound=StrEnum)

NamespaceOption = Annotated[
    str,
    typer.Option("-n", "--namespace", metavar="NS", help="Only this namespace (default all).", show_default=False),
]
SelectorOption = Annotated[
    str,
    typer.Option(
        "-l",
        "--selector",
        metavar="SELECTOR",
        help="Only objects with these labels, as in kubectl.",
        show_default=False,
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.", show_default=False)]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only plan; change nothing.", show_default=False)]
ApiGroupOption = Annotated[
    str,
    typer.Option("--api-group", envvar="ZENCTL_API_GROUP", metavar="GROUP", help="API group of the Observations."),
]


def duration(option: str, text: str) -> timedelta:
    """Read an option that is a duration longer than nothing. Raises UsageError."""
    hint = f"write one {ACCEPTED}"
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", hint=hint) from None
    if not found:
        raise UsageError(f"{option}: {text!r} is no time at all", hint=hint)
    return found


def instant(option: str, text: str, now: datetime) -> datetime:
    """Read an option that is an instant, or a duration back from now. Raises UsageError."""
    try:
        return now - parse_duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        return parse_instant(text)
    except ValueError:
        hint = "write a duration such as 24h, or a time such as 2026-11-23T02:00:00Z"
        raise UsageError(f"{option}: {text!r} is neither a duration nor an RFC 3339 time", hint=hint) from None


def zone(option: str, name: str) -> tzinfo:
    """Read an option that is a time zone by its IANA name. Raises UsageError."""
    if name.upper() == "UTC":
        return UTC
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, KeyError, OSError):  # no zone, no key, or the folder of a continent
        raise UsageError(
            f"{option}: no time zone {name!r}", hint="use a name such as UTC, Europe/Berlin or America/New_York"
        ) from None


def choice(option: str, kind: type[_Choice], text: str) -> _Choice:
    """Read an option that is one of a closed set, in any case. Raises UsageError."""
    for member in kind:
        if member.value.lower() == text.lower():
            return member
    raise UsageError(f"{option}: {text!r} is none of {', '.join(member.value for member in kind)}")


def words(values: list[str] | None) -> frozenset[str]:
    """Read a repeatable option whose values may be lists with commas."""
    return frozenset(word.strip() for value in values or () for word in value.split(",") if word.strip())

"""What may be the name of a blob, the same in every kind of store; and the words for one that may not."""

from __future__ import annotations

from zenctl.errors import Damaged, Refused

_NAME_BYTES = 200  # NAME_MAX is 255, and the hidden name of a folder's partial blob is longer


def usable(name: str) -> bool:
    """Say whether a blob can have this name."""
    try:
        size_bytes = len(name.encode())
    except UnicodeEncodeError:
        return False
    return 0 < size_bytes <= _NAME_BYTES and name.isprintable() and "/" not in name and not name.startswith(".")


def require_usable(name: str) -> None:
    """Raise Refused for a name that no blob can have."""
    if not usable(name):
        raise Refused(
            f"{name!r} cannot name a blob",
            hint=f"use printable text of at most {_NAME_BYTES} bytes, without slash or leading dot",
        )


def taken(place: str) -> Refused:
    """Return the error for a name that somebody has."""
    return Refused(f"{place} exists already", hint="nothing was overwritten; delete it first, or use another name")


def absent(place: str) -> Refused:
    """Return the error for a name that nobody has."""
    return Refused(f"{place} does not exist", hint="zenctl backup list shows what there is")


def short(place: str, size_bytes: int, end: int) -> Damaged:
    """Return the error for a blob that ends before what is wanted of it."""
    return Damaged(f"{place} ends at byte {size_bytes}, but bytes up to {end} are needed",
                   hint="it was truncated, or is being replaced")  # fmt: skip

"""The one kind of tar header that an archive holds: a regular file in plain ustar, every byte determined.

A header is a function of name, size and time, so verification regenerates it and compares; what one states
is believed only then. It must not learn what the members mean.
"""

from __future__ import annotations

BLOCK_BYTES = 512
END_BYTES = 2 * BLOCK_BYTES
"""Two zero blocks end a tar file. We add no padding to a record of 20 blocks: no tar needs it."""
MAX_TIME_SECONDS = 8**11 - 1
"""What eleven octal digits hold: the year 2242."""

_NAME_BYTES = 100
_PREFIX_BYTES = 155
_SIZE_AT, _SIZE_DIGITS = 124, 11
_CHECKSUM_AT = 148
_CHECKSUM_BLANK = b" " * 8
_MODE_UID_GID = b"0000600\0" + b"0000000\0" * 2
_TYPE_LINK_MAGIC_OWNER = b"0" + bytes(100) + b"ustar\00000" + bytes(64) + b"0000000\0" * 2


def header(name: str, size_bytes: int, time_seconds: int) -> bytes:
    """Return the 512 bytes before a member: mode 0600, uid and gid 0, no owner names, no links.

    A name of more than 100 bytes is split at its only slash into prefix and name. Raises ValueError
    where name, size or time do not fit; the caller has checked them.
    """
    prefix, short = _split(name)
    if not 0 <= size_bytes < 8**11 or not 0 <= time_seconds <= MAX_TIME_SECONDS:
        raise ValueError(f"size {size_bytes} or time {time_seconds} does not fit into a tar header")
    start = short.ljust(_NAME_BYTES, b"\0") + _MODE_UID_GID + b"%011o\0%011o\0" % (size_bytes, time_seconds)
    end = (_TYPE_LINK_MAGIC_OWNER + prefix).ljust(BLOCK_BYTES - _CHECKSUM_AT - len(_CHECKSUM_BLANK), b"\0")
    checksum = sum(start) + sum(_CHECKSUM_BLANK) + sum(end)
    return b"%b%06o\0 %b" % (start, checksum, end)


def _split(name: str) -> tuple[bytes, bytes]:
    encoded = name.encode()
    if len(encoded) <= _NAME_BYTES:
        return b"", encoded
    prefix, _, short = encoded.partition(b"/")
    if not short or len(short) > _NAME_BYTES or len(prefix) > _PREFIX_BYTES:
        raise ValueError(f"{name!r} does not fit into a tar header")
    return prefix, short


def stated(block: bytes) -> tuple[str, int]:
    """Return the name and size that a header states; only when header() makes the same bytes again are they true.

    What cannot be read as either becomes "" or 0, which no member has.
    """
    name = block[:_NAME_BYTES].rstrip(b"\0")
    prefix = block[BLOCK_BYTES - 12 - _PREFIX_BYTES : BLOCK_BYTES - 12].rstrip(b"\0")
    size = block[_SIZE_AT : _SIZE_AT + _SIZE_DIGITS]
    whole = prefix + b"/" + name if prefix else name
    try:
        return whole.decode("ascii"), int(size, 8) if size.isdigit() else 0
    except ValueError:
        return "", 0


def padding(size_bytes: int) -> int:
    """Return how many zero bytes follow a member of this size."""
    return -size_bytes % BLOCK_BYTES


def occupied(size_bytes: int) -> int:
    """Return how many bytes of the file a member of this size takes: header, data and padding."""
    return BLOCK_BYTES + size_bytes + padding(size_bytes)


def member(name: str, data: bytes, time_seconds: int) -> bytes:
    """Return a whole member: header, data and padding."""
    return b"".join((header(name, len(data), time_seconds), data, bytes(padding(len(data)))))

"""Recipients and identities of encrypted backups, as options, files and the environment give them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli.session import local_path, read_local
from zenctl.errors import UsageError

if TYPE_CHECKING:
    from zenctl.archive.age import Keys, Seal

_STANDARD_INPUT = "-"
_RECIPIENTS, _RECIPIENTS_FILE = "ZENCTL_ENCRYPT_TO", "ZENCTL_RECIPIENTS_FILE"
_IDENTITY = "ZENCTL_IDENTITY"

EncryptToOption = Annotated[
    list[str] | None,
    typer.Option(
        "--encrypt-to",
        metavar="RECIPIENT",
        help=f"Encrypt to this age recipient or SSH public key; repeatable ({_RECIPIENTS}, with commas).",
        show_default=False,
    ),
]
RecipientsFileOption = Annotated[
    list[str] | None,
    typer.Option(
        "--recipients-file",
        metavar="FILE",
        help=f"Encrypt to the recipients in this file too, one a line; repeatable ({_RECIPIENTS_FILE}).",
        show_default=False,
    ),
]
IdentityOption = Annotated[
    list[str] | None,
    typer.Option(
        "--identity",
        metavar="FILE",
        help=f"Key file that opens encrypted backups; - is standard input; repeatable ({_IDENTITY}).",
        show_default=False,
    ),
]


def seal(environ: Mapping[str, str], encrypt_to: list[str] | None, files: list[str] | None) -> Seal | None:
    """Return the seal for all recipients that were named; None where none was.

    The environment counts where neither option was given, so that one backup can be for somebody else. Raises
    UsageError, also where recipients were asked for and none was found: then nothing must be written in clear.
    """
    from zenctl.archive.age import recipient_lines, seal_to

    if not encrypt_to and not files:
        encrypt_to = [text for text in environ.get(_RECIPIENTS, "").split(",") if text.strip()]
        files = [path for path in (environ.get(_RECIPIENTS_FILE, ""),) if path]
        where = _RECIPIENTS
    else:
        where = "--encrypt-to"
    if not encrypt_to and not files:
        return None
    recipients = [(where, text) for text in encrypt_to or ()]
    for path in files or ():
        recipients += recipient_lines(path, _content(path, "recipients").decode("utf-8", "replace"))
    return seal_to(recipients)


def keys(environ: Mapping[str, str], files: list[str] | None) -> Keys | None:
    """Return the keys in the identity files, those of the environment where none was named; None without any.

    Raises UsageError, Denied.
    """
    from zenctl.archive.age import keys_from

    chosen = files or [path for path in (environ.get(_IDENTITY, ""),) if path]
    return keys_from([(path, _content(path, "an identity")) for path in chosen]) if chosen else None


def _content(path: str, what: str) -> bytes:
    if path == _STANDARD_INPUT:
        return sys.stdin.buffer.read()
    if path.upper().startswith(("AGE-SECRET-KEY-", "AGE-PLUGIN-")):
        raise UsageError(
            f"a secret key stands where the name of a file with {what} belongs",
            hint="write it to a file that only you may read: others can see a command line",
        )
    file = local_path(path)
    if not file.is_file():
        raise UsageError(
            f"there is no file {path} with {what}", hint="give the path of a file, or - for standard input"
        )
    return read_local(file)

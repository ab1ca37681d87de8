"""Encryption of members by age: recipients seal, identities open; the format and its cryptography are age's own.

The only importer of pyrage, and late. It takes texts and bytes, never paths, and no message repeats a secret key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from zenctl.errors import Damaged, Refused, UsageError

_Recipient = Any
"""An x25519.Recipient or ssh.Recipient of pyrage, which has no types; _Identity likewise."""
_Identity = Any

MOST_RECIPIENTS = 64
_NO_MATCH = "No matching keys found"
_RECIPIENT_HINT = "write an age recipient (age1...) or an SSH public key (ssh-ed25519 or ssh-rsa)"
_IDENTITY_HINT = "a key file as age-keygen writes it, or an SSH private key without a passphrase"
_SECRET, _PLUGIN_SECRET, _ARMOR = "AGE-SECRET-KEY-", "AGE-PLUGIN-", "-----BEGIN "
_ENCRYPTED = ("age-encryption.org/", "-----BEGIN AGE ENCRYPTED FILE")


class Seal:
    """Encrypts to a fixed set of recipients; each of them alone can open the result."""

    def __init__(self, recipients: Sequence[_Recipient]) -> None:
        self._recipients = list(recipients)

    def __len__(self) -> int:
        return len(self._recipients)

    def close(self, data: bytes) -> bytes:
        """Return an age message that holds the data."""
        import pyrage

        return bytes(pyrage.encrypt(data, self._recipients))


class Keys:
    """Opens what was sealed to any of these identities."""

    def __init__(self, identities: Sequence[_Identity]) -> None:
        self._identities = list(identities)

    def open(self, data: bytes | memoryview, what: str) -> bytes:
        """Return what an age message holds; ``what`` names it in errors.

        Raises Refused where no identity fits, Damaged where it is no whole age message. The plain text is never
        larger than the message, so there is nothing to bound.
        """
        import pyrage

        try:
            return bytes(pyrage.decrypt(bytes(data), self._identities))
        except pyrage.DecryptError as error:
            if str(error) == _NO_MATCH:
                raise Refused(
                    f"{what} was encrypted to other recipients: none of the given identities opens it",
                    hint="give the identity that belongs to one of the recipients of the backup",
                ) from None
            raise Damaged(f"{what} cannot be decrypted: {error}") from None


def seal_to(recipients: Iterable[tuple[str, str]]) -> Seal:
    """Return the seal for recipients, given as (where it is from, its text); the same one twice counts once.

    Raises UsageError for a text that is none, and where there are none or too many.
    """
    found = {text.strip(): _recipient(where, text.strip()) for where, text in recipients}
    if not 0 < len(found) <= MOST_RECIPIENTS:
        raise UsageError(f"{len(found)} recipients were given, not 1 to {MOST_RECIPIENTS}", hint=_RECIPIENT_HINT)
    return Seal(list(found.values()))


def _recipient(where: str, text: str) -> _Recipient:
    from pyrage import RecipientError, ssh, x25519

    if text.upper().startswith((_SECRET, _PLUGIN_SECRET)) or text.startswith(_ARMOR):
        raise UsageError(f"{where}: a secret key stands where a recipient belongs", hint=_RECIPIENT_HINT)
    try:
        if text.startswith("ssh-"):
            return ssh.Recipient.from_str(text)
        return x25519.Recipient.from_str(text)
    except RecipientError as error:
        raise UsageError(
            f"{where}: {text!r} is no recipient that can be used: {error}", hint=_RECIPIENT_HINT
        ) from None


def recipient_lines(where: str, text: str) -> list[tuple[str, str]]:
    """Return what a recipients file says, as age reads it: one a line; empty lines and # comments are passed over."""
    return [(f"{where} line {number}", line) for number, line in _lines(text)]


def keys_from(files: Iterable[tuple[str, bytes]]) -> Keys:
    """Return the keys that identity files hold, given as (name, content).

    Raises UsageError for one that is none, without a word of its content.
    """
    return Keys([identity for where, content in files for identity in _identities(where, content)])


def _identities(where: str, content: bytes) -> list[_Identity]:
    from pyrage import IdentityError, ssh, x25519

    text = content.decode("utf-8", "replace").strip()
    if text.startswith(_ENCRYPTED):
        raise UsageError(
            f"identity {where} is itself encrypted with a passphrase",
            hint=f"decrypt it on the way: age -d {where} | zenctl ... --identity -",
        )
    place = where
    try:
        if text.startswith(_ARMOR):
            return [ssh.Identity.from_buffer(content)]
        found: list[_Identity] = []
        for number, line in _lines(text):
            place = f"{where} line {number}"
            found.append(x25519.Identity.from_str(line))
    except IdentityError as error:
        raise UsageError(f"identity {place} cannot be used: {error}", hint=_IDENTITY_HINT) from None
    if not found:
        raise UsageError(f"identity {where} holds no key", hint=_IDENTITY_HINT)
    return found


def _lines(text: str) -> list[tuple[int, str]]:
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, line) for number, line in lines if line and not line.startswith("#")]

"""URLs of object stores: s3://BUCKET/PREFIX, az://CONTAINER/PREFIX, gs://BUCKET/PREFIX; read, and shown again.

Pure: what the environment adds is not decided here. No URL may carry a secret, and none is ever repeated
in a message with more than its scheme, bucket and prefix.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from zenctl.errors import UsageError

SCHEMES = ("s3", "az", "gs")
_SETTINGS = {"s3": ("endpoint", "region"), "az": ("endpoint", "account"), "gs": ("endpoint",)}
_FORMS = "a folder, s3://BUCKET/PREFIX, az://CONTAINER/PREFIX or gs://BUCKET/PREFIX"
_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{1,221}")
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_PREFIX_BYTES = 700  # a key has 1,024 in S3, and a name may have 200 of them
_NOT_IN_PREFIX = frozenset('\\{}^%`[]"<>~#|*?')  # what a store or a client of one may write otherwise


class StoreUrl(NamedTuple):
    """Where archives lie in an object store, and what the URL itself says about how to get there."""

    scheme: str
    bucket: str
    prefix: str
    """Without slashes at its ends; "" is the whole bucket."""
    endpoint: str = ""
    """"" is the cloud's own."""
    region: str = ""
    account: str = ""

    @property
    def location(self) -> str:
        """The URL as people see it, without its settings."""
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")

    def completed_by(self, other: StoreUrl) -> StoreUrl:
        """Return this URL with the settings that it leaves out taken from another one of the same bucket."""
        if (self.scheme, self.bucket) != (other.scheme, other.bucket):
            return self
        return self._replace(
            endpoint=self.endpoint or other.endpoint,
            region=self.region or other.region,
            account=self.account or other.account,
        )

    def place(self, name: str) -> str:
        """Return how a blob in this place is called in messages."""
        return f"{self.location}/{name}"


def is_url(text: str) -> bool:
    """Say whether a text names something by URL and not by path."""
    return "://" in text


def parse_store_url(text: str) -> StoreUrl:
    """Read the URL of a store. Raises UsageError."""
    scheme, _, rest = text.partition("://")
    if scheme not in SCHEMES:
        raise UsageError(f"no store of the kind {scheme[:20]}://", hint=f"give {_FORMS}")
    path, _, query = rest.partition("?")
    bucket, _, prefix = path.partition("/")
    if "@" in bucket or ":" in bucket:
        raise UsageError(
            f"the URL of a store names no user, secret or port: {scheme}://...",
            hint="credentials come from the environment or the pod's identity, an endpoint from ?endpoint=https://HOST",
        )
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(f"{bucket!r} cannot name a bucket", hint=f"give {_FORMS}")
    url = StoreUrl(scheme, bucket, _prefix(prefix), **_settings(scheme, query))
    if url.endpoint:
        require_endpoint("?endpoint=", url.endpoint)
    return url


def parse_blob_url(text: str) -> tuple[StoreUrl, str]:
    """Read the URL of one archive into its store and its name. Raises UsageError."""
    url = parse_store_url(text)
    prefix, _, name = url.prefix.rpartition("/")
    if not name:
        raise UsageError(f"{url.location} names a bucket and no archive in it", hint="append the archive's name")
    return url._replace(prefix=prefix), name


def require_endpoint(what: str, text: str) -> None:
    """Refuse what is no plain http:// or https:// address; a secret in it is not repeated. Raises UsageError."""
    hint = "write it as https://HOST[:PORT], or http:// where a plain connection is meant"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or not text.isprintable() or " " in text:
        raise UsageError(f"{what} is no address of a server", hint=hint)
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError(f"{what} is more than the address of a server", hint=hint)


def _prefix(text: str) -> str:
    text = text.strip("/")
    segments = text.split("/") if text else []
    wrong = (
        any(segment in ("", ".", "..") for segment in segments)
        or not text.isprintable()
        or not _NOT_IN_PREFIX.isdisjoint(text)
        or len(text.encode(errors="surrogatepass")) > _PREFIX_BYTES
    )
    if wrong:
        raise UsageError(
            "the prefix in the URL of the store is unusable",
            hint=f"use words separated by single slashes, at most {_PREFIX_BYTES} bytes,"
            f" without {' '.join(sorted(_NOT_IN_PREFIX))}",
        )
    return text


def _settings(scheme: str, query: str) -> dict[str, str]:
    known = _SETTINGS[scheme]
    found: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in known:
            raise UsageError(
                f"the URL of an {scheme}:// store has no setting of that name",
                hint=f"it knows {', '.join(f'?{name}=' for name in known)}; secrets have no place in it",
            )
        if not value or (key != "endpoint" and not _NAME.fullmatch(value)):
            raise UsageError(f"?{key}= in the URL of the store has an unusable value")
        found[key] = value
    return found

"""What a client of object stores raises, in our words: one line, a hint, the right class, and never a secret.

The client's own text holds signed URLs and whatever a server answered, so none of it is passed on. Only
what has a known form is taken out of it: an HTTP status, the code of an XML error, the kind of a broken
connection, the name of a host.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from zenctl.errors import Denied, Refused, Unreachable, ZenctlError

_STATUS = re.compile(r"status code: (\d{3})\b")
_CODE = re.compile(r"<Code>([A-Za-z][A-Za-z0-9.]{0,63})</Code>")
_URL = re.compile(r"https?://(?:[^/@\s]*@)?([A-Za-z0-9.:\[\]_-]+)(?:/[^\s?]*)?")
_RETRIES = re.compile(r"after (\d+) retries")
_HIDDEN_URL = "REDACTED"  # a request for credentials that the client itself does not show
_TOKEN_FILE = re.compile("token file|FederatedTokenFile")

_KEYS_HINT = "check the credentials in the environment, the profile or the pod's identity, and the endpoint"
_RIGHTS_HINT = "this identity needs to read, write, list and delete the objects under this prefix"
_REGION_HINT = "give ?region= or AWS_REGION; the owner of the bucket knows which"
_LATER_HINT = "try again later; zenctl backed off and repeated the request before it gave up"


class Failure(NamedTuple):
    """What can be known of a failed request."""

    status: int
    """0 where no answer came."""
    code: str
    """The store's own word, such as NoSuchKey; "" where it gave none."""
    broken: str
    """What became of the connection; "" where an answer came."""
    host: str
    retries: int
    about_credentials: bool
    """True where the request was for credentials and not for a blob."""

    @property
    def outcome_unknown(self) -> bool:
        """Say whether the request may have been carried out all the same."""
        return self.status == 0 or self.status >= 500


class _Kind(NamedTuple):
    error: type[ZenctlError]
    cause: str
    hint: str | None


_NO_BUCKET = _Kind(Refused, "there is no bucket {bucket}", "check the URL of the store; zenctl makes no buckets")
_DENIED = _Kind(Denied, "access denied", _RIGHTS_HINT)
_UNKNOWN_KEY = _Kind(Denied, "the store does not know this access key", _KEYS_HINT)
_SIGNATURE = _Kind(
    Denied, "the signature does not match", "check the secret key, and that the clock of this machine is right"
)
_SKEWED = _Kind(Denied, "the clock of this machine is too far from the store's", "set the clock, for instance by NTP")
_EXPIRED = _Kind(Denied, "the session token has expired", "get new credentials")
_REGION = _Kind(Refused, "the bucket is in another region", _REGION_HINT)
_THROTTLED = _Kind(Unreachable, "the store throttles its clients", _LATER_HINT)
_FULL = _Kind(Unreachable, "the store is full, or a quota is exceeded", "free space, or choose another --store")
_BROKEN = _Kind(Unreachable, "the store failed", _LATER_HINT)

_BY_CODE = {
    "NoSuchBucket": _NO_BUCKET,
    "ContainerNotFound": _NO_BUCKET,
    "ContainerBeingDeleted": _NO_BUCKET,
    "ContainerDisabled": _NO_BUCKET,
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "AccountIsDisabled": _DENIED,
    "AuthorizationFailure": _DENIED,
    "AuthorizationPermissionMismatch": _DENIED,
    "InsufficientAccountPermissions": _DENIED,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "InvalidToken": _UNKNOWN_KEY,
    "InvalidAuthenticationInfo": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": _SIGNATURE,
    "AuthenticationFailed": _SIGNATURE,
    "RequestTimeTooSkewed": _SKEWED,
    "ExpiredToken": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "PermanentRedirect": _REGION,
    "TemporaryRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "SlowDown": _THROTTLED,
    "RequestLimitExceeded": _THROTTLED,
    "ServiceUnavailable": _THROTTLED,
    "ServerBusy": _THROTTLED,
    "TooManyRequests": _THROTTLED,
    "QuotaExceeded": _FULL,
    "XMinioStorageFull": _FULL,
    "XMinioAdminBucketQuotaExceeded": _FULL,
}
_BY_STATUS = {301: _REGION, 307: _REGION, 401: _UNKNOWN_KEY, 403: _DENIED, 429: _THROTTLED, 503: _THROTTLED,
              507: _FULL}  # fmt: skip

# What the client's debug text says of a connection, and what to try; the first that fits holds.
_CONNECTIONS = (
    ("dns error", "the host is not known", "check the endpoint, and DNS"),
    ("Connection refused", "connection refused", "check the endpoint, and that the store is running"),
    ("InvalidContentType", "the server does not speak TLS", "check the endpoint; http:// has to be typed"),
    ("UnknownIssuer", "its certificate is of an unknown issuer", "name the CA's file in AWS_CA_BUNDLE"),
    ("certificate", "its certificate is not valid", "check the endpoint, and the clock of this machine"),
    ("Network is unreachable", "network unreachable", "check the network of this machine"),
    ("No route to host", "no route to the host", "check the network of this machine"),
    ("kind: Timeout", "no answer in time", "check the network, or give more --request-timeout"),
    ("BadScheme", "the address of the store is unusable", "check the endpoint; http:// has to be typed"),
    ("kind: Connect", "no connection", "check the endpoint and the network"),
    ("NotPartial", "it answers with the whole where a part was asked for", "check the endpoint and the proxy"),
    ("", "the connection broke", "check the network, and try again"),
)  # fmt: skip


def failure_of(error: BaseException, bucket: str) -> Failure:
    """Take out of a client's exception what has a known form."""
    text = str(error)
    first = text.partition("\n\nDebug source:")[0]
    status, code, url, retries = (found.search(first) for found in (_STATUS, _CODE, _URL, _RETRIES))
    if "BareRedirect" in text:
        number = 301
    elif "StartTooLarge" in text:  # the client judged an answer by its Content-Range
        number = 416
    else:
        number = int(status[1]) if status else 404 if isinstance(error, FileNotFoundError) else 0
    token_file = _TOKEN_FILE.search(text) is not None
    if number:
        broken = ""
    elif token_file:
        broken = "the token file of its identity cannot be read"
    else:
        broken = next(words for mark, words, _ in _CONNECTIONS if mark in text)
    return Failure(
        status=number,
        code=code[1] if code else "",
        broken=broken,
        host=url[1] if url else "",
        retries=int(retries[1]) if retries else 0,
        # Every request for a blob names the bucket, and none for credentials does.
        about_credentials=token_file or _HIDDEN_URL in first or (url is not None and bucket not in unquote(url[0])),
    )


def told(action: str, place: str, bucket: str, failure: Failure) -> ZenctlError:
    """Return the error of ours for a request that failed while doing ``action`` to ``place``."""
    if failure.about_credentials:
        source = f" from {failure.host}" if failure.host else ""
        cause = failure.broken or f"it answered {failure.status}"
        return Denied(
            f"cannot {action} {place}: no credentials{source}: {cause}",
            hint="set them in the environment, or check the identity of this pod or machine",
        )
    if failure.broken:
        hint = next(hint for _, words, hint in _CONNECTIONS if words == failure.broken)
        at = f" at {failure.host}" if failure.host else ""
        return Unreachable(f"cannot {action} {place}: {failure.broken}{at}", hint=hint)
    fallback = _BROKEN if failure.status >= 500 else _Kind(Refused, "the store refuses the request", _KEYS_HINT)
    kind = _BY_CODE.get(failure.code) or _BY_STATUS.get(failure.status, fallback)
    said = " ".join(word for word in (str(failure.status or ""), failure.code) if word)
    tries = f", {failure.retries + 1} times" if failure.retries else ""
    cause = kind.cause.format(bucket=bucket)
    return kind.error(f"cannot {action} {place}: {cause} ({said}{tries})", hint=kind.hint)

"""How to reach an object store: endpoint, region and credentials from the URL, the environment and AWS profiles.

Credentials are found in each cloud's usual order; the client library asks web identities and metadata services
itself. Before it may ask a metadata service, one look says whether anybody is there, since outside of a cloud
the question would hang. Nothing here prints, logs or keeps a secret.
"""

from __future__ import annotations

import configparser
import http.client
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from zenctl import __version__
from zenctl.blob.urls import StoreUrl, require_endpoint
from zenctl.errors import Denied, Refused, UsageError

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store

    Client = S3Store | AzureStore | GCSStore

_PROBE_SECONDS = 1.0
_CONNECT_SECONDS = 10.0
_METADATA = "http://169.254.169.254"

_STATIC = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_AWS_IDENTITIES = (
    _STATIC,
    ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
    ("AWS_SKIP_SIGNATURE",),
)
_AZURE_KEYS = {
    "account_key": (
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_ACCESS_KEY",
        "AZURE_STORAGE_MASTER_KEY",
        "AZURE_STORAGE_KEY",
    ),
    "sas_key": ("AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_SAS_TOKEN"),
}
_AZURE_IDENTITIES = (
    ("AZURE_STORAGE_TOKEN",),
    ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),
    ("AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"),
    ("AZURE_USE_AZURE_CLI",),
    ("AZURE_SKIP_SIGNATURE",),
)
_CONNECTION_STRING = {
    "AccountName": "account_name",
    "AccountKey": "account_key",
    "BlobEndpoint": "endpoint",
    "SharedAccessSignature": "sas_key",
}
_GOOGLE_IDENTITIES = (
    ("GOOGLE_APPLICATION_CREDENTIALS",),
    ("GOOGLE_SERVICE_ACCOUNT",),
    ("GOOGLE_SERVICE_ACCOUNT_PATH",),
    ("GOOGLE_SERVICE_ACCOUNT_KEY",),
    ("GOOGLE_BEARER_TOKEN",),
)


class Retries(NamedTuple):
    """How often a failed request is repeated, and how long in all; waits double, with jitter."""

    times: int = 6
    first_seconds: float = 0.2
    longest_seconds: float = 8.0
    all_seconds: float = 60.0


RETRIES = Retries()


def connect(
    url: StoreUrl, environ: Mapping[str, str], *, timeout_seconds: float, retries: Retries = RETRIES
) -> Client:
    """Return a client for a store, without sending it anything yet. Raises UsageError, Denied, Refused."""
    from obstore.exceptions import BaseError
    from obstore.store import AzureStore, GCSStore, S3Store

    read, make = {"s3": (_s3, S3Store), "az": (_azure, AzureStore), "gs": (_google, GCSStore)}[url.scheme]
    config, endpoint = read(url, environ)
    if endpoint:
        require_endpoint("the endpoint of the store", endpoint)
    more: dict[str, Any] = {"prefix": url.prefix} if url.prefix else {}
    try:
        client: Client = make(
            url.bucket,
            config=config,
            client_options=_transport(environ, endpoint, timeout_seconds),
            retry_config=_retrying(retries),
            **more,
        )
    except (BaseError, ValueError, OSError):  # their text may hold what was configured
        raise Refused(
            f"cannot open {url.location}: its settings in the environment are unusable",
            hint="check the variables of its cloud, and the files that they name",
        ) from None
    return client


def _transport(environ: Mapping[str, str], endpoint: str, timeout_seconds: float) -> dict[str, Any]:
    options: dict[str, Any] = {
        "allow_http": endpoint.startswith("http://"),
        "timeout": timedelta(seconds=timeout_seconds),
        "connect_timeout": timedelta(seconds=min(_CONNECT_SECONDS, timeout_seconds)),
        "user_agent": f"zenctl/{__version__}",
    }
    bundle = environ.get("AWS_CA_BUNDLE") or environ.get("SSL_CERT_FILE")
    if bundle:
        try:
            options["root_certificate"] = Path(bundle).read_bytes()
        except OSError as error:
            raise UsageError(
                f"cannot read the certificates in {bundle}: {(error.strerror or 'unreadable').lower()}",
                hint="AWS_CA_BUNDLE or SSL_CERT_FILE names them",
            ) from None
    return options


def _retrying(retries: Retries) -> dict[str, Any]:
    return {
        "max_retries": retries.times,
        "retry_timeout": timedelta(seconds=retries.all_seconds),
        "backoff": {
            "init_backoff": timedelta(seconds=retries.first_seconds),
            "max_backoff": timedelta(seconds=retries.longest_seconds),
            "base": 2,
        },
    }


# ---------------------------------------------------------------------------------------------------- s3


def _s3(url: StoreUrl, environ: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    in_environment = _any_given(environ, _AWS_IDENTITIES)
    profile = _profile(environ)
    endpoint = (
        url.endpoint
        or environ.get("AWS_ENDPOINT_URL_S3")
        or environ.get("AWS_ENDPOINT_URL")
        or profile.get("endpoint_url", "")
    )
    region = url.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or profile.get("region")
    # One key, one DELETE: not every server that speaks S3 knows the request for many.
    config: dict[str, Any] = {"region": region or "us-east-1", "disable_bulk_delete": True}
    if endpoint:
        config |= {"endpoint": endpoint, "aws_endpoint_url_s3": endpoint}
    if in_environment:
        return config, endpoint
    keys = _profile_keys(url, environ, profile)
    if keys:
        return config | keys, endpoint
    service = environ.get("AWS_METADATA_ENDPOINT") or environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _METADATA
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true" or not _answers(service):
        raise _without_credentials(
            url,
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the pod a role"
            " (IRSA or Pod Identity)",
        )
    return config | {"metadata_endpoint": service}, endpoint


def _profile(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the shared files of AWS say about the profile; the credentials file wins."""
    name = environ.get("AWS_PROFILE") or "default"
    folder = Path(environ.get("HOME", "/nonexistent")) / ".aws"
    sections = {
        environ.get("AWS_CONFIG_FILE") or str(folder / "config"): name if name == "default" else f"profile {name}",
        environ.get("AWS_SHARED_CREDENTIALS_FILE") or str(folder / "credentials"): name,
    }
    found: dict[str, str] = {}
    for path, section in sections.items():
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):  # their text may quote a secret
            raise UsageError(f"cannot read {path}", hint="it is no file of AWS profiles") from None
        if parser.has_section(section):
            found |= dict(parser.items(section))
    return found


def _profile_keys(url: StoreUrl, environ: Mapping[str, str], profile: Mapping[str, str]) -> dict[str, str]:
    if profile.get("aws_access_key_id") and profile.get("aws_secret_access_key"):
        keys = {
            "access_key_id": profile["aws_access_key_id"],
            "secret_access_key": profile["aws_secret_access_key"],
        }
        token = profile.get("aws_session_token")
        return keys | {"session_token": token} if token else keys
    name = environ.get("AWS_PROFILE")
    if not name:
        return {}
    what = "holds no access key" if profile else "does not exist"
    raise Denied(
        f"no credentials for {url.location}: AWS profile {name!r} {what}",
        hint="zenctl reads keys only; for SSO, roles and processes, first:"
        ' eval "$(aws configure export-credentials --format env)"',
    )


# ---------------------------------------------------------------------------------------------------- az


def _azure(url: StoreUrl, environ: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    config: dict[str, Any] = _connection_string(environ.get("AZURE_STORAGE_CONNECTION_STRING", ""))
    account = url.account or environ.get("AZURE_STORAGE_ACCOUNT_NAME") or environ.get("AZURE_STORAGE_ACCOUNT")
    if account:
        config["account_name"] = account
    if not config.get("account_name"):
        raise UsageError(
            f"{url.location} does not say in which storage account", hint="give ?account= or AZURE_STORAGE_ACCOUNT"
        )
    for key, variables in _AZURE_KEYS.items():
        given = next((environ[variable] for variable in variables if environ.get(variable)), "")
        if given:
            config[key] = given
    endpoint = url.endpoint or environ.get("AZURE_STORAGE_ENDPOINT") or environ.get("AZURE_ENDPOINT")
    endpoint = endpoint or config.get("endpoint", "")
    if endpoint:
        config["endpoint"] = endpoint
    if "account_key" in config or "sas_key" in config or _any_given(environ, _AZURE_IDENTITIES):
        return config, endpoint
    service = environ.get("AZURE_MSI_ENDPOINT") or environ.get("AZURE_IDENTITY_ENDPOINT") or _METADATA
    if not _answers(service):
        raise _without_credentials(
            url,
            "set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING,"
            " or give the pod a workload identity",
        )
    return config, endpoint


def _connection_string(text: str) -> dict[str, str]:
    parts = (part.partition("=") for part in text.split(";") if part)
    return {_CONNECTION_STRING[key]: value for key, _, value in parts if key in _CONNECTION_STRING}


# ---------------------------------------------------------------------------------------------------- gs


def _google(url: StoreUrl, environ: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    endpoint = url.endpoint or environ.get("GOOGLE_BASE_URL", "")
    config: dict[str, Any] = {"base_url": endpoint} if endpoint else {}
    settings = environ.get("CLOUDSDK_CONFIG") or str(Path(environ.get("HOME", "/nonexistent")) / ".config" / "gcloud")
    login = Path(settings) / "application_default_credentials.json"
    if _any_given(environ, _GOOGLE_IDENTITIES):
        return config, endpoint
    if login.is_file():
        return config | {"application_credentials": str(login)}, endpoint
    service = environ.get("GCE_METADATA_HOST", "")
    if not _answers(f"http://{service}" if service else _METADATA):
        raise _without_credentials(url, "set GOOGLE_APPLICATION_CREDENTIALS, or give the pod a workload identity")
    return config, endpoint


# ---------------------------------------------------------------------------------------------------- all


def _any_given(environ: Mapping[str, str], identities: tuple[tuple[str, ...], ...]) -> bool:
    return any(all(environ.get(name) for name in names) for names in identities)


def _answers(service: str) -> bool:
    """Say whether somebody listens at the address of a metadata service; decided within a second."""
    try:
        parts = urlsplit(service)
        with closing(
            http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_PROBE_SECONDS)
        ) as probe:
            probe.connect()
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return True


def _without_credentials(url: StoreUrl, hint: str) -> Denied:
    return Denied(f"no credentials for {url.location}: none in the environment, and no metadata service", hint=hint)

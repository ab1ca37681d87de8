"""Finding and authenticating to a cluster: kubeconfig or in-cluster, by the official client's loaders.

The official client understands every kind of kubeconfig, and so authentication is its business. What it
does differently from kubectl is mended here: with several files in KUBECONFIG it takes the last
current-context instead of the first, it chokes on an empty one, it drops impersonation, it reads a token
file only once and prefers a token beside it, it lets NO_PROXY switch proxy-url off, and it goes on without
credentials where a credential plugin fails or the user is missing.

Once chosen, context and server stay: credentials are loaded anew in the middle of a run, and whoever
changes the kubeconfig meanwhile must not make that run go on in another cluster.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from zenctl.core.text import printable
from zenctl.errors import Denied, UsageError, ZenctlError

_POOL_SIZE = 64
_TOKEN_CHECK_SECONDS = 5.0
_IN_POD = "KUBERNETES_SERVICE_HOST"


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """How the caller wants to reach a cluster; empty means "as kubectl would"."""

    kubeconfig: str = ""
    context: str = ""
    as_user: str = ""
    as_groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the kubeconfig files say about the chosen context."""

    paths: str
    context: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    user_folder: str
    """The folder of the file that defines the user; its relative paths begin there."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """Everything that one loading of the credentials gives; replaced as a whole."""

    context: str
    in_pod: bool
    configuration: Any
    impersonation: tuple[tuple[str, str], ...]
    manager: Any


class Connection:
    """A way into one cluster: its address, its connection pool, and fresh authentication headers.

    Safe to use from several threads.
    """

    def __init__(
        self,
        options: ConnectOptions,
        environ: Mapping[str, str],
        *,
        token_check_seconds: float = _TOKEN_CHECK_SECONDS,
    ) -> None:
        self._options = options
        self._environ = environ
        self._token_check_seconds = token_check_seconds
        self._lock = threading.Lock()
        self._generation = 0
        self._now = self._load(None)
        self._lines: tuple[tuple[str, str], ...] = ()
        self._lines_due = float("-inf")

    @property
    def host(self) -> str:
        """The server's URL without a trailing slash."""
        return str(self._now.configuration.host).rstrip("/")

    @property
    def context(self) -> str:
        """The name of the context in use; "" inside a pod."""
        return self._now.context

    @property
    def generation(self) -> int:
        """How often the credentials were loaded anew; hand it to renew."""
        return self._generation

    @property
    def pool(self) -> Any:
        """The connection pool, a urllib3 PoolManager or ProxyManager."""
        return self._now.manager

    def close(self) -> None:
        """Close every idle connection."""
        self._now.manager.clear()

    def urlopen(self, method: str, path: str, headers: Any, **options: Any) -> Any:
        """Send one request of ours, once and following no redirect, and return urllib3's answer."""
        manager, url = self._now.manager, self.host + path
        options.update(headers=headers, retries=False, redirect=False)
        if manager.proxy is None or url.startswith("https:"):
            return manager.urlopen(method, url, **options)
        # The manager would fold header lines of one name, such as our groups, into one line.
        return manager.connection_from_url(url).urlopen(method, url, assert_same_host=False, **options)

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the headers that authenticate and impersonate; the token is refreshed when it is due.

        Whether it is due is asked once in a few seconds only: the official client reads its environment
        anew each time, which costs more than the rest of a request.
        """
        with self._lock:
            if time.monotonic() >= self._lines_due:
                self._lines = self._fresh_lines()
                self._lines_due = time.monotonic() + self._token_check_seconds
            return self._lines

    def _fresh_lines(self) -> tuple[tuple[str, str], ...]:
        try:
            with _complaints():  # a plugin that fails now leaves a token that may still do
                token = self._now.configuration.get_api_key_with_prefix("BearerToken")
        except Exception as error:  # whatever identity providers and parsers raise
            raise _unusable(self._now.context, error) from error
        lines = self._now.impersonation
        return (*lines, ("Authorization", _header("the token", token.strip()))) if token else lines

    def renew(self, generation: int) -> None:
        """Load the credentials again after a 401, unless another thread has done so since ``generation``.

        A rotated token file, an expired exec credential and a renewed OIDC token all end here. When the
        loading fails, it does so for one thread only, so that no plugin asks a person many times over.
        """
        with self._lock:
            if generation != self._generation:
                return
            self._generation += 1
            self._lines_due = float("-inf")
            self._now = self._load(self._now)

    def _load(self, before: _Loaded | None) -> _Loaded:
        choice = None if before and before.in_pod else _choose(self._options, self._environ, before)
        configuration = _configuration()
        if choice is None:
            _load_in_cluster(configuration, self._environ)
        else:
            _load_kubeconfig(configuration, choice)
        if before and configuration.host != before.configuration.host:
            raise UsageError(f"context {before.context!r} has been changed meanwhile and names another server")
        return _Loaded(
            choice.context if choice else "",
            choice is None,
            configuration,
            _impersonation(self._options, choice.user if choice else {}),
            _manager(configuration, choice.context if choice else ""),
        )


def contexts(options: ConnectOptions, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of all contexts in the kubeconfig files."""
    return tuple(_read_files(_paths(options, environ)).contexts)


def _configuration() -> Any:
    from kubernetes.client.configuration import Configuration

    configuration = Configuration()
    configuration.retries = False
    configuration.keep_alive = True
    configuration.connection_pool_maxsize = _POOL_SIZE  # a connection beyond it is closed after each request
    return configuration


def _manager(configuration: Any, context: str) -> Any:
    """Return the connection pool, quiet, as kubectl is, about certificates not to be checked."""
    import urllib3
    from kubernetes.client.rest import RESTClientObject

    if not configuration.verify_ssl:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    urllib3.disable_warnings(urllib3.exceptions.DependencyWarning)  # about SOCKS; an error says so below
    try:
        manager = RESTClientObject(configuration).pool_manager
    except (urllib3.exceptions.HTTPError, ImportError, ValueError) as error:
        raise UsageError(
            f"the proxy of context {context!r} cannot be used: {_first_line(error)}",
            hint="check proxy-url in your kubeconfig, and HTTPS_PROXY",
        ) from error
    manager.connection_pool_kw["ssl_context"] = _tls(configuration)
    return manager


def _tls(configuration: Any) -> ssl.SSLContext:
    """Return how TLS is checked: as by default, but for what RFC 5280 demands of extensions.

    From Python 3.13 on certificates are refused that lack an authority key identifier, as those of many
    clusters do. kubectl accepts them, and so do we. Files are loaded when a connection is made.
    """
    from urllib3.util.ssl_ import create_urllib3_context

    context: ssl.SSLContext = create_urllib3_context(
        cert_reqs=ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE
    )
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not (configuration.ssl_ca_cert or configuration.ca_cert_data):
        context.load_default_certs()  # urllib3 does so only for a context of its own
    return context


def _paths(options: ConnectOptions, environ: Mapping[str, str]) -> list[str]:
    if options.kubeconfig:
        try:
            os.stat(os.path.expanduser(options.kubeconfig))
        except FileNotFoundError:
            raise UsageError(
                f"kubeconfig {options.kubeconfig} does not exist", hint="check --kubeconfig or ZENCTL_KUBECONFIG"
            ) from None
        except OSError:
            pass  # reading it will say why
        return [options.kubeconfig]
    return [path for path in environ.get("KUBECONFIG", "").split(os.pathsep) if path] or ["~/.kube/config"]


def _choose(options: ConnectOptions, environ: Mapping[str, str], before: _Loaded | None) -> _Choice | None:
    """Return the context to use by kubectl's rules; None where only the pod's own account is left."""
    merged = _read_files(_paths(options, environ))
    if not merged.paths and not options.kubeconfig:
        if environ.get(_IN_POD) and not options.context:
            return None
        raise UsageError(
            "no cluster to talk to: there is no kubeconfig, and this is not a pod",
            hint="set KUBECONFIG, or give --kubeconfig FILE",
        )
    name = before.context if before else options.context or merged.current
    if not name:
        raise UsageError("the kubeconfig names no current context", hint=_context_hint(merged))
    if name not in merged.contexts:
        raise UsageError(f"no context named {name!r} in {', '.join(merged.paths)}", hint=_context_hint(merged))
    context = _section(merged.contexts[name][1], "context")
    server, user = str(context.get("cluster", "")), str(context.get("user") or "")
    for wanted, what, known in ((server, "cluster", merged.clusters), (user, "user", merged.users)):
        if wanted not in known and (wanted or what == "cluster"):
            raise UsageError(f"context {name!r} wants the {what} {wanted!r}, which the kubeconfig does not define")
    path, entry = merged.users.get(user, ("", {}))
    return _Choice(
        os.pathsep.join(merged.paths),
        name,
        _section(merged.clusters[server][1], "cluster"),
        _section(entry, "user"),
        os.path.abspath(os.path.dirname(path)),
    )


def _context_hint(merged: _Merged) -> str:
    names = ", ".join(merged.contexts)
    return printable(f"choose one with --context: {names}") if names else "the file has no contexts at all"


@dataclass(slots=True)
class _Merged:
    """Kubeconfig files merged; each named entry with the path of the file that it is from."""

    paths: list[str] = field(default_factory=list)
    current: str = ""
    contexts: dict[str, tuple[str, Any]] = field(default_factory=dict)
    clusters: dict[str, tuple[str, Any]] = field(default_factory=dict)
    users: dict[str, tuple[str, Any]] = field(default_factory=dict)


def _read_files(paths: Sequence[str]) -> _Merged:
    """Merge kubeconfig files as kubectl does: whoever says something first is right, and files may be missing."""
    merged = _Merged()
    for path in map(os.path.expanduser, paths):
        loaded = _read_file(path)
        if loaded is None:
            continue
        merged.paths.append(path)
        merged.current = merged.current or str(loaded.get("current-context") or "")
        for part, known in (("contexts", merged.contexts), ("clusters", merged.clusters), ("users", merged.users)):
            entries = loaded.get(part) or []
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise UsageError(f"kubeconfig {path}: {part} is not a list of named entries")
            for entry in entries:
                known.setdefault(str(entry.get("name")), (path, entry))
    return merged


def _read_file(path: str) -> dict[str, Any] | None:
    """Return what a kubeconfig file holds; None where it is missing or empty."""
    import yaml

    try:
        loaded = yaml.safe_load(Path(path).read_bytes())
    except FileNotFoundError:
        return None
    except PermissionError:
        raise Denied(f"cannot read kubeconfig {path}: permission denied") from None
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot read kubeconfig {path}: {_first_line(error)}") from None
    if loaded is not None and not isinstance(loaded, dict):
        raise UsageError(f"kubeconfig {path} is not a mapping")
    return loaded


def _section(entry: Any, name: str) -> Mapping[str, Any]:
    found = entry.get(name) if isinstance(entry, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _first_line(error: BaseException) -> str:
    return printable(str(error).splitlines()[0] if str(error) else type(error).__name__)


def _unusable(context: str, error: BaseException) -> ZenctlError:
    if isinstance(error, ZenctlError):
        return error
    if isinstance(error, PermissionError):
        return Denied(f"cannot read {error.filename}: permission denied")
    if not context:
        return UsageError(
            f"this pod's service account cannot be used: {_first_line(error)}",
            hint="check automountServiceAccountToken, or mount a kubeconfig and set KUBECONFIG",
        )
    return UsageError(
        f"context {context!r} cannot be used: {_first_line(error)}",
        hint="check its cluster and user in the kubeconfig",
    )


def _load_kubeconfig(configuration: Any, choice: _Choice) -> None:
    from kubernetes.config import load_kube_config

    if not str(choice.cluster.get("server", "")).startswith(("https://", "http://")):
        raise UsageError(
            f"context {choice.context!r} cannot be used: its cluster has no server with https:// or http://"
        )
    try:
        with _complaints() as complaints:
            load_kube_config(  # type: ignore[no-untyped-call]
                config_file=choice.paths, context=choice.context, client_configuration=configuration
            )
        if choice.user.get("tokenFile"):
            _take_token_file(configuration, Path(choice.user_folder, choice.user["tokenFile"]))
    except Exception as error:  # whatever identity providers, parsers and file systems raise
        raise _unusable(choice.context, error) from error
    if choice.cluster.get("proxy-url"):
        configuration.no_proxy = ""
    if not configuration.api_key and not configuration.cert_file:
        _require_credentials(choice, complaints)


def _take_token_file(configuration: Any, path: Path) -> None:
    configuration.refresh_api_key_hook = None
    configuration.api_key["BearerToken"] = f"Bearer {path.read_text().strip()}"


def _require_credentials(choice: _Choice, complaints: _Complaints) -> None:
    """Raise Denied where the user has a way to get credentials that brought none."""
    if "exec" in choice.user:
        plugin = _section(choice.user, "exec").get("command", "?")
        raise Denied(
            f"the credential plugin {printable(str(plugin))} of context {choice.context!r} gave no credentials: "
            f"{complaints.last}",
            hint="run it by hand to see what it wants; often a login has expired",
        )
    if "auth-provider" in choice.user:
        provider = _section(choice.user, "auth-provider").get("name", "?")
        raise Denied(
            f"the auth-provider {printable(str(provider))} of context {choice.context!r} gave no credentials",
            hint="log in again, or use a credential plugin (exec), which has replaced auth-providers",
        )


class _Complaints(logging.Handler):
    """Catches what the official loader only logs when a credential plugin fails."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last = "it said nothing"

    def emit(self, record: logging.LogRecord) -> None:
        lines = record.getMessage().strip().splitlines()
        self.last = printable(lines[0]) if lines else self.last


@contextmanager
def _complaints() -> Iterator[_Complaints]:
    """Listen to the root logger; with no listener it would set itself up to write to stderr."""
    complaints = _Complaints()
    root = logging.getLogger()
    root.addHandler(complaints)
    try:
        yield complaints
    finally:
        root.removeHandler(complaints)


def _load_in_cluster(configuration: Any, environ: Mapping[str, str]) -> None:
    from kubernetes.config import incluster_config as official

    loader = official.InClusterConfigLoader(  # type: ignore[no-untyped-call]
        token_filename=official.SERVICE_TOKEN_FILENAME,
        cert_filename=official.SERVICE_CERT_FILENAME,
        environ=environ,
    )
    try:
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
    except Exception as error:  # files that are missing, unreadable or no text
        raise _unusable("", error) from error


def _impersonation(options: ConnectOptions, user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the Impersonate headers of flags, else of the kubeconfig user.

    As with kubectl, flags replace the kubeconfig's impersonation as a whole, and whatever else is
    impersonated needs a user. Each group is a header line of its own: the API server takes a comma for a
    part of the group's name.
    """
    if options.as_groups and not options.as_user:
        raise UsageError("--as-group needs --as", hint="name the user to act as")
    if options.as_user:
        return _lines(options.as_user, options.as_groups, [])
    extra = user.get("as-user-extra") or {}
    if not isinstance(extra, dict):
        raise UsageError("as-user-extra in the kubeconfig is not a mapping")
    more = [("Impersonate-Uid", str(user["as-uid"]))] if user.get("as-uid") else []
    for name, values in extra.items():
        header = f"Impersonate-Extra-{quote(str(name).lower(), safe='')}"
        more += [(header, value) for value in _strings(values, f"as-user-extra {name}")]
    groups = _strings(user.get("as-groups"), "as-groups")
    if not user.get("as"):
        if groups or more:
            raise UsageError("the kubeconfig impersonates groups, uid or extra without a user", hint='add "as"')
        return ()
    return _lines(str(user["as"]), groups, more)


def _strings(values: Any, what: str) -> list[str]:
    if values is not None and not isinstance(values, list):
        raise UsageError(f"{printable(what)} in the kubeconfig is not a list")
    return [str(value) for value in values or ()]


def _lines(user: str, groups: Sequence[str], more: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    lines = [("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups), *more]
    return tuple((name, _header(name, value)) for name, value in lines)


def _header(what: str, value: str) -> str:
    """Return a header value as it goes over the wire, in UTF-8. Raises UsageError where none can hold it."""
    if not value.isprintable():
        raise UsageError(f"{what} holds characters that no HTTP header can carry")
    return value.encode(errors="surrogateescape").decode("latin-1")

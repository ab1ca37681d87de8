"""Finding and authenticating to a cluster: kubeconfig or in-cluster, by the official client's loaders.

The official client understands every kind of kubeconfig, and so authentication is its business. Four
things it does differently from kubectl are mended here: with several files in KUBECONFIG it takes the
last current-context instead of the first, it drops impersonation, it reads a token file only once, and
it goes on without credentials where a credential plugin fails.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from zenctl.errors import Denied, UsageError

_POOL_SIZE = 64


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
    user: Mapping[str, Any]


class Connection:
    """A way into one cluster: its address, its connection pool, and fresh authentication headers.

    Safe to use from several threads.
    """

    def __init__(self, options: ConnectOptions, environ: Mapping[str, str]) -> None:
        self._options = options
        self._environ = environ
        self._lock = threading.Lock()
        self._generation = 0
        self._load()

    @property
    def host(self) -> str:
        """The server's URL without a trailing slash."""
        return str(self._configuration.host).rstrip("/")

    @property
    def context(self) -> str:
        """The name of the context in use; "" inside a pod."""
        return self._context

    @property
    def generation(self) -> int:
        """How often the credentials were loaded anew; hand it to renew."""
        return self._generation

    @property
    def pool(self) -> Any:
        """The connection pool, a urllib3 PoolManager or ProxyManager."""
        return self._rest.pool_manager

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers that authenticate and impersonate; the token is refreshed when it is due."""
        with self._lock:
            token = self._configuration.get_api_key_with_prefix("BearerToken")
        return [*self._impersonation, ("Authorization", token)] if token else list(self._impersonation)

    def renew(self, generation: int) -> None:
        """Load the credentials again after a 401, unless another thread has done so since ``generation``.

        A rotated token file, an expired exec credential and a renewed OIDC token all end here.
        """
        with self._lock:
            if generation == self._generation:
                self._load()
                self._generation += 1

    def _load(self) -> None:
        from kubernetes.client.rest import RESTClientObject

        choice = _choose(self._options, self._environ)
        configuration = _configuration()
        if choice is None:
            _load_in_cluster(configuration, self._environ)
            user: Mapping[str, Any] = {}
        else:
            _load_kubeconfig(configuration, choice)
            user = choice.user
        configuration.connection_pool_maxsize = _POOL_SIZE
        self._configuration = configuration
        self._context = choice.context if choice else ""
        self._impersonation = _impersonation(self._options, user)
        self._rest = RESTClientObject(configuration)


def contexts(options: ConnectOptions, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of all contexts in the kubeconfig files."""
    merged = _read_files(_paths(options, environ))
    return tuple(merged["contexts"])


def _configuration() -> Any:
    from kubernetes.client.configuration import Configuration

    configuration = Configuration()
    configuration.retries = False
    configuration.keep_alive = True
    return configuration


def _paths(options: ConnectOptions, environ: Mapping[str, str]) -> list[str]:
    if options.kubeconfig:
        if not Path(options.kubeconfig).expanduser().exists():
            raise UsageError(
                f"kubeconfig {options.kubeconfig} does not exist", hint="check --kubeconfig or ZENCTL_KUBECONFIG"
            )
        return [options.kubeconfig]
    named = [path for path in environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    return [path for path in named or ["~/.kube/config"] if Path(path).expanduser().exists()]


def _choose(options: ConnectOptions, environ: Mapping[str, str]) -> _Choice | None:
    """Return the context to use by kubectl's rules; None where only the pod's own account is left."""
    paths = _paths(options, environ)
    if not paths:
        if environ.get("KUBERNETES_SERVICE_HOST") and not options.context:
            return None
        raise UsageError(
            "no cluster to talk to: there is no kubeconfig, and this is not a pod",
            hint="set KUBECONFIG, or give --kubeconfig FILE",
        )
    merged = _read_files(paths)
    context = options.context or merged["current-context"]
    if not context:
        raise UsageError("the kubeconfig names no current context", hint=_context_hint(merged))
    if context not in merged["contexts"]:
        raise UsageError(f"no context named {context!r} in {', '.join(paths)}", hint=_context_hint(merged))
    user = merged["users"].get(_section(merged["contexts"][context], "context").get("user"), {})
    return _Choice(os.pathsep.join(paths), context, _section(user, "user"))


def _context_hint(merged: Mapping[str, Any]) -> str:
    names = ", ".join(merged["contexts"])
    return f"choose one with --context: {names}" if names else "the file has no contexts at all"


def _read_files(paths: Sequence[str]) -> dict[str, Any]:
    """Merge kubeconfig files as kubectl does: whoever says something first is right."""
    import yaml

    merged: dict[str, Any] = {"current-context": "", "contexts": {}, "users": {}}
    for path in paths:
        try:
            loaded = yaml.safe_load(Path(path).expanduser().read_bytes())
        except PermissionError:
            raise Denied(f"cannot read kubeconfig {path}: permission denied") from None
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read kubeconfig {path}: {_first_line(error)}") from None
        if not isinstance(loaded, dict):
            raise UsageError(f"kubeconfig {path} is empty or not a mapping")
        merged["current-context"] = merged["current-context"] or loaded.get("current-context") or ""
        for part in ("contexts", "users"):
            for entry in loaded.get(part) or ():
                if isinstance(entry, dict) and entry.get("name"):
                    merged[part].setdefault(entry["name"], entry)
    return merged


def _section(entry: Any, name: str) -> Mapping[str, Any]:
    found = entry.get(name) if isinstance(entry, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _load_kubeconfig(configuration: Any, choice: _Choice) -> None:
    from kubernetes.config import ConfigException, load_kube_config

    complaints = _Complaints()
    root = logging.getLogger()
    root.addHandler(complaints)
    try:
        load_kube_config(  # type: ignore[no-untyped-call]
            config_file=choice.paths, context=choice.context, client_configuration=configuration, persist_config=True
        )
    except (ConfigException, KeyError, TypeError, ValueError, OSError) as error:
        raise UsageError(
            f"context {choice.context!r} cannot be used: {_first_line(error)}",
            hint="check its cluster and user in the kubeconfig",
        ) from error
    finally:
        root.removeHandler(complaints)
    if "exec" in choice.user and not configuration.api_key and not configuration.cert_file:
        plugin = _section(choice.user, "exec").get("command", "?")
        raise Denied(
            f"the credential plugin {plugin} of context {choice.context!r} gave no credentials: {complaints.last}",
            hint="run it by hand to see what it wants; often a login has expired",
        )


class _Complaints(logging.Handler):
    """Catches what the official loader only logs when a credential plugin fails."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last = "it said nothing"

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage().strip().splitlines()[0] if record.getMessage().strip() else self.last


def _load_in_cluster(configuration: Any, environ: Mapping[str, str]) -> None:
    from kubernetes.config import ConfigException
    from kubernetes.config.incluster_config import (
        SERVICE_CERT_FILENAME,
        SERVICE_TOKEN_FILENAME,
        InClusterConfigLoader,
    )

    loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]
        token_filename=SERVICE_TOKEN_FILENAME, cert_filename=SERVICE_CERT_FILENAME, environ=environ
    )
    try:
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
    except ConfigException as error:
        raise UsageError(
            f"this pod's service account cannot be used: {_first_line(error)}",
            hint="check automountServiceAccountToken, or mount a kubeconfig and set KUBECONFIG",
        ) from error


def _impersonation(options: ConnectOptions, user: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the Impersonate headers of flags, else of the kubeconfig user.

    As with kubectl, flags replace the kubeconfig's impersonation as a whole. Each group is a header
    line of its own: the API server takes a comma for a part of the group's name.
    """
    if options.as_groups and not options.as_user:
        raise UsageError("--as-group needs --as", hint="name the user to act as")
    if options.as_user:
        return _impersonate(options.as_user, options.as_groups)
    if not user.get("as"):
        return []
    headers = _impersonate(str(user["as"]), [str(group) for group in user.get("as-groups") or ()])
    if user.get("as-uid"):
        headers.append(("Impersonate-Uid", str(user["as-uid"])))
    for name, values in _section(user, "as-user-extra").items():
        headers += [(f"Impersonate-Extra-{quote(str(name).lower(), safe='')}", str(value)) for value in values]
    return headers


def _impersonate(name: str, groups: Sequence[str]) -> list[tuple[str, str]]:
    return [("Impersonate-User", name), *(("Impersonate-Group", group) for group in groups)]

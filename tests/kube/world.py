"""Makes kubeconfigs in a folder, and clients that use them and note their waits instead of waiting."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.apiserver import Certificates
from zenctl.core.objects import ResourceType
from zenctl.kube.connect import Connection, ConnectOptions
from zenctl.kube.http import Client

GROUP = "zen.kube-zen.io"
EVENTS = ResourceType(
    GROUP, "v1alpha1", "Observation", "zenevents", "zenevent", ("ze", "zevt"), status_subresource=True
)  # fmt: skip


class World:
    """Everything that one test makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.waits: list[float] = []
        self._numbers = itertools.count(1)
        self._clients: list[Client] = []
        self.token_check_seconds = 0.0

    def __enter__(self) -> World:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()

    def document(
        self,
        server: str,
        user: Mapping[str, Any] | None = None,
        cluster: Mapping[str, Any] | None = None,
        name="test",
    ) -> dict[str, Any]:
        """Return a kubeconfig with one context."""
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "clusters": [{"name": name, "cluster": {"server": server, **(cluster or {})}}],
            "users": [{"name": name, "user": dict(user or {})}],
        }

    def write(self, document: object, path: str = "") -> str:
        """Write a kubeconfig, or text that shall pass for one, and return its path."""
        file = self.folder / (path or f"kubeconfig-{next(self._numbers)}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        return str(file)

    def kubeconfig(
        self, server: str, user: Mapping[str, Any] | None = None, cluster: Mapping[str, Any] | None = None
    ) -> str:
        """Write a kubeconfig with one context and return its path."""
        return self.write(self.document(server, user, cluster))

    def trusting(self, certificates: Certificates, **more: object) -> dict[str, Any]:
        """Return what a cluster entry needs to trust the authority."""
        return {"certificate-authority": str(certificates.ca), **more}

    def connect(self, kubeconfig: str = "", environ: Mapping[str, str] | None = None, **options: Any) -> Connection:
        """Connect with options as of the command line; whether a token is due is asked for each request."""
        return Connection(
            ConnectOptions(kubeconfig=kubeconfig, **options),
            environ or {},
            token_check_seconds=self.token_check_seconds,
        )

    def client(
        self,
        kubeconfig: str = "",
        environ: Mapping[str, str] | None = None,
        *,
        timeout_seconds: float = 10.0,
        **options: Any,
    ) -> Client:
        """Return a client whose waits are noted in ``waits`` and take no time."""
        connection = self.connect(kubeconfig, environ, **options)
        client = Client(
            connection, timeout_seconds=timeout_seconds, user_agent="zenctl/test", sleep=self.waits.append
        )
        self._clients.append(client)
        return client


def ask(client: Client) -> bytes:
    """Send the plainest request."""
    return client.send("GET", "/version", doing="ask for the version").body

"""Sandboxes for tests: a fresh one with the CRD of Observations, and clients of both transports."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.conformance.embedded import TOKEN, sandbox, utc_now
from zenctl.access.identity import User
from zenctl.kube.connect import Connection, ConnectOptions
from zenctl.kube.http import Client
from zenctl.kube.transport import InProcess
from zenctl.manifests.load import crd_yaml
from zenctl.sandbox.apiserver.faults import parse_fault
from zenctl.sandbox.apiserver.server import ApiServer
from zenctl.sandbox.home import Home


def with_observations(*faults: str, **options: int) -> ApiServer:
    """Return a sandbox that serves Observations; the faults are in force from now on."""
    server = sandbox(**options)
    loaded, refused = server.load([yaml.safe_load(crd_yaml())])
    assert (loaded, refused) == (1, [])
    server.faults.add(*map(parse_fault, faults))
    return server


def in_process(server: ApiServer, **options: Any) -> Client:
    """Return a client that calls a sandbox; it waits a tenth of what it should."""
    return Client(InProcess(server.call, token=TOKEN), timeout_seconds=10, user_agent="zenctl/test", **options)


@contextlib.contextmanager
def kubeconfig_of(server: ApiServer, folder: Path) -> Iterator[Path]:
    """Serve a sandbox over TLS for a while; give its kubeconfig."""
    from zenctl.sandbox.certificates import server_tls
    from zenctl.sandbox.http import serving

    tls, authority = server_tls("127.0.0.1", utc_now())
    home = Home(folder)
    home.prepare()
    with serving(server.handle, tls=tls) as url:
        home.write_kubeconfig(url, base64.b64encode(authority).decode(), [("admin", TOKEN)])
        yield home.kubeconfig


class ServedSandbox:
    """A sandbox behind a kubeconfig; satisfies tests.cluster.conftest.Target."""

    def __init__(self, server: ApiServer, kubeconfig: Path) -> None:
        self.server, self.kubeconfig = server, kubeconfig

    def kubeconfig_of(self, user: str, path: Path) -> Path:
        """Return the kubeconfig of a user who may do nothing yet."""
        self.server.tokens.add(f"token-of-{user}", User(user))
        config = json.loads(self.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": f"token-of-{user}"}
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        return path


@contextlib.contextmanager
def served_sandbox(folder: Path) -> Iterator[ServedSandbox]:
    """Serve an empty sandbox over TLS for a while."""
    server = sandbox()
    with kubeconfig_of(server, folder) as path:
        yield ServedSandbox(server, path)


@contextlib.contextmanager
def over_http(server: ApiServer, folder: Path, **options: Any) -> Iterator[Client]:
    """Serve a sandbox over TLS for a while; give a client of it."""
    with kubeconfig_of(server, folder) as path:
        connection = Connection(ConnectOptions(kubeconfig=str(path)), {})
        client = Client(connection, timeout_seconds=10, user_agent="zenctl/test", **options)
        yield client
        client.close()

"""Fixtures for the gateway's tests: a scripted server, certificates, and a world without anybody's kubeconfig."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apiserver import ApiServer, Certificates, serving
from tests.kube.world import World
from zenctl.kube.gateway import Gateway
from zenctl.kube.http import Client


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Hide the environment's kubeconfig and proxies, and see that no thread of ours is left."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(("KUBE", "ZENCTL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    threads = set(threading.enumerate())
    yield
    left = {thread for thread in set(threading.enumerate()) - threads if thread.name in ("work", "list_0")}
    assert not left


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """Give a server that speaks plain HTTP."""
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Give an authority and its certificates."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the program openssl to make certificates")
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def tls_server(certificates: Certificates) -> Iterator[ApiServer]:
    """Give a server that speaks TLS."""
    with serving(certificates.context()) as running:
        yield running


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give the maker of kubeconfigs and clients."""
    with World(tmp_path) as made:
        yield made


@pytest.fixture
def client(world: World, server: ApiServer) -> Client:
    """Give a client of the plain server; it never really waits."""
    return world.client(world.kubeconfig(server.url))


@pytest.fixture
def gateway(client: Client) -> Gateway:
    """Give a gateway to the plain server."""
    return Gateway(client)

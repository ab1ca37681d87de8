"""The servers on which every case runs. A new one is one more entry in ``targets``."""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.cluster.controlplane import ASSETS_VARIABLE, ControlPlane
from tests.conformance.api import Api, HttpApi
from tests.conformance.embedded import InProcessApi, over_http, sandbox


class Target(NamedTuple):
    """A kind of server, and how to open one for the whole test session."""

    name: str
    open: Callable[[pytest.FixtureRequest], AbstractContextManager[Opened]]
    marks: tuple[pytest.MarkDecorator, ...] = ()


class Opened(NamedTuple):
    """A running server, as its administrator; see place.Server for expire_history."""

    api: Api
    expire_history: Callable[[], None] | None = None


def targets() -> tuple[Target, ...]:
    """Return every target."""
    return (
        Target("in-process", _in_process),
        Target("http", _http),
        Target("real", _real, marks=(pytest.mark.cluster,)),
    )


@contextmanager
def _in_process(_request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Open a sandbox by plain calls."""
    server = sandbox()
    yield Opened(InProcessApi(server), server.compact)


@contextmanager
def _http(_request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Open a sandbox over HTTP and TLS."""
    server = sandbox()
    with over_http(server) as api:
        yield Opened(api, server.compact)


@contextmanager
def _real(request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Open the session's control plane, or the cluster of the kubeconfig that tests/cluster was given."""
    kubeconfig: Path = request.getfixturevalue("kubeconfig")
    control_plane: ControlPlane | None = None
    if os.environ.get(ASSETS_VARIABLE):
        control_plane = request.getfixturevalue("control_plane")
    with closing(_from_kubeconfig(kubeconfig)) as api:
        yield Opened(api, control_plane.compact if control_plane is not None else None)


def _from_kubeconfig(path: Path) -> HttpApi:
    """Return the API of a kubeconfig's current context: a token or a client certificate only."""
    config = yaml.safe_load(path.read_text())
    named = {
        section: {entry["name"]: entry[section[:-1]] for entry in config[section]}
        for section in ("clusters", "contexts", "users")
    }
    context = named["contexts"][config["current-context"]]
    cluster, user = named["clusters"][context["cluster"]], named["users"][context["user"]]
    authority = base64.b64decode(cluster.get("certificate-authority-data", "")).decode()
    tls = ssl.create_default_context(cafile=cluster.get("certificate-authority"), cadata=authority or None)
    if "client-certificate-data" in user:
        _load_client_certificate(tls, user["client-certificate-data"], user["client-key-data"])
    elif "client-certificate" in user:
        tls.load_cert_chain(user["client-certificate"], user["client-key"])
    return HttpApi(cluster["server"], tls, user.get("token", ""))


def _load_client_certificate(tls: ssl.SSLContext, certificate: str, key: str) -> None:
    with tempfile.NamedTemporaryFile() as both:  # the ssl module reads certificates from files only
        both.write(base64.b64decode(certificate) + b"\n" + base64.b64decode(key))
        both.flush()
        tls.load_cert_chain(both.name)

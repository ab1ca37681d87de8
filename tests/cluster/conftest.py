"""Fixtures for tests on a whole API server: each runs on the sandbox, and on a real one under the mark ``cluster``.

The real one is the business of the plugin ``tests.cluster.servers``. A test that takes ``control_plane``, to stop or
to compact it, runs on a real one only.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubectl import Kubectl, find_kubectl
from tests.cluster.servers import KUBECONFIG_VARIABLE
from tests.sandbox.world import served_sandbox

CRD_FILE = Path(__file__).parents[2] / "zenctl" / "manifests" / "crd.yaml"

_HERE = Path(__file__).parent
_SANDBOX, _REAL = "sandbox", "real"

Rules = Sequence[Mapping[str, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class ServedCrd:
    """A custom resource that the API server serves."""

    group: str
    version: str
    plural: str

    @property
    def name(self) -> str:
        """Name of the CRD, which kubectl takes for the resource."""
        return f"{self.plural}.{self.group}"

    def path(self, namespace: str) -> str:
        """Path of the collection in a namespace."""
        return f"/apis/{self.group}/{self.version}/namespaces/{namespace}/{self.plural}"


class Target(Protocol):
    """An API server under test."""

    @property
    def kubeconfig(self) -> Path:
        """An administrator's kubeconfig."""

    def kubeconfig_of(self, user: str, path: Path) -> Path:
        """Return the kubeconfig of a user who may do nothing yet; it may be written to ``path``."""


@dataclass(frozen=True)
class Own:
    """The session's own control plane."""

    control_plane: ControlPlane

    @property
    def kubeconfig(self) -> Path:
        """See Target."""
        return self.control_plane.kubeconfig()

    def kubeconfig_of(self, user: str, path: Path) -> Path:
        """See Target."""
        return self.control_plane.kubeconfig(user)


@dataclass(frozen=True)
class Foreign:
    """Somebody's cluster: it signs no certificates for us, so other users are impersonated."""

    kubeconfig: Path

    def kubeconfig_of(self, user: str, path: Path) -> Path:
        """See Target."""
        config = yaml.safe_load(self.kubeconfig.read_text())
        for entry in config["users"]:
            entry["user"]["as"] = user
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        return path


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a real server, and leave out what cannot run on the sandbox, before pytest selects by marks."""
    impossible = []
    for item in items:
        if not item.path.is_relative_to(_HERE):
            continue
        if not _on_sandbox(item):
            item.add_marker(pytest.mark.cluster)
        elif "control_plane" in getattr(item, "fixturenames", ()):
            impossible.append(item)
    items[:] = [item for item in items if item not in impossible]
    config.hook.pytest_deselected(items=impossible)


def _on_sandbox(item: pytest.Item) -> bool:
    call = getattr(item, "callspec", None)
    return call is not None and call.params.get("target") == _SANDBOX


@pytest.fixture(scope="session", params=[_SANDBOX, _REAL])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Give the server under test."""
    if request.param == _SANDBOX:
        with served_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
            yield sandbox
    elif given := os.environ.get(KUBECONFIG_VARIABLE):
        yield Foreign(Path(given))
    else:
        yield Own(request.getfixturevalue("control_plane"))


@pytest.fixture(scope="session")
def kubeconfig(target: Target) -> Path:
    """Give the path of an administrator's kubeconfig."""
    return target.kubeconfig


@pytest.fixture(scope="session")
def kubectl(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """Give kubectl as administrator."""
    if find_kubectl() is None:
        pytest.skip("needs the program kubectl")
    return Kubectl(kubeconfig, tmp_path_factory.mktemp("kubectl-cache"))


@pytest.fixture
def namespace(kubectl: Kubectl, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give a fresh namespace. Its Observations are gone when the test ends, the rest a little later."""
    name = f"test-{secrets.token_hex(5)}"
    kubectl("create", "namespace", name)
    yield name
    if "observation_crd" in request.fixturenames:
        crd: ServedCrd = request.getfixturevalue("observation_crd")
        kubectl("delete", "--raw", crd.path(name))
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def restricted_kubeconfig(target: Target, kubectl: Kubectl, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Give a factory: RBAC rules -> kubeconfig of a new user who may do that and no more.

    ``restricted_kubeconfig([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}], namespace=None)``:
    the rules hold in the whole cluster, or in one namespace. ``inside`` adds rules that hold in a namespace.
    """
    made: list[tuple[str, ...]] = []

    def grant(user: str, rules: Rules, namespace: str | None) -> None:
        role, binding = _grant(user, rules, namespace)
        kubectl.apply(role, binding)
        scope = ("-n", namespace) if namespace else ()
        made.extend((thing["kind"], user, *scope) for thing in (role, binding))

    def make(rules: Rules, *, namespace: str | None = None, inside: tuple[str, Rules] | None = None) -> Path:
        user = f"test-user-{secrets.token_hex(5)}"
        grant(user, rules, namespace)
        if inside is not None:
            grant(user, inside[1], inside[0])
        return target.kubeconfig_of(user, tmp_path / f"{user}.kubeconfig")

    yield make
    for words in made:
        kubectl("delete", "--ignore-not-found", *words)


@pytest.fixture(scope="session")
def observation_crd(kubectl: Kubectl) -> Iterator[ServedCrd]:
    """Give the CRD of Observations, established."""
    manifest = yaml.safe_load(CRD_FILE.read_text())
    spec = manifest["spec"]
    (version,) = (each["name"] for each in spec["versions"] if each["storage"])
    crd = ServedCrd(spec["group"], version, spec["names"]["plural"])
    existed = kubectl.run("get", "crd", crd.name).returncode == 0
    kubectl("apply", "-f", str(CRD_FILE))
    kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/{crd.name}")
    yield crd
    if not existed:
        kubectl("delete", "crd", crd.name, "--wait=false")


def _grant(user: str, rules: Rules, namespace: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    kind = "Role" if namespace else "ClusterRole"
    metadata = {"name": user, **({"namespace": namespace} if namespace else {})}
    api = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{api}/v1", "kind": kind, "metadata": metadata, "rules": list(rules)}
    binding = {
        "apiVersion": f"{api}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": api, "kind": kind, "name": user},
        "subjects": [{"apiGroup": api, "kind": "User", "name": user}],
    }
    return role, binding

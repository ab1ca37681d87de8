"""Fixtures for tests on a real API server; every test in this folder carries the mark ``cluster``.

The server is the one that ZENCTL_TEST_KUBECONFIG names (a cluster for tests: objects are made and deleted there),
else a control plane started once per session from KUBEBUILDER_ASSETS. With neither, these tests are skipped, unless
they were asked for (``-m cluster``): then the run fails before it begins.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.controlplane import ASSETS_VARIABLE, ControlPlane
from tests.cluster.kubectl import Kubectl

KUBECONFIG_VARIABLE = "ZENCTL_TEST_KUBECONFIG"
CRD_FILE = Path(__file__).parents[2] / "zenctl" / "manifests" / "crd.yaml"
NOTHING_CONFIGURED = f"no API server to test on: set {ASSETS_VARIABLE} or {KUBECONFIG_VARIABLE}"

_HERE = Path(__file__).parent
_CONTROL_PLANE = pytest.StashKey[ControlPlane]()

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder, before pytest selects by marks."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.cluster)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to skip everything when cluster tests are what was asked for."""
    asked = "cluster" in session.config.option.markexpr and any(
        item.get_closest_marker("cluster") for item in session.items
    )
    if asked and not (os.environ.get(ASSETS_VARIABLE) or os.environ.get(KUBECONFIG_VARIABLE)):
        raise pytest.UsageError(NOTHING_CONFIGURED)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the ends of the servers' logs under a test that failed."""
    report = yield
    control_plane = item.config.stash.get(_CONTROL_PLANE, None)
    if report.failed and control_plane is not None:
        report.sections.append(("control plane", control_plane.log_tail(12)))
    return report


@pytest.fixture(scope="session")
def control_plane(pytestconfig: pytest.Config) -> Iterator[ControlPlane]:
    """Give the session's own control plane, which a test may restart but not leave stopped."""
    if not os.environ.get(ASSETS_VARIABLE):
        elsewhere = os.environ.get(KUBECONFIG_VARIABLE)
        pytest.skip(f"needs a control plane of its own: set {ASSETS_VARIABLE}" if elsewhere else NOTHING_CONFIGURED)
    with ControlPlane.from_environment(controllers=("namespace",)) as running:
        pytestconfig.stash[_CONTROL_PLANE] = running
        yield running
        del pytestconfig.stash[_CONTROL_PLANE]


@pytest.fixture(scope="session")
def kubeconfig(request: pytest.FixtureRequest) -> Path:
    """Give the path of an administrator's kubeconfig."""
    given = os.environ.get(KUBECONFIG_VARIABLE)
    if given:
        return Path(given)
    control_plane: ControlPlane = request.getfixturevalue("control_plane")
    return control_plane.kubeconfig()


@pytest.fixture(scope="session")
def kubectl(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """Give kubectl as administrator."""
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
def restricted_kubeconfig(
    request: pytest.FixtureRequest, kubectl: Kubectl, tmp_path: Path
) -> Iterator[Callable[..., Path]]:
    """Give a factory: RBAC rules -> kubeconfig of a new user who may do that and no more.

    ``restricted_kubeconfig([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}], namespace=None)``:
    the rules hold in the whole cluster, or in one namespace.
    """
    made: list[tuple[str, ...]] = []

    def make(rules: Rules, *, namespace: str | None = None) -> Path:
        user = f"test-user-{secrets.token_hex(5)}"
        role, binding = _grant(user, rules, namespace)
        kubectl.apply(role, binding)
        scope = ("-n", namespace) if namespace else ()
        made.extend((thing["kind"], user, *scope) for thing in (role, binding))
        if os.environ.get(KUBECONFIG_VARIABLE):
            return _impersonating(kubectl, user, tmp_path / f"{user}.kubeconfig")
        control_plane: ControlPlane = request.getfixturevalue("control_plane")
        return control_plane.kubeconfig(user)

    yield make
    for target in made:
        kubectl("delete", "--ignore-not-found", *target)


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


def _impersonating(kubectl: Kubectl, user: str, path: Path) -> Path:
    """Write the administrator's kubeconfig as another user: a foreign cluster signs no certificates for us."""
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    for entry in config["users"]:
        entry["user"]["as"] = user
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))
    return path

"""A pytest plugin: the API server that a test run uses, for whichever folder of tests needs one.

The server is the one that ZENCTL_TEST_KUBECONFIG names (a cluster for tests: objects are made and deleted there),
else a control plane started once per session from KUBEBUILDER_ASSETS. With neither, tests that need it are skipped,
unless they were asked for (``-m cluster``): then the run fails before it begins.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.cluster.controlplane import ASSETS_VARIABLE, ControlPlane

KUBECONFIG_VARIABLE = "ZENCTL_TEST_KUBECONFIG"
NOTHING_CONFIGURED = f"no API server to test on: set {ASSETS_VARIABLE} or {KUBECONFIG_VARIABLE}"

_CONTROL_PLANE = pytest.StashKey[ControlPlane]()


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

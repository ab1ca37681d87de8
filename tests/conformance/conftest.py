"""Fixtures of the conformance suite: a server per target and session, a place per case."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.conformance.crds import serving_standard
from tests.conformance.expect import eventually
from tests.conformance.place import Place, Server
from tests.conformance.registry import Case
from tests.conformance.resources import NAMESPACES
from tests.conformance.targets import Target

CLEAN_SECONDS = 60


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Give a target's server with the standard custom resources; in the end it must be as clean as it was."""
    target: Target = request.param
    with target.open(request) as opened:
        said = opened.api.request("GET", "/version").json
        release = int(said["major"]), int(said["minor"].rstrip("+"))
        run = f"run-{secrets.token_hex(3)}"
        with serving_standard(opened.api, f"{run}.example.com") as (widgets, gadgets, planets):
            yield Server(opened.api, run, release, widgets, gadgets, planets, opened.expire_history)

            def is_clean() -> bool:
                names = [
                    item["metadata"]["name"] for item in opened.api.request("GET", NAMESPACES.path()).json["items"]
                ]
                return not any(name.startswith(run) for name in names)

            if not request.session.testsfailed:  # a case that failed may have left something
                eventually(is_clean, "the removal of every namespace that a case made", CLEAN_SECONDS)


@pytest.fixture
def place(server: Server, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Give a case its place, or skip it where the server is older than the behaviour."""
    case: Case = request.getfixturevalue("case")
    if server.version < case.since:
        pytest.skip(
            f"describes release {'.'.join(map(str, case.since))}, this is {'.'.join(map(str, server.version))}"
        )
    made = Place(server)
    yield made
    made.close()

"""Random sequences of requests, on the sandbox and on a real kube-apiserver: every answer must be the same."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.conformance.crds import serving_standard
from tests.conformance.embedded import InProcessApi, sandbox
from tests.conformance.expect import succeeded
from tests.conformance.grammar import kinds
from tests.conformance.operations import NAMESPACES, Script
from tests.conformance.resources import NAMESPACES as NAMESPACE
from tests.conformance.sides import Difference, Pair, Side
from tests.conformance.targets import _from_kubeconfig
from tests.torture import part

CORPUS = os.environ.get("ZENCTL_DIFFERENTIAL_CORPUS", "1")
"""Names the sequences. They are the same in every run, of which a torture run takes its part, so that a red run is
about what changed and not about luck; who looks for differences that nobody knows names another corpus."""
SEQUENCES = 1000
OPERATIONS = 40
SHRINKING = 40
"""How many times a sequence that differs is run again to find a shorter one."""


@pytest.fixture(scope="module")
def pair(control_plane: ControlPlane) -> Iterator[Pair]:
    """Give both servers, with the same custom resources and namespaces."""
    with ExitStack() as stack:
        real = stack.enter_context(closing(_from_kubeconfig(control_plane.kubeconfig())))
        other = InProcessApi(sandbox())
        for api in (real, other):
            resources = stack.enter_context(serving_standard(api, "differential.example.com"))
            for namespace in NAMESPACES:
                succeeded(api.request("POST", NAMESPACE.path(), NAMESPACE.body(namespace)), 201)
                stack.callback(api.request, "DELETE", NAMESPACE.path("", namespace))
        yield Pair(
            Side("real", real, collects=False, patient=True),
            Side("sandbox", other, collects=True, patient=False),
            kinds(*resources),
        )


@pytest.mark.torture
@pytest.mark.timeout(1200)
def test_every_answer_of_the_sandbox_is_that_of_a_real_server(pair):
    for number in part(range(SEQUENCES)):
        operations = Script(random.Random(f"{CORPUS}/{number}"), pair.kinds).operations(OPERATIONS)
        found = pair.first_difference(operations)
        assert found is None, _told(number, pair.shortest(found, SHRINKING))
    assert pair.done > OPERATIONS * len(part(range(SEQUENCES))) / 2, f"most sequences ended early: {pair.allowed}"


def _told(number: int, found: Difference) -> str:
    steps = [f"  {operation}" for operation in found.operations]
    answers = [f"{name}: {outcome}" for name, outcome in found.outcomes.items()]
    return "\n".join([f"sequence {number} of corpus {CORPUS}:", *steps, *answers])

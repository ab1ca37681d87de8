"""Every case on every target: what a client may rely on, whoever serves it.

A case is written and proved on a real kube-apiserver; where a target differs from that, the target is wrong.
"""

from __future__ import annotations

import pytest

from tests.conformance.place import Place
from tests.conformance.registry import Case, all_cases
from tests.conformance.targets import targets


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in all_cases()])
@pytest.mark.parametrize(
    "server",
    [pytest.param(target, id=target.name, marks=target.marks) for target in targets()],
    indirect=True,
    scope="session",
)
def test_a_case(case: Case, place: Place) -> None:
    case.run(place)

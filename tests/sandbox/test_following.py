"""Following Observations on a server that cuts, forgets and fails: every state once, the last of each always."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest

from tests.events.samples import observation
from tests.fakes import FixedClock
from tests.sandbox.world import in_process, with_observations
from zenctl.core.objects import ObjectKey
from zenctl.events.follow import Change, Followed, FollowPorts, follow
from zenctl.kube.gateway import Gateway
from zenctl.ports import ALL
from zenctl.product.crd import OBSERVATIONS
from zenctl.sandbox.apiserver.faults import parse_fault
from zenctl.sandbox.apiserver.server import ApiServer


def write(server: ApiServer, gateway: Gateway, name: str, **status: object) -> None:
    """Make an Observation, or write its status."""
    if status:
        body = json.dumps({"status": status}).encode()
        gateway.patch(OBSERVATIONS, ObjectKey("team-a", name), body, subresource="status")
    else:
        server.load([observation(name)])


@pytest.mark.parametrize(
    "fault",
    [
        "410:verb=watch,every=2",
        "reset:verb=watch,every=2",
        "reset:verb=watch,after-bytes=900",
        "503:verb=watch,every=3",
        "410:verb=list,after=1,every=2",
    ],
)
def test_whatever_the_server_does_nothing_is_missed_and_nothing_comes_twice(fault):
    server = with_observations()
    server.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}}])
    server.load([observation("n0"), observation("n1")])
    writer, reader = Gateway(in_process(server)), Gateway(in_process(server, sleep=lambda _seconds: None))
    server.faults.add(parse_fault(fault))
    events = follow(FollowPorts(reader, FixedClock(), lambda _said: None), OBSERVATIONS, ALL)
    found: list[Followed] = []
    begin = list(itertools.takewhile(lambda each: each is not None, events))
    assert [each.change for each in begin if each] == [Change.PRESENT] * 2
    for number in range(6):
        write(server, writer, f"m{number}")
        found.append(_next(events))
        write(server, writer, f"m{number}", phase="Resolved")
        found.append(_next(events))
    assert [(each.fields.metadata.name, each.change) for each in found] == [
        (f"m{number}", change) for number in range(6) for change in (Change.ADDED, Change.PHASE)
    ]


def _next(events: Iterator[Followed | None]) -> Followed:
    found = next(events)
    assert found is not None
    return found

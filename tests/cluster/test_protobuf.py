"""Protobuf as real programs speak it: the server's answers, the bodies that kubectl sends, the numbers that it knows.

Every object is read by our decoder and held against the same object in the program's own JSON.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.protobuf_descriptors import messages_in
from tests.protobuf_recordings import (
    CREATIONS,
    QUESTIONS,
    NotServed,
    api_of,
    in_both_forms,
    kubectl_on_paper,
    samples,
)
from zenctl.sandbox.apiserver import protobuf
from zenctl.sandbox.apiserver.protobuf import decode

TABLE = json.loads(Path(protobuf.__file__).with_name("protobuf.json").read_bytes())["messages"]
LAST = (1, 32)
"""The release up to which the table is complete."""


@pytest.fixture(scope="module")
def kubectl_version():
    """Give the release of the kubectl on PATH."""
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl on PATH")
    printed = subprocess.run(["kubectl", "version", "--client", "-o", "json"], check=True, capture_output=True)
    said = json.loads(printed.stdout)["clientVersion"]
    return int(said["major"]), int(said["minor"].rstrip("+"))


@pytest.fixture(scope="module")
def on_paper(kubectl_version):
    """Give a kubectl that sends protobuf to a server that only listens."""
    if kubectl_version < (1, 32):
        pytest.skip("this kubectl sends JSON")
    with kubectl_on_paper() as kubectl:
        yield kubectl


@pytest.mark.parametrize("kind", samples("default"))
def test_the_server_says_the_same_in_both_forms(control_plane, namespace, kind):
    with api_of(control_plane) as api:
        try:
            body, document = in_both_forms(api, samples(namespace)[kind], namespace)
        except NotServed as path:
            pytest.skip(f"the server has no {path}")
    assert decode(body) == document


@pytest.mark.parametrize("what", CREATIONS)
def test_kubectl_sends_what_it_prints(on_paper, what):
    body, printed = on_paper.created(what)
    assert decode(body) == printed


@pytest.mark.parametrize("what", QUESTIONS)
def test_kubectl_asks(on_paper, what):
    assert decode(on_paper.sent("auth", *what.split())) == QUESTIONS[what]


def test_kubectl_knows_the_same_numbers(kubectl_version):
    known = messages_in(Path(shutil.which("kubectl") or "").resolve())
    if not known:
        pytest.skip("this kubectl is no program with descriptors")
    for message in TABLE.keys() & known.keys():
        ours = {int(number): text for number, text in TABLE[message].items()}
        if kubectl_version <= LAST:
            assert known[message].keys() <= ours.keys(), message
        for number in known[message].keys() & ours.keys():
            assert _alike(ours[number], known[message][number]), f"{message} {number}"


def _alike(ours: str, theirs: str) -> bool:
    """Return whether two notations of a field agree as far as a descriptor says."""
    name, shape = ours.split()
    same = "bytes" if shape in ("json", "data") else shape.rstrip("?")
    return theirs.split()[1] == same and name in ("...", theirs.split(maxsplit=1)[0])

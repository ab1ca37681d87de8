"""The suite of checks on every store there is: a folder, memory, S3, Azure, and the client for Google on S3's XML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.archive.fakes import MemoryStore
from tests.blob import suite
from tests.blob.gateway import Asked, Do, gateway_to
from tests.blob.servers import Server
from tests.blob.stores import open_store
from zenctl.blob.folder import FolderStore
from zenctl.blob.object import PART_BYTES


def _like_s3(asked: Asked) -> Do:
    """Say Google's condition as S3 says it; the rest of the two XML interfaces is alike."""
    creates = any(name.lower() == "x-goog-if-generation-match" for name in asked.headers)
    return Do(more_headers={"If-None-Match": "*"} if creates else {})


@pytest.fixture(params=["folder", "memory", "s3", "s3-root", "az", "gs-client"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[suite.Place]:
    kind = request.param
    if kind == "folder":
        yield suite.Place(FolderStore(tmp_path / "store"))
    elif kind == "memory":
        yield suite.Place(MemoryStore())
    elif kind == "gs-client":
        server: Server = request.getfixturevalue("s3")
        with gateway_to(server.url) as gateway:
            gateway.hook = _like_s3
            url = f"gs://{server.new_bucket()}/a?endpoint={gateway.url}"
            yield suite.Place(open_store(url, {"GOOGLE_BEARER_TOKEN": "token"}), PART_BYTES, rewinds=False)
    else:
        server = request.getfixturevalue(kind.partition("-")[0])
        url = server.at(server.new_bucket(), "" if kind == "s3-root" else "pre/fix")
        yield suite.Place(open_store(url, server.environ), PART_BYTES, rewinds=False)


@pytest.mark.parametrize("check", suite.CHECKS, ids=suite.named)
def test_a_store(check, place):
    check(place)

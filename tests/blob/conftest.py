"""Servers of object stores and gateways in front of them, for the tests of this folder and of the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from tests.blob.gateway import Gateway, gateway_to
from tests.blob.servers import NO_METADATA, Server, azurite, azurite_missing, moto, moto_missing


@pytest.fixture(scope="session")
def s3() -> Iterator[Server]:
    """Give an S3 server."""
    if why := moto_missing():
        pytest.skip(why)
    with moto() as server:
        yield server


@pytest.fixture(scope="session")
def az() -> Iterator[Server]:
    """Give an Azure Blob server."""
    if why := azurite_missing():
        pytest.skip(why)
    with azurite() as server:
        yield server


@pytest.fixture
def gateway(s3: Server) -> Iterator[Gateway]:
    """Give a gateway to the S3 server."""
    with gateway_to(s3.url) as between:
        yield between


@pytest.fixture(autouse=True)
def no_clouds() -> Iterator[None]:
    """Take everything about clouds out of the environment, and bend metadata services to this machine."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "AZURE_", "GOOGLE_", "GCE_"))
    }
    with patch.dict(os.environ, {**kept, "HOME": "/nonexistent", **NO_METADATA}, clear=True):
        yield

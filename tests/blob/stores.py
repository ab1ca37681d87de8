"""Opens the object store of a test server as production does, with short waits. No test belongs in here."""

from __future__ import annotations

import os
from collections.abc import Mapping

from zenctl.blob.clouds import Retries, connect
from zenctl.blob.object import ObjectStore
from zenctl.blob.urls import parse_store_url

BRISK = Retries(times=3, first_seconds=0.01, longest_seconds=0.05, all_seconds=20)


def open_store(url: str, environ: Mapping[str, str], *, timeout_seconds: float = 10) -> ObjectStore:
    """Return the store at a URL; the client reads its credentials in this process's environment."""
    os.environ.update(environ)
    parsed = parse_store_url(url)
    client = connect(parsed, os.environ, timeout_seconds=timeout_seconds, retries=BRISK)
    return ObjectStore(parsed, client, sleep=lambda _: None)

"""The ceilings: the same requests that zenctl makes, with nothing decided, kept, parsed or reported.

    python -m tests.bench.bare drain            read every page of the Observations and forget it
    python -m tests.bench.bare write FILE       create each object of FILE and put its status
    python -m tests.bench.bare delete FILE      delete each object of FILE under its preconditions

FILE holds one prepared job a line, so that preparing costs nothing here. Prints the number of objects and the
seconds that the requests took.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import urllib3

from zenctl.kube.connect import Connection, ConnectOptions
from zenctl.product.crd import OBSERVATIONS

THREADS = 16
_COLLECTION = f"/apis/{OBSERVATIONS.group}/{OBSERVATIONS.version}"


class Caller:
    """Sends a request and returns the body; any answer of 400 or more ends the run."""

    def __init__(self) -> None:
        connection = Connection(ConnectOptions(), os.environ)
        self._host = connection.host
        self._pool: Any = connection.pool
        self._headers = urllib3.HTTPHeaderDict({"Accept": "application/json", "Content-Type": "application/json"})
        for name, value in connection.headers():
            self._headers.add(name, value)

    def __call__(self, method: str, path: str, body: bytes | None = None) -> bytes:
        answer = self._pool.urlopen(method, self._host + path, body=body, headers=self._headers, retries=False)
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {answer.data[:300]!r}")
        return bytes(answer.data)


class _Meta(msgspec.Struct, rename={"continue_": "continue"}):
    continue_: str = ""


class _Page(msgspec.Struct):
    metadata: _Meta
    items: list[msgspec.Raw]


class _Made(msgspec.Struct):
    metadata: _MadeMeta


class _MadeMeta(msgspec.Struct, rename="camel"):
    resource_version: str
    uid: str


class WriteJob(msgspec.Struct):
    """An object to create, and the status to put afterwards ("" for none)."""

    namespace: str
    name: str
    body: str
    status: msgspec.Raw


class DeleteJob(msgspec.Struct):
    """An object to delete."""

    namespace: str
    name: str
    uid: str
    resource_version: str


def drain(call: Caller) -> int:
    """Read every page; only the continue token is looked for."""
    token, count = "", 0
    while True:
        page = msgspec.json.decode(
            call("GET", f"{_COLLECTION}/{OBSERVATIONS.plural}?limit=500&continue={token}"), type=_Page
        )
        count += len(page.items)
        token = page.metadata.continue_
        if not token:
            return count


def write(call: Caller, job: WriteJob) -> None:
    """Create, then put the status."""
    path = f"{_COLLECTION}/namespaces/{job.namespace}/{OBSERVATIONS.plural}"
    made = msgspec.json.decode(call("POST", path, job.body.encode()), type=_Made).metadata
    if bytes(job.status) != b"null":
        body = (
            f'{{"apiVersion":"{OBSERVATIONS.api_version}","kind":"{OBSERVATIONS.kind}","metadata":{{"name":"{job.name}",'
            f'"namespace":"{job.namespace}","uid":"{made.uid}","resourceVersion":"{made.resource_version}"}},"status":'
        ).encode()
        call("PUT", f"{path}/{job.name}/status", body + bytes(job.status) + b"}")


def delete(call: Caller, job: DeleteJob) -> None:
    """Delete under both preconditions."""
    body = f'{{"preconditions":{{"uid":"{job.uid}","resourceVersion":"{job.resource_version}"}}}}'.encode()
    call("DELETE", f"{_COLLECTION}/namespaces/{job.namespace}/{OBSERVATIONS.plural}/{job.name}", body)


def in_threads(jobs: list[Any], do: Callable[[Any], None]) -> None:
    """Do every job in a fixed number of threads."""
    shared: Iterator[Any] = iter(jobs)
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                job = next(shared, None)
            if job is None:
                return
            do(job)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main(argv: list[str]) -> None:
    """Run one ceiling and print its count and seconds."""
    call = Caller()
    if argv[0] == "drain":
        started = time.monotonic()
        count = drain(call)
    else:
        kinds: dict[str, tuple[Any, Callable[[Caller, Any], None]]] = {
            "write": (WriteJob, write),
            "delete": (DeleteJob, delete),
        }
        kind, do = kinds[argv[0]]
        jobs = [msgspec.json.decode(line, type=kind) for line in Path(argv[1]).read_bytes().splitlines()]
        started, count = time.monotonic(), len(jobs)
        in_threads(jobs, lambda job: do(call, job))
    sys.stdout.write(f"{count} {time.monotonic() - started:.6f}\n")


if __name__ == "__main__":
    main(sys.argv[1:])

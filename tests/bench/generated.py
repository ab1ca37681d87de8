"""``make bench-generated``: one backup or cleanup of any number of objects, against a server that makes them up.

    python -m tests.bench.generated [--objects 10000 100000 1000000] [--streams] [--cleanup]

A real server would be the slower side, and a million real objects would not fit into etcd. This one answers LIST with
pages that it joins from a template, as fast as the loopback address takes them, in a process of its own; with
--streams it answers a WATCH for initial events, each in an HTTP chunk of its own as real servers send them. So what
is measured is zenctl's own work: its processor time for an object, and whether its memory depends on their number.
With --cleanup every object is one that would go: it is judged, spooled, and written down.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.bench.measure import Run, machine, run
from tests.dataset import samples
from zenctl.core.observation import GROUP
from zenctl.manifests.load import crd_yaml
from zenctl.product.crd import OBSERVATIONS

_ZENCTL = str(Path(sys.executable).parent / "zenctl")
_VERSION = "v1alpha1"
_CLEANUP = ("cleanup", "--older-than", "7d", "--max-percent", "100", "--dry-run", "--candidates", "found.ndjson")
_FLAT_BYTES = 10e6
_RATE = 25_000
_NAMESPACES = 100
_EVENTS_AT_ONCE = 200
_COLLECTION = f"/apis/{GROUP}/{_VERSION}/zenevents"


class _Generated:
    """The documents of a cluster with so many Observations."""

    def __init__(self, objects: int) -> None:
        self.objects = objects
        text = json.dumps(_object(), separators=(",", ":"))
        self._parts = [part.encode() for part in text.split('"@"')]
        crd = yaml.safe_load(crd_yaml())
        crd["metadata"] |= {"uid": "crd", "resourceVersion": "1"}
        verbs = ["get", "list", "watch", "create", "update", "delete"]
        kinds = [
            {"name": "zenevents", "singularName": "zenevent", "namespaced": True, "kind": "Observation",
             "verbs": verbs},
            {"name": "zenevents/status", "namespaced": True, "kind": "Observation", "verbs": ["get", "update"]},
        ]  # fmt: skip
        version = {"groupVersion": f"{GROUP}/{_VERSION}", "version": _VERSION}
        groups = [{"name": GROUP, "versions": [version], "preferredVersion": version}]
        self.documents: dict[str, Any] = {
            "/version": {"gitVersion": "v1.26.0"},
            "/apis": {"kind": "APIGroupList", "groups": groups},
            "/api/v1": {"kind": "APIResourceList", "resources": []},
            f"/apis/{GROUP}/{_VERSION}": {"kind": "APIResourceList", "resources": kinds},
            f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{OBSERVATIONS.full_name}": crd,
            "/api/v1/namespaces/kube-system": {"metadata": {"name": "kube-system", "uid": "generated"}},
            "/api/v1/namespaces/zen-system/configmaps": {
                "kind": "ConfigMapList", "metadata": {"resourceVersion": "9"}, "items": [],
            },
        }  # fmt: skip

    def page(self, start: int, limit: int) -> Iterator[bytes]:
        """Yield a page of the list, in key order."""
        end = min(self.objects, start + limit) if limit else self.objects
        token = f'"continue":"{end}","remainingItemCount":{self.objects - end},' if end < self.objects else ""
        yield (
            f'{{"kind":"ObservationList","apiVersion":"{GROUP}/{_VERSION}","metadata":{{{token}"resourceVersion":"9"}},'
            '"items":['
        ).encode()
        one, two, three = self._parts
        each = self.objects // _NAMESPACES + 1
        yield b",".join(
            b'%b"o-%09d"%b"team-%03d"%b' % (one, number, two, number // each, three) for number in range(start, end)
        )
        yield b"]}"

    def stream(self) -> Iterator[bytes]:
        """Yield the initial events of a watch, then the bookmark, in chunks as they go over the wire."""
        one, two, three = self._parts
        each = self.objects // _NAMESPACES + 1
        begin = b'{"type":"ADDED","object":'
        for start in range(0, self.objects, _EVENTS_AT_ONCE):
            numbers = range(start, min(self.objects, start + _EVENTS_AT_ONCE))
            yield b"".join(
                _chunk(b'%b%b"o-%09d"%b"team-%03d"%b}\n' % (begin, one, number, two, number // each, three))
                for number in numbers
            )
        metadata = {"resourceVersion": "9", "annotations": {"k8s.io/initial-events-end": "true"}}
        bookmark = {"type": "BOOKMARK", "object": {"kind": "Observation", "metadata": metadata}}
        yield _chunk(json.dumps(bookmark).encode() + b"\n") + b"0\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _object() -> dict[str, Any]:
    """Return an object of ordinary size with @ in the place of its name and its namespace."""
    found = next(s.object for s in samples(200) if 2_000 < len(json.dumps(s.object)) < 3_000)
    rest = {k: v for k, v in found["metadata"].items() if k not in ("name", "namespace")}
    server = {"uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-11-01T00:00:00Z", "generation": 1}
    spec = {**found["spec"], "timestamp": "2026-01-01T00:00:00Z"}
    status = {**found.get("status", {}), "phase": "Resolved", "lastSeen": "2026-01-01T00:00:00Z"}
    return {**found, "metadata": {"name": "@", "namespace": "@", **rest, **server}, "spec": spec, "status": status}


def serve(objects: int, *, streams: bool) -> None:
    """Answer until the process is killed; print the port first."""
    generated = _Generated(objects)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            if parts.path == _COLLECTION and streams and "sendInitialEvents" in query:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in generated.stream():
                    self.wfile.write(piece)
                return
            if parts.path == _COLLECTION and "watch" not in query:
                pieces = list(generated.page(int(query.get("continue", "0")), int(query.get("limit", "0"))))
                self._answer(200, pieces)
                return
            found = generated.documents.get(parts.path)
            status = {
                "kind": "Status",
                "status": "Failure",
                "reason": "NotFound",
                "code": 404,
                "message": "not found",
            }
            self._answer(200 if found else 404, [json.dumps(found or status).encode()])

        def _answer(self, code: int, pieces: list[bytes]) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(sum(map(len, pieces))))
            self.end_headers()
            for piece in pieces:
                self.wfile.write(piece)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


@contextmanager
def serving(objects: int, *, streams: bool) -> Iterator[str]:
    """Yield the URL of a server in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.generated", "--serve", str(objects)]
    command += ["--streams"] if streams else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


class Measured:
    """One backup: wall and processor seconds, and peak memory."""

    def __init__(self, objects: int, done: Run, processor_seconds: float) -> None:
        self.objects, self.run, self.processor_seconds = objects, done, processor_seconds

    @property
    def rate(self) -> float:
        """Objects in a second of the client's own work."""
        return self.objects / self.processor_seconds


def measure(objects: int, *command: str, streams: bool) -> Measured:
    """Run a command on so many objects."""
    with serving(objects, streams=streams) as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }  # fmt: skip
        (folder / "kubeconfig").write_text(json.dumps(config))
        environ = {**os.environ, "KUBECONFIG": str(folder / "kubeconfig"), "HOME": name}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = run([_ZENCTL, *command, "--no-lock", "--store", str(folder / "store"), "-q"], environ, folder)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Measured(objects, done, used)


def main() -> None:
    """Run the bench and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--serve", type=int)
    parser.add_argument("--streams", action="store_true")
    parser.add_argument("--encrypt-to", action="append", default=[])
    parser.add_argument("--cleanup", action="store_true")
    given = parser.parse_args()
    if given.serve is not None:
        serve(given.serve, streams=given.streams)
        return
    more = [word for recipient in given.encrypt_to for word in ("--encrypt-to", recipient)]
    command = _CLEANUP if given.cleanup else ("backup",)
    results = [measure(objects, *command, *more, streams=given.streams) for objects in given.objects]
    least = min(result.run.peak_bytes for result in results)
    size = len(json.dumps(_object(), separators=(",", ":")))
    sys.stdout.write(f"machine: {machine()}; Python {sys.version.split()[0]}; objects of {size:,} bytes\n\n")
    sys.stdout.write(
        "| objects | whole command | processor | objects/s of own work | peak memory | above the least |\n"
    )
    sys.stdout.write("|---|---|---|---|---|---|\n")
    for result in results:
        done, above = result.run, result.run.peak_bytes - least
        sys.stdout.write(
            f"| {result.objects:,} | {done.seconds:.2f} s | {result.processor_seconds:.2f} s | {result.rate:,.0f}"
            f" | {done.peak_bytes / 1e6:.1f} MB | {above / 1e6:.1f} MB |\n"
        )
    flat = all(result.run.peak_bytes - least <= _FLAT_BYTES for result in results)
    quick = given.cleanup or all(result.rate >= _RATE for result in results[1:])
    sys.stdout.write(
        f"\nflat within 10 MB: {'yes' if flat else 'NO'}; above {_RATE:,}/s: {'yes' if quick else 'NO'}\n"
    )
    raise SystemExit(0 if flat and quick else 1)


if __name__ == "__main__":
    main()

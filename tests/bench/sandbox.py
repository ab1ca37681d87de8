"""What the sandbox does with many objects: create, LIST, WATCH, memory; and which side of a backup is the slower one.

    python -m tests.bench.sandbox [OBJECTS]

Everything runs over TLS on the loopback address, the server in a process of its own. Rates depend on the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.measure import run
from tests.dataset import samples
from zenctl.core.objects import KeyFields
from zenctl.errors import ZenctlError
from zenctl.kube.connect import Connection, ConnectOptions
from zenctl.kube.discovery import Discovery
from zenctl.kube.gateway import Gateway
from zenctl.kube.http import Client
from zenctl.kube.workers import Workers
from zenctl.ports import ALL

OBJECTS, BYTES, WATCHED = 100_000, 2_500, 5_000


def bodies(count: int) -> Iterator[bytes]:
    """Yield Observations of real findings, each filled up to the size that is measured."""
    for sample in samples(count, 10, seed=5):
        found = {**sample.object, "spec": {**sample.object["spec"]}}
        found.pop("status", None)
        room = BYTES - len(json.dumps(found)) - 40
        found["spec"]["padding"] = "x" * max(0, room)
        yield json.dumps(found).encode()


def main(count: int) -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = {**os.environ, "HOME": name, "ZENCTL_SANDBOX_DIR": str(folder / "box"),
                   "KUBECONFIG": str(folder / "box" / "kubeconfig"), "ZENCTL_CLUSTER": "bench"}  # fmt: skip
        with sandbox(folder, environ) as pid:
            measure(count, folder, environ, pid)


def measure(count: int, folder: Path, environ: dict[str, str], pid: int) -> None:
    """Do one thing after the other with a growing number of objects."""
    client = Client(
        Connection(ConnectOptions(kubeconfig=environ["KUBECONFIG"]), {}), timeout_seconds=60, user_agent="bench"
    )
    gateway = Gateway(client)
    observations = Discovery(client).resolve("ze")
    empty = memory_mib(pid)

    def create(body: bytes) -> None:
        namespace = json.loads(body)["metadata"]["namespace"]
        gateway.create(observations, namespace, body)

    some = list(bodies(WATCHED))
    began = time.monotonic()
    answers = list(Workers(client.pressure).run(some, create))
    say("create, one by one", WATCHED, time.monotonic() - began)
    assert not [answer for _, answer in answers if isinstance(answer, ZenctlError)]

    (folder / "many.ndjson").write_bytes(b"\n".join(bodies(count)))
    began = time.monotonic()
    zenctl(environ, "sandbox", "load", str(folder / "many.ndjson"))
    say("load, in batches", count, time.monotonic() - began)
    full = memory_mib(pid)
    per_object = (full - empty) * 1024 / count
    print(f"{'memory of the server':38} {full:10,.0f} MiB   {per_object:.2f} KiB an object of {BYTES:,} bytes")

    seen = 0
    for whole, what in ((False, "LIST in pages of 500"), (True, "LIST as one stream")):
        began, seen = time.monotonic(), 0
        for page in gateway.pages(observations, KeyFields, ALL, whole=whole):
            seen += len(page.objects)
        say(what, seen, time.monotonic() - began)

    version = next(iter(gateway.pages(observations, KeyFields, ALL))).resource_version
    watching = gateway.watch(observations, KeyFields, ALL, str(int(version) - WATCHED))
    began = time.monotonic()
    for _ in range(WATCHED):
        next(watching)
    say("WATCH, catching up", WATCHED, time.monotonic() - began)
    backup(environ, folder, pid, seen)
    client.close()


def backup(environ: dict[str, str], folder: Path, pid: int, count: int) -> None:
    """Back everything up, and tell the processor seconds of either side."""
    before = cpu_seconds(pid)
    command = [sys.executable, "-m", "zenctl", "backup", "--store", str(folder / "store"), "-q"]
    began_cpu = os.times()
    done = run(command, environ, folder)
    client = os.times().children_user + os.times().children_system
    client -= began_cpu.children_user + began_cpu.children_system
    server = cpu_seconds(pid) - before
    say("backup, whole", count, done.seconds)
    print(f"{'':38} processor seconds: client {client:.1f}, server {server:.1f}")
    print(f"{'':38} peak memory of the client: {done.peak_bytes / 2**20:.0f} MiB")


def say(what: str, count: int, seconds: float) -> None:
    """Print one line of the table."""
    print(f"{what:38} {count:10,}     {seconds:8.2f} s   {count / seconds:10,.0f}/s", flush=True)


@contextmanager
def sandbox(folder: Path, environ: dict[str, str]) -> Iterator[int]:
    """Run a sandbox with the CRD in a process of its own; give its pid."""
    zenctl(environ, "sandbox", "up", "--detach")
    try:
        crd = folder / "crd.yaml"
        crd.write_text(zenctl(environ, "manifests", "crd"))
        zenctl(environ, "sandbox", "load", str(crd))
        status = json.loads(zenctl(environ, "sandbox", "status", "-o", "json"))
        namespaces = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"team-{n:02}"}} for n in range(10)
        ]
        (folder / "namespaces.ndjson").write_text("\n".join(map(json.dumps, namespaces)))
        zenctl(environ, "sandbox", "load", str(folder / "namespaces.ndjson"))
        yield status["data"]["pid"]
    finally:
        zenctl(environ, "sandbox", "down")


def zenctl(environ: dict[str, str], *arguments: str) -> str:
    """Run the program; return what it printed."""
    command = [sys.executable, "-m", "zenctl", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout


def memory_mib(pid: int) -> float:
    """Return the resident memory of a process (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else OBJECTS)

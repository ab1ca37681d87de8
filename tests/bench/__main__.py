"""``make bench``: the budgets of the design on a real API server, each beside its alternative.

    python -m tests.bench [--objects 20000] [--repeat 3]

It starts its own control plane from KUBEBUILDER_ASSETS, fills it with Observations made from real payloads, and
measures start-up, backup, restore and cleanup against the guide's own kubectl commands and against bare requests.
Every ratio is taken within one run. Slow alternatives are measured on a part and compared by rate, and it says so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.bench.bare import DeleteJob, WriteJob
from tests.bench.measure import Run, best, machine, run
from tests.cluster.controlplane import ControlPlane
from tests.dataset import samples
from zenctl.manifests.load import crd_yaml

_ZENCTL = str(Path(sys.executable).parent / "zenctl")
_APPLIED = 1_000
_LOOPED = 30
_BARE = 4_000


class Row(NamedTuple):
    """A line of the result: what was measured, the figure, the budget, and whether it is met."""

    what: str
    figure: str
    beside: str
    ratio: str
    budget: str
    met: bool


class Bench:
    """One run: a control plane, a folder, and the rows so far."""

    def __init__(self, plane: ControlPlane, folder: Path, objects: int, repeat: int) -> None:
        self.folder = folder
        self.objects = objects
        self.repeat = repeat
        self.environ = {**os.environ, "KUBECONFIG": str(plane.kubeconfig()), "HOME": str(folder), "COLUMNS": "100"}
        self.rows: list[Row] = []
        self.samples = [
            {**sample.object, "metadata": {**sample.object["metadata"], "uid": f"00000000-0000-4000-8000-{n:012d}"}}
            for n, sample in enumerate(samples(objects, now=datetime.now(UTC)))
        ]

    def zenctl(self, *arguments: str, keep: bool = False) -> Run:
        """Run zenctl."""
        return run([_ZENCTL, *arguments], self.environ, self.folder, keep=keep)

    def kubectl(self, *arguments: str, keep: bool = False) -> Run:
        """Run kubectl."""
        return run(["kubectl", *arguments], self.environ, self.folder, keep=keep)

    def bare(self, *arguments: str) -> float:
        """Run a ceiling; return its objects per second."""
        done = run([sys.executable, "-m", "tests.bench.bare", *arguments], self.environ, self.folder, keep=True)
        count, seconds = done.output.split()
        return int(count) / float(seconds)

    def report(self, *row: Any) -> None:
        """Note a row and show that something happens."""
        self.rows.append(Row(*row))
        sys.stderr.write(f"  {row[0]}: {row[1]}  ({row[2]}; {row[3]})\n")

    # -- filling -------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Bring every sample into the cluster, with status, by zenctl restore from a file."""
        crd = self.folder / "crd.yaml"
        crd.write_text(crd_yaml())
        self.kubectl("apply", "-f", str(crd))
        self.kubectl("wait", "--for=condition=Established", "crd/zenevents.zen.kube-zen.io", "--timeout=60s")
        source = self.folder / "events.ndjson"
        source.write_bytes(b"".join(msgspec.json.encode(found) + b"\n" for found in self.samples))
        self.zenctl("restore", str(source), "--yes", "-q")

    def empty(self) -> None:
        """Remove every Observation the fast way: with their CRD."""
        self.kubectl("delete", "crd", "zenevents.zen.kube-zen.io")

    def write_jobs(self, begin: int, count: int, file: str, prefix: str) -> str:
        """Prepare bare writes of some samples under other names."""
        path = self.folder / file
        lines = []
        for found in self.samples[begin : begin + count]:
            metadata = {k: v for k, v in found["metadata"].items() if k != "uid"}
            metadata["name"] = f"{prefix}-{metadata['name']}"[:63]
            body = {**{k: v for k, v in found.items() if k != "status"}, "metadata": metadata}
            status = msgspec.Raw(msgspec.json.encode(found.get("status")))
            job = WriteJob(metadata["namespace"], metadata["name"], msgspec.json.encode(body).decode(), status)
            lines.append(msgspec.json.encode(job))
        path.write_bytes(b"\n".join(lines))
        return str(path)

    # -- rows ----------------------------------------------------------------------------------------

    def startup(self) -> None:
        """Measure --help, version and a simple command."""
        self.kubectl("create", "namespace", "bench-empty")
        for what, limit_ms, arguments in (
            ("zenctl --help", 120, ["--help"]),
            ("zenctl version", 120, ["version"]),
            ("zenctl events list in an empty namespace", 450, ["events", "list", "-n", "bench-empty", "-q"]),
        ):
            runs = [self.zenctl(*arguments) for _ in range(max(10, self.repeat))]
            python = best([run([sys.executable, "-c", "pass"], self.environ, self.folder) for _ in range(5)])
            found_ms = best(runs).seconds * 1000
            beside = f"bare python {python.seconds * 1000:.0f} ms"
            self.report(what, f"{found_ms:.0f} ms", beside, "-", f"{limit_ms} ms", found_ms <= limit_ms)

    def backup(self) -> None:
        """Measure the backup beside kubectl get -A -o yaml and beside a bare drain, in turn."""
        ours, theirs, drained = [], [], []
        for number in range(self.repeat):
            store = self.folder / f"store-{number}"
            ours.append(self.zenctl("backup", "--store", str(store), "-q"))
            drained.append(run([sys.executable, "-m", "tests.bench.bare", "drain"], self.environ, self.folder))
            theirs.append(self.kubectl("get", "zenevents", "-A", "-o", "yaml"))
        our, their, bare = best(ours), best(theirs), best(drained)
        rate = self.objects / our.seconds
        self._compare("backup", our, their, f"{rate:,.0f}/s", "kubectl get -A -o yaml", 2.5)
        slower = our.seconds / bare.seconds
        beside = f"bare drain {bare.seconds:.2f} s"
        self.report(
            "backup, against a drain", f"{our.seconds:.2f} s", beside, f"{slower:.2f}x", "<= 1.25x", slower <= 1.25
        )
        peak, their_peak = our.peak_bytes / 2**20, their.peak_bytes / 2**20
        beside = f"kubectl {their_peak:,.0f} MiB"
        smaller, small = f"{their_peak / peak:.0f}x", our.peak_bytes <= 120e6
        self.report("backup, peak memory", f"{peak:.0f} MiB", beside, smaller, "<= 120 MB", small)

    def _compare(self, what: str, our: Run, their: Run, rate: str, named: str, wanted: float) -> None:
        ratio = their.seconds / our.seconds
        figure = f"{our.seconds:.2f} s, {rate}"
        self.report(what, figure, f"{named} {their.seconds:.2f} s", f"{ratio:.1f}x", f">= {wanted}x", ratio >= wanted)

    def restore(self) -> None:
        """Measure a full restore with status beside bare writes before and after it, and kubectl apply."""
        before = self.bare("write", self.write_jobs(0, _BARE, "write-1.ndjson", "bare-a"))
        self.empty()
        done = self.zenctl(
            "restore", "latest", "--store", str(self.folder / "store-0"), "--yes", "-o", "json", keep=True
        )
        data = msgspec.json.decode(done.output)["data"]
        made = next(batch for batch in data["batches"] if batch["kind"] == "Observation")
        if made["done"] != {"created": self.objects}:
            raise SystemExit(f"the restore did not create everything: {made}")
        rate = self.objects / done.seconds
        after = self.bare("write", self.write_jobs(0, _BARE, "write-2.ndjson", "bare-b"))
        share = rate / ((before + after) / 2)
        self.report(
            "restore with status",
            f"{done.seconds:.1f} s, {rate:,.0f}/s",
            f"bare create + status {(before + after) / 2:,.0f}/s",
            f"{share:.2f}",
            ">= 0.7",
            share >= 0.7,
        )
        applied, with_status = self._apply_rates()
        self.report(
            "restore, against kubectl apply",
            f"{rate:,.0f}/s",
            f"kubectl apply {applied:,.0f}/s on {_APPLIED:,}, and no status",
            f"{rate / applied:.1f}x",
            ">= 5x",
            rate >= 5 * applied,
        )
        self.report(
            "restore, for the same result",
            f"{rate:,.0f}/s",
            f"kubectl apply, then kubectl replace --subresource=status: {with_status:,.0f}/s",
            f"{rate / with_status:.1f}x",
            "-",
            rate >= with_status,
        )

    def _apply_rates(self) -> tuple[float, float]:
        """Return the objects per second of kubectl apply, and of apply and a second pass for status."""
        items = []
        for found in self.samples[:_APPLIED]:
            name = f"applied-{found['metadata']['name']}"[:63]
            items.append({**found, "metadata": {"namespace": found["metadata"]["namespace"], "name": name}})
        applying = self._with_list(items, "apply").seconds
        replacing = self._with_list([i for i in items if "status" in i], "replace", "--subresource=status").seconds
        return _APPLIED / applying, _APPLIED / (applying + replacing)

    def _with_list(self, items: list[Any], *arguments: str) -> Run:
        path = self.folder / "list.json"
        path.write_bytes(msgspec.json.encode({"apiVersion": "v1", "kind": "List", "items": items}))
        return self.kubectl(*arguments, "-f", str(path))

    def cleanup(self) -> None:
        """Measure the cleanup beside bare deletes before and after it, and the guide's loop."""
        looped = self._loop_rate()
        before = self.bare("delete", self._delete_jobs("bare-b"))
        done = self.zenctl("cleanup", "--older-than", "7d", "--yes", "-o", "json", keep=True)
        data = msgspec.json.decode(done.output)["data"]
        deleted, judged = data["deleted"], data["scope"]["total"]
        deleting = data["seconds"] + data["undo"]["seconds"]
        self.bare("write", self.write_jobs(_BARE, _BARE, "write-3.ndjson", "bare-c"))
        after = self.bare("delete", self._delete_jobs("bare-c"))
        bare = (before + after) / 2
        share = deleted / deleting / bare
        self.report(
            "cleanup, archiving and deleting",
            f"{deleted / deleting:,.0f}/s, {deleted:,} of {judged:,}",
            f"bare delete {bare:,.0f}/s",
            f"{share:.2f}",
            ">= 0.8",
            share >= 0.8,
        )
        rate = deleted / done.seconds
        self.report(
            "cleanup, whole",
            f"{done.seconds:.1f} s, {rate:,.0f} deleted/s",
            f"the guide's loop {looped:.2f} deleted/s on {_LOOPED} objects",
            f"{rate / looped:,.0f}x",
            ">= 100x",
            rate >= 100 * looped,
        )

    def _delete_jobs(self, prefix: str) -> str:
        path = self.folder / f"delete-{prefix}.ndjson"
        listed = self.kubectl("get", "zenevents", "-A", "-o", "json", keep=True).output
        found = [
            item["metadata"]
            for item in msgspec.json.decode(listed)["items"]
            if item["metadata"]["name"].startswith(prefix)
        ]
        jobs = [DeleteJob(m["namespace"], m["name"], m["uid"], m["resourceVersion"]) for m in found]
        path.write_bytes(b"\n".join(msgspec.json.encode(job) for job in jobs))
        return str(path)

    def _loop_rate(self) -> float:
        """Return the deletions per second of the guide's CronJob, in a namespace with the same share of Resolved."""
        path = self.folder / "loop.ndjson"
        part = [dict(found) for found in self.samples[:_LOOPED]]
        for found in part:
            found["metadata"] = {"namespace": "bench-loop", "name": f"loop-{found['metadata']['name']}"[:63]}
        path.write_bytes(b"".join(msgspec.json.encode(found) + b"\n" for found in part))
        self.zenctl("restore", str(path), "--yes", "-q")
        resolved = sum((found.get("status") or {}).get("phase") == "Resolved" for found in part)
        loop = """
            kubectl get zenevents -n bench-loop -o name | while read event; do
              phase=$(kubectl get $event -n bench-loop -o jsonpath='{.status.phase}')
              timestamp=$(kubectl get $event -n bench-loop -o jsonpath='{.spec.timestamp}')
              if [ "$phase" = "Resolved" ]; then kubectl delete $event -n bench-loop; fi
            done"""
        return float(resolved) / run(["sh", "-c", loop], self.environ, self.folder).seconds


def table(rows: list[Row]) -> str:
    """Return the rows as a markdown table."""
    lines = ["| what | measured | beside | ratio | budget | met |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {r.what} | {r.figure} | {r.beside} | {r.ratio} | {r.budget} | {'yes' if r.met else 'NO'} |" for r in rows
    ]
    return "\n".join(lines)


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """Yield a folder that goes away."""
    folder = Path(tempfile.mkdtemp(prefix="zenctl-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


PARTS = ("startup", "backup", "restore", "cleanup")


def main() -> None:
    """Run the bench and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", action="append", choices=PARTS, help="repeatable; default all")
    given = parser.parse_args()
    with work_folder() as folder, ControlPlane.from_environment() as plane:
        bench = Bench(plane, folder, given.objects, given.repeat)
        sys.stderr.write(f"filling a real API server with {given.objects:,} Observations\n")
        bench.fill()
        for part in given.only or PARTS:
            getattr(bench, part)()
        size = sum(len(msgspec.json.encode(found)) for found in bench.samples) / len(bench.samples)
        version = bench.kubectl("version", "-o", "json", keep=True).output
        server = msgspec.json.decode(version)["serverVersion"]["gitVersion"]
    sys.stdout.write(
        f"machine: {machine()}; Python {sys.version.split()[0]}; kube-apiserver {server}; {given.objects:,}"
        f" Observations of {size:,.0f} bytes on average as they are sent; minimum of {given.repeat}\n\n"
    )
    sys.stdout.write(f"{table(bench.rows)}\n")


if __name__ == "__main__":
    main()

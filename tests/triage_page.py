"""docs/triage.md: a newcomer's day at the triage desk, made by running it on the embedded cluster.

The cluster's clock stands still and is moved by hand, so that the same day comes out every time; a test compares.
"""

from __future__ import annotations

import re
import shlex
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Timer
from typing import Any

import yaml

from tests.cli.runner import environment, run, start_program
from tests.conformance.embedded import TOKEN
from tests.sandbox.world import kubeconfig_of
from zenctl.access.identity import ALWAYS_ALLOWED_GROUP, User
from zenctl.core.instants import format_instant
from zenctl.manifests.load import crd_yaml
from zenctl.product.crd import API_VERSION
from zenctl.sandbox.apiserver.server import ApiServer

MORNING = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
_PATIENCE_SECONDS = 30
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

_INTRO = """\
# A day at the triage desk

The daily review: what came in, what matters, what it is about, who takes it, and what is left in the evening.
This is such a day of somebody who sees zenctl for the first time. Every command below was run on the embedded
cluster (`zenctl sandbox up`), and what stands under it is what it printed; only the clock was set.
"""

_RULES = """\
## What is behind it

**Phases.** An Observation is Active, Acknowledged, Resolved or Archived; without a phase it is Active. Active
and Acknowledged ones are *open*. `ack` says that somebody knows, `resolve` that it is settled: from then on
[cleanup](commands.md) may delete it by its age. `archive` keeps it for the record. `reopen` takes any of it
back. Each leaves a condition in the status with the note, the author and the time, and writes nothing where the
phase is right already.

**By name, or by selection.** Names are settled at once. A selection (`-l`, `--severity`, `--source`,
`--category`, `--phase`, `--since`, `--until`, `-n`, or `--all`) shows its plan and asks; without a terminal it
needs `--yes`, and `--dry-run` only plans. A selection moves forward only: `ack` takes Active ones, `resolve`
open ones, `archive` all but Archived ones, `reopen` Acknowledged and Resolved ones; `--phase` names others.
Each status is written onto the very object that the plan has seen. One that has changed since is left alone and
listed, and the exit code is 3; run it again.

**Unknown is not good.** What has no readable time is neither new nor old: digest and stats count it apart, and
so does a selection with `--since`. A phase that is none of the four is neither open nor settled. Of the
resource, `show` says that it is gone only where the API server says so; what may not be read is unknown, with
the reason.

**Watching.** `watch` takes a cut connection up where it broke off, and lists again where the server has
forgotten so far back. No state of an Observation is shown twice, and the last one of each is always shown;
states in between that nobody could see are not. It shows what is added and what changes its phase; `--change`
names other changes: `changed`, which most often means seen again, and `deleted`. `-o json` prints a document a
line. Ctrl-C ends it with 130, `--for 8h` with 0. When the server stays away for about a minute, it ends with 5.

**Rights.** Reading takes `get` and `list` on the Observations, `watch` for watching; settling takes `update` on
their `status`. `show` reads the resource and lists pods too where it may, and works without.

**Elsewhere.** `list`, `show`, `stats` and `digest` take `--from ARCHIVE` and read a [backup](using-backups.md)
in place of the cluster. Every command is in [Commands](commands.md).
"""


def triage_page() -> str:
    """Return the page: the day, and then what is behind it."""
    with a_desk() as desk:
        parts = [_INTRO, *_day(desk), _RULES]
    return "\n".join(parts)


class Desk:
    """An embedded cluster whose clock stands where it is put, and somebody who types commands."""

    def __init__(self, folder: Path) -> None:
        self.now = MORNING
        self.server = ApiServer(lambda: self.now)
        self.server.tokens.add(TOKEN, User("mia", (ALWAYS_ALLOWED_GROUP,)))
        self.kubeconfig = folder / "kubeconfig"
        self.load([yaml.safe_load(crd_yaml()), *_cluster()])

    def load(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Put objects in, as they are."""
        _, refused = self.server.load(documents)
        if refused:
            raise RuntimeError(f"the sandbox refuses {refused[0]}")

    @property
    def environ(self) -> dict[str, str]:
        """The environment of the commands."""
        return environment(KUBECONFIG=str(self.kubeconfig), USER="mia")

    def type(self, line: str, *, code: int = 0) -> str:
        """Run a command line; return it as a block with what it printed."""
        ran = run(*shlex.split(line)[1:], environ=self.environ)
        if ran.code != code:
            raise RuntimeError(f"{line} ended with {ran.code}, not {code}: {ran.stderr}")
        end = f"(exit code {code})\n" if code else ""
        return _block(line, f"{ran.stdout}{ran.stderr}{end}")

    def watch(self, line: str, happen: Callable[[], None], rows: int) -> str:
        """Run a watch until it has shown so many rows, letting things happen after the first; then Ctrl-C."""
        process = start_program(*shlex.split(line)[1:], environ=self.environ)
        patience = Timer(_PATIENCE_SECONDS, process.kill)
        patience.start()
        try:
            assert process.stdout is not None
            there = [process.stdout.readline(), process.stdout.readline()]
            happen()
            came = [process.stdout.readline() for _ in range(rows - 1)]
            process.send_signal(signal.SIGINT)
            rest, said = process.communicate(timeout=_PATIENCE_SECONDS)
        finally:
            patience.cancel()
            process.kill()
            process.wait()
        if (process.returncode, rest) != (130, ""):
            raise RuntimeError(f"{line} ended with {process.returncode}: {rest}{said}")
        *notes, last = said.splitlines(keepends=True)
        text = "".join([*there, *notes, *came, "^C\n", last, "(exit code 130)\n"])
        # How long the program took until it heard of something is the machine's business.
        return _block(line, re.sub(r"\d\d:\d\d:\d\dZ", f"{self.now:%H:%M:%S}Z", text))


@contextmanager
def a_desk() -> Iterator[Desk]:
    """Give a desk on a served cluster."""
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        with kubeconfig_of(desk.server, Path(folder)) as path:
            desk.kubeconfig = path
            yield desk


def _block(line: str, printed: str) -> str:
    text = "\n".join(each.rstrip() for each in printed.splitlines())
    return f"```console\n$ {line}\n{text}\n```\n"


def _day(desk: Desk) -> Iterator[str]:
    yield "## Morning\n\nWhat happened since yesterday?\n"
    yield desk.type("zenctl events digest")
    yield "One critical finding, two hours old. The list of what is severe and open, worst first:\n"
    yield desk.type("zenctl events list --severity critical,high --phase active,acknowledged --sort severity")
    yield "Everything about the first: what it says, how its pod does, and what else was found there.\n"
    yield desk.type("zenctl events show shop/falco-7d1f0a")
    yield "The pod runs, and was killed for its memory. Somebody takes that; the others shall see who, and why.\n"
    yield desk.type("zenctl events ack shop/falco-7d1f0a --note 'looking into it, INC-481'")
    yield "## Where does it all come from?\n"
    desk.now += _HOUR
    yield desk.type("zenctl events stats --days 7")
    yield (
        "Most of it is one policy in staging, which the team has waived. That is a selection: without a terminal\n"
        "to ask on, it only shows the plan.\n"
    )
    yield desk.type("zenctl events resolve --source kyverno -n staging --note 'waived for now'", code=4)
    yield "Just that, so do it. A second run finds nothing left to do.\n"
    yield desk.type("zenctl events resolve --source kyverno -n staging --note 'waived for now' --yes")
    yield desk.type("zenctl events resolve --source kyverno -n staging --note 'waived for now' --yes")
    yield "## The release\n\nThe fix goes out at noon. A watch runs beside it: what is there, and what comes.\n"
    desk.now = MORNING + 4 * _HOUR
    yield desk.watch("zenctl events watch -n shop --since 8h", lambda: _noon(desk), 3)
    yield "The scan has found something in the new image, and a colleague has settled the runtime alarm.\n"
    yield desk.type("zenctl events ack shop/trivy-90ab11 --note 'base image is rebuilt tonight' --author jon")
    yield "That alarm was closed too early: the pod was killed again. It is opened again, and says why.\n"
    desk.now += 10 * _MINUTE
    yield desk.type("zenctl events reopen shop/falco-7d1f0a --note 'killed again at 12:05'")
    yield "## Evening\n\nA message for the channel. `-o markdown` is made for that, and fits into one.\n"
    desk.now = MORNING + 10 * _HOUR
    yield desk.type("zenctl events digest --since 10h -o markdown")


# -- the cluster of that day -----------------------------------------------------------------------------------


def _observation(name: str, namespace: str, ago: timedelta, **more: Any) -> dict[str, Any]:
    status = more.pop("status", {"phase": "Active"})
    at = more.pop("timestamp", format_instant(more.pop("now", MORNING) - ago))
    return {
        "apiVersion": API_VERSION,
        "kind": "Observation",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"00000000-0000-4000-8000-{name[-6:]:0>12}",
            "creationTimestamp": format_instant(MORNING - 9 * _DAY),
            "labels": {"source": more["source"], "severity": str(more["severity"]).lower()},
        },
        "spec": {"category": "security", "timestamp": at, **more},
        "status": status,
    }


_WEB = {"apiVersion": "v1", "kind": "Pod", "name": "web-5d9c-x2x", "namespace": "shop"}
_SHELL = {
    "source": "falco", "severity": "CRITICAL", "eventType": "shell", "resource": _WEB,
    "message": "A shell was spawned in a container",
}  # fmt: skip


def _cluster() -> Iterator[dict[str, Any]]:
    for name in ("shop", "staging"):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    yield _pod()
    yield _observation("falco-7d1f0a", "shop", 2 * _HOUR, **_SHELL)
    yield _observation(
        "falco-11c0de", "shop", 5 * _HOUR, source="falco", severity="MEDIUM", eventType="write", resource=_WEB,
        message="File below /etc opened for writing", status={"phase": "Acknowledged"},
    )  # fmt: skip
    yield _observation(
        "trivy-0b0e51", "shop", 12 * _DAY, source="trivy", severity="HIGH", eventType="vulnerability",
        resource={"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d9c"},
        message="CVE-2026-1187 in openssl 3.0.2, fixed in 3.0.9",
    )  # fmt: skip
    yield _observation(
        "trivy-44fe02", "shop", 3 * _DAY, source="trivy", severity="LOW", eventType="vulnerability",
        message="CVE-2025-4021 in libc-bin 2.28, no fixed version yet",
        status={"phase": "Resolved", "resolvedAt": format_instant(MORNING - 14 * _HOUR)},
    )  # fmt: skip
    yield _observation(
        "bench-90aa07", "shop", _DAY, source="kube-bench", severity="MEDIUM", eventType="benchmark",
        message="4.2.6: --protect-kernel-defaults is not set", timestamp="23.11.2026 07:10",
    )  # fmt: skip
    for number in range(9):
        yield _observation(
            f"kyverno-0000{number:02}", "staging", number * 15 * _HOUR + 3 * _HOUR, source="kyverno", severity="LOW",
            eventType="policy", resource={"kind": "Deployment", "name": f"demo-{number}"},
            message="require-limits: containers need memory limits",
        )  # fmt: skip


def _noon(desk: Desk) -> None:
    """Let a scan find something in the new release, and a colleague settle the alarm."""
    found = _observation(
        "trivy-90ab11", "shop", 3 * _MINUTE, now=desk.now, source="trivy", severity="HIGH",
        eventType="vulnerability", message="CVE-2026-2044 in curl 7.88.1, fixed in 7.88.2",
    )  # fmt: skip
    desk.load([found])
    desk.type("zenctl events resolve shop/falco-7d1f0a --author jon --note 'a debug session of ours'")


def _pod() -> dict[str, Any]:
    ended = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": format_instant(MORNING - 20 * _MINUTE)}
    state = {"running": {"startedAt": format_instant(MORNING - 19 * _MINUTE)}}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d9c", "uid": "u-rs", "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web-5d9c-x2x",
            "namespace": "shop",
            "creationTimestamp": format_instant(MORNING - 2 * _DAY),
            "ownerReferences": [owner],
        },
        "spec": {"nodeName": "node-3", "containers": [{"name": "web", "image": "shop/web:1.4.0"}]},
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {"name": "web", "ready": True, "restartCount": 3, "image": "shop/web:1.4.0", "imageID": "sha256:1",
                 "state": state, "lastState": {"terminated": ended}},
            ],
        },
    }  # fmt: skip

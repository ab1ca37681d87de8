"""``make demo``: a cluster that nobody has to own, real findings in it, an accident, and everything back.

Each step is said in a sentence, shown as the command that a person would type, and really run. Everything lives in
one temporary folder and one process, and both are gone in the end, also after Ctrl-C. A step that does not do what
was promised ends the demonstration with an error.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.dataset import samples

COUNT, NAMESPACES = 300, 4
PLURAL = "zenevents.zen.kube-zen.io"
_WIDTH = 100
_COLUMNS = "namespace,name,severity,source,phase,age"


class NotAsPromised(Exception):
    """A step did something else than was said."""


class Stage:
    """Where the demonstration happens: a folder, an environment for its commands, and a place to speak."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.step = 0
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZENCTL_", "KUBE"))}
        self.environ: Mapping[str, str] = {
            **kept,
            "PATH": path,
            "HOME": str(folder),
            "KUBECONFIG": str(folder / "sandbox" / "kubeconfig"),
            "ZENCTL_SANDBOX_DIR": str(folder / "sandbox"),
            "ZENCTL_STORE": str(folder / "backups"),
            "ZENCTL_CLUSTER": "demo",
        }

    def say(self, text: str) -> None:
        """Begin a step with a sentence or two: what happens, and why it matters."""
        self.step += 1
        print(f"\n{textwrap.fill(f'{self.step}. {text}', _WIDTH, subsequent_indent='   ')}\n", flush=True)

    def run(self, *command: str, code: int = 0, lines: int = 40, stdin: str = "", shown: str = "") -> str:
        """Show a command and what it prints, and see that it ends as promised; return its standard output."""
        print(f"$ {shown or shlex.join(command)}", flush=True)
        done = subprocess.run(
            command, env=self.environ, cwd=self.folder, input=stdin, capture_output=True, text=True, check=False
        )
        told = [*done.stdout.splitlines(), *done.stderr.splitlines()]
        print("\n".join(told[:lines]))
        if len(told) > lines:
            print(f"   ... and {len(told) - lines} more lines")
        if done.returncode != code:
            raise NotAsPromised(f"{shlex.join(command)} ended with {done.returncode}, not {code}")
        return done.stdout

    def ask(self, *command: str) -> Any:
        """Run a command unseen and return the document that it prints as JSON."""
        words = [*command, "-o", "json", "-q"]
        done = subprocess.run(words, env=self.environ, cwd=self.folder, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def findings(self) -> list[dict[str, Any]]:
        """List the Observations, unseen."""
        found: list[dict[str, Any]] = self.ask("zenctl", "events", "list")["items"]
        return found

    def phases(self) -> dict[str, int]:
        """Count the Observations by phase, unseen."""
        counts: dict[str, int] = {}
        for row in self.findings():
            counts[row["phase"]] = counts.get(row["phase"], 0) + 1
        return dict(sorted(counts.items()))


def promised(what: str, *, holds: bool) -> None:
    """Say that something was checked, and end the demonstration where it is not so."""
    if not holds:
        raise NotAsPromised(what)
    print(f"   checked: {what}", flush=True)


@contextmanager
def stage() -> Iterator[Stage]:
    """Give a stage, and take it down whatever happened."""
    folder = Path(tempfile.mkdtemp(prefix="zenctl-demo-"))
    made = Stage(folder)
    try:
        yield made
    finally:
        subprocess.run(["zenctl", "sandbox", "down"], env=made.environ, capture_output=True, check=False)
        shutil.rmtree(folder)


def play(on: Stage) -> None:
    """Run every step."""
    _begin(on)
    before = on.phases()
    _back_up(on)
    _lose_everything(on)
    _restore(on, before)
    _settle_and_clean_up(on)
    on.say("The end: the cluster and everything in it goes away, and nothing is left on this machine.")
    on.run("zenctl", "sandbox", "down")


def _begin(on: Stage) -> None:
    on.say(
        "A cluster to try everything in. It is an API server in one process, in memory, on this machine only; "
        "kubectl works with it as with any other."
    )
    on.run("zenctl", "sandbox", "up", "--detach")
    on.say("The kind of resource that Zen Watcher writes its findings to, and the namespace where it is installed.")
    crd = on.run("zenctl", "manifests", "crd", lines=3)
    namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: zen-system}}\n"
    (on.folder / "setup.yaml").write_text(f"{crd}\n---\n{namespace}")
    on.run("zenctl", "sandbox", "load", "setup.yaml")
    on.say(
        f"{COUNT} Observations, made by the watcher's own parsers from real reports of Trivy and Kyverno. Some have "
        "been triaged, some carry the awkward times that real tools write."
    )
    made = [sample.object for sample in samples(COUNT, NAMESPACES, seed=11, now=datetime.now(UTC))]
    (on.folder / "findings.ndjson").write_text("\n".join(json.dumps(each) for each in made))
    on.run("zenctl", "sandbox", "load", "findings.ndjson")
    on.run("zenctl", "events", "list", "--severity", "CRITICAL", "--columns", _COLUMNS, lines=8)


def _back_up(on: Stage) -> None:
    on.say(
        "The nightly backup: every object as the server sent it, status included, in one file whose every byte is "
        "under a checksum. It is listed only once it is whole."
    )
    on.run("zenctl", "backup")
    on.run("zenctl", "backup", "verify", "--level", "3")
    on.say(
        "The only proof of a backup is a restore. A drill restores it into a second cluster inside its own process, "
        "by the code of an emergency, and compares every object that came back."
    )
    on.run("zenctl", "backup", "drill")


def _lose_everything(on: Stage) -> None:
    on.say("The accident: somebody deletes the CRD, and the server deletes every Observation with it.")
    if shutil.which("kubectl"):
        on.run("kubectl", "delete", "crd", PLURAL)
    else:
        on.run(
            sys.executable, "-c", _DELETE_CRD, shown=f"kubectl delete crd {PLURAL}   # done here by a plain request"
        )
    on.run("zenctl", "events", "list", code=4)


_DELETE_CRD = """
import json, os, ssl, base64, urllib.request
config = json.load(open(os.environ["KUBECONFIG"]))
cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/zenevents.zen.kube-zen.io"
request = urllib.request.Request(cluster["server"] + path, method="DELETE")
request.add_header("Authorization", "Bearer " + user["token"])
print(urllib.request.urlopen(request, context=tls).status, "deleted")
"""


def _restore(on: Stage, before: dict[str, int]) -> None:
    on.say(
        "Everything back, with one command. kubectl apply would bring the objects without their status, so that "
        "every triage is lost and cleanup never deletes anything again; zenctl writes the status too."
    )
    on.run("zenctl", "restore", "latest", "--yes")
    on.say("Compared field by field, the cluster is what the backup says it was; uids and such do not count.")
    on.run("zenctl", "backup", "diff", "latest")
    promised(f"the phases are what they were: {before}", holds=on.phases() == before)
    on.say("A second restore finds everything there, and writes nothing.")
    on.run("zenctl", "restore", "latest", "--yes")


def _settle_and_clean_up(on: Stage) -> None:
    row = next(row for row in on.findings() if row["phase"] == "Active")
    on.say("The daily review: a finding that was looked at is settled, with a note and the name of who did it.")
    name = f"{row['namespace']}/{row['name']}"
    on.run("zenctl", "events", "resolve", name, "--note", "patched in release 1.4")
    on.run("zenctl", "backup", "diff", "latest", code=1)
    on.say(
        "Cleanup by real dates. Times are compared as instants, whatever their zone and form; what cannot be read is "
        "kept and named, never guessed. Without --yes it only shows its plan."
    )
    on.run("zenctl", "cleanup", "--older-than", "7d", code=4, lines=14)
    count = len(on.findings())
    on.run("zenctl", "cleanup", "--older-than", "7d", "--yes", lines=9)
    left = len(on.findings())
    promised(f"{count - left} Observations are gone, {left} are left", holds=0 < left < count)
    on.say("What was deleted can still be looked at: commands that only read take a backup in place of the cluster.")
    on.run(
        "zenctl", "events", "list", "--from", "latest", "--phase", "Resolved", "--limit", "5", "--columns", _COLUMNS
    )
    on.say("Nor is it gone for good: all of it was archived, flushed and read back before the first delete.")
    on.run("zenctl", "cleanup", "runs")
    on.run("zenctl", "cleanup", "undo", "latest", "--yes")
    promised(f"all {count} are back", holds=len(on.findings()) == count)


def main() -> int:
    """Run the demonstration; return the exit code."""
    began = time.monotonic()
    try:
        with stage() as on:
            play(on)
    except KeyboardInterrupt:
        print("\nstopped; everything has been taken down")
        return 130
    except (NotAsPromised, subprocess.CalledProcessError) as error:
        print(f"\nthe demonstration failed: {error}")
        return 1
    print(f"\nThat took {time.monotonic() - began:.0f} s. zenctl --help shows what else there is.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

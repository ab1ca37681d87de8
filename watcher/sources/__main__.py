"""Reading reports by hand: python -m watcher.sources SOURCE < FILE prints the Observations that they hold.

Only the terminal's side of it: arguments, streams and exit codes. What a report means is the parsers'.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import yaml

from watcher.sources import kube_bench
from watcher.sources.embedded import in_log
from watcher.sources.event import ReportError, UnknownReport
from watcher.sources.observation import observation
from watcher.sources.registry import PARSERS
from watcher.sources.reports import UnreadableInput, load
from zenctl.core.text import printable
from zenctl.errors import ExitCode
from zenctl.product.labels import SYSTEM_NAMESPACE

_DESCRIPTION = """\
Read the reports of a tool from standard input and print the Observations that they hold.

The input is JSON or YAML: one report, a List as kubectl prints it, a bare array, an object of lists, or
several documents; of kube-bench also the log of its Job. Objects that are no reports of the tool are named
on standard error and passed over; so are malformed reports, which make the exit code 3."""
_EPILOG = """\
example:
  kubectl get vulnerabilityreports -A -o json | python -m watcher.sources trivy | kubectl apply -f -

kubectl apply creates the Observations without their status, which reads as phase Active.

exit codes:
  0  every report was read
  2  usage: the source is not known, or the input is neither JSON nor YAML
  3  partly done: some reports are malformed, standard error says which"""


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m watcher.sources") -> int:
    """Run the program and return its exit code."""
    parser = argparse.ArgumentParser(
        prog=prog, description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", choices=sorted(PARSERS), help="whose reports they are")
    parser.add_argument(
        "-o",
        "--output",
        choices=sorted(_WRITERS),
        default="json",
        help="json: one v1 List (default); jsonl: one Observation a line; yaml: one document for each. "
        "kubectl apply -f - takes all of them",
    )
    parser.add_argument(
        "--system-namespace",
        default=SYSTEM_NAMESPACE,
        metavar="NAMESPACE",
        help="where findings about cluster-scoped resources go (default: %(default)s)",
    )
    options = parser.parse_args(argv)
    if sys.stdin.isatty():
        _say("reading reports from the terminal; Ctrl-D ends them")
    try:
        return _run(options.source, options.output, options.system_namespace)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader, such as head, has seen enough. Python would complain again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.GOOD


def _run(source: str, output: str, namespace: str) -> int:
    try:
        reports = _reports(source, sys.stdin.buffer.read())
    except UnreadableInput as error:
        _say(f"error: {error}")
        return ExitCode.USAGE
    written: list[dict[str, Any]] = []
    code = ExitCode.GOOD
    for report in reports:
        try:
            events = PARSERS[source](report)
            written += [observation(event, default_namespace=namespace) for event in events]
        except UnknownReport as error:
            _say(f"passed over: {error}")
        except ReportError as error:
            _say(f"error: {error}")
            code = ExitCode.PARTIAL
    for chunk in _WRITERS[output](written):
        sys.stdout.buffer.write(chunk.encode())  # UTF-8 in every locale
    sys.stdout.buffer.flush()
    return code


def _reports(source: str, data: bytes) -> tuple[object, ...]:
    """Return the reports in the input; that of kube-bench may be the log of its Job."""
    try:
        return load(data)
    except UnreadableInput:
        if source != kube_bench.SOURCE or not data.strip():
            raise
        try:
            return in_log(data.decode(errors="replace"))
        except ReportError as error:
            raise UnreadableInput(str(error)) from None


def _say(message: str) -> None:
    sys.stderr.write(f"{printable(message)}\n")


def _json(written: Iterable[dict[str, Any]]) -> Iterable[str]:
    yield (
        json.dumps({"apiVersion": "v1", "kind": "List", "items": list(written)}, indent=2, ensure_ascii=False) + "\n"
    )


def _jsonl(written: Iterable[dict[str, Any]]) -> Iterable[str]:
    return (json.dumps(item, ensure_ascii=False, separators=(",", ":")) + "\n" for item in written)


def _yaml(written: Iterable[dict[str, Any]]) -> Iterable[str]:
    # The pure dumper's line breaks are not worth ten times the time.
    dumper = yaml.CSafeDumper
    return (
        yaml.dump(item, Dumper=dumper, explicit_start=True, sort_keys=False, allow_unicode=True) for item in written
    )


_WRITERS: dict[str, Callable[[Iterable[dict[str, Any]]], Iterable[str]]] = {
    "json": _json,
    "jsonl": _jsonl,
    "yaml": _yaml,
}

if __name__ == "__main__":
    sys.exit(main())

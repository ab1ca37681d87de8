"""The program zen-watcher: so far, only its parsers by hand.

The daemon itself is not part of this version, and nothing here pretends to be it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from watcher.sources.__main__ import main as parse_reports

_EPILOG = "The daemon that collects reports from a cluster is not part of this version."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="zen-watcher",
        description="Zen Watcher: the findings of a cluster's tools as Observations.",
        epilog=_EPILOG,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("parse", add_help=False, help="read reports from standard input: zen-watcher parse --help")
    _, rest = parser.parse_known_args(argv)
    return parse_reports(rest, prog="zen-watcher parse")


if __name__ == "__main__":
    sys.exit(main())

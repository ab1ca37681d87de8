"""``zenctl version``."""

from __future__ import annotations

import platform

from zenctl import __version__
from zenctl.cli.options import command, new_group
from zenctl.cli.session import Session
from zenctl.core.report import Facts, Report, Result

app = new_group("version", "Print the version.")


class Version(Result, frozen=True):
    """What runs here."""

    version: str
    python: str
    platform: str


@command(app, "version")
def version(session: Session) -> Report:  # noqa: ARG001 - every command takes the session
    """Print the version of zenctl and of the Python it runs on. Talks to no cluster."""
    data = Version(version=__version__, python=platform.python_version(), platform=platform.machine())
    facts = (("zenctl", data.version), ("python", data.python), ("platform", data.platform))
    return Report(kind="Version", data=data, blocks=(Facts(facts),))

"""The metrics of an installation, stated once: names, types and what they mean. Nothing here measures or writes.

Names, types and labels are a public contract: dashboards and alerts are written against them.
"""

from __future__ import annotations

from typing import NamedTuple


class Metric(NamedTuple):
    """A metric as an exposition describes it."""

    name: str
    kind: str
    help: str


def _gauge(name: str, text: str) -> Metric:
    return Metric(f"zenctl_backup_{name}", "gauge", text)


BACKUP_LAST_SUCCESS = _gauge("last_success_timestamp_seconds", "When the last complete backup was finished.")
BACKUP_LAST_RUN = _gauge("last_run_timestamp_seconds", "When the last zenctl backup ended, whatever came of it.")
BACKUP_LAST_EXIT_CODE = _gauge("last_exit_code", "Exit code of the last run of zenctl backup; 0 is good.")
BACKUP_LAST_VERIFIED = _gauge("last_verified_timestamp_seconds", "When a backup was last verified and found sound.")
BACKUP_LAST_DRILL = _gauge("last_drill_timestamp_seconds", "When a drill last restored a backup and found it equal.")
BACKUP_OBJECTS = _gauge("objects", "Objects in the last complete backup.")
BACKUP_BYTES = _gauge("bytes", "Size of the last complete backup in its store.")
BACKUP_DURATION = _gauge("duration_seconds", "How long the last run of zenctl backup took.")

BACKUP_METRICS = (
    BACKUP_LAST_SUCCESS,
    BACKUP_LAST_RUN,
    BACKUP_LAST_EXIT_CODE,
    BACKUP_LAST_VERIFIED,
    BACKUP_LAST_DRILL,
    BACKUP_OBJECTS,
    BACKUP_BYTES,
    BACKUP_DURATION,
)
"""All of them; each carries the labels cluster and set."""

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


def _backup(name: str, text: str) -> Metric:
    return Metric(f"zenctl_backup_{name}", "gauge", text)


def _cleanup(name: str, text: str) -> Metric:
    return Metric(f"zenctl_cleanup_{name}", "gauge", text)


BACKUP_LAST_SUCCESS = _backup("last_success_timestamp_seconds", "When the last complete backup was finished.")
BACKUP_LAST_RUN = _backup("last_run_timestamp_seconds", "When the last zenctl backup ended, whatever came of it.")
BACKUP_LAST_EXIT_CODE = _backup("last_exit_code", "Exit code of the last run of zenctl backup; 0 is good.")
BACKUP_LAST_VERIFIED = _backup("last_verified_timestamp_seconds", "When a backup was last verified and found sound.")
BACKUP_LAST_DRILL = _backup("last_drill_timestamp_seconds", "When a drill last restored a backup and found it equal.")
BACKUP_OBJECTS = _backup("objects", "Objects in the last complete backup.")
BACKUP_BYTES = _backup("bytes", "Size of the last complete backup in its store.")
BACKUP_DURATION = _backup("duration_seconds", "How long the last run of zenctl backup took.")

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
"""All of a backup; each carries the labels cluster and set."""

CLEANUP_LAST_SUCCESS = _cleanup("last_success_timestamp_seconds", "When a cleanup last ended with exit code 0.")
CLEANUP_LAST_RUN = _cleanup("last_run_timestamp_seconds", "When the last cleanup ended, whatever came of it.")
CLEANUP_LAST_EXIT_CODE = _cleanup("last_exit_code", "Exit code of the last zenctl cleanup; 0 is good.")
CLEANUP_DURATION = _cleanup("duration_seconds", "How long the last zenctl cleanup took.")
CLEANUP_DELETED = _cleanup("deleted_objects", "Observations that the last successful cleanup deleted.")
CLEANUP_DOUBTFUL = _cleanup(
    "doubtful_objects", "Observations that the last successful cleanup kept since their time is unreadable."
)

CLEANUP_METRICS = (
    CLEANUP_LAST_SUCCESS,
    CLEANUP_LAST_RUN,
    CLEANUP_LAST_EXIT_CODE,
    CLEANUP_DURATION,
    CLEANUP_DELETED,
    CLEANUP_DOUBTFUL,
)
"""All of a cleanup; each carries the label cluster."""

"""Reports that tools leave as text: in a key of a ConfigMap, or in the log of a Job. Text in, decoded JSON out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from watcher.sources.event import ReportError
from watcher.sources.report import name_of
from watcher.sources.values import mapping, one_line

KEY = "results.json"
"""The key of a ConfigMap under which kube-bench's and Checkov's users leave their results."""

_START = re.compile(r"^\s*(?=[\[{])", re.MULTILINE)
_MOST_STARTS = 1_000


def is_config_map(report: object) -> bool:
    """Say whether an object is a ConfigMap."""
    return isinstance(report, dict) and report.get("kind") == "ConfigMap"


def in_config_map(config_map: Mapping[Any, Any]) -> object:
    """Return what a ConfigMap holds under results.json. Raises ReportError where it is missing or no JSON."""
    text = mapping(config_map.get("data")).get(KEY)
    if not isinstance(text, str):
        raise ReportError(f"{name_of(config_map)}: it has no {KEY}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{name_of(config_map)}: {KEY} is not JSON: {one_line(str(error))}") from None


def in_log(log: str) -> tuple[object, ...]:
    """Return the JSON objects and arrays that begin on a line of a log; the lines between are a tool's chatter.

    Raises ReportError where there are none, which is not the same as an empty report.
    """
    decoder = json.JSONDecoder()
    found: list[object] = []
    position = tried = 0
    while tried < _MOST_STARTS and (start := _START.search(log, position)):
        tried += 1
        try:
            value, position = decoder.raw_decode(log, start.end())
        except (ValueError, RecursionError):
            position = start.end() + 1
        else:
            found.append(value)
    if not found:
        raise ReportError("the log holds no JSON: the tool failed, or wrote text (kube-bench needs --json)")
    return tuple(found)

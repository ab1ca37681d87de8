"""zenctl.core.report: the document that is the contract of JSON and YAML."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import msgspec
import pytest

from zenctl.core.findings import catalogue, finding
from zenctl.core.report import ByteCount, Report, Result, document, plain
from zenctl.errors import ExitCode


class Part(Result, frozen=True):
    name: str
    stored_size: ByteCount = ByteCount(0)


class Whole(Result, frozen=True):
    archive_name: str
    parts: tuple[Part, ...] = ()
    anything: Any = None


@dataclass(frozen=True)
class Pair:
    left_side: int
    right: str


class Colour(StrEnum):
    RED = "red"


def test_a_document_has_the_contract_keys_in_order():
    report = Report(
        "BackupReport",
        Whole(archive_name="a", parts=(Part(name="p", stored_size=ByteCount(7)),)),
        ExitCode.DAMAGED,
        findings=(finding("ZA101", subject="a", detail="cut off"),),
    )
    assert list(document(report)) == ["kind", "schemaVersion", "verdict", "exitCode", "findings", "data"]
    assert document(report) == {
        "kind": "BackupReport",
        "schemaVersion": 1,
        "verdict": "damaged",
        "exitCode": 8,
        "findings": [
            {
                "code": "ZA101",
                "severity": "critical",
                "title": "archive structure is damaged",
                "subject": "a",
                "detail": "cut off",
                "remedy": "restore from an older archive; keep this file for analysis",
            }
        ],
        "data": {"archiveName": "a", "parts": [{"name": "p", "storedSize": 7}], "anything": None},
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (ByteCount(5), 5),
        (2**70, 2**70),
        (float("nan"), None),
        (float("inf"), None),
        (0.25, 0.25),
        (True, True),
        (datetime(2026, 11, 23, 2, tzinfo=UTC), "2026-11-23T02:00:00Z"),
        (datetime(2026, 11, 23, 2, tzinfo=timezone(timedelta(hours=2))), "2026-11-23T00:00:00Z"),
        (timedelta(minutes=1, milliseconds=500), 60.5),
        ((1, (2,)), [1, [2]]),
        ({1: {"a": ByteCount(2)}}, {"1": {"a": 2}}),
        (Colour.RED, "red"),
        (ExitCode.PARTIAL, 3),
        (Pair(1, "r"), {"left_side": 1, "right": "r"}),
        ("/backups/\udc80", "/backups/\\udc80"),
        ({"\ud800": 1}, {"\\ud800": 1}),
        ("\x1b日本", "\x1b日本"),
    ],
)
def test_every_value_becomes_what_json_can_hold(value, expected):
    result = plain(Whole(archive_name="a", anything=value))["anything"]
    assert result == expected
    assert type(result) is type(expected)
    assert msgspec.json.decode(msgspec.json.encode(result)) == expected or abs(expected) >= 2**64


def test_what_json_cannot_hold_is_a_bug():
    with pytest.raises(NotImplementedError, match="object"):
        plain(Whole(archive_name="a", anything=object()))


def test_codes_of_findings_are_permanent_and_complete():
    codes = [entry.code for entry in catalogue()]
    assert len(set(codes)) == len(codes)
    assert all(entry.title and entry.remedy for entry in catalogue())
    with pytest.raises(KeyError):
        finding("ZX000", subject="s", detail="d")

"""JSON and YAML: the same document, exactly the data, readable by anybody's parser."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import example, given

from tests.render.samples import (
    COLLECTIONS,
    EVERYTHING,
    PLAIN,
    REPORTS,
    TAKEN,
    Anything,
    Backup,
    many,
    rows_text,
    text,
)
from zenctl.core.report import Report, document, plain


def whole(value: object) -> Report:
    return Report("Anything", Anything(value=value))


def load_yaml(source: str) -> Any:
    by_c = yaml.load(source, Loader=yaml.CSafeLoader)
    assert by_c == yaml.load(source, Loader=yaml.SafeLoader)
    return by_c


@given(REPORTS)
def test_json_is_the_document_and_yaml_says_the_same(report):
    expected = document(report)
    assert json.loads(text(report, "json")) == expected
    assert msgspec.json.decode(text(report, "json").encode()) == expected
    assert load_yaml(text(report, "yaml")) == expected


@given(PLAIN)
@example("1e3")
@example({"on": "yes", "y": "n", "~": "null", "1": "0x1f", "=": "<<"})
@example(["0o17", "1_000", ".5", "+1", "1.", "-.inf", "2026-11-23", "12:30:45", "0b1"])
@example(["", " ", "# no", "a: b", "- a", "a #b", "*a", "&a", "!t", "%", "@", "`", "?", "|", ">", "'", '"', "{", "["])
@example(["line\nline\n", " a\n b\n", "\ta", "a\r\n", "\x85", "\u2028", "\ufeff", "\x7f\x9b", "\U0001f680"])
@example("word " * 200)
@example({"a" * 200: "b"})
def test_any_value_survives_both(value):
    expected = document(whole(value))["data"]["value"]
    assert json.loads(text(whole(value), "json"))["data"]["value"] == expected
    assert load_yaml(text(whole(value), "yaml"))["data"]["value"] == expected


@pytest.mark.parametrize(
    "word", ["1e3", "0o17", "0x1F", "yes", "No", "y", "N", "null", "~", "1.5", ".5", "-1", "1_0", "2026-11-23"]
)
def test_a_string_that_looks_like_something_else_is_quoted(word):
    source = text(whole(word), "yaml")
    assert f"value: '{word}'\n" in source or f'value: "{word}"\n' in source


def test_order_is_that_of_the_declaration():
    for source in (json.loads(text(EVERYTHING, "json")), load_yaml(text(EVERYTHING, "yaml"))):
        assert list(source) == ["kind", "schemaVersion", "verdict", "exitCode", "findings", "data"]
        assert list(source["data"]) == ["archive", "taken", "took", "loss", "collections"]


def test_a_number_that_is_none_is_unknown():
    data = Backup(archive="a", taken=TAKEN, took=timedelta(0), loss=math.inf)
    assert json.loads(text(Report("R", data), "json"))["data"]["loss"] is None


def test_text_is_utf_8_but_what_a_terminal_obeys_is_escaped():
    source = text(whole("日本語 é \x1b[31m \x9b \u202e \U000e0041 \U0001f680"), "json")
    assert "日本語 é \\u001b[31m \\u009b \\u202e \\udb40\\udc41 \U0001f680" in source


def test_equal_values_are_written_out_each_time():
    shared = {"a": [1]}
    assert "&" not in text(whole([shared, shared]), "yaml")


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_stream_is_one_document(count):
    expected = {
        "kind": "CollectionList",
        "schemaVersion": 1,
        "items": [plain(row) for row in COLLECTIONS[:count]],
    }
    source = rows_text(COLLECTIONS[:count], "json")
    assert json.loads(source) == expected
    assert load_yaml(rows_text(COLLECTIONS[:count], "yaml")) == expected
    assert list(json.loads(source)) == list(expected)


def test_a_streamed_document_is_laid_out_like_a_whole_one():
    document = {"kind": "CollectionList", "schemaVersion": 1, "items": [plain(row) for row in many(3)]}
    assert rows_text(many(3), "json") == json.dumps(document, indent=2) + "\n"

"""The shapes in which reports are kept in files: all are found, and what is none is refused with a reason."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.watcher.samples import files
from watcher.sources.reports import UnreadableInput, load

A = {"kind": "A", "apiVersion": "x/v1"}
B = {"kind": "B", "apiVersion": "x/v1"}


def as_json(*values: object) -> bytes:
    return "\n".join(map(json.dumps, values)).encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (as_json(A), [A]),
        (as_json([A, B]), [A, B]),
        (as_json([[A], [B]]), [A, B]),
        (as_json([]), []),
        (as_json({"apiVersion": "v1", "kind": "List", "items": [A, B]}), [A, B]),
        (as_json({"apiVersion": "v1", "kind": "List", "items": []}), []),
        (as_json({"kind": "List", "items": [{"kind": "List", "items": [A]}]}), [A]),
        (as_json({"as": [A], "bs": [B, B]}), [A, B, B]),
        (as_json([{"apiVersion": "v1", "kind": "List", "items": [A]}]), [A]),
        (as_json(A, B), [A, B]),
        (b'{"kind":"A"}{"kind":"B"}', [{"kind": "A"}, {"kind": "B"}]),
        (b"---\nkind: A\n---\n---\nkind: B\n", [{"kind": "A"}, {"kind": "B"}]),
        (b"- kind: A\n- kind: B\n", [{"kind": "A"}, {"kind": "B"}]),
        (b"# a comment first\nkind: A\n", [{"kind": "A"}]),
        ("\ufeffkind: Ä".encode(), [{"kind": "Ä"}]),
        ('{"kind": "A"}'.encode("utf-16"), [{"kind": "A"}]),
        (b"{}", [{}]),
    ],
)  # fmt: skip
def test_every_shape_is_understood(data, expected):
    assert list(load(data)) == expected


def test_items_of_a_typed_list_inherit_what_they_lack():
    data = as_json({"apiVersion": "x/v1", "kind": "AList", "items": [{"metadata": {}}, B]})
    assert list(load(data)) == [{"apiVersion": "x/v1", "kind": "A", "metadata": {}}, B]


def test_a_report_that_has_items_is_no_list():
    report = {"kind": "Report", "items": [1]}
    assert list(load(as_json(report))) == [report]


@pytest.mark.parametrize(
    "text",
    ["2022-12-08T15:50:37Z", "2022-12-08", "12:30:00", "190:20:30.15", "=", "1_000", "0o17", "0b1", ".inf"],
)
def test_what_kubernetes_reads_as_text_stays_text(text):
    assert list(load(f"value: {text}".encode())) == [{"value": text}]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-1.5", -1.5), ("0x1f", 31), ("true", True), ("off", False), ("~", None), ("null", None), ("", None),
     ("nullify", "nullify"), ("1.1.1", "1.1.1"), ("v1", "v1"), ("'1'", "1"), ("6e3f", "6e3f")],
)  # fmt: skip
def test_other_plain_values_mean_what_they_mean(text, value):
    assert list(load(f"value: {text}".encode())) == [{"value": value}]


def test_merge_keys_and_aliases_work():
    assert load(b"base: &b {kind: A}\nreport:\n  <<: *b\n  name: n\n")[0]["report"] == {"kind": "A", "name": "n"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the input is empty"),
        (b" \n", "the input is empty"),
        (b"{", "not valid JSON: Expecting property name"),
        (b'{"kind": "A"} x', "not valid JSON: Expecting value"),
        (b"[" * 100_000, "not usable JSON: it is nested too deeply"),
        (b'{"n": ' + b"9" * 5000 + b"}", "not usable JSON: Exceeds the limit"),
        (b"kind: [", "not valid YAML"),
        (b"a: &a [*a]\nb: *c", "not valid YAML"),
        (b"kind: !!python/object:os.system x", "not valid YAML"),
        (b"n: !!int seven", "not usable YAML: invalid literal"),
        (b"t: !!timestamp x", "not usable YAML"),
        (b"\xff\xfe\x00", "not utf-16 text"),
        (b"kind: \xff", "not utf-8 text: invalid start byte"),
        (b"just words", "the input holds a str where a report should be"),
        (b"[1]", "the input holds a int where a report should be"),
        (b"[" * 10 + b"]" * 10, "the input holds lists nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(data, reason):
    with pytest.raises(UnreadableInput, match=f"^{reason}"):
        load(data)


def test_a_small_file_that_stands_for_a_huge_one_is_refused():
    nested = "- &l0 [{kind: A}]\n" + "\n".join(f"- &l{n} [{', '.join([f'*l{n - 1}'] * 30)}]" for n in range(1, 6))
    with pytest.raises(UnreadableInput, match="more than 100000 objects"):
        load(nested.encode())


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_times_are_the_only_thing_that_is_read_otherwise_than_by_pyyaml(path):
    def texts(value: object) -> object:
        if isinstance(value, dict):
            return {key: texts(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [texts(entry) for entry in value]
        return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value

    if path.suffix == ".jsonl":
        return  # no YAML
    ours = yaml.safe_load_all(path.read_text())
    reference = [texts(document) for document in ours if document is not None]
    if all(isinstance(document, dict) and "items" not in document for document in reference):
        assert list(load(path.read_bytes())) == reference


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_raise_anything_else(data):
    try:
        found = load(data)
    except UnreadableInput:
        return
    assert all(isinstance(report, dict) for report in found)


YAML_PIECES = st.lists(
    st.sampled_from(
        ["kind: A", "- ", "  ", "\n", ": ", "[", "]", "{", "}", "&a ", "*a", "!!int ", "!!float ", "!!binary ",
         "!!set ", "!!omap ", "!!timestamp ", "<<: ", "? ", "| ", "'", '"', "x", "1", "---\n", "%YAML 1.1\n", "=",
         "\t", "~", ","]
    ),
    max_size=12,
)  # fmt: skip


@settings(deadline=None)
@given(YAML_PIECES)
def test_no_yaml_raises_anything_else(pieces):
    with suppress(UnreadableInput):
        load("".join(pieces).encode())

"""JSONPath of printer columns: which paths are read, and what they find.

``recorded_paths.jsonl`` holds an object (the first line), and for each path what columns of several types showed of
it on kube-apiserver v1.20.2; null where that server could not read the path.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.sandbox.apiserver.jsonpath import JsonPathError, compile_json_path
from zenctl.sandbox.apiserver.tables import custom_cell

FIRST, *RECORDED = [
    msgspec.json.decode(line) for line in Path(__file__).with_name("recorded_paths.jsonl").read_bytes().splitlines()
]
OBJECT = FIRST["object"]
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["path"])
def test_columns_show_what_a_real_server_shows(case):
    if case["cells"] is None:
        with pytest.raises(JsonPathError):
            compile_json_path(case["path"])
        return
    found = compile_json_path(case["path"])(OBJECT)
    cells = {kind: custom_cell(kind, found[0], NOW) if found else None for kind in case["cells"]}
    assert cells == case["cells"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a", [{"b": [1, 2, 3], "c": None}]),
        (".a.b", [[1, 2, 3]]),
        (".a.b[*]", [1, 2, 3]),
        (".a.b[1:]", [2, 3]),
        (".a.b[::2]", [1, 3]),
        (".a.b[-1]", [3]),
        (".a.b[0,2]", [1, 3]),
        (".a.b[3]", []),
        (".a.c", [None]),
        (".a.c.d", []),
        (".a.none", []),
        (".a.*", [[1, 2, 3], None]),
        (".l[*].n", [1, 2]),
        ('.l[?(@.t=="y")].n', [2]),
        (".l[?(@.n>0)].t", ["x", "y"]),
        (".l[?(@.none)]", []),
        (".l[?(@.t>1)]", []),
        ("..n", [1, 2]),
        ("", [{"a": {"b": [1, 2, 3], "c": None}, "l": [{"t": "x", "n": 1}, {"t": "y", "n": 2}]}]),
    ],
)
def test_all_values_that_a_path_finds(path, found):
    value = {"a": {"b": [1, 2, 3], "c": None}, "l": [{"t": "x", "n": 1}, {"t": "y", "n": 2}]}
    assert list(compile_json_path(path)(value)) == found


@pytest.mark.parametrize("path", [".a}", "{.a}", ".a{", "....a", '"', ".[?(@.a", ".[1-]", ".[-]", "+x", "(", "#"])
def test_what_is_no_path(path):
    with pytest.raises(JsonPathError):
        compile_json_path(path)


@given(
    st.text(alphabet=""".ab[]?(@)*'",:-01=<>!\\ {}$_""", max_size=20), st.sampled_from([OBJECT, {}, [], None, "a", 1])
)
def test_no_path_fails_in_any_other_way(path, value):
    with contextlib.suppress(JsonPathError):
        compile_json_path(path)(value)


KEYS = st.text(min_size=1, max_size=5).filter(lambda key: "'" not in key and key != "*")


@given(st.lists(KEYS, min_size=1, max_size=3), st.integers())
def test_any_key_can_be_written_with_backslashes(keys, leaf):
    value: object = leaf
    for key in reversed(keys):
        value = {key: value}
    escaped = ["".join(f"\\{char}" for char in key) for key in keys if "\\" not in key]
    if len(escaped) == len(keys):
        assert list(compile_json_path("." + ".".join(escaped))(value)) == [leaf]

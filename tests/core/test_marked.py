"""YAML with the line of every value, and errors that say where they are."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zenctl.core.marked import BadValue, bad, convert, read_marked


class Leaf(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    how_many: int
    words: list[str] = []


class Tree(msgspec.Struct, forbid_unknown_fields=True):
    leaves: list[Leaf]


TEXT = b"""\
# a comment
leaves:
  - howMany: 1
  - howMany: 2
    words:
      - a
      - b
"""


def test_every_value_has_its_line():
    marked = read_marked(TEXT)
    assert convert(marked, Tree).leaves[1] == Leaf(2, ["a", "b"])
    assert marked.line(("leaves",)) == 2
    assert marked.line(("leaves", 0)) == marked.line(("leaves", 0, "howMany")) == 3
    assert marked.line(("leaves", 1, "words", 1)) == 7


def test_what_is_not_there_is_where_it_should_be():
    assert read_marked(TEXT).line(("leaves", 1, "missing", "deeper")) == 4
    assert str(bad(read_marked(TEXT), ("leaves", 0, "howMany"), "it is small")) == "line 3: it is small"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"leaves:\n- howMany: x\n", "line 2: leaves[0].howMany: expected `int`, got `str`"),
        (b"leaves:\n- howMany: 1\n  word: a\n", "line 3: leaves[0] has no field word"),
        (b"leaves:\n- words: [a]\n", "line 2: leaves[0]: object missing required field `howMany`"),
        (b"leaves:\n- howMany: 1\n  words:\n  - 2026-01-01\n  - 7\n", "line 5: leaves[0].words[1]: expected"),
        (b"leaf: 1", "line 1: the document has no field leaf"),
        (b"", "line 1: the document: expected `object`, got `null`"),
        (b"leaves: []\nleaves: []\n", "line 2: leaves is there twice"),
        (b"leaves:\n 1: 2\n", "line 2: 1 is no text, and so no name of a field"),
        (b"leaves: [\n", "line 2: did not find expected node content"),
        (b"leaves: &a [*a]", "nested too deeply"),
        (b"a: &a [1,1,1,1,1,1,1,1,1,1]\n" + b"".join(
            b"%c: &%c [%s]\n" % (97 + n, 97 + n, b",".join([b"*%c" % (96 + n)] * 10)) for n in range(1, 9)
        ), "too many values"),
        (b"leaves: !!python/object:os.system {}", "line 1: "),
        (b"x: !!binary x", "line 1: failed to decode base64"),
        (b"x: !!int x", "it is no usable YAML: invalid literal for int"),
        (b"\xff\xfe\x00", "it is not utf-16 text"),
        (b"[" * 100_000, "nested too deeply"),
        (b"a: 1\n---\nb: 2\n", "line 2: but found another document"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(text, said):
    with pytest.raises(BadValue) as raised:
        convert(read_marked(text), Tree)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_times_stay_the_text_that_they_are():
    assert read_marked(b"at: 2026-11-23T02:00:00Z").value == {"at": "2026-11-23T02:00:00Z"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("abc :#-'\"é\n", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abcé", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(json_values)
def test_what_was_dumped_is_read_back(value):
    assert read_marked(yaml.safe_dump(value, allow_unicode=True).encode()).value == value


@given(st.binary(max_size=80) | st.text("{}[]:,&*!|>-# \n\"'a1", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data):
    with suppress(BadValue):
        read_marked(data)

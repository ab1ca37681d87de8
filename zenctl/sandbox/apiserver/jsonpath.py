"""JSONPath as the printer columns of CRDs use it: the dialect of client-go, compiled into a function.

Fields (``.spec.a``, ``.a\\.b``, ``['a']``), wildcards, indexes, slices, unions, filters and recursive descent. Left
out are ``range`` and braces, which mean something in kubectl's templates only. Quirks are kept: ``['a.b']`` is two
fields, and a path that meets a value of the wrong kind finds nothing at all. How a value looks in a column is not
decided here.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

PathReader = Callable[[object], Sequence[object]]
"""Gives the values that a path finds, in order; none where it cannot be followed. A null that is there is a value."""

_Values = list[Any]
_Step = Callable[[_Values], _Values]


class JsonPathError(ValueError):
    """A text that is no path, or one that is not understood here."""


class _NotFollowed(Exception):
    """A path met a value that it cannot go through."""


def compile_json_path(text: str) -> PathReader:
    """Return the reader of a path as it stands in a CRD, without braces. Raises JsonPathError."""
    follow = _chain(_Parser(text).steps())

    def read(value: object) -> Sequence[object]:
        try:
            return follow([value])
        except _NotFollowed:
            return ()

    return read


def _chain(steps: Sequence[_Step]) -> _Step:
    def follow(values: _Values) -> _Values:
        for step in steps:
            values = step(values)
        return values

    return follow


# -- reading a path -----------------------------------------------------------------------------------

# A name goes on to the next character that ends it; a backslash takes that meaning away.
_NAME = re.compile(r"(?:\\.|[^\\ \t\r\n.,\[\]$@{}])*", re.DOTALL)
_QUOTED_KEY = re.compile(r"'([^']*)'")
_SLICE = re.compile(r"(-?\d*)(:-?\d*)?(:-?\d*)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?[\d.]*", re.ASCII)
_COMPARISON = re.compile(r"([^!<>=]+)([!<>=]+)(.+)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class _Parser:
    """Reads one path from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def steps(self) -> list[_Step]:
        """Return the steps of the whole path."""
        found: list[_Step] = []
        while self._at < len(self._text):
            found += self._next()
        return found

    def _next(self) -> Iterable[_Step]:
        text, char = self._text, self._text[self._at]
        if char in " @$":
            self._at += 1
            return ()
        if text.startswith("[?(", self._at):
            return (self._filter(),)
        if char == "[":
            return self._brackets()
        if char == ".":
            return self._dots()
        if char in "\"'":
            return (_constant(self._quoted(char)),)
        if char in "+-" or char.isdigit():
            return (_constant(self._number()),)
        if char == "_" or char.isalpha():
            return (self._word(),)
        raise JsonPathError(f"{char!r} is not understood in {text!r}")

    def _take(self, form: re.Pattern[str]) -> str:
        match = form.match(self._text, self._at)
        assert match is not None  # every form here fits nothing as well
        self._at = match.end()
        return match[0]

    def _dots(self) -> Iterable[_Step]:
        self._at += 1
        if not self._text.startswith(".", self._at):
            return (self._name(),)
        self._at += 1
        if self._text.startswith("..", self._at):
            raise JsonPathError(f"{self._text!r} descends twice")
        following = self._text[self._at : self._at + 1]
        return (_descend, self._name()) if following == "_" or following.isalnum() else (_descend,)

    def _name(self) -> _Step:
        name = self._take(_NAME)
        return _wildcard if name == "*" else _field(name.replace("\\", ""))

    def _number(self) -> float:
        number = self._take(_NUMBER)
        try:
            return int(number) if re.fullmatch(r"[+-]?\d+", number) else float(number)
        except ValueError:
            raise JsonPathError(f"{number!r} is no number in {self._text!r}") from None

    def _word(self) -> _Step:
        word = self._take(_NAME)
        if word in ("true", "false"):
            return _constant(word == "true")
        return _unknown_word

    def _quoted(self, quote: str) -> str:
        begin = self._at + 1
        end = begin
        while True:
            end = self._text.find(quote, end)
            if end < 0:
                raise JsonPathError(f"a quote is not closed in {self._text!r}")
            if self._text[end - 1] != "\\":
                break
            end += 1
        self._at = end + 1
        return _ESCAPED.sub(r"\1", self._text[begin:end])

    def _brackets(self) -> Iterable[_Step]:
        end = self._text.find("]", self._at)
        if end < 0:
            raise JsonPathError(f"a bracket is not closed in {self._text!r}")
        inside = self._text[self._at + 1 : end]
        self._at = end + 1
        parts = inside.split(",")
        if len(parts) > 1:
            return (_union([_chain(_Parser(f"[{part.strip(' ')}]").steps()) for part in parts]),)
        key = _QUOTED_KEY.fullmatch(inside)
        if key is not None:
            return _Parser(f".{key[1]}").steps()
        return (_slice(":" if inside == "*" else inside),)

    def _filter(self) -> _Step:
        begin = self._at + len("[?(")
        end = self._end_of_filter(begin)
        if not self._text.startswith("]", end + 1):
            raise JsonPathError(f"a filter is not closed in {self._text!r}")
        inside = self._text[begin:end]
        self._at = end + 2
        compared = _COMPARISON.fullmatch(inside)
        if compared is None:
            return _exists(_chain(_Parser(inside).steps()))
        left, right = (_chain(_Parser(side).steps()) for side in (compared[1], compared[3]))
        return _where(left, compared[2], right)

    def _end_of_filter(self, at: int) -> int:
        """Return where the closing parenthesis stands: not within quotes, of which a filter has one pair at most."""
        quote, closed = "", True
        for place in range(at, len(self._text)):
            char = self._text[place]
            if char in "\"'" and not quote:
                quote, closed = char, False
            elif char == quote and self._text[place - 1] != "\\":
                closed = True
            elif char == ")" and closed:
                return place
        raise JsonPathError(f"a filter is not closed in {self._text!r}")


# -- following a path ---------------------------------------------------------------------------------


def _field(name: str) -> _Step:
    def follow(values: _Values) -> _Values:
        return [value[name] for value in values if isinstance(value, Mapping) and name in value]

    return follow


def _children(value: object) -> _Values:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def _wildcard(values: _Values) -> _Values:
    return [child for value in values for child in _children(value)]


def _descend(values: _Values) -> _Values:
    """Return the values that have something in them, and those below them."""
    found: _Values = []
    for value in values:
        children = _children(value)
        if children:
            found += [value, *_descend(children)]
    return found


def _constant(value: object) -> _Step:
    """Return a step to a text, number or truth; a text there is even where nothing was found."""
    return lambda values: [value] if isinstance(value, str) else [value for _ in values]


def _unknown_word(_values: _Values) -> _Values:
    raise _NotFollowed


def _union(ways: Sequence[_Step]) -> _Step:
    return lambda values: [value for way in ways for value in way(values)]


def _slice(text: str) -> _Step:
    match = _SLICE.fullmatch(text)
    if match is None:
        raise JsonPathError(f"{text!r} is no index")
    first, last, step = (_bound(part) for part in match.groups())
    if match[2] is None:  # one index alone
        last = (first or 0) + 1 or None

    def follow(values: _Values) -> _Values:
        found: _Values = []
        for value in values:
            if value is not None:
                found += _sliced(value, first, last, step)
        return found

    return follow


def _bound(text: str | None) -> int | None:
    digits = (text or "").removeprefix(":")
    if digits == "-":
        raise JsonPathError("'-' is no index")
    return int(digits) if digits else None


def _sliced(value: object, first: int | None, last: int | None, step: int | None) -> _Values:
    """Return a part of a list; unlike in Python, bounds beyond the list lead nowhere."""
    if not isinstance(value, list) or (step is not None and step <= 0):
        raise _NotFollowed
    size = len(value)
    begin = first or 0
    end = size if last is None else last
    begin, end = (bound + size if bound < 0 else bound for bound in (begin, end))
    if begin == end:
        return []
    if not (0 <= begin < size and 0 <= end <= size and begin < end):
        raise _NotFollowed
    return value[begin : end : step or 1]


def _exists(inner: _Step) -> _Step:
    def holds(item: object) -> bool:
        try:
            return bool(inner([item]))
        except _NotFollowed:
            return True  # the server takes what it came as far as for what it looked for

    return _filtered(holds)


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _where(left: _Step, symbol: str, right: _Step) -> _Step:
    compare = _COMPARE.get(symbol)

    def holds(item: object) -> bool:
        lefts, rights = left([item]), right([item])
        if not lefts or not rights:
            return False
        if compare is None or len(lefts) > 1 or len(rights) > 1:
            raise _NotFollowed
        # Only like can be compared with like, and an order of truths there is none.
        kind = type(lefts[0])
        if kind not in (str, bool, int, float) or kind is not type(rights[0]):
            raise _NotFollowed
        if kind is bool and symbol not in ("==", "!="):
            raise _NotFollowed
        return compare(lefts[0], rights[0])

    return _filtered(holds)


def _filtered(holds: Callable[[object], bool]) -> _Step:
    def follow(values: _Values) -> _Values:
        found: _Values = []
        for value in values:
            if not isinstance(value, list):
                raise _NotFollowed
            found += [item for item in value if holds(item)]
        return found

    return follow

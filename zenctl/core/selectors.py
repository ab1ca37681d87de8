"""Label selectors and field selectors, read and judged as the API server does.

It owns the two small languages, not what they are applied to: which fields a kind can be selected by, and what
is selected by an object that has no selector at all, is for the caller to know. Errors use the words of the server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import msgspec

from zenctl.core.names import label_value, qualified_name
from zenctl.core.text import printable

LabelOperator = Literal["=", "==", "!=", "in", "notin", "exists", "!", ">", "<"]
FieldOperator = Literal["=", "!="]

_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,19})")
_INT64 = range(-(2**63), 2**63)

# A word, an operator or a bracket. A NUL that follows one only separates; alone it is the end of the text.
_TOKEN = re.compile(r"[ \t\r\n]*(?:([^ \t\r\n=!(),<>\0]+)|(==|!=|[=!(),<>]))\0?")
_WORD_OPERATORS = ("in", "notin")
_SYMBOL_OPERATORS = ("=", "==", "!=", ">", "<")
_STRUCTURED_OPERATORS: dict[str, LabelOperator] = {
    "In": "in",
    "NotIn": "notin",
    "Exists": "exists",
    "DoesNotExist": "!",
}


# ---------------------------------------------------------------- labels


class LabelRequirement(NamedTuple):
    """One condition on one label. ``exists`` and ``!`` have no values, ``in`` and ``notin`` several, others one."""

    key: str
    operator: LabelOperator
    values: tuple[str, ...] = ()
    """Sorted, none of them twice."""

    def __str__(self) -> str:
        if self.operator in ("exists", "!"):
            return self.operator.removeprefix("exists") + self.key
        values = ",".join(self.values)
        if self.operator in _WORD_OPERATORS:
            return f"{self.key} {self.operator} ({values})"
        return f"{self.key}{self.operator}{values}"

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether the condition holds; ``!=``, ``notin`` and ``!`` hold where the label is absent."""
        value = labels.get(self.key)
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        if self.operator in ("!=", "notin"):
            return value not in self.values
        if self.operator in (">", "<"):
            return value is not None and self._compares(value)
        return value in self.values

    def _compares(self, value: str) -> bool:
        """Compare as integers of 64 bits; what is none is neither greater nor less."""
        left, right = _int64(value), _int64(self.values[0])
        if left is None or right is None:
            return False
        return left > right if self.operator == ">" else left < right


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """Conditions that must all hold; without any it selects everything. ``str`` gives a text that reads back."""

    requirements: tuple[LabelRequirement, ...] = ()
    """In the order of their keys."""

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether an object with these labels is selected."""
        return all(requirement.matches(labels) for requirement in self.requirements)


def parse_label_selector(text: str) -> LabelSelector:
    """Read a selector as in ``labelSelector=``: ``a=b,c in (d,e),!f,g>5``. Raises ValueError."""
    return _selector(_Parser(text).requirements())


def from_structured(selector: Mapping[str, Any]) -> LabelSelector:
    """Read the LabelSelector of an object: ``{"matchLabels": {…}, "matchExpressions": [{key, operator, values}]}``.

    Raises ValueError. Whether an object without a selector means all or nothing is for the caller to know.
    """
    try:
        read = msgspec.convert(selector, _Structured)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
    found = [_requirement(key, "=", (value,)) for key, value in (read.match_labels or {}).items()]
    for expression in read.match_expressions or ():
        operator = _STRUCTURED_OPERATORS.get(expression.operator)
        if operator is None:
            raise ValueError(f"{_quoted(expression.operator)} is not a valid label selector operator")
        found.append(_requirement(expression.key, operator, expression.values or ()))
    return _selector(found)


class _Expression(msgspec.Struct, frozen=True):
    key: str
    operator: str
    values: list[str] | None = None


class _Structured(msgspec.Struct, frozen=True, rename="camel"):
    match_labels: dict[str, str] | None = None
    match_expressions: list[_Expression] | None = None


def _selector(requirements: Sequence[LabelRequirement]) -> LabelSelector:
    return LabelSelector(tuple(sorted(requirements, key=lambda requirement: requirement.key)))


def _requirement(key: str, operator: LabelOperator, values: Sequence[str] = ()) -> LabelRequirement:
    """Check a requirement in the order in which the server does."""
    _check_key(key)
    if operator in _WORD_OPERATORS and not values:
        raise ValueError("for 'in', 'notin' operators, values set can't be empty")
    if operator in ("exists", "!") and values:
        raise ValueError("values set must be empty for exists and does not exist")
    if operator in ("<", ">") and _int64(values[0]) is None:
        raise ValueError("for 'Gt', 'Lt' operators, the value must be an integer")
    unique = tuple(sorted(set(values)))
    for value in unique:
        if problems := label_value(value):
            raise ValueError(f"invalid label value: {_quoted(value)}: at key: {_quoted(key)}: {'; '.join(problems)}")
    return LabelRequirement(key, operator, unique)


def _check_key(key: str) -> None:
    if problems := qualified_name(key):
        raise ValueError(f"invalid label key {_quoted(key)}: {'; '.join(problems)}")


class _Token(NamedTuple):
    text: str
    is_word: bool = False


_END = _Token("")
_NOT = _Token("!")
_COMMA = _Token(",")
_OPEN = _Token("(")
_CLOSE = _Token(")")


class _Parser:
    """A recursive descent over the tokens. ``in`` and ``notin`` are words that mean an operator behind a key only."""

    def __init__(self, text: str) -> None:
        self._tokens: list[_Token] = []
        place = 0
        while match := _TOKEN.match(text, place):
            self._tokens.append(_Token(match[1] or match[2], match[1] is not None))
            place = match.end()
        self._tokens.append(_END)
        self._next = 0

    def requirements(self) -> list[LabelRequirement]:
        found: list[LabelRequirement] = []
        expected = "expected: !, identifier, or 'end of string'"
        while self._peek() != _END or found:
            token = self._peek()
            if not token.is_word and token != _NOT:
                raise ValueError(f"found '{printable(token.text)}', {expected}")
            try:
                found.append(self._requirement())
            except ValueError as error:
                raise ValueError(f"unable to parse requirement: {error}") from None
            token = self._take()
            if token == _END:
                break
            if token != _COMMA:
                raise ValueError(f"found '{printable(token.text)}', expected: ',' or 'end of string'")
            expected = "expected: identifier after ','"
        return found

    def _requirement(self) -> LabelRequirement:
        token = self._take()
        negated = token == _NOT
        if negated:
            token = self._take()
        if not token.is_word:
            raise _found(token, ", expected: identifier")
        _check_key(token.text)
        if negated:
            return _requirement(token.text, "!")
        if self._peek() in (_END, _COMMA):
            return _requirement(token.text, "exists")
        operator = self._operator()
        values = self._values() if operator in _WORD_OPERATORS else (self._value(),)
        return _requirement(token.text, operator, values)

    def _operator(self) -> LabelOperator:
        token = self._take()
        if token.text not in (_WORD_OPERATORS if token.is_word else _SYMBOL_OPERATORS):
            raise _found(token, ", expected: '=', '!=', '==', 'in', notin'")
        return cast("LabelOperator", token.text)

    def _value(self) -> str:
        """Read the one value behind an operator; it may be missing."""
        if self._peek() in (_END, _COMMA):
            return ""
        token = self._take()
        if not token.is_word:
            raise _found(token, ", expected: identifier")
        return token.text

    def _values(self) -> list[str]:
        """Read ``(a,b)``. Between two commas, and beside a bracket, stands an empty value."""
        token = self._take()
        if token != _OPEN:
            raise _found(token, " expected: '('")
        token = self._peek()
        if not token.is_word and token not in (_COMMA, _CLOSE):
            raise _found(token, ", expected: ',', ')' or identifier")
        values: list[str] = []
        while True:
            token = self._take()
            values.append(token.text if token.is_word else "")
            if token.is_word:
                token = self._take()
                if token not in (_COMMA, _CLOSE):
                    raise _found(token, ", expected: ',' or ')'")
            elif token not in (_COMMA, _CLOSE):
                raise _found(token, ", expected: ',', or identifier")
            if token == _CLOSE:
                return values

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        self._next += 1
        return self._tokens[self._next - 1]


def _found(token: _Token, expected: str) -> ValueError:
    return ValueError(f"found '{printable(token.text)}'{expected}")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(escaped)}"'


def _int64(text: str) -> int | None:
    match = _INTEGER.fullmatch(text)
    if match is None:
        return None
    number = int(match[1] + match[2])
    return number if number in _INT64 else None


# ---------------------------------------------------------------- fields

# "==" is looked for before "=", so that no value begins with the second sign.
_TERM = re.compile(r"(.*?)(!=|==|=)(.*)", re.DOTALL)
_TERMS = re.compile(r"(?:[^,\\]|\\.?)+", re.DOTALL)
_PIECE = re.compile(r"\\.?|.", re.DOTALL)


class FieldRequirement(NamedTuple):
    """One condition on one field; ``==`` reads as ``=``."""

    field: str
    operator: FieldOperator
    value: str

    def __str__(self) -> str:
        return self.field + self.operator + re.sub(r"([\\,=])", r"\\\1", self.value)


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """Conditions that must all hold; without any it selects everything. ``str`` gives a text that reads back."""

    requirements: tuple[FieldRequirement, ...] = ()

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Return whether an object with these fields is selected; a field that is absent reads as ""."""
        return all(
            (fields.get(requirement.field, "") == requirement.value) == (requirement.operator == "=")
            for requirement in self.requirements
        )


def parse_field_selector(text: str) -> FieldSelector:
    r"""Read a selector as in ``fieldSelector=``: ``a=b,c!=d``, with ``\,``, ``\=`` and ``\\`` in values.

    White space counts. Raises ValueError.
    """
    found: list[FieldRequirement] = []
    for term in sorted(_TERMS.findall(text)):
        match = _TERM.fullmatch(term)
        if match is None:
            raise ValueError(f"invalid selector: '{printable(text)}'; can't understand '{printable(term)}'")
        operator: FieldOperator = "!=" if match[2] == "!=" else "="
        requirement = FieldRequirement(match[1], operator, _PIECE.sub(_unescaped, match[3]))
        if requirement.field or requirement.value:  # the server drops a term of nothing but an operator
            found.append(requirement)
    return FieldSelector(tuple(sorted(found, key=str)))


def _unescaped(match: re.Match[str]) -> str:
    piece = match[0]
    if piece in ("\\\\", "\\,", "\\="):
        return piece[1]
    if piece[0] == "\\":
        raise ValueError(f"invalid field selector: invalid escape sequence: {printable(piece)}")
    if piece in ",=":
        raise ValueError(f"invalid field selector: unescaped character in value: {ord(piece)}")
    return piece

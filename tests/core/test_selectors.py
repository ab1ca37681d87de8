"""zenctl.core.selectors: label and field selectors, with what a kube-apiserver (1.20) selects and says."""

from types import MappingProxyType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zenctl.core.names import label_value, qualified_name
from zenctl.core.selectors import (
    FieldRequirement,
    FieldSelector,
    LabelRequirement,
    LabelSelector,
    from_structured,
    parse_field_selector,
    parse_label_selector,
)

# -- labels: the objects of a namespace, and whom each selector found there -----------------------------

OBJECTS: dict[str, dict[str, str]] = {
    "ab": {"a": "b"},
    "ac": {"a": "c", "n": "5"},
    "ae": {"a": "", "n": "10"},
    "big": {"n": "99999999999999999999"},
    "in": {"in": "in"},
    "none": {},
    "odd": {"n": "1_0"},
    "pfx": {"x.io/y": "z"},
    "text": {"n": "abc"},
}
WITHOUT_A = "big in none odd pfx text"


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", "ab ac ae big in none odd pfx text"),
        (" \t\r\n", "ab ac ae big in none odd pfx text"),
        ("a=b", "ab"),
        ("a==b", "ab"),
        ("a = b", "ab"),
        ("a!=b", f"ac ae {WITHOUT_A}"),
        ("a!=", f"ab ac {WITHOUT_A}"),
        ("a", "ab ac ae"),
        ("!a", WITHOUT_A),
        ("! a", WITHOUT_A),
        ("a=", "ae"),
        ("a= ", "ae"),
        ("a=,n", "ae"),
        ("a in (b,c)", "ab ac"),
        ("a\tin\n(b)", "ab"),
        ("a in(b)", "ab"),
        ("a in ()", "ae"),
        ("a in (,)", "ae"),
        ("a in (b,)", "ab ae"),
        ("a in (,b)", "ab ae"),
        ("a in (b,,c)", "ab ac ae"),
        ("a notin (b)", f"ac ae {WITHOUT_A}"),
        ("a notin ()", f"ab ac {WITHOUT_A}"),
        ("n>5", "ae"),
        ("n > 05", "ae"),
        ("n<6", "ac"),
        ("n>5,n<20", "ae"),
        ("n>1,2", ""),
        ("in", "in"),
        ("!in,a=b", "ab"),
        ("in in (in)", "in"),
        ("in=in", "in"),
        ("notin", ""),
        ("a in (in,notin)", ""),
        ("x.io/y=z", "pfx"),
        ("a=b \0 and nothing more is read", "ab"),
        ("a=\0b", "ab"),
    ],
)
def test_whom_a_label_selector_selects(text, selected):
    selector = parse_label_selector(text)
    assert [name for name, labels in OBJECTS.items() if selector.matches(labels)] == selected.split()


OPERATORS = "expected: '=', '!=', '==', 'in', notin'"
REQUIREMENT = "unable to parse requirement: "


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("=b", "found '=', expected: !, identifier, or 'end of string'"),
        ("==b", "found '==', expected: !, identifier, or 'end of string'"),
        ("(a)", "found '(', expected: !, identifier, or 'end of string'"),
        ("a=b,", "found '', expected: identifier after ','"),
        ("a=b,,n", "found ',', expected: identifier after ','"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a=b)", "found ')', expected: ',' or 'end of string'"),
        ("!a=b", "found '=', expected: ',' or 'end of string'"),
        ("!a in (b)", "found 'in', expected: ',' or 'end of string'"),
        ("!", f"{REQUIREMENT}found '', expected: identifier"),
        ("!!a", f"{REQUIREMENT}found '!', expected: identifier"),
        ("a b", f"{REQUIREMENT}found 'b', {OPERATORS}"),
        ("a\0b", f"{REQUIREMENT}found 'b', {OPERATORS}"),
        ("a!b", f"{REQUIREMENT}found '!', {OPERATORS}"),
        ("a===b", f"{REQUIREMENT}found '=', expected: identifier"),
        ("a<=5", f"{REQUIREMENT}found '=', expected: identifier"),
        ("a=(b)", f"{REQUIREMENT}found '(', expected: identifier"),
        ("a in", f"{REQUIREMENT}found '' expected: '('"),
        ("a in b", f"{REQUIREMENT}found 'b' expected: '('"),
        ("a in (", f"{REQUIREMENT}found '', expected: ',', ')' or identifier"),
        ("a in (=)", f"{REQUIREMENT}found '=', expected: ',', ')' or identifier"),
        ("a in (b", f"{REQUIREMENT}found '', expected: ',' or ')'"),
        ("a in (b c)", f"{REQUIREMENT}found 'c', expected: ',' or ')'"),
        ("a in (b,", f"{REQUIREMENT}found '', expected: ',', or identifier"),
        ("n>", f"{REQUIREMENT}for 'Gt', 'Lt' operators, the value must be an integer"),
        ("n>abc", f"{REQUIREMENT}for 'Gt', 'Lt' operators, the value must be an integer"),
        ("n<99999999999999999999", f"{REQUIREMENT}for 'Gt', 'Lt' operators, the value must be an integer"),
        ("-a", f'{REQUIREMENT}invalid label key "-a": name part must consist of'),
        ("é=b", f'{REQUIREMENT}invalid label key "é": name part must consist of'),
        ("a/b/c=d", f'{REQUIREMENT}invalid label key "a/b/c": a qualified name must consist of'),
        ("a=-b", f'{REQUIREMENT}invalid label value: "-b": at key: "a": a valid label must be an empty string or'),
        ("n>-1", f'{REQUIREMENT}invalid label value: "-1": at key: "n": a valid label must be'),
        ("a in (é,-)", f'{REQUIREMENT}invalid label value: "-": at key: "a": a valid label must be'),
        ('a="b"', f'{REQUIREMENT}invalid label value: "\\"b\\"": at key: "a": a valid label must be'),
    ],
)
def test_what_is_no_label_selector_is_refused_in_the_servers_words(text, words):
    with pytest.raises(ValueError, match=r".") as caught:
        parse_label_selector(text)
    assert str(caught.value).startswith(words)


def test_an_error_never_carries_control_characters():
    with pytest.raises(ValueError, match=r'invalid label key "a\\x1bb"'):
        parse_label_selector("a\x1bb")


@pytest.mark.parametrize(
    ("key", "starts"),
    [
        ("a", []),
        ("A.b-c_9", []),
        ("a.b..c", []),
        ("example.com/a", []),
        ("k" * 63, []),
        ("p" * 253 + "/a", []),
        ("k" * 64, ["name part must be no more than 63 characters"]),
        ("é" * 32, ["name part must be no more than 63 characters", "name part must consist of"]),
        ("p" * 254 + "/a", ["prefix part must be no more than 253 characters"]),
        ("", ["name part must be non-empty", "name part must consist of"]),
        ("x.io/", ["name part must be non-empty", "name part must consist of"]),
        ("/a", ["prefix part must be non-empty"]),
        ("X.io/a", ["prefix part a lowercase RFC 1123 subdomain must consist of"]),
        ("a..b/c", ["prefix part a lowercase RFC 1123 subdomain must consist of"]),
        ("a-", ["name part must consist of"]),
        ("a\n", ["name part must consist of"]),
        ("a/b/c", ["a qualified name must consist of"]),
    ],
)
def test_keys_of_labels(key, starts):
    problems = qualified_name(key)
    assert len(problems) == len(starts)
    assert all(problem.startswith(start) for problem, start in zip(problems, starts, strict=True))


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        ("", 0),
        ("a", 0),
        ("A_b-c.9", 0),
        ("v" * 63, 0),
        ("v" * 64, 1),
        ("-a", 1),
        ("a.", 1),
        ("a b", 1),
        ("-" * 64, 2),
    ],
)
def test_values_of_labels(value, problems):
    assert len(label_value(value)) == problems


# -- labels: texts that read back, and anything else ----------------------------------------------------

WORDS = st.sampled_from(["a", "b", "in", "notin", "x.io/y", "5", "-5", "1_0", "é", "", "v" * 64])
PIECES = st.one_of(WORDS, st.sampled_from([*"=!<>(), \t\0\n", "==", "!=", " in ", " notin ", " in (", ")", ","]))
KEYS = st.sampled_from(["a", "in", "notin", "x.io/y", "A.b-c_9"])
VALUES = st.lists(st.sampled_from(["", "b", "in", "notin", "0", "B_c.9"]), min_size=1, max_size=3)
REQUIREMENTS = st.one_of(
    st.builds("{}".format, KEYS),
    st.builds("! {}".format, KEYS),
    st.builds("{} {} {}".format, KEYS, st.sampled_from(["=", "==", "!="]), st.sampled_from(["", "b", "in"])),
    st.builds("{}{}{}".format, KEYS, st.sampled_from("<>"), st.integers(0, 2**63 - 1)),
    st.builds("{} {} ({})".format, KEYS, st.sampled_from(["in", "notin"]), VALUES.map(",".join)),
)  # fmt: skip


@given(st.lists(REQUIREMENTS, max_size=5))
@example(["in in (in,notin)", "a in (b,)", "a!="])
def test_a_written_label_selector_reads_back(requirements):
    selector = parse_label_selector(",".join(requirements))
    assert len(selector.requirements) == len(requirements)
    assert parse_label_selector(str(selector)) == selector


@given(st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text()))
def test_any_text_is_a_label_selector_or_a_value_error(text):
    try:
        selector = parse_label_selector(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017
    else:
        assert parse_label_selector(str(selector)) == selector
        assert selector.matches({}) in (True, False)


@given(KEYS, VALUES, st.dictionaries(KEYS, st.sampled_from(["", "b", "in", "c"])))
def test_a_requirement_and_its_negation_share_nothing(key, values, labels):
    listed = ",".join(values)
    for yes, no in [(f"{key} in ({listed})", f"{key} notin ({listed})"), (key, f"!{key}"), (f"{key}=b", f"{key}!=b")]:
        assert parse_label_selector(yes).matches(labels) != parse_label_selector(no).matches(labels)


@pytest.mark.parametrize(
    ("text", "value", "matches"),
    [
        ("n>9223372036854775806", "9223372036854775807", True),
        ("n>1", "9223372036854775808", False),
        ("n<1", "-9223372036854775808", True),
        ("n<1", "-9223372036854775809", False),
        ("n<1", "0" * 5000, True),
        ("n>1", "+2", True),
        ("n>1", "2.5", False),
        ("n>1", "٣", False),
        ("n>1", "", False),
    ],
)
def test_numbers_are_integers_of_64_bits(text, value, matches):
    assert parse_label_selector(text).matches({"n": value}) is matches


# -- labels: the structured form ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("structured", "text"),
    [
        ({}, ""),
        ({"matchLabels": None, "matchExpressions": None}, ""),
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["y", "x", "y"]}]}, "a in (x,y)"),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": [""]}]}, "a notin ()"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, "a"),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist", "values": []}]}, "!a"),
        ({"matchLabels": {"b": "1"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}, "a,b=1"),
        (MappingProxyType({"matchLabels": {"a": "1"}}), "a=1"),
    ],
)
def test_the_structured_form_means_the_same(structured, text):
    selector = from_structured(structured)
    assert str(selector) == text
    assert selector == parse_label_selector(text)


@pytest.mark.parametrize(
    ("structured", "words"),
    [
        ({"matchLabels": {"-a": "1"}}, 'invalid label key "-a"'),
        ({"matchLabels": {"a": "-1"}}, 'invalid label value: "-1": at key: "a"'),
        ({"matchExpressions": [{"key": "a", "operator": "In"}]}, "values set can't be empty"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}, "values set must be empty"),
        ({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}, "is not a valid label selector"),
        ({"matchLabels": ["a"]}, "Expected `object"),
        ({"matchLabels": {"a": 1}}, "Expected `str`, got `int`"),
        ({"matchExpressions": [{"operator": "Exists"}]}, "missing required field `key`"),
        ([], "Expected `object`"),
    ],
)
def test_what_is_no_structured_selector_is_refused(structured, words):
    with pytest.raises(ValueError, match=r".") as caught:
        from_structured(structured)
    assert words in str(caught.value)


# -- fields ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "requirements"),
    [
        ("", []),
        (",,", []),
        ("a=b", [("a", "=", "b")]),
        ("a==b", [("a", "=", "b")]),
        ("a!=b", [("a", "!=", "b")]),
        (",a=b,,c!=d,", [("a", "=", "b"), ("c", "!=", "d")]),
        ("b=1,a=2", [("a", "=", "2"), ("b", "=", "1")]),
        ("a=", [("a", "=", "")]),
        ("a!=", [("a", "!=", "")]),
        ("=,!=", []),
        ("=x", [("", "=", "x")]),
        ("a = b", [("a ", "=", " b")]),
        ("a=!b", [("a", "=", "!b")]),
        (r"a=x\,y", [("a", "=", "x,y")]),
        (r"a=x\=y", [("a", "=", "x=y")]),
        (r"a=x\\y", [("a", "=", r"x\y")]),
        (r"a=x\\,b=y", [("a", "=", "x\\"), ("b", "=", "y")]),
        (r"a\,b=c", [(r"a\,b", "=", "c")]),
    ],
)
def test_requirements_of_a_field_selector(text, requirements):
    assert parse_field_selector(text).requirements == tuple(FieldRequirement(*each) for each in requirements)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a", "invalid selector: 'a'; can't understand 'a'"),
        (" ", "invalid selector: ' '; can't understand ' '"),
        ("a>b", "invalid selector: 'a>b'; can't understand 'a>b'"),
        ("a!=b,zz", "invalid selector: 'a!=b,zz'; can't understand 'zz'"),
        (r"a\,b", r"invalid selector: 'a\,b'; can't understand 'a\,b'"),
        (r"a=x\y", r"invalid field selector: invalid escape sequence: \y"),
        ("a=x\\", "invalid field selector: invalid escape sequence: \\"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        ("a===b", "invalid field selector: unescaped character in value: 61"),
        (r"a\=b=c", "invalid field selector: unescaped character in value: 61"),
    ],
)
def test_what_is_no_field_selector_is_refused_in_the_servers_words(text, words):
    with pytest.raises(ValueError, match=r".") as caught:
        parse_field_selector(text)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("metadata.name=x", True),
        ("metadata.name=y", False),
        ("metadata.name!=y", True),
        ("metadata.name=x,metadata.name!=x", False),
        ("spec.nodeName=", True),
        ("spec.nodeName!=", False),
    ],
)
def test_an_absent_field_reads_as_empty(text, matches):
    assert parse_field_selector(text).matches({"metadata.name": "x"}) is matches


TERMS = st.builds(
    lambda field, operator, value: str(FieldRequirement(field, operator, value)),
    st.sampled_from(["a", "metadata.name", "a b"]),
    st.sampled_from(["=", "!=", "=="]),
    st.text("ab,=\\! 1", max_size=5),
)


@given(st.lists(TERMS, max_size=4))
@example(["a==1", "a=2"])
def test_a_written_field_selector_reads_back(terms):
    selector = parse_field_selector(",".join(terms))
    assert len(selector.requirements) == len(terms)
    assert parse_field_selector(str(selector)) == selector


@given(st.one_of(st.text("ab=!,\\ "), st.text()))
def test_any_text_is_a_field_selector_or_a_value_error(text):
    try:
        selector = parse_field_selector(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017
    else:
        assert parse_field_selector(str(selector)) == selector


def test_selectors_are_values():
    assert parse_label_selector("b,a=1") == LabelSelector(
        (LabelRequirement("a", "=", ("1",)), LabelRequirement("b", "exists"))
    )
    assert len({parse_field_selector("a=1"), parse_field_selector("a==1"), FieldSelector()}) == 2

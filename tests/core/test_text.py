"""zenctl.core.text: foreign text made safe, measured and shortened."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zenctl.core.text import display_width, escape_unsafe, format_bytes, printable, shorten, well_formed

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))  # lone surrogates included
UNSAFE_CATEGORIES = ("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("trivy-vuln-0001", "trivy-vuln-0001"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x00\x07\x08\x7f\x80\x9b", "\\x00\\x07\\x08\\x7f\\x80\\x9b"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("\u202a\u2066\u2069", "\\u202a\\u2066\\u2069"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("a\u034fb\u3164c\ufe00\U000e0100", "a\\u034fb\\u3164c\\ufe00\\U000e0100"),
        ("\U000e0041", "\\U000e0041"),
        ("\udc80", "\\udc80"),
        ("\ue000\u0378\uffff", "\\ue000\\u0378\\uffff"),
        ("日本語　é e\u0301 ⚠️ 🚀", "日本語　é e\u0301 ⚠️ 🚀"),
        ("C:\\temp \\x1b", "C:\\temp \\x1b"),
    ],
)
def test_what_a_terminal_obeys_or_hides_becomes_visible(text, shown):
    assert printable(text) == shown


def test_paragraphs_keep_their_lines_and_nothing_else():
    assert printable("one\r\ntwo\n\tthree\x1b\rfour", keep_lines=True) == "one\ntwo\n    three\\x1b\\rfour"
    assert printable("one\u2028two", keep_lines=True) == "one\\u2028two"


@given(ANY_TEXT)
def test_printable_text_holds_nothing_unsafe(text):
    shown = printable(text)
    assert not [char for char in shown if unicodedata.category(char) in UNSAFE_CATEGORIES]
    shown.encode()


@given(ANY_TEXT)
def test_printable_changes_nothing_the_second_time(text):
    assert printable(printable(text)) == printable(text)


@given(ANY_TEXT)
def test_kept_lines_are_each_printable(text):
    for line in printable(text, keep_lines=True).split("\n"):
        assert line == printable(line)


@given(ANY_TEXT)
def test_escaping_leaves_safe_characters_alone(text):
    kept = escape_unsafe(text, lambda _: "")
    assert kept == "".join(char for char in text if printable(char) == char)


@given(ANY_TEXT)
def test_well_formed_text_can_be_encoded_and_is_otherwise_the_same(text):
    well_formed(text).encode()
    if text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text):
        assert well_formed(text) == text


@pytest.mark.parametrize(
    ("text", "width"),
    [("", 0), ("abc", 3), ("日本", 4), ("e\u0301", 1), ("é", 1), ("한글", 4), ("\u1112\u1161\u11ab", 2), ("ﾊﾝ", 2)],
)
def test_width_counts_columns(text, width):
    assert display_width(text) == width


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("abcdef", 1, "…"),
        ("abcdef", 0, ""),
        ("", 0, ""),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("日本語", 3, "日…"),
        ("日本語", 2, "…"),
        ("word word", 6, "word…"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
    ],
)
def test_shortened_text_ends_in_an_ellipsis(text, width, short):
    assert shorten(text, width) == short


@given(ANY_TEXT.map(printable), st.integers(-1, 40))
@example("x\u0301" * 40, 7)
def test_shortened_text_fits_and_begins_as_the_text_does(text, width):
    short = shorten(text, width)
    assert display_width(short) <= max(width, 0)
    assert short == text or text.startswith(short.removesuffix("…"))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (12_897_485, "12.3 MiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1024**3 - 1, "1.0 GiB"),
        (-1536, "-1.5 KiB"),
        (1024**7 * 3, "3,072.0 EiB"),
    ],
)
def test_sizes_are_in_binary_units(count, text):
    assert format_bytes(count) == text


@given(st.integers(0, 2**70))
def test_a_size_is_as_near_as_its_decimal_says(count):
    number, unit = format_bytes(count).replace(",", "").split()
    size = float(number) * 1024 ** ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].index(unit)
    assert size == pytest.approx(count, rel=0.051)

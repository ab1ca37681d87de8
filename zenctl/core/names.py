"""Names as Kubernetes has them: what text may be a name, a label's key or value; in the words of the server.

The rules are those of apimachinery's validation. Which rule a kind's names keep is not known here.
"""

from __future__ import annotations

import re

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_is_label, _is_subdomain, _is_label_1035, _is_qualified, _is_value, _is_config_key = (
    re.compile(form, re.ASCII).fullmatch
    for form in (_LABEL, _SUBDOMAIN, _LABEL_1035, _QUALIFIED, _VALUE, _CONFIG_KEY)
)

Problems = list[str]
"""What is wrong with a text, one sentence for each rule; empty for nothing."""


def _by_form(rule: str, form: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {shown}regex used for validation is '{form}')"


_ENDS = "and must start and end with an alphanumeric character"
_NO_SUBDOMAIN = _by_form(
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {_ENDS}",
    _SUBDOMAIN,
    "example.com",
)
_NO_LABEL = _by_form(
    f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_ENDS}",
    _LABEL,
    *("my-name", "123-abc"),
)
_NO_LABEL_1035 = _by_form(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character",
    _LABEL_1035,
    *("my-name", "abc-123"),
)
_NO_NAME = _by_form(
    f"must consist of alphanumeric characters, '-', '_' or '.', {_ENDS}",
    _QUALIFIED,
    *("MyName", "my.name", "123-abc"),
)
_NO_VALUE = _by_form(
    f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', {_ENDS}",
    _VALUE,
    *("MyValue", "my_value", "12345"),
)

_NO_CONFIG_KEY = _by_form(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    *("key.name", "KEY_NAME", "key-name"),
)


def dns_subdomain(text: str) -> Problems:
    """Say why a text is no DNS subdomain (RFC 1123)."""
    problems = _too_long(text, 253)
    return problems if _is_subdomain(text) else [*problems, _NO_SUBDOMAIN]


def dns_label(text: str) -> Problems:
    """Say why a text is no DNS label (RFC 1123)."""
    problems = _too_long(text, 63)
    if _is_label(text):
        return problems
    return [*problems, "must not contain dots" if _is_subdomain(text) else _NO_LABEL]


def dns_1035_label(text: str) -> Problems:
    """Say why a text is no DNS label of the older kind (RFC 1035), which begins with a letter."""
    problems = _too_long(text, 63)
    return problems if _is_label_1035(text) else [*problems, _NO_LABEL_1035]


def qualified_name(text: str) -> Problems:
    """Say why a text is no qualified name: a name, or a DNS subdomain, "/" and a name."""
    prefix, slash, name = text.rpartition("/")
    if "/" in prefix:
        return [
            f"a qualified name {_NO_NAME} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    problems: Problems = []
    if slash:
        why = dns_subdomain(prefix) if prefix else ["must be non-empty"]
        problems += [f"prefix part {each}" for each in why]
    why = _too_long(name, 63) if name else ["must be non-empty"]
    if not _is_qualified(name):
        why.append(_NO_NAME)
    return [*problems, *(f"name part {each}" for each in why)]


def label_value(text: str) -> Problems:
    """Say why a text is no value of a label."""
    problems = _too_long(text, 63)
    return problems if _is_value(text) else [*problems, _NO_VALUE]


def config_key(text: str) -> Problems:
    """Say why a text is no key of a ConfigMap or a Secret."""
    problems = _too_long(text, 253)
    if not _is_config_key(text):
        problems.append(_NO_CONFIG_KEY)
    if text in (".", ".."):
        return [*problems, f"must not be '{text}'"]
    return [*problems, "must not start with '..'"] if text.startswith("..") else problems


def path_segment(text: str) -> Problems:
    """Say why a text cannot stand as one segment of a path."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{char}'" for char in "/%" if char in text]


def _too_long(text: str, most: int) -> Problems:
    return [f"must be no more than {most} characters"] if len(text.encode()) > most else []

"""Quantities, times and nulls in the form that a server keeps; the pairs are kube-apiserver v1.20.2's."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.sandbox.apiserver.canonical import Unreadable, canonical_quantity, canonical_time, compile_canonical
from zenctl.sandbox.apiserver.kinds import BUILT_IN
from zenctl.sandbox.apiserver.registry import inlined


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("1", "1"),
        (1, "1"),
        (0.5, "500m"),
        (" .5 ", "500m"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("1000", "1k"),
        (10000, "10k"),
        ("1000k", "1M"),
        ("123456789", "123456789"),
        ("0Ki", "0"),
        ("-0", "0"),
        ("-1.5", "-1500m"),
        ("512", "512"),
        ("1023Ki", "1023Ki"),
        ("1024Ki", "1Mi"),
        ("0.5Ki", "512"),
        ("0.5Gi", "512Mi"),
        ("1.5Gi", "1536Mi"),
        ("1.1Ki", "1126400m"),
        ("16Ei", "9223372036854775807"),
        ("1e3", "1e3"),
        ("1E3", "1E3"),
        ("1e10", "10e9"),
        ("1.5e3", "1500"),
        ("1e400", "10e399"),
        ("100000000000000000000", "100E"),
        ("1E", "1E"),
    ],
)
def test_a_quantity_has_one_form(sent: object, kept: str) -> None:
    assert canonical_quantity(sent) == kept


@pytest.mark.parametrize(
    ("sent", "kept"), [("1n", "1m"), ("0.0001", "1m"), ("1.0001", "1001m"), ("-0.0001", "-1m"), ("1m", "1m")]
)
def test_amounts_of_resources_are_counted_in_thousandths(sent: str, kept: str) -> None:
    assert canonical_quantity(sent, 1000) == kept


@pytest.mark.parametrize("sent", ["", "abc", "1Kib", "0x1", "1_0", "1e", "-", ".", True, None, {}, []])
def test_what_is_no_quantity_is_refused(sent: object) -> None:
    with pytest.raises(Unreadable, match="quantities must match"):
        canonical_quantity(sent)


UNITS: dict[str, Fraction | int] = {
    "": 1,
    "m": Fraction(1, 1000),
    "k": 1000,
    "M": 10**6,
    "Ki": 1024,
    "Mi": 1024**2,
    "e3": 1000,
}


@given(st.integers(0, 10**7), st.sampled_from(sorted(UNITS)))
def test_a_form_means_the_same_and_stays_as_it_is(number: int, unit: str) -> None:
    kept = canonical_quantity(f"{number}{unit}")
    digits = kept.rstrip("mkKMGTPEi")
    value = Fraction(digits.partition("e")[0]) * Fraction(10) ** int(digits.partition("e")[2] or 0)
    suffix = kept.removeprefix(digits)
    scale: Fraction | int = {"G": 10**9, "T": 10**12, "Gi": 1024**3, "Ti": 1024**4, **UNITS}[suffix]

    assert value * scale == number * UNITS[unit]
    assert canonical_quantity(kept) == kept


@pytest.mark.parametrize(
    ("sent", "micro", "kept"),
    [
        ("2024-01-01T00:00:00Z", False, "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:00:00.123456789Z", False, "2024-01-01T00:00:00Z"),
        ("2024-01-01T01:00:00+02:00", False, "2023-12-31T23:00:00Z"),
        ("2024-01-01T02:00:00.500000+02:00", True, "2024-01-01T00:00:00.500000Z"),
        ("2024-01-01T00:00:00.000000Z", True, "2024-01-01T00:00:00.000000Z"),
    ],
)
def test_a_time_is_in_utc(sent: str, micro: bool, kept: str) -> None:
    assert canonical_time(sent, micro=micro) == kept


@pytest.mark.parametrize("sent", ["", "x", "2024-01-01", "2024-01-01T00:00:00", 1])
def test_what_is_no_time_is_refused(sent: object) -> None:
    with pytest.raises(Unreadable, match="time"):
        canonical_time(sent)


@pytest.mark.parametrize("sent", ["", "eA==", "eH\nh4"])
def test_binary_data_is_base64(sent: str) -> None:
    assert brought("Secret", {"data": {"a": sent}}) == {"data": {"a": sent}}


@pytest.mark.parametrize("sent", ["x", "eA", "eA=", "e A=", "ü", "_-==", 1])
def test_what_is_no_base64_is_refused(sent: object) -> None:
    with pytest.raises(Unreadable, match="base64"):
        brought("ConfigMap", {"binaryData": {"a": sent}})


def brought(kind: str, document: dict[str, Any]) -> dict[str, Any]:
    served = next(served for served in BUILT_IN if served.type.kind == kind)
    compile_canonical(inlined(served.schema, served.definitions))(document)
    return document


def test_quantities_are_found_wherever_a_kind_has_them() -> None:
    container = {"resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}, "name": "a"}
    deployment = {"spec": {"template": {"spec": {"containers": [container]}}}}

    (kept,) = brought("Deployment", deployment)["spec"]["template"]["spec"]["containers"]
    assert kept == {"resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}, "name": "a"}


def test_a_time_that_is_absent_is_a_null_where_a_server_writes_one() -> None:
    assert brought("Event", {"lastTimestamp": "2024-01-01T02:00:00+02:00"}) == {
        "eventTime": None,
        "firstTimestamp": None,
        "lastTimestamp": "2024-01-01T00:00:00Z",
    }
    assert brought("Role", {}) == {"rules": None}
    assert brought("Role", {"rules": []}) == {"rules": []}


def test_values_of_other_types_are_left_for_validation() -> None:
    odd = {"spec": {"containers": {"resources": 1}}, "status": []}

    assert brought("Pod", dict(odd)) == odd


@pytest.mark.parametrize("text", ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5Z", "2024-01-01T00:00:00.1234567Z"])
def test_a_time_to_the_microsecond_has_six_digits(text: str) -> None:
    with pytest.raises(Unreadable):
        canonical_time(text, micro=True)

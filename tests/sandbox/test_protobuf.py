"""Protobuf bodies: every rule of the form in a table, what is refused, and what real programs have written.

``recorded_protobuf.jsonl`` holds bodies that kubectl 1.32 sent, and answers of kube-apiserver v1.20.2, each beside
the same object in JSON; ``python -m tests.protobuf_recordings`` writes it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zenctl.sandbox.apiserver.errors import ApiError
from zenctl.sandbox.apiserver.kinds import BUILT_IN
from zenctl.sandbox.apiserver.protobuf import MAX_DEPTH, decode
from zenctl.sandbox.apiserver.types import DEFINITIONS

RECORDED = [
    msgspec.json.decode(line)
    for line in Path(__file__).with_name("recorded_protobuf.jsonl").read_bytes().splitlines()
]
TABLE = msgspec.json.decode(Path(__file__).parents[2].joinpath("zenctl/sandbox/apiserver/protobuf.json").read_bytes())
MAGIC = b"k8s\x00"


def varint(number: int) -> bytes:
    """Encode a number; a negative one has ten bytes, as protobuf wants it."""
    number &= (1 << 64) - 1
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(groups) + bytes([number])


def put(number: int, value: int | str | bytes) -> bytes:
    """Encode one field: numbers as varints, everything else with its length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def body(kind: str, *fields: bytes, api: str = "v1") -> bytes:
    """Encode a whole body."""
    return MAGIC + put(1, put(1, api) + put(2, kind)) + put(2, b"".join(fields))


def read(kind: str, *fields: bytes, api: str = "v1") -> dict[str, object]:
    """Return what a body holds beside apiVersion and kind."""
    document = decode(body(kind, *fields, api=api))
    assert (document.pop("apiVersion"), document.pop("kind")) == (api, kind)
    return document


def managed(fields: str) -> bytes:
    """Encode metadata with managed fields."""
    return put(1, put(17, put(7, put(1, fields))))


@pytest.mark.parametrize("recorded", RECORDED, ids=[each["source"] for each in RECORDED])
def test_what_real_programs_write_is_read_as_the_same_object_in_json(recorded):
    assert decode(b64decode(recorded["body"])) == recorded["document"]


# ------------------------------------------------------------------------------- rules


CRD = "apiextensions.k8s.io/v1"


def schema(*fields: bytes) -> bytes:
    """Encode a CRD's fields around those of a JSON schema."""
    return put(2, put(7, put(4, put(1, b"".join(fields)))))


def schema_read(*fields: bytes) -> object:
    found = read("CustomResourceDefinition", schema(*fields), api=CRD)
    return found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("kind", "fields", "document"),
    [
        pytest.param("Secret", put(3, "t"), {"type": "t"}, id="text"),
        pytest.param("Secret", put(3, ""), {}, id="an empty text that JSON leaves out"),
        pytest.param("Secret", put(5, 1), {"immutable": True}, id="a pointer"),
        pytest.param("Secret", put(5, 0), {"immutable": False}, id="a pointer to zero is not absent"),
        pytest.param("Secret", put(3, "a") + put(3, "b"), {"type": "b"}, id="the last of two wins"),
        pytest.param("Secret", put(3, "a") + put(3, ""), {}, id="also when it is zero"),
        pytest.param("Event", put(8, -1), {"count": -1}, id="a negative number"),
        pytest.param("Event", put(8, 1 << 31), {"count": -(1 << 31)}, id="an int32 has 32 bits"),
        pytest.param("Event", put(8, 0), {}, id="a zero that JSON leaves out"),
        pytest.param("Pod", put(2, b""), {"spec": {}}, id="an empty message"),
        pytest.param("Pod", put(2, put(7, put(1, "a"))), {"spec": {"nodeSelector": {"a": ""}}}, id="map entry: key"),
        pytest.param("Secret", put(2, put(2, b"\xff")), {"data": {"": "/w=="}}, id="map entry: value, in base64"),
        pytest.param("Secret", put(2, b""), {"data": {"": ""}}, id="map entry: neither"),
        pytest.param(
            "Secret",
            put(2, put(1, "a") + put(2, "1")) + put(2, put(1, "a") + put(2, "2")),
            {"data": {"a": "Mg=="}},
            id="map entry: the last of two wins",
        ),
        pytest.param(
            "Secret",
            put(1, put(1, "a")) + put(1, put(2, "b")),
            {"metadata": {"name": "a", "generateName": "b"}},
            id="a message that comes twice is merged",
        ),
        pytest.param(
            "Pod",
            put(2, put(14, put(4, 5) + put(4, 6))),
            {"spec": {"securityContext": {"supplementalGroups": [5, 6]}}},
            id="a list of numbers, one by one",
        ),
        pytest.param(
            "Pod",
            put(2, put(14, put(4, b"\x05\x96\x01") + put(4, 7))),
            {"spec": {"securityContext": {"supplementalGroups": [5, 150, 7]}}},
            id="a list of numbers, packed",
        ),
        pytest.param(
            "Pod",
            put(2, put(1, put(1, "v") + put(2, put(2, b"")))),
            {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}},
            id="an embedded struct is spread",
        ),
        pytest.param(
            "Pod", put(1, put(8, b"")), {"metadata": {}}, id="a zero time is left out"
        ),
        pytest.param(
            "Pod",
            put(1, put(8, put(1, 0) + put(2, 0))),
            {"metadata": {"creationTimestamp": "1970-01-01T00:00:00Z"}},
            id="the epoch is a time",
        ),
        pytest.param(
            "Pod",
            put(1, put(8, put(1, 1709251199) + put(2, 999_999_999))),
            {"metadata": {"creationTimestamp": "2024-02-29T23:59:59Z"}},
            id="a time has whole seconds",
        ),
        pytest.param(
            "Event",
            put(10, put(1, -1) + put(2, 999_999_999)),
            {"eventTime": "1969-12-31T23:59:59.999999Z"},
            id="a micro time has six digits",
        ),
        pytest.param(
            "Event",
            put(10, put(1, -62135510400)),
            {"eventTime": "0001-01-02T00:00:00.000000Z"},
            id="a year has four digits",
        ),
        pytest.param(
            "Service",
            put(2, put(1, put(4, put(1, 0) + put(2, 80) + put(3, "")))),
            {"spec": {"ports": [{"targetPort": 80}]}},
            id="an IntOrString that is a number",
        ),
        pytest.param(
            "Service",
            put(2, put(1, put(4, put(1, 1) + put(2, 0) + put(3, "http")))),
            {"spec": {"ports": [{"targetPort": "http"}]}},
            id="an IntOrString that is a text",
        ),
        pytest.param(
            "PersistentVolumeClaim",
            put(2, put(2, put(2, put(1, "storage") + put(2, put(1, "1Gi"))))),
            {"spec": {"resources": {"requests": {"storage": "1Gi"}}}},
            id="a quantity",
        ),
        pytest.param(
            "Pod",
            managed('{"f:a":{}}'),
            {"metadata": {"managedFields": [{"fieldsV1": {"f:a": {}}}]}},
            id="managed fields",
        ),
    ],
)  # fmt: skip
def test_a_field_is_read(kind, fields, document):
    assert read(kind, fields) == document


@pytest.mark.parametrize(
    ("fields", "document"),
    [
        (put(8, put(1, "0")), {"default": 0}),
        (put(8, put(1, "null")), {}),
        (put(20, put(1, "null")) + put(20, put(1, '"a"')), {"enum": [None, "a"]}),
        (put(24, put(1, put(5, "string"))), {"items": {"type": "string"}}),
        (put(24, put(2, b"") + put(2, put(5, "a"))), {"items": [{}, {"type": "a"}]}),
        (put(30, put(1, 0)), {"additionalProperties": False}),
        (put(30, put(1, 1)), {"additionalProperties": True}),
        (put(30, put(1, 1) + put(2, b"")), {"additionalProperties": {}}),
        (put(32, put(1, "a") + put(2, put(2, "b"))), {"dependencies": {"a": ["b"]}}),
        (put(32, put(1, "a") + put(2, put(1, b""))), {"dependencies": {"a": {}}}),
        (put(3, "#/a"), {"$ref": "#/a"}),
        (put(44, put(1, "a") + put(6, 0)), {"x-kubernetes-validations": [{"rule": "a", "optionalOldSelf": False}]}),
        (b"\x49" + b"\0\0\0\0\0\0\x14\x40", {"maximum": 5}),
        (b"\x49" + b"\0\0\0\0\0\0\xd0\x3f", {"maximum": 0.25}),
    ],
)  # fmt: skip
def test_a_word_of_a_json_schema_is_read(fields, document):
    assert schema_read(fields) == document


@pytest.mark.parametrize("api", ["authorization.k8s.io/v1"])
def test_extra_values_are_lists(api):
    extra = put(5, put(1, "scopes") + put(2, put(1, "a") + put(1, "b"))) + put(5, put(1, "none"))
    found = read("SubjectAccessReview", put(2, extra), api=api)
    assert found == {"spec": {"extra": {"scopes": ["a", "b"], "none": []}}}


@pytest.mark.parametrize("api", ["v1", "apps/v1", "meta.k8s.io/v1"])
def test_delete_options_belong_to_every_version(api):
    sent = put(1, 0) + put(2, put(1, "u")) + put(4, "Orphan") + put(5, "All")
    assert read("DeleteOptions", sent, api=api) == {
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u"},
        "propagationPolicy": "Orphan",
        "dryRun": ["All"],
    }


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.binary()))
def test_any_text_and_any_bytes_come_through(data, binary):
    entries = [put(2, put(1, key) + put(2, value)) for key, value in data.items()]
    entries += [put(3, put(1, key) + put(2, value)) for key, value in binary.items()]
    found = read("ConfigMap", *entries)
    assert found.get("data", {}) == data
    assert found.get("binaryData", {}) == {key: b64encode(value).decode() for key, value in binary.items()}


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_any_number_comes_through(number):
    assert read("Pod", put(2, put(5, number))) == {"spec": {"activeDeadlineSeconds": number}}


# ------------------------------------------------------------------------------- what is refused


IS_NOT = "the object provided is unrecognized (must be of type Object): "
CONFIG_MAP = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: '


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", IS_NOT + "provided data does not appear to be a protobuf message"),
        (b'{"kind":"Pod"}', IS_NOT + "provided data does not appear to be a protobuf message"),
        (MAGIC, IS_NOT + "Object 'Kind' is missing"),
        (body("", api="v1"), IS_NOT + "Object 'Kind' is missing"),
        (body("Pod", api=""), IS_NOT + "Object 'apiVersion' is missing"),
        (MAGIC + b"\x0a\x7f", IS_NOT + "unexpected EOF in field 1 of runtime.Unknown"),
        (MAGIC + put(5, ""), IS_NOT + "field 5 of runtime.Unknown is not known"),
        (body("Pod") + put(3, "gzip"), IS_NOT + "contentEncoding 'gzip' is not supported"),
        (body("Pod") + put(4, "application/json"), IS_NOT + "contentType 'application/json' is not supported"),
        (body("ConfigMap", put(15, "")), CONFIG_MAP + "field 15 of core.v1.ConfigMap is not known"),
        (body("ConfigMap", b"\x00"), CONFIG_MAP + "unexpected EOF in core.v1.ConfigMap"),
        (body("ConfigMap", b"\x00\x00"), CONFIG_MAP + "field 0 of core.v1.ConfigMap is not known"),
        (body("ConfigMap", put(1, put(99, 0))), CONFIG_MAP + "field 99 of meta.v1.ObjectMeta is not known"),
        (body("ConfigMap", put(2, put(3, ""))), CONFIG_MAP + "field 3 of an entry of core.v1.ConfigMap.data is not"),
        (body("ConfigMap", put(1, 7)), CONFIG_MAP + "field 1 of core.v1.ConfigMap has wire type 0 and not 2"),
        (body("ConfigMap", put(4, "")), CONFIG_MAP + "field 4 of core.v1.ConfigMap has wire type 2 and not 0"),
        (body("ConfigMap", put(2, put(1, 7))), CONFIG_MAP + "field 1 of an entry of core.v1.ConfigMap.data has wire"),
        (body("ConfigMap", b"\x0b"), CONFIG_MAP + "field 1 of core.v1.ConfigMap has wire type 3, which is none"),
        (body("ConfigMap", b"\x0a\x02\x0a"), CONFIG_MAP + "unexpected EOF in field 1 of core.v1.ConfigMap"),
        (body("ConfigMap", b"\x20"), CONFIG_MAP + "unexpected EOF in core.v1.ConfigMap"),
        (body("ConfigMap", b"\x21\x00"), CONFIG_MAP + "unexpected EOF in field 4 of core.v1.ConfigMap"),
        (body("ConfigMap", b"\x20" + b"\xff" * 9), CONFIG_MAP + "unexpected EOF in core.v1.ConfigMap"),
        (body("ConfigMap", b"\x20" + b"\xff" * 11), CONFIG_MAP + "integer overflow in core.v1.ConfigMap"),
        (body("ConfigMap", b"\x20" + b"\xff" * 9 + b"\x7f"), CONFIG_MAP + "integer overflow in core.v1.ConfigMap"),
        (body("ConfigMap", put(1, put(1, b"\xff"))), CONFIG_MAP + "field 1 of meta.v1.ObjectMeta is no UTF-8"),
        (body("ConfigMap", put(1, put(8, put(1, 1 << 50)))), CONFIG_MAP + "a time lies outside the years 1 to 9999"),
        (body("ConfigMap", managed("{")), CONFIG_MAP + "field 1 of meta.v1.FieldsV1 is no JSON"),
        (body("ConfigMap", managed("[" * 99_999)), CONFIG_MAP + "field 1 of meta.v1.FieldsV1 is no JSON"),
        (body("Service", put(2, put(1, put(4, put(1, 2))))), "2 is no type of an IntOrString"),
        (body("CustomResourceDefinition", schema(b"\x49" + b"\xff" * 8), api=CRD), "is nan, which JSON cannot say"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_name(sent, said):
    with pytest.raises(ApiError) as caught:
        decode(sent)
    assert (caught.value.code, caught.value.reason) == (400, "BadRequest")
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("api", "kind"),
    [
        ("v1", "ConfigMapList"),
        ("v1", "Container"),
        ("v2", "Pod"),
        ("v2", "v1 Pod"),
        ("apps/v1", "Pod"),
        ("apps.example.org/v1", "Deployment"),
        ("zen.kube-zen.io/v1alpha1", "Observation"),
    ],
)
def test_a_kind_that_is_not_in_the_table_is_another_media_type(api, kind):
    with pytest.raises(ApiError) as caught:
        decode(body(kind, api=api))
    assert (caught.value.code, caught.value.reason) == (415, "UnsupportedMediaType")
    assert f"{kind} of {api}" in caught.value.message


def nested(levels: int) -> bytes:
    """Encode a JSON schema in so many others."""
    inner = b""
    for _ in range(levels):
        inner = put(28, inner)
    return schema(inner)


def test_messages_are_nested_as_deeply_as_the_limit_and_no_deeper():
    around = 4  # the CRD, its spec, the version and the schema's wrapper stand around the outermost schema
    decode(body("CustomResourceDefinition", nested(MAX_DEPTH - around), api=CRD))
    for levels in (MAX_DEPTH - around + 1, 5_000):
        with pytest.raises(ApiError, match="nested more than 100 messages deep"):
            decode(body("CustomResourceDefinition", nested(levels), api=CRD))


def only_refuses(sent: bytes) -> None:
    """Decode; what comes is a document of JSON values, or ApiError."""
    with suppress(ApiError):
        msgspec.json.encode(decode(sent))


@given(st.binary())
@example(b"\x0a\x00")
def test_any_bytes_behind_the_magic_are_read_or_refused(data):
    only_refuses(MAGIC + data)


FIELDS = st.recursive(
    st.integers(0, 1 << 64) | st.text() | st.binary(),
    lambda inner: st.lists(st.builds(put, st.integers(1, 20), inner), max_size=4).map(b"".join),
)


@given(st.sampled_from(sorted(TABLE["kinds"])), st.lists(st.builds(put, st.integers(1, 4), FIELDS)))
def test_any_fields_in_an_object_are_read_or_refused(kind, fields):
    api, _, name = kind.rpartition(" ")
    only_refuses(body(name, *fields, api=api or "v1"))


@settings(max_examples=300)
@given(st.sampled_from(RECORDED), st.data())
def test_damaged_bodies_are_read_or_refused(recorded, data):
    sent = bytearray(b64decode(recorded["body"]))
    for _ in range(data.draw(st.integers(1, 3))):
        sent[data.draw(st.integers(4, len(sent) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(4, len(sent)))
    only_refuses(bytes(sent[:end]))


# ------------------------------------------------------------------------------- the table


def test_every_kind_that_is_written_has_a_message():
    written = {f"{served.type.api_version} {served.type.kind}" for served in BUILT_IN if not served.loaded}
    assert set(TABLE["kinds"]) == written | {"DeleteOptions"}


NO_SCHEMA_HAS = {
    "core.v1.EphemeralVolumeSource": {"readOnly"},
    "core.v1.PodCondition": {"observedGeneration"},
    "core.v1.PodStatus": {"observedGeneration"},
    "core.v1.ServiceSpec": {"topologyKeys"},
    "meta.v1.ObjectMeta": {"clusterName"},
}
"""Fields of older and newer clients, which they write as zeros at least."""
DEFINED = {".".join(name.split(".")[-3:]): schema for name, schema in DEFINITIONS.items()}
TYPE = {"apiVersion", "kind"}


def fields_of(message: str) -> set[str]:
    """Return the names that the fields of a message have in JSON."""
    found: set[str] = set()
    for text in TABLE["messages"][message].values():
        name, shape = text.split()
        found |= fields_of(shape) if name == "..." else {name}
    return found


@pytest.mark.parametrize("message", sorted(DEFINED.keys() & TABLE["messages"].keys()))
def test_messages_and_schemas_have_the_same_fields(message):
    assert (
        fields_of(message) - TYPE - NO_SCHEMA_HAS.get(message, set())
        == DEFINED[message].get("properties", {}).keys() - TYPE
    )

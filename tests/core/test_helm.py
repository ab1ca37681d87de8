"""Helm's releases are read from all that Helm writes, and nothing that anybody else writes breaks the reader."""

from __future__ import annotations

import base64
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.helm_samples import (
    DEFAULTS,
    HOOK,
    MANIFEST,
    VALUES,
    encoded,
    release,
    revision,
    stored,
    zipped,
)
from zenctl.core.documents import documents
from zenctl.core.helm import (
    RELEASE_BYTES,
    Chart,
    Head,
    Hook,
    Release,
    Standing,
    Storage,
    Unreadable,
    head_of,
    is_release_name,
    payload,
    read_release,
    short_name,
    standings,
    values_text,
)

SECRET, CONFIG_MAP = Storage.SECRET, Storage.CONFIG_MAP


def read(document: Any, storage: Storage = SECRET) -> Release | Unreadable:
    found = payload(storage, json.dumps(document).encode())
    return found if isinstance(found, Unreadable) else read_release(found)


def release_in(document: Any, storage: Storage = SECRET) -> Release:
    found = read(document, storage)
    assert isinstance(found, Release), found
    return found


def why(document: Any, storage: Storage = SECRET) -> str:
    found = read(document, storage)
    assert isinstance(found, Unreadable)
    return found.why


def of(**changes: Any) -> Release:
    return release_in(stored(zipped(encoded(release(**changes)))))


@pytest.mark.parametrize("storage", Storage)
@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_a_release_is_read_from_either_storage_at_any_compression(storage, level):
    found = release_in(stored(zipped(encoded(release(revision=7)), level), "zen-watcher.v7", storage), storage)
    assert (found.name, found.namespace, found.revision, found.status) == ("zen-watcher", "zen-system", 7, "deployed")
    assert found.chart == Chart("zen-watcher", "0.7.0", "1.2.3")
    assert json.loads(found.values or b"") == VALUES
    assert json.loads(found.default_values or b"") == DEFAULTS
    assert (found.manifest, found.notes) == (MANIFEST, "Zen Watcher is running.\n")
    assert found.first_deployed == "2026-11-01T09:00:00.123456789+01:00"
    assert found.last_deployed == "2026-11-07T09:00:00.123456789+01:00"
    assert found.hooks == (
        Hook(HOOK["name"], "Pod", HOOK["path"], ("test",), 5, ("before-hook-creation",), HOOK["manifest"]),  # type: ignore[arg-type]
    )
    assert found.unread == ()


@pytest.mark.parametrize("storage", Storage)
def test_what_an_early_helm_left_uncompressed_is_read(storage):
    assert release_in(stored(encoded(release()), storage=storage), storage).values == encoded(VALUES)


def test_what_is_absent_is_told_from_what_is_empty():
    bare = of(config=None, info=None, chart=None, manifest=None, hooks=None, namespace=None)
    assert bare == Release("zen-watcher", "", 1, "", "", "", "", Chart(), None, None, "", (), "", ())
    assert of(config={}).values == b"{}"
    explicit = release_in(stored(zipped(encoded(release()).replace(encoded(VALUES), b"null"))))
    assert (explicit.values, explicit.unread) == (None, ())
    assert of(info={"status": "deployed", "last_deployed": ""}).last_deployed == ""


@pytest.mark.parametrize(
    ("changes", "unread"),
    [
        ({"hooks": "none"}, ("hooks",)),
        ({"hooks": [{"weight": "heavy"}]}, ("hooks",)),
        ({"info": []}, ("info",)),
        ({"info": {"status": 5, "notes": {}}}, ("info.status", "info.notes")),
        ({"info": {"status": "x" * 300}}, ("info.status",)),
        ({"chart": "zen-watcher"}, ("chart",)),
        ({"chart": {"metadata": {"name": ["zen"]}, "values": "none"}}, ("chart.metadata.name", "chart.values")),
        ({"config": ["a"]}, ("config",)),
        ({"manifest": {"a": 1}}, ("manifest",)),
    ],
    ids=str,
)
def test_a_part_of_another_shape_costs_only_itself(changes, unread):
    found = of(**changes)
    assert found.unread == unread
    assert (found.name, found.revision) == ("zen-watcher", 1)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "no data.release"),
        ({"data": None}, "no data.release"),
        ({"data": {"release": ""}}, "no data.release"),
        ({"data": {"release": 5}}, "not text"),
        ({"data": ["release"]}, "not text"),
        ({"data": {"release": "not base64!"}}, "not base64"),
        ({"data": {"release": "é"}}, "not base64"),
        ({"data": {"release": base64.b64encode(b"once only").decode()}}, "not base64"),
        (stored(b""), "no data.release"),
        (stored(b" "), "JSON is no release"),
        (stored(b"\xff\xfe"), "JSON is no release"),
        (stored(b"[]"), "JSON is no release"),
        (stored(b'{"name":"a"}'), "JSON is no release"),
        (stored(b'{"name":"","version":1}'), "JSON is no release"),
        (stored(b'{"name":"a","version":-1}'), "JSON is no release"),
        (stored(b'{"name":"a","version":"1"}'), "JSON is no release"),
        (stored(b'{"name":"' + b"a" * 254 + b'","version":1}'), "JSON is no release"),
        (stored(b"[" * 100_000), "JSON is no release"),
        (stored(zipped(b"{")), "JSON is no release"),
        (stored(zipped(encoded(release()))[:-1]), "truncated"),
        (stored(zipped(encoded(release()))[:20]), "truncated"),
        (stored(zipped(encoded(release()))[:3]), "truncated"),
        (stored(zipped(encoded(release())) + b"more"), "something follows"),
        (stored(zipped(encoded(release())) + zipped(b"{}")), "something follows"),
        (stored(zipped(encoded(release()))[:-8] + bytes(8)), "gzip data is damaged"),
        (stored(b"\x1f\x8b\x08" + b"\xff" * 40), "gzip data is damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_release_is_a_value_with_the_reason(document, reason):
    assert reason in why(document)


def test_a_secret_that_a_client_has_decoded_once_is_not_taken_for_one():
    assert "not base64" in why(stored(zipped(encoded(release())), storage=CONFIG_MAP), SECRET)


@pytest.mark.parametrize("level", [9, 0])
def test_a_bomb_is_refused_in_bounded_memory(level):
    size_bytes = 1024 * 2**20 if level else RELEASE_BYTES + 1
    found = payload(SECRET, json.dumps(stored(_zeros(size_bytes, level))).encode())
    assert isinstance(found, bytes)
    tracemalloc.start()
    try:
        answer = read_release(found)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer == Unreadable(f"it has more than {RELEASE_BYTES:,} bytes when decompressed")
    assert peak_bytes < 4 * RELEASE_BYTES


def _zeros(size_bytes: int, level: int) -> bytes:
    """Return a gzip member of so many zeros, without making them all at once."""
    import zlib

    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    block = bytes(2**20)
    parts = [packer.compress(block) for _ in range(size_bytes // len(block))]
    return b"".join((*parts, packer.compress(bytes(size_bytes % len(block))), packer.flush()))


def test_the_largest_release_there_may_be_is_read_and_one_byte_more_is_not():
    bare = len(encoded({"name": "a", "version": 1, "manifest": ""}))
    for more, fits in ((0, True), (1, False)):
        plain = encoded({"name": "a", "version": 1, "manifest": "x" * (RELEASE_BYTES - bare + more)})
        for data in (plain, zipped(plain, 1)):
            assert isinstance(read_release(data), Release) is fits


def test_reasons_hold_nothing_of_what_was_stored():
    for plain in (b'{"name":"hunter2","version":"hunter2"}', b'{"name":1,"version":hunter2}', b"hunter2"):
        assert "hunter2" not in why(stored(plain))
        assert "hunter2" not in why({"data": {"release": "hunter2!"}})


@given(st.binary(max_size=300))
def test_no_bytes_whatever_raise(data):
    for storage in Storage:
        assert isinstance(payload(storage, data), bytes | Unreadable)
        assert isinstance(read(stored(data, storage=storage), storage), Release | Unreadable)
    assert isinstance(read_release(b"\x1f\x8b\x08" + data), Release | Unreadable)
    assert isinstance(read_release(zipped(data)), Release | Unreadable)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(release())), _JSON), st.dictionaries(st.text(max_size=5), _JSON))
def test_no_shape_of_a_release_raises(changes, values):
    found = read_release(zipped(encoded({**release(), "config": values, **changes})))
    if isinstance(found, Release):
        for part in (found.values, found.default_values):
            assert part is None or documents(values_text(part).encode()) == [json.loads(part)]


@given(st.data())
def test_no_change_of_a_byte_raises(data):
    whole = bytearray(zipped(encoded(release())))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    assert isinstance(read_release(bytes(whole)), Release | Unreadable)


@given(st.dictionaries(st.text(max_size=20), _JSON))
def test_values_come_out_of_the_text_as_they_went_in(values):
    assert documents(values_text(encoded(values)).encode()) == [values]


def test_values_look_as_people_write_them():
    values = {"image": {"tag": "1.10"}, "on": "yes", "script": "#!/bin/sh\necho hello\n", "list": [1, {"a": None}]}
    assert values_text(encoded(values)) == (
        "image:\n  tag: '1.10'\n'on': 'yes'\nscript: |\n  #!/bin/sh\n  echo hello\nlist:\n- 1\n- a: null\n"
    )


@pytest.mark.parametrize(
    "values",
    [
        b'{"a":' * 40 + b"{}" + b"}" * 40,
        b'{"a":"' + b"x" * 2**20 + b'"}',
        b'{"a":1e999}',
        b'{"a":"\\ud800"}',
        b'{"a":' + b"9" * 5000 + b"}",
    ],
    ids=["deep", "huge", "infinite", "half a character", "a long number"],
)
def test_values_that_are_no_good_as_blocks_stay_the_json_that_they_are(values):
    assert values_text(values) == values.decode() + "\n"


def test_the_names_that_helm_gives():
    assert is_release_name("sh.helm.release.v1.zen-watcher.v3")
    assert not is_release_name("zen-watcher.v3")
    assert short_name("sh.helm.release.v1.zen-watcher.v3") == "zen-watcher.v3"


def test_the_payload_says_which_revision_it_is_and_the_name_only_where_it_cannot():
    read_one = of(revision=4, status="failed")
    assert head_of("sh.helm.release.v1.other.v9", read_one) == Head("zen-watcher", 4, "failed")
    unreadable = Unreadable("why")
    assert head_of("sh.helm.release.v1.zen.watcher.v12", unreadable) == Head("zen.watcher", 12, "")
    assert head_of("odd", unreadable) == Head("odd", 0, "")


def test_the_latest_deployed_is_told_from_the_latest():
    heads = [
        Head("a", 1, "superseded"), Head("a", 10, "failed"), Head("a", 2, "deployed"), Head("a", 9, "deployed"),
        Head("b", 1, "uninstalled"),
        Head("c", 1, "deployed"), Head("c", 2, ""),
    ]  # fmt: skip
    assert standings(heads) == [
        Standing(False, False), Standing(True, False), Standing(False, False), Standing(False, True),
        Standing(True, False),
        Standing(False, True), Standing(True, False),
    ]  # fmt: skip
    assert standings([]) == []


def test_a_label_that_disagrees_with_the_payload_does_not_count():
    document = revision(3)
    document["metadata"]["labels"]["version"] = "8"
    assert release_in(document).revision == 3

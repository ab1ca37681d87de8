"""Damaged and malicious archives: each is refused with one clear line, and nothing else is ever raised."""

from __future__ import annotations

import json
import random
import resource
import tarfile
from collections.abc import Callable
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import torture
from tests.archive.fakes import OBSERVATION, MemoryStore, objects, small_archive, write
from tests.archive.fakes import plain as as_lines
from tests.archive.forge import Forgery, Json, put_member, realign, take_apart, tar_member
from tests.torture import part
from zenctl.archive.format import TAIL_BYTES
from zenctl.archive.reader import list_archives, open_archive
from zenctl.archive.verify import How, Level, Verification, verify
from zenctl.errors import Damaged, Refused

SEED = torture.SEED
SOUND = small_archive(MemoryStore())


def stored(data: bytes) -> MemoryStore:
    store = MemoryStore()
    store.blobs["a.tar"] = data
    return store


def read_all(store: MemoryStore) -> None:
    """Read everything that an archive claims to have, as a restore does."""
    archive = open_archive(store, "a.tar")
    for collection in archive.manifest.collections:
        for _ in archive.objects(collection):
            pass


def verified(data: bytes, level: Level = Level.BYTES) -> Verification:
    return verify(stored(data), "a.tar", How(level))


def first_member(forgery: Forgery) -> Json:
    member: Json = forgery.manifest["collections"][0]["members"][0]
    return member


def test_the_forger_forges_a_sound_archive_to_begin_with():
    forged = take_apart(SOUND).bytes()
    assert forged == SOUND
    read_all(stored(forged))
    assert verified(forged, Level.OBJECTS).sound


# -- lies, one at a time; every checksum is right -------------------------------------------------------

Lie = Callable[[Forgery], None]
LIES: dict[str, tuple[Lie, str]] = {}


def lie(says: str) -> Callable[[Lie], Lie]:
    def register(make: Lie) -> Lie:
        LIES[make.__name__] = make, says
        return make

    return register


@lie(r"member '\.\./\.\./etc/passwd' is not allowed")
def path_traversal(forgery: Forgery) -> None:
    first_member(forgery)["name"] = "../../etc/passwd"
    forgery.members[0] = tar_member("../../etc/passwd", forgery.members[0][512:])


@lie(r"resource '\.\./\.\./secrets' in folder")
def path_traversal_by_plural(forgery: Forgery) -> None:
    forgery.manifest["collections"][1]["resource"]["plural"] = "../../secrets"


@lie("cluster id or name is not printable")
def escape_sequence_in_the_cluster_name(forgery: Forgery) -> None:
    forgery.manifest["cluster"]["name"] = forgery.footer["clusterName"] = "\x1b[2J"


@lie(r"in folder '\.\./up\.core' is not allowed")
def path_traversal_by_kind(forgery: Forgery) -> None:
    forgery.manifest["collections"][1]["resource"]["kind"] = "../up"


@lie(r"member '/000001\.ndjson\.zst' is not allowed")
def absolute_path(forgery: Forgery) -> None:
    first_member(forgery)["name"] = "/000001.ndjson.zst"


@lie("is not allowed where .*000002")
def duplicate_member(forgery: Forgery) -> None:
    members = forgery.manifest["collections"][0]["members"]
    members.append(dict(members[0]))
    forgery.members.insert(1, forgery.members[0])
    realign(forgery)
    forgery.manifest["collections"][0]["count"] *= 2
    forgery.recount()


@lie("collection 'Namespace.core' appears twice")
def duplicate_collection(forgery: Forgery) -> None:
    forgery.manifest["collections"].append(forgery.manifest["collections"][2])
    forgery.members.append(forgery.members[2])
    forgery.recount()


@lie("members end at .* but the manifest begins at")
def unlisted_member_at_the_end(forgery: Forgery) -> None:
    forgery.members.append(tar_member("Extra.core/000001.ndjson.zst", b"x"))


@lie("is said to begin at 1024, but the one before it ends at 0")
def unlisted_member_in_front(forgery: Forgery) -> None:
    forgery.members.insert(0, tar_member("Extra.core/000001.ndjson.zst", b"x"))
    for collection in forgery.manifest["collections"]:
        for member in collection["members"]:
            member["offset"] += 1024


@lie("is said to begin at")
def gap(forgery: Forgery) -> None:
    forgery.members.insert(1, bytes(512))
    for collection in forgery.manifest["collections"][1:]:
        for member in collection["members"]:
            member["offset"] += 512


@lie("is said to begin at 0, but the one before it ends at")
def overlap(forgery: Forgery) -> None:
    forgery.manifest["collections"][1]["members"][0]["offset"] = 0


@lie("tar header of .* is not the one that the manifest gives")
def symbolic_link(forgery: Forgery) -> None:
    member = first_member(forgery)
    data = forgery.members[0][512 : 512 + member["storedSize"]]
    forgery.members[0] = tar_member(member["name"], data, kind=tarfile.SYMTYPE, link="/etc/passwd")


@lie("tar header of .* is not the one that the manifest gives")
def another_name_in_the_header(forgery: Forgery) -> None:
    member = first_member(forgery)
    forgery.members[0] = tar_member("../../etc/passwd", forgery.members[0][512 : 512 + member["storedSize"]])


@lie("tar header of .* is not the one that the manifest gives")
def another_time_in_the_header(forgery: Forgery) -> None:
    member = first_member(forgery)
    forgery.members[0] = tar_member(member["name"], forgery.members[0][512 : 512 + member["storedSize"]], time=1)


@lie("padding of .* is not zero")
def something_in_the_padding(forgery: Forgery) -> None:
    forgery.members[0] = forgery.members[0][:-1] + b"!"


@lie("claims 1073741824 plain bytes, not")
def zstd_bomb(forgery: Forgery) -> None:
    plain = as_lines(objects(5))
    bomb = zstandard.ZstdCompressor().compress(bytes(2**30))
    put_member(forgery, 0, plain, stored=bomb, plainSize=len(plain))


@lie("outside the limit of")
def zstd_bomb_that_says_so(forgery: Forgery) -> None:
    put_member(forgery, 0, b"{}\n", stored=zstandard.ZstdCompressor().compress(bytes(2**30)), plainSize=2**30)


@lie("claims .* plain bytes, not")
def zstd_frame_without_its_size(forgery: Forgery) -> None:
    plain = as_lines(objects(5))
    put_member(forgery, 0, plain, stored=zstandard.ZstdCompressor(write_content_size=False).compress(plain))


@lie("cannot be decompressed")
def two_frames(forgery: Forgery) -> None:
    plain = as_lines(objects(5, spec={"severity": "HIGH"}))
    one = zstandard.ZstdCompressor().compress(plain)
    put_member(forgery, 0, plain, stored=one + one)


@lie("cannot be decompressed")
def no_zstd_at_all(forgery: Forgery) -> None:
    put_member(forgery, 0, b"{}\n", stored=b"PK\3\4")


@lie("stored bytes of .* do not match")
def wrong_stored_digest(forgery: Forgery) -> None:
    first_member(forgery)["storedSha256"] = "0" * 64


@lie("plain bytes of .* do not match")
def wrong_plain_digest(forgery: Forgery) -> None:
    first_member(forgery)["plainSha256"] = "0" * 64


@lie("a SHA-256 of member .* is malformed")
def digest_in_upper_case(forgery: Forgery) -> None:
    first_member(forgery)["plainSha256"] = first_member(forgery)["plainSha256"].upper()


@lie("claims .* plain bytes, not 10000")
def wrong_plain_size(forgery: Forgery) -> None:
    first_member(forgery)["plainSize"] = 10_000
    forgery.recount()


@lie("has 0 stored bytes, outside the limit")
def empty_member(forgery: Forgery) -> None:
    first_member(forgery)["storedSize"] = 0


@lie("has 99999999999 stored bytes, outside the limit")
def enormous_member(forgery: Forgery) -> None:
    first_member(forgery)["storedSize"] = 99_999_999_999


@lie("manifest is not readable: .*int.* >= 0")
def negative_offset(forgery: Forgery) -> None:
    first_member(forgery)["offset"] = -512


@lie("counts 6 objects, its members others")
def wrong_collection_count(forgery: Forgery) -> None:
    forgery.manifest["collections"][0]["count"] = 6
    forgery.recount()


@lie("does not hold 6 whole lines")
def wrong_member_count(forgery: Forgery) -> None:
    first_member(forgery)["count"] = forgery.manifest["collections"][0]["count"] = 6
    forgery.recount()


@lie("holds 1001 objects in .* bytes, too many")
def crowded_member(forgery: Forgery) -> None:
    first_member(forgery)["count"] = forgery.manifest["collections"][0]["count"] = 1001
    forgery.recount()


@lie("does not hold 5 whole lines")
def last_line_without_its_end(forgery: Forgery) -> None:
    put_member(forgery, 0, as_lines(objects(5))[:-1])


@lie("disagree about the number of objects: 8 and 9")
def footer_counts_more(forgery: Forgery) -> None:
    forgery.footer["objects"] = 9


@lie("disagree about the objects of each kind")
def footer_counts_other_kinds(forgery: Forgery) -> None:
    forgery.footer["kinds"]["ConfigMap.core"] = 2


@lie("disagree about the objects of each kind")
def footer_omits_a_kind(forgery: Forgery) -> None:
    del forgery.footer["kinds"]["ConfigMap.core"]


@lie("a folder in the footer is not allowed")
def strange_kind_in_the_footer(forgery: Forgery) -> None:
    forgery.footer["kinds"]["\x1b[2J"] = 1


@lie("disagree about the completeness")
def footer_says_complete(forgery: Forgery) -> None:
    forgery.manifest["complete"] = False


@lie("disagree about the parts left out")
def footer_leaves_nothing_out(forgery: Forgery) -> None:
    forgery.manifest["leftOut"] = ["helm"]


@lie("what the footer says was left out is malformed")
def strange_part_in_the_footer(forgery: Forgery) -> None:
    forgery.manifest["leftOut"] = forgery.footer["leftOut"] = ["\x1b[2J"]


@lie("disagree about the cluster")
def another_cluster(forgery: Forgery) -> None:
    forgery.footer["clusterName"] = "staging"


@lie("disagree about the creation time")
def another_time(forgery: Forgery) -> None:
    forgery.manifest["createdAt"] = "2026-11-24T02:00:00Z"


@lie("disagree about the archive id")
def another_id(forgery: Forgery) -> None:
    forgery.manifest["archiveId"] = "00000000"


@lie("is malformed")
def strange_id(forgery: Forgery) -> None:
    forgery.manifest["archiveId"] = forgery.footer["archiveId"] = "../../etc"


@lie("begin and end with the keys in the manifest")
def wrong_first_key(forgery: Forgery) -> None:
    first_member(forgery)["firstKey"] = "default/obs"


@lie("ends before it begins")
def sorted_that_is_not(forgery: Forgery) -> None:
    first_member(forgery)["lastKey"] = "a/a"


@lie("of a sorted collection begins before the one before it ends")
def sorted_members_that_are_not(forgery: Forgery) -> None:
    data = objects(5)
    second = dict(first_member(forgery), name="Observation.zen.kube-zen.io/000002.ndjson.zst")
    forgery.manifest["collections"][0]["members"].append(second)
    forgery.manifest["collections"][0]["count"] = 10
    forgery.members.insert(1, b"")
    put_member(forgery, 1, as_lines(data))


@lie("names two keys")
def one_object_with_two_keys(forgery: Forgery) -> None:
    forgery.manifest["collections"][1]["members"][0]["lastKey"] = "z/z"


@lie("manifest is not readable")
def manifest_that_is_no_json(forgery: Forgery) -> None:
    forgery.raw_manifest = b"{"


@lie("manifest is not readable")
def manifest_that_is_too_deep(forgery: Forgery) -> None:
    forgery.raw_manifest = b'{"x":' + b'{"y":' * 100_000


@lie("manifest is not readable")
def manifest_without_collections(forgery: Forgery) -> None:
    del forgery.manifest["collections"]


@lie("manifest .* outside the limit|does not end where the footer begins")
def manifest_somewhere_else(forgery: Forgery) -> None:
    forgery.keep.add("manifestOffset")
    forgery.footer["manifestOffset"] = 0


@lie("manifest of 18014398509481 bytes is outside the limit")
def manifest_without_bounds(forgery: Forgery) -> None:
    forgery.keep.add("manifestSize")
    forgery.footer["manifestSize"] = 18_014_398_509_481


@lie("manifest does not match its SHA-256")
def another_manifest(forgery: Forgery) -> None:
    forgery.keep.add("manifestSha256")
    forgery.manifest["toolVersion"] = "0.1.1"


@lie("no footer at its end")
def another_magic(forgery: Forgery) -> None:
    forgery.footer["magic"] = "ZENCTL-ARCHIVX"


@lie("format 0 does not exist")
def format_zero(forgery: Forgery) -> None:
    forgery.footer["formatVersion"] = forgery.manifest["formatVersion"] = 0


@lie("creation time is not a whole second in UTC")
def time_with_an_offset(forgery: Forgery) -> None:
    forgery.manifest["createdAt"] = forgery.footer["createdAt"] = "2026-11-23T04:00:00+02:00"


@lie("creation time is not a whole second in UTC")
def time_before_time(forgery: Forgery) -> None:
    forgery.manifest["createdAt"] = forgery.footer["createdAt"] = "0001-01-01T00:00:00+14:00"


@lie("footer is not readable")
def time_without_zone(forgery: Forgery) -> None:
    forgery.manifest["createdAt"] = forgery.footer["createdAt"] = "2026-11-23T04:00:00"


@lie("end of the file is not zero")
def something_behind_the_end(forgery: Forgery) -> None:
    forgery.tail = bytes(1023) + b"\1"


@lie("no footer at its end")
def one_end_block_too_many(forgery: Forgery) -> None:
    forgery.tail = bytes(1536)


@lie("no footer at its end")
def trailing_bytes(forgery: Forgery) -> None:
    forgery.tail = bytes(1024) + b"x" * 512


@lie("bytes are no whole archive")
def one_trailing_byte(forgery: Forgery) -> None:
    forgery.tail = bytes(1024) + b"x"


@lie("no footer at its end")
def two_archives_in_one(forgery: Forgery) -> None:
    forgery.tail = bytes(1024) + tar_member("footer.json", b" " * 2048) + bytes(1024)


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_refused_in_one_line(name):
    make, says = LIES[name]
    forgery = take_apart(SOUND)
    make(forgery)
    data = forgery.bytes()
    assert data != SOUND
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Damaged, match=says) as caught:
        read_all(stored(data))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 300 * 1024, "a bomb went off"
    message = caught.value.message
    assert message.startswith("archive a.tar: ")
    assert message.isprintable()
    assert len(message) < 300
    assert caught.value.hint
    result = verified(data)
    assert not result.sound
    assert result.problems[0].code in {"ZA101", "ZA102"}


def test_a_lie_about_all_content_is_found_by_verify():
    forgery = take_apart(SOUND)
    forgery.keep.add("contentSha256")
    forgery.footer["contentSha256"] = "0" * 64
    problems = verified(forgery.bytes()).problems
    assert [problem.what for problem in problems] == ["the bytes before the footer do not match their SHA-256"]


def test_keys_that_do_not_ascend_are_found_when_they_are_read():
    forgery = take_apart(SOUND)
    content = objects(5)
    put_member(forgery, 0, as_lines(content[place] for place in (0, 2, 1, 3, 4)))
    with pytest.raises(Damaged, match="do not ascend"):
        read_all(stored(forgery.bytes()))
    assert [p.what for p in verified(forgery.bytes(), Level.OBJECTS).problems] == [
        "keys do not ascend, as the manifest says"
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "not readable"),
        (b'{"metadata":{"namespace":"default"}}', "no name"),
        (b'{"metadata":{"name":7}}', "not readable"),
        (b'{"metadata":{"name":"\xff"}}', "not readable"),
        (b'{"a":' * 5000, "not readable"),
        (b"", "not readable"),
        (b'{"metadata":{"name":"../x","namespace":"default"}}', "impossible name"),
        (b'{"metadata":{"name":"..","namespace":"default"}}', "impossible name"),
        (b'{"metadata":{"name":"%2e%2e","namespace":"default"}}', "impossible name"),
        (b'{"metadata":{"name":"x","namespace":"a/b"}}', "impossible name"),
    ],
)
def test_an_object_that_cannot_be_read_is_named_and_the_others_are_not_lost(line, says):
    forgery = take_apart(SOUND)
    bodies = [bytes(item.body) for item in objects(5)]
    bodies[2] = line
    put_member(forgery, 0, b"".join(body + b"\n" for body in bodies))
    with pytest.raises(Damaged, match=says):
        read_all(stored(forgery.bytes()))
    result = verified(forgery.bytes(), Level.OBJECTS)
    assert [(p.code, p.where) for p in result.problems] == [
        ("ZA103", "Observation.zen.kube-zen.io/000001.ndjson.zst line 3")
    ]
    assert says in result.problems[0].what
    assert result.objects == 8


@pytest.mark.parametrize("version", [2, 99, 2**53 - 1])
def test_a_newer_format_is_refused_not_called_damaged(version):
    forgery = take_apart(SOUND)
    forgery.footer = {"magic": "ZENCTL-ARCHIVE", "formatVersion": version, "anything": ["else"]}
    store = stored(forgery.bytes())
    for read in (lambda: open_archive(store, "a.tar"), lambda: verify(store, "a.tar")):
        with pytest.raises(Refused, match=f"archive a.tar: written in format {version}") as caught:
            read()
        assert caught.value.hint == "use a newer zenctl"
    assert isinstance(list_archives(store)[0].footer, Refused)


def test_an_encrypted_archive_is_refused_but_listed():
    forgery = take_apart(SOUND)
    forgery.footer["encrypted"] = True
    store = stored(forgery.bytes())
    with pytest.raises(Refused, match=r"archive a\.tar is encrypted"):
        open_archive(store, "a.tar")
    listed = list_archives(store)[0].footer
    assert not isinstance(listed, Damaged | Refused)
    assert listed.encrypted


def test_unknown_json_fields_are_tolerated():
    forgery = take_apart(SOUND)
    forgery.manifest["new"] = first_member(forgery)["new"] = {"a": 1}
    forgery.footer["new"] = 1
    assert verified(forgery.bytes(), Level.OBJECTS).sound


# -- damage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(8))
def test_an_archive_cut_at_any_length_is_refused(part):
    for length in range(part, len(SOUND), 8):
        store = stored(SOUND[:length])
        with pytest.raises(Damaged):
            open_archive(store, "a.tar")
        assert isinstance(list_archives(store)[0].footer, Damaged)


def _flips_found(places: list[tuple[int, int]]) -> None:
    data = bytearray(SOUND)
    for place, bit in places:
        data[place] ^= 1 << bit
        try:
            result = verified(bytes(data))
        except Refused:
            pass
        else:
            assert not result.sound, f"bit {bit} of byte {place}"
        data[place] ^= 1 << bit


@pytest.mark.parametrize("part", range(4))
def test_a_flipped_bit_is_found_in_every_byte(part):
    chance = random.Random(SEED)
    flips = [(place, chance.randrange(8)) for place in range(len(SOUND))]
    _flips_found(flips[part::4])


@pytest.mark.torture
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_is_found(bit):
    _flips_found(part([(place, bit) for place in range(len(SOUND))]))


def test_a_flip_outside_the_data_is_found_by_structure_alone():
    manifest = json.loads(SOUND[-3072:-1024])["manifestOffset"]
    places = set(range(len(SOUND)))
    for told in (m for c in take_apart(SOUND).manifest["collections"] for m in c["members"]):
        places -= set(range(told["offset"] + 512, told["offset"] + 512 + told["storedSize"]))
    assert manifest in places
    data = bytearray(SOUND)
    for place in sorted(places)[::7]:
        data[place] ^= 4
        assert not verified(bytes(data), Level.STRUCTURE).sound, place
        data[place] ^= 4


MUTATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, len(SOUND) - 1), st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("cut"), st.integers(0, len(SOUND) - 1), st.integers(1, 1024)),
        st.tuples(st.just("insert"), st.integers(0, len(SOUND)), st.binary(max_size=1024)),
        st.tuples(st.just("zero"), st.integers(0, len(SOUND) - 1), st.integers(1, 2048)),
    ),
    min_size=1,
    max_size=4,
)


def _mutated(mutations: list[tuple[str, int, bytes | int]]) -> bytes:
    data = bytearray(SOUND)
    for _, place, value in mutations:
        if isinstance(value, bytes):
            data[place : place + len(value)] = value
        else:
            data[place : place + value] = bytes(value) if _ == "zero" else b""
    return bytes(data)


@given(MUTATIONS)
@settings(max_examples=300, deadline=None)
def test_no_mutation_raises_anything_else(mutations):
    data = _mutated(mutations)
    if data == SOUND:
        return
    try:
        assert not verified(data, Level.OBJECTS).sound
    except Refused:
        return
    with suppress(Damaged, Refused):
        read_all(stored(data))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


def _paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += _paths(item, (*path, key))
    return found


MANIFEST_PATHS = _paths(take_apart(SOUND).manifest)
FOOTER_PATHS = _paths(take_apart(SOUND).footer)


@given(
    st.one_of(
        st.tuples(st.just("manifest"), st.sampled_from(MANIFEST_PATHS), JSON),
        st.tuples(st.just("footer"), st.sampled_from(FOOTER_PATHS), JSON),
    )
)
@settings(max_examples=300, deadline=None)
def test_no_forged_value_raises_anything_else(change):
    where, path, value = change
    forgery = take_apart(SOUND)
    target = forgery.manifest if where == "manifest" else forgery.footer
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    forgery.keep.add(str(path[0]))
    try:
        data = forgery.bytes()
    except UnicodeEncodeError:
        return
    if len(data) % 512 == 0:
        with suppress(Damaged, Refused):
            read_all(stored(data))
            verified(data, Level.OBJECTS)


@given(st.binary(max_size=2 * TAIL_BYTES))
def test_noise_is_no_archive(noise):
    with pytest.raises(Damaged):
        open_archive(stored(noise), "a.tar")


def test_verify_goes_on_after_a_damaged_member():
    store = MemoryStore()
    write(store, "a.tar", [(OBSERVATION, objects(3500))])
    data = bytearray(store.blobs["a.tar"])
    archive = open_archive(store, "a.tar")
    for place in (0, 2):
        data[archive.manifest.collections[0].members[place].offset + 600] ^= 1
    result = verified(bytes(data))
    assert [problem.where for problem in result.problems] == [
        "Observation.zen.kube-zen.io/000001.ndjson.zst",
        "Observation.zen.kube-zen.io/000003.ndjson.zst",
        "a.tar",
    ]
    assert {problem.code for problem in result.problems} == {"ZA102"}
    assert (result.members, result.objects) == (4, 1500)

"""Encrypted archives: who can open them, what is proved without a key, what is refused, and real age beside ours."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path

import msgspec
import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrage import x25519

from tests.archive.fakes import CREATED, HEADING, OBSERVATION, MemoryStore, an_object, objects
from tests.archive.forge import footer_bytes, tar_member
from tests.debian import needs, program
from tests.torture import part
from zenctl.archive.age import Keys, Seal, keys_from, recipient_lines, seal_to
from zenctl.archive.format import Resource
from zenctl.archive.reader import Archive, list_archives, open_archive
from zenctl.archive.verify import How, Level, verify
from zenctl.archive.writer import ArchiveWriter
from zenctl.core.objects import CONFIG_MAP, KeyFields, Metadata, ObjectKey, RawObject
from zenctl.errors import Damaged, Refused, UsageError

ALICE, BOB, EVE = map(
    x25519.Identity.from_str,
    (
        "AGE-SECRET-KEY-1GFDZGF4NYU6C0XX6NRF2ZWMCMT2VGV2WDJK8KYEXY76RNQR8ZMGSE88XJP",
        "AGE-SECRET-KEY-16N0AFYKE87U79HPHQPXU5Q9NRZDCEDKXPTFMHXN0VK2SGUD0URQQW9D6MP",
        "AGE-SECRET-KEY-1RWUDTR2FRXTY2MKUMEC4XZRATFQXKHWRFHJEQ8DSV3UY3RY8K8DSRTZ5Z6",
    ),
)


def keys_of(*identities: x25519.Identity) -> Keys:
    return keys_from([("key.txt", f"# a comment\n\n{identity}\n".encode()) for identity in identities])


def seal_for(*identities: x25519.Identity) -> Seal:
    return seal_to([("--encrypt-to", str(identity.to_public())) for identity in identities])


SEAL = seal_for(ALICE, BOB)


def write(store: MemoryStore, name: str = "a.tar", count: int = 5, **writer: object) -> bytes:
    """Write an archive with two collections, encrypted to Alice and Bob."""
    with ArchiveWriter(store.put(name), HEADING, SEAL, **writer) as archive:  # type: ignore[arg-type]
        for resource, content in ((OBSERVATION, objects(count, secret="hunter2")), (CONFIG_MAP, objects(1))):
            archive.begin(resource)
            archive.add(content)
            archive.end(consistency="snapshot", resource_versions=("1",))
        archive.finish(complete=True)
    return store.blobs[name]


def lines(archive: Archive) -> list[bytes]:
    return [line for c in archive.manifest.collections for _, line in archive.objects(c)]


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    write(made)
    return made


@pytest.mark.parametrize("identity", [ALICE, BOB], ids=["alice", "bob"])
def test_each_recipient_can_open_it(store, identity):
    archive = open_archive(store, "a.tar", keys_of(identity))
    assert lines(archive) == [o.body for o in (*objects(5, secret="hunter2"), *objects(1))]
    assert archive.find(archive.manifest.collections[0], "default/obs-000003") is not None
    assert archive.footer.encrypted


def test_several_identities_are_tried(store):
    assert len(lines(open_archive(store, "a.tar", keys_of(EVE, BOB)))) == 6


def test_nobody_else_can(store):
    with pytest.raises(Refused, match=r"a\.tar was encrypted to other recipients: none of the given identities"):
        open_archive(store, "a.tar", keys_of(EVE))
    with pytest.raises(Refused, match=r"archive a\.tar is encrypted") as caught:
        open_archive(store, "a.tar")
    assert "--identity" in (caught.value.hint or "")


def test_nothing_of_it_is_in_clear_but_the_footer(store):
    data = store.blobs["a.tar"]
    assert b"hunter2" not in data
    assert b"obs-0000" not in data
    assert b'"collections"' not in data
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as opened:
        assert opened.getnames() == [
            "Observation.zen.kube-zen.io/000001.ndjson.zst.age",
            "ConfigMap.core/000001.ndjson.zst.age",
            "manifest.json.age",
            "footer.json",
        ]
    (listed,) = list_archives(store)
    assert listed.footer == open_archive(store, "a.tar", keys_of(ALICE)).footer


def test_keys_change_nothing_about_an_archive_in_clear():
    store = MemoryStore()
    with ArchiveWriter(store.put("a.tar"), HEADING) as writer:
        writer.begin(OBSERVATION)
        writer.add(objects(2))
        writer.end(consistency="snapshot", resource_versions=())
        writer.finish(complete=True)
    archive = open_archive(store, "a.tar", keys_of(EVE))
    assert archive.keys is None
    assert archive.manifest.self_check is None
    assert len(lines(archive)) == 2


@given(st.integers(0, 2500), st.sampled_from([None, keys_of(ALICE)]), st.sampled_from(Level))
@settings(max_examples=20, deadline=None)
def test_a_sound_one_verifies_with_and_without_keys(count, keys, level):
    store = MemoryStore()
    data = write(store, count=count)
    if keys is None and level is Level.OBJECTS:
        with pytest.raises(Refused, match="level 3 looks into its objects"):
            verify(store, "a.tar", How(level))
        return
    store.reads.clear()
    done: list[int] = []
    result = verify(store, "a.tar", How(level, keys=keys), advance=done.append)
    read_bytes = sum(read.length for read in store.reads)
    assert result.problems == ()
    assert result.members == sum(done) == len(list(open_archive(store, "a.tar", keys_of(ALICE)).members()))
    if level is Level.STRUCTURE:
        assert read_bytes - 512 <= result.bytes <= read_bytes, "the header of the manifest is read twice"
    else:
        assert result.bytes == len(data)


def damage_found(data: bytes, place: int, bit: int, level: Level, keys: Keys | None) -> bool:
    store = MemoryStore()
    flipped = bytearray(data)
    flipped[place] ^= 1 << bit
    store.blobs["a.tar"] = bytes(flipped)
    try:
        return not verify(store, "a.tar", How(level, keys=keys)).sound
    except Refused:
        return True  # the flipped bit made it another version, or a message to nobody


@pytest.mark.parametrize("bit", [0, 5])
def test_a_flipped_bit_is_found_without_a_key(bit):
    data = write(MemoryStore())
    missed = [n for n in range(bit, len(data), 7) if not damage_found(data, n, bit, Level.BYTES, None)]
    assert missed == []


@pytest.mark.torture
def test_every_flipped_bit_is_found_with_and_without_a_key():
    data = write(MemoryStore())
    places = part([(n, bit) for n in range(len(data)) for bit in range(8)])
    missed = [place for place in places if not damage_found(data, *place, Level.BYTES, None)]
    missed += [place for place in places if not damage_found(data, *place, Level.OBJECTS, keys_of(BOB))]
    assert missed == []


# -- lies ------------------------------------------------------------------------------------------------


class Sealed:
    """An encrypted archive taken apart, to be put together again with every digest right."""

    def __init__(self, data: bytes) -> None:
        self.footer = json.loads(data[-3072:-1024])
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as opened:
            self.parts = [(info.name, opened.extractfile(info).read()) for info in opened.getmembers()[:-1]]  # type: ignore[union-attr]
        self.raw: dict[int, bytes] = {}

    def store(self) -> MemoryStore:
        whole = [self.raw.get(n, tar_member(*each)) for n, each in enumerate(self.parts)]
        content = b"".join(whole)
        self.footer |= {
            "manifestOffset": len(content) - len(whole[-1]),
            "manifestSize": len(self.parts[-1][1]),
            "manifestSha256": hashlib.sha256(self.parts[-1][1]).hexdigest(),
            "contentSha256": hashlib.sha256(content).hexdigest(),
        }
        made = MemoryStore()
        made.blobs["a.tar"] = content + tar_member("footer.json", footer_bytes(self.footer)) + bytes(1024)
        return made


def unlisted_member(it: Sealed) -> None:
    it.parts.insert(1, ("Observation.zen.kube-zen.io/000002.ndjson.zst.age", SEAL.close(b"more")))


def folder_twice(it: Sealed) -> None:
    it.parts.insert(2, ("Observation.zen.kube-zen.io/000001.ndjson.zst.age", it.parts[0][1]))
    it.footer["members"] += 1


def number_left_out(it: Sealed) -> None:
    it.parts[0] = ("Observation.zen.kube-zen.io/000002.ndjson.zst.age", it.parts[0][1])


def traversal(it: Sealed) -> None:
    it.parts[0] = ("../000001.ndjson.zst.age", it.parts[0][1])


def in_clear(it: Sealed) -> None:
    it.parts[0] = ("Observation.zen.kube-zen.io/000001.ndjson.zst", it.parts[0][1])


def empty(it: Sealed) -> None:
    it.parts[0] = (it.parts[0][0], b"")


def link(it: Sealed) -> None:
    it.raw[0] = tar_member(*it.parts[0], kind=tarfile.SYMTYPE, link="/etc/passwd")


def other_time(it: Sealed) -> None:
    it.raw[0] = tar_member(*it.parts[0], time=1)


def padding(it: Sealed) -> None:
    while len(it.parts[0][1]) % 512 == 0:  # a message is of any size, and this one has no padding to lie in
        it.parts[0] = (it.parts[0][0], SEAL.close(b"another"))
    it.raw[0] = tar_member(*it.parts[0])[:-1] + b"x"


def other_folder(it: Sealed) -> None:
    it.footer["kinds"] = {"Observation.zen.kube-zen.io": 5, "Secret.core": 1}


def manifest_in_clear(it: Sealed) -> None:
    it.parts[-1] = ("manifest.json", it.parts[-1][1])


LIES = {
    unlisted_member: "there are 3 members, not the 2 of the footer",
    folder_twice: "folder 'Observation.zen.kube-zen.io' appears twice",
    number_left_out: "is not number 1 of its folder",
    traversal: "member '../000001.ndjson.zst.age' at 0 is not allowed",
    in_clear: "is not allowed",
    empty: "is not one that a writer makes",
    link: "is not one that a writer makes",
    other_time: "is not one that a writer makes",
    padding: "padding of Observation.zen.kube-zen.io/000001.ndjson.zst.age is not zero",
    other_folder: "the folders are not those of the footer",
    manifest_in_clear: "tar header of the manifest is not the one that the footer gives",
}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
@pytest.mark.parametrize("level", [Level.STRUCTURE, Level.BYTES])
def test_a_lie_is_found_without_a_key(store, lie, level):
    it = Sealed(store.blobs["a.tar"])
    assert verify(it.store(), "a.tar", How(level)).sound
    lie(it)
    (problem,) = verify(it.store(), "a.tar", How(level)).problems
    assert LIES[lie] in problem.what
    assert problem.what.isprintable()


def test_a_member_that_is_no_age_message_is_damage(store):
    """Whoever can write to the store, and even holds a recipient, is found out by the digests in the manifest."""
    it = Sealed(store.blobs["a.tar"])
    manifest = json.loads(pyrage.decrypt(it.parts[-1][1], [ALICE]))
    for stored, says in (
        (it.parts[0][1][:-1], "cannot be decrypted"),
        (SEAL.close(b"no zstd"), "cannot be decompressed"),
        (it.parts[1][1], "claims"),
    ):
        member = manifest["collections"][0]["members"][0]
        member |= {"storedSize": len(stored), "storedSha256": hashlib.sha256(stored).hexdigest()}
        manifest["collections"][1]["members"][0]["offset"] = 512 + len(stored) + -len(stored) % 512
        it.parts[0] = (it.parts[0][0], stored)
        it.parts[-1] = (it.parts[-1][0], SEAL.close(json.dumps(manifest).encode() + b"\n"))
        forged = it.store()
        with pytest.raises(Damaged, match=says):
            lines(open_archive(forged, "a.tar", keys_of(ALICE)))
        assert not verify(forged, "a.tar", How(keys=keys_of(ALICE))).sound


def test_a_manifest_that_cannot_be_decrypted_is_damage(store):
    it = Sealed(store.blobs["a.tar"])
    it.parts[-1] = (it.parts[-1][0], it.parts[-1][1][:-5])
    with pytest.raises(Damaged, match=r"archive a\.tar: manifest of a\.tar cannot be decrypted"):
        open_archive(it.store(), "a.tar", keys_of(ALICE))


@given(st.binary(max_size=400))
def test_any_bytes_in_the_place_of_a_message_are_an_error_of_ours(data):
    with pytest.raises((Damaged, Refused)):
        keys_of(ALICE).open(data, "it")


# -- what the writer judges before it encrypts ---------------------------------------------------------------


def no_sevens(resource: Resource, line: bytes) -> list[str]:
    name = msgspec.json.decode(line)["metadata"]["name"]
    return [f"{resource.kind} with a 7"] if name.endswith("7") else []


def test_the_writer_judges_every_object(store):
    write(store, "b.tar", count=1008, check=no_sevens)
    found = open_archive(store, "b.tar", keys_of(ALICE)).manifest.self_check
    assert found is not None
    assert (found.objects, found.problem_count, len(found.problems)) == (1009, 101, 20)
    assert found.problems[0] == "Observation.zen.kube-zen.io default/obs-000007: Observation with a 7"
    assert (
        verify(store, "b.tar", How(Level.OBJECTS, keys=keys_of(BOB), checks=lambda _: no_sevens)).problem_count == 101
    )


def test_an_object_that_is_none_is_said(store):
    broken = RawObject(
        ObjectKey("n", "a"), KeyFields(Metadata("a", "n")), b'{"metadata":{"name":"a","namespace":"n"},}'
    )
    good = an_object(ObjectKey("n", "b"))
    with ArchiveWriter(store.put("c.tar"), HEADING, SEAL) as writer:
        writer.begin(OBSERVATION)
        writer.add([good, broken, good])
        writer.end(consistency="snapshot", resource_versions=())
        written = writer.finish(complete=True)
    assert written.manifest.self_check is not None
    assert written.manifest.self_check.problem_count == 1


def test_a_restart_forgets_what_was_judged():
    store = MemoryStore()
    with ArchiveWriter(store.put("a.tar"), HEADING, SEAL, no_sevens) as writer:
        writer.begin(CONFIG_MAP)
        writer.add(objects(8))
        writer.end(consistency="snapshot", resource_versions=())
        writer.begin(OBSERVATION)
        writer.add(objects(1008))
        assert writer.restart()
        writer.add(objects(8))
        writer.end(consistency="restarted", resource_versions=(), restarts=1)
        written = writer.finish(complete=True)
    assert written.manifest.self_check is not None
    assert (written.manifest.self_check.objects, written.manifest.self_check.problem_count) == (16, 2)
    assert verify(store, "a.tar", How(Level.BYTES)).sound


# -- recipients and identities -----------------------------------------------------------------------------------

needs_ssh_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")


def ssh_key(path: Path, kind: str, passphrase: str = "") -> Path:
    bits = ["-b", "2048"] if kind == "rsa" else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *bits, "-N", passphrase, "-f", str(path)], check=True)
    return path


@needs_ssh_keygen
@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_ssh_keys_are_recipients_and_identities(tmp_path, kind):
    path = ssh_key(tmp_path / "key", kind)
    seal = seal_to(recipient_lines("keys.pub", (tmp_path / "key.pub").read_text()))
    assert keys_from([("key", path.read_bytes())]).open(seal.close(b"data"), "it") == b"data"


@needs_ssh_keygen
@pytest.mark.parametrize(
    ("kind", "passphrase", "says"), [("ed25519", "abc", "decrypted first"), ("ecdsa", "", "unsup")]
)
def test_an_ssh_key_that_cannot_be_used_is_said(tmp_path, kind, passphrase, says):
    path = ssh_key(tmp_path / "key", kind, passphrase)
    with pytest.raises(UsageError, match=f"identity key cannot be used: .*{says}"):
        keys_from([("key", path.read_bytes())])


def test_recipients_are_read_as_age_reads_them():
    text = f"# ours\n\n  {ALICE.to_public()}  \n{BOB.to_public()}\n{BOB.to_public()}\n"
    found = recipient_lines("r.txt", text)
    assert [where for where, _ in found] == ["r.txt line 3", "r.txt line 4", "r.txt line 5"]
    seal = seal_to(found)
    assert len(seal) == 2
    assert pyrage.decrypt(seal.close(b"x"), [BOB]) == b"x"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("age1nonsense", "'age1nonsense' is no recipient that can be used"),
        ("", "is no recipient"),
        ("age1pq1" + "q" * 100, "is no recipient"),
        ("ssh-ed25519 AAAA", "is no recipient"),
        (str(ALICE), "a secret key stands where a recipient belongs"),
        ("AGE-PLUGIN-X-1QQ", "a secret key stands where a recipient belongs"),
    ],
)
def test_a_recipient_that_is_none_is_said(text, says):
    with pytest.raises(UsageError, match=says) as caught:
        seal_to([("--encrypt-to", text)])
    assert "AGE-SECRET" not in caught.value.message + (caught.value.hint or "")


def test_no_recipient_and_too_many_are_refused():
    with pytest.raises(UsageError, match="0 recipients"):
        seal_to([])
    many = [("r", str(x25519.Identity.generate().to_public())) for _ in range(65)]
    with pytest.raises(UsageError, match="65 recipients"):
        seal_to(many)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no key"),
        (b"# nothing\n", "holds no key"),
        (f"{ALICE}\nAGE-SECRET-KEY-1HUNTER2\n".encode(), "identity key.txt line 2 cannot be used"),
        (b"AGE-PLUGIN-YUBIKEY-1QQ\n", "line 1 cannot be used"),
        (b"age-encryption.org/v1\n-> scrypt x 18\n", "is itself encrypted with a passphrase"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", "is itself encrypted with a passphrase"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nxx\n", "identity key.txt cannot be used"),
        (b"\xff\xfe\x00", "line 1 cannot be used"),
        (str(ALICE.to_public()).encode(), "line 1 cannot be used"),
    ],
)
def test_an_identity_that_is_none_is_said_without_a_word_of_it(content, says):
    with pytest.raises(UsageError, match=says) as caught:
        keys_from([("key.txt", content)])
    told = caught.value.message + (caught.value.hint or "")
    assert "HUNTER2" not in told
    assert str(ALICE) not in told


@given(st.binary(max_size=300))
def test_any_identity_file_is_read_or_refused(content):
    with suppress(UsageError):
        keys_from([("key", content)])


# -- the programs ------------------------------------------------------------------------------------------------


@needs("age", "zstd", "tar")
def test_tar_age_and_zstd_recover_it_by_hand(store, tmp_path):
    (tmp_path / "a.tar").write_bytes(store.blobs["a.tar"])
    (tmp_path / "key.txt").write_text(f"{BOB}\n")
    (tmp_path / "key.txt").chmod(0o600)
    subprocess.run(["tar", "-xf", "a.tar"], cwd=tmp_path, check=True)
    archive = open_archive(store, "a.tar", keys_of(ALICE))
    age = str(program("age"))
    for collection, member in archive.members():
        command = f"{age} -d -i key.txt '{member.name}' | zstd -dc"
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, capture_output=True)
        assert done.stdout.splitlines() == [line for _, line in archive.member_objects(collection, member)]
    manifest = subprocess.run(
        [age, "-d", "-i", "key.txt", "manifest.json.age"], cwd=tmp_path, check=True, capture_output=True
    )
    assert json.loads(manifest.stdout)["archiveId"] == HEADING.archive_id
    assert CREATED.strftime("%Y") in manifest.stdout.decode()


@needs("age", "age-keygen")
def test_keys_of_age_keygen_open_and_close(tmp_path):
    age, keygen = str(program("age")), str(program("age-keygen"))
    path = tmp_path / "key.txt"
    subprocess.run([keygen, "-o", str(path)], check=True, capture_output=True)
    recipient = subprocess.run([keygen, "-y", str(path)], check=True, capture_output=True, text=True).stdout
    keys = keys_from([(str(path), path.read_bytes())])
    sealed = subprocess.run([age, "-r", recipient.strip()], input=b"by age", check=True, capture_output=True).stdout
    assert keys.open(sealed, "it") == b"by age"
    ours = seal_to(recipient_lines("r", recipient)).close(b"by us")
    done = subprocess.run([age, "-d", "-i", str(path)], input=ours, check=True, capture_output=True)
    assert done.stdout == b"by us"

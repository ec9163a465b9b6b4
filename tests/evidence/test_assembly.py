"""From a journal to a bundle."""

import hashlib
import json
import resource
import shutil
import tracemalloc
from contextlib import contextmanager

import pytest
from evidence_samples import CLEAN, FINISHED, INTERCEPTED, certificate, handshake, header, measurement
from journal_samples import (
    KEY,
    SEED,
    add,
    bundle,
    chain_of,
    check_schemas,
    fill,
    issue,
    killed,
    members,
    octets_of,
    plan,
    proof_of,
    proven,
    rubbish,
    verified,
)

from kzmitm.evidence import layout
from kzmitm.evidence.assembly import assemble, readme
from kzmitm.evidence.bundle_reader import read_bundle
from kzmitm.evidence.journal import JournalWriter, Signing, read_journal
from kzmitm.evidence.medium import Folder
from kzmitm.evidence.recovery import write_bundle
from kzmitm.evidence.signing.keys import new_key
from kzmitm.evidence.verification.verify import SignerStatus
from kzmitm.model.verdict import Outcome, Scope, Verdict

CERTS = "data/public/certs/"


@pytest.fixture
def writer(tmp_path):
    with JournalWriter.begin(tmp_path, plan()) as writer:
        yield writer


def assembled(writer):
    return assemble(read_journal(writer.medium), KEY)


def write(writer):
    return write_bundle(read_journal(writer.medium), writer.medium.path, KEY)


def test_a_bundle_holds_all_of_the_scan(tmp_path):
    path = bundle(tmp_path)
    files = members(path)
    names = {hashlib.sha256(der).hexdigest() for der in chain_of("www0.example.test")[1:]}
    assert {name for name in files if name.startswith("data/")} == {
        "data/public/scan.json",
        "data/public/readme.txt",
        "data/partner/scan.json",
        "data/partner/measurements.jsonl",
        "data/full/environment.json",
        *(f"{CERTS}{name}.der" for name in names),
    }
    public, partner = check_schemas(files)
    assert len(public["targets"]) == len(partner["targets"]) == 3
    assert partner["summary"]["clean"] == public["summary"]["clean"] == 3
    assert files["data/public/readme.txt"] == readme()
    assert rubbish(tmp_path) == []
    found = verified(path)
    assert found.is_unaltered
    assert (found.level, found.proof.others_proven) == (layout.Level.FULL, 3)
    assert path.name == f"bundle-{found.bundle_id[:16]}.zip"
    with read_bundle(path) as read:
        assert list(read.measurements()) == [proven(i) for i in range(3)]


def test_what_the_partner_level_says(tmp_path):
    path = bundle(tmp_path, target="mine.zip", header=header(timeout_s=2.5, targets=3))
    _, partner = check_schemas(members(path))
    assert path.name == "mine.zip"
    assert partner["bundle"] is None
    assert (partner["started_at"], partner["finished_at"]) == (
        "2026-01-02T03:04:05.000678Z",
        "2026-01-02T03:05:05.000678Z",
    )
    assert partner["week"] == "2026-W01"
    assert partner["options"] == {"timeout_s": "2.5", "targets": 3}
    row = partner["targets"][0]
    assert (row["address"], row["explanation"], len(row["chain"])) == ("192.0.2.7", "Nothing found.", 3)


def test_the_same_journal_gives_the_same_octets_for_ever(writer):
    fill(writer)
    writer.capture(b"packets")
    first = octets_of(writer.medium.path)
    assert octets_of(writer.medium.path) == first
    path = write(writer)
    assert (path.name, path.read_bytes()) == first


def test_two_scans_of_the_same_give_two_bundles(tmp_path):
    one, other = members(bundle(tmp_path / "a")), members(bundle(tmp_path / "b"))
    assert {name for name, octets in one.items() if other[name] != octets} == {
        "data/partner/scan.json",
        "data/partner/measurements.jsonl",
        "data/full/environment.json",
        "manifest-sha256.txt",
        "tagmanifest-sha256.txt",
        "tagmanifest-sha256.txt.sig",
    }


def test_every_withheld_file_is_salted_with_what_no_other_holds(writer):
    fill(writer)
    journal = read_journal(writer.medium)
    files = members(write(writer))
    salts = {
        "data/partner/scan.json": journal.salt("scan"),
        "data/partner/measurements.jsonl": journal.salt("measurements"),
        "data/full/environment.json": journal.salt("environment"),
    }
    for name, octets in files.items():
        for path, salt in salts.items():
            assert (salt.encode() in octets) == (name == path)


def test_a_scan_of_nothing(writer):
    writer.finish(finished_at=FINISHED)
    path = write(writer)
    public, partner = check_schemas(members(path))
    assert public["targets"] == partner["targets"] == []
    assert verified(path).is_unaltered


def test_targets_that_failed_and_chains_of_rubbish(writer):
    add(writer, measurement(0, tls=[]), Verdict(outcome=Outcome.UNREACHABLE, confidence=None))
    broken = measurement(1, tls=[handshake("a", [b"", b"rubbish", b"rubbish"], chain_truncated=True)])
    add(writer, broken, Verdict(outcome=Outcome.INCONCLUSIVE, confidence=None))
    add(writer, broken, Verdict(outcome=Outcome.INTERCEPTION, confidence=None, scope=Scope.STATE))
    writer.finish(finished_at=FINISHED)
    path = write(writer)
    assert not any(name.startswith(CERTS) for name in check_and_members(path))
    assert verified(path).is_unaltered


def check_and_members(path):
    files = members(path)
    check_schemas(files)
    return files


def test_a_scan_that_was_stopped_says_so(tmp_path):
    path = bundle(tmp_path, complete=False)
    for document in check_schemas(members(path)):
        assert document["complete"] is False
    assert verified(path).is_unaltered


def test_a_killed_scan_has_no_end(tmp_path):
    journal = killed(tmp_path)
    path = write_bundle(read_journal(Folder(journal)), journal, KEY)
    public, partner = check_schemas(members(path))
    assert (partner["finished_at"], partner["complete"], public["complete"]) == (None, False, False)
    assert verified(path).is_unaltered
    with read_bundle(path) as found:
        assert (found.complete, found.running) == (False, False)


def test_torn_ends_are_left_out(tmp_path):
    journal = killed(tmp_path)
    for name, torn in (
        ("measurements.jsonl", b'{"annotations":{"sal'),
        ("verdicts.spool", b"+ 0123 clean {"),
    ):
        with (journal / name).open("ab") as file:
            file.write(torn)
    path = write_bundle(read_journal(Folder(journal)), journal, KEY)
    check_schemas(members(path))
    assert verified(path).is_unaltered
    with read_bundle(path) as found:
        assert len(list(found.measurements())) == len(list(found.rows())) == 3


def test_a_measurement_whose_verdict_was_never_written_is_kept(tmp_path):
    journal = killed(tmp_path)
    rows = (journal / "verdicts.spool").read_bytes().splitlines(keepends=True)
    (journal / "verdicts.spool").write_bytes(b"".join(rows[:2]))
    path = write_bundle(read_journal(Folder(journal)), journal, KEY)
    assert verified(path).is_unaltered
    with read_bundle(path) as found:
        assert len(list(found.measurements())) == 3
        assert len(list(found.rows())) == found.document["summary"]["clean"] == 2


@pytest.mark.parametrize("lines", [0, 1, 2])
def test_a_verdict_whose_measurement_a_loss_of_power_took_is_left_out(tmp_path, lines):
    """Both logs are flushed one after the other, so either may be behind."""
    journal = killed(tmp_path)
    measured = (journal / "measurements.jsonl").read_bytes().splitlines(keepends=True)
    (journal / "measurements.jsonl").write_bytes(b"".join(measured[:lines]) + measured[lines][:99])
    path = write_bundle(read_journal(Folder(journal)), journal, KEY)
    assert verified(path).is_unaltered
    public, partner = check_schemas(members(path))
    assert len(partner["targets"]) == len(public["targets"]) == partner["summary"]["clean"] == lines


def test_an_authority_that_a_loss_of_power_tore_is_left_out(tmp_path):
    journal = killed(tmp_path)
    torn, whole = sorted((journal / "certs").iterdir())
    torn.write_bytes(torn.read_bytes()[:50])
    path = write_bundle(read_journal(Folder(journal)), journal, KEY)
    assert [name for name in members(path) if name.startswith(CERTS)] == [f"{CERTS}{whole.name}"]
    assert verified(path).is_unaltered
    journal = killed(tmp_path / "again")
    shutil.rmtree(journal / "certs")
    path = write_bundle(read_journal(Folder(journal)), journal, KEY)
    assert not any(name.startswith(CERTS) for name in members(path))


def test_more_authorities_than_a_bundle_holds(writer, monkeypatch):
    monkeypatch.setattr(layout, "MAX_CERTIFICATES", 3)
    for number in range(4):
        add(writer, proven(number, authority=f"CA {number}"))
    writer.finish(finished_at=FINISHED)
    path = write(writer)
    assert sum(name.startswith(CERTS) for name in members(path)) == 3
    assert verified(path).is_unaltered


class TestAuthorities:
    """Whose certificates are published: docs/adr/0020-bundles-as-signed-bags.md."""

    def published(self, writer, chain, verdict):
        name = "www0.example.test"
        shown = handshake(name, chain, version="TLSv1.3", proof=proof_of(name))
        add(writer, measurement(0, tls=[shown]), verdict)
        writer.finish(finished_at=FINISHED)
        files = check_and_members(write(writer))
        public = json.loads(files["data/public/scan.json"])["targets"][0]["chain"]
        found = {name.removeprefix(CERTS).removesuffix(".der") for name in files if name.startswith(CERTS)}
        assert found == {each["sha256"] for each in public}
        leaf = hashlib.sha256(chain[0]).hexdigest()
        assert leaf not in found
        assert all(leaf.encode() not in octets for path, octets in files.items() if "/partner/" not in path)
        return [each["subject"] for each in public]

    ABOVE = ("CN=Sample CA 1", "CN=Sample CA")

    @pytest.mark.parametrize("outcome", Outcome)
    @pytest.mark.parametrize("scope", [*Scope, None])
    def test_of_the_public_or_of_a_state_or_operator(self, writer, outcome, scope):
        verdict = Verdict(outcome=outcome, scope=scope, confidence=None)
        public = outcome is Outcome.CLEAN or (
            outcome is Outcome.INTERCEPTION and scope in (Scope.STATE, Scope.ISP)
        )
        found = self.published(writer, chain_of("www0.example.test"), verdict)
        assert found == list(self.ABOVE if public else ())

    @pytest.mark.parametrize(
        ("verdict", "shown"), [(CLEAN, ()), (INTERCEPTED, ABOVE)], ids=["clean", "interception"]
    )
    def test_roots_of_the_user_may_be_those_of_a_company(self, tmp_path, verdict, shown):
        store = {"name": "custom", "version": "v", "date": "d", "sha256": "f" * 64}
        custom = header()
        object.__setattr__(custom, "store", type("Store", (), store)())
        with JournalWriter.begin(tmp_path, plan(header=custom)) as writer:
            assert self.published(writer, chain_of("www0.example.test"), verdict) == list(shown)

    def test_a_leaf_that_is_sent_twice_is_no_authority(self, writer):
        leaf, inner, root = chain_of("www0.example.test")
        assert self.published(writer, [leaf, leaf, inner, leaf, root], INTERCEPTED) == list(self.ABOVE)

    def test_another_leaf_of_the_same_name_neither(self, writer):
        """As interceptors mint them anew for each handshake."""
        leaf, inner, root = chain_of("www0.example.test")
        other = issue("www0.example.test", "Sample CA 1", serial=77)
        assert self.published(writer, [leaf, other, inner, root], INTERCEPTED) == list(self.ABOVE)

    def test_nor_is_a_stray(self, writer):
        leaf, inner, root = chain_of("www0.example.test")
        stray = issue("minted for connection 81234", "Somebody", is_ca=True)
        assert self.published(writer, [leaf, stray, inner, root, b"rubbish"], CLEAN) == list(self.ABOVE)

    def test_the_order_in_which_they_were_sent_is_no_matter(self, writer):
        leaf, inner, root = chain_of("www0.example.test")
        assert self.published(writer, [leaf, root, inner], CLEAN) == list(reversed(self.ABOVE))

    def test_a_leaf_that_signed_itself_has_none(self, writer):
        own = issue("www0.example.test", "www0.example.test")
        verdict = Verdict(outcome=Outcome.INTERCEPTION, scope=Scope.STATE, confidence=None)
        assert self.published(writer, [own, own, chain_of("x")[1]], verdict) == []


class TestKeys:
    def test_the_seed_of_a_one_time_key_is_nowhere_afterwards(self, tmp_path):
        key = new_key()
        seed = key.private.private_bytes_raw()
        with JournalWriter.begin(tmp_path, plan(signing=Signing(seed=seed))) as writer:
            fill(writer)
            journal = read_journal(writer.medium)
            assert journal.signing.seed == seed
            path = write_bundle(journal, writer.medium.path, key)
        assert [each.name for each in tmp_path.iterdir()] == [path.name]
        octets = path.read_bytes()
        assert seed not in octets
        assert seed.hex().encode() not in octets
        assert verified(path).signer.key == key.public

    def test_a_campaign_is_not_named(self, tmp_path):
        path = bundle(tmp_path, signing=Signing(campaign="my-very-own-campaign"))
        assert b"my-very-own-campaign" not in path.read_bytes()

    def test_the_signer(self, tmp_path):
        path = bundle(tmp_path)
        signer = verified(path, own={"c": KEY.public}).signer
        assert (signer.status, signer.known_as, signer.name) == (SignerStatus.OWN, "c", KEY.name)
        assert verified(path, expected=new_key().public.fingerprint).signer.status is SignerStatus.CHANGED
        assert SEED.hex().encode() not in path.read_bytes()


@contextmanager
def room_for(octets):
    """No file may grow further, as on a full disk; the kernel itself says so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_in_the_middle_leaves_the_journal_whole(tmp_path):
    journal = killed(tmp_path)
    name, octets = octets_of(journal)
    files = {path.name: path.stat().st_size for path in journal.iterdir() if path.suffix == ".json"}
    for path in ("public.json", "partner.json"):
        (journal / path).unlink()
    for size in (0, 100, *(files[path] - 1 for path in ("public.json", "partner.json")), len(octets) - 1):
        with room_for(size), pytest.raises(OSError, match="File too large"):
            write_bundle(read_journal(Folder(journal)), journal, KEY)
        assert sorted(each.name for each in tmp_path.iterdir()) == [journal.name]
        assert not list(tmp_path.rglob(".part-*"))
        assert octets_of(journal) == (name, octets)
    with room_for(len(octets)):
        path = write_bundle(read_journal(Folder(journal)), journal, KEY)
    assert (path.name, path.read_bytes()) == (name, octets)
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.untraced
def test_memory_does_not_grow_with_the_scan(tmp_path):
    """3,000 targets, whose bundle has some ten megabytes."""
    row = certificate(b"ca")
    peaks = []
    for count in (300, 3000):
        tracemalloc.start()
        with JournalWriter.begin(tmp_path / str(count), plan()) as writer:
            for number in range(count):
                writer.add(measurement(number), CLEAN, failures=[None], certificates=[row, row])
            for number in range(0, count, 100):
                writer.amend(measurement(number), INTERCEPTED, certificates=[row])
            writer.finish(finished_at=FINISHED)
            path = write(writer)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert path.stat().st_size > 10_000_000
    assert peaks[1] < 6_000_000
    assert peaks[1] < peaks[0] + 1_000_000

"""Bundles of every version that ever was: they verify and can be read for ever.

`KZMITM_GOLDEN=write` writes that of the present version if there is none yet. None is ever written anew.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from evidence_samples import CLEAN, FINISHED, INTERCEPTED, header, measurement
from journal_samples import KEY, add, chain_of, check_schemas, key_from_seed, members, plan, proven, verified

from kzmitm.evidence import bag, layout
from kzmitm.evidence.attachments import attach
from kzmitm.evidence.bundle_reader import read_bundle
from kzmitm.evidence.container import open_container
from kzmitm.evidence.journal import JournalWriter, read_journal
from kzmitm.evidence.layout import Level
from kzmitm.evidence.recovery import write_bundle
from kzmitm.evidence.sharing import shared_files, write_shared
from kzmitm.evidence.signing.known_signers import read_known_signers, remember
from kzmitm.evidence.signing.sshsig import sign
from kzmitm.evidence.verification.verify import SignerStatus
from kzmitm.model.codec import to_json
from kzmitm.model.target import Vantage
from kzmitm.model.verdict import Cause, Confidence, Outcome, RuledOut, Scope, Verdict

sys.path.insert(0, str(Path(__file__).parents[1] / "ooni"))

from test_oonidata_reads import READER, oonidata_python

GOLDEN = Path(__file__).parents[1] / "golden" / "bundles"
PRESENT = GOLDEN / f"bundle-{bag.FORMAT}"
VERSIONS = sorted(path.name for path in GOLDEN.glob("bundle-*"))
PARTNER_KEY = key_from_seed(b"partner of the golden bundles 00")
EXPECTED = "expected.json"
KNOWN = "known_signers"


def targets():
    """What the golden scan measured."""
    vantage = Vantage(asn="AS64500", cc="KZ")
    yield replace(proven(0), vantage=vantage), CLEAN
    seen = RuledOut(Cause.LOCAL_ROOT, "local_root.not_found", "12 stores")
    forged = proven(1, authority="Look-alike State CA")
    yield replace(forged, vantage=vantage, clock_offset_s=0.5), replace(INTERCEPTED, ruled_out=(seen,))
    local = Verdict(outcome=Outcome.INTERCEPTION, scope=Scope.LOCAL, confidence=Confidence.LIKELY)
    yield replace(proven(2, authority="Antivirus"), vantage=vantage), local
    dead = measurement(3, tls=[])
    refused = replace(dead.tcp[0], failure="connection_refused")
    verdict = Verdict(outcome=Outcome.UNREACHABLE, confidence=None, certificate_failure=None)
    yield replace(dead, vantage=vantage, tcp=(refused,)), verdict


def make(folder, monkeypatch):
    """The three archives and what must be found in them, for ever the same."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "urandom", lambda size: bytes(range(size)))
        with JournalWriter.begin(
            folder, plan(header=header(lists=["default"], timeout_s=1.5), target="full.zip")
        ) as writer:
            for number, (m, verdict) in enumerate(targets()):
                add(writer, m, verdict, explanation=f"Sentence {number}. Қазақша, по-русски.")
            writer.capture(b"stands for a capture " + writer.capture_salt)
            writer.finish(finished_at=FINISHED)
            full = write_bundle(read_journal(writer.medium), writer.medium.path, KEY)
    signed = members(full)[layout.TAG_MANIFEST]
    attach(full, "attest-partner.sig", sign(signed, PARTNER_KEY.private, layout.COUNTERSIGN_NAMESPACE))
    with open_container(full) as container:
        for level in (Level.PARTNER, Level.PUBLIC):
            write_shared(container, shared_files(container, level, timestamps=True), folder / f"{level}.zip")
    remember(folder / KNOWN, ["golden", KEY.name], KEY.public, layout.NAMESPACE)
    remember(folder / KNOWN, ["partner"], PARTNER_KEY.public, layout.COUNTERSIGN_NAMESPACE)
    with read_bundle(full) as found:
        expected = {
            "bundle_id": verified(full).bundle_id,
            "fingerprint": KEY.public.fingerprint,
            "countersigner": PARTNER_KEY.public.fingerprint,
            "rows": list(found.rows()),
            "verdicts": [to_json(verdict) for _, verdict in found.verdicts()],
            "measurements": [to_json(m) for m in found.measurements()],
        }
    text = json.dumps(expected, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    (folder / EXPECTED).write_text(text, encoding="utf-8")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_there_is_a_golden_bundle_of_the_present_version(tmp_path, monkeypatch):
    made = make(tmp_path / "made", monkeypatch)
    assert make(tmp_path / "again", monkeypatch) == made
    if os.environ.get("KZMITM_GOLDEN") == "write" and not PRESENT.exists():
        PRESENT.mkdir(parents=True)
        for name, octets in made.items():
            (PRESENT / name).write_bytes(octets)
    assert {path.name for path in PRESENT.iterdir()} == set(made)


@pytest.fixture(params=VERSIONS)
def golden(request):
    return GOLDEN / request.param


@pytest.fixture
def expected(golden):
    return json.loads((golden / EXPECTED).read_text(encoding="utf-8"))


@pytest.mark.parametrize("level", Level)
def test_a_golden_bundle_verifies_for_ever(golden, expected, level):
    found = verified(golden / f"{level}.zip", known=read_known_signers(golden / KNOWN))
    assert found.problems == ()
    assert (found.bundle_id, found.level, found.is_repacked) == (expected["bundle_id"], level, False)
    assert found.signer.key.fingerprint == expected["fingerprint"]
    assert (found.signer.status, found.signer.known_as) == (SignerStatus.KNOWN, "golden")
    (partner,) = found.attestations.countersignatures
    assert (partner.key.fingerprint, partner.known_as) == (expected["countersigner"], "partner")
    assert bool(found.withheld) == (level is not Level.FULL)
    proof = found.proof
    assert proof.withheld == (level is Level.PUBLIC)
    if not proof.withheld:
        told = (proof.intercepted, proof.intercepted_proven, proof.others, proof.others_proven, proof.invalid)
        assert told == (2, 2, 1, 1, 0)
    assert verified(golden / f"{level}.zip", expected=expected["fingerprint"]).is_unaltered


@pytest.mark.parametrize("level", Level)
def test_a_golden_bundle_can_be_read_for_ever(golden, expected, level):
    with read_bundle(golden / f"{level}.zip") as found:
        rows = list(found.rows())
        verdicts = [verdict for _, verdict in found.verdicts()]
        measured = [to_json(m) for m in found.measurements()]
        assert (found.level, found.complete, found.running) == (level, True, False)
    told = [to_json(replace(verdict, ruled_out=())) for verdict in verdicts]
    assert told == [each | {"ruled_out": []} for each in expected["verdicts"]]
    if level is Level.PUBLIC:
        assert measured == []
        assert [len(row["chain"]) for row in rows] == [2, 2, 0, 0]
        kept = ("target", "hostname", "outcome", "rule_ids", "labels", "authority", "forgers")
        assert [[row[key] for key in kept] for row in rows] == [
            [row[key] for key in kept] for row in expected["rows"]
        ]
    else:
        for each in measured:
            assert each["vantage"].pop("dns") is None  # first told by kzmitm after these were written
            assert each.pop("trace") == []  # so is this
        assert measured == expected["measurements"]
        assert rows == expected["rows"]
        assert [to_json(verdict) for verdict in verdicts] == expected["verdicts"]


@pytest.mark.parametrize("level", Level)
def test_the_documents_of_a_golden_bundle_fit_their_schemas(golden, level):
    shown = check_schemas(members(golden / f"{level}.zip"))
    assert [document["level"] for document in shown] == (
        ["public"] if level is Level.PUBLIC else ["public", "partner"]
    )


def test_reducing_a_golden_bundle_gives_the_golden_ones(golden, tmp_path):
    with open_container(golden / "full.zip") as container:
        for level in (Level.PARTNER, Level.PUBLIC):
            out = tmp_path / f"{level}.zip"
            write_shared(container, shared_files(container, level, timestamps=True), out)
            assert out.read_bytes() == (golden / out.name).read_bytes()


def test_what_the_levels_of_a_golden_bundle_hold(golden):
    files = {level: members(golden / f"{level}.zip") for level in Level}
    assert files[Level.PUBLIC].items() < files[Level.PARTNER].items() < files[Level.FULL].items()
    published = set(files[Level.PUBLIC].values())
    for authority, is_shown in (("Sample CA", True), ("Look-alike State CA", True), ("Antivirus", False)):
        leaf, inner, root = chain_of("www0.example.test", authority)
        assert (inner in published, root in published, leaf in published) == (is_shown, is_shown, False)


def test_oonis_own_reader_understands_a_golden_bundle(golden):
    lines = members(golden / "partner.zip")[layout.MEASUREMENTS.path]
    done = subprocess.run(
        [oonidata_python(), str(READER)], input=lines, capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["class"], each["input"], len(each["tls"])) for each in seen] == [
        ("UrlGetter", f"tlshandshake://www{i}.example.test:443", int(i < 3)) for i in range(4)
    ]
    assert [each["leaf_subjects"] for each in seen] == [[f"www{i}.example.test"] for i in range(3)] + [[]]
    assert seen[3]["tcp"] == [["192.0.2.7", 443, False, "connection_refused"]]
    assert {each["probe_ip"] for each in seen} == {"127.0.0.1"}

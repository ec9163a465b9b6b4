"""Scans of loopback servers on computers that do, and do not, trust the forger's root."""

import hashlib
import json
import shutil
import subprocess
from datetime import timedelta

import pytest
from cli_bundles import scan_of
from cryptography.hazmat.primitives.serialization import Encoding
from jsonschema import Draft202012Validator

from kzmitm.cli import clock, scan_setup
from kzmitm.cli.sources import baseline_of, registry_of
from kzmitm.evidence.bundle_reader import read_bundle
from kzmitm.evidence.schema import schema_text
from kzmitm.roots.local import LocalRoots
from kzmitm.roots.system import System
from kzmitm.roots.values import Platform

SCHEMA = Draft202012Validator(json.loads(schema_text("scan")))
CERTUTIL = shutil.which("certutil")
HOME = "/home/aigerim"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
ANCHOR = "/usr/local/share/ca-certificates/proxy.crt"


class Computer:
    """A system below a folder, with a vendor's store."""

    def __init__(self, folder, vendor):
        self.folder, self.environ, self.platform = folder, {}, Platform.LINUX
        self.put(BUNDLE, vendor)

    def put(self, path, pem):
        file = self.folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pem)
        return path

    def system(self):
        return System(self.folder, platform=self.platform, environ=self.environ, home=HOME)


@pytest.fixture
def computer(tmp_path, monkeypatch, genuine):
    made = Computer(tmp_path / "computer", genuine.pem.read_bytes())
    monkeypatch.setattr(scan_setup, "this_system", made.system)
    return made


@pytest.fixture
def scan(kzmitm, computer, genuine, serve, forger, tmp_path):
    """A scan of `video.test`, which the forger answers: its row, and the bundle."""

    def run(*words: object, hostname="video.test"):
        port = serve(forger.site("video.test"))
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}.zip"
        ended = kzmitm(
            "scan", "--i-understand", "--store", genuine.pem, "--doh", "none", "--json", "--out", out,
            "--connect-to", f"{hostname}:443:127.0.0.1:{port}", hostname, *words,
        )  # fmt: skip
        SCHEMA.validate(ended.json)
        return ended.json["targets"][0], out

    return run


def reason(row, cause="local_root"):
    return next((each["evidence"] for each in row["ruled_out"] if each["cause"] == cause), None)


def check_again(kzmitm, row, out, genuine, *words: object):
    """`judge` gives the same verdict from the bundle, whatever this computer trusts by now."""
    again = kzmitm("judge", out, "--store", genuine.pem, "--json", *words).json["targets"][0]
    del again["before"]
    assert again == row
    assert scan_of(out)["targets"][0] == row


def test_no_root_here_vouches(scan, kzmitm, genuine):
    row, out = scan()
    assert row["outcome"] == "inconclusive"
    assert row["local_trust"] == {
        "accepted": False,
        "root_sha256": "",
        "root_class": "",
        "origins": [],
        "applications": [],
        "stores_read": 1,
    }
    assert reason(row) == "no_local_root"
    assert "local_roots" not in row["undecided"]
    assert "no program would have accepted it without a warning (1 trust store was" in row["explanation"]
    check_again(kzmitm, row, out, genuine)


def test_an_administrators_root_is_told(scan, computer, forger, kzmitm, genuine):
    computer.put(ANCHOR, forger.pem.read_bytes())
    row, out = scan()
    trust = row["local_trust"]
    assert (trust["accepted"], trust["root_class"]) == (True, "unknown_local")
    assert trust["root_sha256"] == hashlib.sha256(forger.certificate.public_bytes(Encoding.DER)).hexdigest()
    assert trust["applications"] == ["this system (Debian, Ubuntu)"]
    assert "admin" in trust["origins"]
    assert row["rule_ids"][0] in {"fallback.untrusted_chain", "local_root.unknown_over_one_site"}
    assert reason(row) is None
    assert "accepted locally: this system (Debian, Ubuntu) would have accepted it" in row["explanation"]
    check_again(kzmitm, row, out, genuine)


@pytest.fixture
def control(kzmitm, genuine, serve, tmp_path):
    """What a clean place sees of `video.test`."""
    control = tmp_path / "control.json"
    port = serve(genuine.site("video.test"))
    away = kzmitm(
        "scan", "--i-understand", "--store", genuine.pem, "--doh", "none", "--no-save", "video.test",
        "--connect-to", f"video.test:443:127.0.0.1:{port}", "--record-control", control,
    )  # fmt: skip
    assert away.code == 0
    return control


def test_a_companys_proxy_before_a_public_site(scan, control, computer, forger, kzmitm, genuine):
    computer.put(ANCHOR, forger.pem.read_bytes())
    row, out = scan("--control", control)
    assert (row["outcome"], row["confidence"], row["scope"]) == ("interception", "likely", "middlebox")
    assert "local_root.unknown_over_others_site" in row["rule_ids"]
    check_again(kzmitm, row, out, genuine, "--control", control)


def test_an_antivirus_known_by_its_root_alone(scan, computer, forger, kzmitm, genuine):
    computer.put(ANCHOR, forger.pem.read_bytes())
    overlay = forger.overlay("antivirus")
    row, out = scan("--fingerprints", overlay)
    assert (row["outcome"], row["confidence"], row["scope"]) == ("interception", "confirmed", "local")
    assert row["local_trust"]["root_class"] == "product"
    check_again(kzmitm, row, out, genuine, "--fingerprints", overlay)


def test_a_states_root_that_is_trusted_here(scan, computer, forger, kzmitm, genuine):
    computer.environ["SSL_CERT_FILE"] = computer.put("/opt/roots.pem", forger.pem.read_bytes())
    overlay = forger.overlay()
    row, out = scan("--fingerprints", overlay)
    assert (row["outcome"], row["confidence"], row["scope"]) == ("interception", "confirmed", "state")
    assert row["local_trust"]["root_class"] == "state_interception"
    assert row["local_trust"]["origins"] == ["environment"]
    assert "accepted locally: " in row["explanation"]
    assert reason(row) == "known_key_signed"
    check_again(kzmitm, row, out, genuine, "--fingerprints", overlay)


@pytest.mark.skipif(CERTUTIL is None, reason="certutil (libnss3-tools) is not installed")
def test_a_root_in_firefox(scan, computer, forger):
    folder = computer.folder / HOME.lstrip("/") / ".mozilla/firefox/a.default"
    folder.mkdir(parents=True)
    at = ["-d", f"sql:{folder}"]
    subprocess.run([CERTUTIL, "-N", *at, "--empty-password"], check=True, timeout=30)
    add = [CERTUTIL, "-A", *at, "-n", "odd", "-t", "C,,", "-i", str(forger.pem)]
    subprocess.run(add, check=True, timeout=30)
    row, _ = scan()
    assert row["local_trust"]["accepted"] is True
    assert row["local_trust"]["applications"] == ["Firefox"]
    assert row["local_trust"]["origins"] == ["user"]


def test_the_computer_that_it_runs_on(process, forger, genuine, serve, tmp_path):
    port = serve(forger.site("video.test"))
    words = ("--i-understand", "--no-save", "--store", genuine.pem, "--doh", "none", "--json")
    code, out, _ = process(
        "scan", "video.test", *words, "--connect-to", f"video.test:443:127.0.0.1:{port}",
        HOME=str(tmp_path), SSL_CERT_FILE=str(forger.pem),
    )  # fmt: skip
    assert code == 3
    (row,) = json.loads(out)["targets"]
    assert row["local_trust"]["accepted"] is True
    assert row["local_trust"]["origins"] == ["environment"]
    assert any("SSL_CERT_FILE" in name for name in row["local_trust"]["applications"])


def test_it_can_be_left_out(scan, computer, forger):
    computer.put(ANCHOR, forger.pem.read_bytes())
    row, _ = scan("--no-local-roots")
    assert "local_trust" not in row
    assert "On this computer" not in row["explanation"]


def test_a_root_does_not_make_a_wrong_name_right(scan, computer, forger):
    computer.put(ANCHOR, forger.pem.read_bytes())
    row, _ = scan(hostname="other.test")
    assert row["local_trust"]["accepted"] is False
    assert row["local_trust"]["root_class"] == "unknown_local"
    assert "trusts its root, but would have warned" in row["explanation"]


def test_what_could_not_be_read_is_not_called_absent(scan, computer):
    computer.environ["SSL_CERT_FILE"] = "/opt/gone.pem"
    row, _ = scan()
    assert row["local_trust"]["accepted"] is None
    assert reason(row) is None
    assert "not known what programs accept" in row["explanation"]


def test_the_measurement_keeps_the_root(scan, computer, forger):
    computer.put(ANCHOR, forger.pem.read_bytes())
    _, out = scan()
    with read_bundle(out) as bundle:
        (measurement,) = bundle.measurements()
    assert measurement.local_trust.root == forger.certificate.public_bytes(Encoding.DER)
    assert (
        measurement.local_trust.leaf_sha256
        == hashlib.sha256(measurement.first.presented_chain[0]).hexdigest()
    )


def test_nothing_of_it_is_public(scan, computer, forger, kzmitm, tmp_path):
    computer.put(ANCHOR, forger.pem.read_bytes())
    _, out = scan()
    shared = tmp_path / "shared.zip"
    assert kzmitm("share", out, "--level", "public", "--out", shared).code == 0
    (row,) = kzmitm("show", shared, "--json").json["targets"]
    assert "local_trust" not in row
    assert hashlib.sha256(forger.certificate.public_bytes(Encoding.DER)).hexdigest() not in json.dumps(row)


@pytest.fixture
def ask(computer, forger, genuine):
    chain = tuple(each.public_bytes(Encoding.DER) for each in (forger.certificate,))

    def run(roots=None, *, hostname="a.test", at=None):
        witness = roots or LocalRoots(computer.system(), registry=registry_of([]), baseline=baseline_of)
        return witness(chain, hostname, at or clock.now())

    return run


def test_stores_are_read_once_and_late(computer, forger, ask):
    roots = LocalRoots(computer.system(), registry=registry_of([]), baseline=baseline_of)
    computer.put(ANCHOR, forger.pem.read_bytes())
    assert ask(roots).root
    (computer.folder / ANCHOR.lstrip("/")).unlink()
    assert ask(roots).root
    assert not ask().root


def test_another_system_is_never_said_to_lack_a_root(computer, ask):
    computer.platform = Platform.MACOS
    assert ask().accepted is None


def test_a_program_that_blocks_a_root_does_not_accept_it(computer, forger, ask):
    computer.put(ANCHOR, forger.pem.read_bytes())
    assert ask().applications == ("this system (Debian, Ubuntu)",)
    computer.put("/etc/pki/ca-trust/source/anchors/a.pem", forger.pem.read_bytes())
    computer.put("/etc/pki/ca-trust/source/blocklist/a.pem", forger.pem.read_bytes())
    assert all("Fedora" not in name for name in ask().applications)


def test_the_time_is_the_measurements(computer, forger, ask):
    computer.put(ANCHOR, forger.pem.read_bytes())
    late = ask(at=clock.now() + timedelta(days=400))
    assert (late.accepted, bool(late.root)) == (False, True)

"""roots and inspect as their users call them: the answer, the exit code, the document, the steps."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kzmitm.evidence.schema import schema_text

QAZNET = "00309c736dd661da6f1eb24173aa849944c168a43a15bffd192eecfdb6f8dbd2"
NUC_RK = "9ba06354b626641715182e4d07c9dbaa1777720fa795d03174ffc68876535dcd"
SUPERFISH = "b6fe9151402bad1c06d7e66db67a26aa7356f2e6c644dbcf9f98968ff632e1b7"


@pytest.fixture
def real(certificates):
    """The PEM of a real certificate by its SHA-256."""
    return lambda digest: (certificates / f"{digest}.pem").read_bytes()


@pytest.fixture
def system(tmp_path):
    """A Debian system with one public root in its bundle."""
    root = tmp_path / "image"
    for folder in ("etc/ssl/certs", "usr/local/share/ca-certificates", "home/aigerim"):
        (root / folder).mkdir(parents=True)
    pinned = Path(__file__).parents[2] / "fingerprints" / "truststore" / "mozilla.pem"
    block = pinned.read_text().partition("-----BEGIN CERTIFICATE-----")[2]
    text = "-----BEGIN CERTIFICATE-----" + block.partition("-----END CERTIFICATE-----")[0]
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.write_text(text + "-----END CERTIFICATE-----\n")
    (root / "etc/ca-certificates.conf").write_text("")
    return root


def add_anchor(system, pem, name="added.crt"):
    (system / "usr/local/share/ca-certificates" / name).write_bytes(pem)
    with (system / "etc/ssl/certs/ca-certificates.crt").open("ab") as bundle:
        bundle.write(pem)


def add_nss(system, pem, flags):
    folder = system / "home/aigerim/.mozilla/firefox/abc.default"
    folder.mkdir(parents=True)
    (folder.parent / "profiles.ini").write_text("[Profile0]\nName=default\nIsRelative=1\nPath=abc.default\n")
    (folder / "x.pem").write_bytes(pem)
    for words in (["-N", "--empty-password"], ["-A", "-n", "gov", "-t", flags, "-i", folder / "x.pem"]):
        subprocess.run(["certutil", *words, "-d", f"sql:{folder}"], check=True, capture_output=True)


def document(ended, name="roots"):
    Draft202012Validator(json.loads(schema_text(name))).validate(ended.json)
    return ended.json


def test_a_clean_system_is_0_with_the_answer_first(system, kzmitm):
    ended = kzmitm("roots", "--root", system)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("GOOD: no interception root is trusted")
    assert "1 public roots" in ended.out
    found = document(kzmitm("roots", "--root", system, "--json"))
    assert (found["alarm"], found["summary"]) == (False, {"public": 1})


def test_the_interception_root_among_the_anchors_is_1(system, kzmitm, real):
    add_anchor(system, real(QAZNET))
    ended = kzmitm("roots", "--root", system)
    assert ended.code == 1
    assert ended.out.startswith("DANGER: this computer trusts Qaznet Trust Network")
    assert "/usr/local/share/ca-certificates/added.crt; put there by an administrator; on " in ended.out
    assert "1. sudo rm /usr/local/share/ca-certificates/added.crt" in ended.out
    assert "update-ca-certificates --fresh" in ended.out
    found = document(kzmitm("roots", "--root", system, "--json"))
    assert found["alarm"]
    assert found["roots"][0]["sha256"] == QAZNET
    assert found["roots"][0]["class"] == "state_interception"


def test_in_a_browser_it_is_found_too_and_blocked_is_good_news(system, kzmitm, real):
    add_nss(system, real(QAZNET), "C,,")
    ended = kzmitm("roots", "--root", system)
    assert ended.code == 1
    assert "trusted by Firefox (default)" in ended.out
    folder = system / "home/aigerim/.mozilla/firefox/abc.default"
    subprocess.run(["certutil", "-M", "-n", "gov", "-t", "p,p,p", "-d", f"sql:{folder}"], check=True)
    blocked = kzmitm("roots", "--root", system)
    assert blocked.code == 0
    assert "it is blocked here, which is good" in blocked.out


def test_for_mail_only_it_is_no_alarm(system, kzmitm, real):
    add_nss(system, real(QAZNET), ",C,")
    ended = kzmitm("roots", "--root", system)
    assert ended.code == 0
    assert "kept, but not trusted for sites, by Firefox (default)" in ended.out


def test_the_e_signature_root_is_named_and_no_alarm(system, kzmitm, real):
    add_anchor(system, real(NUC_RK))
    ended = kzmitm("roots", "--root", system)
    assert ended.code == 0
    assert "NCALayer" in ended.out


def test_a_leaked_key_is_1(system, kzmitm, real):
    add_anchor(system, real(SUPERFISH))
    ended = kzmitm("roots", "--root", system)
    assert ended.code == 1
    assert "LEAKED KEY" in ended.out


def test_a_store_that_cannot_be_read_hides_no_finding(system, kzmitm, real):
    folder = system / "home/aigerim/.mozilla/firefox/bad.default"
    folder.mkdir(parents=True)
    (folder / "cert9.db").write_bytes(b"SQLite format 3\0" + bytes(50))
    ended = kzmitm("roots", "--root", system)
    assert ended.code == 3
    assert ended.out.startswith("NOT FOUND: ")
    assert "Not read, or not to the end:" in ended.out
    add_anchor(system, real(QAZNET))
    assert kzmitm("roots", "--root", system).code == 1


@pytest.mark.parametrize("words", [["--root", "/nonexistent"], ["--platform", "linux"]])
def test_bad_input_is_2(words, kzmitm):
    ended = kzmitm("roots", *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)


def test_this_computer_is_read_without_a_word_on_stderr(kzmitm):
    ended = kzmitm("roots", "--json")
    assert ended.code in {0, 1, 3}
    assert ended.err == ""
    assert document(ended)["stores"]


def profile(pem):
    """A configuration profile, as an operator's web page would offer it."""
    body = b"".join(pem.split(b"\n")[1:-2])
    return (
        b'<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict><key>PayloadType</key>'
        b"<string>Configuration</string><key>PayloadContent</key><array><dict><key>PayloadType</key>"
        b"<string>com.apple.security.root</string><key>PayloadContent</key><data>"
        + base64.b64encode(base64.b64decode(body))
        + b"</data></dict></array></dict></plist>"
    )


def test_a_profile_that_a_message_asks_to_install(kzmitm, real, tmp_path):
    (tmp_path / "security.mobileconfig").write_bytes(profile(real(QAZNET)))
    ended = kzmitm("inspect", tmp_path / "security.mobileconfig")
    assert ended.code == 1
    assert "STATE INTERCEPTION  Qaznet Trust Network" in ended.out
    assert "Do not install it" in ended.out
    found = document(kzmitm("inspect", tmp_path / "security.mobileconfig", "--json"), "inspection")
    assert found["files"][0]["kind"] == "profile"


def test_inspecting_what_is_none(kzmitm, tmp_path):
    (tmp_path / "holiday.cer").write_bytes(b"not a certificate")
    ended = kzmitm("inspect", tmp_path / "holiday.cer")
    assert ended.code == 3
    assert "NOT READ" in ended.out
    assert kzmitm("inspect", tmp_path / "none.cer").code == 2
    document(kzmitm("inspect", tmp_path / "holiday.cer", "--json"), "inspection")


def test_nobody_is_said_to_have_installed_what_is_inspected(kzmitm, authority, tmp_path):
    (tmp_path / "root.pem").write_bytes(authority("Some Root").pem.read_bytes())
    shown = kzmitm("inspect", tmp_path / "root.pem")
    assert (
        "UNKNOWN  Some Root\n  in no public programme, now or ever; whose it is, is not known here"
        in shown.out
    )
    assert "added by" not in shown.out


def test_a_name_that_steers_a_terminal_does_not(kzmitm, authority, tmp_path):
    evil = authority("\x1b]0;owned\x07\u202egpj")
    ended = kzmitm("inspect", evil.pem)
    assert ended.code == 0
    assert "\x1b" not in ended.out
    assert "\u202e" not in ended.out


def test_it_starts_quickly_enough_for_a_desktop(system):
    words = [sys.executable, "-X", "importtime", "-m", "kzmitm", "roots", "--root", str(system)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "kzmitm.netio" not in done.stderr  # what is not needed is not loaded

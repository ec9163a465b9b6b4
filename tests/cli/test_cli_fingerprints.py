"""The registry as people and programs ask it."""

import hashlib
from base64 import b64decode

import pytest

QAZNET = "00309c736dd661da6f1eb24173aa849944c168a43a15bffd192eecfdb6f8dbd2"
QAZNET_KEY = "b5ba8dd7f89564c2889d3d6453c84998c77824919b64ea0835aa62986591be50"
STATE_SIGNATURES = "9ba06354b626641715182e4d07c9dbaa1777720fa795d03174ffc68876535dcd"


def der_of(path):
    body = path.read_text().partition("-----BEGIN CERTIFICATE-----")[2].partition("-----END")[0]
    return b64decode(body)


def test_list(kzmitm):
    shown = kzmitm("fingerprints", "list")
    assert shown.code == 0
    assert any("kz-qaznet" in line and "state_interception" in line for line in shown.out.splitlines())
    document = kzmitm("fingerprints", "list", "--json").json
    assert list(document)[:2] == ["schema", "version"]
    assert len(document["authorities"]) == len(shown.out.splitlines())


@pytest.mark.parametrize("word", ["kz-qaznet", QAZNET, QAZNET[:10], f"key:{QAZNET_KEY}", QAZNET_KEY.upper()])
def test_show_by_id_or_hash_labels_every_hash(word, kzmitm):
    shown = kzmitm("fingerprints", "show", word)
    assert shown.code == 0
    assert f"SHA-256 of certificate: {QAZNET}" in shown.out
    assert f"SHA-256 of key: {QAZNET_KEY}" in shown.out


def test_show_as_a_document(kzmitm):
    assert kzmitm("fingerprints", "show", "kz-qaznet", "--json").json["authority"]["id"] == "kz-qaznet"


def test_check_counts_what_it_read(kzmitm):
    assert "is sound" in kzmitm("fingerprints", "check").out
    assert kzmitm("fingerprints", "check", "--json").json["counts"]["authorities"] > 10


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("id = 'x'", "authorities/x.toml"),
        ("not toml", "authorities/x.toml"),
        ("id = 'y'\nkind = 'antivirus'\n[names]\nen = 'Y'", "authorities/x.toml: id"),
    ],
)
def test_a_damaged_overlay_is_named_with_its_file(content, complaint, kzmitm, tmp_path):
    (tmp_path / "o" / "authorities").mkdir(parents=True)
    (tmp_path / "o" / "authorities" / "x.toml").write_text(content)
    shown = kzmitm("fingerprints", "check", "--fingerprints", tmp_path / "o")
    assert shown.code == 2
    assert complaint in shown.err
    assert shown.err.count("\n") == 1


def test_an_overlay_adds_an_authority(kzmitm, tmp_path):
    (tmp_path / "o" / "authorities").mkdir(parents=True)
    (tmp_path / "o" / "authorities" / "x.toml").write_text(
        "id = 'x'\nkind = 'antivirus'\n[names]\nen = 'Ex\u202eample'\n", encoding="utf-8"
    )
    shown = kzmitm("fingerprints", "show", "x", "--fingerprints", tmp_path / "o")
    assert shown.code == 0
    assert "Ex\\u202eample" in shown.out


def test_match_an_interception_root_as_pem_and_der(kzmitm, certificates, tmp_path):
    pem = certificates / f"{QAZNET}.pem"
    shown = kzmitm("fingerprints", "match", pem)
    assert shown.code == 1
    assert shown.out.startswith("INTERCEPTS")
    assert f"SHA-256 of key: {QAZNET_KEY}" in shown.out
    der = tmp_path / "x.der"
    der.write_bytes(der_of(pem))
    document = kzmitm("fingerprints", "match", der, "--json").json
    (row,) = document["certificates"]
    assert row["certificate_sha256"] == hashlib.sha256(der.read_bytes()).hexdigest()
    assert (row["authorities"][0]["id"], row["authorities"][0]["match"]) == ("kz-qaznet", "certificate")


def test_a_states_signature_authority_is_known_and_no_finding(kzmitm, certificates):
    shown = kzmitm("fingerprints", "match", certificates / f"{STATE_SIGNATURES}.pem")
    assert shown.code == 0
    assert shown.out.startswith("KNOWN")


def test_every_certificate_of_a_file_is_matched(kzmitm, certificates, tmp_path):
    bundle = tmp_path / "all.pem"
    bundle.write_text("".join(path.read_text() for path in sorted(certificates.glob("*.pem"))))
    document = kzmitm("fingerprints", "match", bundle, "--json").json
    assert len(document["certificates"]) == len(list(certificates.glob("*.pem")))


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", b"PK\x03\x04"]
)
def test_what_is_no_certificate_is_said_to_be_none(content, kzmitm, tmp_path):
    (tmp_path / "x").write_bytes(content)
    shown = kzmitm("fingerprints", "match", tmp_path / "x")
    assert (shown.code, shown.err.count("\n")) == (2, 1)


def test_a_certificate_that_cannot_be_read_is_reported_and_no_finding(kzmitm, tmp_path):
    (tmp_path / "x").write_bytes(b"0\x80garbage")
    shown = kzmitm("fingerprints", "match", tmp_path / "x")
    assert shown.code == 0
    assert shown.out.startswith("UNKNOWN")
    assert "cannot be read" in shown.out

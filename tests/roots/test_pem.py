"""Certificates out of PEM, DER and p11-kit's form: the same that OpenSSL reads, and never a crash."""

import base64
import re
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roots_support import CLIENT, CODE, EMAIL, SERVER, leaf, p11_object, p11_purposes, pem, root

from kzmitm.roots import p11_objects
from kzmitm.roots import pem as pem_module
from kzmitm.roots.certificate_files import Place, trust_of
from kzmitm.roots.p11_objects import read_objects, read_trust_file
from kzmitm.roots.pem import FoundCertificate, read_certificates
from kzmitm.roots.values import Purpose, Trust

SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
A, B, C = root("A"), root("B"), root("C")


def ders(octets: bytes) -> list[bytes]:
    return [found.der for found in read_certificates(octets).certificates]


def run(*command: str, **options):
    return subprocess.run(command, capture_output=True, check=True, **options)


def test_the_bundle_of_this_system_is_read_as_openssl_reads_it():
    ours = read_certificates(SYSTEM_BUNDLE.read_bytes())
    out = run("openssl", "storeutl", "-certs", str(SYSTEM_BUNDLE)).stdout.decode()
    theirs = [
        base64.b64decode(text)
        for text in re.findall("-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", out, re.DOTALL)
    ]
    counted = run("awk", "/BEGIN CERTIFICATE/ {n++} END {print n}", str(SYSTEM_BUNDLE)).stdout
    assert len(theirs) == int(counted) > 100
    assert [found.der for found in ours.certificates] == theirs
    assert not ours.problem


@pytest.mark.parametrize(
    "text",
    [
        pem(A) + pem(B),
        pem(A).replace(b"\n", b"\r\n") + pem(B),
        b"\xef\xbb\xbf" + pem(A) + b"\x00\xff words\n# comment\n" + pem(B).rstrip(),
        pem(A, "X509 CERTIFICATE") + pem(b"not read", "PRIVATE KEY") + pem(B, "TRUSTED CERTIFICATE"),
        pem(A).replace(b"CERTIFICATE-----\nM", b"CERTIFICATE-----\nProc-Type: 4,CLEAR\n\nM") + pem(B),
        pem(A + b"anything behind it") + b"-----BEGIN CRL-----\n" + pem(B),
        pem(A).replace(b"\n-----END", b"-----END") + pem(B),
    ],
    ids=["plain", "crlf", "junk", "labels", "headers", "trailing", "no newline"],
)
def test_forms_of_a_bundle(text):
    assert ders(text) == [A, B]


@pytest.mark.parametrize(
    ("text", "found", "broken"),
    [
        (b"", [], 0),
        (A, [A], 0),
        (A + b"\n", [A], 0),
        (A + b"\n" + pem(B), [A, B], 0),
        (A[:-1], [], 0),
        (b"0 is how this line begins\n" + pem(A), [A], 0),
        (pem(A) + b"-----BEGIN CERTIFICATE-----\nMII", [A], 1),
        (b"-----BEGIN CERTIFICATE-----\nMII\n" + pem(A), [A], 1),
        (pem(A).replace(b"-----END CERTIFICATE", b"-----END X509 CERTIFICATE") + pem(B), [B], 1),
        (pem(b"") + pem(b"\x30\x00") + pem(b"\x30\x03\x02\x01\x01") + pem(A[:-1]) + pem(B), [B], 4),
        (pem(A).replace(b"MII", b"M!I", 1) + pem(B), [B], 1),
        (pem(A).replace(b"MII", b"M\x00I", 1) + pem(B), [B], 1),
        (pem(A).replace(b"MII", b"====", 1) + pem(B), [B], 1),
        (pem(A).replace(b"-----END", b"A-----END") + pem(B), [B], 1),
    ],
)
def test_what_is_broken_is_counted_and_passed_over(text, found, broken):
    held = read_certificates(text)
    assert ([each.der for each in held.certificates], held.broken) == (found, broken)
    assert bool(held.problem) is bool(broken)


def test_lengths_that_der_does_not_have_are_no_hiding_place():
    long = b"\x30\x84" + (len(A) - 4).to_bytes(4, "big") + A[4:]
    endless = b"\x30\x80" + A[4:] + b"\0\0"
    assert ders(pem(long) + pem(endless)) == [long, endless]
    theirs = run("openssl", "x509", "-noout", "-subject", input=pem(long)).stdout
    assert b"CN = A" in theirs  # OpenSSL takes it, so it must be seen


TRUSTS = {
    "serverAuth": SERVER,
    "clientAuth": CLIENT,
    "emailProtection": EMAIL,
    "codeSigning": CODE,
    "anyExtendedKeyUsage": "2.5.29.37.0",
}
CASES = [
    ((), ()),
    (("serverAuth",), ()),
    (("emailProtection",), ()),
    (("anyExtendedKeyUsage",), ()),
    (("serverAuth", "emailProtection"), ("emailProtection",)),
    (("serverAuth",), ("serverAuth",)),
    (("anyExtendedKeyUsage",), ("serverAuth",)),
    ((), ("serverAuth",)),
    ((), ("emailProtection",)),
    ((), ("anyExtendedKeyUsage",)),
    ((), ("serverAuth", "clientAuth", "emailProtection", "codeSigning")),
]


def trusted_form(tmp_path, trust, reject) -> bytes:
    options = [word for name in trust for word in ("-addtrust", name)]
    options += [word for name in reject for word in ("-addreject", name)]
    return run(
        "openssl", "x509", "-trustout", "-setalias", "élan", *options, input=pem(root("issuer")), cwd=tmp_path
    ).stdout


@pytest.mark.parametrize(("trust", "reject"), CASES)
def test_openssl_trust_is_openssls_own(tmp_path, trust, reject):
    text = trusted_form(tmp_path, trust, reject)
    assert text.startswith(b"-----BEGIN TRUSTED CERTIFICATE-----")
    (found,) = read_certificates(text).certificates
    assert (found.der, found.label) == (root("issuer"), "élan")
    assert found.allowed == (frozenset(TRUSTS[name] for name in trust) if trust else None)
    assert found.rejected == frozenset(TRUSTS[name] for name in reject)
    (tmp_path / "roots.pem").write_bytes(text)
    (tmp_path / "leaf.pem").write_bytes(pem(leaf("leaf", "issuer")))
    verified = subprocess.run(
        [
            "openssl",
            "verify",
            "-no-CApath",
            "-no-CAstore",
            "-purpose",
            "sslserver",
            "-CAfile",
            "roots.pem",
            "leaf.pem",
        ],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (trust_of(found, Place.BUNDLE)[0] is Trust.TRUSTED) is (verified.returncode == 0), verified


def test_purposes_of_openssl_trust(tmp_path):
    def purposes(trust, reject):
        (found,) = read_certificates(trusted_form(tmp_path, trust, reject)).certificates
        return trust_of(found, Place.BUNDLE)

    assert purposes((), ()) == (Trust.TRUSTED, None)
    assert purposes(("serverAuth", "codeSigning"), ()) == (Trust.TRUSTED, {Purpose.SERVER, Purpose.CODE})
    assert purposes(("emailProtection",), ()) == (Trust.PRESENT, {Purpose.EMAIL})
    assert purposes((), ("emailProtection",)) == (Trust.TRUSTED, set(Purpose) - {Purpose.EMAIL})
    assert purposes((), ("serverAuth",)) == (Trust.DISTRUSTED, None)


def test_trust_that_cannot_be_read_does_not_hide_the_certificate():
    assert ders(pem(A + b"\x30\x05\x30\x03\x06", "TRUSTED CERTIFICATE")) == [A]
    many = b"".join(b"\x06\x02\x2a" + bytes([n]) for n in range(100))
    aux = b"\x30\x82\x01\x94\x30\x82\x01\x90" + many
    (found,) = read_certificates(pem(A + aux, "TRUSTED CERTIFICATE")).certificates
    assert (found.der, found.allowed) == (A, None)


def test_a_file_with_too_many_certificates_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(pem_module, "MAX_CERTIFICATES", 2)
    monkeypatch.setattr(p11_objects, "MAX_CERTIFICATES", 2)
    held = read_certificates(pem(A) + pem(B) + pem(C))
    assert [each.der for each in held.certificates] == [A, B]
    assert "not read to its end" in held.problem
    held = read_objects(p11_object(A) + p11_object(B) + p11_object(C))
    assert [each.der for each in held.certificates] == [A, B]
    assert "not read to its end" in held.problem


SLOW = {
    "empty blocks": pem(b"") * 10**6,
    "begins": b"-----BEGIN CERTIFICATE-----\n" * 10**6,
    "ends": b"-----END CERTIFICATE-----\n" * 10**6,
    "dashes": b"-" * (20 << 20),
    "one block": b"-----BEGIN CERTIFICATE-----\n" + b"A" * (20 << 20) + b"\n-----END CERTIFICATE-----",
    "headers": b"-----BEGIN CERTIFICATE-----\n:" + b"\n " * (5 << 20) + b"\n-----END CERTIFICATE-----",
    "objects": b"[p11-kit-object-v1]\n" * 10**6,
    "brackets": b"[p11-kit-object-v1]\n" + b"[" * (20 << 20),
    "blanks": b"[p11-kit-object-v1]\nlabel:" + b" " * (20 << 20) + b"x",
    "fields": b"[p11-kit-object-v1]\n" + b"label: x\n" * 10**6,
    "quotes": b'[p11-kit-object-v1]\nvalue: "' + b"%" * (20 << 20) + b'"\n',
}


@pytest.mark.parametrize("kind", SLOW)
@pytest.mark.untraced
def test_time_is_linear_in_the_octets(kind):
    before = time.process_time()
    assert not read_trust_file(SLOW[kind]).certificates
    assert time.process_time() - before < 20  # a second or two; what is not linear takes hours


# ---- p11-kit's own form


def test_objects_of_p11_kit():
    text = (
        b"# a comment\n\n"
        + p11_object(A, 'label: "An%20anchor"', "trusted: true", "class: certificate")
        + p11_object(B, "x-distrusted: true")
        + b"[something-else]\n"
        + pem(C)
        + b'[p11-kit-object-v1]\nclass: certificate\nvalue: "'
        + "".join(f"%{octet:02X}" for octet in C).encode()
        + b'"\n'
        + b'[p11-kit-object-v1]\nclass: x-trust-assertion\nx-peer: "x"\n'
        + p11_purposes(A, SERVER)
        + p11_purposes(A, EMAIL, extension="1.3.6.1.4.1.3319.6.10.1")
        + p11_purposes(C, "1.3.6.1.4.1.3319.6.10.16")
        + p11_purposes(B, "1.2.3", extension="2.5.29.19")
    )
    held = read_trust_file(text)
    assert held.certificates == (
        FoundCertificate(
            der=A, label="An anchor", is_anchor=True, allowed=frozenset({SERVER}), rejected=frozenset({EMAIL})
        ),
        FoundCertificate(der=B, is_distrusted=True),
        FoundCertificate(der=C, allowed=frozenset()),
    )
    assert not held.problem


@pytest.mark.parametrize(
    ("text", "found", "broken"),
    [
        (b"[p11-kit-object-v1]", [], 0),
        (pem(A) + p11_object(B), [A, B], 0),
        (p11_object(A[:-1]) + p11_object(B), [B], 1),
        (p11_object(A, "label: no quotes", "trusted: perhaps", "nonsense", ":", 'value: "%zz'), [A], 0),
        (p11_object(A, 'value: "%zz"') + b'[p11-kit-object-v1]\nvalue: "%30"\n', [A], 1),
        (p11_object(A) + p11_purposes(A, SERVER).replace(b"%30", b"%31", 1), [A], 0),
        (p11_object(A) + b"[p11-kit-object-v1]\nclass: x-certificate-extension\n" + pem(B), [A], 0),
    ],
)
def test_what_is_wrong_with_objects(text, found, broken):
    held = read_objects(text)
    assert ([each.der for each in held.certificates], held.broken) == (found, broken)


def test_a_bundle_is_no_file_of_objects_by_a_comment():
    """To OpenSSL this is a bundle of two, whatever p11-kit makes of it."""
    assert ders(b"# [p11-kit-object-v1]\n" + pem(A) + b"[something-else]\n" + pem(B)) == [A, B]


# ---- whatever the octets are

JUNK = st.one_of(
    st.binary(max_size=40).filter(lambda octets: b"-" not in octets),
    st.sampled_from([b"", b"\n", b"[p11-kit-object-v1]\n", b"label: x\n", b"-----BEGIN ", b"\x00", b"0"]),
)
GOOD = st.sampled_from([A, B, C]).map(lambda der: (der, pem(der)))
BAD = st.sampled_from([pem(b""), pem(A[:-2]), b"-----BEGIN CERTIFICATE-----\nMII\n"]).map(
    lambda text: (None, text)
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(JUNK, st.one_of(GOOD, BAD)), max_size=8))
def test_good_blocks_are_found_among_bad_ones(parts):
    text = b"".join(b"\n" + junk + b"\n" + block for junk, (_, block) in parts)
    held = read_certificates(text)
    assert [each.der for each in held.certificates] == [der for _, (der, _) in parts if der]
    assert held.broken == sum(der is None for _, (der, _) in parts)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=2000), st.integers(0, 5000), st.integers(0, 255))
def test_nothing_is_raised(octets, place, octet):
    damaged = bytearray(
        pem(A, "TRUSTED CERTIFICATE") + p11_object(B, "trusted: true") + p11_purposes(B, SERVER)
    )
    damaged[place % len(damaged)] = octet
    for text in (octets, bytes(damaged), bytes(damaged) + octets, pem(A + octets, "TRUSTED CERTIFICATE")):
        for read in (read_certificates, read_trust_file, read_objects):
            held = read(text)
            assert all(each.der[0] == 0x30 for each in held.certificates)
            for each in held.certificates:
                for place_ in Place:
                    trust_of(each, place_)

"""Certificates from any octets: right ones as `cryptography` reads them, wrong ones as far as they go."""

import ssl
import warnings
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import chain_factory as cf
import pytest
from chain_factory import Plan, alt_names, ext, intermediate, leaf, name, oid, rdn, root, seq, tlv
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from kzmitm.model.certificate import Certificate
from kzmitm.pki import der
from kzmitm.pki.der import DERError
from kzmitm.pki.keys import read_public_key
from kzmitm.pki.names import canonical_name, name_key, parse_name, same_name
from kzmitm.pki.parse import MAX_CERTIFICATE_OCTETS, dissect, parse_certificate
from kzmitm.pki.salvage import MAX_ELEMENTS, lenient, salvage
from kzmitm.pki.signatures import is_weak
from kzmitm.resources import truststore_files

SHARED = Path(__file__).parents[3] / "shared" / "certs"
REAL = sorted(SHARED.glob("*.pem"))
ROOT = root("C=KZ, O=ISCA, CN=Root")
CA = intermediate(ROOT)
LEAF = leaf(ROOT, "DNS:example.com", "IP:192.0.2.1", "IP:2001:db8::1")


def assert_same(ours: Certificate, theirs: x509.Certificate) -> None:
    """Every field that both have."""
    assert ours.version == theirs.version.value + 1
    assert ours.serial == theirs.serial_number
    for mine, other in ((ours.subject, theirs.subject), (ours.issuer, theirs.issuer)):
        assert mine.der == other.public_bytes()
        assert [a.oid for a in mine.attributes] == [a.oid.dotted_string for a in other]
        assert [a.value for a in mine.attributes] == [
            a.value if isinstance(a.value, str) else a.value.decode() for a in other
        ]
    assert (ours.not_before, ours.not_after) == (theirs.not_valid_before_utc, theirs.not_valid_after_utc)
    assert ours.signature_algorithm == theirs.signature_algorithm_oid.dotted_string
    assert ours.extensions == tuple((e.oid.dotted_string, e.critical) for e in theirs.extensions)
    for extension in theirs.extensions:
        match extension.value:
            case x509.SubjectAlternativeName() as names:
                hosts = [host.encode() for host in names.get_values_for_type(x509.DNSName)]
                assert list(ours.san_dns or ()) == [h.decode("ascii", "backslashreplace") for h in hosts]
                assert list(ours.san_ip or ()) == [
                    str(ip) for ip in names.get_values_for_type(x509.IPAddress)
                ]
            case x509.BasicConstraints() as constraints:
                assert (ours.is_ca, ours.path_length) == (constraints.ca, constraints.path_length)
            case x509.ExtendedKeyUsage() as purposes:
                assert ours.ext_key_usage == {purpose.dotted_string for purpose in purposes}
            case x509.KeyUsage() as usage:
                bits = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment")
                bits += ("key_agreement", "key_cert_sign", "crl_sign")
                assert {bit for bit in bits if getattr(usage, bit)} == (ours.key_usage or frozenset()) - {
                    "encipher_only",
                    "decipher_only",
                }
            case x509.SubjectKeyIdentifier() as identifier:
                assert ours.subject_key_id == identifier.digest
            case x509.AuthorityKeyIdentifier() as identifier:
                assert ours.authority_key_id == identifier.key_identifier
            case _:
                pass


@pytest.mark.skipif(not REAL, reason="the shared certificates (../shared/certs) are not here")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem[:8])
def test_real_certificates(path):
    encoded = ssl.PEM_cert_to_DER_cert(path.read_text().strip())
    ours = parse_certificate(encoded)
    assert ours.sha256 == path.stem
    assert ours.parse_error is None
    assert ours.public_key is not None
    assert ours.subject.attributes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = x509.load_der_x509_certificate(encoded)
        assert_same(ours, theirs)


def test_every_shipped_anchor_is_read_as_cryptography_reads_it():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a root with the serial number zero
        for theirs in x509.load_pem_x509_certificates(truststore_files()["mozilla.pem"]):
            ours = parse_certificate(theirs.public_bytes(Encoding.DER))
            assert_same(ours, theirs)
            key = theirs.public_key()
            spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            assert ours.spki_sha256 == sha256(spki).hexdigest()
            assert ours.public_key is not None
            assert ours.public_key.bits == key.key_size  # type: ignore[union-attr]


def test_fields_of_a_leaf():
    ours = parse_certificate(LEAF.der)
    assert_same(ours, x509.load_der_x509_certificate(LEAF.der))
    assert ours.san_ip == ("192.0.2.1", "2001:db8::1")
    assert str(ours.issuer) == "C=KZ, O=ISCA, CN=Root"
    assert str(ours.public_key) == "secp256r1"


# --- what breaks the rules


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"serial": -77}, None),
        ({"serial": 0}, None),
        ({"serial": 1 << 400}, None),
        ({"serial": b"\x02\x00"}, "empty integer"),
        ({"serial": b"\x02\x02\x00\x01"}, "not minimal"),
        ({"version": 7}, "version 7"),
        ({"version": 1}, "extensions in version 1"),
        ({"not_before": b"\x17\x0b2001010000Z"}, "not a time"),
        ({"not_before": b"\x17\x11200101000000+0600"}, "not a time"),
        ({"not_before": b"\x18\x0f20201301000000Z"}, "no such time"),
        ({"not_before": b"\x18\x0f00000101000000Z"}, "no such time"),
        ({"not_before": b"\x18\x0f2020010100000 Z"}, "not digits"),
        ({"not_before": b"\x18\x0f20200101000000X"}, "not digits"),
        ({"subject": b"\x30\x02\x31\x00"}, "not a set of attributes"),
        ({"subject": seq(tlv(0x31, seq(oid("2.5.4.3"), tlv(12, b"a"), b"\x05\x00")))}, "more than a type"),
        ({"subject": b"\x31\x00"}, "instead of"),
        ({"spki": b"\x30\x00"}, "cut short"),
        ({"spki": seq(seq(oid("1.2.3")), cf.bits(b"x"), b"\x05\x00")}, "an algorithm and a bit string"),
        ({"extensions": [alt_names("DNS:a"), alt_names("DNS:b")]}, "appears twice"),
        ({"extensions": [ext("2.5.29.17", b"no")]}, "extension 2.5.29.17"),
        ({"extensions": [ext("2.5.29.17", seq(tlv(0x8F)))]}, "no name"),
        ({"extensions": [ext("2.5.29.17", seq(tlv(0x87, b"abc")))]}, "3 octets"),
        ({"extensions": [ext("2.5.29.17", seq(tlv(0xA4, b"abc")))]}, "extension 2.5.29.17"),
        ({"extensions": [ext("2.5.29.17", seq(tlv(0xA0, oid("1.2.3"), tlv(12))))]}, "extension 2.5.29.17"),
        ({"extensions": [alt_names("DN:CN=a", "other:1.2.3", "URI:x", "email:a@b")]}, None),
        ({"extensions": [ext("2.5.29.17", seq(*[tlv(0x82, b"a")] * 5000))]}, "more than 4096"),
        ({"extensions": [ext("2.5.29.19", seq(cf.TRUE, cf.integer(-1)))]}, "negative"),
        ({"extensions": [ext("2.5.29.19", seq(cf.integer(1), cf.integer(1)))]}, "more than cA"),
        ({"extensions": [ext("2.5.29.19", seq(b"\x01\x01\x05"))]}, "not a DER boolean"),
        ({"extensions": [ext("2.5.29.15", b"\x03\x02\x09\x00")]}, "unused bits"),
        ({"extensions": [ext("2.5.29.15", b"\x03\x00")]}, "empty bit string"),
        ({"extensions": [ext("2.5.29.35", seq(tlv(0x83)))]}, "authority key identifier"),
        ({"extensions": [ext("1.3.6.1.5.5.7.1.1", seq(b"\x05\x00"))]}, "no sequence"),
        ({"extensions": [ext("1.3.6.1.5.5.7.1.1", seq(seq(oid("1.2.3"), b"\x05\x00")))]}, "no name"),
        ({"extensions": [seq(oid("1.2.3"), tlv(4), b"\x05\x00")]}, "goes on after its value"),
        ({"extensions": [b"\x05\x00"]}, "instead of"),
        ({"extensions": [ext(f"1.2.3.{n}", b"") for n in range(300)]}, "more than 256 extensions"),
        ({"signature": None}, None),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_and_the_rest_survives(change, error):
    key = cf.ec_key()
    plan = Plan(name("CN=subject"), name("CN=issuer"), key, key, [cf.key_usage(0)], serial=5)
    made = cf.changed(plan, dict(change)).make()
    ours = parse_certificate(made.der)
    assert ours.sha256 == sha256(made.der).hexdigest()
    assert (error or "") in (ours.parse_error or "")
    assert (ours.parse_error is None) is (error is None)
    assert ours.issuer.common_name == "issuer"
    assert ours.not_after == cf.END
    if "subject" not in change:
        assert ours.subject.common_name == "subject"
    if "spki" not in change:
        assert ours.spki_sha256 == sha256(cf.spki_of(key)).hexdigest()
    if isinstance(change.get("serial"), int):
        assert ours.serial == change["serial"]


def rebuilt(*, frame=None, body=None) -> bytes:
    """The leaf with the parts of its frame or body changed."""
    start, stop = der.whole(LEAF.der, der.SEQUENCE)
    parts = [LEAF.der[p:e] for _, p, _, e in der.elements(LEAF.der, start, stop)]
    if body:
        inner, end = der.whole(parts[0], der.SEQUENCE)
        parts[0] = seq(*body([parts[0][p:e] for _, p, _, e in der.elements(parts[0], inner, end)]))
    return seq(*(frame(parts) if frame else parts))


@pytest.mark.parametrize(
    "encoded",
    [
        LEAF.der + b"\x00",
        LEAF.der[:-1],
        LEAF.der[:-80],
        b"\x30\x80" + LEAF.der[4:] + b"\x00\x00",
        b"\x30\x84\x00\x00" + LEAF.der[2:],
        rebuilt(frame=lambda parts: parts[:1]),
        rebuilt(frame=lambda parts: [*parts, b"\x05\x00"]),
        rebuilt(frame=lambda parts: [parts[0], parts[1], cf.bits(b"\x02", 1)]),
        rebuilt(body=lambda parts: [cf.tlv(0xA0, cf.integer(2), b"\x05\x00"), *parts[1:]]),
        rebuilt(body=lambda parts: [*parts[:4], seq(*[cf.time(cf.START)] * 3), *parts[5:]]),
        rebuilt(body=lambda parts: [*parts[:-1], tlv(0xA3, seq(), b"\x05\x00")]),
        rebuilt(body=lambda parts: [*parts[:-1], tlv(0xA3, seq())]),
        rebuilt(body=lambda parts: [*parts, parts[-1]]),
    ],
    ids=range(13),
)
def test_a_broken_frame_still_gives_names_and_key(encoded):
    ours = parse_certificate(encoded)
    assert ours.parse_error
    assert ours.issuer.common_name == "Root"
    assert ours.subject.common_name == "example.com"
    assert ours.spki_sha256 == sha256(LEAF.spki).hexdigest()


def test_elements_cut_short():
    for octets in (b"\x30", b"\x30\x02\x05", b"\x3f\x81\x00\x00"):
        with pytest.raises(DERError):
            der.expect(octets, 0, len(octets), der.SEQUENCE)
        with pytest.raises(DERError):
            der.read_tlv(octets, 0, len(octets))


def test_unique_identifiers_are_passed_over():
    encoded = rebuilt(body=lambda parts: [*parts[:-1], tlv(0x81, b"\0a"), tlv(0x82, b"\0b"), parts[-1]])
    ours = parse_certificate(encoded)
    assert ours.parse_error is None
    assert ours.san_dns == ("example.com",)
    broken = parse_certificate(encoded + b"\x00")
    assert broken.parse_error
    assert broken.san_dns == ("example.com",)
    bare = rebuilt(body=lambda parts: [*parts[1:-1], tlv(0x81, b"\0a")])
    assert parse_certificate(bare).version == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"\x17\x0b2001020304Z", datetime(2020, 1, 2, 3, 4, tzinfo=UTC)),
        (b"\x17\x0b6001020304Z", datetime(1960, 1, 2, 3, 4, tzinfo=UTC)),
        (b"\x17\x11200102030405+0600", datetime(2020, 1, 1, 21, 4, 5, tzinfo=UTC)),
        (b"\x17\x11200102030405-0130", datetime(2020, 1, 2, 4, 34, 5, tzinfo=UTC)),
        (b"\x18\x1220200102030405.55Z", datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (b"\x18\x0e20200102030405", datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (b"\x18\x1399991231235959-2300", None),
        (b"\x18\x0f20209901000000Z", None),
        (b"\x04\x03abc", None),
    ],
)
def test_times_that_x690_forbids_are_salvaged(text, expected):
    assert parse_certificate(leaf(ROOT, not_before=text).der).not_before == expected


def test_strings_of_every_type():
    content = {
        0x0C: ("Алматы".encode(), "Алматы"),
        0x13: (b"Almaty", "Almaty"),
        0x14: (b"M\xfcller", "Müller"),
        0x16: (b"a@b", "a@b"),
        0x1E: ("Қазақ".encode("utf-16-be"), "Қазақ"),
        0x1C: ("Қ".encode("utf-32-be"), "Қ"),
        0x04: (b"\x01\xff", "\x01\\xff"),
    }
    subject = seq(*(rdn("CN", octets, tag) for tag, (octets, _) in content.items()))
    assert [a.value for a in parse_name(subject).attributes] == [text for _, text in content.values()]


@pytest.mark.parametrize(
    ("tag", "octets", "text"),
    [
        (0x0C, b"a\xffb", "a\\xffb"),
        (0x13, "é".encode(), "é"),
        (0x13, b"\xe9", "\\xe9"),
        (0x1E, b"abc", "abc"),
        (0x1C, b"\xff\xff", "\\xff\\xff"),
    ],
)
def test_undecodable_octets_are_escaped(tag, octets, text):
    assert parse_name(seq(rdn("CN", octets, tag))).common_name == text


def test_broken_names_are_salvaged():
    pair = seq(oid("2.5.4.3"), tlv(12, b"kept"), b"\x05\x00")
    bad_type = seq(tlv(6, b"\x80"), tlv(12, b"odd"))
    subject = seq(tlv(0x31, pair, bad_type, seq(oid("2.5.4.3"))))
    ours = parse_certificate(leaf(ROOT, subject=subject).der)
    assert [(a.oid, a.value) for a in ours.subject.attributes] == [("2.5.4.3", "kept"), ("80", "odd")]
    assert ours.subject.der == subject


def test_names_have_an_end():
    assert len(parse_name(seq(*[rdn("CN", "x")] * 1000)).attributes) == 256


def test_comparison_of_names():
    one = parse_name(name("O=Kazakh  Telecom, CN=a"))
    other = parse_name(seq(rdn("O", "kazakh telecom", 0x13), rdn("CN", "A")))
    assert same_name(one, one)
    assert same_name(one, other)
    assert name_key(one) == name_key(other)
    assert not same_name(one, parse_name(name("CN=a, O=Kazakh Telecom")))
    broken = parse_certificate(b"").subject
    assert not same_name(one, broken)
    assert name_key(broken) == b""
    assert canonical_name(seq()) == ()


def test_not_a_certificate_at_all():
    for octets in (b"", b"\x30", b"\x30\x00", b"\x30\x02\x30\x00", b"GET / HTTP/1.1", bytes(100)):
        ours = parse_certificate(octets)
        assert ours.parse_error
        assert ours.public_key is None
        assert ours.sha256 == sha256(octets).hexdigest()


def test_too_long_to_be_taken_apart():
    octets = LEAF.der + bytes(MAX_CERTIFICATE_OCTETS)
    ours = parse_certificate(octets)
    assert "longer than" in (ours.parse_error or "")
    assert ours.sha256 == sha256(octets).hexdigest()


def test_salvage_has_an_end():
    assert len(lenient(b"\x05\x00" * (MAX_ELEMENTS + 9), 0, 2 * MAX_ELEMENTS + 18)) == MAX_ELEMENTS
    assert lenient(b"\x30\x84\x00", 0, 3) == []


def test_salvage_of_extensions():
    odd = [seq(tlv(6, b"\x80"), tlv(4)), seq(oid("1.2.3")), seq(), ext("1.2.4", b"v", critical=True)]
    octets = leaf(ROOT, not_before=b"\x17\x0b2001010000Z", extensions=odd).der
    assert salvage(octets, "why").extensions == [("1.2.4", True, b"v")]
    without_version = rebuilt(body=lambda parts: [tlv(0xA0), *parts[1:]])
    assert parse_certificate(without_version).version == 1


def spki(algorithm: bytes, content: bytes) -> bytes:
    return seq(algorithm, cf.bits(content))


@pytest.mark.parametrize(
    ("encoded", "kind", "bits", "curve"),
    [
        (spki(seq(oid("1.2.840.113549.1.1.1"), b"\x05\x00"), b"nonsense"), "rsa", 0, None),
        (
            spki(seq(oid("1.2.840.113549.1.1.10")), seq(cf.integer(1 << 2047), cf.integer(3))),
            "rsa",
            2048,
            None,
        ),
        (spki(seq(oid("1.2.840.10045.2.1"), oid("1.2.156.10197.1.301")), b"\x04"), "ec", 256, "sm2"),
        (spki(seq(oid("1.2.840.10045.2.1"), oid("1.2.3")), b"\x04"), "ec", 0, "1.2.3"),
        (spki(seq(oid("1.2.840.10045.2.1"), seq()), b"\x04"), "ec", 0, None),
        (spki(seq(oid("1.2.840.10040.4.1"), seq(cf.integer(1 << 1023))), b"\x02\x01\x05"), "dsa", 1024, None),
        (spki(seq(oid("1.2.840.10040.4.1")), b"\x02\x01\x05"), "dsa", 0, None),
        (spki(seq(oid("1.3.101.112")), bytes(32)), "ed25519", 256, None),
        (spki(seq(oid("1.2.643.7.1.1.1.1")), bytes(66)), "other", 528, None),
    ],
)
def test_keys(encoded, kind, bits, curve):
    key = read_public_key(encoded)
    assert (key.kind, key.bits, key.curve) == (kind, bits, curve)
    assert key.spki_sha256 == sha256(encoded).hexdigest()


def test_weak_algorithms():
    assert is_weak(cf.RSA_SHA1)
    assert is_weak(seq(oid("1.2.840.113549.1.1.10"), seq()))
    assert is_weak(cf.pss("1.3.14.3.2.26"))
    assert is_weak(seq(oid("1.2.840.113549.1.1.10"), seq(tlv(0xA2, cf.integer(32)))))
    assert not is_weak(cf.pss())
    assert not is_weak(cf.RSA_SHA256)
    assert not is_weak(b"")
    assert not is_weak(seq(oid("1.2.840.113549.1.1.10")))


@pytest.mark.parametrize(
    "octets",
    [b"\x06\x00", b"\x06\x01\x80", b"\x06\x02\x80\x01", b"\x06\x81\x81" + bytes(129), b"\x1f\x81\x00\x00"],
)
def test_object_identifiers_that_are_none(octets):
    with pytest.raises(DERError):
        der.read_oid(octets, 0, len(octets))


@pytest.mark.parametrize("dotted", ["0.9.2342", "1.2.840.113549", "2.5.4.3", "2.999.1"])
def test_object_identifiers(dotted):
    encoded = oid(dotted)
    assert der.read_oid(encoded, 0, len(encoded)) == (dotted, len(encoded))


def check_any(octets: bytes) -> None:
    parts = dissect(octets)
    ours = parts.certificate
    assert ours.der == octets
    assert ours.sha256 == sha256(octets).hexdigest()
    assert (ours.parse_error is None) is not bool(parts.defects)
    str(ours.subject), str(ours.issuer), repr(ours)


@given(st.binary(max_size=200))
def test_any_octets(octets):
    check_any(octets)


@settings(max_examples=150)
@given(st.data())
def test_any_damage(data):
    base = bytearray(data.draw(st.sampled_from([LEAF.der, ROOT.der, CA.der])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(base) - 1))
        match data.draw(st.sampled_from(["set", "cut", "insert"])):
            case "set":
                base[at] = data.draw(st.integers(0, 255))
            case "cut":
                del base[at : at + data.draw(st.integers(1, 8))]
            case _:
                base[at:at] = data.draw(st.binary(max_size=8))
        if not base:
            break
    octets = bytes(base)
    check_any(octets)
    ours = parse_certificate(octets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs = x509.load_der_x509_certificate(octets)
            list(theirs.extensions), list(theirs.subject), list(theirs.issuer), theirs.public_key()
            str(theirs.not_valid_after_utc) + str(theirs.not_valid_before_utc)
        except Exception:  # noqa: BLE001 - what it refuses is not compared
            return
        if ours.parse_error is None:
            assert_same(ours, theirs)

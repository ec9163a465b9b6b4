"""Known authorities are recognised by whatever is left of them, and nobody else is ever named."""

import base64
import dataclasses
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st
from registry_tools import (
    CERTS,
    MINIMAL,
    ec_key,
    make,
    parse_pem,
    real,
    real_certificates,
    rsa_key,
    shipped,
    spki,
    usage,
)

from kzmitm.model.certificate import Certificate, Name, NameAttribute, PublicKey
from kzmitm.model.verdict import Confidence
from kzmitm.pki.attribution import MAX_CERTIFICATES, MAX_SIGNATURE_CHECKS, UNLINKED, attribute
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.kinds import HARMLESS_KINDS, INTERCEPTION_KINDS, Kind
from kzmitm.pki.parse import parse_certificate
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.signature_form import signature_fits
from kzmitm.pki.traits import serial_is_key_id_top_bit_cleared, validity_seconds
from kzmitm.resources import truststore_files

KAZAKH = {
    "00309c736dd661da": "kz-qaznet",
    "61c0fc2e38b5b6f9": "kz-isca-ca-2020",
    "1df696f021ab1c3a": "kz-isca",
    "0230a604d99220e5": "kz-isca",
    "06fd20629c143b9e": "kz-isca",
    "0bd39de4793cdc11": "kz-isca",
    "c95c133b68319ee5": "kz-isca",
    "c530fadc9bfa265e": "kz-isca",
    "89107c8e50e029b7": "kz-isca",
    "235150de7df7db2e": "kz-isca",
}
SIGNATURE_PKI = [
    "9ba06354b6266417",
    "84fb799a66140950",
    "a7064abc5699827f",
    "34d1b311a9873191",
    "af77725f8328bb24",
    "32c7d233a42703a3",
    "c48164ab5ccaaee6",
    "9ab210e54e6b0343",
    "908521d0531e5645",
    "eb5a5318299db447",
    "74bb80edf34f4594",
]
QAZNET = "C=KZ, CN=Qaznet Trust Network"
ISCA = "CN=Information Security Certification Authority, O=ISCA, C=KZ"
SITE = "CN=www.example.com"


def found(*chain: Certificate, registry=None, trusted=False):
    return attribute(chain, registry=registry or shipped(), cache=CertificateCache(), trusted=trusted)


def re_keyed(certificate: Certificate, *, key: bool = False) -> Certificate:
    """The same certificate as if its hash, and with `key` its key too, had never been published."""
    other = dataclasses.replace(certificate, sha256="0" * 64, sha1="0" * 40)
    if key:
        assert other.public_key is not None
        other = dataclasses.replace(
            other, public_key=dataclasses.replace(other.public_key, spki_sha256="1" * 64)
        )
    return other


@pytest.mark.parametrize(("prefix", "identity"), KAZAKH.items())
def test_a_kazakh_root_is_recognised_by_certificate(prefix, identity):
    certificate = real(prefix)
    first = found(certificate)[0]
    assert (first.authority.id, first.authority.match, first.confidence) == (
        identity,
        "certificate",
        Confidence.CONFIRMED,
    )
    assert first.authority.matched_sha256 == f"certificate:{certificate.sha256}"
    assert first.authority.kind == "state_interception"
    assert first.authority.country == "KZ"


@pytest.mark.parametrize(("prefix", "identity"), KAZAKH.items())
def test_a_kazakh_root_is_recognised_by_sha1_alone(prefix, identity):
    certificate = dataclasses.replace(re_keyed(real(prefix), key=True), sha1=real(prefix).sha1)
    first = found(certificate)[0]
    assert (first.authority.id, first.authority.match) == (identity, "certificate")
    assert first.authority.matched_sha256 == f"certificate:{certificate.sha256}"


@pytest.mark.parametrize(("prefix", "identity"), KAZAKH.items())
def test_a_kazakh_root_is_recognised_by_key_if_it_is_issued_anew(prefix, identity):
    certificate = re_keyed(real(prefix))
    first = found(certificate)[0]
    assert (first.authority.id, first.authority.match, first.confidence) == (
        identity,
        "key",
        Confidence.CONFIRMED,
    )
    assert first.authority.matched_sha256 == f"key:{certificate.spki_sha256}"


@pytest.mark.parametrize(("prefix", "identity"), KAZAKH.items())
def test_a_kazakh_root_is_recognised_by_its_own_signature(prefix, identity):
    first = found(re_keyed(real(prefix), key=True))[0]
    assert (first.authority.id, first.authority.match, first.confidence) == (
        identity,
        "signature",
        Confidence.CONFIRMED,
    )
    assert first.authority.matched_sha256 == f"key:{real(prefix).spki_sha256}"


def without_keys():
    """The shipped registry as it would be had no key been published."""
    return dataclasses.replace(shipped(), signers=())


@pytest.mark.parametrize(("prefix", "identity"), KAZAKH.items())
def test_a_kazakh_root_with_unknown_hash_and_key_is_recognised_by_family(prefix, identity):
    first = found(re_keyed(real(prefix), key=True), registry=without_keys())[0]
    assert (first.authority.id, first.authority.match, first.confidence) == (
        identity,
        "family",
        Confidence.LIKELY,
    )
    assert first.traits
    assert first.authority.matched_sha256 == ""


@pytest.mark.parametrize("prefix", SIGNATURE_PKI)
def test_the_state_signature_pki_is_never_called_interception(prefix):
    certificate = real(prefix)
    for seen, registry in (
        (certificate, shipped()),
        (re_keyed(certificate), shipped()),
        (re_keyed(certificate, key=True), shipped()),
        (re_keyed(certificate, key=True), without_keys()),
    ):
        results = found(seen, registry=registry)
        assert {one.authority.kind for one in results} <= {"state_pki"}
    assert found(certificate)[0].authority.id == "kz-nuc-rk"


@pytest.mark.parametrize("prefix", ["9ba06354b6266417", "a7064abc5699827f", "af77725f8328bb24"])
def test_the_shared_serial_trait_alone_does_not_make_an_interceptor(prefix):
    certificate = re_keyed(real(prefix), key=True)
    assert serial_is_key_id_top_bit_cleared(certificate)
    (family, *_) = found(certificate, registry=without_keys())
    assert (family.authority.id, family.authority.match) == ("kz-nuc-rk", "family")


@pytest.mark.skipif(not CERTS.is_dir(), reason="the real certificates (../shared/certs) are not here")
def test_every_real_certificate_is_known_with_its_kind():
    for certificate in real_certificates():
        known = shipped().by_sha256[certificate.sha256]
        first = found(certificate)[0]
        assert first.authority.id == known.authority
        assert first.authority.kind == shipped().authorities[known.authority].kind
        assert first.confidence is Confidence.CONFIRMED


def public_roots() -> list[Certificate]:
    text = "".join(c.decode() for name, c in truststore_files().items() if name.endswith(".pem"))
    return [
        parse_pem(block[block.index("-----BEGIN") :])
        for block in text.split("-----END CERTIFICATE-----")
        if "-----BEGIN" in block
    ]


def test_no_public_root_is_ever_attributed():
    roots = public_roots()
    assert len(roots) > 100
    for root in roots:
        assert found(root) == (), root.subject
        leaf = dataclasses.replace(make(SITE, "CN=x", signer=rsa_key("x")), issuer=root.subject)
        assert found(leaf, root) == (), root.subject


def test_a_signature_of_a_known_key_is_found_though_the_root_is_not_sent():
    registry, (key, root) = look_alike()
    leaf = make(SITE, QAZNET, key=ec_key("leaf"), signer=key)
    (first, *_) = found(leaf, registry=registry)
    assert (first.authority.id, first.authority.match, first.confidence) == (
        "look-alike",
        "signature",
        Confidence.CONFIRMED,
    )
    assert first.authority.matched_sha256 == f"key:{root.spki_sha256}"
    assert first.position == 0


def test_a_signature_is_found_behind_another_name_and_an_intermediate():
    registry, (key, _) = look_alike()
    other = make("CN=Renamed", "CN=Nobody", key=rsa_key("middle"), signer=key)
    leaf = make(SITE, "CN=Renamed", key=ec_key("leaf"), signer=rsa_key("middle"))
    (first,) = found(leaf, other, registry=registry)
    assert (first.authority.match, first.position) == ("signature", 1)


def test_a_signature_is_found_by_the_authority_key_identifier():
    registry, (key, _) = look_alike(kind="state_pki")
    aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    leaf = make(SITE, "CN=Renamed", key=ec_key("leaf"), signer=key, extensions=[(aki, False)])
    (first,) = found(leaf, registry=registry)
    assert (first.authority.kind, first.authority.match) == ("state_pki", "signature")
    unnamed = make(SITE, "CN=Renamed", key=ec_key("leaf"), signer=key)
    assert (
        found(unnamed, registry=registry) == ()
    )  # a state PKI's key is not tried unless something points to it


def look_alike(kind: str = "state_interception", bits: int = 2048):
    key = rsa_key("look-alike", bits)
    ski = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    root = make(QAZNET, key=key, length=timedelta(days=7), extensions=[(ski, False)])

    entry = (MINIMAL % b"look-alike").decode().replace("state_interception", kind) + (
        f'[[certificates]]\nrole = "root"\nsubject = "{QAZNET}"\nsha256 = "{root.sha256}"\n'
        f'subject_key_id = "{ski.digest.hex()}"\n'
        f'public_key = "{base64.b64encode(spki(key)).decode()}"\n'
    )
    return parse_registry({"authorities/look-alike.toml": entry.encode()}), (key, root)


def test_a_look_alike_is_likely_by_its_whole_names_until_an_overlay_says_more():
    registry, (key, root) = look_alike()
    middle = make(
        "C=KZ, CN=Security Certificate", QAZNET, key=rsa_key("middle"), signer=key, length=timedelta(days=7)
    )
    leaf = make(SITE, "C=KZ, CN=Security Certificate", key=ec_key("leaf"), signer=rsa_key("middle"))
    (only,) = found(leaf, middle, root)
    assert (only.authority.id, only.authority.match, only.confidence) == (
        "kz-qaznet",
        "family",
        Confidence.LIKELY,
    )
    assert only.traits == ("security-certificate-issuer-name",)
    (confirmed,) = found(leaf, middle, root, registry=registry)
    assert (confirmed.authority.match, confirmed.confidence, confirmed.position) == (
        "certificate",
        Confidence.CONFIRMED,
        2,
    )


def test_the_order_in_which_a_chain_is_sent_does_not_matter():
    registry, (key, root) = look_alike()
    middle = make("CN=Middle", QAZNET, key=rsa_key("middle"), signer=key)
    leaf = make(SITE, "CN=Middle", key=ec_key("leaf"), signer=rsa_key("middle"))
    for chain in ((leaf, middle, root), (leaf, root, middle), (leaf, root, root, middle)):
        assert found(*chain, registry=registry)[0].confidence is Confidence.CONFIRMED


def test_a_known_root_beside_a_leaf_that_it_did_not_sign_proves_nothing():
    root = real("00309c736dd661da")
    self_signed = make(SITE)
    (only,) = found(self_signed, root)
    assert (only.confidence, only.traits, only.position) == (Confidence.SUSPECTED, (UNLINKED,), 1)
    assert only.authority.match == "name"
    assert only.authority.matched_sha256 == f"certificate:{root.sha256}"
    forged_name = make(SITE, QAZNET, key=ec_key("leaf"), signer=rsa_key("not the root's"))
    results = found(forged_name, root)
    assert {one.confidence for one in results} == {Confidence.SUSPECTED}
    assert results[0].traits == ("^C=KZ, ?CN=Qaznet Trust Network$",)


def test_a_family_beside_a_leaf_that_it_did_not_sign_proves_nothing():
    root = re_keyed(real("0bd39de4793cdc11"), key=True)
    (only,) = found(make(SITE), root, registry=without_keys())
    assert (only.authority.id, only.authority.match, only.confidence) == (
        "kz-isca",
        "name",
        Confidence.SUSPECTED,
    )
    assert only.traits == ("isca-root", UNLINKED)


def test_every_authority_is_named_once_with_its_strongest_match():
    results = found(real("0bd39de4793cdc11"), real("c530fadc9bfa265e"), real("00309c736dd661da"))
    assert [one.authority.id for one in results] == ["kz-isca", "kz-qaznet"]
    assert [one.confidence for one in results] == [Confidence.CONFIRMED, Confidence.SUSPECTED]


def eleventh_root():
    """A root as the family makes them, of an unknown key; and its key, serial and extensions."""
    key = rsa_key("eleventh", 4096)
    ski = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    serial = int.from_bytes(ski.digest) & ((1 << 159) - 1)
    extensions = [(ski, False), (usage("key_cert_sign", "crl_sign"), True)]
    root = make(ISCA, key=key, serial=serial, length=timedelta(days=7305), extensions=extensions)
    return root, key, serial, extensions


def test_an_unknown_root_of_the_family_beside_an_unrelated_leaf_is_a_name():
    root, *_ = eleventh_root()
    (only,) = found(make(SITE), root)
    assert (only.authority.match, only.confidence) == ("name", Confidence.SUSPECTED)
    assert only.traits == ("isca-root", UNLINKED)


def test_an_unknown_root_of_the_family_is_likely():
    root, key, serial, extensions = eleventh_root()
    leaf = make(SITE, ISCA, key=ec_key("leaf"), signer=key)
    (first, *_) = found(leaf, root)
    assert (first.authority.id, first.authority.match, first.confidence) == (
        "kz-isca",
        "family",
        Confidence.LIKELY,
    )
    assert first.traits == ("isca-root",)
    renamed = make(
        "CN=Something Else, C=KZ",
        key=key,
        serial=serial,
        start=datetime(2020, 2, 28, 5, tzinfo=UTC),
        extensions=extensions,
    )
    (first, *_) = found(renamed)
    assert (first.authority.id, first.traits) == ("kz-isca", ("minted-2020-02-28",))
    another_day = make("CN=Something Else, C=KZ", key=key, serial=serial, extensions=extensions)
    assert found(another_day) == ()


def test_75_days_under_an_isca_name_are_likely_and_76_are_a_name():
    issuer = "C=KZ, O=ISCA, CN=ISCA Intermediate 3"
    for seconds, match in ((6_480_000, "family"), (6_480_001, "name")):
        leaf = make(SITE, issuer, key=ec_key("leaf"), signer=rsa_key("x"), length=timedelta(seconds=seconds))
        assert validity_seconds(leaf) == seconds
        assert [one.authority.match for one in found(leaf) if one.authority.id == "kz-isca"] == [match]


@pytest.mark.parametrize(
    ("issuer", "identity", "trait"),
    [
        (ISCA, "kz-isca", "isca-issuer-name"),
        ("C=KZ, O=ISCA, CN=Information Security Certification Authority", "kz-isca", "isca-issuer-name"),
        (
            "C=KZ, ST=Nur-Sultan, L=Nur-Sultan, O=ISCA, CN=Information Security Certification Authority",
            "kz-isca",
            "isca-issuer-name-2021",
        ),
        (
            "CN=Information Security Certification Authority CA, O=ISCA, C=KZ",
            "kz-isca-ca-2020",
            "isca-ca-issuer-name",
        ),
        (QAZNET, "kz-qaznet", "qaznet-issuer-name"),
        ("C=KZ, CN=Security Certificate", "kz-qaznet", "security-certificate-issuer-name"),
    ],
)
def test_a_leaf_alone_under_the_whole_name_is_likely(issuer, identity, trait):
    """As the two of OONI's seven whose root is in no list: the key is not known, the name is."""
    first = found(make(SITE, issuer, key=ec_key("leaf"), signer=rsa_key("x")))[0]
    assert (first.authority.id, first.authority.match) == (identity, "family")
    assert (first.confidence, first.traits) == (Confidence.LIKELY, (trait,))


@pytest.mark.parametrize(
    "issuer",
    [
        "O=ISCA, CN=Information Security Certification Authority",
        "C=DE, O=ISCA, CN=Information Security Certification Authority",
        "C=KZ, O=ISCA, CN=Information Security Certification Authority, OU=Test",
        "C=KZ, O=ISCA, CN=information security certification authority",
        "C=KZ, O=Acme, CN=Security Certificate",
        "C=KZ, CN=Security Certificates",
        "C=KZ, CN=Our Qaznet Trust Network",
        "C=KZ, CN=ҰЛТТЫҚ КУӘЛАНДЫРУШЫ ОРТАЛЫҚ (RSA)",
    ],
)
def test_a_name_that_is_not_the_whole_one_is_never_likely(issuer):
    results = found(make(SITE, issuer, key=ec_key("leaf"), signer=rsa_key("x")))
    assert {one.confidence for one in results} <= {Confidence.SUSPECTED}


@pytest.mark.parametrize(
    ("issuer", "named"),
    [
        ("C=KZ, O=ISCA, CN=Gateway", True),
        ("CN=Gateway, O=ISCA, C=KZ", True),
        ("C=KZ, ST=Nur-Sultan, L=Nur-Sultan, O=ISCA, CN=Gateway", True),
        ("O=Other, CN=Information Security Certification Authority", True),
        ("C=DE, O=ISCA, CN=ISCA Root", False),
        ("O=ISCA, CN=ISCA Root", False),
        ("C=KZ, O=ISCA LLP, CN=Gateway", False),
        ("C=KZ, O=NISCA, CN=Gateway", False),
    ],
)
def test_an_organisation_of_four_letters_is_named_with_its_country(issuer, named):
    """Others have the same initials, who intercept nobody in Kazakhstan."""
    results = found(make(SITE, issuer, key=ec_key("leaf"), signer=rsa_key("x")))
    assert ("kz-isca" in {one.authority.id for one in results}) is named


def test_a_root_of_the_whole_name_is_no_more_than_a_name_without_a_leaf_under_it():
    (only,) = [one for one in found(make(QAZNET, key=rsa_key("new"))) if one.authority.id == "kz-qaznet"]
    assert (only.authority.match, only.confidence) == ("name", Confidence.SUSPECTED)


def test_whole_names_are_told_apart_from_structure():
    traits = {t.id: t for t in shipped().authorities["kz-isca"].traits}
    assert traits["isca-root"].is_structural
    assert not traits["isca-issuer-name"].is_structural


def test_a_name_beside_a_leaf_that_does_not_lead_to_it_proves_nothing():
    vendor = "O=AO Kaspersky Lab, CN=Kaspersky Anti-Virus Personal Root Certificate"
    (stray,) = found(make(SITE), make(vendor, key=rsa_key("av")))
    assert (stray.authority.id, stray.authority.match) == ("av-kaspersky", "name")
    assert stray.traits[-1] == UNLINKED
    middle = make("CN=Middle", vendor, key=rsa_key("middle"), signer=rsa_key("av"))
    (led,) = found(make(SITE, "CN=Middle", key=ec_key("leaf"), signer=rsa_key("x")), make(vendor), middle)
    assert UNLINKED not in led.traits


def test_a_leaf_of_2019_is_likely_by_its_exponent():
    forged = make(SITE, "C=KZ, CN=Security Certificate", key=rsa_key("e3", exponent=3), signer=rsa_key("x"))
    (first,) = found(forged)
    assert (first.authority.id, first.authority.match, first.traits) == (
        "kz-qaznet",
        "family",
        ("qaznet-leaf",),
    )


@pytest.mark.parametrize(
    ("issuer", "identity", "kind"),
    [
        (
            "O=AO Kaspersky Lab, CN=Kaspersky Anti-Virus Personal Root Certificate",
            "av-kaspersky",
            "antivirus",
        ),
        ("O=Avast Web/Mail Shield, CN=Avast Web/Mail Shield Root", "av-avast", "antivirus"),
        ("CN=mitmproxy, O=mitmproxy", "dev-mitmproxy", "developer_proxy"),
        ("C=US, O=Fortinet, CN=FGT60", "mb-fortinet", "commercial_middlebox"),
        ("CN=core1.netops.test, OU=Packetland", "es-digi-packetland", "isp_interception"),
        ("CN=Superfish, O=Superfish, Inc.", "superfish", "adware"),
        ("C=RU, CN=Russian Trusted Sub CA", "ru-mincifry", "state_pki"),
    ],
)
def test_products_are_named_by_their_issuer_and_only_suspected(issuer, identity, kind):
    issuer_key = rsa_key("product")
    leaf = make(
        SITE, issuer.replace("Superfish, Inc.", "Superfish,Inc."), key=ec_key("leaf"), signer=issuer_key
    )
    if identity == "superfish":  # a comma inside a value; as attributes, not as text
        leaf = dataclasses.replace(
            leaf, issuer=Name(b"superfish", (NameAttribute("2.5.4.10", "Superfish, Inc."),))
        )
    (only,) = found(leaf)
    assert (only.authority.id, only.authority.kind, only.confidence) == (identity, kind, Confidence.SUSPECTED)


def test_a_vendors_own_site_is_not_the_vendors_product():
    genuine = make(
        "C=US, O=Fortinet, CN=www.fortinet.com", "C=US, O=DigiCert Inc, CN=Some CA", signer=rsa_key("x")
    )
    assert found(genuine) == ()


def test_a_trusted_chain_is_looked_up_by_hash_only():
    named = make("CN=mitmproxy, O=mitmproxy")
    assert found(named)[0].authority.id == "dev-mitmproxy"
    assert found(named, trusted=True) == ()
    assert found(real("00309c736dd661da"), trusted=True)[0].confidence is Confidence.CONFIRMED


def test_nothing_is_found_in_nothing():
    assert found() == ()
    assert found(parse_certificate(b"")) == ()
    assert found(parse_certificate(b"garbage"), parse_certificate(b"\x30\x03\x02\x01\x01")) == ()


def test_an_ecdsa_signer_and_one_without_fixed_length():

    root_key = ec_key("root")
    entry = (MINIMAL % b"ec").decode() + (
        f'[[certificates]]\nrole = "root"\npublic_key = "{base64.b64encode(spki(root_key)).decode()}"\n'
    )
    registry = parse_registry({"authorities/ec.toml": entry.encode()})
    signed = make(SITE, "CN=Unknown", key=rsa_key("x"), signer=root_key)
    assert found(signed, registry=registry)[0].authority.match == "signature"
    assert not signature_fits(make(SITE), registry.signers[0])


@pytest.mark.parametrize("bits", [1024, 2048, 4096])
def test_signatures_are_told_by_their_length(bits):
    key = rsa_key("length", bits)
    signed = make(SITE, "CN=Unknown", key=ec_key("leaf"), signer=key)
    for other in (1024, 2048, 4096):
        registry, _ = look_alike(bits=other) if other != 2048 else look_alike()
        assert signature_fits(signed, registry.signers[0]) is (bits == other)


def test_a_short_key_has_a_short_header():
    registry, _ = look_alike()
    signer = dataclasses.replace(registry.signers[0], signature_octets=64)
    certificate = dataclasses.replace(make(SITE), der=b"\x30\x03\x41\x00" + bytes(64))
    assert signature_fits(certificate, signer)


def test_the_number_of_signatures_tried_is_bounded():
    class Counting(CertificateCache):
        tried = 0

        def signature(self, child, spki, spki_sha256=None):
            Counting.tried += 1
            return super().signature(child, spki, spki_sha256)

    stranger = rsa_key("stranger", 4096)
    chain = [make(f"CN={i}", f"CN={i + 1}", key=stranger, signer=stranger, serial=i + 1) for i in range(20)]
    assert attribute(chain, registry=shipped(), cache=Counting()) == ()
    links = MAX_CERTIFICATES - 1
    assert links < Counting.tried <= links + MAX_SIGNATURE_CHECKS


def key_of(certificate: Certificate) -> PublicKey:
    assert certificate.public_key is not None
    return certificate.public_key


def hostile(text: str, count: int) -> Certificate:
    name = Name(text[:50].encode(), tuple(NameAttribute("2.5.4.3", text) for _ in range(count)))
    return dataclasses.replace(make(SITE), issuer=name, subject=name)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("x" * 10_000_000, 1),
        ("C=KZ, CN=" * 100_000, 3),
        ("Sophos SSL CA_" * 10_000, 500),
        ("ca." * 100_000 + "goskope.co", 40),
        ("\u202eKZ\u202d, O=ISCA", 2),
        ("", 1000),
    ],
)
def test_names_of_strangers_do_not_slow_anything(text, count):
    certificate = hostile(text, count)
    began = time.perf_counter()
    found(certificate, certificate)
    assert time.perf_counter() - began < 0.2


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_any_octets_are_attributed_to_nobody(ders):
    cache = CertificateCache()
    assert attribute([cache.parse(der) for der in ders], registry=shipped(), cache=cache) == ()


@pytest.mark.skipif(not CERTS.is_dir(), reason="the real certificates (../shared/certs) are not here")
@given(st.integers(0, 28), st.integers(0, 400), st.integers(1, 255))
def test_a_damaged_copy_of_a_known_certificate_is_never_taken_for_it(which, where, change):
    original = real_certificates()[which]
    damaged = bytearray(original.der)
    damaged[where] ^= change
    for one in found(parse_certificate(bytes(damaged))):
        if one.authority.match == "certificate":
            pytest.fail("a hash matched that cannot match")
        if one.authority.match == "key":
            assert parse_certificate(bytes(damaged)).spki_sha256 == original.spki_sha256


def test_interception_kinds_are_all_but_the_state_pki_and_the_harmless_ones():
    assert set(Kind) - INTERCEPTION_KINDS == {Kind.STATE_PKI, *HARMLESS_KINDS}


def test_a_key_without_rsa_matches_no_rsa_trait():
    key = ed25519.Ed25519PrivateKey.generate()
    odd = make(SITE, "C=KZ, CN=Security Certificate", key=key, signer=rsa_key("x"))
    assert key_of(odd).exponent is None
    assert [one.traits for one in found(odd)] == [("security-certificate-issuer-name",)]


def test_a_trusted_chain_costs_next_to_nothing():
    chain = [make(SITE), make("CN=a", serial=2), make("CN=b", serial=3)]
    registry, cache = shipped(), CertificateCache()
    rounds = 2000
    best = min(timed(rounds, chain, registry, cache) for _ in range(5))
    assert best / rounds < 20e-6  # 2 µs where nothing else runs


def timed(rounds, chain, registry, cache):
    began = time.perf_counter()
    for _ in range(rounds):
        attribute(chain, registry=registry, cache=cache, trusted=True)
    return time.perf_counter() - began


def test_a_trait_needs_a_key_identifier_of_the_right_length_and_dates():
    bare = make(SITE)
    assert not serial_is_key_id_top_bit_cleared(bare)
    assert not serial_is_key_id_top_bit_cleared(dataclasses.replace(bare, subject_key_id=b"1234"))
    assert validity_seconds(dataclasses.replace(bare, not_after=None)) is None


CONDITIONS = [
    ('subject_has = ["CN=www.example.com"]', True),
    ('issuer_order = ["CN"]', True),
    ('issuer_order = ["C", "CN"]', False),
    ("issuer_pattern = '^CN=www'", True),
    ("subject_pattern = '^CN=vvv'", False),
    ('subject_has = ["2.5.4.3=www.example.com"]', True),
    ("self_issued = false", False),
    ("is_ca = false", True),
    ("is_ca = true", False),
    ("rsa_exponent = 65537", True),
    ('key_usage = ["crl_sign"]', False),
    ("validity_days = [90, 90]", True),
    ("validity_days = [91, 92]", False),
    ("not_before_date = 2024-01-01", True),
    ("serial_is_key_id_top_bit_cleared = false", True),
]


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS)
def test_conditions_of_traits(condition, holds):
    text = (MINIMAL % b"xx").decode() + f'[[traits]]\nid = "t"\nkey = ["rsa2048"]\n{condition}\n'
    registry = parse_registry({"authorities/xx.toml": text.encode()})
    assert bool(found(make(SITE), registry=registry)) is holds

"""What a root is: an alarm only for what cannot be forged, and never for a public root."""

import base64
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from chain_factory import SERVER_AUTH
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from registry_tools import ec_key, make, real, real_certificates, rsa_key, shipped, spki

from kzmitm.pki.baseline import pinned_baseline, read_baseline
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.kinds import Kind
from kzmitm.pki.parse import parse_certificate
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.root_class import RootClass, classify
from kzmitm.pki.root_limits import Limit, limits_of
from kzmitm.pki.store import parse_store
from kzmitm.resources import fingerprint_files, truststore_files

NOW = datetime(2026, 11, 26, tzinfo=UTC)
QAZNET, SUPERFISH = "00309c736dd661da", "b6fe9151402bad1c"
BASELINE = pinned_baseline(truststore_files())
pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length")
SYSTEM = Path("/etc/ssl/certs/ca-certificates.crt")
DEBIAN = Path("/usr/share/ca-certificates/mozilla")
ADDED = Path("/usr/local/share/ca-certificates")


def found(certificate, registry=None, baseline=BASELINE):
    return classify(
        certificate,
        registry=registry or shipped(),
        baseline=baseline,
        cache=CertificateCache(),
        now=NOW,
    )


def short(certificate, **keys):
    finding = found(certificate, **keys)
    return finding.root_class, finding.match, finding.is_alarm


def registry_with(kind, certificate, *, public_key=None, extra="", country="KZ"):
    """The shipped registry and an authority that knows a certificate by its key."""
    key = f'public_key = "{base64.b64encode(public_key).decode()}"\n' if public_key else ""
    entry = (
        f'id = "a-test"\nkind = "{kind}"\ncountry = "{country}"\n[names]\nen = "A Test"\n[[certificates]]\n'
        f'role = "root"\nsubject = "{certificate.subject}"\n'
        f'spki_sha256 = "{certificate.spki_sha256}"\n{key}{extra}'
    )
    return parse_registry({**fingerprint_files(), "authorities/a-test.toml": entry.encode()})


# --- the real ones


@pytest.mark.parametrize(
    ("prefix", "expected", "authority"),
    [
        (QAZNET, RootClass.STATE_INTERCEPTION, "kz-qaznet"),
        ("61c0fc2e38b5b6f9", RootClass.STATE_INTERCEPTION, "kz-isca-ca-2020"),
        ("0230a604d99220e5", RootClass.STATE_INTERCEPTION, "kz-isca"),
        ("235150de7df7db2e", RootClass.STATE_INTERCEPTION, "kz-isca"),
        (SUPERFISH, RootClass.LEAKED_KEY, "superfish"),
        ("ec30c9c3065a06bb", RootClass.LEAKED_KEY, "dell-edellroot"),
        ("0f912fd7be760be2", RootClass.LEAKED_KEY, "dell-edellroot"),
        ("7e92d13dc13c9187", RootClass.LEAKED_KEY, "test-badssl-mitm"),
        ("9ba06354b6266417", RootClass.STATE_PKI, "kz-nuc-rk"),
        ("af77725f8328bb24", RootClass.STATE_PKI, "kz-nuc-rk"),
        ("d26d2d0231b7c39f", RootClass.OTHER_STATE_PKI, "ru-mincifry"),
        ("2155785036c900db", RootClass.OTHER_STATE_PKI, "ru-mincifry"),
        ("cd33139e005818b9", RootClass.INCIDENT, "cn-2020-nsp"),
    ],
)
def test_the_real_certificates(prefix, expected, authority):
    finding = found(real(prefix))
    assert (finding.root_class, finding.match, finding.authority.id) == (expected, "certificate", authority)
    assert finding.is_alarm == (expected in {RootClass.STATE_INTERCEPTION, RootClass.LEAKED_KEY})


def test_every_real_one_is_an_alarm_exactly_if_its_authority_intercepts_or_its_key_is_public():
    certificates = real_certificates()
    if not certificates:
        pytest.skip("the real certificates (../shared/certs) are not here")
    for certificate in certificates:
        known = shipped().by_sha256[certificate.sha256]
        intercepts = shipped().authorities[known.authority].kind is Kind.STATE_INTERCEPTION
        assert found(certificate).is_alarm == (intercepts or known.private_key_public)


def test_whose_private_keys_are_public_is_said_by_the_registry():
    keys = Counter(
        one.authority
        for entry in shipped().authorities.values()
        for one in entry.certificates
        if one.private_key_public
    )
    assert keys == {
        "superfish": 1,
        "dell-edellroot": 2,
        "sennheiser-headsetup": 2,
        "mitel-shipped-keys": 4,
        "cyberoam-default-key": 1,
        "test-badssl-mitm": 1,
    }


# --- public roots


def bundle(path):
    return parse_store(path.read_bytes(), name="x", version="", date="").anchors


def test_no_pinned_root_is_an_alarm_or_has_a_name():
    for anchor in bundle_of_mozilla():
        finding = found(anchor)
        assert (finding.root_class, finding.match, finding.authority) == (
            RootClass.PUBLIC,
            "certificate",
            None,
        )
        assert finding.programmes
        assert not finding.is_alarm


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's ca-certificates is not here")
def test_every_root_of_debian_is_public_or_was():
    paths = sorted(DEBIAN.glob("*.crt"))
    assert len(paths) > 100
    for path in paths:
        for anchor in bundle(path):
            assert found(anchor).root_class in {RootClass.PUBLIC, RootClass.FORMERLY_PUBLIC}, path


def added_here():
    """What somebody added to this computer, which may be in its bundles, too."""
    return {one.sha256 for path in ADDED.glob("**/*.crt") for one in bundle(path)}


def certifi_bundle():
    certifi = pytest.importorskip("certifi")
    return Path(certifi.where())


@pytest.mark.parametrize("path", [lambda: SYSTEM, certifi_bundle], ids=["system", "certifi"])
def test_the_bundles_of_this_computer_give_no_alarm(path):
    if not path().is_file():
        pytest.skip("Debian's bundle is not here")
    added = added_here()
    for anchor in bundle(path()):
        finding = found(anchor)
        assert not finding.is_alarm
        if anchor.sha256 not in added:
            assert finding.root_class in {RootClass.PUBLIC, RootClass.FORMERLY_PUBLIC}, anchor.subject


def test_a_public_key_in_another_certificate_is_still_public():
    """Re-issued with another date, as authorities do; only they have the private key."""
    anchor = next(one for one in bundle_of_mozilla() if one.public_key.kind == "rsa")
    again = reissued(anchor, subject="O=Superfish, CN=Superfish")
    finding = found(again)
    assert (finding.root_class, finding.match, finding.authority) == (RootClass.PUBLIC, "key", None)
    assert finding.programmes == BASELINE.programmes(anchor.sha256)


def bundle_of_mozilla():
    return parse_store(truststore_files()["mozilla.pem"], name="x", version="", date="").anchors


class Public:
    """Somebody else's key, of which only the public half is there."""

    def __init__(self, encoded):
        self._key = load_der_public_key(encoded)

    def public_key(self):
        return self._key


def reissued(certificate, *, subject):
    encoded = CertificateCache().anatomy(certificate).spki
    return make(subject, "CN=Somebody", key=Public(encoded), signer=rsa_key("somebody"))


def test_a_root_that_programmes_block_is_formerly_public_and_says_so():
    certificate = make("CN=Whoever")
    other = make("CN=X", key=ec_key("x")).spki_sha256
    rows = [
        {"sha256": certificate.sha256, "blocked_by": ["p"]},
        {"sha256": "0" * 64, "spki_sha256": other},
    ]
    head = {"source": "", "snapshot": "2026-01-01", "programmes": {"p": {"fetched": "2026-01-01"}}}
    text = json.dumps({**head, "roots": rows})
    baseline = read_baseline(text.encode(), name="x")
    finding = found(certificate, baseline=baseline)
    assert (finding.root_class, finding.blocked_by) == (RootClass.FORMERLY_PUBLIC, ("p",))
    by_key = found(make("CN=Y", key=ec_key("x")), baseline=baseline)
    assert (by_key.root_class, by_key.match) == (RootClass.FORMERLY_PUBLIC, "key")


# --- keys before names


def test_a_known_key_in_another_certificate_is_found():
    again = reissued(real(QAZNET), subject="CN=A friendly name")
    assert short(again) == (RootClass.STATE_INTERCEPTION, "key", True)
    assert short(reissued(real(SUPERFISH), subject="CN=X")) == (RootClass.LEAKED_KEY, "key", True)
    assert short(reissued(real("9ba06354"), subject="CN=X")) == (RootClass.STATE_PKI, "key", False)


def test_an_intermediate_that_a_known_key_signed_is_found():
    known = make("CN=The Root", key=rsa_key("known"))
    below = make("CN=Below", "CN=The Root", key=rsa_key("below"), signer=rsa_key("known"))
    under_another_name = make("CN=Below", "CN=Nobody", key=rsa_key("below"), signer=rsa_key("known"))
    key = spki(rsa_key("known"))
    registry = registry_with("state_interception", known, public_key=key)
    for certificate in (below, under_another_name):
        assert short(certificate, registry=registry) == (RootClass.STATE_INTERCEPTION, "signature", True)
    leaked = registry_with("adware", known, public_key=key, extra="private_key_public = true\n")
    assert short(below, registry=leaked) == (RootClass.LEAKED_KEY, "signature", True)
    signatures = registry_with("state_pki", known, public_key=key)
    assert short(below, registry=signatures) == (RootClass.STATE_PKI, "signature", False)
    assert short(below, registry=registry_with("state_pki", known, public_key=key, country="BY"))[0] is (
        RootClass.OTHER_STATE_PKI
    )


def test_a_public_root_that_an_interceptor_signed_again_is_found():
    known = make("CN=The Root", key=rsa_key("known"))
    anchor = next(one for one in bundle_of_mozilla() if one.public_key.kind == "rsa")
    public = Public(CertificateCache().anatomy(anchor).spki)
    crossed = make("CN=Anchor", "CN=The Root", key=public, signer=rsa_key("known"))
    registry = registry_with("state_interception", known, public_key=spki(rsa_key("known")))
    finding = found(crossed, registry=registry)
    assert (finding.root_class, finding.match, finding.is_alarm) == (
        RootClass.STATE_INTERCEPTION,
        "signature",
        True,
    )
    assert finding.programmes


def test_a_certificate_known_by_its_sha1_only():
    certificate = make("CN=X")
    entry = (
        'id = "a-test"\nkind = "state_interception"\n[names]\nen = "A"\n[[certificates]]\nrole = "root"\n'
        f'sha1 = "{certificate.sha1}"\n'
    )
    registry = parse_registry({**fingerprint_files(), "authorities/a-test.toml": entry.encode()})
    assert short(certificate, registry=registry) == (RootClass.STATE_INTERCEPTION, "certificate", True)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (kind, RootClass.PRODUCT)
        for kind in ("antivirus", "commercial_middlebox", "developer_proxy", "isp_interception", "adware")
    ]
    + [("incident_ca", RootClass.INCIDENT)],
)
def test_products_and_incidents_by_key_are_no_alarm(kind, expected):
    certificate = make("CN=X", key=rsa_key("product"))
    assert short(certificate, registry=registry_with(kind, certificate)) == (expected, "key", False)


# --- names


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("C=KZ, CN=Qaznet Trust Network", RootClass.INTERCEPTION_NAME_ONLY),
        ("C=KZ, CN=Security Certificate", RootClass.INTERCEPTION_NAME_ONLY),
        ("CN=Information Security Certification Authority, O=ISCA, C=KZ", RootClass.INTERCEPTION_NAME_ONLY),
        ("CN=НЕГІЗГІ КУӘЛАНДЫРУШЫ ОРТАЛЫҚ (RSA), C=KZ", RootClass.STATE_PKI),
        ("C=RU, CN=Russian Trusted Root CA", RootClass.OTHER_STATE_PKI),
        ("CN=eDellRoot", RootClass.INCIDENT),
        ("O=avast! Web/Mail Shield, CN=avast! Web/Mail Shield Root", RootClass.PRODUCT),
        ("C=PortSwigger, O=PortSwigger, CN=PortSwigger CA", RootClass.PRODUCT),
        ("O=Cyberoam Certificate Authority, CN=X", RootClass.PRODUCT),
    ],
)
def test_a_name_with_an_unknown_key_is_told_and_never_an_alarm(subject, expected):
    finding = found(make(subject, key=rsa_key("named")))
    assert (finding.root_class, finding.match, finding.is_alarm) == (expected, "name", False)
    assert finding.authority.match == "name"


def test_the_template_of_the_interceptor_is_a_name_too():
    """A structural trait is `family` on the wire; whoever reads the registry can fulfil it."""
    root = real(QAZNET)
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=True, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    copy = make(
        "C=KZ, CN=Qaznet Trust Network",
        key=rsa_key("copy", 4096),
        start=root.not_before,
        length=root.not_after - root.not_before,
        extensions=[(x509.BasicConstraints(ca=True, path_length=None), True), (usage, True)],
    )
    assert short(copy) == (RootClass.INTERCEPTION_NAME_ONLY, "name", False)


def test_the_subject_of_an_intermediate_counts_as_well():
    below = make("C=PortSwigger, O=PortSwigger, CN=PortSwigger CA", "CN=Nobody", signer=rsa_key("nobody"))
    assert short(below) == (RootClass.PRODUCT, "name", False)


def test_what_nobody_knows_is_local():
    finding = found(make("CN=Our company"))
    assert (finding.root_class, finding.match, finding.authority) == (RootClass.UNKNOWN_LOCAL, "", None)
    assert (finding.programmes, finding.blocked_by) == ((), ())


# --- limits


def limited(*extensions: x509.ExtensionType, **keys):
    return set(limits_of(make("CN=X", extensions=[(one, True) for one in extensions], **keys), NOW))


CA = x509.BasicConstraints(ca=True, path_length=None)


def test_limits_are_told():
    always = {Limit.EXPIRED}  # the certificates of these tests are of 2024
    names = x509.NameConstraints([x509.DNSName("example.org")], None)
    assert limited(CA) == always
    assert limited(CA, names) == always | {Limit.NAME_CONSTRAINTS}
    assert limited(x509.BasicConstraints(ca=True, path_length=0)) == always | {Limit.PATH_LENGTH}
    assert limited() == always | {Limit.NOT_CA}
    mail, server = ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.SERVER_AUTH
    assert server.dotted_string == SERVER_AUTH
    assert limited(CA, x509.ExtendedKeyUsage([mail])) == always | {Limit.NO_SERVER_AUTH}
    assert limited(CA, x509.ExtendedKeyUsage([mail, server])) == always | {Limit.EXT_KEY_USAGE}
    assert limited(CA, key=rsa_key("short", 1024)) == always | {Limit.WEAK_KEY}
    curves = {ec.SECP256R1(): always, ec.SECP192R1(): always | {Limit.WEAK_KEY}}
    for curve, expected in curves.items():
        assert limited(CA, key=ec.generate_private_key(curve), signer=rsa_key("any")) == expected
    assert limited(CA, key=ed25519.Ed25519PrivateKey.generate(), signer=rsa_key("any")) == always


def test_dates_are_judged_at_a_time_that_is_given():
    certificate = make("CN=X", extensions=[(CA, True)])
    assert limits_of(certificate, None) == ()
    assert limits_of(certificate, datetime(2024, 2, 1, tzinfo=UTC)) == ()
    assert limits_of(certificate, datetime(2023, 2, 1, tzinfo=UTC)) == ("not_yet_valid",)
    assert limits_of(certificate, NOW) == ("expired",)


def test_limits_of_real_ones():
    assert found(real(SUPERFISH)).constraints == ("weak_key", "weak_signature")
    assert found(real("d26d2d0231b7c39f")).constraints == ("path_length",)


# --- hostile


def test_hostile_names_change_nothing():
    for subject in ("CN=\x1b[2J\u202eKZ\r\nC=KZ", "CN=" + "x" * 50_000):
        assert short(make(subject)) == (RootClass.UNKNOWN_LOCAL, "", False)
    huge = make("CN=" + "x" * 1_000_000)
    finding = found(huge)
    assert (finding.root_class, "malformed" in finding.constraints) == (RootClass.UNKNOWN_LOCAL, True)


def test_a_known_certificate_that_cannot_be_taken_apart_is_still_known():
    rubbish = parse_certificate(b"0\x80garbage")
    entry = (
        'id = "a-test"\nkind = "state_interception"\n[names]\nen = "A"\n[[certificates]]\nrole = "root"\n'
        f'sha256 = "{rubbish.sha256}"\n'
    )
    registry = parse_registry({**fingerprint_files(), "authorities/a-test.toml": entry.encode()})
    assert short(rubbish, registry=registry) == (RootClass.STATE_INTERCEPTION, "certificate", True)
    assert short(rubbish) == (RootClass.UNKNOWN_LOCAL, "", False)


SAMPLE = make("C=KZ, CN=Qaznet Trust Network", key=rsa.generate_private_key(65537, 2048)).der


@given(st.lists(st.tuples(st.integers(0, 900), st.binary(max_size=4)), max_size=5), st.integers(0, 1000))
def test_no_octets_make_it_raise_or_alarm(changes, length):
    octets = bytearray(SAMPLE)
    for at, content in changes:
        octets[at : at + len(content)] = content
    assert not found(parse_certificate(bytes(octets[:length]))).is_alarm

"""Authorities that no browser trusts and nobody intercepts with: their entries, and who is taken for one."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from registry_tools import FACTS, MINIMAL, ec_key, make, rsa_key, shipped, spki

from kzmitm.errors import FingerprintError
from kzmitm.model.verdict import Confidence
from kzmitm.ooni.candidates import candidates
from kzmitm.pki.attribution import attribute
from kzmitm.pki.baseline import pinned_baseline
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.harmless import explains
from kzmitm.pki.kinds import HARMLESS_KINDS, Kind
from kzmitm.pki.parse import parse_certificate
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.root_class import RootClass, classify
from kzmitm.pki.store import pinned_store
from kzmitm.resources import truststore_files

STAGING_E5 = base64.b64decode("""
MIIC+TCCAn6gAwIBAgIRALsLMmYmumZXPLxlfli+TPYwCgYIKoZIzj0EAwMwaDELMAkGA1UEBhMCVVMxMzAxBgNVBAoTKihTVEFHSU5H
KSBJbnRlcm5ldCBTZWN1cml0eSBSZXNlYXJjaCBHcm91cDEkMCIGA1UEAxMbKFNUQUdJTkcpIEJvZ3VzIEJyb2Njb2xpIFgyMB4XDTI0
MDMxMzAwMDAwMFoXDTI3MDMxMjIzNTk1OVowUjELMAkGA1UEBhMCVVMxIDAeBgNVBAoTFyhTVEFHSU5HKSBMZXQncyBFbmNyeXB0MSEw
HwYDVQQDExgoU1RBR0lORykgUHNldWRvIFBsdW0gRTUwdjAQBgcqhkjOPQIBBgUrgQQAIgNiAATljbbcV+mqWZa3g+z0bDOuBpZOtbi4
8iK9rjLtPdRU0WsgVp53MW3nXFU6qVYVzEYaYd6PSmec0Tj3R5zEp5/F+cuOjTdh3AkTMzYm1tkflocPBN5APHYZ+76WxZadq+WjggEA
MIH9MA4GA1UdDwEB/wQEAwIBhjAdBgNVHSUEFjAUBggrBgEFBQcDAgYIKwYBBQUHAwEwEgYDVR0TAQH/BAgwBgEB/wIBADAdBgNVHQ4E
FgQU/EbRAUNfu3umPTBorhG64LxtydMwHwYDVR0jBBgwFoAU3tGjWWQOwZo2o0busBB2766XlWYwNgYIKwYBBQUHAQEEKjAoMCYGCCsG
AQUFBzAChhpodHRwOi8vc3RnLXgyLmkubGVuY3Iub3JnLzATBgNVHSAEDDAKMAgGBmeBDAECATArBgNVHR8EJDAiMCCgHqAchhpodHRw
Oi8vc3RnLXgyLmMubGVuY3Iub3JnLzAKBggqhkjOPQQDAwNpADBmAjEAmGGwa5ICwFmrpPJ0ddaiALj4X8OG+naJXKcchmpGViTC/2/w
F2cpfKM9V+uJFek6AjEAoRvQWKnOKZ7KtfX8ozEkwQ0zyKYSW6+eVfrb4v3PgeXfdDMjRK9kmE5Tf/SP+ECE
""")
"""letsencrypt.org/certs/staging/2024/e5.pem: an intermediate whose root is in the registry."""

SITE = "CN=site.test"
DROPPED = datetime(2020, 6, 1, tzinfo=UTC)


def entry(kind, more="", *, top="", key="harmless"):
    """An authority of that kind with one root; `more` is about the root."""
    text = (MINIMAL % b"xx").decode().replace("state_interception", kind) + (
        f'[[certificates]]\nrole = "root"\nsubject = "CN=Root"\n'
        f'public_key = "{base64.b64encode(spki(rsa_key(key))).decode()}"\n{more}\n'
    )
    return {"authorities/xx.toml": f"{top}\n{text}".encode()}


def signed_by(registry, *, start=DROPPED - timedelta(days=9), key="harmless", **options):
    leaf = make(
        SITE, "CN=Root", key=ec_key("leaf"), signer=rsa_key(key), start=start, san=["site.test"], **options
    )
    found = attribute((leaf,), registry=registry, cache=CertificateCache())
    return leaf, next(iter(found), None)


FORMER = f"public_until = {DROPPED:%Y-%m-%d}"


@pytest.mark.parametrize(
    ("kind", "more", "days", "explained"),
    [
        ("origin_ca", "", 900, True),
        ("test_ca", "", 900, True),
        ("former_ca", FORMER, -900, True),
        ("former_ca", FORMER, 0, True),
        ("former_ca", FORMER, 1, False),
        ("former_ca", f'{FORMER}\ncarried_by = ["apple"]', 900, True),
    ],
)
def test_a_key_explains_what_it_signed_as_long_as_somebody_looks_after_it(kind, more, days, explained):
    registry = parse_registry(entry(kind, more))
    leaf, found = signed_by(registry, start=DROPPED + timedelta(days=days))
    assert (found.authority.match, found.authority.kind) == ("signature", kind)
    assert found.confidence is Confidence.CONFIRMED
    assert explains(found, leaf, registry) is explained


@pytest.mark.parametrize("kind", ["origin_ca", "former_ca"])
def test_a_name_explains_nothing(kind):
    registry = parse_registry(
        entry(kind, FORMER if kind == "former_ca" else "", top='subject_patterns = ["CN=Root"]')
    )
    leaf, found = signed_by(registry, key="a forger")
    assert (found.authority.match, found.confidence) == ("name", Confidence.SUSPECTED)
    assert not explains(found, leaf, registry)


def test_of_an_authoritys_certificate_nobody_can_tell_when_the_leaf_was_made():
    registry = parse_registry(entry("former_ca", FORMER))
    leaf, found = signed_by(registry)
    assert explains(found, leaf, registry)
    middle = parse_certificate(STAGING_E5)
    assert middle.is_ca
    assert not explains(found, middle, registry)


def test_a_former_one_that_the_registry_knows_by_an_old_hash_only_explains_nothing():
    known = make("CN=Root", key=rsa_key("harmless"))
    registry = parse_registry(
        {
            "authorities/xx.toml": (MINIMAL % b"xx").replace(b"state_interception", b"former_ca")
            + f'[[certificates]]\nrole = "root"\nsha1 = "{known.sha1}"\n{FORMER}\n'.encode()
        }
    )
    (found,) = attribute((known,), registry=registry, cache=CertificateCache())
    assert found.authority.match == "certificate"
    assert not explains(found, known, registry)


WRONG = {
    "traits": (entry("origin_ca", "[[traits]]\nid = 't'\nkey = ['rsa2048']"), "xx.toml: traits", "copied"),
    "public key": (entry("test_ca", "private_key_public = true"), "[0].private_key_public", "harmless"),
    "no end": (entry("former_ca"), "certificates[0].public_until", "missing"),
    "end of another kind": (entry("origin_ca", FORMER), "certificates[0].public_until", "former_ca"),
    "carried interceptor": (
        entry("state_interception", 'carried_by = ["apple"]'),
        "certificates[0].carried_by",
        "former_ca",
    ),
    "incident of an interceptor": (
        entry("state_interception", 'incident = "xx"'),
        "certificates[0].incident",
        "former_ca",
    ),
    "unknown incident": (
        entry("former_ca", f'{FORMER}\nincident = "yy"'),
        "certificates[0].incident",
        "not in the registry",
    ),
    "a moment": (entry("former_ca", "public_until = 2020-01-01T00:00:00Z"), "public_until", "a date"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_entry_that_would_excuse_too_much_is_refused(name):
    files, where, what = WRONG[name]
    with pytest.raises(FingerprintError) as raised:
        parse_registry(files)
    assert where in str(raised.value)
    assert what in str(raised.value)


def harmless():
    for authority in shipped().authorities.values():
        if authority.kind in HARMLESS_KINDS:
            yield from authority.certificates


def test_every_harmless_authority_is_known_by_a_key_that_nobody_can_have_found():
    found = list(harmless())
    assert len(found) > 150
    for known in found:
        assert known.public_key is not None
        assert known.key_kind == "ec" or known.signature_octets >= 256, known.subject
        assert known.sha256 is not None


def test_an_intermediate_of_a_test_authority_is_known_by_its_signature():
    middle = parse_certificate(STAGING_E5)
    (found,) = attribute((middle,), registry=shipped(), cache=CertificateCache())
    assert (found.authority.id, found.authority.kind) == ("test-lets-encrypt", Kind.TEST_CA)
    assert (found.authority.match, found.confidence) == ("signature", Confidence.CONFIRMED)


def test_former_roots_are_public_ones_with_the_keys_that_another_list_has_for_them():
    baseline = pinned_baseline(truststore_files())
    store = pinned_store(truststore_files(), "mozilla")
    pinned = {anchor.spki_sha256 for anchor in store.anchors}
    former = shipped().authorities["former-public-roots"].certificates
    for known in former:
        root = baseline.roots[known.sha256]
        assert root.spki_sha256 in (None, known.spki_sha256)
        assert known.spki_sha256 not in pinned
        assert not (known.carried_by and root.blocked_by)
        assert set(known.carried_by) <= set(root.trusted_by)
    names = {known.name for known in former}
    assert {"StartCom Certification Authority", "GeoTrust Global CA", "CNNIC ROOT"} < names
    assert all(known.name for known in former)


@pytest.mark.skipif(not FACTS.is_dir(), reason="the facts (../shared/facts) are not here")
def test_what_was_only_ever_blocked_is_no_former_authority():
    """The collection has Superfish and the forged leaves of 2011 beside what programmes carried."""
    former = {known.sha256 for known in shipped().authorities["former-public-roots"].certificates}
    names = {
        root.sha256
        for root in pinned_baseline(truststore_files()).roots.values()
        if any(word in (root.subject or "") for word in ("Superfish", "DigiNotar", "MCSHOLDING", "eDell"))
    }
    assert names
    assert not names & former


def classified(certificate):
    return classify(
        certificate,
        registry=shipped(),
        baseline=pinned_baseline(truststore_files()),
        cache=CertificateCache(),
    )


def test_an_authority_for_tests_in_a_trust_store_is_named_and_not_called_an_interceptor():
    found = classified(parse_certificate(STAGING_E5))
    assert (found.root_class, found.match) == (RootClass.UNKNOWN_LOCAL, "signature")
    assert found.authority.id == "test-lets-encrypt"


def test_a_root_below_which_an_authority_was_misused_is_told_by_that():
    """By a copy with its key, as the certificate itself is not here."""
    registry = parse_registry(
        {
            **entry("former_ca", f'{FORMER}\nincident = "yy"'),
            "authorities/yy.toml": (MINIMAL % b"yy").replace(b"state_interception", b"incident_ca"),
        }
    )
    root = make("CN=Root", key=rsa_key("harmless"))
    baseline = pinned_baseline(truststore_files())
    found = classify(root, registry=registry, baseline=baseline, cache=CertificateCache())
    assert (found.root_class, found.authority.id) == (RootClass.INCIDENT, "yy")
    quiet = parse_registry(entry("former_ca", FORMER))
    found = classify(root, registry=quiet, baseline=baseline, cache=CertificateCache())
    assert (found.root_class, found.authority) == (RootClass.UNKNOWN_LOCAL, None)


def test_rows_of_former_authorities_are_no_candidates():
    former = shipped().authorities["former-public-roots"].certificates[0]
    row = {
        "measurement_uid": "20240901151413.637888_KZ_webconnectivity_c351db70f739197a",
        "tls_end_entity_certificate_fingerprint": former.sha256,
        "tls_end_entity_certificate_issuer": "CN=(STAGING) Pretend Pear X1,C=US",
    }
    assert list(candidates([row], shipped())) == []


def test_no_harmless_certificate_makes_a_verified_chain_worth_a_look():
    wanted = set(shipped().suspects())
    assert wanted
    assert not wanted & {known.sha256 for known in harmless()}


def test_in_a_trusted_chain_nobody_asks_for_harmless_roots():
    """Servers send old roots along by the million: no signature is checked for their sake."""
    registry = parse_registry(entry("former_ca", FORMER))
    root = make("CN=Root", key=rsa_key("harmless"))
    leaf, _ = signed_by(registry)
    cache = CertificateCache()
    assert attribute((leaf, root), registry=registry, cache=cache, trusted=True) == ()
    (found,) = attribute((leaf, root), registry=registry, cache=cache)
    assert (found.authority.match, found.position) == ("key", 1)
    suspect = parse_registry(entry("incident_ca"))
    (found,) = attribute((leaf, root), registry=suspect, cache=cache, trusted=True)
    assert found.authority.match == "key"

"""How forged leaves relate to the genuine ones, in the scan's own words."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID
from hypothesis import given
from hypothesis import strategies as st

from kzmitm import resources
from kzmitm.lab.certificates.forging import LeafRule, forge, near_serial, new_key
from kzmitm.lab.certificates.look_alike import LookAlikeCA
from kzmitm.lab.certificates.pki import Leaf, PublicCA, distinguished_name, ec_key
from kzmitm.pki.fields import SANRelation, SerialRelation, SubjectRelation, ValidityRelation
from kzmitm.pki.forgers import match_forgers
from kzmitm.pki.parse import parse_certificate
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.relations import relate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SITE = "social.lab.test"


@pytest.fixture(scope="module")
def issuer():
    return LookAlikeCA(NOW).intermediate


@pytest.fixture(scope="module")
def genuine():
    return PublicCA(NOW).issue(Leaf(hostname=SITE)).certificate


@pytest.fixture(scope="module")
def keys():
    return {rule: new_key(rule) for rule in LeafRule}


def relations(forged, genuine, issuer):
    parsed = [parse_certificate(one.public_bytes(Encoding.DER)) for one in (forged, genuine, issuer)]
    return relate(parsed[0], parsed[1], issuer=parsed[2], sni="www.social.lab.test", seen_at=NOW)


@pytest.mark.parametrize(
    ("rule", "key", "shift_h"), [(LeafRule.EARLY_2019, "rsa1024", -6), (LeafRule.LATE_2019, "rsa2048", -24)]
)
def test_leaves_of_2019(rule, key, shift_h, issuer, genuine, keys):
    forged = forge(genuine, issuer=issuer, rule=rule, key=keys[rule])
    found = relations(forged.certificate, genuine, issuer.certificate)
    assert (found.subject, found.san) == (SubjectRelation.COPIED, SANRelation.COPIED)
    assert found.serial is SerialRelation.LOW_BITS
    assert found.serial_low_bits <= 33
    assert found.validity is ValidityRelation.SHIFT
    assert found.validity_shift_s == shift_h * 3600
    assert (found.key, found.exponent, found.key_equals_issuer_key) == (key, 3, False)
    assert found.extensions == (ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string,)
    forged.certificate.verify_directly_issued_by(issuer.certificate)


def test_leaf_of_2024_has_the_genuine_dates(issuer, genuine, keys):
    forged = forge(genuine, issuer=issuer, rule=LeafRule.OF_2024, key=keys[LeafRule.OF_2024])
    found = relations(forged.certificate, genuine, issuer.certificate)
    assert (found.validity, found.serial) == (ValidityRelation.EQUAL, SerialRelation.UNRELATED)
    assert (found.key, found.exponent) == ("rsa2048", 65537)
    assert len(found.extensions) == 6


def test_chain_is_without_the_root_unless_it_is_asked_for(issuer, genuine, keys):
    rule = LeafRule.LATE_2019
    short = forge(genuine, issuer=issuer, rule=rule, key=keys[rule])
    whole = forge(genuine, issuer=issuer, rule=rule, key=keys[rule], with_root=True)
    assert short.chain == (issuer.certificate,)
    assert whole.chain == (issuer.certificate, *issuer.chain)


@pytest.mark.parametrize("rule", LeafRule)
def test_genuine_leaf_without_names(rule, issuer, keys):
    key = ec_key()
    bare = (
        x509.CertificateBuilder()
        .subject_name(distinguished_name(CN="old.test"))
        .issuer_name(distinguished_name(CN="old.test"))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    forged = forge(bare, issuer=issuer, rule=rule, key=keys[rule]).certificate
    assert forged.subject == bare.subject
    assert ExtensionOID.SUBJECT_ALTERNATIVE_NAME not in {one.oid for one in forged.extensions}


@given(st.integers(-(2**170), 2**170))
def test_serials_differ_in_their_low_bits_only(number):
    near = near_serial(number)
    assert near > 0
    assert near.bit_length() <= 159
    if 0 < number < 2**159:
        assert near != number
        assert (near ^ number).bit_length() <= 33


@pytest.mark.parametrize("rule", [LeafRule.EARLY_2019, LeafRule.LATE_2019])
def test_scan_finds_the_forger_of_the_rule(rule, issuer, genuine, keys):
    forged = forge(genuine, issuer=issuer, rule=rule, key=keys[rule]).certificate
    found = match_forgers(
        relations(forged, genuine, issuer.certificate),
        shared_key=False,
        registry=parse_registry(resources.fingerprint_files()),
    )
    assert [forger.id for forger in found][:1] == [f"kazakhstan-{rule}"]

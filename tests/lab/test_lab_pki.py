"""The laboratory's certificates: like real ones where it matters, harmless where it must."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtensionOID

from kzmitm.lab.certificates.extensions import COMMENT, NETSCAPE_COMMENT
from kzmitm.lab.certificates.look_alike import LookAlikeCA
from kzmitm.lab.certificates.pki import Credential, Leaf, PublicCA, pem

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def public_ca() -> PublicCA:
    return PublicCA(NOW)


@pytest.fixture(scope="module")
def look_alike() -> LookAlikeCA:
    return LookAlikeCA(NOW)


@pytest.fixture(scope="module")
def genuine(public_ca: PublicCA) -> Credential:
    return public_ca.issue(Leaf(hostname="social.lab.test"))


@pytest.fixture(scope="module")
def forged(look_alike: LookAlikeCA, genuine: Credential) -> Credential:
    return look_alike.forge(genuine.certificate)


def test_every_authority_is_constrained_short_lived_and_says_what_it_is(
    public_ca: PublicCA, look_alike: LookAlikeCA
):
    for ca in (public_ca.root, public_ca.issuing, look_alike.root, look_alike.intermediate):
        certificate = ca.certificate
        constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints)
        assert constraints.critical
        assert constraints.value.permitted_subtrees is not None
        assert [str(name.value) for name in constraints.value.permitted_subtrees] == [
            "test",
            "127.0.0.0/8",
            "203.0.113.0/24",
            "198.51.100.0/24",
            "::1/128",
            "fd77::/16",
        ]
        assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=7)
        comment = certificate.extensions.get_extension_for_oid(NETSCAPE_COMMENT).value
        assert isinstance(comment, x509.UnrecognizedExtension)
        assert comment.value[2:].decode() == COMMENT
        assert comment.value[1] == len(COMMENT) < 128
        assert "LAB" in certificate.subject.rfc4514_string()


def test_look_alike_has_the_names_of_the_chain_of_2019(look_alike: LookAlikeCA):
    names = [ca.certificate.subject.rfc4514_string() for ca in (look_alike.intermediate, look_alike.root)]
    assert names == [
        "CN=Security Certificate,O=LAB LOOK-ALIKE,C=KZ",
        "CN=Qaznet Trust Network,O=LAB LOOK-ALIKE,C=KZ",
    ]


def test_leaf_of_the_public_authority_looks_like_one_of_today(genuine: Credential):
    found = {extension.oid for extension in genuine.certificate.extensions}
    assert found >= {
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    }
    scts = genuine.certificate.extensions.get_extension_for_class(
        x509.PrecertificateSignedCertificateTimestamps
    )
    assert len(list(scts.value)) == 2
    lifetime = genuine.certificate.not_valid_after_utc - genuine.certificate.not_valid_before_utc
    assert lifetime == timedelta(days=90)


def test_forged_leaf_is_that_of_2019(genuine: Credential, forged: Credential):
    leaf, original = forged.certificate, genuine.certificate
    assert leaf.subject == original.subject
    assert [extension.oid for extension in leaf.extensions] == [ExtensionOID.SUBJECT_ALTERNATIVE_NAME]
    assert 0 < abs(leaf.serial_number - original.serial_number).bit_length() <= 33
    assert original.not_valid_before_utc - leaf.not_valid_before_utc == timedelta(hours=24)
    assert original.not_valid_after_utc - leaf.not_valid_after_utc == timedelta(hours=24)
    key = leaf.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert (key.key_size, key.public_numbers().e) == (2048, 3)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_openssl_accepts_sites_of_the_laboratory_and_no_others(look_alike: LookAlikeCA, tmp_path: Path):
    inside = PublicCA(NOW).issue(Leaf(hostname="social.lab.test"))
    outside = PublicCA(NOW).issue(Leaf(hostname="www.example.org"))
    results = [
        openssl_verifies(look_alike, look_alike.forge(leaf.certificate), tmp_path)
        for leaf in (inside, outside)
    ]
    assert results[0] == (True, "")
    assert results[1][0] is False
    assert "permitted subtree violation" in results[1][1]


def openssl_verifies(look_alike: LookAlikeCA, leaf: Credential, folder: Path) -> tuple[bool, str]:
    files = {"root": look_alike.root, "intermediate": look_alike.intermediate, "leaf": leaf}
    for name, credential in files.items():
        (folder / name).write_bytes(pem(credential.certificate))
    paths = {name: str(folder / name) for name in files}
    done = subprocess.run(
        ["openssl", "verify", "-attime", str(int(NOW.timestamp())), "-CAfile", paths["root"],
         "-untrusted", paths["intermediate"], paths["leaf"]],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode == 0, done.stderr


def test_keys_are_not_in_the_representation(forged: Credential):
    assert "key=" not in repr(forged)
    assert isinstance(load_pem_private_key(forged.key_pem, None), rsa.RSAPrivateKey)

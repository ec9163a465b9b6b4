"""A signature is checked again later as it was on the spot, and nothing else passes for one."""

import dataclasses
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from forged_server import MemoryServer, client, converse, message, openssl_context, vec
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.model.observation import Proof, ProofKind
from kzmitm.wire.iana.alerts import alert_name
from kzmitm.wire.iana.groups import group_name
from kzmitm.wire.iana.suites import suite_name
from kzmitm.wire.iana.versions import version_name
from kzmitm.wire.proof import SERVER_CONTEXT, check_signature, leaf_public_key, verify_proof

CLIENT, SERVER = bytes(range(32)), bytes(range(32, 64))
TRANSCRIPT = message(1, b"\x03\x03" + CLIENT) + message(2, b"\x03\x03" + SERVER) + message(11, b"chain")
SIGNED13 = SERVER_CONTEXT + hashlib.sha256(TRANSCRIPT).digest()
SIGNED12 = CLIENT + SERVER + b"parameters"


def _proof(scheme: int, signature: bytes, *, tls13: bool = False, **changes) -> Proof:
    proof = Proof(
        kind=ProofKind.TLS13 if tls13 else ProofKind.TLS12,
        scheme=scheme,
        signature=signature,
        signed=SIGNED13 if tls13 else SIGNED12,
        client_random=CLIENT,
        server_random=SERVER,
        verified=None,
        transcript=TRANSCRIPT if tls13 else b"",
    )
    return dataclasses.replace(proof, **changes)


def _md5_sha1(key, signed: bytes) -> bytes:
    """PKCS #1 v1.5 without a DigestInfo, by hand: the raw private operation on a padded block."""
    block = hashlib.md5(signed).digest() + hashlib.sha1(signed).digest()  # noqa: S324 - TLS 1.1 has it
    numbers = key.private_numbers()
    size = key.key_size // 8
    padded = b"\x00\x01" + b"\xff" * (size - 3 - len(block)) + b"\x00" + block
    power = pow(int.from_bytes(padded, "big"), numbers.d, numbers.public_numbers.n)
    return power.to_bytes(size, "big")


HASHES = {2: hashes.SHA1(), 3: hashes.SHA224(), 4: hashes.SHA256(), 5: hashes.SHA384(), 6: hashes.SHA512()}  # noqa: S303 - TLS 1.2 has it


@pytest.mark.parametrize("number", HASHES)
def test_the_schemes_of_tls12(identity, number):
    rsa, p256, dsa = identity("rsa"), identity("p256"), identity("dsa")
    algorithm = HASHES[number]
    signature = rsa.key.sign(SIGNED12, padding.PKCS1v15(), algorithm)
    assert verify_proof(_proof(number << 8 | 1, signature), rsa.chain[0]) is True
    assert verify_proof(_proof(number << 8 | 1, signature), p256.chain[0]) is False
    assert verify_proof(_proof((number ^ 1) << 8 | 1, signature), rsa.chain[0]) is False
    signature = p256.key.sign(SIGNED12, ec.ECDSA(algorithm))
    assert verify_proof(_proof(number << 8 | 3, signature), p256.chain[0]) is True
    assert verify_proof(_proof(number << 8 | 3, signature), rsa.chain[0]) is False
    signature = dsa.key.sign(SIGNED12, algorithm)
    assert verify_proof(_proof(number << 8 | 2, signature), dsa.chain[0]) is True
    assert verify_proof(_proof(number << 8 | 3, signature), dsa.chain[0]) is False


@pytest.mark.parametrize(
    ("low", "algorithm"), [(4, hashes.SHA256()), (5, hashes.SHA384()), (6, hashes.SHA512())]
)
def test_pss(identity, low, algorithm):
    who = identity("rsa")
    signature = who.key.sign(SIGNED13, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), algorithm)
    for scheme in (0x0800 | low, 0x0800 | low + 5):
        assert verify_proof(_proof(scheme, signature, tls13=True), who.chain[0]) is True
    short = who.key.sign(SIGNED13, padding.PSS(padding.MGF1(algorithm), 8), algorithm)
    assert verify_proof(_proof(0x0800 | low, short, tls13=True), who.chain[0]) is False


def test_md5_with_sha1(identity):
    who = identity("rsa")
    signature = _md5_sha1(who.key, SIGNED12)
    assert verify_proof(_proof(0xFF01, signature), who.chain[0]) is True
    assert verify_proof(_proof(0xFF01, signature, signed=SIGNED12 + b"x"), who.chain[0]) is False
    assert verify_proof(_proof(0xFF01, bytes(256)), who.chain[0]) is False
    assert verify_proof(_proof(0xFF01, b"short"), who.chain[0]) is False


@pytest.mark.parametrize(("kind", "scheme"), [("ed25519", 0x0807), ("ed448", 0x0808)])
def test_edwards_curves(identity, kind, scheme):
    who = identity(kind)
    assert verify_proof(_proof(scheme, who.key.sign(SIGNED13), tls13=True), who.chain[0]) is True
    assert verify_proof(_proof(scheme, who.key.sign(SIGNED12)), who.chain[0]) is True
    assert verify_proof(_proof(scheme ^ 0x0F, who.key.sign(SIGNED12)), who.chain[0]) is False


def test_tls13_binds_the_curve_to_the_hash_and_knows_no_older_scheme(identity):
    who = identity("p256")
    signature = who.key.sign(SIGNED13, ec.ECDSA(hashes.SHA384()))
    assert verify_proof(_proof(0x0503, signature, tls13=True), who.chain[0]) is False
    signature = who.key.sign(SIGNED12, ec.ECDSA(hashes.SHA384()))
    assert verify_proof(_proof(0x0503, signature), who.chain[0]) is True
    rsa = identity("rsa")
    signature = rsa.key.sign(SIGNED13, padding.PKCS1v15(), hashes.SHA256())
    assert verify_proof(_proof(0x0401, signature, tls13=True), rsa.chain[0]) is False
    assert verify_proof(_proof(0x0403, signature, tls13=True), rsa.chain[0]) is False


def test_the_nonce_must_stand_where_a_server_puts_it(identity):
    who = identity("ed25519")

    def proof(transcript: bytes, **changes) -> Proof:
        signed = SERVER_CONTEXT + hashlib.sha256(transcript).digest()
        changes = {"signed": signed, "transcript": transcript, **changes}
        return _proof(0x0807, who.key.sign(changes["signed"]), tls13=True, **changes)

    assert verify_proof(proof(TRANSCRIPT), who.chain[0]) is True
    other = message(1, b"\x03\x03" + bytes(32) + CLIENT) + message(2, b"\x03\x03" + SERVER)
    assert verify_proof(proof(other), who.chain[0]) is False
    assert verify_proof(proof(TRANSCRIPT, server_random=bytes(32)), who.chain[0]) is False
    assert (
        verify_proof(dataclasses.replace(proof(TRANSCRIPT), transcript=TRANSCRIPT + b"x"), who.chain[0])
        is False
    )
    assert verify_proof(proof(TRANSCRIPT, signed=b"x" * 130), who.chain[0]) is False
    assert verify_proof(proof(TRANSCRIPT, signed=b"short"), who.chain[0]) is False
    assert verify_proof(proof(b""), who.chain[0]) is False
    longer = SERVER_CONTEXT + hashlib.sha384(TRANSCRIPT).digest()
    assert verify_proof(proof(TRANSCRIPT, signed=longer), who.chain[0]) is True
    moved = _proof(0x0807, who.key.sign(SERVER + CLIENT), signed=SERVER + CLIENT)
    assert verify_proof(moved, who.chain[0]) is False


def test_a_handshake_proves_nothing_about_another(identity):
    proofs = []
    for _ in range(2):
        driver = client()
        converse(driver, MemoryServer(openssl_context(identity("p256"))))
        proofs.append(driver._findings.proof)
    leaf = identity("p256").chain[0]
    mixed = dataclasses.replace(proofs[0], client_random=proofs[1].client_random)
    assert verify_proof(mixed, leaf) is False
    mixed = dataclasses.replace(proofs[0], signature=proofs[1].signature)
    assert verify_proof(mixed, leaf) is False


# Keys of certificates that `cryptography` does not load


def _odd_certificate(spki: bytes, *, version: bool = True) -> bytes:
    """The shape of a certificate around a key, with fields that no parser takes for valid."""

    def element(tag: int, body: bytes) -> bytes:
        size = len(body)
        length = bytes((size,)) if size < 128 else b"\x82" + size.to_bytes(2, "big")
        return bytes((tag,)) + length + body

    fields = b"".join(element(tag, b"\xff\x00") for tag in (2, 0x30, 0x30, 0x30, 0x30))
    start = element(0xA0, b"\x02\x01\x07") if version else b""
    return element(0x30, element(0x30, start + fields + spki) + b"junk")


@pytest.mark.parametrize("version", [True, False])
def test_the_key_of_a_broken_certificate_is_still_used(identity, version):
    who = identity("rsa")
    spki = who.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    odd = _odd_certificate(spki, version=version)
    signature = who.key.sign(SIGNED12, padding.PKCS1v15(), hashes.SHA256())
    assert verify_proof(_proof(0x0401, signature), odd) is True
    for end in range(len(odd) - 4):
        assert leaf_public_key(odd[:end]) is None


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"0",
        b"0\x82",
        b"garbage",
        b"0\x80\x00\x00",
        b"0\x84\xff\xff\xff\xff" + bytes(20),
        b"\x30\x14" + b"\x30\x04" + b"\x02\x00" * 9,
    ],
)
def test_no_key_is_neither_true_nor_false(leaf):
    assert leaf_public_key(leaf) is None
    assert verify_proof(_proof(0x0401, b""), leaf) is None


@given(leaf=st.binary(max_size=200))
def test_any_octets_for_a_leaf(leaf):
    assert check_signature(leaf, ProofKind.TLS12, 0x0401, b"", b"") in (None, False)


X25519_SPKI = bytes.fromhex("302a300506032b656e032100") + bytes(range(32))


def test_a_key_that_cannot_sign_made_nothing():
    assert check_signature(_odd_certificate(X25519_SPKI), ProofKind.TLS12, 0x0401, b"", b"") is False


def test_names_of_what_is_not_registered():
    assert alert_name(200) == "unknown"
    assert group_name(0x4242) == "0x4242"
    assert suite_name(0xFFFF) == "TLS_CIPHER_SUITE_UNKNOWN_65535"
    assert version_name(0x0505) == "TLS_VERSION_UNKNOWN_1285"
    assert len(vec(b"", 2)) == 2

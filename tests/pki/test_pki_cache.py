"""The cache: once per certificate, once per signature, bounded."""

import chain_factory as cf
from chain_factory import intermediate, leaf, root

from kzmitm.pki.cache import LRU, MAX_OCTETS, CertificateCache

ROOT = root()
CA = intermediate(ROOT)


def test_a_certificate_is_parsed_once():
    cache = CertificateCache()
    assert cache.parse(CA.der) is cache.parse(bytes(bytearray(CA.der)))


def test_memory_is_bounded():
    cache = CertificateCache(max_entries=4)
    parsed = [cache.parse(ROOT.der[:-2] + n.to_bytes(2, "big")) for n in range(100)]
    assert len(cache._anatomies) == 4
    assert cache.parse(parsed[99].der) is parsed[99]
    assert cache.parse(parsed[0].der) is not parsed[0]
    assert cache.anatomy(parsed[0]).certificate == parsed[0]


def test_large_certificates_push_out_the_others():
    cache = CertificateCache()
    for number in range(40):
        cache.parse(bytes(MAX_OCTETS // 8) + bytes((number,)))
        assert sum(len(parts.certificate.der) for parts in cache._anatomies.values()) <= MAX_OCTETS
    assert len(cache._anatomies) == 7
    huge = cache.parse(bytes(MAX_OCTETS * 2))
    assert cache.parse(huge.der) is huge


def test_the_oldest_goes_first():
    lru: LRU[int, str] = LRU(2)
    lru.put(1, "a")
    lru.put(2, "b")
    assert lru.get(1) == "a"
    lru.put(3, "c")
    assert (lru.get(1), lru.get(2), lru.get(3), len(lru)) == ("a", None, "c", 2)


def test_signatures():
    cache = CertificateCache()
    anchor, ca, end = (cache.parse(c.der) for c in (ROOT, CA, leaf(CA)))
    assert cache.is_signed_by(ca, anchor)
    assert cache.is_signed_by(anchor, anchor)
    assert not cache.is_signed_by(end, anchor)
    assert cache.is_signed_by_key(end, CA.spki)
    assert not cache.is_signed_by_key(end, ROOT.spki)
    assert not cache.is_signed_by_key(end, b"no key")
    assert not cache.is_signed_by(end, cache.parse(b"no certificate"))


def test_a_signature_is_verified_once():
    cache = CertificateCache()
    child = cache.parse(CA.der)
    digest = cache.parse(ROOT.der).spki_sha256
    assert digest is not None
    assert cache.known_signature(child, digest) is None
    assert cache.is_signed_by_key(child, ROOT.spki)
    assert cache.known_signature(child, digest) == (True,)
    cache._keys = LRU(1)
    assert cache.is_signed_by_key(child, ROOT.spki)
    assert len(cache._keys) == 0


def test_keys_of_every_kind_sign():
    cache = CertificateCache()
    keys = [cf.rsa_key(), cf.ed25519.Ed25519PrivateKey.generate(), cf.ed448.Ed448PrivateKey.generate()]
    keys += [cf.ec.generate_private_key(curve) for curve in (cf.ec.SECP384R1(), cf.ec.SECP521R1())]
    for key in keys:
        anchor = root(key=key)
        assert cache.is_signed_by(cache.parse(leaf(anchor).der), cache.parse(anchor.der)), key


def test_algorithms_that_are_not_the_key_s():
    cache = CertificateCache()
    rsa_root, ec_root = root(key=cf.rsa_key()), root()
    strange = cf.seq(cf.oid("1.2.3.4"))
    for anchor, algorithm in (
        (rsa_root, cf.ECDSA_SHA256),
        (ec_root, cf.RSA_SHA256),
        (rsa_root, strange),
        (ec_root, strange),
        (root(key=cf.ed25519.Ed25519PrivateKey.generate()), strange),
        (ec_root, b"\x30\x00"),
    ):
        child = cache.parse(leaf(anchor, algorithm=algorithm, signature=b"\x00" * 64).der)
        assert cache.signature(child, anchor.spki) is None


def test_pss_parameters():
    anchor = root(key=cf.rsa_key())
    cache = CertificateCache()
    pss_oid = cf.oid("1.2.840.113549.1.1.10")
    odd = {
        "defaults are SHA-1": cf.seq(pss_oid, cf.seq()),
        "unknown hash": cf.pss("1.2.3.4"),
        "unknown mask": cf.pss(mask="1.2.3.4"),
        "other mask function": cf.seq(
            pss_oid, cf.seq(cf.tlv(0xA1, cf.seq(cf.oid("1.2.3"), cf.seq(cf.oid("2.16.840.1.101.3.4.2.1")))))
        ),
        "negative salt": cf.pss(salt=-1),
        "unknown field": cf.seq(pss_oid, cf.seq(cf.tlv(0xA7))),
        "no parameters": cf.seq(pss_oid),
        "hash with parameters": cf.seq(
            pss_oid, cf.seq(cf.tlv(0xA0, cf.seq(cf.oid("2.16.840.1.101.3.4.2.1"), b"\x05\x00")))
        ),
    }
    for name, algorithm in odd.items():
        child = cache.parse(leaf(anchor, algorithm=algorithm, signature=bytes(256)).der)
        assert cache.signature(child, anchor.spki) is not True, name
    good = cache.parse(leaf(anchor, algorithm=cf.pss()).der)
    assert cache.signature(good, anchor.spki) is True

"""Whatever is presented, a judgement is made and hangs together; nothing is raised, nothing is warned of."""

import ssl
from datetime import timedelta
from pathlib import Path

import chain_factory as cf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.path import validate_path
from kzmitm.pki.report import REASONS, NameStatus, PathStatus, Profile, TimeStatus
from kzmitm.pki.store import pinned_store
from kzmitm.resources import truststore_files

REAL = sorted((Path(__file__).parents[3] / "shared" / "certs").glob("*.pem"))

KEYS = [cf.ec_key() for _ in range(3)]
ANCHOR = cf.root(key=KEYS[0], extra=[cf.name_constraints(["DNS:example.com"])])
CA = cf.intermediate(ANCHOR, key=KEYS[1], extra=[cf.policies("1.2.3"), cf.policy_constraints(0)])
LEAF = cf.leaf(CA, key=KEYS[2], extra=[cf.policies("1.2.3")])
GOOD = [LEAF.der, CA.der, ANCHOR.der]


@st.composite
def damaged(draw) -> list[bytes]:
    chain = [bytearray(der) for der in GOOD]
    for _ in range(draw(st.integers(0, 3))):
        der = chain[draw(st.integers(0, 2))]
        der[draw(st.integers(0, 10_000)) % len(der)] = draw(st.integers(0, 255))
    return [bytes(der) for der in draw(st.permutations(chain))]


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(damaged(), st.lists(st.binary(max_size=64), max_size=4)),
    st.sampled_from(list(Profile)),
    st.sampled_from([-10_000, 0, 10_000]),
    st.sampled_from([None, "example.com", "", "\0", "192.0.2.1"]),
)
def test_judgements_hang_together(chain, profile, days, hostname):
    cache = CertificateCache()
    report = validate_path(
        [cache.parse(der) for der in chain],
        store=cf.store_of(ANCHOR, cache_=cache),
        hostname=hostname,
        now=cf.NOW + timedelta(days=days),
        cache=cache,
        intermediates=[cache.parse(CA.der)],
        profile=profile,
    )
    assert (report.failure is None) is report.trusted
    assert all(reason in REASONS or reason.startswith("profile_") for reason in report.reasons)
    assert (report.topmost is None) is (not chain)
    if report.trusted:
        assert (report.time, report.path) == (TimeStatus.VALID, PathStatus.TRUSTED)
        assert report.name in (NameStatus.MATCH, NameStatus.UNKNOWN)
        assert report.validated_path[-1].der == ANCHOR.der
    elif report.time is TimeStatus.VALID and report.path is PathStatus.TRUSTED:
        assert report.reasons


@pytest.mark.skipif(not REAL, reason="the shared certificates (../shared/certs) are not here")
def test_real_interceptors_are_not_trusted_and_their_signatures_are_seen():
    cache, store = CertificateCache(), pinned_store(truststore_files())
    real = [cache.parse(ssl.PEM_cert_to_DER_cert(path.read_text().strip())) for path in REAL]
    for certificate in real:
        report = validate_path([certificate, *real], store=store, hostname="x.kz", now=cf.NOW, cache=cache)
        assert not report.trusted
        assert report.path is not PathStatus.TRUSTED
        key = certificate.public_key
        assert key is not None
        if certificate.is_self_issued and key.kind in ("rsa", "ec"):
            assert cache.is_signed_by(certificate, certificate)
    by_hash = {certificate.sha256[:8]: certificate for certificate in real}
    for child, issuer in (("34d1b311", "a7064abc"), ("84fb799a", "9ba06354"), ("21557850", "d26d2d02")):
        assert cache.is_signed_by(by_hash[child], by_hash[issuer])

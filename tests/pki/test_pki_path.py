"""Path building, the missing intermediate, and what hostile chains cost."""

import random
import time

import chain_factory as cf
import pytest
from chain_factory import alt_names, info_access, intermediate, judge, leaf, receipts, root

from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.path_search import MAX_PATH
from kzmitm.pki.report import REASONS, NameStatus, PathStatus, TimeStatus

ROOT = root("O=Good Trust, CN=Good Root")
CA = intermediate(ROOT, "O=Good Trust, CN=Good CA")
LEAF = leaf(CA, extra=[info_access()])
EVIL = root("O=Evil, CN=Evil Root")
RESELLER = intermediate(ROOT, "O=Good Resale, CN=R3")
NAMESAKE = root("O=Good Trust, CN=Good Root")


def ders(certificates):
    return [c.der for c in certificates]


def test_order_duplicates_and_extras_do_not_matter():
    second = intermediate(CA, "O=Good Trust, CN=Second CA")
    end = leaf(second)
    others = [ROOT, CA, second, CA, EVIL, end, leaf(EVIL)]
    for seed in range(10):
        random.Random(seed).shuffle(others)
        report = judge([end, *others], ROOT)
        assert report.trusted
        assert ders(report.validated_path) == ders([end, second, CA, ROOT])
        assert report.topmost is not None


def test_a_presented_copy_reissue_or_cross_sign_of_an_anchor_is_passed_over():
    reissued = root("O=Good Trust, CN=Good Root", key=ROOT.key)
    cross = intermediate(EVIL, "O=Good Trust, CN=Good Root", key=ROOT.key)
    for extra in ([ROOT], [reissued], [cross], [cross, reissued, ROOT]):
        report = judge([LEAF, CA, *extra], ROOT)
        assert report.trusted
        assert report.validated_path[-1].der == ROOT.der


def test_the_anchor_s_name_with_another_key_is_a_stranger():
    report = judge([leaf(NAMESAKE), NAMESAKE], ROOT)
    assert report.path is PathStatus.UNKNOWN_ISSUER
    assert "bad_signature" not in report.reasons  # the key identifiers say that it is another key


def test_a_forged_leaf_with_the_genuine_issuer_s_name_and_key_id():
    forged = leaf(CA, signer=cf.ec_key(), extra=[info_access()])
    for chain, known in (([forged, CA], []), ([forged], [CA])):
        report = judge(chain, ROOT, known=known)
        assert report.path is PathStatus.UNKNOWN_ISSUER
        assert "bad_signature" in report.reasons


def test_a_leaf_in_the_store_is_trusted_as_it_is():
    lone = leaf(EVIL)
    report = judge([lone], lone)
    assert report.trusted
    assert len(report.validated_path) == 1
    assert judge([lone], ROOT).trusted is False


def test_names_are_compared_by_rfc_5280():
    spelled = cf.seq(cf.rdn("O", "good   TRUST", tag=0x13), cf.rdn("CN", " Good ca", tag=0x0C))
    assert judge([leaf(CA, issuer=spelled), CA], ROOT).trusted
    other = cf.seq(cf.rdn("O", "good trust", tag=0x13), cf.rdn("CN", "Good CA2", tag=0x0C))
    assert not judge([leaf(CA, issuer=other), CA], ROOT).trusted


class TestMissingIntermediate:
    def test_proven_by_a_known_intermediate(self):
        report = judge([LEAF], ROOT, known=[intermediate(EVIL), CA])
        assert report.path is PathStatus.MISSING_INTERMEDIATE
        assert report.reasons == ("missing_intermediate", "completed_by_known_intermediate")
        assert ders(report.validated_path) == ders([LEAF, CA, ROOT])
        assert (report.failure, report.trusted) == ("ssl_unknown_authority", False)

    def test_two_of_them_and_out_of_date(self):
        second = intermediate(CA, "O=Good Trust, CN=Second CA", not_after=cf.days(-1))
        report = judge([leaf(second)], ROOT, known=[CA, second])
        assert report.path is PathStatus.MISSING_INTERMEDIATE
        assert report.reasons[0] == "intermediate_expired"

    def test_claimed_by_names_alone(self):
        report = judge([LEAF], ROOT)
        assert report.path is PathStatus.MISSING_INTERMEDIATE
        assert "issuer_of_known_organisation" in report.reasons
        assert "unknown_issuer" in report.reasons
        assert report.validated_path == ()

    def test_claimed_by_receipts_alone(self):
        report = judge([leaf(RESELLER, extra=[info_access(), receipts()])], ROOT)
        assert report.path is PathStatus.MISSING_INTERMEDIATE
        assert report.reasons == ("missing_intermediate", "receipts_of_transparency_logs", "unknown_issuer")
        assert report.validated_path == ()
        assert (report.failure, report.trusted) == ("ssl_unknown_authority", False)

    def test_receipts_say_nothing_where_an_issuer_came_along(self):
        other = intermediate(EVIL, "O=Good Resale, CN=R3")
        report = judge([leaf(other, extra=[info_access(), receipts()]), other], ROOT)
        assert report.path is PathStatus.UNKNOWN_ISSUER

    @pytest.mark.parametrize(
        "end",
        [
            leaf(CA),
            leaf(intermediate(EVIL, "O=Else, CN=x"), extra=[info_access()]),
            leaf(intermediate(EVIL, "CN=x"), extra=[info_access()]),
            leaf(CA, extra=[cf.ext("1.3.6.1.5.5.7.1.1", b"no")]),
            leaf(NAMESAKE, extra=[info_access()]),
            leaf(NAMESAKE, extra=[info_access(), receipts()]),
            leaf(RESELLER, extra=[receipts()]),
            intermediate(RESELLER, extra=[info_access(), receipts()]),
        ],
        ids=[
            "no AIA",
            "other organisation",
            "no organisation",
            "malformed AIA",
            "the anchor itself",
            "the anchor itself, logged",
            "receipts alone",
            "receipts of a CA",
        ],
    )
    def test_not_even_claimed(self, end):
        assert judge([end], ROOT).path is PathStatus.UNKNOWN_ISSUER

    def test_not_even_claimed_by_an_intermediate_under_the_name_of_an_anchor(self):
        """A forger who sends a whole chain leaves nothing out, whatever the names in it are."""
        made_up = intermediate(NAMESAKE, "O=Good Trust, CN=Made up", extra=[info_access()])
        assert judge([leaf(made_up), made_up], ROOT).path is PathStatus.UNKNOWN_ISSUER

    def test_known_intermediates_that_only_reach_a_broken_path_prove_nothing(self):
        no_ca = intermediate(ROOT, "O=Good Trust, CN=No CA", without=["2.5.29.19"])
        report = judge([leaf(no_ca)], ROOT, known=[no_ca])
        assert report.path is PathStatus.UNKNOWN_ISSUER

    def test_an_interceptor_that_forges_names_is_not_proven_innocent(self):
        lookalike = intermediate(EVIL, "O=Good Trust, CN=Good CA")
        report = judge([leaf(lookalike, extra=[info_access()])], ROOT, known=[CA])
        assert "completed_by_known_intermediate" not in report.reasons
        assert not report.trusted

    def test_more_in_a_row_than_a_server_leaves_out(self):
        chain = [CA]
        for number in range(4):
            chain.append(intermediate(chain[-1], f"O=Good Trust, CN=Deep {number}"))
        report = judge([leaf(chain[-1])], ROOT, known=chain)
        assert "completed_by_known_intermediate" not in report.reasons


def test_self_signed():
    own = cf.ec_key()
    lone = leaf(EVIL, key=own, signer=own, issuer=cf.name("CN=example.com"))
    report = judge([lone], ROOT)
    assert report.path is PathStatus.SELF_SIGNED
    assert report.reasons == ("self_signed", "unknown_issuer")
    pretender = leaf(EVIL, issuer=cf.name("CN=example.com"))
    assert judge([pretender], ROOT).path is PathStatus.UNKNOWN_ISSUER


def test_keys_that_cannot_be_read_are_no_use():
    broken = leaf(ROOT, spki=b"\x30\x03abc")
    report = judge([broken], ROOT)
    assert {"unparsable"} <= set(report.reasons)
    assert not report.trusted


def test_names_of_hosts():
    address = leaf(CA, "IP:192.0.2.1", "IP:2001:db8::1")
    for host in ("192.0.2.1", "2001:db8::1", "[2001:db8::1]"):
        assert judge([address, CA], ROOT, hostname=host).trusted
    for host in ("192.0.2.2", "host1", "192.0.2.300", "", "a" * 300, "a..b", "é.example", "*"):
        assert judge([address, CA], ROOT, hostname=host).name is NameStatus.MISMATCH
    wild = leaf(CA, "DNS:*.example.com", "DNS:EXAMPLE.com", "DNS:example.org.")
    for host, named in (
        ("x.example.com", True),
        (".example.com", False),
        ("example.com", True),
        ("example.org", False),
    ):
        assert (judge([wild, CA], ROOT, hostname=host).name is NameStatus.MATCH) is named


def test_no_name_asked_for():
    report = judge([LEAF, CA], ROOT, hostname=None)
    assert report.name is NameStatus.UNKNOWN
    assert report.trusted


def test_a_certificate_that_is_none_among_the_presented_is_left_out_and_said():
    report = judge([LEAF, b"\x30\x03abc", CA, b""], ROOT)
    assert report.trusted
    assert report.reasons == ("unparsable_certificate",)


def test_weak_keys_are_reported_on_a_trusted_path():
    weak = root(key=cf.rsa_key(1024))
    report = judge([leaf(weak)], weak)
    assert report.trusted
    assert report.reasons == ("weak_key",)


def test_microseconds_are_not_judged():
    end = leaf(CA, not_after=cf.NOW)
    assert judge([end, CA], ROOT, now=cf.NOW.replace(microsecond=999_999)).time is TimeStatus.VALID


def test_an_unsupported_key_is_said():
    odd = cf.seq(cf.seq(cf.oid("1.2.643.7.1.1.1.1")), cf.bits(bytes(66)))
    ca = intermediate(EVIL, "CN=Odd", spki=odd)
    report = judge([leaf(ca), ca], ROOT)
    assert "unsupported_signature" in report.reasons


def test_of_paths_no_better_the_first_is_kept():
    old, older = (root("CN=Old", key=ROOT.key, not_after=cf.days(-n)) for n in (1, 2))
    report = judge([leaf(old)], old, older)
    assert report.reasons == ("anchor_expired",)
    assert report.validated_path[-1].der == old.der


def test_a_path_too_long_for_anyone():
    parent, chain = ROOT, []
    for number in range(MAX_PATH + 2):
        parent = intermediate(parent, f"CN=CA {number}")
        chain.append(parent)
    report = judge([leaf(parent), *chain], ROOT)
    assert not report.trusted
    assert "too_long" in report.reasons


def mesh(size: int, *, shared_key: bool) -> list[cf.Issued]:
    """CAs of one name that all sign one another: the number of paths is factorial."""
    keys = [cf.ec_key() for _ in range(size)]
    name = cf.name("CN=mesh")
    signers = [cf.Issued(b"", key, name, cf.spki_of(key)) for key in keys]
    return [
        intermediate(signer, "CN=mesh", key=key, without=["2.5.29.35"] if shared_key else [])
        for signer in signers
        for key in keys
    ]


@pytest.mark.parametrize("hints", [False, True])
def test_a_mesh_of_cross_signed_cas_ends_soon(hints):
    ring = mesh(12, shared_key=hints)
    started = time.process_time()
    report = judge([leaf(ring[0], text="CN=x"), *ring], ROOT)
    assert time.process_time() - started < 2
    assert report.path is PathStatus.UNKNOWN_ISSUER
    assert "budget" in report.reasons


def test_two_thousand_certificates_of_one_name():
    cache = CertificateCache()
    store = cf.store_of(ROOT, cache_=cache)
    lookalike = intermediate(EVIL, "O=Good Trust, CN=Good CA").der
    chain = [
        cache.parse(LEAF.der),
        *[cache.parse(lookalike[:-4] + n.to_bytes(4, "big")) for n in range(2000)],
    ]
    started = time.process_time()
    report = cf.validate_path(chain, store=store, hostname="example.com", now=cf.NOW, cache=cache)
    assert time.process_time() - started < 3
    assert not report.trusted


def test_reason_codes_are_documented():
    reports = [
        judge([LEAF], ROOT),
        judge([LEAF, CA], ROOT),
        judge([leaf(CA, without=["2.5.29.17"], extra=[alt_names("DNS:x")]), CA], ROOT),
    ]
    assert {reason for report in reports for reason in report.reasons} <= set(REASONS)

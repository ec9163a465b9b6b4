"""Cases in the manner of C2SP/x509-limbo, made afresh, each with what the two profiles say of it.

Names follow that suite where the case does, so that a disagreement with it can be looked up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import chain_factory as cf
import pytest
from chain_factory import (
    Issued,
    alt_names,
    ext,
    intermediate,
    judge,
    leaf,
    name_constraints,
    oid,
    root,
    seq,
    tlv,
)

from kzmitm.pki.report import Profile, Purpose

DNS, SAN, BC, KU, EKU, SKI, AKI, NC = (
    "DNS:example.com",
    "2.5.29.17",
    "2.5.29.19",
    "2.5.29.15",
    "2.5.29.37",
    "2.5.29.14",
    "2.5.29.35",
    "2.5.29.30",
)


BOTH, WEB, NEVER = frozenset(Profile), frozenset([Profile.WEB]), frozenset[Profile]()


@dataclass
class Case:
    """A chain with its anchors, and under which profiles it is trusted."""

    make: Callable[[], tuple[Sequence[Issued], Sequence[Issued]]]
    trusted: frozenset[Profile]
    reason: str = ""
    hostname: str | None = "example.com"
    now: datetime = cf.NOW
    purpose: Purpose = Purpose.SERVER
    depth: int | None = None


def direct(root_: Callable[[], Issued] = root, **changes):
    """Root and leaf."""

    def make():
        anchor = root_()
        names = changes.get("names", ())
        rest = {k: v for k, v in changes.items() if k != "names"}
        return [leaf(anchor, *names, **rest)], [anchor]

    return make


def with_ca(names=(), root_extra=(), leaf_changes=None, **ca_changes):
    """Root, intermediate and leaf."""

    def make():
        anchor = root(extra=list(root_extra))
        ca = intermediate(anchor, **ca_changes)
        return [leaf(ca, *names, **(leaf_changes or {})), ca], [anchor]

    return make


def constrained_root(
    *, names=(DNS,), permitted=(), excluded=(), text="CN=example.com", critical=True, **changes
):
    return direct(
        lambda: root(extra=[name_constraints(permitted, excluded, critical=critical)]),
        names=names,
        text=text,
        **changes,
    )


def unknown_critical(place: str):
    extra = [ext(cf.UNKNOWN, b"", critical=True)]

    def make():
        anchor = root(extra=extra if place == "root" else [])
        ca = intermediate(anchor, extra=extra if place == "ca" else [])
        return [leaf(ca, extra=extra if place == "leaf" else []), ca], [anchor]

    return make


def lengths(*limits: int | None, self_issued: int | None = None):
    """Intermediates with these path lengths, from the root down."""

    def make():
        anchor = root()
        chain: list[Issued] = []
        parent = anchor
        for number, limit in enumerate(limits):
            subject = {"subject": parent.subject} if number == self_issued else {}
            parent = intermediate(parent, length=limit, **subject)
            chain.insert(0, parent)
        return [leaf(parent), *chain], [anchor]

    return make


def cross_signed_cycle():
    anchor = root()
    one, two = cf.ec_key(), cf.ec_key()
    first = cf.Issued(b"", one, cf.name("CN=one"), cf.spki_of(one))
    second = cf.Issued(b"", two, cf.name("CN=two"), cf.spki_of(two))
    a = intermediate(second, "CN=one", key=one)
    b = intermediate(first, "CN=two", key=two)
    return [leaf(a), a, b], [anchor]


def mesh_with_a_way_out():
    """CVE-2024-0567: cross-signed in a circle, with the root itself in the store."""
    anchor = root("CN=A")
    b, c = cf.ec_key(), cf.ec_key()
    signer = {
        "A": anchor,
        "B": Issued(b"", b, cf.name("CN=B"), cf.spki_of(b)),
        "C": Issued(b"", c, cf.name("CN=C"), cf.spki_of(c)),
    }
    crosses = [
        intermediate(signer[by], f"CN={of}", key=signer[of].key)
        for of, by in (("A", "B"), ("A", "C"), ("B", "A"), ("B", "C"), ("C", "A"), ("C", "B"))
    ]
    ca = intermediate(anchor, "CN=A1")
    return [leaf(ca), *crosses, ca], [anchor]


def expired_cross_sign():
    anchor, other = root("CN=One"), root("CN=Two")
    cross = intermediate(other, key=anchor.key, subject=anchor.subject, not_after=cf.days(-1))
    return [leaf(anchor), cross], [anchor, other]


def alternate_ca(*, forbidden_goes_nowhere: bool):
    def make():
        one, two = root("CN=One"), root("CN=Two")
        key = cf.ec_key()
        limited = intermediate(
            one, "CN=Limited", extra=[name_constraints(excluded=["DNS:forbidden.example.com"])]
        )
        named = [alt_names("DNS:forbidden.example.com")]
        bad = intermediate(two if forbidden_goes_nowhere else limited, "CN=Ca", key=key, extra=named)
        good = intermediate(limited if forbidden_goes_nowhere else two, "CN=Ca", key=key)
        anchors = [one] if forbidden_goes_nowhere else [one, two]
        return [leaf(bad, "DNS:fine.example.com"), bad, good, limited], anchors

    return make


def swapped():
    anchor = root()
    ca = intermediate(anchor)
    return [leaf(ca), anchor], [ca]


def stranger_of_the_same_name():
    anchor = root()
    stranger = root()
    return [leaf(stranger), stranger], [anchor]


def sans_below(ca1_extra, ca2_names, leaf_names, root_extra=()):
    def make():
        anchor = root(extra=list(root_extra))
        one = intermediate(anchor, extra=list(ca1_extra))
        two = intermediate(one, extra=[alt_names(*ca2_names)] if ca2_names else [])
        return [leaf(two, *leaf_names), two, one], [anchor]

    return make


def narrowing(first, second):
    def make():
        anchor = root()
        one = intermediate(anchor, extra=[name_constraints(first)])
        two = intermediate(one, extra=[name_constraints(second)])
        return [leaf(two, "DNS:foo.example.com"), two, one], [anchor]

    return make


def self_issued_ca_outside_constraints():
    anchor = root("CN=not-example.com", extra=[name_constraints([DNS])])
    ca = intermediate(anchor, "CN=not-example.com", extra=[alt_names("DNS:not-example.com")])
    return [leaf(ca), ca], [anchor]


def self_issued_leaf_outside_constraints():
    anchor = root(extra=[name_constraints([DNS])])
    ca = intermediate(anchor, "CN=not-example.com")
    return [leaf(ca, "DNS:not-example.com", subject=ca.subject), ca], [anchor]


def malformed_issuer_key():
    one, two = root("CN=One"), root("CN=Two")
    broken = seq(seq(oid("1.2.840.113549.1.1.1"), b"\x05\x00"), tlv(3, b"\x00"))
    ca = intermediate(two, spki=broken)
    return [leaf(ca, signature=b"\x30\x00"), ca], [one]


def p192_key():
    return seq(seq(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.1")), cf.bits(b"\x04" + bytes(range(48))))


def dsa_key():
    return seq(seq(oid("1.2.840.10040.4.1"), seq(*[cf.integer(1 << 3071)] * 3)), cf.bits(cf.integer(5)))


def explicit_curve():
    return seq(seq(oid("1.2.840.10045.2.1"), seq(cf.integer(1))), cf.bits(b"\x04" + bytes(64)))


def rsa_key_spki(size: int):
    modulus = (1 << size - 1) + 1
    inner = seq(cf.integer(modulus), cf.integer(65537))
    return seq(seq(oid("1.2.840.113549.1.1.1"), b"\x05\x00"), cf.bits(inner))


def many_names(count: int):
    names = [f"DNS:t{i}.test" for i in range(count)]
    constraints = name_constraints([*names, "DNS:test"], [f"DNS:x{i}.test" for i in range(count)])
    return direct(lambda: root(extra=[constraints]), names=names)


def same_name_same_key():
    """Hundreds of certificates for one name and key, none of which leads anywhere."""
    anchor, elsewhere = root(), root("CN=Elsewhere")
    key = cf.ec_key()
    ring = Issued(b"", key, cf.name("CN=ring"), cf.spki_of(key))
    chain = [intermediate(ring, "CN=ring", key=key) for _ in range(60)]
    return [leaf(ring), *chain, elsewhere], [anchor]


def policy_chain(constraint: bytes, *, ca=(), end=()):
    def make():
        anchor = root()
        one = intermediate(anchor, extra=[constraint, *ca])
        return [leaf(one, extra=list(end)), one], [anchor]

    return make


P1, P2, ANY_POLICY = "1.2.3.1", "1.2.3.2", "2.5.29.32.0"
SECOND = timedelta(seconds=1)
NO_DNS = {"hostname": None, "purpose": Purpose.CLIENT}


def mail(permitted, *names: str, excluded=()):
    return with_ca(
        names=names,
        extra=[name_constraints(permitted, excluded)],
        leaf_changes={"without": [EKU], "extra": [cf.purposes(cf.CLIENT_AUTH)]},
    )


def no_ku(*numbers: int):
    return {"without": [KU], "extra": [cf.key_usage(*numbers)]}


CASES = {
    # names
    "exact-dns-san": Case(direct(), BOTH),
    "exact-ip-san": Case(direct(names=["IP:127.0.0.1"], text=""), WEB, hostname="127.0.0.1"),
    "ipv6-san": Case(direct(names=["IP:2001:db8::1"]), WEB, hostname="2001:DB8:0::1"),
    "ip-as-dns-san": Case(direct(names=["DNS:127.0.0.1"]), NEVER, "name_mismatch", "127.0.0.1"),
    "trailing-dot-of-the-host": Case(direct(), BOTH, hostname="Example.COM."),
    "mismatch-domain": Case(direct(), NEVER, "name_mismatch", "example2.com"),
    "mismatch-apex": Case(direct(), NEVER, "name_mismatch", "abc.example.com"),
    "leftmost-wildcard": Case(direct(names=["DNS:*.example.com"], text=""), WEB, hostname="foo.example.com"),
    "wildcard-is-not-the-apex": Case(direct(names=["DNS:*.example.com"]), NEVER, "name_mismatch"),
    "wildcard-embedded": Case(direct(names=["DNS:ba*.example.com"]), NEVER, "", "baz.example.com"),
    "wildcard-not-leftmost": Case(direct(names=["DNS:foo.*.example.com"]), NEVER, "", "foo.bar.example.com"),
    "wildcard-across-labels": Case(direct(names=["DNS:*.example.com"]), NEVER, "", "foo.bar.example.com"),
    "wildcard-in-a-label": Case(
        direct(names=["DNS:xn--*-1b3c148a.example.com"]), NEVER, "", "xn--bliss-1b3c148a.example.com"
    ),
    "wildcard-itself": Case(direct(names=["DNS:*.example.com"]), NEVER, "", "*.example.com"),
    "public-suffix-wildcard": Case(direct(names=["DNS:*.com"]), NEVER, "name_mismatch"),
    "unicode-emoji-san": Case(direct(names=["DNS:😜.example.com"]), NEVER, "", "xn--628h.example.com"),
    "no-san": Case(direct(without=[SAN]), NEVER, "no_san"),
    "malformed-san": Case(
        direct(without=[SAN], extra=[ext(SAN, b"example.com")]), NEVER, "malformed_extension"
    ),
    "empty-san": Case(direct(without=[SAN], extra=[ext(SAN, seq())]), NEVER, "malformed_extension"),
    "underscore-dns": Case(
        direct(names=["DNS:a_b.example.com"]), WEB, "profile_host_names", "a_b.example.com"
    ),
    "san-critical-with-subject": Case(
        direct(without=[SAN], extra=[alt_names(DNS, critical=True)]), WEB, "profile_alt_names"
    ),
    "san-uncritical-without-subject": Case(direct(text=""), WEB, "profile_alt_names"),
    "san-critical-without-subject": Case(
        direct(text="", without=[SAN], extra=[alt_names(DNS, critical=True)]), BOTH
    ),
    "cn-not-in-san": Case(direct(text="CN=Example.COM"), WEB, "profile_common_name"),
    # CAs and usage
    "ee-empty-issuer": Case(direct(issuer=cf.name("")), NEVER, "unknown_issuer"),
    "ca-empty-subject": Case(direct(lambda: root("")), NEVER, "empty_subject"),
    "unknown-critical-leaf": Case(unknown_critical("leaf"), NEVER, "critical_extension"),
    "unknown-critical-intermediate": Case(unknown_critical("ca"), NEVER, "critical_extension"),
    "unknown-critical-root": Case(unknown_critical("root"), NEVER, "critical_extension"),
    "intermediate-without-ca-bit": Case(
        with_ca(without=[BC], extra=[cf.basic_constraints(ca=False)]), NEVER, "not_a_ca"
    ),
    "intermediate-without-basic-constraints": Case(with_ca(without=[BC]), NEVER, "not_a_ca"),
    "root-without-basic-constraints": Case(direct(lambda: root(without=[BC])), NEVER, "not_a_ca"),
    "root-uncritical-basic-constraints": Case(
        direct(lambda: root(without=[BC], extra=[cf.basic_constraints(critical=False)])),
        WEB,
        "profile_basic_constraints",
    ),
    "root-without-cert-sign": Case(direct(lambda: root(**no_ku(1))), NEVER, "key_usage"),
    "intermediate-without-cert-sign": Case(with_ca(**no_ku(0)), NEVER, "key_usage"),
    "intermediate-without-key-usage": Case(with_ca(without=[KU]), BOTH),
    "leaf-with-cert-sign": Case(direct(**no_ku(0, 5)), WEB, "profile_key_usage"),
    "leaf-with-empty-key-usage": Case(direct(**no_ku()), NEVER, "key_usage"),
    "leaf-without-key-usage": Case(direct(without=[KU]), BOTH),
    "critical-aia": Case(direct(extra=[cf.info_access(critical=True)]), NEVER, "critical_extension"),
    "aia": Case(direct(extra=[cf.info_access()]), BOTH),
    "malformed-aia": Case(direct(extra=[ext("1.3.6.1.5.5.7.1.1", b"no")]), NEVER, "malformed_extension"),
    "empty-aia": Case(direct(extra=[ext("1.3.6.1.5.5.7.1.1", seq())]), NEVER, "malformed_extension"),
    "duplicate-extensions": Case(direct(extra=[alt_names(DNS)]), NEVER, "duplicate_extension"),
    "ca-as-leaf": Case(lambda: ([leaf((a := root()), extra=[cf.basic_constraints()])], [a]), WEB),
    "root-and-intermediate-swapped": Case(swapped, BOTH),
    "critical-ski": Case(
        direct(lambda: root(without=[SKI], extra=[cf.subject_key_id(b"id", critical=True)])),
        NEVER,
        "critical_extension",
    ),
    "root-without-ski": Case(direct(lambda: root(without=[SKI])), WEB, "profile_subject_key_id"),
    "intermediate-without-ski": Case(with_ca(without=[SKI]), WEB, "profile_subject_key_id"),
    "critical-aki": Case(
        direct(lambda: root(extra=[cf.authority_key_id(b"id", critical=True)])),
        NEVER,
        "critical_extension",
    ),
    "leaf-without-aki": Case(direct(without=[AKI]), WEB, "profile_authority_key_id"),
    "intermediate-without-aki": Case(with_ca(without=[AKI]), WEB, "profile_authority_key_id"),
    "root-aki-without-key-id": Case(
        direct(lambda: root(extra=[cf.authority_key_id(None)])), WEB, "profile_authority_key_id"
    ),
    "root-aki-with-issuer-and-serial": Case(
        direct(
            lambda: root(
                key=(k := cf.ec_key()), extra=[cf.authority_key_id(cf.key_id(k), issuer="CN=x", serial=1)]
            )
        ),
        WEB,
        "profile_authority_key_id",
    ),
    "root-aki-of-another": Case(
        direct(lambda: root(extra=[cf.authority_key_id(b"other")])), WEB, "profile_authority_key_id"
    ),
    "malformed-aki": Case(
        direct(without=[AKI], extra=[ext(AKI, seq(tlv(0x85)))]), NEVER, "malformed_extension"
    ),
    "unknown-issuer": Case(lambda: ([leaf(root("CN=x"))], [root()]), NEVER, "unknown_issuer"),
    "v1-leaf": Case(direct(version=None, extensions=[]), NEVER, "no_san"),
    "extensions-in-v1": Case(direct(version=1), NEVER, "version"),
    "v4": Case(direct(version=4), NEVER, "unparsable"),
    "v1-anchor": Case(direct(lambda: root(version=None, extensions=[])), WEB, "profile_version"),
    "v1-intermediate": Case(with_ca(version=None, extensions=[]), NEVER, "not_a_ca"),
    # purposes
    "wrong-eku": Case(direct(without=[EKU], extra=[cf.purposes(cf.CLIENT_AUTH)]), NEVER, "ext_key_usage"),
    "no-eku": Case(direct(without=[EKU]), WEB, "profile_ext_key_usage"),
    "any-eku": Case(direct(without=[EKU], extra=[cf.purposes(cf.ANY_PURPOSE)]), WEB),
    "empty-eku": Case(direct(without=[EKU], extra=[cf.purposes()]), NEVER, "malformed_extension"),
    "critical-eku": Case(direct(without=[EKU], extra=[cf.purposes(cf.SERVER_AUTH, critical=True)]), WEB),
    "both-ekus": Case(direct(without=[EKU], extra=[cf.purposes(cf.SERVER_AUTH, cf.CLIENT_AUTH)]), BOTH),
    "more-ekus": Case(direct(without=[EKU], extra=[cf.purposes(cf.SERVER_AUTH, "1.3.6.1.5.5.7.3.3")]), WEB),
    "root-with-eku": Case(direct(lambda: root(extra=[cf.purposes(cf.SERVER_AUTH)])), WEB),
    "intermediate-with-eku": Case(with_ca(extra=[cf.purposes(cf.SERVER_AUTH)]), BOTH),
    "intermediate-with-other-eku": Case(with_ca(extra=[cf.purposes(cf.CLIENT_AUTH)]), NEVER, "ext_key_usage"),
    "client": Case(direct(without=[EKU], extra=[cf.purposes(cf.CLIENT_AUTH)]), BOTH, **NO_DNS),
    # path lengths
    "pathlen-0": Case(lengths(0), BOTH),
    "pathlen-violated": Case(lengths(0, 0), NEVER, "path_length"),
    "pathlen-may-increase": Case(lengths(1, 2), BOTH),
    "pathlen-too-long": Case(lengths(1, 0, 0), NEVER, "path_length"),
    "pathlen-self-issued-not-counted": Case(lengths(1, 1, 0, self_issued=1), BOTH),
    "depth-0": Case(direct(), BOTH, depth=0),
    "depth-0-exceeded": Case(lengths(None), NEVER, "too_long", depth=0),
    "depth-1": Case(lengths(None), BOTH, depth=1),
    "depth-1-self-issued": Case(lengths(None, None, self_issued=1), BOTH, depth=1),
    "depth-255-cycle": Case(cross_signed_cycle, NEVER, "unknown_issuer", depth=255),
    # time
    "notbefore-exact": Case(direct(not_before=cf.NOW), BOTH),
    "notbefore-fractional": Case(
        direct(not_before=cf.NOW + SECOND), NEVER, "leaf_not_yet_valid", now=cf.NOW + SECOND * 0.999
    ),
    "notafter-exact": Case(direct(not_after=cf.NOW), BOTH),
    "notafter-fractional": Case(direct(not_after=cf.NOW), BOTH, now=cf.NOW + SECOND * 0.005),
    "notafter-passed": Case(direct(not_after=cf.NOW), NEVER, "leaf_expired", now=cf.NOW + SECOND),
    "expired-root": Case(direct(lambda: root(not_after=cf.days(-1))), NEVER, "anchor_expired"),
    "expired-intermediate": Case(with_ca(not_after=cf.days(-1)), NEVER, "intermediate_expired"),
    "intermediate-not-yet-valid": Case(with_ca(not_before=cf.days(1)), NEVER, "intermediate_not_yet_valid"),
    "a-thousand-years": Case(
        direct(not_before=datetime(1970, 1, 1, tzinfo=UTC), not_after=datetime(2969, 5, 3, tzinfo=UTC)),
        BOTH,
    ),
    # keys and signatures
    "mismatched-algorithms": Case(
        direct(inner_algorithm=cf.ECDSA_SHA384), NEVER, "signature_algorithm_mismatch"
    ),
    "mismatched-algorithms-in-root": Case(
        direct(lambda: root(inner_algorithm=cf.ECDSA_SHA384)), NEVER, "signature_algorithm_mismatch"
    ),
    "sha1-leaf": Case(direct(algorithm=cf.ECDSA_SHA1), NEVER, "weak_signature"),
    "sha1-root": Case(direct(lambda: root(algorithm=cf.ECDSA_SHA1)), BOTH),
    "sha1-intermediate": Case(with_ca(algorithm=cf.ECDSA_SHA1), NEVER, "weak_signature"),
    "bad-signature": Case(direct(signature=b"\x30\x06\x02\x01\x01\x02\x01\x01"), NEVER, "bad_signature"),
    "rsa-2048": Case(direct(lambda: root(key=cf.rsa_key())), BOTH),
    "rsa-pss": Case(direct(lambda: root(key=cf.rsa_key()), algorithm=cf.pss()), BOTH),
    "rsa-md5": Case(direct(lambda: root(key=cf.rsa_key()), algorithm=cf.RSA_MD5), NEVER, "weak_signature"),
    "rsa-1024-root": Case(direct(lambda: root(key=cf.rsa_key(1024))), WEB, "weak_key"),
    "rsa-1024-leaf": Case(direct(spki=rsa_key_spki(1024)), WEB, "weak_key"),
    "rsa-768-leaf": Case(direct(spki=rsa_key_spki(768)), NEVER, "weak_key"),
    "rsa-2052-leaf": Case(direct(spki=rsa_key_spki(2052)), WEB, "profile_key_strength"),
    "p192-leaf": Case(direct(spki=p192_key()), NEVER, "weak_key"),
    "dsa-leaf": Case(direct(spki=dsa_key()), NEVER, "weak_key"),
    "ed25519-leaf": Case(direct(key=cf.ed25519.Ed25519PrivateKey.generate()), WEB, "profile_key_strength"),
    "explicit-curve-leaf": Case(direct(spki=explicit_curve()), NEVER, "weak_key"),
    "malformed-issuer-key": Case(malformed_issuer_key, NEVER, "unknown_issuer"),
    "serial-zero": Case(direct(serial=0), WEB, "profile_serial"),
    "serial-negative": Case(direct(serial=-5), WEB, "profile_serial"),
    "serial-too-long": Case(direct(serial=1 << 170), WEB, "profile_serial"),
    # paths
    "expired-cross-sign": Case(expired_cross_sign, BOTH),
    "cycle": Case(cross_signed_cycle, NEVER, "unknown_issuer"),
    "cve-2024-0567": Case(mesh_with_a_way_out, BOTH),
    "nc-forbids-alternate-chain-ica": Case(
        alternate_ca(forbidden_goes_nowhere=True), WEB, hostname="fine.example.com"
    ),
    "nc-forbids-same-chain-ica": Case(
        alternate_ca(forbidden_goes_nowhere=False), WEB, hostname="fine.example.com"
    ),
    "stranger-of-the-same-name": Case(stranger_of_the_same_name, NEVER, "unknown_issuer"),
    "same-name-same-key": Case(same_name_same_key, NEVER, "unknown_issuer"),
    "nc-dos": Case(many_names(400), NEVER, "name_constraint", "t0.test"),
    # name constraints
    "nc-permitted-dns-match": Case(constrained_root(permitted=[DNS]), BOTH),
    "nc-permitted-dns-uncritical": Case(constrained_root(permitted=[DNS], critical=False), BOTH),
    "nc-permitted-dns-mismatch": Case(
        constrained_root(names=["DNS:not-example.com"], permitted=[DNS]),
        NEVER,
        "name_constraint",
        "not-example.com",
    ),
    "nc-permitted-dns-match-more": Case(
        constrained_root(names=["DNS:a.b.example.com"], permitted=[DNS], text="CN=a.b.example.com"),
        BOTH,
        hostname="a.b.example.com",
    ),
    "nc-permitted-dns-empty": Case(constrained_root(permitted=["DNS:"]), BOTH),
    "nc-excluded-dns-match": Case(constrained_root(excluded=[DNS]), NEVER, "name_constraint"),
    "nc-excluded-dns-second": Case(
        constrained_root(names=[DNS, "DNS:no.example.com"], excluded=["DNS:no.example.com"]), NEVER
    ),
    "nc-excluded-beats-permitted": Case(constrained_root(permitted=[DNS], excluded=[DNS]), NEVER),
    "nc-other-form-permitted": Case(constrained_root(permitted=["IP:192.0.2.0/24"]), BOTH),
    "nc-other-form-excluded": Case(constrained_root(excluded=["IP:192.0.2.0/24"]), BOTH),
    "nc-wildcard-subtree": Case(
        constrained_root(permitted=["DNS:*.example.com"]), NEVER, "malformed_extension"
    ),
    "nc-leading-dot": Case(
        constrained_root(names=["DNS:foo.example.com"], permitted=["DNS:.example.com"], text=""),
        WEB,
        "profile_name_constraints",
        "foo.example.com",
    ),
    "nc-leading-dot-is-not-the-apex": Case(constrained_root(permitted=["DNS:.example.com"]), NEVER),
    "nc-leading-dot-wildcard": Case(
        constrained_root(names=["DNS:*.example.com"], permitted=["DNS:.example.com"]),
        WEB,
        "",
        "a.example.com",
    ),
    "nc-leading-dot-excluded-wildcard": Case(
        constrained_root(names=["DNS:*.example.com"], excluded=["DNS:.example.com"]),
        NEVER,
        "",
        "a.example.com",
    ),
    "nc-permitted-ip": Case(
        constrained_root(names=["IP:192.0.2.1"], permitted=["IP:192.0.2.0/24"], text=""),
        WEB,
        "",
        "192.0.2.1",
    ),
    "nc-permitted-ip-mismatch": Case(
        constrained_root(names=["IP:192.0.3.1"], permitted=["IP:192.0.2.0/24"]), NEVER, "", "192.0.3.1"
    ),
    "nc-permitted-ip-of-the-other-family": Case(
        constrained_root(names=["IP:192.0.3.1"], permitted=["IP:::1/128"]), NEVER, "", "192.0.3.1"
    ),
    "nc-excluded-ipv6": Case(constrained_root(names=["IP:::1"], excluded=["IP:::1/128"]), NEVER, "", "::1"),
    "nc-ip-without-mask": Case(
        constrained_root(permitted=["IP:127.0.0.1"], names=["IP:127.0.0.1"]), NEVER, "", "127.0.0.1"
    ),
    "nc-ip-mask-with-holes": Case(
        constrained_root(permitted=[tlv(0x87, bytes((192, 0, 2, 0, 255, 0, 255, 0)))]),
        NEVER,
        "malformed_extension",
    ),
    "nc-permitted-dn": Case(constrained_root(permitted=["DN:CN=example.com"]), BOTH),
    "nc-permitted-dn-by-prefix": Case(
        constrained_root(permitted=["DN:O=Example"], text="O=example, CN=example.com"), BOTH
    ),
    "nc-permitted-dn-mismatch": Case(constrained_root(permitted=["DN:CN=foo"]), NEVER, "name_constraint"),
    "nc-permitted-dn-in-san-alone": Case(
        constrained_root(permitted=["DN:CN=foo"], names=[DNS, "DN:CN=foo"]), NEVER, "name_constraint"
    ),
    "nc-excluded-dn": Case(constrained_root(excluded=["DN:CN=example.com"]), NEVER, "name_constraint"),
    "nc-excluded-dn-in-san": Case(constrained_root(excluded=["DN:CN=foo"], names=[DNS, "DN:CN=foo"]), NEVER),
    "nc-self-issued-ca-exempt": Case(self_issued_ca_outside_constraints, BOTH),
    "nc-self-issued-leaf-not-exempt": Case(
        self_issued_leaf_outside_constraints, NEVER, "name_constraint", "not-example.com"
    ),
    "nc-empty": Case(constrained_root(), NEVER, "malformed_extension"),
    "nc-empty-subtrees": Case(
        with_ca(extra=[ext(NC, seq(tlv(0xA0), tlv(0xA1)), critical=True)]),
        NEVER,
        "malformed_extension",
    ),
    "nc-not-subtrees": Case(
        with_ca(extra=[ext(NC, seq(tlv(0xA0, b"\x05\x00")), critical=True)]), NEVER, "malformed_extension"
    ),
    "nc-malformed-san-below": Case(
        constrained_root(permitted=[DNS], without=[SAN], extra=[ext(SAN, b"no")]),
        NEVER,
        "malformed_extension",
    ),
    "nc-in-leaf": Case(direct(extra=[name_constraints([DNS])]), NEVER, "name_constraint"),
    "nc-with-minimum": Case(
        direct(
            lambda: root(
                extra=[ext(NC, seq(tlv(0xA0, seq(cf.general_name(DNS), tlv(0x80, b"\0")))), critical=True)]
            )
        ),
        NEVER,
        "malformed_extension",
    ),
    "nc-ca-san-rejected-by-ca": Case(
        sans_below([name_constraints(excluded=["DNS:no.example.com"])], ["DNS:no.example.com"], [DNS]),
        NEVER,
    ),
    "nc-ca-san-rejected-by-root": Case(
        sans_below([], ["DNS:no.example.com"], [DNS], [name_constraints(excluded=["DNS:no.example.com"])]),
        NEVER,
    ),
    "nc-narrows": Case(
        narrowing(["DNS:foo.example.com", "DNS:bar.example.com"], ["DNS:bar.example.com"]),
        NEVER,
        "name_constraint",
        "foo.example.com",
    ),
    "nc-cannot-widen": Case(
        narrowing(["DNS:bar.example.com"], ["DNS:foo.example.com", "DNS:bar.example.com"]),
        NEVER,
        "name_constraint",
        "foo.example.com",
    ),
    "nc-invalid-dns-san": Case(
        constrained_root(names=["DNS:.example.com", DNS], permitted=[DNS]), NEVER, "name_constraint"
    ),
    "nc-invalid-ip-san": Case(
        constrained_root(names=["IP:192.0.2.0/24", "IP:192.0.2.1"], permitted=["IP:192.0.2.0/24"]),
        NEVER,
        "malformed_extension",
        "192.0.2.1",
    ),
    "cve-2025-61727": Case(
        constrained_root(names=["DNS:*.example.com"], permitted=[DNS], excluded=["DNS:bar.example.com"]),
        NEVER,
        "name_constraint",
        "bar.example.com",
    ),
    "cve-2025-61727-permits": Case(
        constrained_root(names=["DNS:*.example.com"], permitted=["DNS:foo.example.com"]),
        NEVER,
        "name_constraint",
        "foo.example.com",
    ),
    "nc-wildcard-permitted": Case(
        constrained_root(names=["DNS:*.example.com"], permitted=[DNS], text=""),
        WEB,
        "",
        "a.example.com",
    ),
    "nc-wildcard-excluded-deeper": Case(
        constrained_root(names=["DNS:*.example.com"], excluded=["DNS:a.b.example.com"], text=""),
        WEB,
        "",
        "a.example.com",
    ),
    "nc-othername": Case(
        constrained_root(names=[DNS, f"other:{cf.UNKNOWN}"], excluded=[f"other:{cf.UNKNOWN}"]), NEVER
    ),
    "nc-othername-permitted": Case(
        constrained_root(names=[DNS, f"other:{cf.UNKNOWN}"], permitted=[f"other:{cf.UNKNOWN}"]), NEVER
    ),
    "nc-othername-noop": Case(constrained_root(permitted=[DNS], excluded=[f"other:{cf.UNKNOWN}"]), BOTH),
    "nc-email-exact": Case(mail(["email:foo@example.com"], "email:foo@EXAMPLE.com"), WEB, **NO_DNS),
    "nc-email-other-box": Case(mail(["email:foo@example.com"], "email:Foo@example.com"), NEVER, **NO_DNS),
    "nc-email-host": Case(mail(["email:example.com"], "email:foo@example.com"), WEB, **NO_DNS),
    "nc-email-host-is-exact": Case(mail(["email:example.com"], "email:foo@a.example.com"), NEVER, **NO_DNS),
    "nc-email-domain": Case(mail(["email:.example.com"], "email:foo@a.example.com"), WEB, **NO_DNS),
    "nc-email-malformed": Case(mail(["email:a@b@example.com"], "email:a@example.com"), NEVER, **NO_DNS),
    "nc-email-malformed-name": Case(mail(["email:example.com"], "email:a@b@example.com"), NEVER, **NO_DNS),
    "nc-email-in-subject": Case(
        constrained_root(permitted=["email:other.com"], text="email=a@example.com"),
        NEVER,
        "name_constraint",
    ),
    "nc-uri": Case(mail(["URI:example.com"], "URI:https://example.com/x"), WEB, **NO_DNS),
    "nc-uri-below": Case(mail(["URI:.example.com"], "URI:https://a.example.com:8/x"), WEB, **NO_DNS),
    "nc-uri-outside": Case(mail(["URI:example.com"], "URI:https://a.example.com/"), NEVER, **NO_DNS),
    "nc-uri-address": Case(mail(["URI:example.com"], "URI:https://192.0.2.1/"), NEVER, **NO_DNS),
    "nc-uri-nonsense": Case(mail(["URI:example.com"], "URI:https://[x/"), NEVER, **NO_DNS),
    "nc-malformed-dn": Case(
        constrained_root(permitted=[tlv(0xA4, b"\x30\x01")]), NEVER, "malformed_extension"
    ),
    # policies
    "policy-demanded-and-absent": Case(policy_chain(cf.policy_constraints(0)), NEVER, "policy"),
    "policy-demanded-and-there": Case(
        policy_chain(cf.policy_constraints(0), ca=[cf.policies(P1)], end=[cf.policies(P1, P2)]), BOTH
    ),
    "policy-differs": Case(
        policy_chain(cf.policy_constraints(0), ca=[cf.policies(P1)], end=[cf.policies(P2)]),
        NEVER,
        "policy",
    ),
    "policy-any": Case(
        policy_chain(cf.policy_constraints(0), ca=[cf.policies(ANY_POLICY)], end=[cf.policies(P2)]),
        BOTH,
    ),
    "policy-any-inhibited": Case(
        policy_chain(
            cf.policy_constraints(0),
            ca=[cf.policies(P1), cf.inhibit_any_policy(0)],
            end=[cf.policies(ANY_POLICY)],
        ),
        NEVER,
        "policy",
    ),
    "policy-mapped": Case(
        policy_chain(
            cf.policy_constraints(0),
            ca=[cf.policies(P1), cf.policy_mappings((P1, P2))],
            end=[cf.policies(P2)],
        ),
        BOTH,
    ),
    "policy-mapping-inhibited": Case(
        policy_chain(
            cf.policy_constraints(0, 0),
            ca=[cf.policies(P1), cf.policy_mappings((P1, P2))],
            end=[cf.policies(P2)],
        ),
        BOTH,
    ),
    "policy-mapping-of-any": Case(
        policy_chain(cf.policy_mappings((ANY_POLICY, P1)), ca=[cf.policies(P1)]), NEVER, "policy"
    ),
    "policy-later-for-the-leaf": Case(policy_chain(cf.policy_constraints(1)), NEVER, "policy"),
    "policy-counts-down": Case(
        lambda: (
            [
                leaf(
                    (
                        two := intermediate(
                            (one := intermediate((anchor := root()), extra=[cf.policy_constraints(1)]))
                        )
                    ),
                    extra=[cf.policies(P1)],
                ),
                two,
                one,
            ],
            [anchor],
        ),
        NEVER,
        "policy",
    ),
    "policy-any-inhibited-later": Case(
        policy_chain(
            cf.policy_constraints(0),
            ca=[cf.policies(P1), cf.inhibit_any_policy(5)],
            end=[cf.policies(ANY_POLICY)],
        ),
        BOTH,
    ),
    "policy-mapping-of-another": Case(
        policy_chain(
            cf.policy_constraints(0),
            ca=[cf.policies(P1), cf.policy_mappings(("1.2.9", P2))],
            end=[cf.policies(P1)],
        ),
        BOTH,
    ),
    "policy-mapping-not-allowed": Case(
        lambda: (
            [
                leaf(
                    (
                        two := intermediate(
                            (
                                one := intermediate(
                                    (anchor := root()), extra=[cf.policies(P1), cf.policy_constraints(0, 0)]
                                )
                            ),
                            extra=[cf.policies(P1), cf.policy_mappings((P1, P2))],
                        )
                    ),
                    extra=[cf.policies(P2)],
                ),
                two,
                one,
            ],
            [anchor],
        ),
        NEVER,
        "policy",
    ),
    "policy-of-a-self-issued-ca": Case(
        lambda: (
            [
                leaf(
                    (
                        two := intermediate(
                            (
                                one := intermediate(
                                    (anchor := root()),
                                    extra=[
                                        cf.policies(P1),
                                        cf.policy_constraints(0),
                                        cf.inhibit_any_policy(0),
                                    ],
                                )
                            ),
                            subject=one.subject,
                            extra=[cf.policies(ANY_POLICY)],
                        )
                    ),
                    extra=[cf.policies(P1)],
                ),
                two,
                one,
            ],
            [anchor],
        ),
        BOTH,
    ),
    "policy-later": Case(policy_chain(cf.policy_constraints(5)), BOTH),
    "policy-constraints-uncritical": Case(
        policy_chain(cf.policy_constraints(3, critical=False)), WEB, "profile_policy_constraints"
    ),
    "policy-demanded-by-leaf": Case(direct(extra=[cf.policy_constraints(0)]), NEVER, "policy"),
    "policy-malformed": Case(policy_chain(ext("2.5.29.36", b"x", critical=True)), NEVER, "policy"),
}


@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize("case_id", CASES)
def test_case(case_id: str, profile: Profile):
    case = CASES[case_id]
    chain, anchors = case.make()
    options = {"profile": profile, "purpose": case.purpose, "max_intermediates": case.depth}
    report = judge(chain, *anchors, hostname=case.hostname, now=case.now, **options)
    expected = profile in case.trusted
    assert report.trusted is expected, report.reasons
    assert (report.failure is None) is expected
    if case.reason and not expected:
        assert case.reason in report.reasons


def test_every_strict_rule_is_broken_by_some_case():
    from kzmitm.pki import strict  # noqa: PLC0415 - only this test looks inside

    assert {f"profile_{rule.__name__}" for rule in strict.RULES} <= {case.reason for case in CASES.values()}

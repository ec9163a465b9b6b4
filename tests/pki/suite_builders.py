"""What the cases of the suite are made of: each a chain with its anchors, and who trusts it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import chain_factory as cf
from chain_factory import (
    Issued,
    alt_names,
    ext,
    intermediate,
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

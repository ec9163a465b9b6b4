"""Against two verifiers that were written by others: OpenSSL, and the one of `cryptography`.

Chains are drawn with all the sins that both look at. Where they may differ from us the test says why.
"""

from dataclasses import dataclass, field

import chain_factory as cf
from chain_factory import Issued, intermediate, judge, leaf, name_constraints, root
from cryptography.x509 import DNSName, load_der_x509_certificate
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError

KEYS = [cf.ec_key() for _ in range(8)]
"""Drawn from a pool, so that a chain is the same each time that it is drawn."""

HOSTS = ["example.com", "a.example.com", "a.b.example.com", "other.test"]
NAMES = [f"DNS:{host}" for host in (*HOSTS, "*.example.com", "*.other.test")]
SUBTREES = ["DNS:example.com", "DNS:a.example.com", "DNS:test", "DNS:other.test"]


@dataclass
class Shape:
    """What is drawn of one CA."""

    key: int
    length: int | None = None
    is_ca: bool = True
    may_sign: bool = True
    expired: bool = False
    early: bool = False
    permitted: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    forged: bool = False

    def changes(self) -> dict:
        out: dict = {"key": KEYS[self.key], "length": self.length, "extra": []}
        if not self.is_ca:
            out |= {"length": None, "without": ["2.5.29.19"]}
        elif not self.may_sign:
            out |= {"without": ["2.5.29.15"], "extra": [cf.key_usage(1)]}
        if self.permitted or self.excluded:
            out["extra"] = [*out["extra"], name_constraints(self.permitted, self.excluded)]
        if self.expired:
            out["not_after"] = cf.days(-1)
        if self.early:
            out["not_before"] = cf.days(1)
        if self.forged:
            out["signer"] = KEYS[(self.key + 1) % len(KEYS)]
        return out


rarely = st.integers(0, 11).map(lambda n: n == 0)
mostly = rarely.map(lambda rare: not rare)
trees = st.one_of(st.just([]), st.just([]), st.lists(st.sampled_from(SUBTREES), max_size=2, unique=True))


def shapes(key: int) -> st.SearchStrategy[Shape]:
    return st.builds(
        Shape,
        key=st.just(key),
        length=st.sampled_from([None, None, None, 0, 1, 2]),
        is_ca=mostly,
        may_sign=mostly,
        expired=rarely,
        early=rarely,
        permitted=trees,
        excluded=trees,
        forged=rarely,
    )


@st.composite
def chains(draw) -> tuple[list[Issued], Issued, str]:
    """Presented chain, anchor, host name."""
    anchor = root("O=Test, CN=Root", key=KEYS[0], serial=7, **expiry(draw(rarely)))
    parent, above = anchor, []
    for number in range(1, draw(st.integers(0, 3)) + 1):
        shape = draw(shapes(number))
        parent = intermediate(parent, f"O=Test, CN=CA {number}", serial=number + 10, **shape.changes())
        above.append(parent)
        if draw(rarely):  # another certificate for the same CA, which alone may lead nowhere
            twin = draw(shapes(number))
            grandparent = above[-2] if len(above) > 1 else anchor
            above.append(
                intermediate(grandparent, f"O=Test, CN=CA {number}", serial=number + 30, **twin.changes())
            )
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    end = leaf(parent, *names, key=KEYS[7], serial=99, **expiry(draw(rarely)))
    if above and draw(rarely):
        above.pop()
    presented = draw(st.permutations(above + [anchor] * draw(st.booleans())))
    return [end, *presented], anchor, draw(st.sampled_from(HOSTS))


def expiry(expired: bool) -> dict:  # noqa: FBT001 - drawn
    return {"not_after": cf.days(-1)} if expired else {}


def openssl_accepts(chain: list[Issued], anchor: Issued) -> bool:
    store = X509Store()
    store.add_cert(X509.from_cryptography(load_der_x509_certificate(anchor.der)))
    store.set_time(cf.NOW)
    leaf_, *others = (X509.from_cryptography(load_der_x509_certificate(c.der)) for c in chain)
    try:
        X509StoreContext(store, leaf_, others).verify_certificate()
    except X509StoreContextError:
        return False
    return True


def cryptography_accepts(chain: list[Issued], anchor: Issued, hostname: str) -> bool:
    leaf_, *others = (load_der_x509_certificate(c.der) for c in chain)
    store = Store([load_der_x509_certificate(anchor.der)])
    verifier = PolicyBuilder().store(store).time(cf.NOW).build_server_verifier(DNSName(hostname))
    try:
        verifier.verify(leaf_, others)
    except VerificationError:
        return False
    return True


@settings(max_examples=120, deadline=None)
@given(chains())
def test_against_cryptography(drawn):
    chain, anchor, hostname = drawn
    assert judge(chain, anchor, hostname=hostname).trusted is cryptography_accepts(chain, anchor, hostname)


@settings(max_examples=120, deadline=None)
@given(chains())
def test_against_openssl(drawn):
    """OpenSSL builds one path, without going back on it: what it accepts we accept, and if there is
    but one path, what we accept it accepts. It does not see that a wildcard reaches into an excluded
    name or out of a permitted one (CVE-2025-61727)."""
    chain, anchor, _ = drawn
    ours, theirs = judge(chain, anchor, hostname=None), openssl_accepts(chain, anchor)
    subjects = [c.subject for c in chain if c is not anchor]
    one_path = len(set(subjects)) == len(subjects)
    if theirs and not ours.trusted:
        assert ours.reasons == ("name_constraint",)
        assert b"*." in chain[0].der
    if ours.trusted and one_path:
        assert theirs

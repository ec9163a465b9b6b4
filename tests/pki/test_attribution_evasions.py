"""A known authority above the leaf, and a chain that is built to hide it."""

import base64
import hashlib

import chain_factory as cf
import pytest

from kzmitm.model.verdict import Confidence
from kzmitm.pki.attribution import MAX_CERTIFICATES, attribute
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.registry import parse_registry

STATE = cf.root("C=KZ, O=State, CN=State Root")
CA = cf.intermediate(STATE, "C=KZ, O=Security, CN=Security Certificate")
ENTRY = f"""
id = "state"
kind = "state_interception"
[names]
en = "State"
[[certificates]]
role = "root"
spki_sha256 = "{hashlib.sha256(STATE.spki).hexdigest()}"
public_key = "{base64.b64encode(STATE.spki).decode()}"
"""


def recognised(*chain: cf.Issued):
    cache = CertificateCache()
    parsed = [cache.parse(issued.der) for issued in chain]
    found = attribute(
        parsed, registry=parse_registry({"authorities/state.toml": ENTRY.encode()}), cache=cache
    )
    return [(one.authority.id, one.confidence) for one in found]


CONFIRMED = [("state", Confidence.CONFIRMED)]


def test_plainly():
    assert recognised(cf.leaf(CA), CA, STATE) == CONFIRMED
    assert recognised(cf.leaf(CA), CA) == CONFIRMED


def spelled(tag: int, encoding: str, organization: str = "Security"):
    """The name of the intermediate, with strings of another type."""
    values = (("O", organization), ("CN", "Security Certificate"))
    return cf.seq(
        cf.rdn("C", "KZ", tag=0x13), *(cf.rdn(kind, text.encode(encoding), tag=tag) for kind, text in values)
    )


@pytest.mark.parametrize(
    "issuer",
    [
        spelled(0x13, "ascii"),
        spelled(0x14, "latin-1"),
        spelled(0x1E, "utf-16-be"),
        spelled(0x1C, "utf-32-be"),
        spelled(0x0C, "utf-8", " SECURITY  "),
    ],
    ids=["PrintableString", "T61String", "BMPString", "UniversalString", "case and spaces"],
)
def test_the_name_of_the_issuer_in_another_spelling(issuer):
    """RFC 5280, 7.1: the same name. OpenSSL and NSS build the path."""
    assert recognised(cf.leaf(CA, issuer=issuer), CA, STATE) == CONFIRMED
    assert recognised(cf.leaf(CA, issuer=issuer), CA) == CONFIRMED


def test_behind_more_certificates_than_are_looked_at():
    """OpenSSL takes a hundred; they cost the interceptor nothing and lead nowhere."""
    junk = [cf.root(f"CN=Junk {i}") for i in range(MAX_CERTIFICATES + 4)]
    assert recognised(cf.leaf(CA), *junk, CA, STATE) == CONFIRMED
    assert recognised(cf.leaf(CA), *junk, CA) == CONFIRMED

"""The shape of a certificate, and products told by their traits."""

import hashlib
from dataclasses import replace

import pytest
from registry_tools import ec_key, make, rsa_key, shipped

from kzmitm.errors import FingerprintError
from kzmitm.model.traits import AnswerTraits
from kzmitm.pki.parse import parse_certificate
from kzmitm.pki.product_traits import match_traits
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.shape import certificate_shape, template_text


def digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def test_shape_is_what_its_page_says():
    key = rsa_key("shape", exponent=3)
    leaf = make("C=KZ, O=Қазақстан, CN=a.test", "CN=Issuer", key=key, signer=rsa_key("ca"), san=("a.test",))
    assert [oid for oid, _ in leaf.extensions] == ["2.5.29.17"]
    assert template_text(leaf) == "3;1.2.840.113549.1.1.11;2.5.29.17"
    assert certificate_shape(leaf) == "_".join(
        (
            "cs1",
            "rsa2048e3",
            digits("3;1.2.840.113549.1.1.11;2.5.29.17"),
            digits("2.5.4.3"),
            digits("2.5.4.6,2.5.4.10,2.5.4.3"),
        )
    )


def test_shape_is_of_the_template_and_not_of_the_values():
    key, signer = ec_key("one"), ec_key("ca")
    one = make("CN=a.test", "CN=Issuer", key=key, signer=signer, san=("a.test",), serial=5)
    other = make(
        "CN=b.test", "CN=Other", key=ec_key("two"), signer=signer, san=("b.test", "c.test"), serial=6
    )
    longer = make("O=B, CN=b.test", "CN=Other", key=key, signer=signer, san=("b.test",))
    bare = make("CN=b.test", "CN=Other", key=key, signer=signer)
    assert certificate_shape(one) == certificate_shape(other)
    assert certificate_shape(one).startswith("cs1_secp256r1_")
    assert certificate_shape(longer).rsplit("_", 1)[0] == certificate_shape(one).rsplit("_", 1)[0]
    assert certificate_shape(longer) != certificate_shape(one)
    assert certificate_shape(bare).split("_")[2] != certificate_shape(one).split("_")[2]


def test_what_cannot_be_read_has_no_shape():
    assert certificate_shape(parse_certificate(b"not DER")) is None
    leaf = make("CN=a.test", key=ec_key("one"))
    assert certificate_shape(replace(leaf, public_key=None)) is None


def test_extensions_count_with_their_criticality():
    leaf = make("CN=a.test", key=ec_key("one"))
    critical = replace(leaf, extensions=(("2.5.29.19", True), ("2.5.29.17", False)))
    assert template_text(critical).endswith(";!2.5.29.19,2.5.29.17")


# --- products

SSLSPLIT = AnswerTraits(
    jarm="07d19d1ad21d21d07c42d43d0000003a9a1b767e18862146c5f949efb36836",
    ja3s="f4febc55ea12b31ae17cfb7e614afda8",
    shape="cs1_rsa2048e3_7bfa7dca92cb_2e16925cec5b_3525cf66b29e",
    alpn="",
    session_ticket=False,
    ocsp_staple=False,
    embedded_scts=False,
    accepted=("TLSv1", "TLSv1.1", "TLSv1.2"),
    refused=(),
)
"""As measured in the laboratory, with a subject and an issuer of the laboratory's."""
SQUID = replace(
    SSLSPLIT,
    jarm="21d14d00021d21d00042d43d000000107066a9db8d16b0a001ff4969166ce7",
    shape="cs1_rsa2048e65537_4daafd146635_2e16925cec5b_3525cf66b29e",
    session_ticket=True,
    accepted=("TLSv1.2",),
    refused=("TLSv1", "TLSv1.1"),
)
MITMPROXY = replace(
    SQUID,
    jarm="29d29d15d29d29d00042d42d00000049d8801e4f5e9656b954b3b1ca4a680b",
    ja3s="15af977ce25de452b96affa2addb1036",
    shape="cs1_rsa2048e65537_89e54623b935_2e16925cec5b_3525cf66b29e",
    alpn="h2",
    refused=(),
)


def products(traits: AnswerTraits) -> list[str]:
    known = [(f.id, f.name, f.traits) for f in shipped().forgers.values() if f.traits is not None]
    return [match.id for match in match_traits(traits, known)]


@pytest.mark.parametrize(
    ("traits", "found"),
    [
        (SSLSPLIT, ["sslsplit"]),
        (SQUID, ["squid"]),
        (MITMPROXY, ["mitmproxy-eager", "mitmproxy-lazy"]),
        (replace(MITMPROXY, jarm=None), ["mitmproxy-eager", "mitmproxy-lazy"]),
        (replace(SSLSPLIT, jarm=None, shape=None), []),
        (replace(SSLSPLIT, alpn="h2"), []),
        (replace(SSLSPLIT, accepted=("TLSv1.2",)), ["sslsplit"]),
        (replace(SSLSPLIT, accepted=("TLSv1.2",), refused=("TLSv1",)), []),
        (replace(SSLSPLIT, accepted=None, alpn=None, session_ticket=None), ["sslsplit"]),
        (AnswerTraits(), []),
    ],
    ids=[
        "sslsplit", "squid", "mitmproxy", "without JARM", "nothing telling", "protocol kept",
        "versions not asked", "versions refused", "little told", "nothing told",
    ],
)  # fmt: skip
def test_products_of_the_registry(traits: AnswerTraits, found: list[str]):
    assert products(traits) == found


def test_a_match_lists_what_agrees_and_the_fullest_comes_first():
    registry = parse_registry(
        {
            "forgers/one.toml": forger("one", 'jarm = ["aa"]\ntelling = ["jarm"]'),
            "forgers/two.toml": forger("two", 'jarm = ["aa"]\nalpn = ["none", "h2"]\ntelling = ["jarm"]'),
        }
    )
    known = [(f.id, f.name, f.traits) for f in registry.forgers.values()]
    first, second = match_traits(AnswerTraits(jarm="aa", alpn=""), known)
    assert (first.id, first.agreeing) == ("two", ("jarm", "alpn"))
    assert (second.id, second.agreeing) == ("one", ("jarm",))


def forger(identity: str, traits: str) -> bytes:
    return f"""
id = "{identity}"
name = "{identity}"
telling = ["exponent"]
[require]
exponent = 3
[traits]
{traits}
source = "made up"
""".encode()


@pytest.mark.parametrize(
    ("traits", "what"),
    [
        ('jarm = ["aa"]\ntelling = []', "telling"),
        ('jarm = ["aa"]\ntelling = ["ja3s"]', "telling"),
        ('jarm = "aa"\ntelling = ["jarm"]', "jarm"),
        ('ja4s = ["aa"]\ntelling = ["jarm"]', "ja4s"),
        ('alpn = ["spdy"]\ntelling = ["alpn"]', "alpn"),
        ('session_ticket = "yes"\ntelling = ["session_ticket"]', "session_ticket"),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(traits: str, what: str):
    with pytest.raises(FingerprintError, match=f"forgers/one.toml.*{what}"):
        parse_registry({"forgers/one.toml": forger("one", traits)})

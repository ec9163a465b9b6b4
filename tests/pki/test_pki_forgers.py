"""Forgers are told by what they leave behind; where that fits several, all are named; where none, none."""

import dataclasses
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from registry_tools import START, ec_key, make, rsa_key, shipped, usage

from kzmitm.pki.forgers import match_forgers
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.relations import FieldRelations, relate

SNI = "www.example.com"
SUBJECT = f"C=US, O=Example, CN={SNI}"
SERIAL = 0x0405_1122_3344_5566_7788_99AA_BBCC_DDEE
NAMES = (SNI, "example.com")
CA_KEY = rsa_key("interceptor")
CA = make("CN=Interceptor", key=CA_KEY)
AKI = (x509.AuthorityKeyIdentifier.from_issuer_public_key(CA_KEY.public_key()), False)
EKU = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
BC = (x509.BasicConstraints(ca=False, path_length=None), True)
KU = (usage("digital_signature", "key_encipherment"), True)
COMMENT = (x509.UnrecognizedExtension(ObjectIdentifier("2.16.840.1.113730.1.13"), b"\x16\x01x"), False)
GENUINE = make(
    SUBJECT,
    "C=US, CN=Public CA",
    key=ec_key("genuine"),
    signer=rsa_key("public"),
    serial=SERIAL,
    san=NAMES,
    extensions=[EKU, KU, BC],
)
NOW = START + timedelta(days=30)


def ski(key):
    return (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)


def leaf(subject=SUBJECT, issuer="CN=Interceptor", **changes):
    return make(subject, issuer, signer=CA_KEY, **{"san": NAMES, "key": rsa_key("forged"), **changes})


def sslsplit():
    key = rsa_key("forged e3", exponent=3)
    return leaf(
        key=key,
        serial=SERIAL + 0xDEAD_BEEF,
        start=NOW - timedelta(days=1),
        length=timedelta(days=365),
        extensions=[ski(key), AKI, BC, KU, EKU],
    )


def kazakhstan(bits, hours):
    return leaf(
        issuer="C=KZ, CN=Security Certificate",
        key=rsa_key("forged kz", bits, 3),
        serial=SERIAL ^ 0x1_2345_6789,
        start=START - timedelta(hours=hours),
    )


def mitmproxy(subject, san):
    return leaf(
        subject,
        key=CA_KEY,
        serial=0x7777 << 140,
        start=NOW - timedelta(days=2),
        length=timedelta(days=367),
        san=san,
        extensions=[EKU, AKI],
    )


def squid():
    return leaf(key=CA_KEY, serial=0x6666 << 140, extensions=[KU, EKU, BC, AKI])


def haproxy():
    key = rsa_key("default certificate")
    return leaf(
        f"O=Interceptor, CN={SNI}",
        key=key,
        serial=0x1234_5678,
        start=NOW,
        length=timedelta(days=366),
        san=(SNI,),
        extensions=[BC, COMMENT, ski(key), AKI, KU],
    )


def names(forged, *, genuine=GENUINE, issuer=CA, shared_key=None, sni=SNI):
    relations = relate(forged, genuine, issuer=issuer, sni=sni, seen_at=NOW)
    return [one.id for one in match_forgers(relations, shared_key=shared_key, registry=shipped())]


CASES = {
    "sslsplit": (sslsplit(), True, ["sslsplit"]),
    "sslsplit, one host": (sslsplit(), None, ["sslsplit"]),
    "2019 first days": (kazakhstan(1024, 6), False, ["kazakhstan-2019-early"]),
    "2019 July": (kazakhstan(2048, 6), False, ["kazakhstan-2019-late"]),
    "2019 August": (kazakhstan(2048, 24), False, ["kazakhstan-2019-late"]),
    "2019, one host": (kazakhstan(2048, 24), None, ["kazakhstan-2019-late"]),
    "2019, another shift": (kazakhstan(2048, 7), False, []),
    "2019, shared key": (kazakhstan(2048, 6), True, []),
    "mitmproxy": (mitmproxy(f"CN={SNI}, O=Example", NAMES), True, ["mitmproxy-eager"]),
    "mitmproxy, not looking": (mitmproxy(f"CN={SNI}", (SNI,)), True, ["mitmproxy-lazy"]),
    "squid": (squid(), True, ["squid"]),
    "haproxy": (haproxy(), True, ["haproxy"]),
}


@pytest.mark.parametrize(("forged", "shared_key", "forgers"), CASES.values(), ids=CASES.keys())
def test_a_forger_is_told(forged, shared_key, forgers):
    assert names(forged, shared_key=shared_key) == forgers


def test_the_relations_that_fit_are_said_as_they_were_seen():
    relations = relate(sslsplit(), GENUINE, issuer=CA, sni=SNI)
    (one,) = match_forgers(relations, shared_key=True, registry=shipped())
    assert (one.id, one.name) == ("sslsplit", "sslsplit")
    assert one.relations == (
        "subject:copied",
        "san:copied",
        f"serial:low_bits({relations.serial_low_bits})",
        "duration:31536000",
        "key:rsa2048",
        "exponent:3",
        "key_equals_issuer_key:no",
        "key_shared_between_hosts:yes",
        (
            "extensions:subject_alt_name+subject_key_identifier+authority_key_identifier"
            "+basic_constraints+key_usage+ext_key_usage"
        ),
        "validity:fresh",
    )


def test_every_text_of_a_requirement_can_be_said():
    (kz,) = match_forgers(
        relate(kazakhstan(1024, 6), GENUINE, issuer=CA, sni=SNI), shared_key=False, registry=shipped()
    )
    assert "validity:shift(-21600)" in kz.relations
    assert "issuer:as_known" in kz.relations
    assert "key_shared_between_hosts:no" in kz.relations
    (ha,) = match_forgers(relate(haproxy(), GENUINE, issuer=CA, sni=SNI), shared_key=True, registry=shipped())
    assert "serial_bits:29" in ha.relations


def test_without_a_genuine_leaf_what_fits_several_is_said_of_several():
    bare = kazakhstan(1024, 6)
    assert names(bare, genuine=None) == ["kazakhstan-2019-early"]
    assert names(squid(), genuine=None) == ["squid"]
    assert names(mitmproxy(f"CN={SNI}", (SNI,)), genuine=None, shared_key=True) == [
        "mitmproxy-lazy",
        "mitmproxy-eager",
    ]


def test_a_leaf_about_which_nothing_tells_is_consistent_with_nobody():
    plain = leaf(serial=0x5555 << 140)
    assert names(plain) == []
    assert names(plain, genuine=None, issuer=None) == []
    assert match_forgers(FieldRelations(), shared_key=None, registry=shipped()) == ()


def test_a_leaf_with_the_genuine_key_was_forged_by_nobody():
    assert names(GENUINE, issuer=None) == []
    renewed = dataclasses.replace(GENUINE, serial=SERIAL + 5)
    assert names(renewed, issuer=None) == []


def test_the_years_after_2021_need_the_issuers_name():
    copied = leaf(issuer="C=KZ, O=ISCA, CN=Something", serial=0x5555 << 140)
    assert names(copied) == ["kazakhstan-2024"]
    assert names(leaf(serial=0x5555 << 140)) == []


FORGER = """id = "x"
name = "X"
telling = ["exponent"]
"""


def only(text: str, relations: FieldRelations, *, shared_key=None):
    registry = parse_registry({"forgers/x.toml": (FORGER + text).encode()})
    found = match_forgers(relations, shared_key=shared_key, registry=registry)
    return found[0].relations if found else None


E3 = FieldRelations(exponent=3, extensions=("2.5.29.17", "1.2.3"), backdated_s=100)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("[require]\nexponent = 3\n", True),
        ("[require]\nexponent = 65537\n", False),
        ('[require]\nexponent = 3\nextensions_include = ["subject_alt_name"]\n', True),
        ('[require]\nexponent = 3\nextensions_include = ["key_usage"]\n', False),
        ('[require]\nexponent = 3\nextensions_lack = ["key_usage"]\n', True),
        ('[require]\nexponent = 3\nextensions_lack = ["subject_alt_name"]\n', False),
        ("[require]\nexponent = 3\nbackdated_s = [0, 100]\n", True),
        ("[require]\nexponent = 3\nbackdated_s = [0, 99]\n", False),
        ("[require]\nexponent = 3\nduration_s = [0, 99]\n", True),  # could not be told
        ("[require]\nexponent = 3\nserial_low_bits_max = 33\n", True),
        ("[require]\nexponent = 3\nvalidity_shift_hours = [-6]\n", True),
        ("[require]\nexponent = 3\nshared_key = true\n", True),
        ("[require]\nexponent = 3\n[forbid]\nbackdated_s = [0, 100]\n", False),
        ("[require]\nexponent = 3\n[forbid]\nduration_s = [0, 100]\n", True),
    ],
)
def test_conditions_are_true_false_or_not_to_be_told(text, fits):
    assert (only(text, E3) is not None) is fits


def test_unknown_extensions_are_said_by_their_number():
    text = '[require]\nexponent = 3\nextensions_include = ["subject_alt_name"]\n'
    assert only(text, E3) == ("exponent:3", "extensions:subject_alt_name+1.2.3")
    bare = dataclasses.replace(E3, extensions=())
    assert only('[require]\nexponent = 3\nextensions_lack = ["key_usage"]\n', bare) == (
        "exponent:3",
        "extensions:none",
    )


def test_backdating_is_said():
    assert only("[require]\nexponent = 3\n[optional]\nbackdated_s = [0, 100]\n", E3) == (
        "exponent:3",
        "backdated:100",
    )


def test_the_more_specific_comes_first():
    files = {
        "forgers/a.toml": FORGER.replace('"x"', '"a"') + "[require]\nexponent = 3\n",
        "forgers/b.toml": FORGER.replace('"x"', '"b"') + "[require]\nexponent = 3\nserial_bits_max = 8\n",
    }
    registry = parse_registry({path: text.encode() for path, text in files.items()})
    assert [one.id for one in match_forgers(E3, shared_key=None, registry=registry)] == ["b", "a"]

"""Field relations: exact, symmetric where they must be, and silent where nothing can be told."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from registry_tools import START, ec_key, make, rsa_key

from kzmitm.model.certificate import Certificate, Name, NameAttribute
from kzmitm.pki.fields import SANRelation, SerialRelation, SubjectRelation, ValidityRelation
from kzmitm.pki.parse import parse_certificate
from kzmitm.pki.relations import FieldRelations, relate, relate_closest

SNI = "www.example.com"
SERIAL = 0x0405_1122_3344_5566_7788_99AA_BBCC_DDEE
GENUINE = make(
    f"C=US, O=Example, CN={SNI}",
    "C=US, CN=Public CA",
    key=ec_key("genuine"),
    signer=rsa_key("public"),
    serial=SERIAL,
    san=(SNI, "example.com"),
    extensions=[(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)],
)
FORGED = dataclasses.replace(
    make("CN=x", "CN=Interceptor", key=rsa_key("forged"), signer=rsa_key("interceptor"), san=("x",)),
    subject=GENUINE.subject,
    san_dns=GENUINE.san_dns,
)


def forged(**changes) -> Certificate:
    return dataclasses.replace(FORGED, **changes)


def subject(*attributes: tuple[str, str]) -> Name:
    return Name(repr(attributes).encode(), tuple(NameAttribute(oid, value) for oid, value in attributes))


C, O, CN = "2.5.4.6", "2.5.4.10", "2.5.4.3"  # noqa: E741 (X.500's own letters)


@pytest.mark.parametrize(
    ("name", "sni", "relation"),
    [
        (GENUINE.subject, SNI, SubjectRelation.COPIED),
        (subject((CN, SNI), (O, "Example")), SNI, SubjectRelation.REDUCED),
        (subject((CN, SNI)), SNI, SubjectRelation.REDUCED),
        (subject(), SNI, SubjectRelation.REDUCED),
        (subject((C, "KZ"), (CN, SNI.upper())), SNI, SubjectRelation.FROM_SNI),
        (subject((C, "KZ"), (CN, "else.example")), SNI, SubjectRelation.REWRITTEN),
        (subject((C, "KZ"), (CN, SNI)), None, SubjectRelation.REWRITTEN),
    ],
)
def test_subject(name, sni, relation):
    assert relate(forged(subject=name), GENUINE, sni=sni).subject is relation


@pytest.mark.parametrize(
    ("dns", "ips", "sni", "relation"),
    [
        ((SNI, "example.com"), (), SNI, SANRelation.COPIED),
        (("EXAMPLE.com", SNI), (), None, SANRelation.COPIED),
        ((SNI, "example.com", "m.example.com"), (), "m.example.com", SANRelation.COPIED_PLUS_SNI),
        ((SNI, "example.com", "m.example.com"), (), None, SANRelation.REWRITTEN),
        ((SNI, "example.com"), ("192.0.2.1",), SNI, SANRelation.COPIED_PLUS_IP),
        (
            (SNI, "example.com", "m.example.com"),
            ("192.0.2.1",),
            "m.example.com",
            SANRelation.COPIED_PLUS_SNI_AND_IP,
        ),
        ((SNI,), (), SNI, SANRelation.SNI_ONLY),
        ((SNI,), ("192.0.2.1",), SNI, SANRelation.SNI_AND_IP),
        ((SNI, "other.example"), (), SNI, SANRelation.REWRITTEN),
        ((), (), SNI, SANRelation.LOST),
        (None, None, SNI, SANRelation.LOST),
    ],
)
def test_san(dns, ips, sni, relation):
    assert relate(forged(san_dns=dns, san_ip=ips), GENUINE, sni=sni).san is relation


def test_a_san_of_the_sni_alone_is_both_a_copy_and_the_sni():
    single = dataclasses.replace(GENUINE, san_dns=(SNI,))
    relations = relate(forged(san_dns=(SNI,)), single, sni=SNI)
    assert (relations.san, relations.san_by_sni) == (SANRelation.COPIED, SANRelation.SNI_ONLY)


def test_no_san_on_either_side_is_a_copy():
    bare = dataclasses.replace(GENUINE, san_dns=None, san_ip=None)
    assert relate(forged(san_dns=None, san_ip=None), bare).san is SANRelation.COPIED


def test_addresses_of_the_genuine_leaf_that_are_missing_are_seen():
    with_ip = dataclasses.replace(GENUINE, san_ip=("192.0.2.1",))
    assert relate(forged(), with_ip).san is SANRelation.REWRITTEN
    assert relate(forged(san_ip=("192.0.2.1",)), with_ip).san is SANRelation.COPIED


@pytest.mark.parametrize(
    ("serial", "genuine", "relation", "bits"),
    [
        (SERIAL, SERIAL, SerialRelation.EQUAL, None),
        (SERIAL ^ 1, SERIAL, SerialRelation.LOW_BITS, 1),
        (SERIAL + 0xFFFF_FFFF, SERIAL, SerialRelation.LOW_BITS, 32),
        (SERIAL ^ (1 << 63), SERIAL, SerialRelation.LOW_BITS, 64),
        (SERIAL ^ (1 << 64), SERIAL, SerialRelation.UNRELATED, None),
        (0x1234, SERIAL, SerialRelation.UNRELATED, None),
        (4712, 4711, None, None),
        (-SERIAL, SERIAL, SerialRelation.UNRELATED, None),
        (5, -5, SerialRelation.UNRELATED, None),
    ],
)
def test_serial(serial, genuine, relation, bits):
    relations = relate(forged(serial=serial), dataclasses.replace(GENUINE, serial=genuine))
    assert (relations.serial, relations.serial_low_bits) == (relation, bits)


@given(st.integers(1 << 119, (1 << 159) - 1), st.integers(1, (1 << 32) - 1))
def test_a_random_32_bit_word_added_is_seen_however_far_its_carry_runs(genuine, word):
    relations = relate(forged(serial=genuine + word), dataclasses.replace(GENUINE, serial=genuine))
    assert relations.serial is SerialRelation.LOW_BITS
    assert relations.serial_low_bits == word.bit_length()


@given(st.integers(1 << 119, (1 << 159) - 1), st.integers(1 << 119, (1 << 159) - 1))
def test_serial_relations_are_symmetric(one, other):
    there = relate(forged(serial=one), dataclasses.replace(GENUINE, serial=other))
    back = relate(forged(serial=other), dataclasses.replace(GENUINE, serial=one))
    assert there.serial is back.serial or one.bit_length() != other.bit_length()


@pytest.mark.parametrize(
    ("start", "end", "relation", "shift"),
    [
        (0, 0, ValidityRelation.EQUAL, None),
        (-6, -6, ValidityRelation.SHIFT, -21_600),
        (-24, -24, ValidityRelation.SHIFT, -86_400),
        (0, 5, ValidityRelation.START_COPIED, None),
        (-5, 0, ValidityRelation.END_COPIED, None),
        (-6, -7, ValidityRelation.FRESH, None),
    ],
)
def test_validity(start, end, relation, shift):
    moved = forged(
        not_before=GENUINE.not_before + timedelta(hours=start),
        not_after=GENUINE.not_after + timedelta(hours=end),
    )
    relations = relate(moved, GENUINE)
    assert (relations.validity, relations.validity_shift_s) == (relation, shift)


@given(st.integers(-(10**7), 10**7))
def test_a_shift_is_exact_to_the_second(seconds):
    shift = timedelta(seconds=seconds)
    moved = forged(not_before=GENUINE.not_before + shift, not_after=GENUINE.not_after + shift)
    relations = relate(moved, GENUINE)
    assert (relations.validity_shift_s or 0) == seconds
    assert relations.duration_s == 90 * 86_400


def test_unknown_dates_tell_nothing():
    relations = relate(forged(not_before=None), GENUINE)
    assert (relations.validity, relations.duration_s, relations.backdated_s) == (None, None, None)


def test_backdating_counts_to_the_moment_it_was_seen():
    seen = datetime(2024, 1, 3, 0, 0, 1, tzinfo=UTC)
    assert relate(forged(not_before=START), None, seen_at=seen).backdated_s == 2 * 86_400 + 1


def test_keys():
    relations = relate(FORGED, GENUINE, issuer=make("CN=Interceptor", key=rsa_key("interceptor")))
    assert (relations.key, relations.exponent, relations.genuine_key) == ("rsa2048", 65537, "secp256r1")
    assert relations.key_is_genuine is False
    assert relations.key_equals_issuer_key is False
    assert relate(FORGED, FORGED).key_is_genuine is True
    assert relate(FORGED, GENUINE, issuer=FORGED).key_equals_issuer_key is True
    keyless = dataclasses.replace(FORGED, public_key=None)
    assert relate(keyless, GENUINE).key is None
    assert relate(keyless, GENUINE).key_is_genuine is None
    assert relate(FORGED, dataclasses.replace(GENUINE, public_key=None)).genuine_key is None


@pytest.mark.parametrize(("own", "answer"), [(True, True), (False, None)])
def test_a_leaf_with_the_issuers_key_gives_itself_away_without_the_issuer(own, answer):
    signer = rsa_key("interceptor")
    aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    key = signer if own else rsa_key("forged")
    leaf = make("CN=x", "CN=Interceptor", key=key, signer=signer, extensions=[(aki, False)])
    assert relate(leaf, None).key_equals_issuer_key is answer


def test_a_damaged_leaf_has_no_key_identifier():
    broken = dataclasses.replace(parse_certificate(b"\x30\x00"), authority_key_id=b"\1" * 20)
    assert relate(broken, None).key_equals_issuer_key is None
    assert relate(broken, None, issuer=FORGED).key_equals_issuer_key is None


def test_extensions_kept_lost_and_added():
    added = dataclasses.replace(FORGED, extensions=(("2.5.29.17", False), ("2.5.29.14", False)))
    relations = relate(added, GENUINE)
    assert relations.extensions == ("2.5.29.17", "2.5.29.14")
    assert relations.extensions_kept == ("2.5.29.17",)
    assert relations.extensions_lost == ("2.5.29.37",)
    assert relations.extensions_added == ("2.5.29.14",)


def test_issuer_and_signature_algorithm():
    relations = relate(FORGED, GENUINE)
    assert relations.issuer_kept is False
    assert relations.signature_algorithm_kept is True
    assert relate(GENUINE, GENUINE).issuer_kept is True


def test_what_a_leaf_shows_by_itself():
    relations = relate(FORGED, None, sni=SNI)
    assert relations.subject is relations.san is relations.serial is relations.validity is None
    assert relations.subject_by_sni is SubjectRelation.FROM_SNI
    assert relations.san_by_sni is None
    assert relations.extensions_lost is relations.key_is_genuine is relations.issuer_kept is None
    assert relations.key == "rsa2048"
    assert relations.facts() == (
        "subject:from_sni",
        "duration:7776000",
        "key:rsa2048",
        "exponent:65537",
    )


def test_facts_have_names():
    moved = forged(
        serial=SERIAL + 1,
        not_before=GENUINE.not_before - timedelta(hours=6),
        not_after=GENUINE.not_after - timedelta(hours=6),
    )
    issuer = make("CN=Interceptor", key=rsa_key("interceptor"))
    assert relate(moved, GENUINE, issuer=issuer, sni=SNI, seen_at=START).facts() == (
        "subject:copied",
        "san:copied",
        f"serial:low_bits({(SERIAL ^ (SERIAL + 1)).bit_length()})",
        "validity:shift(-21600)",
        "duration:7776000",
        "backdated:21600",
        "key:rsa2048",
        "exponent:65537",
        "key_is_genuine:no",
        "key_equals_issuer_key:no",
        "signature_algorithm_kept:yes",
        "issuer_kept:no",
        "extension_lost:2.5.29.37",
    )
    equal = relate(forged(serial=SERIAL), GENUINE).facts()
    assert {"serial:equal", "validity:equal"} <= set(equal)
    assert FieldRelations().facts() == ()


def test_the_closest_of_several_genuine_leaves_is_taken():
    other = dataclasses.replace(GENUINE, serial=SERIAL << 8, subject=subject((CN, "other")))
    twin = dataclasses.replace(GENUINE, serial=SERIAL << 16)
    near = forged(serial=(SERIAL << 16) + 77)
    for leaves in ([other, GENUINE, twin], [twin, other, GENUINE]):
        relations = relate_closest(near, leaves, sni=SNI)
        assert relations.serial is SerialRelation.LOW_BITS
        assert relations.subject is SubjectRelation.COPIED
    assert relate_closest(near, [], sni=SNI) == relate(near, None, sni=SNI)
    assert relate_closest(twin, [GENUINE, twin]).serial is SerialRelation.EQUAL


@given(st.binary(max_size=80), st.binary(max_size=80), st.text(max_size=5))
def test_any_octets_can_be_related(one, other, sni):
    first, second = parse_certificate(one), parse_certificate(other)
    relations = relate(first, second, issuer=second, sni=sni, seen_at=START)
    assert relations.facts() == relate(first, second, issuer=second, sni=sni, seen_at=START).facts()


def test_thousands_of_extensions_are_compared_at_once_and_not_all_said():
    many = tuple((f"1.2.{number}", False) for number in range(100_000))
    relations = relate(forged(extensions=many), dataclasses.replace(GENUINE, extensions=many[::2]))
    assert len(relations.extensions_kept) == len(relations.extensions_added) == 50_000
    assert relations.extensions_lost == ()
    assert len(relations.facts()) < 60

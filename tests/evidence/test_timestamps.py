"""Timestamps checked against a real authority (`openssl ts`), and against every way to spoil one."""

import hashlib
import importlib.metadata
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import rfc3161_client
from hypothesis import given
from hypothesis import strategies as st
from tsa_support import (
    BEGIN,
    ROOT_NAME,
    StampingAuthority,
    certificate_set,
    party,
    tlv,
    with_certificates_turned_round,
)

from kzmitm.evidence import layout, timestamps
from kzmitm.evidence.timestamps import MAX_TOKEN, accept_response, check_token, is_available, request_for
from kzmitm.evidence.token_check import INVALID_REASONS, TokenReason, TokenStatus
from kzmitm.netio.timestamping import MAX_RESPONSE

STAMPED = b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"
VALID, INVALID, UNCHECKED = TokenStatus


def ones(count):
    return b"\x01" * count


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return StampingAuthority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def request_der():
    return request_for(STAMPED, ones)


@pytest.fixture(scope="module")
def token(authority, request_der):
    return authority.reply(request_der.der)


@pytest.fixture(scope="module")
def others():
    """Roots that have nothing to do with it."""
    return [party("Stamp Somebody Else").der, party("Another Root").der]


def ended(check):
    return check.status, check.reason


def test_a_good_token_is_valid_with_its_time_and_its_authority(authority, request_der, token, others):
    check = accept_response(request_der, token, STAMPED, [*others, authority.root.der])
    assert ended(check) == (VALID, "")
    assert check.authority == "CN=Stamp Signer"
    assert check.at.tzinfo is UTC
    assert BEGIN + timedelta(days=365) < check.at
    assert check_token(token, STAMPED, [authority.root.der]) == check


def test_openssl_says_the_same(authority, token):
    assert authority.openssl_verifies(token, STAMPED)
    assert not authority.openssl_verifies(token, STAMPED + b"x")


def test_the_request_is_what_two_other_readers_take_it_for(request_der, tmp_path):
    parsed = rfc3161_client._rust.parse_timestamp_request(request_der.der)
    assert parsed.nonce == request_der.nonce == 0x4101010101010101
    assert parsed.cert_req
    assert parsed.message_imprint.message == hashlib.sha256(STAMPED).digest()
    path = tmp_path / "query"
    path.write_bytes(request_der.der)
    text = subprocess.run(
        ["openssl", "ts", "-query", "-in", path, "-text"], capture_output=True, check=True
    ).stdout
    assert b"Hash Algorithm: sha256" in text
    assert b"Nonce: 0x4101010101010101" in text
    assert b"Certificate required: yes" in text


@given(st.binary(min_size=8, max_size=8))
def test_every_nonce_has_its_eight_octets(octets):
    request = request_for(STAMPED, lambda count: octets[:count])
    assert rfc3161_client._rust.parse_timestamp_request(request.der).nonce == request.nonce
    assert request.nonce.bit_length() == 63


def test_limits_are_the_same_everywhere():
    assert MAX_TOKEN == MAX_RESPONSE == layout.MAX_ATTESTATION


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_stamps_that_others_asked_for_are_read(authority, digest):
    token = authority.reply(authority.query(STAMPED, f"-{digest}"))
    assert check_token(token, STAMPED, [authority.root.der]).status is VALID


def test_an_authority_with_an_rsa_key(tmp_path):
    authority = StampingAuthority(tmp_path, is_rsa=True)
    # The signer's certificate is the longer one here, so that turning them round sorts them.
    token = with_certificates_turned_round(authority.reply(authority.query(STAMPED, "-sha256")))
    # OpenSSL names the key's algorithm alone, as most authorities do.
    assert bytes.fromhex("300d06092a864886f70d0101010500") in token
    assert check_token(token, STAMPED, [authority.root.der]).status is VALID
    at = token.rindex(bytes.fromhex("2a864886f70d010101"))
    named = token[:at] + bytes.fromhex("2a864886f70d01010b") + token[at + 9 :]
    assert check_token(named, STAMPED, [authority.root.der]).status is VALID


def test_a_stamp_of_something_else(authority, request_der, token):
    for check in (
        check_token(token, STAMPED + b"\n", [authority.root.der]),
        accept_response(request_der, token, b"", [authority.root.der]),
    ):
        assert ended(check) == (INVALID, "wrong_message")


def test_a_stamp_of_something_else_that_names_this_hash_elsewhere(authority, token):
    stranger = authority.reply(authority.query(b"something else", "-sha256"))
    hidden = tlv(0x0C, hashlib.sha256(STAMPED).digest())
    said = tlv(0x30, bytes.fromhex("020100"), tlv(0x30, hidden))
    response = tlv(0x30, said, stranger[9:])
    check = check_token(response, STAMPED, [authority.root.der])
    assert ended(check) == (INVALID, "wrong_message")


def test_an_older_answer_played_again(authority, token):
    newer = request_for(STAMPED, lambda count: b"\x02" * count)
    check = accept_response(newer, token, STAMPED, [authority.root.der])
    assert ended(check) == (INVALID, "wrong_nonce")
    without = authority.reply(authority.query(STAMPED, "-sha256", "-no_nonce"))
    assert ended(accept_response(newer, without, STAMPED, [authority.root.der])) == (INVALID, "wrong_nonce")
    assert check_token(without, STAMPED, [authority.root.der]).status is VALID


def test_other_roots_leave_it_unchecked(token, others):
    check = check_token(token, STAMPED, others)
    assert ended(check) == (UNCHECKED, "untrusted_root")
    assert check.authority == "CN=Stamp Signer"
    assert ended(check_token(token, STAMPED, [])) == (UNCHECKED, "no_root")


def test_roots_that_are_no_certificates_are_passed_over(authority, token):
    rubbish = [b"", b"\x30\x00", authority.root.der[:-1]]
    assert ended(check_token(token, STAMPED, rubbish)) == (UNCHECKED, "untrusted_root")
    assert check_token(token, STAMPED, [*rubbish, authority.root.der]).status is VALID


def test_another_root_of_the_same_name(authority, token):
    twin = party(ROOT_NAME)
    assert ended(check_token(token, STAMPED, [twin.der])) == (UNCHECKED, "untrusted_root")
    for roots in ([twin.der, authority.root.der], [authority.root.der, twin.der]):
        assert check_token(token, STAMPED, roots).status is VALID


def test_a_root_renewed_with_the_same_key(authority, token):
    """Its older form is the one that was valid at the time of the stamp."""
    name, key = ROOT_NAME, authority.root.key
    later = datetime(2080, 1, 1, tzinfo=UTC)
    renewed = party(name, key=key, begin=later)
    assert ended(check_token(token, STAMPED, [renewed.der])) == (UNCHECKED, "untrusted_root")
    assert check_token(token, STAMPED, [party(name, key=key).der]).status is VALID


def test_a_lone_signer_is_trusted_by_itself_only(tmp_path, authority, others):
    """rfc3161-client 1.0.6 to 1.0.8 took every self-signed authority for trusted, whatever the roots."""
    lone = StampingAuthority(tmp_path, is_self_signed=True)
    token = lone.reply(lone.query(STAMPED, "-sha256"))
    for roots in ([authority.root.der], others, [party("Lone Stamper").der]):
        assert check_token(token, STAMPED, roots).status is not VALID
    assert check_token(token, STAMPED, [lone.root.der]).status is VALID
    response = rfc3161_client.decode_timestamp_response(token)
    verifier = rfc3161_client.VerifierBuilder(roots=[authority.root.certificate]).build()
    with pytest.raises(rfc3161_client.VerificationError):
        verifier.verify_message(response, STAMPED)


def test_a_signer_whose_certificate_is_not_for_stamps(tmp_path):
    authority = StampingAuthority(tmp_path, is_for_stamps=False)
    token = authority.reply_in_the_past(STAMPED, "20210601000000Z")
    assert ended(check_token(token, STAMPED, [authority.root.der])) == (INVALID, "bad_chain")


def test_a_token_outlives_the_certificate_of_its_signer(tmp_path):
    span = {"begin": datetime(2021, 1, 1, tzinfo=UTC), "end": datetime(2022, 1, 1, tzinfo=UTC)}
    authority = StampingAuthority(tmp_path, **span)
    token = authority.reply_in_the_past(STAMPED, "20210601120000Z")
    check = check_token(token, STAMPED, [authority.root.der])
    assert ended(check) == (VALID, "")
    assert check.at == datetime(2021, 6, 1, 12, tzinfo=UTC)
    assert authority.openssl_verifies(token, STAMPED, "-attime", "1622548800")
    for outside in ("20201231235959Z", "20220101000001Z"):
        late = authority.reply_in_the_past(STAMPED, outside)
        assert ended(check_token(late, STAMPED, [authority.root.der])) == (INVALID, "bad_chain")


def test_one_signer_and_no_more(authority):
    token = authority.reply_in_the_past(STAMPED, "20210601120000Z", others=[("other.pem", party("Another"))])
    assert ended(check_token(token, STAMPED, [authority.root.der])) == (UNCHECKED, "unreadable")


def test_fractions_of_a_second(authority):
    token = authority.reply_in_the_past(STAMPED, "20210601120000.25Z")
    check = check_token(token, STAMPED, [authority.root.der])
    assert check.at == datetime(2021, 6, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    assert check.status is VALID


@pytest.mark.parametrize("at", ["20211301000000Z", "202106010000Z", "20210601000000", "20210601000000.Z"])
def test_times_that_are_none(authority, at):
    token = authority.reply_in_the_past(STAMPED, at)
    assert ended(check_token(token, STAMPED, [authority.root.der])) == (UNCHECKED, "unreadable")


@pytest.mark.untraced
def test_no_bit_may_be_another(authority, token):
    """Also those that no signature covers: versions, and the name of the signature's algorithm."""
    reasons = set()
    for place in range(len(token)):
        spoiled = bytearray(token)
        spoiled[place] ^= 1 << place % 8
        check = check_token(bytes(spoiled), STAMPED, [authority.root.der])
        assert check.status is not VALID, place
        assert (check.status is INVALID) == (check.reason in INVALID_REASONS)
        reasons.add(check.reason)
    assert reasons > {"bad_signature", "bad_chain", "wrong_message", "damaged", "unreadable"}


def test_no_octet_may_be_missing(authority, token):
    for size in range(len(token)):
        assert check_token(token[:size], STAMPED, [authority.root.der]).status is INVALID, size


def test_nothing_may_follow(authority, token):
    for more in (b"\0", b"\n", token):
        assert ended(check_token(token + more, STAMPED, [authority.root.der])) == (INVALID, "damaged")
    assert ended(check_token(token + bytes(MAX_TOKEN), STAMPED, [])) == (INVALID, "too_large")


def test_certificates_in_the_wrong_order(authority, token, request_der):
    """DigiCert's tokens break the order of DER; OpenSSL does not mind."""
    turned = with_certificates_turned_round(token)
    assert len(certificate_set(token)) == 2
    assert turned != token
    check = accept_response(request_der, turned, STAMPED, [authority.root.der])
    assert ended(check) == (UNCHECKED, "unreadable")
    assert check.authority == "CN=Stamp Signer"
    assert authority.openssl_verifies(turned, STAMPED)


def test_an_encoding_without_lengths_is_left_alone(authority, token):
    """BER, as some authorities send it: `openssl ts` reads it, we do not."""
    start = 4
    loose = b"\x30\x80" + token[start:] + b"\0\0"
    assert authority.openssl_verifies(loose, STAMPED)
    assert ended(check_token(loose, STAMPED, [authority.root.der])) == (UNCHECKED, "unreadable")
    assert ended(check_token(loose[:-2], STAMPED, [authority.root.der])) == (INVALID, "damaged")


def test_a_refusal(authority):
    refusal = authority.reply(authority.query(STAMPED, "-sha1"))
    check = check_token(refusal, STAMPED, [authority.root.der])
    assert ended(check) == (INVALID, "not_granted")
    assert check.said == "Message digest algorithm is not supported., badAlg"
    assert check.at is None


@pytest.mark.parametrize("status", ["020102", "020103", "0201ff", "02020100"])
def test_every_other_status_is_a_refusal(authority, token, status):
    response = tlv(0x30, tlv(0x30, bytes.fromhex(status)), token[9:])
    assert ended(check_token(response, STAMPED, [authority.root.der])) == (INVALID, "not_granted")


def test_text_of_a_refusal_is_anything():
    said = tlv(0x0C, b"\xff\x1b[2J")
    response = tlv(0x30, tlv(0x30, b"\x02\x01\x02", tlv(0x30, said), tlv(0x03, b"\x06\x00\x40")))
    check = check_token(response, STAMPED, [])
    assert check.said == "\ufffd\x1b[2J, failure 9"
    assert ended(check_token(tlv(0x30, tlv(0x30, b"\x02\x01\x02", b"\x05\x00")), STAMPED, [])) == (
        INVALID,
        "wrong_message",
    )


def test_granted_with_changes(authority, token):
    response = tlv(0x30, bytes.fromhex("3003020101"), token[9:])
    assert ended(check_token(response, STAMPED, [authority.root.der])) == (UNCHECKED, "granted_with_mods")
    assert authority.openssl_verifies(response, STAMPED)


def test_granted_without_a_token(authority):
    hidden = tlv(0x30, tlv(0x0C, hashlib.sha256(STAMPED).digest()))
    response = tlv(0x30, tlv(0x30, b"\x02\x01\x00", hidden))
    assert ended(check_token(response, STAMPED, [authority.root.der])) == (UNCHECKED, "unreadable")


def test_a_token_without_certificates(authority):
    query = authority.query(STAMPED, "-sha256")
    bare = authority.reply(query[:-3].replace(query[:2], bytes([0x30, query[1] - 3]), 1))
    assert ended(check_token(bare, STAMPED, [authority.root.der])) == (UNCHECKED, "unreadable")


def test_without_the_library_a_token_stays_unchecked(authority, token, request_der, monkeypatch):
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    assert not is_available()
    check = accept_response(request_der, token, STAMPED, [authority.root.der])
    assert ended(check) == (UNCHECKED, "no_library")
    assert check.authority == "CN=Stamp Signer"
    assert ended(check_token(token, b"else", [authority.root.der])) == (INVALID, "wrong_message")
    spoiled = token[:-1] + bytes([token[-1] ^ 1])
    assert ended(check_token(spoiled, STAMPED, [])) == (INVALID, "bad_signature")


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ("1.0.8", False),
        ("1.0.9", True),
        ("1.0.10", True),
        ("2.0", True),
        ("1.1.0rc1", True),
        ("0.9.9", False),
    ],
)
def test_a_library_with_the_old_hole_is_none(authority, token, version, good, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: version)
    assert is_available() is good
    expected = (VALID, "") if good else (UNCHECKED, "no_library")
    assert ended(check_token(token, STAMPED, [authority.root.der])) == expected


class PanicException(BaseException):
    pass


@pytest.mark.parametrize("raised", [PanicException, ValueError, RecursionError, Warning])
def test_whatever_the_library_raises_is_an_answer(authority, token, raised, monkeypatch):
    def fail(*_: object):
        raise raised("no")

    monkeypatch.setattr(rfc3161_client.VerifierBuilder, "build", fail)
    assert ended(check_token(token, STAMPED, [authority.root.der])) == (INVALID, "bad_chain")
    monkeypatch.setattr(rfc3161_client, "decode_timestamp_response", fail)
    assert ended(check_token(token, STAMPED, [authority.root.der])) == (UNCHECKED, "unreadable")


def test_a_stop_by_the_user_is_none(authority, token, monkeypatch):
    def stop(*_: object):
        raise KeyboardInterrupt

    monkeypatch.setattr(rfc3161_client, "decode_timestamp_response", stop)
    with pytest.raises(KeyboardInterrupt):
        check_token(token, STAMPED, [authority.root.der])


@given(octets=st.binary(max_size=300), at=st.integers(0, 299), by=st.binary(min_size=32, max_size=32))
def test_any_octets_get_an_answer(octets, at, by):
    for stamped in (b"", octets):
        check = check_token(octets[:at] + hashlib.sha256(stamped).digest() + octets[at:], stamped, [by])
        assert check.status is not VALID
        assert check.reason in list(TokenReason)


@given(data=st.data())
def test_any_piece_of_a_token_may_be_any_other(data, authority, token):
    start = data.draw(st.integers(0, len(token)))
    stop = data.draw(st.integers(start, min(len(token), start + 40)))
    piece = data.draw(st.binary(max_size=40))
    spoiled = token[:start] + piece + token[stop:]
    check = check_token(spoiled, STAMPED, [authority.root.der])
    assert (check.status is VALID) == (spoiled == token)


def test_reasons_are_words_that_do_not_change():
    assert timestamps.TokenReason("untrusted_root") not in INVALID_REASONS
    assert {str(reason) for reason in TokenReason} == {
        "", "too_large", "damaged", "not_granted", "wrong_message", "wrong_nonce", "bad_signature",
        "bad_chain", "unreadable", "unknown_algorithm", "granted_with_mods", "no_library", "no_root",
        "untrusted_root",
        "opentimestamps",
    }  # fmt: skip

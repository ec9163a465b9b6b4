"""Handlers of the ServerHello and of the server flight up to TLS 1.2 (RFC 5246, 7.3)."""

from kzmitm.model.observation import Proof, ProofKind
from kzmitm.wire.chain import ocsp_response, read_chain
from kzmitm.wire.flow13 import accept_hello13, conclude, retry_hello, take_extensions
from kzmitm.wire.iana import extensions as ext
from kzmitm.wire.iana.alerts import (
    ILLEGAL_PARAMETER,
    PROTOCOL_VERSION,
    UNEXPECTED_MESSAGE,
)
from kzmitm.wire.iana.groups import GROUPS, group_name
from kzmitm.wire.iana.messages import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CERTIFICATE_STATUS,
    SERVER_HELLO,
    SERVER_HELLO_DONE,
    SERVER_KEY_EXCHANGE,
)
from kzmitm.wire.iana.suites import suite_name
from kzmitm.wire.iana.versions import TLS10, TLS12, TLS13, version_name
from kzmitm.wire.limits import MESSAGE_HEADER
from kzmitm.wire.parsing import extensions, uint16, vector, whole_vector
from kzmitm.wire.proof import DSA_SHA1, ECDSA_SHA1, RSA_MD5_SHA1, check_signature
from kzmitm.wire.session import Expectation, Session
from kzmitm.wire.violation import ViolationError

RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""Random of a HelloRetryRequest (RFC 8446, 4.1.3)."""
DOWNGRADE = {b"DOWNGRD\x01": "TLS 1.3", b"DOWNGRD\x00": "TLS 1.2"}
"""Sentinels at the end of the random: the server speaks this version (RFC 8446, 4.1.3)."""

_NOT_BEFORE_13 = frozenset(
    {ext.KEY_SHARE, ext.PSK_KEY_EXCHANGE_MODES, ext.SUPPORTED_VERSIONS, ext.SIGNATURE_ALGORITHMS}
)


def _server_hello(s: Session, message: bytes) -> None:
    random_end = MESSAGE_HEADER + 34
    version = uint16(message, MESSAGE_HEADER)
    s.server_random = message[MESSAGE_HEADER + 2 : random_end]
    session_id, offset = vector(message, random_end, 1)
    suite = uint16(message, offset)
    found: dict[int, bytes] = {}
    if len(message) < offset + 3 or message[offset + 2] or len(session_id) > 32:
        raise ViolationError(
            "the ServerHello is cut off, compresses or has a long session id", ILLEGAL_PARAMETER
        )
    if len(message) > offset + 3:
        found = extensions(whole_vector(message, offset + 3, 2))
    if suite not in s.profile.cipher_suites:
        s.put_up_with(ViolationError(f"suite {suite_name(suite)} was not offered", ILLEGAL_PARAMETER))
    if ext.SUPPORTED_VERSIONS in found:
        if session_id != s.hello.session_id or version != TLS12:
            raise ViolationError("the ServerHello of TLS 1.3 does not echo our session id", ILLEGAL_PARAMETER)
        accept = retry_hello if s.server_random == RETRY_RANDOM else accept_hello13
        accept(s, message, suite, found)
    else:
        _accept_hello12(s, version, suite, found)


def _accept_hello12(s: Session, version: int, suite: int, found: dict[int, bytes]) -> None:
    offered = s.profile.versions or range(TLS10, s.profile.legacy_version + 1)
    if version not in offered:
        breach = ViolationError(f"version {version_name(version)} was not offered", PROTOCOL_VERSION)
        s.put_up_with(breach)
    if not TLS10 <= version < TLS13 or key_exchange(suite) not in _EXCHANGES:
        raise s.protest or ViolationError(f"{suite_name(suite)} is no suite of {version_name(version)}")
    if s.retried_suite or s.change_cipher_specs:
        raise ViolationError("the ServerHello does not fit what came before", ILLEGAL_PARAMETER)
    s.choose(version, suite)
    take_extensions(s, found, _NOT_BEFORE_13)
    spoken = DOWNGRADE.get(s.server_random[24:])
    if spoken is not None and s.profile.highest_version > version:
        s.findings.note(f"downgrade sentinel: the server speaks {spoken}")
    s.expected = _AFTER_HELLO


_EXCHANGES = frozenset({("RSA", ""), ("DHE", "RSA"), ("DHE", "DSS"), ("ECDHE", "RSA"), ("ECDHE", "ECDSA")})
"""What we can read the flight of."""


def key_exchange(suite: int) -> tuple[str, str] | None:
    """Key exchange and signature by the name of a suite: (ECDHE, RSA), (RSA, ""); None for TLS 1.3's."""
    method, separator, _cipher = suite_name(suite).removeprefix("TLS_").partition("_WITH_")
    exchange, _, signature = method.partition("_")
    return (exchange, signature) if separator else None


def _certificate(s: Session, message: bytes) -> None:
    read_chain(message, s.findings, tls13=False)
    exchange = key_exchange(s.suite)
    s.expected = _AFTER_CERTIFICATE_STATIC if exchange == ("RSA", "") else _AFTER_CERTIFICATE


def _certificate_status(s: Session, message: bytes) -> None:
    if ext.STATUS_REQUEST not in s.findings.server_extensions:
        raise ViolationError("a certificate status was not announced", UNEXPECTED_MESSAGE)
    s.findings.ocsp_staple = ocsp_response(message[MESSAGE_HEADER:])
    s.expected = {kind: handler for kind, handler in s.expected.items() if kind != CERTIFICATE_STATUS}


def _server_key_exchange(s: Session, message: bytes) -> None:
    exchange, signature_kind = key_exchange(s.suite) or ("", "")
    end = _ecdhe_end(s, message) if exchange == "ECDHE" else _dhe_end(message)
    if s.version >= TLS12:
        scheme = uint16(message, end)
        signature = whole_vector(message, end + 2, 2)
    else:
        scheme = _FIXED_SCHEMES.get(signature_kind, RSA_MD5_SHA1)
        signature = whole_vector(message, end, 2)
    signed = s.hello.random + s.server_random + message[MESSAGE_HEADER:end]
    s.findings.proof = Proof(
        kind=ProofKind.TLS12,
        scheme=scheme,
        signature=signature,
        signed=signed,
        client_random=s.hello.random,
        server_random=s.server_random,
        verified=check_signature(s.findings.chain[0], ProofKind.TLS12, scheme, signature, signed),
    )
    s.expected = _AFTER_KEY_EXCHANGE


_FIXED_SCHEMES = {"RSA": RSA_MD5_SHA1, "ECDSA": ECDSA_SHA1, "DSS": DSA_SHA1}
"""What TLS 1.0 and 1.1 sign with (RFC 4346, 7.4.3; RFC 8422, 5.4)."""

_NAMED_CURVE = 3


def _ecdhe_end(s: Session, message: bytes) -> int:
    """Where the ECDHE parameters end (RFC 8422, 5.4)."""
    if len(message) < MESSAGE_HEADER + 4 or message[MESSAGE_HEADER] != _NAMED_CURVE:
        raise ViolationError("the curve has no name", ILLEGAL_PARAMETER)
    group = uint16(message, MESSAGE_HEADER + 1)
    if group not in s.profile.groups or group not in GROUPS:
        raise ViolationError(f"group {group_name(group)} was not offered", ILLEGAL_PARAMETER)
    return vector(message, MESSAGE_HEADER + 3, 1)[1]


def _dhe_end(message: bytes) -> int:
    """Where the DHE parameters p, g and Ys end (RFC 5246, 7.4.3)."""
    end = MESSAGE_HEADER
    for _parameter in range(3):
        end = vector(message, end, 2)[1]
    return end


def _certificate_request(s: Session, message: bytes) -> None:
    _types, offset = vector(message, MESSAGE_HEADER, 1)
    if s.version >= TLS12:
        _schemes, offset = vector(message, offset, 2)
    whole_vector(message, offset, 2)
    s.findings.certificate_requested = True
    s.expected = _AFTER_REQUEST


def _server_hello_done(s: Session, message: bytes) -> None:
    if len(message) != MESSAGE_HEADER:
        raise ViolationError("the ServerHelloDone is not empty")
    conclude(s, s.findings.proof)


EXPECT_HELLO: Expectation = {SERVER_HELLO: _server_hello}
_AFTER_HELLO: Expectation = {CERTIFICATE: _certificate}
_AFTER_REQUEST: Expectation = {SERVER_HELLO_DONE: _server_hello_done}
_AFTER_KEY_EXCHANGE: Expectation = {**_AFTER_REQUEST, CERTIFICATE_REQUEST: _certificate_request}
_AFTER_CERTIFICATE_STATIC: Expectation = {**_AFTER_KEY_EXCHANGE, CERTIFICATE_STATUS: _certificate_status}
_AFTER_CERTIFICATE: Expectation = {
    CERTIFICATE_STATUS: _certificate_status,
    SERVER_KEY_EXCHANGE: _server_key_exchange,
}

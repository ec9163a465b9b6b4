"""Handlers of TLS 1.3's server flight (RFC 8446, 2), up to CertificateVerify.

The server's Finished is not waited for: that the records decrypt proves the key exchange, and the
signature over the transcript proves the rest of what we came for.
"""

from kzmitm.model.observation import Proof, ProofKind
from kzmitm.wire.chain import read_chain
from kzmitm.wire.iana import extensions as ext
from kzmitm.wire.iana.alerts import (
    DECRYPT_ERROR,
    ILLEGAL_PARAMETER,
    MISSING_EXTENSION,
    UNEXPECTED_MESSAGE,
    UNSUPPORTED_EXTENSION,
)
from kzmitm.wire.iana.groups import group_name
from kzmitm.wire.iana.messages import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CERTIFICATE_VERIFY,
    ENCRYPTED_EXTENSIONS,
    MESSAGE_HASH,
)
from kzmitm.wire.iana.versions import TLS13
from kzmitm.wire.limits import MAX_COOKIE, MAX_EXTENSIONS, MESSAGE_HEADER
from kzmitm.wire.parsing import extensions, uint16, vector, whole_vector
from kzmitm.wire.proof import SERVER_CONTEXT, check_signature
from kzmitm.wire.schedule import SUITES, HandshakeKeys
from kzmitm.wire.session import Expectation, Session
from kzmitm.wire.violation import ViolationError

_HELLO_EXTENSIONS = frozenset({ext.SUPPORTED_VERSIONS, ext.KEY_SHARE})
_RETRY_EXTENSIONS = _HELLO_EXTENSIONS | {ext.COOKIE, ext.ENCRYPTED_CLIENT_HELLO}
"""The last is for the sender of a GREASE one to ignore (RFC 9849, 6.2)."""
_NOT_ENCRYPTED = frozenset(
    {
        ext.SUPPORTED_VERSIONS,
        ext.KEY_SHARE,
        ext.STATUS_REQUEST,
        ext.SIGNED_CERTIFICATE_TIMESTAMP,
        ext.SIGNATURE_ALGORITHMS,
        ext.PSK_KEY_EXCHANGE_MODES,
        ext.EXTENDED_MASTER_SECRET,
        ext.RENEGOTIATION_INFO,
        ext.SESSION_TICKET,
        ext.EC_POINT_FORMATS,
    }
)
"""Types that have no place in EncryptedExtensions (RFC 8446, 4.2)."""


def accept_hello13(s: Session, message: bytes, suite: int, found: dict[int, bytes]) -> None:
    """ServerHello of 1.3: agree on the handshake keys."""
    _check_choice(s, suite, found)
    if not found.keys() <= _HELLO_EXTENSIONS:
        raise ViolationError(
            "a ServerHello of TLS 1.3 has an extension of another message", ILLEGAL_PARAMETER
        )
    if s.retried_suite not in (0, suite):
        raise ViolationError("the suite is not the one of the HelloRetryRequest", ILLEGAL_PARAMETER)
    s.choose(TLS13, suite)
    s.findings.server_extensions = tuple(found)
    if ext.KEY_SHARE not in found:
        raise ViolationError("there is no key share", MISSING_EXTENSION)
    entry = found[ext.KEY_SHARE]
    group = uint16(entry, 0)
    share = s.hello.shares.get(group)
    if share is None:
        raise ViolationError(f"the key share is of {group_name(group)}, not ours", ILLEGAL_PARAMETER)
    secret = share.agree(whole_vector(entry, 2, 2))
    s.transcript.append(message)
    parameters = s.suite13 = SUITES[suite]
    digest = parameters.hash(b"".join(s.transcript)).digest()
    s.keys = HandshakeKeys(parameters, secret, digest)
    s.expected = _AFTER_HELLO


def retry_hello(s: Session, message: bytes, suite: int, found: dict[int, bytes]) -> None:
    """HelloRetryRequest (RFC 8446, 4.1.4): send the hello again with what it asks for."""
    _check_choice(s, suite, found)
    if s.retried_suite:
        raise ViolationError("a second HelloRetryRequest", UNEXPECTED_MESSAGE)
    if not found.keys() <= _RETRY_EXTENSIONS:
        raise ViolationError("a HelloRetryRequest has an extension of another message", ILLEGAL_PARAMETER)
    group = cookie = None
    if ext.COOKIE in found:
        cookie = whole_vector(found[ext.COOKIE], 0, 2)
        if not 0 < len(cookie) <= MAX_COOKIE:
            raise ViolationError(f"a cookie of {len(cookie)} octets", ILLEGAL_PARAMETER)
    if ext.KEY_SHARE in found:
        group = uint16(found[ext.KEY_SHARE], 0)
        if len(found[ext.KEY_SHARE]) != 2 or group not in s.profile.groups or group in s.hello.shares:
            raise ViolationError(f"the retry asks for {group_name(group)}, wrongly", ILLEGAL_PARAMETER)
    if group is None and cookie is None:
        raise ViolationError("the HelloRetryRequest asks for nothing", ILLEGAL_PARAMETER)
    digest = SUITES[suite].hash(s.hello.message).digest()
    if not s.hello.retry(group, cookie, s.rng):
        raise ViolationError(f"the retry asks for {group_name(group or 0)}, wrongly", ILLEGAL_PARAMETER)
    s.retried_suite = suite
    # RFC 8446, 4.4.1: the first hello is replaced by its hash.
    first = bytes((MESSAGE_HASH, 0, 0, len(digest))) + digest
    s.transcript = [first, message, s.hello.message]
    s.outgoing = s.hello.message


def _check_choice(s: Session, suite: int, found: dict[int, bytes]) -> None:
    selected = int.from_bytes(found[ext.SUPPORTED_VERSIONS], "big")
    if selected != TLS13 or len(found[ext.SUPPORTED_VERSIONS]) != 2 or TLS13 not in s.profile.versions:
        raise ViolationError(f"the selected version 0x{selected & 0xFFFF:04x} is not ours", ILLEGAL_PARAMETER)
    if suite not in SUITES:
        raise ViolationError(f"suite 0x{suite:04x} is none of TLS 1.3", ILLEGAL_PARAMETER)


def _encrypted_extensions(s: Session, message: bytes) -> None:
    found = extensions(whole_vector(message, MESSAGE_HEADER, 2))
    take_extensions(s, found, _NOT_ENCRYPTED)
    s.transcript.append(message)
    s.expected = _AFTER_EXTENSIONS


def take_extensions(s: Session, found: dict[int, bytes], elsewhere: frozenset[int]) -> None:
    """Note the server's extensions and protocol (RFC 7301, 3.1); what was not asked for is put up with.

    `elsewhere` are types that belong into other messages.
    """
    for kind in found:
        if kind not in s.hello.offered or kind in elsewhere:
            s.put_up_with(ViolationError(f"extension {kind} was not asked for", UNSUPPORTED_EXTENSION))
    s.findings.server_extensions += tuple(found)[:MAX_EXTENSIONS]
    if ext.ALPN in found:
        s.findings.alpn = whole_vector(whole_vector(found[ext.ALPN], 0, 2), 0, 1).decode("latin-1")
        if s.findings.alpn not in s.alpn:
            s.put_up_with(ViolationError("the application protocol was not offered", ILLEGAL_PARAMETER))


def _certificate_request(s: Session, message: bytes) -> None:
    _context, offset = vector(message, MESSAGE_HEADER, 1)
    extensions(whole_vector(message, offset, 2))
    s.findings.certificate_requested = True
    s.transcript.append(message)
    s.expected = _AFTER_REQUEST


def _certificate(s: Session, message: bytes) -> None:
    read_chain(message, s.findings, tls13=True)
    s.transcript.append(message)
    s.expected = _AFTER_CERTIFICATE


def _certificate_verify(s: Session, message: bytes) -> None:
    scheme = uint16(message, MESSAGE_HEADER)
    signature = whole_vector(message, MESSAGE_HEADER + 2, 2)
    transcript = b"".join(s.transcript)
    assert s.suite13 is not None  # noqa: S101 - set by accept_hello13, which alone leads here
    signed = SERVER_CONTEXT + s.suite13.hash(transcript).digest()
    s.findings.proof = proof = Proof(
        kind=ProofKind.TLS13,
        scheme=scheme,
        signature=signature,
        signed=signed,
        client_random=s.hello.random,
        server_random=s.server_random,
        verified=check_signature(s.findings.chain[0], ProofKind.TLS13, scheme, signature, signed),
        transcript=transcript,
    )
    conclude(s, proof)


def conclude(s: Session, proof: Proof | None) -> None:
    """The flight is over; raises ViolationError if its signature or anything put up with was wrong."""
    if proof is not None:
        if proof.verified is False:
            raise ViolationError("the server's signature does not verify", DECRYPT_ERROR)
        schemes = s.profile.signature_schemes
        if proof.scheme not in schemes and schemes and s.version >= 0x0303:
            raise ViolationError(f"signature scheme 0x{proof.scheme:04x} was not offered", ILLEGAL_PARAMETER)
    if s.protest is not None:
        raise s.protest
    s.findings.end(None)


_AFTER_HELLO: Expectation = {ENCRYPTED_EXTENSIONS: _encrypted_extensions}
_AFTER_REQUEST: Expectation = {CERTIFICATE: _certificate}
_AFTER_EXTENSIONS: Expectation = {**_AFTER_REQUEST, CERTIFICATE_REQUEST: _certificate_request}
_AFTER_CERTIFICATE: Expectation = {CERTIFICATE_VERIFY: _certificate_verify}

"""The ClientHello (RFC 8446, 4.1.2): from a profile to octets, whole or cut.

What a profile fixes is laid out once per profile and ALPN; a connection only fills the gaps in.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from struct import Struct

from kzmitm.errors import UsageError
from kzmitm.model.observation import Split
from kzmitm.wire.iana import extensions as ext
from kzmitm.wire.iana import groups
from kzmitm.wire.iana.messages import CLIENT_HELLO, HANDSHAKE
from kzmitm.wire.keyshare import (
    HYBRID_SHARE,
    HYBRID_SUPPORTED,
    HybridShare,
    KeyShare,
    Random,
    X25519Share,
    generate_share,
)
from kzmitm.wire.limits import MAX_PLAINTEXT, MAX_SNI, RECORD_HEADER
from kzmitm.wire.profiles import GREASE, GREASE_LAST, HelloProfile

RANDOM_SIZE = 32


class Gap(IntEnum):
    """A place in the laid-out hello that each connection fills; the GREASE ones as Chromium counts them."""

    RANDOM = 0
    SESSION_ID = 1
    SERVER_NAME = 2
    KEY_SHARE = 3
    ECH = 4
    GREASE_SUITE = 5
    GREASE_GROUP = 6
    GREASE_EXTENSION = 7
    GREASE_LAST = 8
    GREASE_VERSION = 9


_Part = bytes | Gap


@dataclass(frozen=True, slots=True)
class Layout:
    """A hello without its gaps: what precedes the extensions' length, and the extensions."""

    head: tuple[_Part, ...]
    extensions: tuple[_Part, ...]
    offered: frozenset[int]
    """Extension types that the server may answer."""
    greases: int
    """How many GREASE values to draw."""


def u16(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _prefixed(body: bytes, width: int) -> bytes:
    return len(body).to_bytes(width, "big") + body


def _numbers(values: Sequence[int], gap: Gap, width: int) -> list[_Part]:
    """A vector of 16-bit numbers with GREASE left as gaps."""
    length = (2 * len(values)).to_bytes(width, "big")
    return [length, *(gap if value == GREASE else u16(value) for value in values)]


def _merged(parts: Sequence[_Part]) -> tuple[_Part, ...]:
    """The same with neighbouring octets joined."""
    result: list[_Part] = []
    for part in parts:
        if result and isinstance(part, bytes) and isinstance(result[-1], bytes):
            result[-1] += part
        else:
            result.append(part)
    return tuple(result)


_CONSTANT_BODIES: dict[int, bytes] = {
    ext.STATUS_REQUEST: b"\x01\x00\x00\x00\x00",  # ocsp, any responder, no extensions (RFC 6066, 8)
    ext.EC_POINT_FORMATS: b"\x01\x00",  # uncompressed (RFC 8422, 5.1.2)
    ext.SIGNED_CERTIFICATE_TIMESTAMP: b"",
    ext.EXTENDED_MASTER_SECRET: b"",
    ext.RECORD_SIZE_LIMIT: b"\x40\x01",  # the whole plaintext (RFC 8449, 4)
    ext.SESSION_TICKET: b"",
    ext.PSK_KEY_EXCHANGE_MODES: b"\x01\x01",  # psk_dhe_ke (RFC 8446, 4.2.9)
    ext.RENEGOTIATION_INFO: b"\x00",
}

_WHOLE_GAPS: dict[int, Gap] = {
    ext.SERVER_NAME: Gap.SERVER_NAME,
    ext.KEY_SHARE: Gap.KEY_SHARE,
    ext.ENCRYPTED_CLIENT_HELLO: Gap.ECH,
}


def _extension(kind: int, profile: HelloProfile, alpn: tuple[str, ...]) -> list[_Part]:
    """The parts of one extension; none for one that has nothing to say."""
    if kind in _WHOLE_GAPS:
        return [_WHOLE_GAPS[kind]]
    if kind == GREASE:
        return [Gap.GREASE_EXTENSION, b"\x00\x00"]
    if kind == GREASE_LAST:
        return [Gap.GREASE_LAST, b"\x00\x01\x00"]
    if kind == ext.ALPN:
        names = b"".join(_prefixed(name.encode("latin-1"), 1) for name in alpn)
        return [u16(kind), _prefixed(_prefixed(names, 2), 2)] if names else []
    if kind in _CONSTANT_BODIES:
        return [u16(kind), _prefixed(_CONSTANT_BODIES[kind], 2)]
    body = _list_body(kind, profile)
    size = sum(2 if isinstance(part, Gap) else len(part) for part in body)
    return [u16(kind), u16(size), *body]


def _list_body(kind: int, profile: HelloProfile) -> list[_Part]:
    if kind == ext.SUPPORTED_GROUPS:
        return _numbers(offered_groups(profile), Gap.GREASE_GROUP, 2)
    if kind == ext.SIGNATURE_ALGORITHMS:
        return _numbers(profile.signature_schemes, Gap.GREASE_SUITE, 2)
    if kind == ext.SUPPORTED_VERSIONS:
        return _numbers(profile.versions, Gap.GREASE_VERSION, 1)
    raise UsageError(f"hello profile {profile.name}: extension {kind} has no body")


def offered_groups(profile: HelloProfile) -> tuple[int, ...]:
    """The profile's groups without the hybrid one where `cryptography` lacks ML-KEM."""
    if HYBRID_SUPPORTED:
        return profile.groups
    return tuple(g for g in profile.groups if g != groups.X25519MLKEM768)


@lru_cache(maxsize=64)
def layout(profile: HelloProfile, alpn: tuple[str, ...]) -> Layout:
    """The hello of a profile without its gaps; raises UsageError for an extension without a body."""
    suites = _numbers(profile.cipher_suites, Gap.GREASE_SUITE, 2)
    head: list[_Part] = [u16(profile.legacy_version), Gap.RANDOM, Gap.SESSION_ID, *suites, b"\x01\x00"]
    parts = [part for kind in profile.extensions for part in _extension(kind, profile, alpn)]
    offered = {kind for kind in profile.extensions if kind & 0x0F0F != GREASE}
    if not alpn:
        offered.discard(ext.ALPN)
    if 0x00FF in profile.cipher_suites:  # the SCSV asks for the answer too (RFC 5746, 3.4)
        offered.add(ext.RENEGOTIATION_INFO)
    greases = any(isinstance(p, Gap) and p >= Gap.GREASE_SUITE for p in (*head, *parts))
    return Layout(_merged(head), _merged(parts), frozenset(offered), 5 * greases)


def encode_sni(sni: str) -> bytes:
    """The octets of a server name as they go on the wire; raises UsageError for more than MAX_SNI.

    UTF-8, and a lone surrogate from U+DC80 to U+DCFF stands for one octet (PEP 383), so that any
    sequence of octets can be sent.
    """
    try:
        name = sni.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as exc:
        raise UsageError(f"not a server name: {ascii(sni)[:80]}") from exc
    if len(name) > MAX_SNI:
        raise UsageError(f"a server name of {len(name)} octets is too long")
    return name


_SNI_HEADER = Struct(">HHHBH")
_SHARE_HEADER = Struct(">HH")
_KEY_SHARE_HEADER = Struct(">HHH")


def _server_name(name: bytes | None) -> bytes:
    if name is None:
        return b""
    size = len(name)
    return _SNI_HEADER.pack(ext.SERVER_NAME, size + 5, size + 3, 0, size) + name


def _key_share(entries: Sequence[tuple[int, bytes]]) -> bytes:
    shares = b"".join([_SHARE_HEADER.pack(group, len(public)) + public for group, public in entries])
    size = len(shares)
    return _KEY_SHARE_HEADER.pack(ext.KEY_SHARE, size + 2, size) + shares


def _grease_ech(profile: HelloProfile, rng: Random) -> bytes:
    """Outer, HKDF-SHA256 with AES-128-GCM, and made-up config id, X25519 key and payload."""
    if not profile.ech_payload_size:
        return b""
    drawn = rng(1 + 32 + profile.ech_payload_size)
    body = b"\x00\x00\x01\x00\x01" + drawn[:1] + _prefixed(drawn[1:33], 2) + _prefixed(drawn[33:], 2)
    return u16(ext.ENCRYPTED_CLIENT_HELLO) + _prefixed(body, 2)


def _greases(drawn: bytes) -> list[bytes]:
    """GREASE values 0x?A?A for the five gaps; the two extension types differ."""
    nibbles = [octet & 0xF0 | 0x0A for octet in drawn]
    if nibbles[2:3] == nibbles[3:4] and nibbles:
        nibbles[3] ^= 0x10
    return [bytes((nibble, nibble)) for nibble in nibbles]


class ClientHello:
    """One connection's hello: `message` is the handshake message, `random` ours, `shares` our secrets."""

    __slots__ = ("_layout", "_profile", "_values", "message", "offered", "random", "session_id", "shares")

    def __init__(self, profile: HelloProfile, sni: bytes | None, alpn: tuple[str, ...], rng: Random) -> None:
        self._profile = profile
        self._layout = layout(profile, alpn)
        self.offered = self._layout.offered if sni is not None else self._layout.offered - {ext.SERVER_NAME}
        size = profile.session_id_size
        drawn = rng(RANDOM_SIZE + size + self._layout.greases)
        self.random = drawn[:RANDOM_SIZE]
        self.session_id = drawn[RANDOM_SIZE : RANDOM_SIZE + size]
        self.shares: dict[int, KeyShare] = {}
        greases = _greases(drawn[RANDOM_SIZE + size :])
        key_share = b""
        if profile.key_shares:
            key_share = _key_share(self._generate_shares(rng, greases[1] if greases else b""))
        self._values: list[bytes] = [
            self.random,
            _prefixed(self.session_id, 1),
            _server_name(sni),
            key_share,
            _grease_ech(profile, rng),
            *greases,
        ]
        self.message = self._assemble(b"")

    def _generate_shares(self, rng: Random, grease: bytes) -> list[tuple[int, bytes]]:
        """Our shares; the hybrid one uses the same X25519 key as the plain one, as its draft allows."""
        entries: list[tuple[int, bytes]] = []
        x25519 = X25519Share(rng)
        for group in self._profile.key_shares:
            share: KeyShare | None
            if group == groups.X25519:
                share = x25519
            elif group == groups.X25519MLKEM768 and HYBRID_SUPPORTED:
                share = HybridShare(rng, x25519)
            elif group == GREASE:
                entries.append((int.from_bytes(grease, "big"), b"\x00"))
                continue
            else:
                share = generate_share(group, rng)
            if share is None:
                entries.append((int.from_bytes(grease, "big") ^ 0x1010, rng(HYBRID_SHARE)))
                continue
            self.shares[group] = share
            entries.append((group, share.public))
        return entries

    def _assemble(self, cookie: bytes) -> bytes:
        values = self._values
        head = b"".join([values[p] if isinstance(p, int) else p for p in self._layout.head])
        body = b"".join([values[p] if isinstance(p, int) else p for p in self._layout.extensions])
        body += cookie
        missing = self._profile.pad_to - (6 + len(head) + len(body))
        if missing > 0:
            # RFC 7685 needs four octets of header; OpenSSL goes beyond the size likewise.
            filler = bytes(missing - 4 if missing >= 4 else 1)
            body += u16(ext.PADDING) + _prefixed(filler, 2)
        size = len(head) + (2 + len(body) if body else 0)
        start = bytes((CLIENT_HELLO,)) + size.to_bytes(3, "big") + head
        return start + _prefixed(body, 2) if body else start

    def retry(self, group: int | None, cookie: bytes | None, rng: Random) -> bool:
        """Make `message` the second hello (RFC 8446, 4.1.2); False if we do not speak the group."""
        if group is not None:
            share = generate_share(group, rng)
            if share is None:
                return False
            self.shares = {group: share}
            self._values[Gap.KEY_SHARE] = _key_share([(group, share.public)])
        extra = b"" if cookie is None else u16(ext.COOKIE) + _prefixed(_prefixed(cookie, 2), 2)
        self.message = self._assemble(extra)
        return True

    def segments(self, split: Split) -> tuple[bytes, ...]:
        """The message in records, as sends."""
        message, version = self.message, self._profile.record_version
        if split is Split.NONE and len(message) <= MAX_PLAINTEXT:
            return (bytes((HANDSHAKE,)) + u16(version) + _prefixed(message, 2),)
        name = self._values[Gap.SERVER_NAME][_SNI_HEADER.size :]
        return cut_hello(message, version, name, split)


def cut_hello(message: bytes, record_version: int, name: bytes, split: Split) -> tuple[bytes, ...]:
    """A hello in records, as sends: one of each, or cut in the middle of the server name.

    Split.RECORDS makes two records of it in one send; Split.TCP three sends: the record's header, then
    up to the cut, then the rest. Without a name the cut is in the middle of the message.
    """
    found = message.rfind(name) if name else -1
    middle = len(message) // 2 if found < 0 else found + len(name) // 2
    cuts = (0, middle, len(message)) if split is Split.RECORDS else (0, len(message))
    header = bytes((HANDSHAKE,)) + u16(record_version)
    records = b"".join(
        header + _prefixed(message[start : min(start + MAX_PLAINTEXT, end)], 2)
        for begin, end in itertools.pairwise(cuts)
        for start in range(begin, end, MAX_PLAINTEXT)
    )
    if split is not Split.TCP:
        return (records,)
    middle += RECORD_HEADER
    return records[:RECORD_HEADER], records[RECORD_HEADER:middle], records[middle:]

"""The ClientHello (RFC 8446, 4.1.2): from a profile to octets, whole or cut.

What a profile fixes is laid out once per profile and ALPN; a connection only fills the gaps in.
"""

import itertools
from collections.abc import Sequence
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
from kzmitm.wire.layout import Gap, layout, prefixed, u16
from kzmitm.wire.limits import MAX_PLAINTEXT, MAX_SNI, RECORD_HEADER
from kzmitm.wire.profiles import GREASE, HelloProfile

RANDOM_SIZE = 32


def encode_sni(sni: str) -> bytes:
    """The octets of a server name as they go on the wire; raises UsageError for more than MAX_SNI.

    UTF-8, and a lone surrogate from U+DC80 to U+DCFF stands for one octet (PEP 383), so that any
    sequence of octets can be sent.
    """
    try:
        name = sni.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as exc:
        raise UsageError("not a server name: {sni}", sni=ascii(sni)[:80]) from exc
    if len(name) > MAX_SNI:
        raise UsageError("a server name of {count} octets is too long", count=len(name))
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
    body = b"\x00\x00\x01\x00\x01" + drawn[:1] + prefixed(drawn[1:33], 2) + prefixed(drawn[33:], 2)
    return u16(ext.ENCRYPTED_CLIENT_HELLO) + prefixed(body, 2)


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
            prefixed(self.session_id, 1),
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
            body += u16(ext.PADDING) + prefixed(filler, 2)
        size = len(head) + (2 + len(body) if body else 0)
        start = bytes((CLIENT_HELLO,)) + size.to_bytes(3, "big") + head
        return start + prefixed(body, 2) if body else start

    def retry(self, group: int | None, cookie: bytes | None, rng: Random) -> bool:
        """Make `message` the second hello (RFC 8446, 4.1.2); False if we do not speak the group."""
        if group is not None:
            share = generate_share(group, rng)
            if share is None:
                return False
            self.shares = {group: share}
            self._values[Gap.KEY_SHARE] = _key_share([(group, share.public)])
        extra = b"" if cookie is None else u16(ext.COOKIE) + prefixed(prefixed(cookie, 2), 2)
        self.message = self._assemble(extra)
        return True

    def segments(self, split: Split) -> tuple[bytes, ...]:
        """The message in records, as sends."""
        message, version = self.message, self._profile.record_version
        if split is Split.NONE and len(message) <= MAX_PLAINTEXT:
            return (bytes((HANDSHAKE,)) + u16(version) + prefixed(message, 2),)
        name = self._values[Gap.SERVER_NAME][_SNI_HEADER.size :]
        return cut_hello(message, version, name, split)


def cut_hello(message: bytes, record_version: int, name: bytes, split: Split) -> tuple[bytes, ...]:
    """A hello in records, as sends: one of each, or cut in the middle of the server name.

    Split.RECORDS makes two records of it in one send; Split.TCP three sends: the record's header, then
    up to the cut, then the rest. Without a name the cut is in the middle of the message.
    """
    listed = u16(len(name) + 3) + b"\x00" + u16(len(name))  # ServerNameList up to the name (RFC 6066, 3)
    found = message.find(listed + name) if name else -1
    middle = len(message) // 2 if found < 0 else found + len(listed) + len(name) // 2
    cuts = (0, middle, len(message)) if split is Split.RECORDS else (0, len(message))
    header = bytes((HANDSHAKE,)) + u16(record_version)
    records = b"".join(
        header + prefixed(message[start : min(start + MAX_PLAINTEXT, end)], 2)
        for begin, end in itertools.pairwise(cuts)
        for start in range(begin, end, MAX_PLAINTEXT)
    )
    if split is not Split.TCP:
        return (records,)
    middle += RECORD_HEADER
    return records[:RECORD_HEADER], records[RECORD_HEADER:middle], records[middle:]

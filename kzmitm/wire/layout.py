"""What a profile fixes of its hello, with gaps for what each connection fills in."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from kzmitm.errors import UsageError
from kzmitm.wire.iana import extensions as ext
from kzmitm.wire.iana import groups
from kzmitm.wire.keyshare import HYBRID_SUPPORTED
from kzmitm.wire.profiles import GREASE, GREASE_LAST, HelloProfile


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


def prefixed(body: bytes, width: int) -> bytes:
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
        names = b"".join(prefixed(name.encode("latin-1"), 1) for name in alpn)
        return [u16(kind), prefixed(prefixed(names, 2), 2)] if names else []
    if kind in _CONSTANT_BODIES:
        return [u16(kind), prefixed(_CONSTANT_BODIES[kind], 2)]
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
    raise UsageError("hello profile {name}: extension {kind} has no body", name=profile.name, kind=kind)


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

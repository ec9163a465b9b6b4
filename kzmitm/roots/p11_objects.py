"""Certificates out of p11-kit's own files (`[p11-kit-object-v1]`), with what is stapled to them.

The form is that of `p11_persist_read` in p11-kit's trust/persist.c: sections of `name: value` and PEM blocks.
Purposes are objects of their own, stapled to a certificate by its public key.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import islice
from urllib.parse import unquote_to_bytes

from kzmitm.pki import der
from kzmitm.pki.der import DERError
from kzmitm.pki.parse import parse_certificate, read_extension
from kzmitm.roots.pem import (
    MAX_CERTIFICATES,
    Block,
    CertificateFile,
    FoundCertificate,
    blocks,
    first_element,
    purposes,
    read_certificates,
)

_SECTION = re.compile(rb"^\[([^\]\r\n]{0,64})\][ \t\r]*$", re.MULTILINE)
_OBJECT = b"p11-kit-object-v1"
_FIELD = re.compile(rb"^([a-z0-9-]{1,64}):([^\n]*)", re.MULTILINE)
_CLASS = re.compile(rb"^class:[ \t]*([a-z-]{0,64})", re.MULTILINE)
_CERTIFICATE = b"certificate"
_EXTENSION = b"x-certificate-extension"
MAX_OBJECTS = 200_000
"""Of one file. `trust dump` writes about ten for every certificate."""
MAX_VALUE = 1 << 17
"""Octets of one field; the longest are certificates written as a value."""

_EXT_KEY_USAGE = "2.5.29.37"
_OPENSSL_REJECT = "1.3.6.1.4.1.3319.6.10.1"
"""p11-kit's own, for the rejected purposes of OpenSSL (its trust/oid.h)."""
_RESERVED_PURPOSE = "1.3.6.1.4.1.3319.6.10.16"
"""p11-kit's own, for a list of purposes that would be empty."""


@dataclass
class _Stapled:
    """What is stapled to a public key, by the SHA-256 of its DER in hex."""

    allowed: frozenset[str] | None = None
    rejected: frozenset[str] = frozenset()


@dataclass
class _Draft:
    found: list[FoundCertificate] = field(default_factory=list)
    stapled: dict[str, _Stapled] = field(default_factory=dict)
    broken: int = 0


def read_trust_file(octets: bytes) -> CertificateFile:
    """The certificates of any file that p11-kit would read: its own form, PEM or DER; never raises."""
    return read_objects(octets) if b"[" + _OBJECT + b"]" in octets else read_certificates(octets)


def read_objects(octets: bytes) -> CertificateFile:
    """The certificates of a file in p11-kit's own form; never raises."""
    draft = _Draft()
    for section in _sections(octets):
        kind = _CLASS.search(section)
        if kind is not None and kind[1] not in (_CERTIFICATE, _EXTENSION):
            continue  # nine of ten in the answer of `trust dump`
        fields = dict(_fields(section))
        kept = [block for block in blocks(section) if block.label in (b"CERTIFICATE", b"PUBLIC KEY")]
        if kind is not None and kind[1] == _EXTENSION:
            _staple(draft, fields, kept)
        else:
            _take(draft, fields, kept)
        if len(draft.found) > MAX_CERTIFICATES:
            break
    found = [_with_stapled(each, draft.stapled) for each in draft.found[:MAX_CERTIFICATES]]
    is_cut = len(draft.found) > MAX_CERTIFICATES or octets.count(b"[" + _OBJECT + b"]") > MAX_OBJECTS
    return CertificateFile(certificates=tuple(found), broken=draft.broken, is_cut=is_cut)


def _sections(octets: bytes) -> Iterator[bytes]:
    """The sections that hold objects, without their heads; what is before the first is one, too."""
    heads = list(islice(_SECTION.finditer(octets), MAX_OBJECTS))
    yield octets[: heads[0].start()] if heads else octets
    ends = [head.start() for head in heads[1:]] + [len(octets)]
    for head, end in zip(heads, ends, strict=False):
        if head[1] == _OBJECT:
            yield octets[head.end() : end]


def _fields(section: bytes) -> Iterator[tuple[bytes, bytes]]:
    for found in _FIELD.finditer(section):
        if len(found[2]) <= MAX_VALUE:
            yield found[1], found[2].strip()


def _text(value: bytes) -> bytes:
    """The octets of a quoted value, which is written as in an URL."""
    quoted = len(value) >= 2 and value[:1] == value[-1:] == b'"'
    return unquote_to_bytes(value[1:-1]) if quoted else b""


def _take(draft: _Draft, fields: Mapping[bytes, bytes], kept: list[Block]) -> None:
    """Take the certificate of a section, which stands in a block or is a value."""
    held = [block.octets or b"" for block in kept if block.label == b"CERTIFICATE"]
    if not held and b"value" in fields:
        held = [_text(fields[b"value"])]
    for octets in held:
        encoded = first_element(octets)
        if encoded is None:
            draft.broken += 1
            continue
        says = fields.get(b"trusted")
        draft.found.append(
            FoundCertificate(
                der=encoded,
                label=_text(fields.get(b"label", b"")).decode("utf-8", "replace"),
                is_anchor=None if says is None else says == b"true",
                is_distrusted=fields.get(b"x-distrusted") == b"true",
            )
        )


def _staple(draft: _Draft, fields: Mapping[bytes, bytes], kept: list[Block]) -> None:
    """Keep the purposes of a section for the certificates with its public key; others are of no matter."""
    keys = [block.octets for block in kept if block.label == b"PUBLIC KEY" and block.octets]
    key = sha256(keys[0] if keys else _text(fields.get(b"public-key-info", b""))).hexdigest()
    try:
        value = _text(fields.get(b"value", b""))
        start, stop = der.whole(value, der.SEQUENCE)
        oid, _, inner = read_extension(value[start:stop])
        if oid not in (_EXT_KEY_USAGE, _OPENSSL_REJECT):
            return
        start, stop = der.whole(inner, der.SEQUENCE)
        listed = purposes(inner, start, stop) - {_RESERVED_PURPOSE}
    except DERError:
        return
    stapled = draft.stapled.setdefault(key, _Stapled())
    if oid == _EXT_KEY_USAGE:
        stapled.allowed = listed
    else:
        stapled.rejected = listed


def _with_stapled(found: FoundCertificate, stapled: Mapping[str, _Stapled]) -> FoundCertificate:
    if not stapled:
        return found
    key = parse_certificate(found.der).public_key
    says = stapled.get(key.spki_sha256) if key is not None else None
    return found if says is None else replace(found, allowed=says.allowed, rejected=says.rejected)

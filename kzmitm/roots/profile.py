"""Apple's configuration profiles: what certificates they would install.

Payload types and keys: Apple, "Configuration Profile Reference" (CertificateRoot, CertificatePKCS1,
CertificatePEM, CertificatePKCS12). A profile is XML, plain or within a signed message; a binary property list
is none, and Python's reader of those can be made to use any amount of memory.
"""

import plistlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from xml.parsers.expat import ExpatError

from kzmitm.roots.contents import Contents, Item, Kind, Note, told
from kzmitm.roots.values import Trust
from kzmitm.wording import Wording, joined

MAX_PROFILE = 8 << 20
"""Octets; those in use have some kilobytes, with fonts and pictures some hundreds of them."""
MAX_PAYLOADS = 1_000
MAX_LABEL = 200

ReadKeystore = Callable[[bytes, str | None], Contents]
"""Reads PKCS#12 with the password given in the profile, if one is."""
ReadFile = Callable[[bytes], Contents]

_ROOT = "com.apple.security.root"
_CERTIFICATES = frozenset({_ROOT, "com.apple.security.pkcs1", "com.apple.security.pem"})
_KEYSTORE = "com.apple.security.pkcs12"

_MARKS = (b"<?xml", b"<!DOCTYPE plist", b"<plist")
_DAMAGE = (
    ExpatError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)


def looks_like_profile(octets: bytes) -> bool:
    """True if this is XML that may be a property list."""
    start = octets[:200].removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(_MARKS)


def read_profile(octets: bytes, *, read_file: ReadFile, read_keystore: ReadKeystore) -> Contents:
    """The certificates that a profile would install; never raises."""
    if len(octets) > MAX_PROFILE:
        return Contents(
            kind=Kind.PROFILE,
            problem=Wording(
                "larger than {max_profile} MiB, so it was not read", max_profile=MAX_PROFILE >> 20
            ),
        )
    try:
        # Entities, which could make it large or read files, are refused by plistlib itself.
        document = plistlib.loads(octets, fmt=plistlib.FMT_XML)
    except _DAMAGE as exc:
        return Contents(kind=Kind.PROFILE, problem=Wording("not a property list: {why}", why=exc))
    payloads, problems = _payloads(document)
    items: list[Item] = []
    for payload in payloads:
        found = _read(payload, read_file, read_keystore)
        items.extend(found.items)
        problems.extend(filter(None, [found.problem]))
    is_encrypted = isinstance(document, dict) and "EncryptedPayloadContent" in document
    if is_encrypted:
        problems.append(Wording("its content is encrypted for one device"))
    return Contents(
        kind=Kind.PROFILE,
        items=tuple(items),
        problem=told(problems),
        notes=(Note.ENCRYPTED,) if is_encrypted else (),
    )


def _payloads(document: Any) -> tuple[list[dict[Any, Any]], list[str]]:
    content = document.get("PayloadContent") if isinstance(document, dict) else None
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return [], [Wording("no configuration profile: it has no payloads")]
    problems: list[str] = (
        [Wording("more than {max_payloads} payloads", max_payloads=MAX_PAYLOADS)]
        if len(content) > MAX_PAYLOADS
        else []
    )
    return [one for one in content[:MAX_PAYLOADS] if isinstance(one, dict)], problems


def _read(payload: dict[Any, Any], read_file: ReadFile, read_keystore: ReadKeystore) -> Contents:
    kind, content = payload.get("PayloadType"), payload.get("PayloadContent")
    if not isinstance(kind, str) or kind not in _CERTIFICATES | {_KEYSTORE}:
        return Contents(kind=Kind.PROFILE)
    label = _label(payload)
    if not isinstance(content, bytes):
        return Contents(
            kind=Kind.PROFILE,
            problem=Wording("{label}: a payload without a certificate", label=label or kind),
        )
    if kind == _KEYSTORE:
        password = payload.get("Password")
        found = read_keystore(content, password if isinstance(password, str) else None)
    else:
        found = read_file(content)
        if not found.items and not found.problem:
            found = replace(found, problem=Wording("no certificate in it"))
    # Only a root payload is made an anchor; the others are kept for building chains (and for signing in).
    trust = Trust.TRUSTED if kind == _ROOT else Trust.PRESENT
    return Contents(
        kind=Kind.PROFILE,
        items=tuple(replace(item, label=label or item.label, trust=trust) for item in found.items),
        problem=joined(": ", (label or kind, found.problem)) if found.problem else "",
    )


def _label(payload: dict[Any, Any]) -> str:
    return next(_texts(payload), "")[:MAX_LABEL]


def _texts(payload: dict[Any, Any]) -> Iterator[str]:
    for key in ("PayloadDisplayName", "PayloadCertificateFileName", "PayloadIdentifier"):
        value = payload.get(key)
        if isinstance(value, str) and value.strip():
            yield value

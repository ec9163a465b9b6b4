"""What certificates are in a file that somebody was asked to install: PEM to profiles, apps and archives.

The form is told by the octets, not by the name: what a message calls `security.cer` may be anything. Pure:
octets in, values out, and a hostile file is a problem in one line.
"""

from collections.abc import Iterator
from dataclasses import replace

from kzmitm.pki.der import DERError
from kzmitm.roots import apk, profile, registry_export
from kzmitm.roots.certificate_files import Place, trust_of
from kzmitm.roots.cms import PEM_LABELS, SIGNED_DATA, SignedData, read_signed_data
from kzmitm.roots.contents import Contents, Item, Kind, Note, told
from kzmitm.roots.keystore_files import is_keystore, read_keystore
from kzmitm.roots.p11_objects import read_trust_file
from kzmitm.roots.pem import FoundCertificate, blocks, first_element
from kzmitm.roots.values import Trust
from kzmitm.wording import Wording

MAX_FILE = 256 << 20
"""Octets; the largest apps have some 200 MB."""

_BINARY_LIST = b"bplist00"
_NONE = Wording("no certificate in it")


def certificates_in(octets: bytes, *, name: str) -> Contents:
    """What is in a file; `name` is for the labels of what has none. Never raises, whatever the octets are."""
    if len(octets) > MAX_FILE:
        return Contents(
            kind=Kind.UNKNOWN,
            problem=Wording("larger than {max_file} MiB, so it was not read", max_file=MAX_FILE >> 20),
        )
    is_archive = octets.startswith(apk.MAGIC)
    found = apk.read_archive(octets, read_file=_member) if is_archive else _single(octets)
    label = name.replace("\\", "/").rpartition("/")[2]
    items: dict[tuple[bytes, Trust | None], Item] = {}
    for item in found.items:
        items.setdefault((item.der, item.trust), replace(item, label=item.label or label))
    missing = "" if items or found.problem else _NONE
    return replace(found, items=tuple(items.values()), problem=found.problem or missing)


def _member(octets: bytes) -> Contents:
    """A file in an archive, which may be anything but an archive again."""
    if octets.startswith(apk.MAGIC):
        return Contents(kind=Kind.ZIP, problem=Wording("an archive within an archive was not read"))
    return _single(octets)


def _single(octets: bytes) -> Contents:
    if profile.looks_like_profile(octets):
        return profile.read_profile(octets, read_file=_certificates, read_keystore=read_keystore)
    if octets.startswith(_BINARY_LIST):
        return Contents(kind=Kind.PROFILE, problem=Wording("a binary property list, which is no profile"))
    if registry_export.looks_like_export(octets):
        return registry_export.read_export(octets)
    if is_keystore(octets):
        return read_keystore(octets, None)
    if SIGNED_DATA in octets[:64]:
        return _message(octets)
    return _certificates(octets)


def _message(octets: bytes) -> Contents:
    """A signed message: a profile, or nothing but certificates."""
    try:
        message = read_signed_data(octets)
    except DERError as exc:
        return Contents(kind=Kind.PKCS7, problem=Wording("damaged message: {why}", why=exc))
    if message.content is None or not profile.looks_like_profile(message.content):
        return Contents(kind=Kind.PKCS7, items=_carried(message))
    # Of a signed profile, the certificates beside the content are the signer's; nobody would install them.
    found = profile.read_profile(message.content, read_file=_certificates, read_keystore=read_keystore)
    return replace(found, notes=(*found.notes, Note.SIGNED))


def _carried(message: SignedData) -> tuple[Item, ...]:
    return tuple(Item(der=encoded) for encoded in message.certificates)


def _certificates(octets: bytes) -> Contents:
    """PEM with all that may be in it, p11-kit's objects, or bare DER."""
    held = read_trust_file(octets)
    problems = [held.problem] if held.problem else []
    items = [_item(found) for found in held.certificates]
    kind = Kind.PEM if b"-----BEGIN" in octets else Kind.UNKNOWN
    if first_element(octets) is not None:
        kind = Kind.DER
    for message in _messages(octets):
        items.extend(message.items)
        problems.extend(filter(None, [message.problem]))
    return Contents(kind=kind, items=tuple(items), problem=told(problems))


def _messages(octets: bytes) -> Iterator[Contents]:
    if not any(b"-----BEGIN " + label in octets for label in PEM_LABELS):
        return
    for block in blocks(octets):
        if block.label in PEM_LABELS:
            yield _message(block.octets or b"")


def _item(found: FoundCertificate) -> Item:
    """With the trust that the file itself states, by OpenSSL's auxiliary data or p11-kit's fields."""
    says = found.is_distrusted or found.is_anchor is not None or found.allowed is not None or found.rejected
    trust: Trust | None = trust_of(found, Place.SOURCE)[0] if says else None
    return Item(der=found.der, label=found.label, trust=trust)

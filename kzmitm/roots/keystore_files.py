"""Keystores among the files of `inspect`: PKCS#12 (RFC 7292), opened with what anybody would try."""

import warnings
from collections.abc import Iterator
from itertools import pairwise

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate, load_pkcs12
from cryptography.x509 import InvalidVersion

from kzmitm.pki.der import DERError
from kzmitm.roots.ber import CONSTRUCTED, INTEGER, OCTETS, SEQUENCE, Element, Reader
from kzmitm.roots.contents import Contents, Item, Kind
from kzmitm.roots.jks import MAGICS, read_jks
from kzmitm.wording import Wording

MAX_KEYSTORE = 8 << 20
"""Octets; Java's own store of public roots has some hundred kilobytes."""
MAX_ROUNDS = 5_000_000
"""Rounds of hashing that a file may ask for in all: some seconds; programs ask for up to 600,000."""
PASSWORDS = (None, "", "changeit", "changeme", "password", "1234", "123456")
"""No password, an empty one, Java's, and those that people are told in messages."""
MAX_LABEL = 200

_VERSION_3 = b"\x02\x01\x03\x30"
_LOCKED = Wording("locked with a password that we do not know")


def is_keystore(octets: bytes) -> bool:
    """True if this begins as a keystore does: a sequence of version 3 and a message, or Java's magic."""
    return octets.startswith(MAGICS) or (octets[:1] == b"\x30" and _VERSION_3 in octets[:12])


def read_keystore(octets: bytes, password: str | None) -> Contents:
    """The certificates in it, opened with the password given or one of PASSWORDS; never raises."""
    if octets.startswith(MAGICS):
        entries, problem = read_jks(octets)
        trusted = tuple(Item(der=entry.der, label=entry.label) for entry in entries)
        return Contents(kind=Kind.JAVA_KEYSTORE, items=trusted, problem=problem)
    if len(octets) > MAX_KEYSTORE:
        return Contents(
            kind=Kind.PKCS12,
            problem=Wording(
                "larger than {max_keystore} MiB, so it was not read", max_keystore=MAX_KEYSTORE >> 20
            ),
        )
    try:
        rounds = _rounds(octets)
    except DERError as exc:
        return Contents(kind=Kind.PKCS12, problem=Wording("damaged keystore: {why}", why=exc))
    tries = [password] if password is not None else list(PASSWORDS)
    if rounds * len(tries) > MAX_ROUNDS:
        tries = tries[: MAX_ROUNDS // rounds]
    if not tries:
        return Contents(
            kind=Kind.PKCS12, problem=Wording("made to take minutes to open, so it was not opened")
        )
    try:
        opened = next((items for each in tries if (items := _open(octets, each)) is not None), None)
    except InvalidVersion:  # which the library raises beside ValueError
        problem = Wording("a certificate in it is of no version that there is")
        return Contents(kind=Kind.PKCS12, problem=problem)
    if opened is not None:
        return Contents(kind=Kind.PKCS12, items=opened)
    return Contents(kind=Kind.PKCS12, problem=_LOCKED)


def _open(octets: bytes, password: str | None) -> tuple[Item, ...] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of serial numbers that break rules, which is not ours to tell
            store = load_pkcs12(octets, None if password is None else password.encode())
            certificates = [*filter(None, [store.cert]), *store.additional_certs]
            return tuple(map(_item, certificates))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _item(held: PKCS12Certificate) -> Item:
    label = (held.friendly_name or b"").decode("utf-8", "replace")[:MAX_LABEL]
    return Item(der=held.certificate.public_bytes(Encoding.DER), label=label)


def _rounds(octets: bytes) -> int:
    """How often opening it would hash: every number that follows a salt, as far as they lie open."""
    return max(sum(_counts(octets, 0)), 1)


def _counts(octets: bytes, depth: int) -> Iterator[int]:
    """Salt and count follow each other in MacData, PKCS-12PbeParams and PBKDF2-params (RFC 7292, 8018)."""
    if depth > 3:  # the message, its parts, and their bags
        return
    ber = Reader(octets)
    left = [ber.first()]
    while left:
        element = left.pop()
        if element.tag & CONSTRUCTED and element.tag != OCTETS | CONSTRUCTED:
            parts = ber.parts(element, element.tag, 0)
            left.extend(parts)
            yield from _following(ber, parts)
        elif element.tag in (OCTETS, OCTETS | CONSTRUCTED):
            inner = ber.string(element)
            if inner[:1] == bytes([SEQUENCE]):
                yield from _inner_counts(inner, depth + 1)


def _inner_counts(octets: bytes, depth: int) -> Iterator[int]:
    try:
        yield from _counts(octets, depth)
    except DERError:
        return  # encrypted octets that happen to begin so


def _following(ber: Reader, parts: list[Element]) -> Iterator[int]:
    for salt, count in pairwise(parts):
        if salt.tag == OCTETS and count.tag == INTEGER:
            yield int.from_bytes(ber.content(count)[:16])

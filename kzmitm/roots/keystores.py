"""Keystores of every form that Java takes, told apart by their octets; names of files say nothing.

JKS and JCEKS are read in `jks`, PKCS#12 in `keystore_files`, certificates in a signed message in `cms`. The
forms of the Bouncy Castle library are known and not read.
"""

from dataclasses import dataclass
from enum import StrEnum

from kzmitm.pki.der import DERError
from kzmitm.roots import jks
from kzmitm.roots.cms import PEM_LABELS, SIGNED_DATA, read_signed_data
from kzmitm.roots.jks import KeystoreEntry
from kzmitm.roots.keystore_files import is_keystore
from kzmitm.roots.keystore_files import read_keystore as read_pkcs12
from kzmitm.roots.pem import blocks, read_certificates
from kzmitm.wording import Wording


class Form(StrEnum):
    """What a keystore is."""

    JKS = "jks"
    JCEKS = "jceks"
    PKCS12 = "pkcs12"
    PKCS7 = "pkcs7"
    """Certificates in a signed message without a message, which Java does not open as a keystore either."""
    PEM = "pem"
    """Certificates as text, or a bare one, which Java does not open as a keystore."""
    BKS = "bks"
    BCFKS = "bcfks"
    EMPTY = "empty"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keystore:
    """A keystore with its certificates."""

    form: Form
    entries: tuple[KeystoreEntry, ...] = ()
    problem: str = ""
    """Why it was not read, or not to its end; one line."""


_HEAD = 64
"""Octets within which a form shows."""
_SALT = 20
"""Octets of salt in a BKS (BcKeyStoreSpi.java)."""
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
"""The object identifier 1.2.840.113549.1.5.13, which a BCFKS begins with and a PKCS#12 does not."""


def form_of(octets: bytes) -> Form:
    """What it is, by how it begins."""
    head = octets[:_HEAD]
    if not octets:
        return Form.EMPTY
    if head.startswith(jks.MAGICS):
        return Form.JKS if head.startswith(jks.MAGICS[0]) else Form.JCEKS
    if head[:1] == b"\x30":
        if is_keystore(octets):
            return Form.PKCS12
        if SIGNED_DATA in head:
            return Form.PKCS7
        return Form.BCFKS if _PBES2 in head else Form.PEM
    if int.from_bytes(head[:4]) <= 2 and int.from_bytes(head[4:8]) == _SALT:
        return Form.BKS
    return Form.PEM if b"-----BEGIN " in octets else Form.UNKNOWN


def read_keystore(octets: bytes, password: str | None = None) -> Keystore:
    """The certificates in it, opened with the password given or what anybody would try; never raises."""
    form = form_of(octets)
    match form:
        case Form.JKS | Form.JCEKS:
            entries, problem = jks.read_jks(octets)
            return Keystore(form=form, entries=entries, problem=problem)
        case Form.PKCS12:
            return _pkcs12(octets, password)
        case Form.PKCS7:
            return _pkcs7(octets)
        case Form.PEM:
            return _pem(octets)
        case Form.BKS | Form.BCFKS:
            return Keystore(
                form=form,
                problem=Wording(
                    "a keystore of the Bouncy Castle library ({form}), whose form is not read",
                    form=form.upper(),
                ),
            )
        case Form.EMPTY:
            return Keystore(form=form)
        case Form.UNKNOWN:
            return Keystore(form=form, problem=Wording("no keystore of a form that is known"))


def _pkcs12(octets: bytes, password: str | None) -> Keystore:
    """All of its certificates as trusted ones.

    Java trusts those with an attribute that `cryptography` does not tell of, and a key's own. Those above a
    key's own, and those in a store that OpenSSL made, are thus told of as trusted when they are not.
    """
    held = read_pkcs12(octets, password)
    if held.problem and password is not None:
        held = read_pkcs12(octets, None)
    entries = tuple(KeystoreEntry(der=item.der, label=item.label) for item in held.items)
    return Keystore(form=Form.PKCS12, entries=entries, problem=held.problem)


def _pkcs7(octets: bytes) -> Keystore:
    try:
        held = read_signed_data(octets).certificates
    except DERError as exc:
        return Keystore(form=Form.PKCS7, problem=Wording("damaged message: {why}", why=exc))
    return Keystore(form=Form.PKCS7, entries=tuple(KeystoreEntry(der=der) for der in held))


def _pem(octets: bytes) -> Keystore:
    for block in blocks(octets):
        if block.label in PEM_LABELS and block.octets:
            return _pkcs7(block.octets)
    held = read_certificates(octets)
    entries = tuple(KeystoreEntry(der=found.der, label=found.label) for found in held.certificates)
    if not entries and not held.problem:
        return Keystore(form=Form.UNKNOWN, problem=Wording("no keystore of a form that is known"))
    return Keystore(form=Form.PEM, entries=entries, problem=held.problem)

r"""Registry exports of Windows (.reg): the certificates in the stores of an exported key.

A certificate is the value `Blob` of `…\SystemCertificates\STORE\Certificates\SHA-1`: properties one after
another, each with its number, a 1, its length and its octets, little-endian. Number 32 is the certificate, 11
its friendly name (wincrypt.h: CERT_CERT_PROP_ID, CERT_FRIENDLY_NAME_PROP_ID).
"""

import re

from kzmitm.roots.contents import Contents, Item, Kind
from kzmitm.roots.values import Trust
from kzmitm.roots.windows_blob import BlobCertificate, read_blob
from kzmitm.wording import Wording

MAX_EXPORT = 16 << 20
"""Octets; text has six of them for each of a blob, so these are a thousand certificates."""

_UTF_16 = b"\xff\xfe"
_HEADERS = ("Windows Registry Editor", "REGEDIT4")
_CONTINUED = re.compile(r"\\[ \t]*\r?\n[ \t]*")
_STORE = re.compile(r"\\SystemCertificates\\([^\\\]]{1,100})\\", re.IGNORECASE)
_BLOB = '"Blob"=hex:'

_TRUSTS = {"root": Trust.TRUSTED, "authroot": Trust.TRUSTED, "disallowed": Trust.DISTRUSTED}
"""What lies in other stores is for building chains, or for signing in."""


def looks_like_export(octets: bytes) -> bool:
    """True if this begins as regedit begins its exports, of either form."""
    return _text(octets[:200]).startswith(_HEADERS)


def read_export(octets: bytes) -> Contents:
    """The certificates of an export; never raises."""
    if len(octets) > MAX_EXPORT:
        return Contents(
            kind=Kind.REGISTRY_EXPORT,
            problem=Wording("larger than {max_export} MiB", max_export=MAX_EXPORT >> 20),
        )
    items: dict[tuple[bytes, Trust], Item] = {}
    broken = 0
    trust = Trust.PRESENT
    for line in _CONTINUED.sub("", _text(octets)).splitlines():
        if line.startswith("["):
            store = _STORE.search(line)
            trust = _TRUSTS.get(store[1].lower(), Trust.PRESENT) if store else Trust.PRESENT
        elif line.startswith(_BLOB):
            found = _read_value(line.removeprefix(_BLOB))
            if found.der:
                said = Trust.DISTRUSTED if found.is_disallowed else trust
                items.setdefault((found.der, said), Item(der=found.der, label=found.label, trust=said))
            else:
                broken += 1
    problem = (
        Wording("{broken} values are no certificates and were passed over", broken=broken) if broken else ""
    )
    return Contents(kind=Kind.REGISTRY_EXPORT, items=tuple(items.values()), problem=problem)


def _read_value(text: str) -> BlobCertificate:
    try:
        return read_blob(bytes.fromhex(text.replace(",", "")))
    except ValueError:
        return BlobCertificate()


def _text(octets: bytes) -> str:
    """Exports of today are UTF-16 with a mark; REGEDIT4 was of the system's code page."""
    if octets.startswith(_UTF_16):
        return octets.removeprefix(_UTF_16).decode("utf-16-le", "replace")
    return octets.decode("latin-1")

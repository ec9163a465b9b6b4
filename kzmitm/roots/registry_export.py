r"""Registry exports of Windows (.reg): the certificates in the stores of an exported key.

A certificate is the value `Blob` of `…\SystemCertificates\STORE\Certificates\SHA-1`: properties one after
another, each with its number, a 1, its length and its octets, little-endian. Number 32 is the certificate, 11
its friendly name (wincrypt.h: CERT_CERT_PROP_ID, CERT_FRIENDLY_NAME_PROP_ID).
"""

import re

from kzmitm.roots.contents import Contents, Item, Kind
from kzmitm.roots.values import Trust

MAX_EXPORT = 16 << 20
"""Octets; text has six of them for each of a blob, so these are a thousand certificates."""
MAX_PROPERTIES = 200
MAX_LABEL = 200

_UTF_16 = b"\xff\xfe"
_HEADERS = ("Windows Registry Editor", "REGEDIT4")
_CONTINUED = re.compile(r"\\[ \t]*\r?\n[ \t]*")
_STORE = re.compile(r"\\SystemCertificates\\([^\\\]]{1,100})\\", re.IGNORECASE)
_BLOB = '"Blob"=hex:'

_CERTIFICATE, _FRIENDLY_NAME = 32, 11
_HEAD = 12

_TRUSTS = {"root": Trust.TRUSTED, "authroot": Trust.TRUSTED, "disallowed": Trust.DISTRUSTED}
"""What lies in other stores is for building chains, or for signing in."""


def looks_like_export(octets: bytes) -> bool:
    """True if this begins as regedit begins its exports, of either form."""
    return _text(octets[:200]).startswith(_HEADERS)


def read_export(octets: bytes) -> Contents:
    """The certificates of an export; never raises."""
    if len(octets) > MAX_EXPORT:
        return Contents(kind=Kind.REGISTRY_EXPORT, problem=f"larger than {MAX_EXPORT >> 20} MiB")
    items: dict[tuple[bytes, Trust], Item] = {}
    broken = 0
    trust = Trust.PRESENT
    for line in _CONTINUED.sub("", _text(octets)).splitlines():
        if line.startswith("["):
            store = _STORE.search(line)
            trust = _TRUSTS.get(store[1].lower(), Trust.PRESENT) if store else Trust.PRESENT
        elif line.startswith(_BLOB):
            der, label = _read_value(line.removeprefix(_BLOB))
            if der:
                items.setdefault((der, trust), Item(der=der, label=label, trust=trust))
            else:
                broken += 1
    problem = f"{broken} values are no certificates and were passed over" if broken else ""
    return Contents(kind=Kind.REGISTRY_EXPORT, items=tuple(items.values()), problem=problem)


def read_blob(blob: bytes) -> tuple[bytes, str]:
    """The certificate of a value and its friendly name; empty where there is none."""
    der, label, pos = b"", "", 0
    for _ in range(MAX_PROPERTIES):
        if pos + _HEAD > len(blob):
            break
        number = int.from_bytes(blob[pos : pos + 4], "little")
        start = pos + _HEAD
        pos = start + int.from_bytes(blob[pos + 8 : start], "little")
        if pos > len(blob):
            break
        if number == _CERTIFICATE:
            der = blob[start:pos]
        elif number == _FRIENDLY_NAME:
            label = blob[start:pos].decode("utf-16-le", "replace").rstrip("\0")[:MAX_LABEL]
    return der, label


def _read_value(text: str) -> tuple[bytes, str]:
    try:
        return read_blob(bytes.fromhex(text.replace(",", "")))
    except ValueError:
        return b"", ""


def _text(octets: bytes) -> str:
    """Exports of today are UTF-16 with a mark; REGEDIT4 was of the system's code page."""
    if octets.startswith(_UTF_16):
        return octets.removeprefix(_UTF_16).decode("utf-16-le", "replace")
    return octets.decode("latin-1")

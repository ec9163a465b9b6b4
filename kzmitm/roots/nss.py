"""Certificate databases of NSS (`cert9.db`).

One table holds every object, a column per attribute of PKCS #11, named by its number in hex; each release
brings more columns. What a certificate is trusted for is an object of its own, found by issuer and serial.
Since 3.114 NSS writes it as PKCS #11 3.2 has it, and leaves an older one of the same certificate as it was.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kzmitm.roots.sqlite_tables import read_table
from kzmitm.roots.values import Origin, Purpose, StoredRoot, Trust

_Values = Mapping[str, bytes | None]


class Level(StrEnum):
    """What a trust object says of a certificate for one purpose; beside it the letter of certutil."""

    ANCHOR = "anchor"
    """`C` (`T` for clients): a chain may end here."""
    PEER = "peer"
    """`P`: good as the certificate of a server itself, which no chain may end in."""
    DISTRUSTED = "distrusted"
    """`p`."""
    VALID_CA = "valid_ca"
    """`c`: an authority if a chain from it leads on to an anchor."""
    NONE = "none"
    """No letter: it is as good as its chain."""


@dataclass(frozen=True, slots=True)
class NSSCertificate:
    """A certificate of a database with what is said of it; `levels` is empty if nothing is."""

    der: bytes
    nickname: str
    levels: Mapping[Purpose, Level]


_CERTIFICATE = bytes.fromhex("00000001")  # CKO_CERTIFICATE (PKCS #11 3.2, 4.6)
_NULL = bytes.fromhex("a5005a")  # sdb.c, SQLITE_EXPLICIT_NULL: the attribute is there, and empty
_LEVELS = {  # pkcs11n.h, CKT_NSS_*, of old trust objects; PKCS #11 3.2, CKT_*, of new ones
    0xCE534351: Level.PEER,
    0xCE534352: Level.ANCHOR,
    0xCE53435A: Level.DISTRUSTED,
    0xCE53435B: Level.VALID_CA,
    1: Level.PEER,
    2: Level.ANCHOR,
    3: Level.DISTRUSTED,
}


@dataclass(frozen=True, slots=True)
class _Format:
    """How trust objects are written: their class, and the columns of hash and purposes."""

    object_class: bytes
    hash_column: str
    columns: tuple[str, ...]


_PURPOSES = (Purpose.SERVER, Purpose.CLIENT, Purpose.CODE, Purpose.EMAIL)
_NEW = _Format(bytes.fromhex("0000000b"), "a635", ("a62c", "a62d", "a62e", "a62f"))
_OLD = _Format(bytes.fromhex("ce534353"), "ace5363b4", ("ace536358", "ace536359", "ace53635a", "ace53635b"))
_FORMATS = (_NEW, _OLD)
"""The first one found counts: beside a new object, NSS 3.132 does not look at an old one."""
_COLUMNS = (
    *("a0", "a3", "a11", "a81", "a82"),
    *(column for form in _FORMATS for column in (form.hash_column, *form.columns)),
)
_HASHES = {20: hashlib.sha1, 32: hashlib.sha256, 48: hashlib.sha384, 64: hashlib.sha512}


def read_certificates(path: Path) -> tuple[tuple[NSSCertificate, ...], str]:
    """The certificates of a copied database in the order they came in, and what went wrong, if anything."""
    table = read_table(path, "nssPublic", _COLUMNS)
    certificates: dict[bytes, _Values] = {}
    trust = _TrustObjects()
    for row in table.rows:
        values = dict(zip(_COLUMNS, (None if value == _NULL else value for value in row), strict=True))
        if values["a0"] == _CERTIFICATE and values["a11"]:
            certificates.setdefault(values["a11"], values)
        else:
            trust.add(values)
    found = (
        NSSCertificate(der, (values["a3"] or b"").decode("utf-8", "replace"), trust.of(der, values))
        for der, values in certificates.items()
    )
    return tuple(found), table.problem


def stored_root(certificate: NSSCertificate, *, origin: Origin) -> StoredRoot:
    """A certificate of a database as all readers tell of it."""
    server = certificate.levels.get(Purpose.SERVER, Level.NONE)
    return StoredRoot(
        der=certificate.der,
        trust={Level.ANCHOR: Trust.TRUSTED, Level.DISTRUSTED: Trust.DISTRUSTED}.get(server, Trust.PRESENT),
        origin=origin,
        purposes=frozenset(each for each, level in certificate.levels.items() if level is Level.ANCHOR),
        label=certificate.nickname,
    )


class _TrustObjects:
    """The trust objects of one database, and how certificates find theirs."""

    def __init__(self) -> None:
        self._found: dict[object, list[_Values]] = defaultdict(list)

    def add(self, values: _Values) -> None:
        for form in _FORMATS:
            if values["a0"] == form.object_class:
                self._found[form.object_class, values["a81"], values["a82"]].append(values)
                self._found[form.object_class, values[form.hash_column]].append(values)

    def of(self, der: bytes, certificate: _Values) -> dict[Purpose, Level]:
        hashes = {size: algorithm(der).digest() for size, algorithm in _HASHES.items()}
        for form in _FORMATS:
            keys = [(certificate["a81"], certificate["a82"]), *((value,) for value in hashes.values())]
            for values in (one for key in keys for one in self._found.get((form.object_class, *key), ())):
                value = values[form.hash_column]
                # Else it is of another certificate with this issuer and serial: NSS passes over it, too.
                if value is None or hashes.get(len(value)) == value:
                    levels = (_level(values[column]) for column in form.columns)
                    return dict(zip(_PURPOSES, levels, strict=True))
        return {}


def _level(value: bytes | None) -> Level:
    return _LEVELS.get(int.from_bytes(value, "big"), Level.NONE) if value else Level.NONE

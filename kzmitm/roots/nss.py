"""Certificate databases of NSS (`cert9.db`), and how a SQLite database of a stranger is read at all.

One table holds every object, a column per attribute of PKCS #11, named by its number in hex; each release
brings more columns. What a certificate is trusted for is an object of its own, found by issuer and serial.
Since 3.114 NSS writes it as PKCS #11 3.2 has it, and leaves an older one of the same certificate as it was.
"""

import hashlib
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from kzmitm.roots.system import MAX_STORE, System, UnreadableError
from kzmitm.roots.values import Origin, Purpose, StoredRoot, Trust
from kzmitm.wording import Wording, joined, one_line

MAX_ROWS = 50_000
"""Objects of one database; a profile used for years has some hundreds."""
MAX_VALUE = 1 << 20
"""Octets of one value. Certificates in use have up to 50 KB."""
MAX_SECONDS = 5.0
"""For one database; one of 20,000 certificates takes 0.4 s."""
MAX_LOST_ROWS = 2_000
"""Rows looked for one by one behind a broken place."""
_JOURNAL_OF_SEVERAL = bytes.fromhex("d9d505f920a163d7")
_READ_ONLY = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}
Row = Sequence[bytes | None]
T = TypeVar("T")
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


def read_copy(system: System, path: str, read: Callable[[Path], tuple[T, str]]) -> tuple[T | None, str]:
    """What `read` makes of a copy of a database, and what went wrong; raises FileNotFoundError."""
    why = ""
    for endings in (("-wal", "-journal"), ()):
        try:
            with system.copied(path, *(path + ending for ending in endings)) as copy:
                found, problem = read(copy)
        except FileNotFoundError:
            raise
        except (UnreadableError, OSError) as exc:  # of a full disk, too
            why = str(exc)
        else:
            return found, joined(
                "; ",
                (each for each in (why and Wording("its last changes: {why}", why=why), problem) if each),
            )
    return None, why


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


@dataclass(slots=True)
class Table:
    """What could be read of a table, and why not all of it."""

    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def problem(self) -> str:
        more = (
            [Wording("{count} more like that", count=len(self.problems) - 3)]
            if len(self.problems) > 3
            else []
        )
        return joined("; ", (one_line(each, 200) for each in (*self.problems[:3], *more)))


def read_table(path: Path, name: str, columns: Sequence[str]) -> Table:
    """The values of some columns of a copied database; None for what is absent or no octets (BLOB).

    The database may be made to harm: nothing that it brings is run (views, triggers, generated columns,
    modules of virtual tables), and neither its journal nor its size makes us write, wait or grow.
    """
    table = Table()
    octets, until = 0, time.monotonic() + MAX_SECONDS
    try:
        mode, settings = _prepare(path, table.problems)
        address = f"{path.resolve().as_uri()}?{mode}"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_STORE)
            connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MAX_VALUE)
            connection.set_progress_handler(lambda: time.monotonic() > until, 1_000)
            for setting in settings:
                connection.execute(f"PRAGMA {setting}")
            query = _query(connection, name, columns)
            for row in _walk(connection, query, table.problems):
                table.rows.append(_take(row, table.problems))
                octets += sum(len(value) for value in table.rows[-1] if value)
                if len(table.rows) >= MAX_ROWS or octets > MAX_STORE or time.monotonic() > until:
                    table.problems.append(
                        Wording("only its first {count} entries were read", count=len(table.rows))
                    )
                    break
    except UnicodeError:  # of a message of SQLite, which quotes the file
        table.problems.append(Wording("it is damaged"))
    except (sqlite3.Error, OSError, OverflowError, MemoryError) as exc:
        table.problems.append(str(exc) or type(exc).__name__)
    return table


def _prepare(path: Path, problems: list[str]) -> tuple[str, list[str]]:
    """How to open a copied database, and the settings to begin with."""
    settings = ["trusted_schema=OFF", "cell_size_check=ON", "query_only=ON", "cache_size=-8192"]
    journal, log = Path(f"{path}-journal"), Path(f"{path}-wal")
    if journal.exists() and journal.read_bytes().endswith(_JOURNAL_OF_SEVERAL):
        # SQLite would look up, and delete, the file that such a journal names, wherever it is.
        journal.unlink()
        problems.append(Wording("its last change, one of several files, was not taken into account"))
    if journal.exists() or log.exists():
        return "mode=rw", settings
    # Without that one, SQLite refuses all of a file that ends early.
    return "mode=ro&immutable=1", ["writable_schema=ON", *settings] if _is_cut(path, problems) else settings


def _is_cut(path: Path, problems: list[str]) -> bool:
    """Whether a file ends before its last page (sqlite.org/fileformat.html, 1.3); a part of one goes."""
    with path.open("rb") as file:
        header = file.read(100)
    size, length = int.from_bytes(header[16:18], "big"), path.stat().st_size
    page = 0x10000 if size == 1 else size
    whole = page * int.from_bytes(header[28:32], "big")
    if not header.startswith(b"SQLite format 3\0") or not page or length >= whole:
        return False
    problems.append(Wording("it ends after {length} of {whole} octets", length=length, whole=whole))
    os.truncate(path, length - length % page)
    return True


def _query(connection: sqlite3.Connection, name: str, columns: Sequence[str]) -> str:
    """What to select; raises sqlite3.Error if that is anything else than a plain table."""
    modules = connection.execute("SELECT count(*) FROM sqlite_master WHERE instr(lower(sql), 'virtual')")
    if modules.fetchone() != (0,):
        raise sqlite3.DatabaseError(Wording("it holds a virtual table, which is not read"))
    kept = connection.execute("SELECT rootpage FROM sqlite_master WHERE type = 'table' AND name = ?", (name,))
    if not any(isinstance(page, int) and page > 0 for (page,) in kept):
        raise sqlite3.DatabaseError(Wording("it holds no table {name}", name=name))
    # Without generated columns, which run what the file says.
    there = {column for _, column, *_ in connection.execute(f"PRAGMA table_info({name})")}
    if "rowid" in map(str.lower, there):
        raise sqlite3.DatabaseError(Wording("a column of it is called rowid"))
    connection.set_authorizer(
        lambda action, first, second, _, inside: (
            sqlite3.SQLITE_OK
            if action in _READ_ONLY
            and inside is None
            and (action != sqlite3.SQLITE_READ or first == name)
            and (action != sqlite3.SQLITE_FUNCTION or second in ("length", "typeof"))
            else sqlite3.SQLITE_DENY
        )
    )
    # A value that is too long comes as its length. Lengths and types of BLOBs are told without reading them.
    wanted = (
        f"CASE WHEN typeof({each}) = 'blob' THEN CASE WHEN length({each}) <= {MAX_VALUE} THEN "
        f"{each} ELSE length({each}) END END"
        if each in there
        else "NULL"
        for each in columns
    )
    return f"SELECT rowid, {', '.join(wanted)} FROM {name}"  # noqa: S608 (names of our own)


def _walk(connection: sqlite3.Connection, query: str, problems: list[str]) -> Iterator[tuple[object, ...]]:
    """Every row that can be read: in their order, and one by one behind the first broken place."""
    last = 0
    try:
        for row in connection.execute(f"{query} ORDER BY rowid"):
            last = row[0]
            yield row
    except sqlite3.DatabaseError as exc:
        problems.append(str(exc))
    else:
        return
    for number in range(last + 1, last + 1 + MAX_LOST_ROWS):
        try:
            yield from connection.execute(f"{query} WHERE rowid = ?", (number,))
        except sqlite3.OperationalError:
            return  # time is up, or no such table at all
        except sqlite3.DatabaseError:
            continue


def _take(row: Sequence[object], problems: list[str]) -> Row:
    if too_long := [value for value in row[1:] if isinstance(value, int)]:
        problems.append(
            Wording(
                "a value of {too_long} octets in entry {row} was not read", too_long=max(too_long), row=row[0]
            )
        )
    return [value if isinstance(value, bytes) else None for value in row[1:]]

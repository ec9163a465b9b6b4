"""What judging again reads instead of the extract: situations and the rows that are in them, file by file."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Final, TypeVar

import msgspec

from kzmitm.ooni.archive.sheets import Group

SITUATIONS: Final = "situations"
PLACES: Final = "places"
VOUCHERS: Final = "vouchers"
SIGNATURES: Final = "signatures"
OWN_ROWS: Final = "own"
RUNS: Final = "runs"
HASHES: Final = "hashes"
"""SHA-256 of every certificate of the chains that probes verified, in order, without anything between.

Only in these does it matter which certificates the registry knows: all others are judged anyway."""
SHOWN: Final = ".shown"
"""What a judgement writes of certificates."""
FIXED: Final = ".fixed"
GROUPS: Final = ".groups"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")


class SituationRow(msgspec.Struct, array_like=True):
    """A situation by its number; `time` in microseconds since 1970, None where it is not known."""

    number: int
    failure: str
    verified: bool
    control: str
    in_control: bool | None
    private: bool
    name: str
    host: str
    role: str
    time: int | None

    @property
    def met_at(self) -> datetime | None:
        return None if self.time is None else _EPOCH + timedelta(microseconds=self.time)


class ChainOfSituations(msgspec.Struct, array_like=True):
    """A chain, the certificates of it that were kept, and the situations that it was met in.

    `number` is -1 where no certificate was kept; `chain` is "" for situations without any.
    """

    number: int
    chain: str
    ders: list[bytes]
    situations: list[SituationRow]
    shown_elsewhere: bool = False
    """Probes verified the topmost certificate at another time or place."""


class SignaturesOfChain(msgspec.Struct, array_like=True):
    """Signatures that were checked for a chain: (SHA-256 of the certificate, of the key) and the result."""

    number: int
    edges: list[tuple[bytes, bool | None]]


class PlacesOfSituation(msgspec.Struct, array_like=True):
    """Where a situation was met: networks, hosts, programs."""

    situation: int
    places: list[tuple[int, str, str]]


class CleanName(msgspec.Struct, array_like=True):
    """A name, and the networks in which probes verified a chain for it."""

    name: str
    asns: list[int]


class Intermediate(msgspec.Struct, array_like=True):
    """A certificate of chains that probes verified; `vouches`: under two names or in two networks."""

    der: bytes
    vouches: bool


class OwnRow(msgspec.Struct, array_like=True):
    """A handshake of a measurement of ours, or (`n` -1) the measurement; parts are numbered in order."""

    part: int
    doc: int
    n: int


class OwnMeasurement(msgspec.Struct, array_like=True):
    """A measurement of ours, chosen or not, and the file that it came from: a file is one run."""

    part: int
    doc: int
    source: str


Record = msgspec.Struct


class RecordWriter:
    """Writes records into a file, one after the other."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._encode = msgspec.msgpack.Encoder().encode

    def write(self, record: Record) -> None:
        octets = self._encode(record)
        self._file.write(len(octets).to_bytes(4, "little") + octets)


def read_records(path: Path, kind: type[T]) -> Iterator[T]:
    """The records of a file, one in memory at a time."""
    decode = msgspec.msgpack.Decoder(kind).decode
    with path.open("rb") as file:
        while head := file.read(4):
            yield decode(file.read(int.from_bytes(head, "little")))


def read_record(file: IO[bytes], place: int, kind: type[T]) -> T:
    """The record that begins at a place of a file."""
    file.seek(place)
    return msgspec.msgpack.decode(file.read(int.from_bytes(file.read(4), "little")), type=kind)


def groups_of(index: Path, table: str) -> Iterator[Group]:
    """The row groups of a table."""
    return read_records(index / f"{table}{GROUPS}", Group)


def own_rows(index: Path) -> list[OwnRow]:
    """Of our own measurements: what has the number -1, -2 and so on."""
    return list(read_records(index / OWN_ROWS, OwnRow))

"""What importers of other tools' files yield, how they are found, and how a file's format is told.

An importer is one module of `kzmitm.ooni.importers`. It has `recognises(head)`, which tells by the first
octets whether a file is of its format, and `read(source, reading)`, which yields records in the order of the
file and raises nothing, whatever the file holds. The first line of its docstring says what writes such files.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, cast

from kzmitm._registry import discover
from kzmitm.model.measurement import Measurement
from kzmitm.ooni import importers

if TYPE_CHECKING:
    from kzmitm.ooni.import_source import Source
    from kzmitm.wire.segment import Segment


class Unknown(StrEnum):
    """What a record does not say, so that nothing is concluded from its absence."""

    WHOLE_CHAIN = "whole_chain"
    """Whether the certificates kept are all that were presented; it may be that none are kept."""
    SNI = "sni"
    HELLO = "hello"
    PARAMETERS = "parameters"
    """The version and the cipher suite of the handshake that the certificates are of."""
    ADDRESS = "address"
    """The address or the port that was connected to."""
    TIME = "time"
    """The file does not say when; the user did."""
    DNS = "dns"
    CONTROL = "control"
    VANTAGE = "vantage"


@dataclass(frozen=True, slots=True)
class Imported:
    """One measurement and the place it comes from; `line` is the packet's number in a capture."""

    measurement: Measurement
    source: str
    line: int
    cannot_know: tuple[Unknown, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """A record that cannot be used, or the rest of a file; `where` is `FILE:LINE`. Both may hold any text."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """A good record without a TLS handshake in it: another kind of test, a host without TLS."""

    where: str
    why: str


Record = Imported | Problem | Nothing


@dataclass(frozen=True, slots=True)
class Reading:
    """What the user adds to a file.

    `measured_at` is for formats without a time. `keylog` is the content of an SSLKEYLOGFILE. `segments` takes
    TCP segments out of a capture and raises ValueError where it cannot go on; this package reads none itself.
    """

    measured_at: datetime | None = None
    keylog: bytes = b""
    segments: "Callable[[Source], Iterator[Segment]] | None" = None


class Importer(Protocol):
    """A module of `kzmitm.ooni.importers`."""

    __name__: str
    __doc__: str | None

    @staticmethod
    def recognises(head: bytes) -> bool:
        """True if a file that begins so is of this format."""

    @staticmethod
    def read(source: "Source", reading: Reading) -> Iterator[Record]:
        """The records of a file."""


def formats() -> MappingProxyType[str, Importer]:
    """The importers by the names of their formats."""
    found = {}
    for module in discover(importers):
        found[module.__name__.rpartition(".")[2].replace("_", "-")] = cast("Importer", module)
    return MappingProxyType(found)


def recognised(head: bytes) -> tuple[str, ...]:
    """The formats that a file which begins so may have: one, if all is well."""
    return tuple(name for name, importer in formats().items() if importer.recognises(head))

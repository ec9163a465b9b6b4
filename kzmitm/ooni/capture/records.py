"""TLS records and handshake messages of one direction, out of octets in order."""

from collections.abc import Iterator
from typing import NamedTuple

from kzmitm.wire.iana.messages import CERTIFICATE, CONTENT_NAMES
from kzmitm.wire.limits import (
    MAX_CERTIFICATE_MESSAGE,
    MAX_MESSAGE,
    MAX_PROTECTED,
    MESSAGE_HEADER,
    RECORD_HEADER,
)
from kzmitm.wire.violation import ViolationError
from kzmitm.wording import Wording


class Record(NamedTuple):
    """One record as it came."""

    kind: int
    header: bytes
    body: bytes


class Records:
    """Cuts octets into records."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def rest(self) -> bytes:
        """A record that is not whole."""
        return self._rest

    def feed(self, octets: bytes) -> Iterator[Record]:
        """The records that are whole now; raises ViolationError for what is no TLS."""
        buffer = self._rest + octets
        at = 0
        while len(buffer) - at >= RECORD_HEADER:
            header = buffer[at : at + RECORD_HEADER]
            stop = at + RECORD_HEADER + int.from_bytes(header[3:5], "big")
            self._rest = buffer[at:]
            if header[0] not in CONTENT_NAMES or header[1] != 3:
                raise ViolationError(Wording("what came is not TLS"))
            if stop - at - RECORD_HEADER > MAX_PROTECTED:
                raise ViolationError(Wording("a record is too long"))
            if stop > len(buffer):
                break
            body = buffer[at + RECORD_HEADER : stop]
            at = stop
            self._rest = buffer[at:]
            yield Record(header[0], header, body)
        self._rest = buffer[at:]


class Messages:
    """Joins the fragments of handshake messages."""

    def __init__(self) -> None:
        self.rest = b""
        """A message that is not whole."""

    def feed(self, fragment: bytes) -> Iterator[bytes]:
        """The messages that are whole now, each with its header; raises ViolationError for one too long."""
        self.rest += fragment
        while len(self.rest) >= MESSAGE_HEADER:
            length = int.from_bytes(self.rest[1:MESSAGE_HEADER], "big")
            limit = MAX_CERTIFICATE_MESSAGE if self.rest[0] == CERTIFICATE else MAX_MESSAGE
            if length > limit:
                raise ViolationError(Wording("a handshake message of {length} octets", length=length))
            stop = MESSAGE_HEADER + length
            if len(self.rest) < stop:
                break
            message, self.rest = self.rest[:stop], self.rest[stop:]
            yield message

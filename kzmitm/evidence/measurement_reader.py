"""Reading measurements line by line: memory does not grow with their number."""

from collections.abc import Iterator
from typing import IO

from kzmitm.evidence import layout
from kzmitm.evidence.damage import Code, DamagedError
from kzmitm.evidence.json_reader import MAX_COMMAS, UnreadableJSONError, parse_json
from kzmitm.evidence.scan_document import Row
from kzmitm.model.measurement import Measurement
from kzmitm.ooni.decode import DecodeError, decode
from kzmitm.wording import Wording

MAX_LINE = 1 << 26
"""Octets of one measurement: fifty handshakes with chains of our largest size, in base64."""


def read_measurements(file: IO[bytes], name: str = layout.MEASUREMENTS.path) -> Iterator[Measurement]:
    """The measurements of a file, line by line; raises BundleError that names the line."""
    return (measurement for _document, measurement in read_documents(file, name))


def read_documents(
    file: IO[bytes], name: str = layout.MEASUREMENTS.path
) -> Iterator[tuple[Row, Measurement]]:
    """OONI documents with what they mean, line by line; raises BundleError that names the line."""
    number = 0
    while (line := file.readline(MAX_LINE + 1)).endswith(b"\n"):
        number += 1
        where = f"{name}:{number}"
        if line.count(b",") > MAX_COMMAS:
            raise DamagedError(
                Code.FILE_TOO_LONG, where, Wording("more than {max_commas} values", max_commas=MAX_COMMAS)
            )
        document = parse_object(line, where)
        try:
            measurement = decode(document)
        except DecodeError as exc:
            raise DecodeError("{where}: {why}", where=where, why=exc) from None
        yield document, measurement
    if len(line) > MAX_LINE:
        raise DamagedError(
            Code.FILE_TOO_LONG,
            f"{name}:{number + 1}",
            Wording("more than {max_line} octets", max_line=MAX_LINE),
        )


def parse_object(octets: bytes, where: str) -> Row:
    """The JSON object in some octets; raises DamagedError that names `where`."""
    try:
        value = parse_json(octets)
    except UnreadableJSONError as exc:
        raise DamagedError(exc.code, where, str(exc)) from None
    if not isinstance(value, dict):
        raise DamagedError(Code.DOCUMENT_INVALID, where, Wording("not an object"))
    return value

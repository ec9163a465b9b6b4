"""Reading scan.json out of a bundle, row by row: memory does not grow with the number of targets."""

from collections.abc import Iterator, Mapping
from typing import IO, Any

from kzmitm.evidence.container import Container
from kzmitm.evidence.damage import Code, DamagedError
from kzmitm.evidence.json_reader import MAX_COMMAS, UnreadableJSONError, parse_json
from kzmitm.evidence.scan_document import Row
from kzmitm.wording import Wording

MAX_FRAME = 1 << 20
"""Octets of what surrounds the rows: ours has two thousand."""
MAX_ROW = 1 << 23
"""Octets of a row: 32 certificates with names of 64 KiB each stay below half of it."""

_SCHEMA_FAMILY = "kzmitm.scan/1."
_OPENING = b'"targets":['
_FRAME: Mapping[str, Any] = {
    "complete": bool,
    "finished_at": str | None,
    "level": str,
    "options": dict,
    "registry": dict,
    "rules_version": str,
    "started_at": str | None,
    "store": dict,
    "summary": dict,
    "vantage": dict,
    "week": str,
}


class ScanReader:
    """One scan.json of a bundle; raises DamagedError for what is not a row a line, as we write it."""

    def __init__(self, container: Container, name: str) -> None:
        self._container = container
        self._name = name
        self.frame = self._read_frame()
        """The document without its rows."""

    def rows(self) -> Iterator[Row]:
        """The rows in their order, whatever is in them; raises DamagedError that names the line."""
        for number, line in self._lines():
            row = self._parsed(line.removesuffix(b","), number)
            if not isinstance(row, dict):
                raise DamagedError(
                    Code.DOCUMENT_INVALID, f"{self._name}:{number}", Wording("a row is no object")
                )
            yield row

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """(number, octets) of each row."""
        with self._container.open(self._name) as file:
            head = file.readline(MAX_FRAME)
            if not head.endswith(_OPENING + b"\n"):
                return
            number, is_last = 1, False
            while not (line := file.readline(MAX_ROW + 1)).startswith(b"]"):
                number += 1
                if is_last or not line.endswith(b"\n"):
                    raise self._wrong(
                        Wording("line {number}: no comma before it, no end, or too long", number=number)
                    )
                yield number, line[:-1]
                is_last = not line.endswith(b",\n")
            if not is_last:
                raise self._wrong(Wording("line {number}: no row behind its comma", number=number))

    def _read_frame(self) -> Row:
        with self._container.open(self._name) as file:
            head = file.readline(MAX_FRAME)
            if head.endswith(_OPENING + b"\n"):
                tail = self._after_rows(file)
            else:
                head, found, tail = head.rpartition(_OPENING + b"]")
                head, tail = head + _OPENING, b"]" + tail
                if not found:
                    raise self._wrong(Wording("no rows, or not in our form"))
            if len(tail) > MAX_FRAME or file.read(1):
                raise self._wrong(Wording("more behind its rows"))
        frame = self._parsed(head + tail, 1)
        if not isinstance(frame, dict) or frame.pop("targets", None) != []:
            raise self._wrong(Wording("not in our form"))
        # The rows are those of the document itself, as other readers find them, and of nothing inside it.
        opened = self._parsed(head + b"]}", 1)
        if next(reversed(opened)) != "targets":
            raise self._wrong(Wording("its rows are not where they should be"))
        schema = frame.get("schema")
        if not isinstance(schema, str) or not schema.startswith(_SCHEMA_FAMILY):
            raise DamagedError(
                Code.SCHEMA_UNKNOWN,
                self._name,
                Wording("{schema}: of a newer kzmitm?", schema=str(schema)[:40]),
            )
        for key, kind in _FRAME.items():
            if not isinstance(frame.get(key, self), kind):
                raise DamagedError(
                    Code.DOCUMENT_INVALID, self._name, Wording("{key}: missing or of a wrong type", key=key)
                )
        return frame

    def _after_rows(self, file: IO[bytes]) -> bytes:
        """What follows the last row, from its bracket on."""
        while line := file.readline(MAX_ROW + 1):
            if line.startswith(b"]"):
                return line
            if not line.endswith(b"\n"):
                raise self._wrong(Wording("a row is too long, or the rows have no end"))
        raise self._wrong(Wording("the rows have no end"))

    def _parsed(self, octets: bytes, number: int) -> Any:
        if octets.count(b",") > MAX_COMMAS:
            raise DamagedError(
                Code.FILE_TOO_LONG,
                f"{self._name}:{number}",
                Wording("more than {max_commas} values", max_commas=MAX_COMMAS),
            )
        try:
            return parse_json(octets, floats=False, plain=True)
        except UnreadableJSONError as exc:
            raise DamagedError(exc.code, f"{self._name}:{number}", str(exc)) from None

    def _wrong(self, detail: str) -> DamagedError:
        return DamagedError(Code.JSON_SYNTAX, self._name, detail)

"""Files of JSON objects: one on each line, in one list, or one over many lines; in bounded memory."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from kzmitm.ooni.import_source import CHUNK, Source
from kzmitm.ooni.importing import Problem
from kzmitm.wording import Wording

MAX_RECORD = 4 << 20
"""Octets of a record. Responses that scanners keep are below 1 MiB, chains below 100 KB."""
MAX_DOCUMENT = 64 << 20
"""Octets of a file that is one document: a thousand servers of sslyze, as many of testssl."""
OCTETS_PER_VALUE = 16
"""How many octets a value must have on average: the smallest take three, and thirty times that in memory."""
_FREE_VALUES = 1 << 12
"""Values that no record is asked about."""

_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)

_Piece = tuple[int, bytes | None]
"""A line and the object that begins on it; None for one above the limit."""


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object of a file and the line it begins on."""

    line: int
    value: dict[str, Any]


def documents(source: Source, *, limit: int = MAX_RECORD) -> Iterator[Document | Problem]:
    """The JSON objects of a file, and what is none."""
    pieces = _lines(source.buffered(), limit) if _has_lines(source.head) else _Splitter(limit).split(source)
    for line, octets in pieces:
        where = f"{source.name}:{line}"
        if octets is None:
            yield Problem(where, Wording("longer than {limit} MiB", limit=limit >> 20))
            continue
        try:
            value = _parse(octets)
        except ValueError as exc:
            yield Problem(where, str(exc))
            continue
        if isinstance(value, dict):
            yield Document(line, value)
        else:
            yield Problem(where, Wording("not a JSON object"))
    if source.damage:
        yield Problem(source.name, source.damage)


def _has_lines(head: bytes) -> bool:
    """True if every line is a document; one that is damaged then costs no other."""
    lines = [line.strip(_BLANKS) for line in head.removeprefix(_BOM).lstrip(_BLANKS).split(b"\n")]
    first = lines[0]
    if not first.startswith(b"{"):
        return not first.startswith(b"[")
    if b"{" in lines:  # an object over many lines
        return False
    return first.endswith(b"}") or len(lines) == 1 or lines[1].startswith(b'{"')


def _lines(file: io.BufferedReader, limit: int) -> Iterator[_Piece]:
    line = 0
    while octets := file.readline(limit + 1):
        line += 1
        if line == 1:
            octets = octets.removeprefix(_BOM)
        if len(octets) > limit:
            while octets and not octets.endswith(b"\n"):
                octets = file.readline(CHUNK)
            yield line, None
        elif octets.strip(_BLANKS):
            yield line, octets
        else:
            line += _blank_lines(file)


def _blank_lines(file: io.BufferedReader) -> int:
    """Passes over the blank lines that come now, as far as they were read already; how many there were.

    A small packed file may hold a thousand million of them.
    """
    ahead = file.peek(1)
    end = ahead.rfind(b"\n", 0, len(ahead) - len(ahead.lstrip(_BLANKS))) + 1
    return file.read(end).count(b"\n")


class _Splitter:
    """Finds the outermost objects by their braces, in lists or behind one another."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = b""
        self._at = 0
        """Up to where the braces were counted."""
        self._depth = 0
        self._start = 0
        """Of the open object, if `_depth`; 0 too if its beginning was dropped."""
        self._is_dropped = False
        """The open object is above the limit, and its beginning is gone."""
        self._line = 1
        self._counted = 0
        """Up to where the lines were counted."""
        self._line_of_object = 1

    def split(self, source: Source) -> Iterator[_Piece]:
        # As much again as is waiting, so that a long object is not looked at again for every chunk.
        while chunk := source.read(max(CHUNK, len(self._buffer))):
            self._buffer += chunk
            yield from self._scan()
            self._forget()
            if len(self._buffer) > 2 * self._limit + CHUNK:
                break  # a string without end
        if self._depth:
            whole = None if self._is_dropped or len(self._buffer) > self._limit else self._buffer
            yield self._line_of_object, whole

    def _scan(self) -> Iterator[_Piece]:
        buffer = self._buffer
        for token in _TOKEN.finditer(buffer, self._at):
            mark = token[0]
            if mark == b'"':  # the beginning of a string that goes on
                self._at = token.start()
                return
            self._at = token.end()
            if mark == b"{" or (mark == b"[" and self._depth):
                self._open(token.start())
            elif mark in (b"}", b"]") and self._depth:
                self._depth -= 1
                if not self._depth:
                    octets = buffer[self._start : self._at]
                    is_long = self._is_dropped or len(octets) > self._limit
                    yield self._line_of_object, None if is_long else octets
        self._at = len(buffer)

    def _open(self, place: int) -> None:
        if not self._depth:
            self._count_lines(place)
            self._start, self._line_of_object, self._is_dropped = place, self._line, False
        self._depth += 1

    def _count_lines(self, end: int) -> None:
        self._line += self._buffer.count(b"\n", self._counted, end)
        self._counted = end

    def _forget(self) -> None:
        """Drop what is not needed any more: all before the open object, and of one that is too long all."""
        if self._depth and len(self._buffer) - self._start > self._limit:
            self._is_dropped = True
        end = self._start if self._depth and not self._is_dropped else self._at
        self._count_lines(end)
        self._buffer = self._buffer[end:]
        self._at -= end
        self._start = self._counted = 0


def _parse(octets: bytes) -> Any:
    """The value of a JSON document; raises ValueError that says why there is none."""
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    most = max(len(octets) // OCTETS_PER_VALUE, _FREE_VALUES)
    if text.count(",") > most and _STRING.sub("", text).count(",") > most:
        raise ValueError(Wording("more values than its length allows"))
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError(Wording("nested too deeply")) from None
    except json.JSONDecodeError as exc:
        raise ValueError(Wording("not JSON: {why}", why=exc.msg)) from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(Wording("not JSON: {why}", why=name))

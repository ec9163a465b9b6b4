"""JSON from strangers: bundles, control files. Nothing ambiguous, huge or deep gets through.

The standard reader takes `NaN`, doubled keys (the last wins, other readers take the first), numbers of
any length and half surrogate pairs; each has been a way to show two readers two documents.
"""

import json
import math
import re
from typing import Any

from kzmitm.errors import WordedError
from kzmitm.evidence.damage import Code
from kzmitm.evidence.json_writer import STEERING

MAX_DEPTH = 32
"""Levels of nesting; our deepest document has eight."""
MAX_INTEGER_DIGITS = 19
"""Digits of an integer: what a signed 64-bit number can have; Python's own conversion is quadratic."""
MAX_BYTES = 64 * 2**20
"""Octets of one document unless the caller says otherwise; a 16 MB chain in base64 fits."""
MAX_COMMAS = 1 << 18
"""In a row or a measurement, so that no more values are in it: the smallest takes three octets, and thirty
times as many in memory."""

_HALF_PAIR = re.compile(r"\\u[dD][89abAB]", re.ASCII)
_LOW_HALF = re.compile(r"\\u[dD][c-fC-F]", re.ASCII)


class UnreadableJSONError(WordedError, ValueError):
    """The octets are no JSON document that we accept; the message says why, and where if that is known."""

    def __init__(self, message: str, /, code: Code = Code.JSON_SYNTAX, **values: object) -> None:
        super().__init__(message, **values)
        self.code = code


def parse_json(data: bytes, *, max_bytes: int = MAX_BYTES, floats: bool = True, plain: bool = False) -> Any:
    """The value of one JSON document in UTF-8 (RFC 8259); raises UnreadableJSONError.

    Without `floats` it holds none; a `plain` one holds no character that steers a terminal or turns its text
    around, as we write them all escaped.
    """
    if len(data) > max_bytes:
        raise UnreadableJSONError("longer than {max_bytes} octets", Code.FILE_TOO_LONG, max_bytes=max_bytes)
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise UnreadableJSONError("not UTF-8 at octet {start}", Code.JSON_TEXT, start=exc.start) from None
    if plain and (not text.isascii() or "\x7f" in text) and STEERING.search(text):
        raise UnreadableJSONError("a character that steers or turns text", Code.JSON_TEXT)
    try:
        value = (_DECODER if floats else _DECODER_WITHOUT_FLOATS).decode(text)
    except json.JSONDecodeError as exc:
        raise UnreadableJSONError(
            "{said} at line {lineno}, column {colno}",
            said=exc.msg.removesuffix(" at"),
            lineno=exc.lineno,
            colno=exc.colno,
        ) from None
    except RecursionError:
        raise UnreadableJSONError(
            "nested deeper than {max_depth} levels", Code.JSON_DEPTH, max_depth=MAX_DEPTH
        ) from None
    _check_depth(value)
    if _HALF_PAIR.search(text) or _LOW_HALF.search(text):
        _check_text(value)
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise UnreadableJSONError(
            "key {twice} twice in one object", Code.JSON_DUPLICATE_KEY, twice=repr(twice[:40])
        )
    return members


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise UnreadableJSONError(
            "an integer of more than {max_integer_digits} digits",
            Code.JSON_NUMBER,
            max_integer_digits=MAX_INTEGER_DIGITS,
        )
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise UnreadableJSONError("number out of range: {text}", Code.JSON_NUMBER, text=text[:40])
    return number


def _no_float(text: str) -> Any:
    raise UnreadableJSONError("a fraction: {text}", Code.JSON_NUMBER, text=text[:40])


def _no_constant(text: str) -> Any:
    raise UnreadableJSONError("{text} is not JSON", Code.JSON_NUMBER, text=text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_int=_integer, parse_float=_number, parse_constant=_no_constant
)
_DECODER_WITHOUT_FLOATS = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_int=_integer, parse_float=_no_float, parse_constant=_no_constant
)


def _check_depth(value: Any) -> None:
    """Level by level, so that no depth can exhaust our own stack."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise UnreadableJSONError("nested deeper than {max_depth} levels", Code.JSON_DEPTH, max_depth=MAX_DEPTH)


def _check_text(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UnreadableJSONError("half of a surrogate pair in a text", Code.JSON_TEXT) from None

"""JSON from strangers: bundles, control files. Nothing ambiguous, huge or deep gets through.

The standard reader takes `NaN`, doubled keys (the last wins, other readers take the first), numbers of
any length and half surrogate pairs; each has been a way to show two readers two documents.
"""

import json
import math
import re
from typing import Any

MAX_DEPTH = 32
"""Levels of nesting; our deepest document has eight."""
MAX_INTEGER_DIGITS = 19
"""Digits of an integer: what a signed 64-bit number can have; Python's own conversion is quadratic."""
MAX_BYTES = 64 * 2**20
"""Octets of one document unless the caller says otherwise; a 16 MB chain in base64 fits."""

_HALF_PAIR = re.compile(r"\\u[dD][89abAB]", re.ASCII)
_LOW_HALF = re.compile(r"\\u[dD][c-fC-F]", re.ASCII)


class UnreadableJSONError(ValueError):
    """The octets are no JSON document that we accept; the message says why, and where if that is known."""


def parse_json(data: bytes, *, max_bytes: int = MAX_BYTES) -> Any:
    """The value of one JSON document in UTF-8 (RFC 8259); raises UnreadableJSONError."""
    if len(data) > max_bytes:
        raise UnreadableJSONError(f"longer than {max_bytes} octets")
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise UnreadableJSONError(f"not UTF-8 at octet {exc.start}") from None
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as exc:
        raise UnreadableJSONError(
            f"{exc.msg.removesuffix(' at')} at line {exc.lineno}, column {exc.colno}"
        ) from None
    except RecursionError:
        raise UnreadableJSONError(f"nested deeper than {MAX_DEPTH} levels") from None
    _check_depth(value)
    if _HALF_PAIR.search(text) or _LOW_HALF.search(text):
        _check_text(value)
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise UnreadableJSONError(f"key {twice[:40]!r} twice in one object")
    return members


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise UnreadableJSONError(f"an integer of more than {MAX_INTEGER_DIGITS} digits")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise UnreadableJSONError(f"number out of range: {text[:40]}")
    return number


def _no_constant(text: str) -> Any:
    raise UnreadableJSONError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_int=_integer, parse_float=_number, parse_constant=_no_constant
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
    raise UnreadableJSONError(f"nested deeper than {MAX_DEPTH} levels")


def _check_text(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UnreadableJSONError("half of a surrogate pair in a text") from None

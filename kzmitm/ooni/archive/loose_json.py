"""JSON as strangers write it: half characters, octets that are no text, numbers that JSON does not have."""

import json
from math import isfinite
from typing import Any

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for a text that is no JSON, or not of the shape asked for."""


def decode_loosely(text: bytes) -> Any:
    """The value of a JSON text; raises one of UNREADABLE.

    What is no character is `?`. A number that is none (NaN and Infinity, as Python writes them) or too large
    for one is null.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        try:
            return msgspec.json.decode(_repaired(text))
        except ValueError:
            raise exc from None


def _repaired(text: bytes) -> bytes:
    value = json.loads(
        text.decode("utf-8", "replace"), parse_constant=lambda _name: None, parse_float=_finite
    )
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if isfinite(number) else None

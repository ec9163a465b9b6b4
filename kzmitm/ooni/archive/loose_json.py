"""JSON as strangers write it: half characters and octets that are no text stand in pages that were cut."""

import json
from typing import Any

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for a text that is no JSON, or not of the shape asked for."""


def decode_loosely(text: bytes) -> Any:
    """The value of a JSON text, with `?` for what is no character; raises one of UNREADABLE."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        try:
            return msgspec.json.decode(_repaired(text))
        except ValueError:
            raise exc from None


def _repaired(text: bytes) -> bytes:
    value = json.loads(text.decode("utf-8", "replace"))
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")

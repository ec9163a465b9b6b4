"""JSON as we write it: UTF-8, sorted keys, no blanks; the same value always gives the same octets."""

import json
from typing import Any


def canonical(value: Any, *, floats: bool = False) -> bytes:
    """`value` as canonical JSON without a final newline.

    Half surrogate pairs, which names from the network may hold, become `?`. Raises ValueError for a
    float unless `floats` (OONI's times are floats), and always for NaN and infinities: a signed document
    must not hang on how a language prints fractions.
    """
    text = _WITH_FLOATS.encode(value)
    if not floats:
        _refuse_floats(value)
    return text.encode("utf-8", "replace")


_WITH_FLOATS = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)


def _refuse_floats(value: Any) -> None:
    match value:
        case float():
            raise ValueError(f"a float in a document without floats: {value!r}")
        case dict():
            for item in value.values():
                _refuse_floats(item)
        case list() | tuple():
            for item in value:
                _refuse_floats(item)
        case _:
            pass

"""JSON as we write it: UTF-8, sorted keys, no blanks; the same value always gives the same octets."""

import json
import re
from typing import Any


def canonical(value: Any, *, floats: bool = False) -> bytes:
    """`value` as canonical JSON without a final newline.

    Half surrogate pairs, which names from the network may hold, become `?`, and what steers a terminal or
    reorders its text is escaped, so that a document may be looked at. Raises ValueError for a
    float unless `floats` (OONI's times are floats), and always for NaN and infinities: a signed document
    must not hang on how a language prints fractions.
    """
    text = _WITH_FLOATS.encode(value)
    if not floats:
        _refuse_floats(value)
    if not text.isascii() or "\x7f" in text:
        text = STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return text.encode("utf-8", "replace")


STEERING = re.compile(
    r"[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
"""C1 controls, bidirectional marks and overrides, invisible characters: only strings can hold them."""

_WITH_FLOATS = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)


def _refuse_floats(value: Any) -> None:
    found = [value]
    for each in found:  # it grows while we walk: a call for each value would cost as much as the encoding
        if isinstance(each, dict):
            found.extend(each.values())
        elif isinstance(each, (list, tuple)):
            found.extend(each)
        elif isinstance(each, float):
            raise ValueError(f"a float in a document without floats: {each!r}")  # noqa: TRY004 (as NaN does)

"""JSON as it stands in OONI's files, with the bodies of pages put in ready-made.

Two encoders wrote what lies in the bucket. Probes write with Go's `encoding/json` (no spaces; `<`, `>` and
`&` as \\u003c, \\u003e and \\u0026). The collector's uploader decodes that and writes it again with Python's
ujson (no spaces; every `/` as `\\/`, all beyond ASCII as \\uXXXX, `<` as it is) into the `.jsonl.gz` files,
and keeps the measurement_uid in its index, not in the line. See ooni/backend, api/ooni_api_uploader.py, and
oonidata's own test that a `.jsonl.gz` equals the postcan but for the uid.
"""

import json
import re
from typing import Any, Literal

Style = Literal["go", "uploader"]
STYLES: tuple[Style, ...] = ("go", "uploader")

_BODY = re.compile(rb"\\u0001(\d+)\\u0001")


def body_token(number: int) -> str:
    """Stands in a document for the body of that number until it is encoded."""
    return f"\x01{number}\x01"


def encode_text(text: str, style: Style) -> bytes:
    """The inside of a JSON string, as the encoder of that style writes it."""
    return _encode(text, style)[1:-1]


def encode_line(document: Any, style: Style, bodies: dict[int, bytes]) -> bytes:
    """One line without its newline; `bodies` are encoded already, in the same style."""
    small = _encode(document, style)
    if not bodies:
        return small
    return _BODY.sub(lambda match: bodies[int(match[1])], small)


def _encode(value: Any, style: Style) -> bytes:
    if style == "uploader":
        return json.dumps(value, separators=(",", ":")).encode().replace(b"/", b"\\/")
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    for plain, escaped in _HTML:
        if plain in text:
            text = text.replace(plain, escaped)
    return text


_HTML = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)

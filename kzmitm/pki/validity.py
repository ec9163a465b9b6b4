"""Validity times as RFC 5280, 4.1.2.5 writes them, in aware UTC."""

from datetime import UTC, datetime

from kzmitm.pki import der
from kzmitm.pki.der import DERError, read_tlv


def read_time(data: bytes, pos: int, end: int) -> tuple[datetime, int]:
    """The time at `pos` and the end of its element. Raises DERError on any other form or no such date."""
    tag, start, stop = read_tlv(data, pos, end)
    text = data[start:stop]
    if tag == der.UTC_TIME and len(text) == 13:
        century = b"19" if text[:1] >= b"5" else b"20"
        text = century + text
    elif tag != der.GENERALIZED_TIME or len(text) != 15:
        raise DERError("not a time at octet {pos}", pos=pos)
    return parse_digits(text), stop


def parse_digits(text: bytes) -> datetime:
    """`YYYYMMDDHHMMSSZ` as a time. Raises DERError if it is not one."""
    digits = text[:14]
    if not digits.isdigit() or text[14:] != b"Z":
        raise DERError("a time is not digits and Z")
    number = int(digits)
    try:
        return datetime(
            number // 10000000000,
            number // 100000000 % 100,
            number // 1000000 % 100,
            number // 10000 % 100,
            number // 100 % 100,
            number % 100,
            tzinfo=UTC,
        )
    except ValueError as error:
        raise DERError("no such time: {why}", why=error) from None

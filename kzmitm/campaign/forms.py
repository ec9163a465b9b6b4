"""The forms of values in a campaign file: each reader returns the value that TOML gave, or says why not."""

import math
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from kzmitm.errors import WordedError
from kzmitm.evidence.signing.sshsig import PublicKey, SignatureError, parse_public_key

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Reader = Callable[[Any], T]

MAX_TEXT = 1024
MAX_ITEMS = 10_000
"""Entries of one list; longer lists of targets are files."""

_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*(ms|s|min|h|d)", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_NETWORK = re.compile(r"(?:AS)?([1-9]\d{0,9})", re.ASCII | re.IGNORECASE)
_COUNTRY = re.compile(r"[A-Za-z]{2}", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)


class FormError(WordedError, ValueError):
    """A value has not the form that its key demands; says which form that is."""


def text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= MAX_TEXT or not value.isprintable():
        raise FormError("must be a text of 1 to {max_text} printable characters", max_text=MAX_TEXT)
    return value


def name(value: Any) -> str:
    """What becomes part of file names and subjects."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise FormError("must be 1 to 40 small letters, digits, - or _, beginning with a letter or digit")
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise FormError("must be true or false")
    return value


def span(least: float, most: float) -> Reader[float]:
    """Seconds of `"500ms"`, `"2s"`, `"15min"`, `"6h"`, `"7d"`, within bounds in seconds."""

    def read(value: Any) -> float:
        found = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            raise FormError('must be a time such as "500ms", "2s", "15min", "6h" or "7d"')
        seconds = float(found[1]) * _UNITS[found[2]]
        if not least <= seconds <= most:
            raise FormError(
                "must be a time from {least} to {most}", least=_as_span(least), most=_as_span(most)
            )
        return seconds

    return read


def _as_span(seconds: float) -> str:
    unit, size = next(
        ((unit, size) for unit, size in reversed(_UNITS.items()) if seconds >= size), ("s", 1.0)
    )
    return f'"{seconds / size:g}{unit}"'


def moment(value: Any) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise FormError("must be a time with an offset, as 2026-12-01T00:00:00Z, not in quotes")
    try:
        return value.astimezone(UTC)
    except OverflowError:  # at either end of the calendar
        raise FormError("must be a time with an offset, as 2026-12-01T00:00:00Z, not in quotes") from None


def network(value: Any) -> str:
    """`AS9198`."""
    found = _NETWORK.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[1]) >= 1 << 32:
        raise FormError('must be the number of a network, as "AS9198"')
    return f"AS{found[1]}"


def country(value: Any) -> str:
    """`KZ`."""
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
        raise FormError('must be a country\'s code of two letters, as "KZ"')
    return value.upper()


def web_address(*schemes: str) -> Reader[str]:
    """A URL of one of these schemes, without a password in it."""

    def read(value: Any) -> str:
        address = text(value)
        try:
            parts = urlsplit(address)
            fits = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fits = False
        if not fits or not address.isascii() or " " in address:
            raise FormError(
                "must be an address that begins with {schemes}",
                schemes=" or ".join(f"{s}://" for s in schemes),
            )
        return address

    return read


def public_key(value: Any) -> PublicKey:
    """The key of `ssh-ed25519 AAAA…`, without a comment; raises FormError."""
    kind, _, blob = text(value).partition(" ")
    try:
        key = parse_public_key(b64decode(blob, validate=True))
    except (ValueError, SignatureError):
        raise FormError("must be a public key, ssh-ed25519 AAAA…") from None
    if key.line != f"{kind} {blob}":
        raise FormError("must be a public key, ssh-ed25519 AAAA…, and nothing else")
    return key


def whole(least: int, most: int) -> Reader[int]:
    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise FormError("must be a whole number from {least} to {most}", least=least, most=most)
        return value

    return read


def number(least: float, most: float) -> Reader[float]:
    def read(value: Any) -> float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not math.isfinite(value) or not least <= value <= most:
            raise FormError("must be a number from {least} to {most}", least=f"{least:g}", most=f"{most:g}")
        return float(value)

    return read


def one_of(*words: str) -> Reader[str]:
    def read(value: Any) -> str:
        if value not in words:
            raise FormError("must be one of {words}", words=", ".join(words))
        return str(value)

    return read


def member_of(kind: type[E]) -> Reader[E]:
    def read(value: Any) -> E:
        return kind(one_of(*kind)(value))

    return read


def family(value: Any) -> int:
    """A version of IP."""
    if value not in (4, 6) or isinstance(value, bool | float):
        raise FormError("must be 4 or 6")
    return int(value)


def list_of(reader: Reader[T], *, least: int = 0) -> Reader[tuple[T, ...]]:
    def read(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list) or not least <= len(value) <= MAX_ITEMS:
            raise FormError(
                "must be a list in brackets, as [1, 2], of {least} to {max_items} entries",
                least=least,
                max_items=MAX_ITEMS,
            )
        found = []
        for place, each in enumerate(value, 1):
            try:
                found.append(reader(each))
            except FormError as exc:
                raise FormError("entry {place} {why}", place=place, why=exc) from None
        return tuple(found)

    return read


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table: its reader, and its default where it may be left out."""

    reader: Callable[[Any], Any]
    default: Any = None
    is_required: bool = False

"""A small strict schema for the registry's files: every key is known, every value has its form.

A check takes a value and where it stands (`authorities/kz-isca.toml: certificates[2].sha256`) and raises
FingerprintError that names the place. TOML has no null: an absent key means unknown.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from kzmitm.errors import FingerprintError
from kzmitm.wording import Wording

Check = Callable[[Any, str], None]

MAX_TEXT = 16_384
"""Characters; the longest note we ship is below 1,500."""
MAX_ITEMS = 4_096
"""Entries of one list."""

_IDENTIFIER = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PARTIAL_DATE = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2})?)?")


def fail(where: str, what: str) -> FingerprintError:
    """The exception for a place in a file; the caller raises it."""
    return FingerprintError(
        "{where}: {what}", hint="fingerprints/README.md says how entries are written.", where=where, what=what
    )


def text(value: Any, where: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise fail(where, Wording("must be a text that is not empty"))
    if len(value) > MAX_TEXT:
        raise fail(where, Wording("is longer than {max_text} characters", max_text=MAX_TEXT))


def boolean(value: Any, where: str) -> None:
    if not isinstance(value, bool):
        raise fail(where, Wording("must be true or false"))


def integer(value: Any, where: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise fail(where, Wording("must be an integer"))


def number(value: Any, where: str) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise fail(where, Wording("must be a number"))


def moment(value: Any, where: str) -> None:
    """A TOML date, or a date and time with an offset."""
    if not isinstance(value, date):
        raise fail(where, Wording("must be a date or a date and time, not in quotes"))
    if isinstance(value, datetime) and value.tzinfo is None:
        raise fail(where, Wording("needs an offset, such as Z"))


def day(value: Any, where: str) -> None:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise fail(where, Wording("must be a date, not in quotes"))


def partial_date(value: Any, where: str) -> None:
    """`YYYY`, `YYYY-MM` or `YYYY-MM-DD` in quotes: as much as is known."""
    if not isinstance(value, str) or not _PARTIAL_DATE.fullmatch(value):
        raise fail(where, Wording("must be YYYY, YYYY-MM or YYYY-MM-DD in quotes"))
    year, month, day_of_month = (int(part) for part in f"{value}-01-01"[:10].split("-"))
    try:
        date(year, month, day_of_month)
    except ValueError as exc:
        raise fail(where, Wording("is no date: {why}", why=exc)) from exc


def identifier(value: Any, where: str) -> None:
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise fail(where, Wording("must be lower-case letters and digits joined by hyphens"))


def digest(digits: int) -> Check:
    """A check for lower-case hexadecimal of exactly that many digits."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]+", value):
            raise fail(where, Wording("must be lower-case hexadecimal"))
        if len(value) != digits:
            raise fail(
                where, Wording("must have {digits} digits, not {count}", digits=digits, count=len(value))
            )

    return check


def hexadecimal(value: Any, where: str) -> None:
    """Lower-case hexadecimal of any length, with a minus sign where a serial number is negative."""
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9a-f]{1,128}", value):
        raise fail(where, Wording("must be lower-case hexadecimal"))


def base64_text(value: Any, where: str) -> None:
    text(value, where)
    try:
        base64.b64decode("".join(value.split()), validate=True)
    except binascii.Error as exc:
        raise fail(where, Wording("is not base64: {why}", why=exc)) from exc


def choice(*allowed: str) -> Check:
    """A check for one of the given words."""

    def check(value: Any, where: str) -> None:
        if value not in allowed:
            raise fail(where, Wording("must be one of {allowed}", allowed=", ".join(allowed)))

    return check


def list_of(item: Check) -> Check:
    """A check for a list, each entry of which passes `item`."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            raise fail(where, Wording("must be a list of at most {max_items} entries", max_items=MAX_ITEMS))
        for index, entry in enumerate(value):
            item(entry, f"{where}[{index}]")

    return check


def table(optional: Mapping[str, Check], required: Mapping[str, Check] | None = None) -> Check:
    """A check for a table that has all `required` keys, and no key but these and the `optional` ones."""
    required = required or {}
    known = {**required, **optional}

    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise fail(where, Wording("must be a table"))
        prefix = where if where.endswith(": ") else f"{where}."
        for key, entry in value.items():
            if key not in known:
                raise fail(f"{prefix}{key}", Wording("is not a known key"))
            known[key](entry, f"{prefix}{key}")
        for key in required:
            if key not in value:
                raise fail(f"{prefix}{key}", Wording("is missing"))

    return check


CONFIDENCE = choice("high", "medium", "low")
TEXTS = list_of(text)


def as_utc(value: date | None, *, end: bool = False) -> datetime | None:
    """A TOML date or date and time as aware UTC; a plain date is its first second, or its last if `end`."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.combine(value, time(23, 59, 59) if end else time(), UTC)

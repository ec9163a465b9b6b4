"""What the actions of `kzmitm ooni` are told in words: countries, days, tests, rates."""

import argparse
import re
from datetime import date

from kzmitm.cli.parser import filled
from kzmitm.report.language import _

MAX_PARALLEL = 16
"""Connections to a server that others pay for."""

_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_TEST = re.compile(r"[a-z][a-z0-9_]{1,29}", re.ASCII)
_RATE = re.compile(r"(\d{1,9})([kKmMgG]?)", re.ASCII)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30}


def country(text: str) -> str:
    """Two letters, as OONI writes them."""
    code = filled(text).upper()
    if not _COUNTRY.fullmatch(code):
        raise argparse.ArgumentTypeError(_("not a country: {text} (two letters: KZ)").format(text=repr(text)))
    return code


def day(text: str) -> date:
    """A day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            _("not a day: {text} (write it like 2024-03-01)").format(text=repr(text))
        ) from None


def test_name(text: str) -> str:
    """The name of a test, as measurements have it."""
    if not _TEST.fullmatch(text):
        raise argparse.ArgumentTypeError(
            _("not the name of a test: {text} (like web_connectivity)").format(text=repr(text))
        )
    return text


def rate(text: str) -> float:
    """Octets per second: a number, or one with k, M or G behind it (of 1,024), as curl has it."""
    found = _RATE.fullmatch(text)
    octets = int(found[1]) << _UNITS[found[2].lower()] if found else 0
    if not octets:
        raise argparse.ArgumentTypeError(
            _("not a rate: {text} (octets per second: 500k, 2M)").format(text=repr(text))
        )
    return float(octets)


def parallel(text: str) -> int:
    """How many connections."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    if not 1 <= number <= MAX_PARALLEL:
        raise argparse.ArgumentTypeError(
            _("{text} is not possible: from 1 to {max_parallel}").format(
                text=repr(text), max_parallel=MAX_PARALLEL
            )
        )
    return number


def size_text(octets: int) -> str:
    """`56.1 MiB`."""
    size = float(octets)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"

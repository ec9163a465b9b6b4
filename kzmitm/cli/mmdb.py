"""Whose an address is, by a file in MaxMind's format that the user has; nothing is asked of anybody."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kzmitm.errors import UsageError
from kzmitm.model.location import System
from kzmitm.verdict.location import SystemOf

MAX_OPERATOR = 200
"""Characters of a name that are kept."""


def systems_in(path: Path) -> SystemOf:
    """What a database of autonomous systems says of addresses; raises UsageError.

    GeoLite2 ASN and its like have `autonomous_system_number` and `autonomous_system_organization`; those of
    db-ip and IPinfo are read as well.
    """
    try:
        import maxminddb  # noqa: PLC0415 (an extra)
    except ImportError:
        raise UsageError(
            "--mmdb needs maxminddb", hint="pip install 'kzmitm[asn]', or leave it out"
        ) from None
    try:
        reader = maxminddb.open_database(str(path))
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as exc:
        raise UsageError(
            "--mmdb: {path}: {why}",
            hint="name a database of autonomous systems (.mmdb)",
            path=path,
            why=str(exc)[:200],
        ) from None

    def system_of(ip: str) -> System | None:
        try:
            return system_in(reader.get(ip))
        except (ValueError, maxminddb.InvalidDatabaseError):
            return None

    return system_of


def system_in(record: Any) -> System | None:
    """The autonomous system that a record of such a database names."""
    if not isinstance(record, Mapping):
        return None
    number = record.get("autonomous_system_number", record.get("asn"))
    if isinstance(number, str) and number[2:].isascii() and number[2:].isdigit():
        number = int(number[2:]) if len(number) < 13 else None
    if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
        return None
    names = (record.get(key) for key in ("autonomous_system_organization", "as_name", "name"))
    operator = next((name for name in names if isinstance(name, str)), "")
    return System(number, operator[:MAX_OPERATOR])

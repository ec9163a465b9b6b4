"""What a bundle directory holds, and who may see it: the one table of its file names.

Levels are those of a later redaction: leaving the files of a higher level out is all that it does.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """The widest circle that a file is meant for."""

    PUBLIC = "public"
    PARTNER = "partner"
    """Trusted partners: could lead a box's operator back to the volunteer (serials, exact times)."""
    FULL = "full"
    """The volunteer's own copy."""
    PASSING = "passing"
    """Exists only while a scan runs, or after it was killed."""


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file of the bundle by its name (or directory with `/`)."""

    name: str
    level: Level
    meaning: str


SCAN = BundleFile("scan.json", Level.PUBLIC, "verdicts with their reasons (kzmitm.scan/1.0)")
MEASUREMENTS = BundleFile("measurements.jsonl", Level.PARTNER, "what happened: an OONI measurement per line")
CERTIFICATES = BundleFile("certs/", Level.PARTNER, "every distinct certificate as <SHA-256>.der")
VERDICTS = BundleFile("verdicts.spool", Level.PASSING, "rows of scan.json before the scan has ended")

FILES = (SCAN, MEASUREMENTS, CERTIFICATES, VERDICTS)

PART_PREFIX = ".part-"
"""Begins the name of a file that is being written; readers pass over it."""

_BUNDLE_NAME = re.compile(r"bundle-[0-9a-f]{16}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def bundle_name(rng: Callable[[int], bytes]) -> str:
    """`bundle-<16 hex>` from 8 random octets: no host, user, time or tool stands in the name."""
    return f"bundle-{rng(8).hex()}"


def is_bundle_name(name: str) -> bool:
    return _BUNDLE_NAME.fullmatch(name) is not None


def certificate_name(sha256: str) -> str:
    """The path of a certificate in the bundle; raises ValueError for what is no lower-case SHA-256."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"not a SHA-256 in lower-case hex: {sha256[:70]!r}")
    return f"{CERTIFICATES.name}{sha256}.der"

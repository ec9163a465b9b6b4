"""What a bundle (`bundle/1`) holds, and who may see it: the one table of its file names and limits.

A bundle is a BagIt bag (RFC 8493) in a folder `bundle-<16 hex>`, most often inside a zip of the same name.
Levels are folders, so that a reduced bundle is the same bundle with files left out: the manifest still
lists them, the signature still holds, and a reader says that they were withheld.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from kzmitm.wording import Wording


class Level(StrEnum):
    """The widest circle that a file is meant for; the folder under `data/` that holds it."""

    PUBLIC = "public"
    """Nothing in it tells one volunteer from another."""
    PARTNER = "partner"
    """Trusted partners: could lead a box's operator back to the volunteer (serials, exact times)."""
    FULL = "full"
    """The volunteer's own copy."""


LEVELS = (Level.PUBLIC, Level.PARTNER, Level.FULL)
"""From the widest circle to the narrowest; each circle sees the files of those before it."""


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file of the bundle by its path in it (a folder with `/` at its end)."""

    path: str
    level: Level
    meaning: str


PUBLIC_SCAN = BundleFile(
    "data/public/scan.json", Level.PUBLIC, Wording("verdicts and their reasons (kzmitm.scan/1)")
)
CERTIFICATES = BundleFile(
    "data/public/certs/", Level.PUBLIC, Wording("authorities above the leaves, <SHA-256>.der")
)
README = BundleFile(
    "data/public/readme.txt", Level.PUBLIC, Wording("what this is, and how to check it by hand")
)
PARTNER_SCAN = BundleFile(
    "data/partner/scan.json", Level.PARTNER, Wording("the same with times, addresses, chains")
)
MEASUREMENTS = BundleFile(
    "data/partner/measurements.jsonl",
    Level.PARTNER,
    Wording("an OONI measurement per line, whole chains, proofs"),
)
ENVIRONMENT = BundleFile(
    "data/full/environment.json", Level.FULL, Wording("system and resolvers of the probe")
)
CAPTURE = BundleFile("data/full/capture.pcapng", Level.FULL, Wording("packets of the scan's own connections"))

FILES = (PUBLIC_SCAN, CERTIFICATES, README, PARTNER_SCAN, MEASUREMENTS, ENVIRONMENT, CAPTURE)

BAGIT = "bagit.txt"
BAG_INFO = "bag-info.txt"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
SIGNATURE = "tagmanifest-sha256.txt.sig"
TAGGED = (BAG_INFO, BAGIT, MANIFEST)
"""What the tag manifest lists, in its order; its own hash is the identity of the bundle."""
TAG_FILES = (*TAGGED, TAG_MANIFEST, SIGNATURE)

NAMESPACE = "kzmitm-bundle@v1"
"""Of the signature; fixed for ever, so that a signature made for something else is never one of a bundle."""
COUNTERSIGN_NAMESPACE = "kzmitm-countersign@v1"
"""Another one, else a partner's countersignature could be put in the place of the signature."""

MAX_FILES = 2_000
"""Files of a bundle: ours have a dozen and a certificate for each authority met, of which a list of 20,000
sites shows some hundreds."""
MAX_CERTIFICATES = 1_000
"""Files below `CERTIFICATES`; what comes later stands in the measurements only."""
MAX_TAG_FILE = 1 << 20
"""Octets of a tag file: 2,000 lines of a manifest are 320 KiB."""
MAX_ATTESTATION = 1 << 16
"""Octets of a file that was attached: tokens with their certificates have 2 to 8 KiB."""
MAX_ATTESTATION_NAME = 60
"""Characters of the name of a file that is to be attached, to which its hash is added."""
MAX_PATH = 120
"""Characters of a path in the bundle; the longest of ours, of a certificate, has 85."""

ATTESTATION = re.compile(r"attest-[a-z0-9]+(?:-[a-z0-9]+)*(?:\.unchecked)?\.(tsr|ots|sig)", re.ASCII)
"""Files that may be added to a signed bundle: timestamps, and signatures of partners."""
_ATTESTATION_HASH = re.compile(r"-([0-9a-f]{16})(?=\.)", re.ASCII)
"""Of the content, in a name; one that was added by hand need not have it."""
_BUNDLE_NAME = re.compile(r"bundle-[0-9a-f]{16}", re.ASCII)
_SEGMENT = r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9]+)*"
_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT}){{0,3}}", re.ASCII)
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.[a-z0-9.]*)?", re.ASCII)
"""What Windows takes for a device, whatever its suffix."""
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def bundle_name(bundle_id: str) -> str:
    """`bundle-<16 hex>` of the identity: no host, user, time or tool stands in the name."""
    return f"bundle-{bundle_id[:16]}"


def is_bundle_name(name: str) -> bool:
    return _BUNDLE_NAME.fullmatch(name) is not None


def is_safe_path(path: str) -> bool:
    """True for a path below the bundle's folder that means the same file on every system."""
    if len(path) > MAX_PATH or not _PATH.fullmatch(path):
        return False
    return not any(_DEVICE.fullmatch(segment) for segment in path.split("/"))


def is_payload(path: str) -> bool:
    """True for a path that the manifest lists (RFC 8493, 2.1.2)."""
    return path.startswith("data/")


def level_of(path: str) -> Level | None:
    """The circle of a payload file; None for a tag file, which all see, or a folder of no level."""
    parts = path.split("/")
    if len(parts) < 3 or parts[0] != "data":
        return None
    return next((level for level in LEVELS if level == parts[1]), None)


def narrowest_level(paths: Iterable[str]) -> Level:
    """The narrowest circle of which a file is there."""
    found = {level_of(path) for path in paths}
    return next((level for level in reversed(LEVELS) if level in found), Level.PUBLIC)


def attestation_name(name: str, content: bytes) -> str:
    """The name `attest-NAME-<16 hex>.SUFFIX` under which some content is attached as `attest-NAME.SUFFIX`."""
    stem, dot, suffix = name.partition(".")
    return f"{stem}-{hashlib.sha256(content).hexdigest()[:16]}{dot}{suffix}"


def plain_attestation(name: str) -> str:
    """The name of an attached file without the hash, and without what is said of its checking."""
    return _ATTESTATION_HASH.sub("", name).replace(".unchecked.", ".")


def is_attestation_of(name: str, content: bytes) -> bool:
    """False for a name that holds the hash of another content."""
    match = _ATTESTATION_HASH.search(name)
    return match is None or hashlib.sha256(content).hexdigest().startswith(match[1])


def certificate_path(sha256: str) -> str:
    """The path of a certificate in the bundle; raises ValueError for what is no lower-case SHA-256."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"not a SHA-256 in lower-case hex: {sha256[:70]!r}")
    return f"{CERTIFICATES.path}{sha256}.der"

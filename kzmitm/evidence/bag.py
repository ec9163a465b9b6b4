"""The tag files of a bag: what they say, and reading them back without a second meaning (RFC 8493).

The manifests are more than RFC 8493 asks for: sorted, lower case, one form for each list of files, since the
hash of one is the identity of the bundle.
"""

import hashlib
import re
from collections.abc import Mapping

from kzmitm import __version__
from kzmitm.evidence import layout
from kzmitm.evidence.archive.shown import shown
from kzmitm.evidence.damage import Code, DamagedError
from kzmitm.wording import Wording

FORMAT = "1.0"
"""Of the bundle: `Kzmitm-Bundle` in its bag-info.txt. Readers refuse another major version."""

BAGIT_TXT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
"""RFC 8493, 2.1.1."""

MAX_BAG_INFO = 1 << 12
"""Octets of bag-info.txt: ours has four lines."""

_LINE = re.compile(r"([0-9a-f]{64})  (.+)", re.ASCII)
_FIELD = re.compile(r"([A-Z][A-Za-z-]{0,40}): ([ -~]{1,200})", re.ASCII)
_SIGNER_NAME = re.compile(r"signer-[0-9a-f]{16}", re.ASCII)


def bag_info(*, octets: int, files: int, signer: str) -> bytes:
    """bag-info.txt (RFC 8493, 2.2.2). It tells no date: the public level knows no more than the week.

    `signer` is the name under which a key signs, which groups its bundles.
    """
    return (
        f"Bag-Group-Identifier: {signer}\n"
        f"Bag-Software-Agent: kzmitm {__version__}\n"
        f"Kzmitm-Bundle: {FORMAT}\n"
        f"Payload-Oxum: {octets}.{files}\n"
    ).encode("ascii")


def parse_bag_info(octets: bytes) -> dict[str, str]:
    """The fields of bag-info.txt; raises DamagedError for what is not in our form, or of a newer major."""
    text = octets.decode("ascii", "replace")
    if len(octets) > MAX_BAG_INFO:
        raise DamagedError(
            Code.MANIFEST_SYNTAX,
            layout.BAG_INFO,
            Wording("more than {max_bag_info} octets", max_bag_info=MAX_BAG_INFO),
        )
    fields = {match[1]: match[2] for line in text.split("\n") if (match := _FIELD.fullmatch(line))}
    if "".join(f"{key}: {value}\n" for key, value in fields.items()) != text:
        raise DamagedError(Code.MANIFEST_SYNTAX, layout.BAG_INFO)
    version = fields.get("Kzmitm-Bundle", "")
    if version.partition(".")[0] != FORMAT.partition(".")[0]:
        raise DamagedError(
            Code.FORMAT_UNKNOWN, layout.BAG_INFO, Wording("bundle format {version}", version=version or "?")
        )
    return fields


def signer_name(fields: Mapping[str, str]) -> str:
    """The name that the signer gives itself; "" if it gives none in our form."""
    name = fields.get("Bag-Group-Identifier", "")
    return name if _SIGNER_NAME.fullmatch(name) else ""


def manifest(hashes: Mapping[str, str]) -> bytes:
    """A manifest (RFC 8493, 2.1.3) of `hashes`, SHA-256 in hex by path, as `sha256sum -c` reads it."""
    return "".join(f"{hashes[path]}  {path}\n" for path in sorted(hashes)).encode("ascii")


def parse_manifest(octets: bytes, name: str) -> dict[str, str]:
    """SHA-256 in hex by path; raises DamagedError for anything but the one form of such a list."""
    if octets.count(b"\n") > layout.MAX_FILES:
        raise DamagedError(
            Code.ARCHIVE_TOO_MANY_FILES, name, Wording("at most {max_files}", max_files=layout.MAX_FILES)
        )
    hashes: dict[str, str] = {}
    # Line by line: a search in the whole would take as long as the square of what a stranger wrote.
    for line in octets.decode("ascii", "replace").split("\n"):
        match = _LINE.fullmatch(line)
        if match is None:
            continue  # found below, as are lines out of order
        if not layout.is_safe_path(match[2]):
            raise DamagedError(Code.ARCHIVE_UNSAFE_NAME, name, shown(match[2]))
        hashes[match[2]] = match[1]
    if manifest(hashes) != octets:
        raise DamagedError(Code.MANIFEST_SYNTAX, name)
    return hashes


def sha256(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()

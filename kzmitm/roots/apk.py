"""Archives that bring certificates: programs for Android, and plain ZIP files. Nothing is written to disk.

An app trusts roots of its own through a network security configuration, an XML resource that names files of
`res/raw` (https://developer.android.com/privacy-and-security/security-config). Both it and the manifest are
compiled; their strings lie open in them, which is enough to say that there is one. Which of the roots it
names would need the table of resources, so every certificate that lies where apps keep files is told of.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from kzmitm.roots.contents import Contents, Item, Kind, Note, told
from kzmitm.wording import Wording, joined

MAX_DIRECTORY = 4 << 20
"""Octets of the list of members: some 40,000 of them, which is more than the largest apps have."""
MAX_MEMBER = 4 << 20
"""Octets of a member that is read; a bundle of all public roots has a quarter of a megabyte."""
MAX_TOTAL = 64 << 20
"""Octets that all members read may unpack to."""
MAX_MEMBERS = 2_000
"""Members that are read for certificates."""
MAX_RESOURCES = 20_000
"""Compiled resources that are looked through for rules; large apps have some thousands."""
MAX_RESOURCE = 1 << 16
"""Octets of one; rules with a hundred pinned names have some 10,000."""

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")

ReadFile = Callable[[bytes], Contents]

_MANIFEST = "AndroidManifest.xml"
_ENDING = re.compile(
    r"\.(?:pem|crt|cer|cert|der|ca|bundle|p7b|p7c|spc|p12|pfx|jks|keystore|truststore|mobileconfig|reg|\d)$",
    re.IGNORECASE,
)
_IN_APK = re.compile(r"^(?:res|assets)/")
_RAW = re.compile(r"^res/raw[^/]*/")
_RESOURCE = re.compile(r"^(?:res|r)/.*\.xml$")
_CODE = re.compile(r"\.(?:apk|xapk|apks|zip|jar|aar)$", re.IGNORECASE)

_END_RECORD, _END_SIZE = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_SIZE = b"PK\x06\x07", 20
_ENCRYPTED = 1
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    OverflowError,
)


def read_archive(octets: bytes, *, read_file: ReadFile) -> Contents:
    """The certificates in an archive, of an app those where apps keep files; never raises."""
    problem = _refusal(octets)
    if problem:
        return Contents(kind=Kind.ZIP, problem=problem)
    try:
        with zipfile.ZipFile(io.BytesIO(octets)) as archive:
            return _read(archive, read_file)
    except _DAMAGE as exc:
        return Contents(kind=Kind.ZIP, problem=Wording("damaged archive: {why}", why=exc))


def _refusal(octets: bytes) -> str:
    """Why the list of members must not be read, which `zipfile` does without a limit; or ""."""
    # As zipfile looks for it: at the very end, else the last one within the longest comment.
    end = len(octets) - _END_SIZE
    if octets[max(end, 0) :][:4] != _END_RECORD or octets[-2:] != b"\0\0":
        first = max(end - 0x10000, 0)
        end = octets.rfind(_END_RECORD, first)
    if end < 0 or end + _END_SIZE > len(octets):
        return Wording("damaged archive: it has no list of members")
    if octets[max(end - _LOCATOR_SIZE, 0) :][:4] == _LOCATOR:
        return Wording("an archive of the 64-bit form, which no app and no set of certificates needs")
    if int.from_bytes(octets[end + 12 : end + 16], "little") > MAX_DIRECTORY:
        return Wording("an archive of too many files")
    return ""


@dataclass(slots=True)
class _Budget:
    """What may still be read, and what could not."""

    octets: int
    members: int
    problems: list[str] = field(default_factory=list)

    @property
    def is_spent(self) -> bool:
        return self.members <= 0 or self.octets <= 0

    def read(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | None:
        """A member, None if it is too much or cannot be read."""
        if self.is_spent:
            return None
        self.members -= 1
        problem = _why_not(info)
        try:
            if not problem:
                with archive.open(info) as file:
                    content = file.read(MAX_MEMBER + 1)
                self.octets -= len(content)
                if len(content) <= MAX_MEMBER:
                    return content
                problem = Wording("larger than it says")
        except _DAMAGE as exc:
            problem = str(exc) or "damaged"
        self.problems.append(joined(": ", (info.filename, problem)))
        return None


def _why_not(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & _ENCRYPTED:
        return "encrypted"
    if info.compress_type not in _METHODS:
        return Wording("packed in a way that apps do not use")
    return (
        Wording("larger than {max_member} MiB", max_member=MAX_MEMBER >> 20)
        if info.file_size > MAX_MEMBER
        else ""
    )


def _read(archive: zipfile.ZipFile, read_file: ReadFile) -> Contents:
    infos = archive.infolist()
    is_apk = any(info.filename == _MANIFEST for info in infos)
    budget = _Budget(MAX_TOTAL, MAX_MEMBERS)
    items: list[Item] = []
    for info in infos:
        if info.is_dir() or not _is_wanted(info.filename, is_apk=is_apk):
            continue
        content = budget.read(archive, info)
        if content is None:
            continue
        found = read_file(content)
        if found.problem and found.kind is not Kind.UNKNOWN:
            budget.problems.append(joined(": ", (info.filename, found.problem)))
        for item in found.items:
            label = f"{info.filename}: {item.label}" if item.label else info.filename
            items.append(replace(item, label=label))
    notes = tuple(_rules(archive, infos)) if is_apk else ()
    if not is_apk and any(_CODE.search(info.filename) for info in infos):
        budget.problems.append(Wording("archives within it were not read"))
    if budget.is_spent:
        budget.problems.insert(0, Wording("too much to read, so it was not read to its end"))
    return Contents(
        kind=Kind.APK if is_apk else Kind.ZIP,
        items=tuple(items),
        problem=told(budget.problems),
        notes=notes,
    )


def _is_wanted(name: str, *, is_apk: bool) -> bool:
    if is_apk and not _IN_APK.match(name):
        return False
    if _RAW.match(name) and is_apk:
        return True
    return bool(_ENDING.search(name))


def _rules(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> Iterator[Note]:
    """What the strings of the manifest and of the compiled resources say of a configuration."""
    budget = _Budget(MAX_TOTAL, MAX_RESOURCES)
    candidates = [info for info in infos if _RESOURCE.match(info.filename) and info.file_size <= MAX_RESOURCE]
    candidates.sort(key=lambda info: not info.filename.startswith("res/xml"))  # where it is if names are kept
    rules = (budget.read(archive, info) or b"" for info in candidates)
    found = next((content for content in rules if _has_text(content, "network-security-config")), None)
    manifest = next(info for info in infos if info.filename == _MANIFEST)
    if found is not None or _has_text(budget.read(archive, manifest) or b"", "networkSecurityConfig"):
        yield Note.NETWORK_SECURITY_CONFIG
    if found is not None and _has_text(found, "trust-anchors"):
        yield Note.OWN_TRUST_ANCHORS


def _has_text(content: bytes, text: str) -> bool:
    """Compiled XML keeps its strings in UTF-8 or UTF-16 (ResStringPool in AOSP's ResourceTypes.h)."""
    return text.encode() in content or text.encode("utf-16-le") in content

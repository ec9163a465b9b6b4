"""What can be wrong with a bundle: one code for each kind of damage, with the file it is in."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kzmitm.errors import BundleError
from kzmitm.wording import Wording


class Code(StrEnum):
    """Kinds of damage. They are part of the interface: scripts tell them apart."""

    ARCHIVE_DAMAGED = "archive_damaged"
    """Cut off, or its records contradict each other or its content."""
    ARCHIVE_EXTRA_BYTES = "archive_extra_bytes"
    """Octets before, between or behind what the archive's records account for."""
    ARCHIVE_UNSAFE_NAME = "archive_unsafe_name"
    ARCHIVE_DUPLICATE_NAME = "archive_duplicate_name"
    ARCHIVE_SPECIAL_FILE = "archive_special_file"
    """A link, folder, device, encrypted member or unknown compression."""
    ARCHIVE_BOMB = "archive_bomb"
    ARCHIVE_TOO_MANY_FILES = "archive_too_many_files"
    BUNDLE_RENAMED = "bundle_renamed"
    FORMAT_UNKNOWN = "format_unknown"
    FILE_MISSING = "file_missing"
    FILE_ADDED = "file_added"
    FILE_CHANGED = "file_changed"
    FILE_TOO_LONG = "file_too_long"
    MANIFEST_SYNTAX = "manifest_syntax"
    SIGNATURE_INVALID = "signature_invalid"
    SIGNER_CHANGED = "signer_changed"
    """Signed by another key than the one that is known by this name, or that was asked for."""
    COUNTERSIGNATURE_INVALID = "countersignature_invalid"
    COUNTERSIGNER_CHANGED = "countersigner_changed"
    TIMESTAMP_INVALID = "timestamp_invalid"
    JSON_SYNTAX = "json_syntax"
    JSON_DUPLICATE_KEY = "json_duplicate_key"
    JSON_NUMBER = "json_number"
    """NaN, an infinity, a fraction where none may be, or an integer of more than 64 bits."""
    JSON_TEXT = "json_text"
    """Not UTF-8, half a surrogate pair, or characters that steer a terminal or turn its text around."""
    JSON_DEPTH = "json_depth"
    SCHEMA_UNKNOWN = "schema_unknown"
    DOCUMENT_INVALID = "document_invalid"
    """Not what its schema says; or a salt is missing."""
    DOCUMENTS_DISAGREE = "documents_disagree"
    """Two documents of the bundle tell different things of the same scan."""
    CERTIFICATE_MISNAMED = "certificate_misnamed"
    PROOF_INVALID = "proof_invalid"
    """A handshake is said to be proven, and its signature does not verify."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of damage found; `file` is a path in the bundle, or "" for the archive as a whole."""

    code: Code
    file: str = ""
    detail: str = ""
    """In English, for people; may hold text of strangers."""

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.code, self.file, self.detail)))


class DamagedError(BundleError):
    """A bundle that is not what it was when it was signed, or never was one; it has a `problem`."""

    def __init__(self, code: Code, file: str = "", detail: str = "", *, bundle: Path | None = None) -> None:
        self.problem = Problem(code, file, detail)
        self.bundle = bundle
        parts = {"bundle": bundle, "code": code, "file": file, "detail": detail}
        message = ": ".join(f"{{{name}}}" for name, said in parts.items() if said)
        super().__init__(message, hint=Wording("kzmitm verify tells more"), **parts)

    def of(self, bundle: Path) -> "DamagedError":
        """The same, which says in which bundle the file is; as it is where it does already."""
        if self.bundle is not None:
            return self
        problem = self.problem
        return DamagedError(problem.code, problem.file, problem.detail, bundle=bundle)


class NoArchiveError(DamagedError):
    """A file with neither the beginning nor the end of an archive: most likely another one was meant."""

    def __init__(self) -> None:
        super().__init__(Code.ARCHIVE_DAMAGED, "", Wording("no archive, or cut off"))

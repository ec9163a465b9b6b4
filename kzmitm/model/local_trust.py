"""What the trust stores of this computer would have made of a chain: an observation, and no verdict."""

from dataclasses import dataclass
from hashlib import sha256

VENDOR = "vendor"
"""The origin of a root that the system or a program came with; every other one was added here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTrust:
    """What programs here would have made of the chain whose leaf has `leaf_sha256`, at its time.

    `accepted` says whether some program would have taken it without a warning; None if that is not known,
    because no root vouches for it and not every store could be read. `root` is the DER of the trusted root
    in these stores that vouches for the chain, whatever its names and dates, b"" if none does. `root_class`
    is one of `kzmitm.pki.root_class.RootClass`, `origins` are of `kzmitm.roots.values.Origin`;
    `applications` are those that trust the root, as people call them.
    """

    leaf_sha256: str
    accepted: bool | None
    root: bytes = b""
    root_class: str = ""
    origins: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    stores_read: int = 0

    @property
    def root_sha256(self) -> str:
        """SHA-256 of the root's certificate, "" if no root vouches for the chain."""
        return sha256(self.root).hexdigest() if self.root else ""

    @property
    def is_known(self) -> bool:
        """The stores gave an answer: a root vouches for the chain, or none does."""
        return bool(self.root) or self.accepted is not None

    @property
    def is_added(self) -> bool:
        """A root vouches for it that somebody put here, beside those that came with the system."""
        return bool(self.root) and any(origin != VENDOR for origin in self.origins)

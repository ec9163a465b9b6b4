"""What an archive is judged by."""

from dataclasses import dataclass

from kzmitm.pki.registry import Registry
from kzmitm.pki.store import TrustStore


@dataclass(frozen=True, slots=True)
class Grounds:
    """A registry and a store."""

    registry: Registry
    store: TrustStore

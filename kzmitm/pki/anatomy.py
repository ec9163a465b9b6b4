"""What a certificate is made of beyond its fields: the octets that signatures and constraints need.

Kept beside the `Certificate` value by `kzmitm.pki.cache`, so that each is taken apart once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kzmitm.model.certificate import Certificate


@dataclass(slots=True, kw_only=True)
class Anatomy:
    """A certificate and its octets. Empty octets stand for what could not be read.

    `tbs` is the signed part, `signature` the signature's octets, `algorithm` the outer
    AlgorithmIdentifier, `values` the extension values by dotted OID (of duplicates the first).
    `defects` are codes of what is malformed, see `kzmitm.pki.report`.
    """

    certificate: Certificate
    tbs: bytes = b""
    signature: bytes = b""
    algorithm: bytes = b""
    algorithms_agree: bool = True
    spki: bytes = b""
    values: Mapping[str, bytes]
    defects: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """True if all the parts that path validation stands on could be read."""
        return bool(self.tbs and self.signature and self.spki and self.certificate.issuer.der)

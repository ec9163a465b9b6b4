"""`small` with a GREASE encrypted_client_hello (RFC 9849, 6.2), in one segment all the same.

Boxes that cannot stand the extension, or that block whoever offers it, are told by it from those that
cannot stand a browser's size.
"""

from kzmitm.wire.iana import extensions as ext
from kzmitm.wire.profiles._profile import HelloProfile
from kzmitm.wire.profiles.small import PROFILE as SMALL

PROFILE = HelloProfile(
    name="ech",
    cipher_suites=SMALL.cipher_suites,
    extensions=(*SMALL.extensions, ext.ENCRYPTED_CLIENT_HELLO),
    groups=SMALL.groups,
    key_shares=SMALL.key_shares,
    signature_schemes=SMALL.signature_schemes,
    versions=SMALL.versions,
    ech_payload_size=144,
)

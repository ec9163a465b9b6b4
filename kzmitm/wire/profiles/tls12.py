"""TLS 1.2 and nothing newer, as clients offered it until 2018; with session_ticket.

Interceptors that were never taught TLS 1.3 answer all hellos as they answer this one, and one that goes by
supported_versions treats it otherwise. Before TLS 1.3 the ServerHello says whether tickets are given.
"""

from kzmitm.wire.iana import extensions as ext
from kzmitm.wire.profiles._profile import HelloProfile
from kzmitm.wire.profiles.small import PROFILE as SMALL

PROFILE = HelloProfile(
    name="tls12",
    cipher_suites=tuple(suite for suite in SMALL.cipher_suites if suite >> 8 != 0x13),
    extensions=(
        ext.SERVER_NAME,
        ext.EC_POINT_FORMATS,
        ext.SUPPORTED_GROUPS,
        ext.SESSION_TICKET,
        ext.ALPN,
        ext.STATUS_REQUEST,
        ext.EXTENDED_MASTER_SECRET,
        ext.SIGNATURE_ALGORITHMS,
        ext.SIGNED_CERTIFICATE_TIMESTAMP,
    ),
    groups=SMALL.groups,
    signature_schemes=SMALL.signature_schemes,
    session_id_size=0,
)

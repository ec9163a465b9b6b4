"""TLS 1.1 and nothing older or newer, which today's origins refuse and careless interceptors take.

Their answer beside the origin's refusal tells that somebody else speaks (RFC 8996 retired the version).
"""

from kzmitm.wire.iana import extensions as ext
from kzmitm.wire.profiles._profile import HelloProfile
from kzmitm.wire.profiles.legacy import PROFILE as LEGACY

PROFILE = HelloProfile(
    name="tls11",
    cipher_suites=LEGACY.cipher_suites,
    extensions=(ext.SERVER_NAME, ext.SUPPORTED_GROUPS, ext.EC_POINT_FORMATS),
    groups=LEGACY.groups,
    record_version=0x0302,
    legacy_version=0x0302,
    session_id_size=0,
)

"""A client of 2008: TLS 1.0 and nothing newer, RSA key exchange first, CBC, 3DES and RC4.

Boxes that cannot stand a version above 1.0, an extension they do not know or a suite they lack answer
this one. It is purely TLS 1.0, not 1.0 to 1.2, because `small` already lets a server go down to 1.0
by itself; today's origins refuse it with an alert, so that an answer is telling.
"""

from kzmitm.wire.iana import extensions as ext
from kzmitm.wire.iana import groups
from kzmitm.wire.profiles._profile import HelloProfile

PROFILE = HelloProfile(
    name="legacy",
    cipher_suites=(
        0x002F,  # TLS_RSA_WITH_AES_128_CBC_SHA
        0x0035,  # TLS_RSA_WITH_AES_256_CBC_SHA
        0x0005,  # TLS_RSA_WITH_RC4_128_SHA
        0x0004,  # TLS_RSA_WITH_RC4_128_MD5
        0x000A,  # TLS_RSA_WITH_3DES_EDE_CBC_SHA
        0xC009,  # TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA
        0xC00A,  # TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA
        0xC013,  # TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
        0xC014,  # TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA
        0x0033,  # TLS_DHE_RSA_WITH_AES_128_CBC_SHA
        0x0039,  # TLS_DHE_RSA_WITH_AES_256_CBC_SHA
        0x0032,  # TLS_DHE_DSS_WITH_AES_128_CBC_SHA
        0x0038,  # TLS_DHE_DSS_WITH_AES_256_CBC_SHA
        0x0016,  # TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA
        0x0013,  # TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA
        0x0009,  # TLS_RSA_WITH_DES_CBC_SHA
        0x00FF,  # TLS_EMPTY_RENEGOTIATION_INFO_SCSV
    ),
    extensions=(ext.SERVER_NAME, ext.SUPPORTED_GROUPS, ext.EC_POINT_FORMATS),
    groups=(groups.SECP256R1, groups.SECP384R1, groups.SECP521R1),
    legacy_version=0x0301,
    session_id_size=0,
)

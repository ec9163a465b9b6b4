"""A hello in the shape of today's Chromium: over 1.6 KB, so two segments on most paths.

Boxes that look at the first segment only, or that buffer 1 KB, treat it otherwise than `small`. With
GREASE (RFC 8701), the X25519MLKEM768 share (draft-ietf-tls-ecdhe-mlkem) and a GREASE
encrypted_client_hello (RFC 9849, 6.2). Left out of Chromium's: compress_certificate and application
settings, whose answers we could not read, and the random order of extensions.
"""

from kzmitm.wire.iana import extensions as ext
from kzmitm.wire.iana import groups
from kzmitm.wire.profiles._profile import GREASE, GREASE_LAST, HelloProfile

PROFILE = HelloProfile(
    name="browser",
    cipher_suites=(
        GREASE,
        0x1301,  # TLS_AES_128_GCM_SHA256
        0x1302,  # TLS_AES_256_GCM_SHA384
        0x1303,  # TLS_CHACHA20_POLY1305_SHA256
        0xC02B,  # TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        0xC02F,  # TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        0xC02C,  # TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        0xC030,  # TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        0xCCA9,  # TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        0xCCA8,  # TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        0xC013,  # TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
        0xC014,  # TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA
        0x009C,  # TLS_RSA_WITH_AES_128_GCM_SHA256
        0x009D,  # TLS_RSA_WITH_AES_256_GCM_SHA384
        0x002F,  # TLS_RSA_WITH_AES_128_CBC_SHA
        0x0035,  # TLS_RSA_WITH_AES_256_CBC_SHA
    ),
    extensions=(
        GREASE,
        ext.SERVER_NAME,
        ext.EXTENDED_MASTER_SECRET,
        ext.RENEGOTIATION_INFO,
        ext.SUPPORTED_GROUPS,
        ext.EC_POINT_FORMATS,
        ext.SESSION_TICKET,
        ext.ALPN,
        ext.STATUS_REQUEST,
        ext.SIGNATURE_ALGORITHMS,
        ext.SIGNED_CERTIFICATE_TIMESTAMP,
        ext.KEY_SHARE,
        ext.PSK_KEY_EXCHANGE_MODES,
        ext.SUPPORTED_VERSIONS,
        ext.ENCRYPTED_CLIENT_HELLO,
        GREASE_LAST,
    ),
    groups=(GREASE, groups.X25519MLKEM768, groups.X25519, groups.SECP256R1, groups.SECP384R1),
    key_shares=(GREASE, groups.X25519MLKEM768, groups.X25519),
    signature_schemes=(
        0x0403,  # ecdsa_secp256r1_sha256
        0x0804,  # rsa_pss_rsae_sha256
        0x0401,  # rsa_pkcs1_sha256
        0x0503,  # ecdsa_secp384r1_sha384
        0x0805,  # rsa_pss_rsae_sha384
        0x0501,  # rsa_pkcs1_sha384
        0x0806,  # rsa_pss_rsae_sha512
        0x0601,  # rsa_pkcs1_sha512
    ),
    versions=(GREASE, 0x0304, 0x0303),
    ech_payload_size=176,
)

"""The default: one segment of 517 octets, as browsers and OpenSSL sent it for years; TLS 1.0 to 1.3.

All that a server of any age may want is in it, so that one handshake mostly suffices: suites down to
RSA key exchange with 3DES, groups and signature schemes down to SHA-1. RFC 7685 gives the size.
"""

from kzmitm.wire.iana import extensions as ext
from kzmitm.wire.iana import groups
from kzmitm.wire.profiles._profile import HelloProfile

PROFILE = HelloProfile(
    name="small",
    cipher_suites=(
        0x1301,  # TLS_AES_128_GCM_SHA256
        0x1302,  # TLS_AES_256_GCM_SHA384
        0x1303,  # TLS_CHACHA20_POLY1305_SHA256
        0xC02B,  # TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        0xC02F,  # TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        0xC02C,  # TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        0xC030,  # TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        0xCCA9,  # TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        0xCCA8,  # TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        0x009E,  # TLS_DHE_RSA_WITH_AES_128_GCM_SHA256
        0x009F,  # TLS_DHE_RSA_WITH_AES_256_GCM_SHA384
        0xCCAA,  # TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        0xC023,  # TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256
        0xC024,  # TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384
        0xC027,  # TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256
        0xC028,  # TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384
        0xC009,  # TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA
        0xC013,  # TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
        0xC00A,  # TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA
        0xC014,  # TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA
        0x0067,  # TLS_DHE_RSA_WITH_AES_128_CBC_SHA256
        0x006B,  # TLS_DHE_RSA_WITH_AES_256_CBC_SHA256
        0x0033,  # TLS_DHE_RSA_WITH_AES_128_CBC_SHA
        0x0039,  # TLS_DHE_RSA_WITH_AES_256_CBC_SHA
        0x009C,  # TLS_RSA_WITH_AES_128_GCM_SHA256
        0x009D,  # TLS_RSA_WITH_AES_256_GCM_SHA384
        0x003C,  # TLS_RSA_WITH_AES_128_CBC_SHA256
        0x003D,  # TLS_RSA_WITH_AES_256_CBC_SHA256
        0x002F,  # TLS_RSA_WITH_AES_128_CBC_SHA
        0x0035,  # TLS_RSA_WITH_AES_256_CBC_SHA
        0x000A,  # TLS_RSA_WITH_3DES_EDE_CBC_SHA
        0x00FF,  # TLS_EMPTY_RENEGOTIATION_INFO_SCSV
    ),
    extensions=(
        ext.SERVER_NAME,
        ext.EC_POINT_FORMATS,
        ext.SUPPORTED_GROUPS,
        ext.ALPN,
        ext.STATUS_REQUEST,
        ext.EXTENDED_MASTER_SECRET,
        ext.SIGNATURE_ALGORITHMS,
        ext.SIGNED_CERTIFICATE_TIMESTAMP,
        ext.SUPPORTED_VERSIONS,
        ext.PSK_KEY_EXCHANGE_MODES,
        ext.KEY_SHARE,
    ),
    groups=(groups.X25519, groups.SECP256R1, groups.SECP384R1, groups.SECP521R1),
    key_shares=(groups.X25519,),
    signature_schemes=(
        0x0403,  # ecdsa_secp256r1_sha256
        0x0804,  # rsa_pss_rsae_sha256
        0x0401,  # rsa_pkcs1_sha256
        0x0503,  # ecdsa_secp384r1_sha384
        0x0805,  # rsa_pss_rsae_sha384
        0x0501,  # rsa_pkcs1_sha384
        0x0806,  # rsa_pss_rsae_sha512
        0x0601,  # rsa_pkcs1_sha512
        0x0603,  # ecdsa_secp521r1_sha512
        0x0807,  # ed25519
        0x0808,  # ed448
        0x0809,  # rsa_pss_pss_sha256
        0x080A,  # rsa_pss_pss_sha384
        0x080B,  # rsa_pss_pss_sha512
        0x0303,  # ecdsa_sha224
        0x0301,  # rsa_pkcs1_sha224
        0x0203,  # ecdsa_sha1
        0x0201,  # rsa_pkcs1_sha1
    ),
    versions=(0x0304, 0x0303, 0x0302, 0x0301),
    pad_to=512,
)

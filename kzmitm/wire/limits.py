"""What a stranger may cost us. One connection stays far below 32 MB and a quarter of a second of CPU."""

RECORD_HEADER = 5
MESSAGE_HEADER = 4

MAX_PLAINTEXT = 1 << 14
"""Octets of a record's plaintext (RFC 8446, 5.1)."""
MAX_PROTECTED = MAX_PLAINTEXT + 256
"""Octets of a TLS 1.3 ciphertext (RFC 8446, 5.2)."""
MAX_MESSAGE = 1 << 16
"""Octets of any handshake message but the two below: as Go's crypto/tls; a ServerHello is below 1 KB."""
MAX_CERTIFICATE_MESSAGE = 1 << 18
"""As Go's crypto/tls; OpenSSL takes 100 KB, real chains are below 64 KB. What fits is kept."""
MAX_CERTIFICATE_REQUEST = 1 << 17
"""A list of authority names fills 64 KiB at most, a list of signature schemes as much."""
MAX_CERTIFICATES = 100
"""Entries of a chain that are kept: OpenSSL's greatest depth."""
MAX_RECEIVED = 1 << 20
"""Octets of a connection: the largest flight that the limits above let through, and slack for headers."""
MAX_RECORDS = 1 << 14
"""Records of a connection; a flight cut into fragments of one octet each still gets through."""
MAX_EMPTY_RECORDS = 32
"""Records without content, as OpenSSL and BoringSSL have it."""
MAX_CHANGE_CIPHER_SPEC = 32
"""The dummy ones of TLS 1.3's compatibility mode; one is what real servers send."""
MAX_WARNINGS = 4
"""Warning alerts that are passed over; the fifth is one too many, as OpenSSL has it."""
MAX_HELLO_REQUESTS = 4
"""HelloRequests that are passed over during a handshake (RFC 5246, 7.4.1.1)."""
MAX_FIRST_BYTES = 64
"""Octets kept of what came instead of TLS (`TLSObservation.first_bytes`)."""
MAX_EXTENSIONS = 64
"""Extension types kept of one message; no client offers as many."""
MAX_COOKIE = 1 << 13
"""Octets of a HelloRetryRequest's cookie that we send back: the second hello must hold it."""
MAX_SNI = 1 << 13
"""Octets of a server name that we send: sixteen times what DNS can hold."""
MAX_OPENSSL_SNI = 255
"""OpenSSL silently sends no name beyond this (TLSEXT_MAXLEN_host_name)."""

"""Key logs (SSLKEYLOGFILE): the secrets by which a client's own captures can be read.

https://datatracker.ietf.org/doc/draft-ietf-tls-keylogfile/. Only the server's handshake traffic secret of
TLS 1.3 is kept: no certificate needs another.
"""

import re

MAX_SECRETS = 1 << 18
"""Secrets that are kept: 64 MiB of a log."""

_LINE = re.compile(
    rb"^SERVER_HANDSHAKE_TRAFFIC_SECRET ([0-9a-fA-F]{64}) ((?:[0-9a-fA-F]{64}){1}(?:[0-9a-fA-F]{32})?)\r?$",
    re.MULTILINE,
)


def parse_keylog(octets: bytes) -> dict[bytes, bytes]:
    """The secrets by the client's random; what else is in the file is passed over."""
    found: dict[bytes, bytes] = {}
    for match in _LINE.finditer(octets):
        if len(found) == MAX_SECRETS:
            break
        found[bytes.fromhex(match[1].decode())] = bytes.fromhex(match[2].decode())
    return found

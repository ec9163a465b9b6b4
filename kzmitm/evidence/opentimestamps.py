"""Files of OpenTimestamps: carried, and told what they are about; their chains end in Bitcoin, not here.

https://github.com/opentimestamps/python-opentimestamps/blob/master/opentimestamps/core/timestamp.py
"""

import hashlib

from kzmitm.evidence.token_check import TokenCheck, TokenReason, TokenStatus

HEAD = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08"
"""Of a detached timestamp file: magic, version 1, SHA-256; the hash of what is stamped follows."""


def check_proof(octets: bytes, stamped: bytes) -> TokenCheck:
    """INVALID for a file about something else, UNCHECKED for one about `stamped`."""
    if octets.startswith(HEAD + hashlib.sha256(stamped).digest()):
        return TokenCheck(status=TokenStatus.UNCHECKED, reason=TokenReason.OPENTIMESTAMPS)
    return TokenCheck(status=TokenStatus.INVALID, reason=TokenReason.WRONG_MESSAGE)

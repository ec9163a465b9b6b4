"""Handshakes with the encrypted resolvers that web_connectivity 0.5 asks on its own account (`x_doh`)."""

import msgspec

from kzmitm.ooni.archive.loose_json import UNREADABLE


class _Handshake(msgspec.Struct, gc=False):
    failure: str | None = None
    peer_certificates: list[msgspec.Raw] | None = None


class _Resolvers(msgspec.Struct, gc=False):
    tls_handshakes: list[_Handshake] | None = None


_decode = msgspec.json.Decoder(_Resolvers | None).decode


def refused_any(doh: msgspec.Raw) -> bool:
    """A certificate was refused, or they are not of the usual shape: worth the patient reading."""
    try:
        told = _decode(doh)
    except UNREADABLE:
        return True
    return told is not None and any(
        each.failure and each.peer_certificates for each in told.tls_handshakes or ()
    )

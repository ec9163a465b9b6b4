"""Whether the rows of a scan's document are what its schema says, and name the verdict that they tell."""

from collections.abc import Mapping
from typing import Any

from kzmitm.errors import BundleError
from kzmitm.evidence.damage import Code, DamagedError
from kzmitm.evidence.scan_document import Row, row_verdict
from kzmitm.wording import Wording

_ROW: Mapping[str, Any] = {
    "address": str | None,
    "chain": list,
    "explanation": str,
    "handshake": dict | None,
    "hostname": str,
    "port": int,
    "sni": str | None,
    "target": str,
}
"""What does not belong to the verdict, which is read as a whole."""
_HANDSHAKE: Mapping[str, Any] = {
    "alpn": str,
    "cipher_suite": str,
    "failure": str | None,
    "proof_verified": bool | None,
    "version": str,
}
_CERTIFICATE: Mapping[str, Any] = {
    "issuer": str,
    "not_after": str | None,
    "not_before": str | None,
    "sha256": str,
    "spki_sha256": str | None,
    "subject": str,
}
_ABSENT = object()


def check_row(row: Row, frame: Row, where: str) -> None:
    """Raise DamagedError that names `where` for a row that others could not go on with."""
    _check(row, _ROW, where)
    if row["handshake"] is not None:
        _check(row["handshake"], _HANDSHAKE, where)
    for each in row["chain"]:
        _check(each, _CERTIFICATE, where)
    try:
        row_verdict(row, frame)
    except BundleError as exc:
        raise DamagedError(Code.DOCUMENT_INVALID, where, str(exc)) from None


def _check(found: Any, kinds: Mapping[str, Any], where: str) -> None:
    """Demand members of these kinds; True is no number."""
    for key, kind in kinds.items():
        value = found.get(key, _ABSENT) if isinstance(found, dict) else _ABSENT
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise DamagedError(
                Code.DOCUMENT_INVALID, where, Wording("{key}: missing or of a wrong type", key=key)
            )

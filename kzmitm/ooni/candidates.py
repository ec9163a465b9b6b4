"""Which rows of OONI's table of observations may show interception: worth fetching, never a verdict.

The table (`/api/v1/observations`, `oonidata`'s WebObservation) has a row for each endpoint, with the first
stored certificate's hash and names. For a failed handshake that certificate may be the interceptor's
authority and not the leaf; the columns are called `end_entity` all the same.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kzmitm.model.certificate import SHORT_NAMES
from kzmitm.model.failure import Failure
from kzmitm.pki.entries import KnownAuthority
from kzmitm.pki.kinds import HARMLESS_KINDS
from kzmitm.pki.patterns import CUT, MAX_ATTRIBUTES, MAX_VALUE
from kzmitm.pki.registry import Registry

CERTIFICATE_FAILURES = frozenset(
    {Failure.SSL_UNKNOWN_AUTHORITY, Failure.SSL_INVALID_CERTIFICATE, Failure.SSL_INVALID_HOSTNAME}
)
FIELDS = (
    "measurement_uid", "measurement_start_time", "input", "hostname", "probe_asn", "probe_cc", "test_name",
    "ip", "port", "tls_server_name", "tls_failure", "tls_end_entity_certificate_fingerprint",
    "tls_end_entity_certificate_subject", "tls_end_entity_certificate_issuer",
)  # fmt: skip
"""What is kept of a row."""
MAX_TEXT = 4096
"""Characters of a name or a field that are looked at; ten times what honest ones have."""
MAX_CHAIN = 16

_UID = re.compile(r"\d[0-9A-Za-z_-]{3,60}(?:\.[0-9A-Za-z_-]{1,60})?", re.ASCII)
"""`20240901151413.637888_KZ_webconnectivity_c351db70f739197a`; those before 2020 have other forms."""
_HEX = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_PART = re.compile(r"(?:[^\\,+]|\\(?:.|$))+", re.DOTALL)
"""An attribute of RFC 4514; commas and plus signs of its value stand behind a backslash."""
_ESCAPED = re.compile(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that may show interception.

    `reasons` are `certificate:<authority id>`, `issuer:<authority id>` and `failure:<its name>`.
    """

    uid: str
    reasons: tuple[str, ...]
    row: Mapping[str, str | int | None]


def is_uid(text: str) -> bool:
    """True for the id of a measurement as OONI makes them, which is a safe name of a file, too."""
    return _UID.fullmatch(text) is not None


def candidates(rows: Sequence[Any], registry: Registry) -> Iterator[Candidate]:
    """Those of the rows that may show interception; what is no row, or has no usable id, is passed over."""
    for row in rows:
        if not isinstance(row, dict):
            continue
        uid = row.get("measurement_uid")
        if not isinstance(uid, str) or not is_uid(uid):
            continue
        reasons = tuple(dict.fromkeys(_reasons(row, registry)))
        if reasons:
            yield Candidate(uid, reasons, _kept(row))


def _reasons(row: Mapping[str, Any], registry: Registry) -> Iterator[str]:
    for digits in _fingerprints(row):
        known = registry.by_sha256.get(digits) or registry.by_sha1.get(digits)
        if known is not None and _is_suspect(registry.authorities[known.authority]):
            yield f"certificate:{known.authority}"
    issuer = row.get("tls_end_entity_certificate_issuer")  # not the subject: a leaf's own name is anybody's
    if isinstance(issuer, str) and 0 < len(issuer) <= MAX_TEXT:
        yield from (f"issuer:{identity}" for identity in _authorities_called(name_in_order(issuer), registry))
    failure = row.get("tls_failure")
    if isinstance(failure, str) and failure in CERTIFICATE_FAILURES:
        yield f"failure:{failure}"


def _fingerprints(row: Mapping[str, Any]) -> Iterator[str]:
    chain = row.get("tls_certificate_chain_fingerprints")
    listed = chain[:MAX_CHAIN] if isinstance(chain, list) else []
    for value in (row.get("tls_end_entity_certificate_fingerprint"), *listed):
        if isinstance(value, str) and len(value) <= MAX_TEXT:
            digits = value.replace(":", "").lower()
            if _HEX.fullmatch(digits):
                yield digits


@lru_cache(maxsize=4096)
def _authorities_called(name: str, registry: Registry) -> tuple[str, ...]:
    """The authorities with this name or a pattern for it; rows of a day share some hundred issuers."""
    return tuple(
        authority.id
        for authority in registry.authorities.values()
        if _is_suspect(authority)
        and (
            any(each.subject == name for each in authority.certificates)
            or any(pattern.search(name) for pattern in authority.patterns)
        )
    )


def _is_suspect(authority: KnownAuthority) -> bool:
    """Chains with roots that were public once come by the million, and are no candidates for that."""
    return authority.kind not in HARMLESS_KINDS


def name_in_order(text: str) -> str:
    """A name of RFC 4514 (`CN=Qaznet Trust Network,C=KZ`, last attribute first) as `name_text` writes it."""
    shown = [_attribute(part) for part in reversed(_PART.findall(text))]
    return ", ".join(shown[:MAX_ATTRIBUTES] + ([CUT] if len(shown) > MAX_ATTRIBUTES else []))


def _attribute(part: str) -> str:
    label, equals, value = part.partition("=")
    plain = _ESCAPED.sub(_unescaped, value.lstrip(" "))
    cut = plain if len(plain) <= MAX_VALUE else plain[:MAX_VALUE] + CUT
    return SHORT_NAMES.get(label.strip(), label.strip()) + equals + cut


def _unescaped(found: re.Match[str]) -> str:
    """RFC 4514, 2.4: a backslash stands before a character, or before the digits of each octet of one."""
    if found[1]:
        return bytes.fromhex(found[1].replace("\\", "")).decode("utf-8", "replace")
    return found[2]


def _kept(row: Mapping[str, Any]) -> dict[str, str | int | None]:
    return {name: _plain(row.get(name)) for name in FIELDS}


def _plain(value: Any) -> str | int | None:
    if isinstance(value, str):
        return value[:MAX_TEXT]
    return value if isinstance(value, int) and not isinstance(value, bool) else None

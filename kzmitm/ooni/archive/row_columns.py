"""The columns of the verdicts' rows: what an extract settles once, and what a judgement puts beside it."""

from typing import Final

HANDSHAKES: Final = {
    "n": "USMALLINT", "time": "TIMESTAMP", "uid": "VARCHAR", "cc": "VARCHAR", "asn": "UINTEGER",
    "test": "VARCHAR", "software": "VARCHAR", "host": "VARCHAR", "role": "VARCHAR", "depth": "UTINYINT",
    "ip": "VARCHAR", "port": "USMALLINT", "private": "BOOLEAN", "name": "VARCHAR",
    "failure": "VARCHAR", "verified": "BOOLEAN", "version": "VARCHAR", "chain": "VARCHAR",
    "control": "VARCHAR", "in_control": "BOOLEAN", "domain": "VARCHAR",
}  # fmt: skip
"""Of handshakes, as sql/handshakes.sql gives them behind their keys; `domain` is made of two of them."""
MEASUREMENTS: Final = {
    "uid": "VARCHAR", "source": "VARCHAR", "line": "UINTEGER", "time": "TIMESTAMP", "cc": "VARCHAR",
    "asn": "UINTEGER", "network": "VARCHAR", "test": "VARCHAR", "test_version": "VARCHAR",
    "software": "VARCHAR", "input": "VARCHAR", "host": "VARCHAR", "handshakes": "USMALLINT",
    "dns_failure": "VARCHAR", "tcp_failure": "VARCHAR", "control": "VARCHAR",
}  # fmt: skip
PLAIN_COLUMNS: Final = frozenset({"uid", "line", "time"})
"""Of which nearly every value is another one."""

_VERDICT: Final = {
    "outcome": "VARCHAR", "confidence": "VARCHAR", "scope": "VARCHAR", "authority": "VARCHAR",
    "match": "VARCHAR", "rule": "VARCHAR", "label": "VARCHAR", "asks": "VARCHAR",
}  # fmt: skip
VERDICT_COLUMNS: Final = tuple(_VERDICT)

CHOSEN: Final = (
    "AND (p.number, m.doc) IN (SELECT (part, doc) FROM chosen_numbers WHERE part BETWEEN {first} AND {last})"
)
"""Where not all measurements of the extract are judged."""

_KINDS: Final = {
    **HANDSHAKES, **MEASUREMENTS, **_VERDICT, "certificate": "VARCHAR", "clean": "USMALLINT",
    "intercepted": "USMALLINT", "blocked": "USMALLINT", "outside_validity": "BOOLEAN",
}  # fmt: skip


def _ordered(names: str) -> dict[str, str]:
    return {name: _KINDS[name] for name in (*names.split(), *_VERDICT)}


ROWS: Final = {
    "handshakes": _ordered(
        "uid n time cc asn test software host role depth ip port private name domain failure verified version"
        " chain certificate control in_control"
    )
    | {"outside_validity": "BOOLEAN"},
    "measurements": _ordered(" ".join(MEASUREMENTS))
    | {name: _KINDS[name] for name in ("clean", "intercepted", "blocked", "outside_validity")},
}
"""All columns of both tables, in the order of the files."""

"""The second pass: every situation in an extract judged once, and the verdicts joined to the rows.

It reads the extract only, so that a new registry or rule costs seconds and not hours.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from kzmitm.ooni.archive.cases import Case, HandshakeVerdict, Situation, Vouchers, case_of
from kzmitm.ooni.archive.database import duckdb
from kzmitm.ooni.archive.failures import Kind
from kzmitm.ooni.archive.parts import quoted
from kzmitm.ooni.archive.rules import judge
from kzmitm.ooni.archive.second_look import Met, Sighting, look_again
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.registry import Registry
from kzmitm.pki.store import TrustStore
from kzmitm.verdict.handshake import Judging
from kzmitm.verdict.names import base_name

MAX_SIGHTINGS = 1_000_000
"""Places where undecided situations were met that the second look takes; those beyond it stay as they are."""
MAX_INTERMEDIATES = 512
"""Public intermediates of verified chains, the most frequent first: some hundred sign nearly all leaves."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What is judged by."""

    registry: Registry
    store: TrustStore


class VerdictRow(msgspec.Struct):
    """The verdict of a situation; texts that are absent are empty."""

    situation: str
    outcome: str
    confidence: str
    scope: str
    authority: str
    match: str
    rule: str
    label: str
    asks: str


_COLUMNS = {
    "situation": "VARCHAR", "outcome": "VARCHAR", "confidence": "VARCHAR", "scope": "VARCHAR",
    "authority": "VARCHAR", "match": "VARCHAR", "rule": "VARCHAR", "label": "VARCHAR", "asks": "VARCHAR",
}  # fmt: skip

CLEAN = VerdictRow("", "clean", "", "", "", "", "archive.verified_by_the_probe", "", "")
"""Of every handshake that the probe verified, unless a certificate of the registry is in its chain."""

_KEYS = """
CREATE TEMP TABLE known_chains AS
  SELECT DISTINCT chain FROM chains WHERE list_has_any(certificates, {known});
CREATE VIEW settled AS
  SELECT * FROM handshakes WHERE failure = '' AND verified AND role = ''
    AND chain NOT IN (SELECT chain FROM known_chains);
CREATE TEMP TABLE unsettled AS
  SELECT *, CASE
    WHEN chain = '' THEN md5(to_json([failure, verified::VARCHAR, control, in_control::VARCHAR,
                                      private::VARCHAR, role])::VARCHAR)
    ELSE md5(to_json([failure, verified::VARCHAR, chain, control, in_control::VARCHAR, private::VARCHAR,
                      role, name, host, time::DATE::VARCHAR])::VARCHAR)
  END AS situation
  FROM handshakes WHERE NOT (failure = '' AND verified AND role = ''
    AND chain NOT IN (SELECT chain FROM known_chains));
CREATE VIEW keyed AS SELECT *, '' AS situation FROM settled UNION ALL BY NAME SELECT * FROM unsettled;
CREATE TEMP TABLE situations AS
  SELECT situation, any_value(failure) AS failure, any_value(verified) AS verified,
         any_value(chain) AS chain, any_value(control) AS control,
         any_value(in_control) AS in_control, any_value(private) AS private,
         CASE WHEN any_value(chain) = '' THEN '' ELSE any_value(name) END AS name,
         CASE WHEN any_value(chain) = '' THEN '' ELSE any_value(host) END AS host,
         any_value(role) AS role, min(time) AS time
  FROM unsettled GROUP BY situation;
"""

_FIELDS = "situation, failure, verified, chain, control, in_control, private, name, host, role, time"

_CHAINS = """
SELECT chain, any_value(certificates) FROM chains
WHERE chain IN (SELECT DISTINCT chain FROM situations WHERE chain <> '') GROUP BY chain
"""

_DERS = """
SELECT sha256, any_value(der) FROM certificates
WHERE sha256 IN (SELECT unnest(certificates) FROM chains WHERE chain IN (SELECT chain FROM situations))
GROUP BY sha256
"""

_INTERMEDIATES = f"""
WITH verified AS (
  SELECT chain, min(name) AS first_name, max(name) AS last_name, min(asn) AS first_asn, max(asn) AS last_asn
  FROM settled WHERE chain <> '' AND test <> 'echcheck' GROUP BY chain
), issuers AS (
  SELECT unnest(certificates[2:]) AS sha256, first_name, last_name, first_asn, last_asn
  FROM chains JOIN verified USING (chain)
), chosen AS (
  SELECT sha256, count(*) AS n,
         min(first_name) <> max(last_name) OR min(first_asn) <> max(last_asn) AS vouches
  FROM issuers GROUP BY sha256 ORDER BY n DESC, sha256 LIMIT {MAX_INTERMEDIATES}
)
SELECT any_value(k.der), any_value(c.vouches) FROM certificates k JOIN chosen c USING (sha256)
GROUP BY sha256 ORDER BY sha256
"""  # noqa: S608

_SHOWN_ELSEWHERE = """
SELECT DISTINCT sha256 FROM (
  SELECT unnest(certificates) AS sha256 FROM chains
  WHERE chain IN (
    SELECT DISTINCT chain FROM settled WHERE chain <> '' AND test <> 'echcheck')
) WHERE sha256 IN (
  SELECT unnest(certificates) FROM chains WHERE chain IN (SELECT chain FROM situations WHERE chain <> ''))
"""

_SIGHTINGS = f"""
SELECT DISTINCT k.situation, k.asn, CASE WHEN k.name <> '' THEN k.name ELSE k.host END AS host, k.software
FROM unsettled k JOIN undecided USING (situation)
ORDER BY ALL LIMIT {MAX_SIGHTINGS}
"""  # noqa: S608

_CLEAN_PLACES = """
SELECT DISTINCT asn, name FROM settled WHERE name IN (
  SELECT CASE WHEN k.name <> '' THEN k.name ELSE k.host END FROM unsettled k JOIN undecided USING (situation))
"""


def judge_extract(connection: duckdb.DuckDBPyConnection, grounds: Grounds, scratch: Path) -> dict[str, Case]:
    """Makes the table `verdicts` (by situation) beside the view `keyed`; returns the cases with a chain.

    `scratch` is a folder for one temporary file.
    """
    known = [digest for digest in grounds.registry.by_sha256 if digest]
    connection.execute(_KEYS.format(known="[" + ", ".join(map(quoted, known)) + "]::VARCHAR[]"))
    situations = dict(_situations(connection))
    cases = _cases(connection, situations, grounds)
    verdicts = {key: judge(case) for key, case in cases.items()}
    verdicts |= _second_look(connection, cases, verdicts, scratch)
    rows = [CLEAN, *(_row(key, verdict) for key, verdict in sorted(verdicts.items()))]
    load(connection, "verdicts", rows, _COLUMNS, scratch)
    return {key: case for key, case in cases.items() if case.facts is not None}


def _situations(connection: duckdb.DuckDBPyConnection) -> Iterable[tuple[str, Situation]]:
    for row in connection.execute(f"SELECT {_FIELDS} FROM situations").fetchall():  # noqa: S608
        key, failure, verified, chain, control, in_control, private, name, host, role, time = row
        at = time.replace(tzinfo=UTC) if chain and time is not None else None
        yield key, Situation(failure, verified, chain, control, in_control, private, name, host, role, at)


def _cases(
    connection: duckdb.DuckDBPyConnection, situations: Mapping[str, Situation], grounds: Grounds
) -> dict[str, Case]:
    chains: dict[str, list[str]] = dict(connection.execute(_CHAINS).fetchall())
    ders: dict[str, bytes] = dict(connection.execute(_DERS).fetchall())
    cache = CertificateCache(max_entries=4096)
    vouchers = _vouchers(connection, cache) if chains else Vouchers()
    cases = {}
    # In the order of chains, so that what the cache holds is used.
    for key, situation in sorted(situations.items(), key=lambda item: (item[1].chain, item[0])):
        hashes = chains.get(situation.chain, [])
        chain = tuple(ders[digest] for digest in hashes if digest in ders)
        at = situation.time or _EPOCH
        judging = Judging(grounds.registry, grounds.store, cache, at, vouchers.intermediates)
        cases[key] = case_of(situation, chain, judging, vouchers)
    return cases


def _vouchers(connection: duckdb.DuckDBPyConnection, cache: CertificateCache) -> Vouchers:
    """What probes verified elsewhere in the archive, by their own list of public roots."""
    found = [(cache.parse(der), vouches) for der, vouches in connection.execute(_INTERMEDIATES).fetchall()]
    shown = frozenset(digest for (digest,) in connection.execute(_SHOWN_ELSEWHERE).fetchall())
    return Vouchers(
        intermediates=tuple(each for each, _ in found if each.is_ca),
        issuers=tuple(each for each, vouches in found if each.is_ca and vouches),
        shown=shown,
    )


def _second_look(
    connection: duckdb.DuckDBPyConnection,
    cases: Mapping[str, Case],
    verdicts: Mapping[str, HandshakeVerdict],
    scratch: Path,
) -> dict[str, HandshakeVerdict]:
    undecided = [key for key, verdict in verdicts.items() if _is_open(cases[key], verdict)]
    if not undecided:
        return {}
    load(
        connection, "undecided", [{"situation": key} for key in undecided], {"situation": "VARCHAR"}, scratch
    )
    places: dict[str, set[Sighting]] = {}
    for key, asn, host, software in connection.execute(_SIGHTINGS).fetchall():
        places.setdefault(key, set()).add(Sighting(asn, host, software))
    clean = {(asn, base_name(name)) for asn, name in connection.execute(_CLEAN_PLACES).fetchall()}
    met = {key: Met(cases[key], verdicts[key], frozenset(places.get(key, ()))) for key in undecided}
    return look_again(met, clean)


def _is_open(case: Case, verdict: HandshakeVerdict) -> bool:
    """A certificate was refused, and neither a key nor a family told whose it is."""
    return case.kind is Kind.CERTIFICATE and verdict.match in ("", "name")


def _row(key: str, verdict: HandshakeVerdict) -> VerdictRow:
    return VerdictRow(
        situation=key,
        outcome=verdict.outcome or "",
        confidence=verdict.confidence or "",
        scope=verdict.scope or "",
        authority=verdict.authority,
        match=verdict.match,
        rule=verdict.rule,
        label=verdict.label,
        asks=" ".join(verdict.asks),
    )


def load(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: Sequence[Any],
    columns: Mapping[str, str],
    scratch: Path,
) -> None:
    """Make a table of these rows; through a file, which is a hundred times as fast as row by row."""
    path = scratch / f".{table}.jsonl"
    path.write_bytes(msgspec.json.Encoder().encode_lines(rows))
    kinds = ", ".join(f"{name}: '{kind}'" for name, kind in columns.items())
    connection.execute(
        f"CREATE TEMP TABLE {table} AS SELECT * FROM read_json({quoted(path)},"  # noqa: S608
        f" format = 'newline_delimited', hive_partitioning = false, columns = {{{kinds}}})"
    )
    path.unlink()

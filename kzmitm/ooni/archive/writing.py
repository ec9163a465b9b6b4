"""The rows of a judgement: what the index holds of them already, with the verdicts beside it."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from msgspec.structs import astuple

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.ooni.archive import certificates
from kzmitm.ooni.archive.certificates import ShownIn
from kzmitm.ooni.archive.judging import Judgement, VerdictRow
from kzmitm.ooni.archive.records import FIXED, SHOWN, OwnRow, groups_of, read_record, read_records
from kzmitm.ooni.archive.row_columns import ROWS, VERDICT_COLUMNS
from kzmitm.ooni.archive.sheets import Assembly, Group, write_sheet
from kzmitm.pki.registry import Registry

_RANKS: Final[dict[str, int]] = {
    Outcome.INTERCEPTION: 80, Outcome.CAPTIVE_PORTAL: 70, Outcome.DNS_HIJACK: 60, Outcome.BLOCKED: 50,
    Outcome.ORIGIN_MISCONFIGURED: 40, Outcome.INCONCLUSIVE: 30, Outcome.UNREACHABLE: 20, Outcome.CLEAN: 10,
}  # fmt: skip
_SURER: Final[dict[str, int]] = {Confidence.CONFIRMED: 3, Confidence.LIKELY: 2, Confidence.SUSPECTED: 1}
NOTHING: Final = VerdictRow()
DAMAGED: Final = VerdictRow(outcome=Outcome.INCONCLUSIVE, rule="archive.own_line_is_damaged")
"""Of a measurement of ours that cannot be read again."""
_LOOKUP_LABELS: Final = {"dns_nxdomain_error": "dns.nxdomain", "dns_refused_error": "dns.refused"}
_CONNECT_LABELS: Final = {
    "connection_refused": "tcp.refused", "connection_reset": "tcp.reset",
    "generic_timeout_error": "tcp.timeout", "host_unreachable": "ip.unreachable",
    "network_unreachable": "ip.unreachable",
}  # fmt: skip

Own = Mapping[tuple[int, int, int], VerdictRow]
"""Verdicts on our own measurements, by part, number and handshake (-1: none)."""

_Columns = dict[str, tuple[str, Sequence[Any]]]


class RowWriter:
    """Writes both tables; `own_rows` are what the numbers below 0 stand for."""

    def __init__(self, judgement: Judgement, own: Own, own_rows: Sequence[OwnRow]) -> None:
        self._judgement = judgement
        self._own = [own.get((each.part, each.doc, each.n)) for each in own_rows]
        judged = {key[:2] for key in own}
        for place, each in enumerate(own_rows):
            if each.n < 0 and (each.part, each.doc) not in judged:
                self._own[place] = DAMAGED
        self._ranks: dict[VerdictRow, tuple[Any, ...]] = {}

    def write(self, index: Path, place: Path) -> None:
        """The files `handshakes.parquet` and `measurements.parquet` in the folder `place`."""
        for table, columns in (("handshakes", self._handshakes), ("measurements", self._measurements)):
            path = place / f"{table}.parquet"
            shutil.copyfile(index / f"{table}{FIXED}", path)
            with path.open("ab") as file:
                assembly = Assembly(file, ROWS[table])
                for group in groups_of(index, table):
                    assembly.add(group, columns(group))
                assembly.close()

    def _handshakes(self, group: Group) -> _Columns:
        keys = group.keyed["verdict"].keys
        verdicts = [self._verdict(situation) for situation, _, _ in keys]
        outside = [self._is_outside(verdict, key) for verdict, key in zip(verdicts, keys, strict=True)]
        shown = [self._judgement.certificate(chain) for chain in group.keyed["chain"].keys]
        return {
            **_spread(verdicts),
            "certificate": ("chain", shown),
            "outside_validity": ("verdict", outside),
        }

    def _verdict(self, situation: int) -> VerdictRow:
        if situation >= 0:
            return self._judgement.of(situation)
        return self._own[-situation - 1] or NOTHING

    def _is_outside(self, verdict: VerdictRow, key: Sequence[int]) -> bool:
        _, chain, time = key
        return (
            verdict.outcome == Outcome.INTERCEPTION and chain >= 0 and self._judgement.is_outside(chain, time)
        )

    def _measurements(self, group: Group) -> _Columns:
        """The worst that one of its handshakes means; if it had none that tells, what kept it.

        No clean handshake hides a bad one, and the counts keep a bad one from hiding a clean one.
        """
        verdicts, counts, outside = [], [], []
        for own, rule, failure, keys in group.keyed["verdict"].keys:
            met = [(self._verdict(key[0]), key) for key in keys]
            telling = [verdict for verdict, _ in met if verdict.outcome]
            if telling:
                verdicts.append(max(telling, key=self._rank) if len(telling) > 1 else telling[0])
            else:
                verdicts.append((self._own[-own - 1] if own else None) or _without_handshake(rule, failure))
            outcomes = [verdict.outcome for verdict in telling]
            counts.append([outcomes.count(each) for each in ("clean", "interception", "blocked")])
            outside.append(any(self._is_outside(verdict, key) for verdict, key in met))
        clean, intercepted, blocked = zip(*counts, strict=True) if counts else ((), (), ())
        return {
            **_spread(verdicts),
            "clean": ("verdict", clean),
            "intercepted": ("verdict", intercepted),
            "blocked": ("verdict", blocked),
            "outside_validity": ("verdict", outside),
        }

    def _rank(self, verdict: VerdictRow) -> tuple[Any, ...]:
        """What sorts the worst last; texts decide among equals, so that order does not."""
        known = self._ranks.get(verdict)
        if known is None:
            worse = _RANKS.get(verdict.outcome, 0) + _SURER.get(verdict.confidence, 0)
            known = (worse, verdict.authority, verdict.rule, verdict.asks, *verdict)
            self._ranks[verdict] = known
        return known


def write_facts(place: Path, registry: Registry, folder: Path) -> None:
    """What stands beside the rows, in `folder`: certificates, as `place`/SHOWN has them, and names."""
    with (place / SHOWN).open("rb") as file:
        last: dict[bytes, int] = {}
        begin = 0
        for each in read_records(place / SHOWN, ShownIn):
            last[bytes.fromhex(each.facts.sha256)] = begin
            begin = _following(file, begin)
        rows = (read_record(file, last[key], ShownIn).facts for key in sorted(last))
        write_sheet(folder / "certificates.parquet", certificates.CERTIFICATE_COLUMNS, map(astuple, rows))
    for name, columns, told in (
        ("networks", certificates.NETWORK_COLUMNS, certificates.networks_of(registry)),
        ("authorities", certificates.AUTHORITY_COLUMNS, certificates.authorities_of(registry)),
    ):
        write_sheet(folder / f"{name}.parquet", columns, (tuple(row.values()) for row in told))


def _following(file: IO[bytes], begin: int) -> int:
    """The place of the record behind the one at `begin`."""
    file.seek(begin)
    return begin + 4 + int.from_bytes(file.read(4), "little")


def _spread(verdicts: Iterable[VerdictRow]) -> _Columns:
    verdicts = list(verdicts)
    return {
        name: ("verdict", [verdict[place] for verdict in verdicts])
        for place, name in enumerate(VERDICT_COLUMNS)
    }


def _without_handshake(rule: str, failure: str) -> VerdictRow:
    """Of a measurement without a handshake that tells anything: why, by the rule that the index found."""
    match rule:
        case "archive.lookup_fails_here_only":
            return VerdictRow("blocked", "likely", rule=rule, label=_LOOKUP_LABELS.get(failure, "dns"))
        case "archive.connect_fails_here_only":
            return VerdictRow("blocked", "likely", rule=rule, label=_CONNECT_LABELS.get(failure, "tcp"))
        case "archive.lookup_fails_everywhere" | "archive.connect_fails_everywhere":
            return VerdictRow("unreachable", rule=rule)
        case "archive.lookup_gives_a_private_address":
            return VerdictRow("dns_hijack", "likely", rule=rule, label="dns.injection.bogon")
        case "archive.lookup_differs":
            return VerdictRow(
                "dns_hijack", "suspected", rule=rule, label="dns.injection", asks="encrypted_dns"
            )
        case "archive.lookup_fails" | "archive.connect_fails":
            return VerdictRow("inconclusive", rule=rule, asks="control")
        case _:
            return VerdictRow("inconclusive", rule=rule)

"""Scans a laboratory with the engine of `kzmitm scan`; gives rows like those of its document."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from random import Random

from kzmitm import resources
from kzmitm.evidence.control import entry_of
from kzmitm.lab.check import Row
from kzmitm.lab.laboratory import Lab, connect_to
from kzmitm.lab.overlay import BENIGN, write_overlay
from kzmitm.model.measurement import ControlEntry
from kzmitm.model.target import Endpoint, Target
from kzmitm.model.verdict import Verdict
from kzmitm.netio.overrides import parse_overrides
from kzmitm.netio.pump import Limits
from kzmitm.netio.vantage import open_vantage
from kzmitm.pki.registry import Registry, parse_registry
from kzmitm.pki.store import parse_store
from kzmitm.scan import Judged, Network, ScanOptions, scan
from kzmitm.verdict.judge import Judge

TIMEOUT_S = 1.0

Control = Mapping[tuple[str, int], ControlEntry]


def registry_for(lab: Lab, folder: Path) -> Registry:
    """The registry with the laboratory's overlay."""
    write_overlay(lab, folder)
    return parse_registry(resources.fingerprint_files([folder]))


def scan_lab(
    lab: Lab,
    sites: Sequence[str],
    *,
    registry: Registry,
    routes: Mapping[str, Endpoint] | None = None,
    control: Control | None = None,
    now: datetime | None = None,
) -> tuple[list[Row], Control]:
    """Rows of a scan, and the control that it would record."""
    store = parse_store(lab.public_ca.store_pem, name="lab", version="1", date="2020-01-01")
    judge = Judge(registry=registry, store=store, control=control or {})
    network = Network(
        link=open_vantage("direct:"), overrides=parse_overrides(connect_to(routes or lab.routes()), ())
    )
    options = ScanOptions(
        limits=Limits(connect_s=TIMEOUT_S, handshake_s=TIMEOUT_S), concurrency=len(sites), benign_sni=BENIGN
    )
    judged = asyncio.run(_collect([Target(name) for name in sites], network, judge, options, now or lab.now))
    verdicts = {j.measurement.target.hostname: j.verdict for j in judged}
    verdicts |= {s.facts.measurement.target.hostname: s.verdict for s in judge.settle()}
    recorded = {(j.measurement.target.hostname, 443): entry_of(j.measurement) for j in judged}
    return [_row(name, verdict) for name, verdict in verdicts.items()], recorded


async def _collect(
    targets: Sequence[Target], network: Network, judge: Judge, options: ScanOptions, now: datetime
) -> list[Judged]:
    stream = scan(targets, network=network, judge=judge, options=options, rng=Random(1), now=lambda: now)
    async with aclosing(stream):
        return [judged async for judged in stream]


def _row(hostname: str, verdict: Verdict) -> Row:
    return {
        "hostname": hostname,
        "outcome": verdict.outcome,
        "confidence": verdict.confidence,
        "authority": {"id": verdict.authority.id} if verdict.authority else None,
        "forgers": [{"id": forger.id} for forger in verdict.forgers],
        "rule_ids": verdict.rule_ids,
    }

"""In which manner a worker measures: what an item asks for, within what this worker does at most."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

from kzmitm import __version__
from kzmitm.campaign.line_json import line_json
from kzmitm.campaign.sections import LimitsPart
from kzmitm.campaign.work import WorkItem, WorkOptions
from kzmitm.evidence.signing.keys import SigningKey
from kzmitm.model.target import Endpoint, Vantage
from kzmitm.netio.pump import Limits
from kzmitm.ooni.emit import emit
from kzmitm.scan import Judged, Pacer, ScanOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """What this worker does at most, whatever it is asked for."""

    concurrency: int = 10
    rate: float = 10.0
    local_targets: bool = False
    """Take addresses of this network as targets, as laboratories do."""


@dataclass(frozen=True, slots=True)
class BothPacers:
    """Waits until both allow it."""

    first: Pacer
    second: Pacer

    def turn(self, endpoint: Endpoint) -> AbstractAsyncContextManager[None]:
        return self._turn(endpoint)

    @asynccontextmanager
    async def _turn(self, endpoint: Endpoint) -> AsyncIterator[None]:
        async with self.second.turn(endpoint), self.first.turn(endpoint):
            yield


def limits_of(options: WorkOptions) -> LimitsPart:
    """What an item asks for of gentleness."""
    return LimitsPart(
        concurrency=options.concurrency,
        vantage_concurrency=options.concurrency,
        rate=options.rate,
        endpoint_gap=options.endpoint_gap,
        network_concurrency=options.network_concurrency,
        as_concurrency=options.as_concurrency,
        as_rate=options.as_rate,
    )


def scan_options(options: WorkOptions, ceiling: Ceiling) -> ScanOptions:
    """How the scanner measures an item; its names for follow-ups are the coordinator's."""
    return ScanOptions(
        limits=Limits(*(options.timeout,) * 3),
        concurrency=min(options.concurrency, ceiling.concurrency),
        families=frozenset(options.families),
        max_addresses=options.max_addresses,
        profile=options.profile,
        follow_ups=options.follow_ups,
        benign_sni=options.benign,
        software_version=__version__,
    )


def labelled(vantage: Vantage, options: WorkOptions) -> Vantage:
    """Where it was measured: as the worker says, else as the campaign does."""
    known = Vantage()
    return replace(
        vantage,
        asn=vantage.asn if vantage.asn != known.asn else options.asn or known.asn,
        cc=vantage.cc if vantage.cc != known.cc else options.cc or known.cc,
    )


def line_of_work(item: WorkItem, judged: Judged, key: SigningKey) -> bytes:
    """The measurement as a line of OONI's format; it bears the key, so that nobody else can sign it."""
    measurement = judged.measurement
    document = emit(
        replace(measurement, vantage=labelled(measurement.vantage, item.options)),
        test_start_time=measurement.started_at,
        failures=judged.facts.failures,
        annotations=item.annotations | {"campaign_key": key.public.fingerprint},
    )
    return line_json(document)

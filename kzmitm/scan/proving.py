"""Whether a vantage may be measured from: does it work, does it alter TLS by itself, where does it come out.

The names asked for are ones that nobody on the way should touch, and the judge is the ordinary one: what
it would call an interception of them is the vantage's own doing, and everything measured there would be.
"""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from urllib.parse import urlsplit

from kzmitm.errors import UsageError
from kzmitm.model.target import Target, is_ip
from kzmitm.model.verdict import Outcome, Verdict
from kzmitm.netio.clock import start_stopwatch
from kzmitm.netio.places import LocateError, NetworkTable, ask_place
from kzmitm.netio.resolve import addresses
from kzmitm.netio.vantage import ProxyError
from kzmitm.scan.judged import Judged, ScanJudge
from kzmitm.scan.options import ScanOptions
from kzmitm.scan.run import scan
from kzmitm.scan.shared import Network
from kzmitm.wording import Wording

_ALTERING = frozenset(
    {Outcome.INTERCEPTION, Outcome.TRUSTED_UNEXPECTED, Outcome.CAPTIVE_PORTAL, Outcome.DNS_HIJACK}
)
"""Outcomes that say that something else than the site answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Locator:
    """The user's leave to ask where a vantage comes out, and whom."""

    url: str
    root_pem: str
    networks: NetworkTable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageProof:
    """What is known of a vantage at a time."""

    works: bool
    """Some server showed a chain through it."""
    alters_tls: bool | None
    """None: no control was decided either way."""
    verdict: Verdict | None = None
    """Of the control that was altered."""
    asn: str = "AS0"
    cc: str = "ZZ"
    address_seen: str = field(default="", repr=False)
    """Where it comes out; never part of a result."""
    failure: str | None = None
    """Why it does not work or was not located: one line without addresses."""
    at: datetime

    @property
    def is_usable(self) -> bool:
        """It works and leaves TLS alone. What is not known is no leave."""
        return self.works and self.alters_tls is False


async def prove(  # noqa: PLR0913 - the world, the judge and the manner, each by name
    network: Network,
    controls: Sequence[Target],
    *,
    judge: ScanJudge,
    options: ScanOptions,
    rng: Random,
    now: Callable[[], datetime],
    locator: Locator | None = None,
) -> VantageProof:
    """Prove the link of `network` with `controls`, names that no interceptor should touch.

    The judge must not be that of the measurements, which remembers its targets. Nobody is asked where the
    link comes out without a `locator`.
    """
    if not controls:
        raise ValueError(Wording("a vantage cannot be proven without a control"))
    at = now()
    try:
        await network.link.ready()
    except ProxyError as exc:
        return VantageProof(works=False, alters_tls=None, failure=exc.reason, at=at)
    except UsageError as exc:
        return VantageProof(works=False, alters_tls=None, failure=str(exc), at=at)
    stream = scan(controls, network=network, judge=judge, options=options, rng=rng, now=now)
    async with aclosing(stream):
        seen = [judged async for judged in stream]
    proof = _conclude(seen, at)
    if locator is None or not proof.is_usable:
        return proof
    return await _located(proof, network, locator)


def _conclude(seen: Sequence[Judged], at: datetime) -> VantageProof:
    works = any(o.presented_chain for judged in seen for o in judged.measurement.tls)
    altered = next((j.verdict for j in seen if j.verdict.outcome in _ALTERING), None)
    is_clean = any(j.verdict.outcome is Outcome.CLEAN for j in seen)
    return VantageProof(
        works=works,
        alters_tls=True if altered else False if is_clean else None,
        verdict=altered,
        failure=None if works else _first_failure(seen),
        at=at,
    )


def _first_failure(seen: Sequence[Judged]) -> str:
    """Of the connections, else of the names."""
    for judged in seen:
        m = judged.measurement
        for failure in (o.failure for part in (m.tls, m.tcp, m.dns) for o in part):
            if failure is not None:
                return failure
    return Wording("nothing could be asked")


async def _located(proof: VantageProof, network: Network, locator: Locator) -> VantageProof:
    try:
        ip = await _service_address(network, locator.url, proof.at)
        place = await ask_place(network.link, locator.url, root_pem=locator.root_pem, ip=ip)
    except LocateError as exc:
        return replace(proof, failure=str(exc))
    asn = locator.networks.asn_of(place.address) if locator.networks else "AS0"
    return replace(proof, address_seen=place.address, cc=place.cc, asn=asn)


async def _service_address(network: Network, url: str, at: datetime) -> str | None:
    """The address of the service, where the link wants one."""
    host = urlsplit(url).hostname or ""
    if is_ip(host) or not network.link.resolves_names:
        return None
    target = Target(host, urlsplit(url).port or 443)
    given = network.overrides.endpoints(target)
    if given:
        return given[0].ip
    if network.resolver is not None:
        found = addresses(await network.resolver.resolve(host, start_stopwatch(at)))
        if found:
            return found[0]
    raise LocateError("the name of the service has no address")

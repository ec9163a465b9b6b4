"""One target on its way from a name to a judged measurement."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from kzmitm.errors import UsageError
from kzmitm.model.failure import Failure
from kzmitm.model.local_trust import LocalTrust
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import DNSObservation, Role, TCPObservation, TLSObservation
from kzmitm.model.target import Endpoint, Target
from kzmitm.model.trace import TraceObservation
from kzmitm.model.verdict import Outcome
from kzmitm.netio.clock import Stopwatch, start_stopwatch
from kzmitm.netio.resolve import addresses
from kzmitm.probe.contrast import carry_out
from kzmitm.probe.dns import look_up
from kzmitm.probe.tls import SECOND_ENGINE, Conditions, Offer, Probed, needs_second_engine, shake_hands
from kzmitm.scan.judged import Judged
from kzmitm.scan.locating import Ways, intercepted
from kzmitm.scan.options import MAX_LOCATED
from kzmitm.scan.shared import Run
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.engine import deciding, judge
from kzmitm.verdict.facts import Facts, views
from kzmitm.verdict.followup import FollowUp
from kzmitm.verdict.handshake import State

logger = logging.getLogger(__name__)

MAX_FOLLOW_UPS = 8
"""Connections made out of suspicion of one address: every question once, and never a burst."""

NONSENSE_SUFFIX = ".invalid"
"""Reserved by RFC 6761, 6.4: no server can be named so."""

_NO_ROUTE = frozenset(
    {Failure.NETWORK_UNREACHABLE, Failure.ADDRESS_NOT_AVAILABLE, Failure.ADDRESS_FAMILY_NOT_SUPPORTED}
)
"""What a connect ends with at once where this computer has no IPv6."""


class Draft:
    """A measurement that grows; `judged` can be asked at any time."""

    __slots__ = (
        "_asked",
        "_conditions",
        "_dns",
        "_facts",
        "_local_trust",
        "_nonsense",
        "_run",
        "_target",
        "_tcp",
        "_tls",
        "_trace",
        "_transactions",
        "_watch",
    )

    def __init__(self, target: Target, run: Run) -> None:
        self._asked = target
        self._target = target
        self._run = run
        self._watch: Stopwatch = start_stopwatch(run.now())
        self._conditions = Conditions(run.network.link, self._watch, run.options.limits)
        self._dns: tuple[DNSObservation, ...] = ()
        self._tcp: list[TCPObservation] = []
        self._tls: list[TLSObservation] = []
        self._transactions = 0
        self._facts: Facts | None = None
        self._local_trust: LocalTrust | None = None
        self._nonsense = ""
        self._trace: tuple[TraceObservation, ...] = ()

    def __str__(self) -> str:
        return str(self._target)

    async def complete(self) -> Judged:
        """Resolve, shake hands, follow up what is suspicious; returns the judged measurement."""
        options = self._run.options
        for endpoint in await self._locate():
            probed = await self._shake(
                Offer(self._target.sni, options.profile, options.split, options.engine), endpoint
            )
            if not options.follow_ups and probed.tls is not None and needs_second_engine(probed.tls):
                second = Offer(self._target.sni, options.profile, options.split, SECOND_ENGINE)
                await self._shake(second, endpoint, role=Role.REPEAT)
            self._learn_ipv6(probed.tcp)
        if options.follow_ups:
            await self._follow_up()
        if options.control_every and not self._has_control:
            await self._ask_control()
        await self._ask_witness()
        await self._trace_interceptor()
        return self.judged()

    @property
    def has_observations(self) -> bool:
        """Something was tried at the target itself."""
        return bool(self._tcp)

    def judged(self) -> Judged:
        """What was measured so far, judged; the target then counts as seen.

        The handshake that the verdict is about comes first, so that what is told of a target is told of it.
        """
        about = deciding(self._derive(), RunContext())
        if about is not None and about.chain and about.observation.role is Role.FIRST:
            self._tls.sort(key=lambda observation: observation is not about.observation)
            self._facts = None if about is not self._derive().focus else self._facts
        facts = self._derive()
        return Judged(facts.measurement, facts, self._run.judge.verdict_of(facts), self._asked)

    # -- where

    async def _locate(self) -> Sequence[Endpoint]:
        """The endpoints to try first: by the user's word, else the first addresses of each family."""
        network, target = self._run.network, self._target
        given = network.overrides.endpoints(target)
        if given:
            if not target.address:
                self._target = replace(target, address=given[0].ip)
            return given[: self._run.options.max_addresses * 2]
        port = network.overrides.port(target)
        if not network.link.resolves_names:
            return (Endpoint(target.hostname, port),)
        if network.resolver is None:
            return ()
        self._dns = await look_up(network.resolver, target.hostname, self._watch)
        if network.resolver.has_given_up_doh:
            self._run.note("doh_given_up")
        return tuple(Endpoint(ip, port) for ip in self._choose(addresses(self._dns)))

    def _choose(self, ips: Sequence[str]) -> list[str]:
        options = self._run.options
        v4 = [ip for ip in ips if ":" not in ip] if 4 in options.families else []
        v6 = [ip for ip in ips if ":" in ip] if 6 in options.families else []
        if v4 and not self._run.has_ipv6:
            v6 = []
        return v4[: options.max_addresses] + v6[: options.max_addresses]

    def _learn_ipv6(self, tcp: TCPObservation) -> None:
        """Without IPv6 here, do not try it with every name that has it."""
        if ":" in tcp.endpoint.ip and tcp.failure in _NO_ROUTE and 4 in self._run.options.families:
            self._run.has_ipv6 = False
            self._run.note("ipv6_unusable")

    # -- handshakes

    async def _shake(self, offer: Offer, endpoint: Endpoint, *, role: Role = Role.FIRST) -> Probed:
        async with self._run.pace.turn(endpoint):
            self._transactions += 1
            probed = await shake_hands(
                offer, endpoint, self._conditions, role=role, transaction_id=self._transactions
            )
        self._keep(probed)
        return probed

    def _keep(self, probed: Probed) -> None:
        self._facts = None
        self._tcp.append(probed.tcp)
        if probed.tls is not None:
            self._tls.append(probed.tls)

    # -- suspicion

    async def _follow_up(self) -> None:
        """Carry out what the judge asks for at each address: every question once, in the judge's order."""
        first_views = [
            view
            for view in views(self._derive())
            if view.focus is not None and view.focus.observation.role is Role.FIRST
        ]
        done: set[tuple[Endpoint, FollowUp]] = set()
        for view in first_views:
            for step in self._plan(view)[:MAX_FOLLOW_UPS]:
                await self._carry_out(step, view, done)
        if done and not self._has_control:
            await self._ask_control()

    def _plan(self, view: Facts) -> tuple[FollowUp, ...]:
        run = self._run
        if not self._nonsense:
            self._nonsense = f"n{run.rng.getrandbits(48):012x}{NONSENSE_SUFFIX}"
        return run.judge.follow_ups(view, benign_sni=run.options.benign_sni, nonsense_sni=self._nonsense)

    async def _carry_out(self, step: FollowUp, view: Facts, done: set[tuple[Endpoint, FollowUp]]) -> None:
        if step.role is Role.CONTROL or view.focus is None:
            return
        near = view.focus.observation.endpoint
        endpoint = near if step.address is None else Endpoint(step.address, near.port)
        if (endpoint, step) in done:
            return
        done.add((endpoint, step))
        run = self._run
        run.observer.on_follow_up(self._target, step)
        async with run.pace.turn(endpoint):
            self._transactions += 1
            try:
                probed = await carry_out(step, endpoint, self._conditions, transaction_id=self._transactions)
            except UsageError:  # the other engine cannot send a name that is longer than any
                return
            self._keep(probed)

    @property
    def _has_control(self) -> bool:
        return any(o.role is Role.CONTROL for o in self._tls)

    async def _ask_control(self) -> None:
        """The same address and name from the second vantage; and the name as it resolves there."""
        link = self._run.network.control_link
        if link is None or not self._tcp:
            return
        here = self._tcp[0].endpoint
        endpoints = [here] if link.resolves_names else [here, Endpoint(self._target.hostname, here.port)]
        conditions = replace(self._conditions, link=link)
        options = self._run.options
        for endpoint in dict.fromkeys(endpoints):
            offer = Offer(self._target.sni, options.profile)
            async with self._run.pace.turn(endpoint):
                self._transactions += 1
                probed = await shake_hands(
                    offer, endpoint, conditions, role=Role.CONTROL, transaction_id=self._transactions
                )
            if probed.tls is not None:
                self._facts = None
                self._tls.append(probed.tls)

    async def _ask_witness(self) -> None:
        """What this computer's trust stores would have made of an untrusted chain, best of a forged one."""
        witness = self._run.witness
        if witness is None:
            return
        suspects = sorted(filter(_is_untrusted, views(self._derive())), key=lambda view: not view.is_forged)
        focus = suspects[0].focus if suspects else None
        if focus is None:
            return
        chain, now = focus.observation.presented_chain, self._derive().now
        try:
            self._local_trust = await asyncio.to_thread(witness, chain, focus.hostname, now)
        except Exception:  # its fault must not cost the measurement
            logger.exception("the local trust stores could not be asked")
            self._run.note("local_roots_unread")
        self._facts = None

    # -- where on the way

    async def _trace_interceptor(self) -> None:
        """Walk the ways to a target that is intercepted, for the first few of them."""
        run, sni = self._run, self._target.sni
        manner = run.options.locate
        if manner is None or sni is None or run.located >= MAX_LOCATED:
            return
        facts = self._derive()
        # Asked aside: the judge of the run counts a target once, with all that is known of it.
        if judge(facts, RunContext()).outcome is not Outcome.INTERCEPTION:
            return
        run.located += 1
        watch = self._watch
        try:
            ways = Ways(
                intercepted(facts.measurement), sni, link=run.network.link, stopwatch=watch, manner=manner
            )
        except UsageError:  # a route into a tunnel, which only this address takes
            run.note("not_located")
            return
        try:
            await ways.run()
        finally:
            self._trace = ways.observations()
            self._facts = None

    # -- judging

    def _derive(self) -> Facts:
        if self._facts is None:
            self._facts = self._run.judge.facts(self._freeze(), self._watch.started_at)
        return self._facts

    def _freeze(self) -> Measurement:
        return Measurement(
            target=self._target,
            vantage=self._run.network.labels or self._run.network.link.vantage,
            started_at=self._watch.started_at,
            dns=self._dns,
            tcp=tuple(self._tcp),
            tls=tuple(self._tls),
            runtime_s=self._watch.elapsed(),
            software_version=self._run.options.software_version,
            local_trust=self._local_trust,
            trace=self._trace,
        )


def _is_untrusted(view: Facts) -> bool:
    return view.focus is not None and view.focus.state is State.UNTRUSTED

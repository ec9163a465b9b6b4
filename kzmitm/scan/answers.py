"""The traits of whoever answers at a target: a few hellos of single versions and, if wanted, a JARM."""

from dataclasses import dataclass
from enum import StrEnum

from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import Role
from kzmitm.model.target import Endpoint, Target
from kzmitm.model.traits import AnswerTraits
from kzmitm.model.verdict import Outcome, Verdict
from kzmitm.probe.tls import Offer
from kzmitm.scan.reach import Manner, Reach
from kzmitm.verdict.answer_traits import traits_of
from kzmitm.verdict.facts import Facts

HELLOS = ("small", "tls12", "tls11", "legacy")
"""Profiles asked with: the common one, whose JA3S is compared, and one version each."""


class WithJARM(StrEnum):
    """When the ten connections of a JARM are made."""

    NEVER = "never"
    INTERCEPTED = "intercepted"
    """Only of targets that are intercepted."""
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A target with its verdict, and the traits of whoever answered; None if nobody was found."""

    measurement: Measurement
    verdict: Verdict
    endpoint: Endpoint | None
    traits: AnswerTraits | None
    control: AnswerTraits | None = None
    """Of the same endpoint and name from the second vantage, without a JARM."""


async def ask_answers(target: Target, manner: Manner, *, with_jarm: WithJARM) -> Answered:
    """Ask at the first address of a target: four connections, more if it is suspicious, ten for a JARM."""
    reach = Reach(manner)
    endpoint = next(iter(await reach.locate(target)), None)
    if endpoint is not None:
        await _ask(reach, target.sni, endpoint)
        await reach.follow_up(target, endpoint)
    measurement = reach.measurement(target)
    facts = manner.judge.facts(measurement, reach.watch.started_at)
    verdict = manner.judge.verdict_of(facts)
    if endpoint is None:
        return Answered(measurement=measurement, verdict=verdict, endpoint=None, traits=None)
    jarm = None
    if with_jarm is WithJARM.ALWAYS or (
        with_jarm is WithJARM.INTERCEPTED and verdict.outcome is Outcome.INTERCEPTION
    ):
        jarm = await reach.jarm(target.sni or target.hostname, endpoint)
    control = None
    if manner.network.control_link is not None:
        control = await _of_control(target.sni, endpoint, Reach(manner, is_control=True))
    return Answered(
        measurement=measurement,
        verdict=verdict,
        endpoint=endpoint,
        traits=_traits(measurement, facts, jarm),
        control=control,
    )


async def _ask(reach: Reach, sni: str | None, endpoint: Endpoint) -> None:
    for profile in HELLOS:
        role = Role.FIRST if profile == HELLOS[0] else Role.OTHER_HELLO
        probed = await reach.shake(Offer(sni, profile), endpoint, role=role)
        if probed.tls is None:
            return  # nobody is there to be asked more


def _traits(measurement: Measurement, facts: Facts, jarm: str | None) -> AnswerTraits | None:
    if not measurement.tls:
        return None
    first, *more = measurement.tls
    others = [o for o in more if o.sni == first.sni and o.endpoint == first.endpoint]
    chain = next((h.chain for h in facts.handshakes if h.observation is first), ())
    return traits_of(
        first, leaf=chain[0] if chain else None, tcp=measurement.tcp[0], others=others, jarm=jarm
    )


async def _of_control(sni: str | None, endpoint: Endpoint, reach: Reach) -> AnswerTraits | None:
    """What the same endpoint shows at the second vantage; None if nobody answers there."""
    await _ask(reach, sni, endpoint)
    if not reach.tls:
        return None
    first, *others = reach.tls
    return traits_of(first, leaf=None, tcp=reach.tcp[0], others=others)

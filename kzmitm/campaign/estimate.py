"""What a campaign costs before anything is sent: time, traffic, and what others will see of it."""

from dataclasses import dataclass

from kzmitm.campaign.plan import Plan

HANDSHAKE_S = 0.5
"""Seconds of a handshake over a common line: two round trips of 80 ms, with lookups and slow servers."""
HANDSHAKE_OCTETS = 6_500
"""Of a handshake in both directions: a hello of 500, a chain of 4,500, packets and lookups."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one round and of all; times in seconds, traffic in octets."""

    jobs: int
    connections: int
    """Of one round, at least: suspicion asks for more."""
    per_second: float
    """Connections that the limits allow."""
    round_s: float
    octets: int
    total_s: float
    total_octets: int
    is_too_slow: bool
    """A round takes longer than the time until the next."""


def estimate(plan: Plan) -> Estimate:
    """What the plan costs, by its limits and by common figures of the Internet."""
    campaign = plan.campaign
    limits, rounds = campaign.limits, campaign.rounds
    vantages = len(campaign.vantages)
    families = len(set(campaign.collect.families))
    jobs = plan.jobs_per_share * vantages
    connections = jobs * families * campaign.collect.max_addresses
    by_concurrency = min(limits.concurrency, limits.vantage_concurrency * vantages) / HANDSHAKE_S
    allowed = [by_concurrency]
    if limits.rate is not None:
        allowed.append(limits.rate)
    if limits.vantage_rate is not None:
        allowed.append(limits.vantage_rate * vantages)
    per_second = min(allowed)
    round_s = connections / per_second
    octets = connections * HANDSHAKE_OCTETS
    return Estimate(
        jobs=jobs,
        connections=connections,
        per_second=per_second,
        round_s=round_s,
        octets=octets,
        total_s=max(round_s, rounds.every) * (rounds.count - 1) + round_s,
        total_octets=octets * rounds.count,
        is_too_slow=rounds.count > 1 and round_s > rounds.every,
    )

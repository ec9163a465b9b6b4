"""What each of several places may do where no clock beats for all of them: its part of every limit. Pure.

Vantages that one process serves share its clock, and each process of a worker has only its own. So the limits
are divided by the number of processes, and all together hold to what the campaign says, whichever of them
is quick, slow or away. What one does not use is not given to others.
"""

from dataclasses import dataclass, replace

from kzmitm.campaign.sections import CampaignFile, LimitsPart, VantagePart

WORKER_URI = "worker:"
"""Of a vantage whose jobs a worker far away does."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How many parts there are: one for each vantage served here, one for each process of a worker."""

    here: int
    remote: int

    @property
    def total(self) -> int:
        return self.here + self.remote


def weights_of(vantages: tuple[VantagePart, ...]) -> Weights:
    """The parts of a campaign with these vantages."""
    remote = [each.workers for each in vantages if each.uri == WORKER_URI]
    return Weights(len(vantages) - len(remote), sum(remote))


def limits_here(campaign: CampaignFile) -> LimitsPart:
    """What the vantages that are served by one process may do together, while workers do their part."""
    weights = weights_of(campaign.vantages)
    return allotted(campaign.limits, weights.here, weights.total) if weights.here else campaign.limits


def limits_of_process(campaign: CampaignFile, part: VantagePart) -> LimitsPart:
    """What one process may do that works for a vantage far away."""
    whole = campaign.limits
    own = replace(
        whole,
        vantage_concurrency=max(1, (part.concurrency or whole.vantage_concurrency) // part.workers),
        vantage_rate=_divided(part.rate or whole.vantage_rate, 1, part.workers),
    )
    return allotted(own, 1, weights_of(campaign.vantages).total)


def allotted(limits: LimitsPart, parts: int, of: int) -> LimitsPart:
    """`parts` of `of` equal parts of all that holds for all together.

    A pause becomes longer by as much, so that an address is met no more often. At least one connection at a
    time stays for each: of limits of how many there are at once to one address or block, all together may
    have one for each process, where the campaign allows fewer.
    """
    if parts >= of:
        return limits

    def some(most: int) -> int:
        return max(1, most * parts // of)

    return replace(
        limits,
        concurrency=some(limits.concurrency),
        rate=_divided(limits.rate, parts, of),
        vantage_concurrency=min(limits.vantage_concurrency, some(limits.concurrency)),
        endpoint_gap=limits.endpoint_gap * of / parts,
        endpoint_concurrency=some(limits.endpoint_concurrency),
        network_concurrency=some(limits.network_concurrency),
        as_concurrency=some(limits.as_concurrency) if limits.as_concurrency is not None else None,
        as_rate=_divided(limits.as_rate, parts, of),
    )


def _divided(rate: float | None, parts: int, of: int) -> float | None:
    return None if rate is None else rate * parts / of

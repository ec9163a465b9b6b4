"""What a campaign needs on a server, and how its jobs look there."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kzmitm.campaign.allotment import limits_of_process
from kzmitm.campaign.plan import Job, Plan
from kzmitm.campaign.sections import VantagePart
from kzmitm.campaign.subjects import TAKER, Subjects
from kzmitm.campaign.work import MAX_BENIGN, MAX_ITEM, MAX_RESULT, WorkItem, WorkOptions

if TYPE_CHECKING:  # nats-py is an extra
    from kzmitm.netio.nats_queue import Queue

TAKE_AT_ONCE: Final = 16
"""Results taken together, each of up to a megabyte."""
RESULTS_KEPT: Final = 2048
RESULT_OCTETS: Final = 256 << 20
"""Of results that wait on the server for one vantage: beyond it the server takes no more from this worker."""
TAKING_S: Final = 30.0
"""After which results that a coordinator took and did not store, as it died, are given again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """The server, and how patient we are with those who work for it."""

    queue: "Queue"
    ack_wait_s: float = 30.0
    """Seconds without a sign of life after which a job is given out again."""
    max_deliver: int = 5
    ahead: int = 256
    """Jobs put for a vantage and not done: a server and a worker's disk are not to hold a whole campaign."""
    wait_s: float = 5.0
    """Seconds for which one question for messages stays open."""
    again_s: float = 1.0
    """Between two tries while the link is lost."""


def part_of(plan: Plan, vantage: str) -> VantagePart:
    """What the campaign file says of a vantage."""
    return next(each for each in plan.campaign.vantages if each.name == vantage)


async def prepare(remote: Remote, plan: Plan, names: Subjects) -> None:
    """Have the streams and consumers of a vantage; those of earlier runs stay. Raises QueueError."""
    queue, vantages = remote.queue, len(plan.campaign.vantages)
    await queue.keep_stream(
        names.work_stream,
        [Subjects(names.campaign, "*").work],
        is_work=True,
        max_messages=4 * remote.ahead * vantages,
        max_octets=4 * remote.ahead * vantages * MAX_ITEM,
        largest=MAX_ITEM + 1024,
    )
    await queue.keep_stream(
        names.result_stream,
        [names.result],
        is_work=False,
        max_messages=RESULTS_KEPT,
        max_octets=RESULT_OCTETS,
        largest=MAX_RESULT + 1024,
    )
    part = part_of(plan, names.vantage)
    # The server itself sees to it that no more are under way, however many processes there are.
    most = limits_of_process(plan.campaign, part).vantage_concurrency * part.workers
    await queue.keep_consumer(
        names.work_stream,
        names.vantage,
        names.work,
        ack_wait_s=remote.ack_wait_s,
        max_deliver=remote.max_deliver,
        most=most,
    )
    await queue.keep_consumer(
        names.result_stream,
        TAKER,
        names.result,
        ack_wait_s=TAKING_S,
        max_deliver=-1,
        most=4 * TAKE_AT_ONCE,
    )


def item_of(plan: Plan, job: Job, *, attempt: int, benign: tuple[str, ...]) -> WorkItem:
    """A job as a worker is told of it."""
    return WorkItem(
        campaign=plan.campaign.name,
        plan=plan.digest,
        job=job.id,
        number=job.number,
        round=job.share.round,
        vantage=job.share.vantage,
        kind=job.kind,
        target=job.target,
        attempt=attempt,
        options=_options(plan, part_of(plan, job.share.vantage), benign),
    )


def _options(plan: Plan, part: VantagePart, benign: tuple[str, ...]) -> WorkOptions:
    limits, collect = limits_of_process(plan.campaign, part), plan.campaign.collect
    rates = [each for each in (limits.vantage_rate, limits.rate) if each is not None]
    return WorkOptions(
        profile=collect.profile,
        families=collect.families,
        follow_ups=collect.follow_ups,
        timeout=limits.timeout,
        max_addresses=collect.max_addresses,
        benign=benign[:MAX_BENIGN],
        concurrency=limits.vantage_concurrency,
        rate=min(rates, default=None),
        endpoint_gap=limits.endpoint_gap,
        network_concurrency=limits.network_concurrency,
        as_concurrency=limits.as_concurrency,
        as_rate=limits.as_rate,
        asn=part.asn,
        cc=part.cc,
    )

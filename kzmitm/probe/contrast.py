"""One follow-up of suspicion: the same endpoint or name with one thing changed."""

from kzmitm.model.target import Endpoint
from kzmitm.probe.tls import Conditions, Offer, Probed, shake_hands
from kzmitm.verdict.followup import FollowUp


async def carry_out(
    follow_up: FollowUp, endpoint: Endpoint, conditions: Conditions, *, transaction_id: int
) -> Probed:
    """Do what was planned at `endpoint`, which the plan's address was made into."""
    offer = Offer(follow_up.sni, follow_up.profile, engine=follow_up.engine)
    return await shake_hands(offer, endpoint, conditions, role=follow_up.role, transaction_id=transaction_id)

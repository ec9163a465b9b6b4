"""The state of a campaign as one document."""

from typing import Any

from kzmitm.campaign.bundles import bundles_of
from kzmitm.campaign.state import CampaignFolder


def state_document(folder: CampaignFolder) -> dict[str, Any]:
    """How far every share is that was begun, and what the log tells of versions and troubles."""
    plan = folder.plan
    shares = []
    for number in range(1, plan.campaign.rounds.count + 1):
        for share in plan.shares(number):
            if not folder.place(share).is_dir():
                continue
            state = folder.share_state(share)
            shares.append(
                {
                    "round": share.round,
                    "vantage": share.vantage,
                    "jobs": state.jobs,
                    "done": state.done,
                    "failed": state.failed,
                    "left": state.left,
                    "evidence": [path.name for path in bundles_of(folder.place(share))],
                    "outcomes": dict(sorted(state.outcomes.items())),
                }
            )
    return {
        "schema": "kzmitm.campaign-status/1.0",
        "version": 1,
        "name": plan.campaign.name,
        "plan": plan.digest,
        "rounds": plan.campaign.rounds.count,
        "rounds_finished": sorted(folder.rounds_finished),
        "paused": folder.is_paused,
        "shares": shares,
        "events": [event for event in folder.events() if "event" in event][-100:],
    }

"""The state of a campaign as one document, and as an exit code."""

from collections.abc import Mapping
from typing import Any

from kzmitm.campaign.bundles import bundles_of
from kzmitm.campaign.state import CampaignFolder
from kzmitm.cli.exits import Exit


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


def exit_of(document: Mapping[str, Any], *, complete: bool) -> Exit:
    """1 if anything was found, 3 if something is left or failed, or nothing could be decided."""
    shares = document["shares"]
    if any(share["outcomes"].get("interception") for share in shares):
        return Exit.FOUND
    undone = any(share["left"] or share["failed"] for share in shares)
    decided = sum(share["done"] - share["outcomes"].get("inconclusive", 0) for share in shares)
    return Exit.UNDECIDED if undone or not complete or not decided else Exit.OK

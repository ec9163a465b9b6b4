"""What is done with the results of a share and of a round once they are complete, beside the measuring.

None of it can lose or stop anything: what fails is told of, and made up for by the next start.
"""

import asyncio

from kzmitm.campaign.bundles import BrokenOffError, Means, make_bundles
from kzmitm.campaign.plan import Share
from kzmitm.campaign.retention import forget_raw, write_round_manifests
from kzmitm.campaign.state import CampaignFolder
from kzmitm.campaign.tables import extract_rounds
from kzmitm.campaign.world import Watcher
from kzmitm.errors import KzmitmError


async def bundle_share(
    share: Share, folder: CampaignFolder, means: Means, watcher: Watcher, stopping: asyncio.Event
) -> None:
    """Make the bundles that a complete share lacks."""
    try:
        made = await asyncio.to_thread(
            make_bundles,
            share,
            folder.place(share),
            folder.plan,
            means,
            complete=True,
            is_stopping=stopping.is_set,
        )
        for path in made:
            folder.record(
                {"event": "evidence", "round": share.round, "vantage": share.vantage, "file": path.name}
            )
            watcher.on_note(share, "evidence", str(path))
    except BrokenOffError:
        return
    except (OSError, KzmitmError) as exc:
        watcher.on_note(share, "evidence_failed", str(exc))


async def keep_house(folder: CampaignFolder, watcher: Watcher) -> None:
    """Have the manifests and tables of all finished rounds, then delete what is not kept."""
    try:
        await asyncio.to_thread(write_round_manifests, folder)
        if folder.plan.campaign.store.parquet:
            await asyncio.to_thread(extract_rounds, folder)
        for share in await asyncio.to_thread(list, forget_raw(folder)):
            folder.record({"event": "raw_removed", "round": share.round, "vantage": share.vantage})
    except (OSError, ValueError, LookupError, KzmitmError) as exc:  # a manifest that somebody damaged, too
        watcher.on_note(None, "store_failed", str(exc))

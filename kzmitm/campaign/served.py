"""A run whose vantages may be workers far away, beside those that this process serves itself."""

from datetime import datetime

from kzmitm.campaign.allotment import WORKER_URI
from kzmitm.campaign.forms import FormError, public_key
from kzmitm.campaign.intake import Accepted, Intake
from kzmitm.campaign.plan import Share
from kzmitm.campaign.remote_setup import Remote, part_of
from kzmitm.campaign.remote_share import RemoteShare
from kzmitm.campaign.runner import Runner
from kzmitm.campaign.state import CampaignFolder
from kzmitm.campaign.world import Watcher, World
from kzmitm.evidence.signing.sshsig import PublicKey


class ServedRunner(Runner):
    """As `Runner`; `remote` serves the vantages that are workers."""

    def __init__(
        self,
        folder: CampaignFolder,
        world: World,
        watcher: Watcher,
        *,
        remote: Remote | None = None,
        retry_failed: bool = False,
    ) -> None:
        super().__init__(folder, world, watcher, retry_failed=retry_failed)
        self._remote = remote

    async def _share(self, share: Share) -> None:
        part = part_of(self._plan, share.vantage)
        if self._remote is None or part.uri != WORKER_URI:
            await super()._share(share)
            return
        store = await self._kept(lambda: self._folder.store(share), share)
        if self._retry_failed:
            store.forget_failed()
        pinned = part.key or self._seen_key(share.vantage)
        remote = RemoteShare(
            share=share,
            plan=self._plan,
            store=store,
            world=self._world,
            watcher=self._watcher,
            remote=self._remote,
            intake=Intake(self._plan, share, self._world.judge, pinned),
            began=self._began(share.round),
            on_key=self._record_key,
        )
        try:
            if store.counts[2]:
                await remote.go(self.stopping, paused=lambda: self._folder.is_paused)
            self._flush(store)
            await self._close(share, store)
        finally:
            store.close()
            await self._record_refusals(share, remote)

    def _began(self, number: int) -> datetime:
        """When the first run of a round began it."""
        for event in self._folder.events():
            if event.get("event") == "round_started" and event.get("round") == number:
                return datetime.fromisoformat(event["at"])
        return self._world.now()

    def _seen_key(self, vantage: str) -> PublicKey | None:
        """The key that a worker's results first came with, in whatever run."""
        for event in self._folder.events():
            if event.get("event") == "worker_key" and event.get("vantage") == vantage:
                try:
                    return public_key(event.get("key"))
                except FormError:
                    continue
        return None

    async def _record_key(self, accepted: Accepted) -> None:
        share, key = accepted.job.share, accepted.result.key
        await self._record({"event": "worker_key", "vantage": share.vantage, "key": key.line})
        self._watcher.on_note(share, "worker_key", key.fingerprint)

    async def _record_refusals(self, share: Share, remote: RemoteShare) -> None:
        rows = remote.refusals.rows()
        if rows:
            await self._record(
                {"event": "refused", "round": share.round, "vantage": share.vantage, "counts": rows}
            )

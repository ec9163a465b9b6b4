"""Runs a campaign: rounds in their time, the shares of all vantages side by side, every job to one result."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from kzmitm.campaign.alarms import alarms, as_document
from kzmitm.campaign.allotment import limits_here
from kzmitm.campaign.housekeeping import bundle_share, keep_house
from kzmitm.campaign.plan import Plan, Share
from kzmitm.campaign.politeness import Politeness
from kzmitm.campaign.room import StoppedError, kept
from kzmitm.campaign.schedule import Schedule
from kzmitm.campaign.share_run import ShareRun
from kzmitm.campaign.share_store import ShareStore
from kzmitm.campaign.state import CampaignFolder
from kzmitm.campaign.world import WAIT_S, Watcher, World

T = TypeVar("T")


def about(share: Share) -> Mapping[str, object]:
    """What a manifest says of its share."""
    return {"round": share.round, "vantage": share.vantage}


class Runner:
    """One run of a campaign in this process."""

    def __init__(
        self, folder: CampaignFolder, world: World, watcher: Watcher, *, retry_failed: bool = False
    ) -> None:
        """`retry_failed` tries what a vantage failed once more, in finished rounds, too."""
        self._folder = folder
        self._retry_failed = retry_failed
        self._plan: Plan = folder.plan
        self._world = world
        self._watcher = watcher
        self._politeness = Politeness(limits_here(self._plan.campaign), network_of=world.network_of)
        rounds, seed = self._plan.campaign.rounds, self._plan.campaign.seed
        self._schedule = Schedule(rounds, seed, now=world.now, elapsed=world.elapsed)
        self._unusable: dict[Share, str] = {}
        """Why vantages cannot be used at the moment."""
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Every round that is not finished, each in its time, until all are or `stopping` is set."""
        await keep_house(self._folder, self._watcher)
        finished = self._folder.rounds_finished
        for number in range(1, self._plan.campaign.rounds.count + 1):
            if number in finished and not self._has_failed(number):
                continue
            await self._until(number)
            if self.stopping.is_set():
                return
            with suppress(StoppedError):
                await self._round(number)
            if self.stopping.is_set():
                return

    def _has_failed(self, number: int) -> bool:
        """The vantages failed something in this round that is to be tried again."""
        if not self._retry_failed:
            return False
        return any(self._folder.share_state(share).failed for share in self._plan.shares(number))

    def _first_start(self) -> datetime | None:
        """When the first round of a campaign without a fixed start began."""
        for event in self._folder.events():
            if event.get("event") == "round_started":
                return datetime.fromisoformat(event["at"])
        return None

    async def _until(self, number: int) -> None:
        """Wait until a round may begin."""
        first = self._first_start()
        while (left := self._schedule.left(number, first)) > 0 and not self.stopping.is_set():
            await self._pause(min(left, 60.0))  # a clock that is set is noticed within a minute
        self._schedule.begun(number, first)

    async def _pause(self, seconds: float) -> None:
        """Sleep, or less if the run is to stop."""
        sleeping = asyncio.ensure_future(self._world.sleep(seconds))
        stopping = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait((sleeping, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (sleeping, stopping):
                each.cancel()

    async def _round(self, number: int) -> None:
        await self._record({"event": "round_started", "round": number, "at": self._world.now().isoformat()})
        shares = self._plan.shares(number)
        async with asyncio.TaskGroup() as group:
            for share in shares:
                group.create_task(self._until_stopped(share))
        if not self.stopping.is_set():
            at = self._world.now().isoformat()
            await self._record({"event": "round_finished", "round": number, "at": at})
            await keep_house(self._folder, self._watcher)
            await self._tell_alarms(number)

    async def _tell_alarms(self, number: int) -> None:
        """Tell of what stayed as it is up to this round and was not told; what failed is told again later."""
        if self._world.tell is None:
            return
        campaign = self._plan.campaign
        told = {each["id"] for each in self._folder.events() if each.get("event") == "alarm_told"}
        seen = [each for round_number in range(1, number + 1) for each in self._folder.seen(round_number)]
        for alarm in alarms(seen, after=campaign.hooks.after):
            if alarm.id in told:
                continue
            failure = await self._world.tell(as_document(alarm, campaign.name))
            if failure:
                self._watcher.on_note(None, "hook_failed", failure)
            await self._record(
                {"event": "hook_failed" if failure else "alarm_told", "id": alarm.id, "why": failure}
            )

    async def _until_stopped(self, share: Share) -> None:
        with suppress(StoppedError):
            await self._share(share)

    async def _kept(self, action: Callable[[], T], share: Share | None = None) -> T:
        """What an action gives, as soon as there is room on the disk; raises StoppedError."""
        return await kept(
            action, share=share, watcher=self._watcher, stopping=self.stopping, pause=self._pause
        )

    async def _record(self, record: Mapping[str, object]) -> None:
        await self._kept(lambda: self._folder.record(record))

    async def _share(self, share: Share) -> None:
        """One vantage's part of a round, over all its failures, until it is done."""
        store = await self._kept(lambda: self._folder.store(share), share)
        if self._retry_failed:
            store.forget_failed()
        try:
            while store.counts[2] and not self.stopping.is_set():
                if await self._is_usable(share):
                    run = ShareRun(share, self._plan, store, self._world, self._politeness, self._watcher)
                    await run.go(self.stopping, paused=lambda: self._folder.is_paused)
                    if not run.is_down:
                        continue
                await self._pause(WAIT_S)
            self._flush(store)
            await self._close(share, store)
        finally:
            store.close()

    async def _close(self, share: Share, store: ShareStore) -> None:
        """Say what a share holds, and make bundles of its evidence once it is done."""
        await self._kept(lambda: store.write_manifest(about(share)), share)
        if self._world.means is None or store.counts[2]:
            return
        await bundle_share(share, self._folder, self._world.means, self._watcher, self.stopping)

    async def _is_usable(self, share: Share) -> bool:
        if self._world.prove is None:
            return True
        why = await self._world.prove(share.vantage)
        if why and why != self._unusable.get(share):  # told once, however long it stays so
            self._watcher.on_note(share, "vantage_unusable", why)
            await self._record(
                {"event": "vantage_unusable", "round": share.round, "vantage": share.vantage, "why": why}
            )
        if why:
            self._unusable[share] = why
        elif self._unusable.pop(share, ""):
            self._watcher.on_note(share, "vantage_up")
        if not why:
            await self._record_place(share)
        return not why

    async def _record_place(self, share: Share) -> None:
        """Keep where a vantage came out in a round, if that was asked."""
        labels = self._world.networks[share.vantage].labels
        if labels is not None:
            await self._record(
                {
                    "event": "vantage_located",
                    "round": share.round,
                    "vantage": share.vantage,
                    "asn": labels.asn,
                    "cc": labels.cc,
                }
            )

    @staticmethod
    def _flush(store: ShareStore) -> None:
        with suppress(OSError):
            store.flush()

"""What a campaign file names, looked up: lists, files, targets, ways out; all mistakes at once."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeVar

from kzmitm.campaign.allotment import WORKER_URI
from kzmitm.campaign.places import Path as KeyPath
from kzmitm.campaign.sections import CampaignFile
from kzmitm.campaign.target_table import TargetTable
from kzmitm.cli.targets import CONTROLS
from kzmitm.errors import UsageError
from kzmitm.evidence.control import read_control
from kzmitm.model.target import Target
from kzmitm.netio.places import read_table
from kzmitm.netio.vantage import open_vantage
from kzmitm.pki.registry import Registry
from kzmitm.targets import parse_targets, read_targets
from kzmitm.wording import Wording

T = TypeVar("T")


class Naming:
    """Looks up what a campaign names; `wrong` gathers keys and what is wrong with them."""

    def __init__(self, campaign: CampaignFile, beside: Path, registry: Registry) -> None:
        self._campaign = campaign
        self._beside = beside
        self._registry = registry
        self.wrong: list[tuple[KeyPath, str]] = []
        self.sensitive: list[str] = []
        """Those of its lists that expose who asks for them."""

    def targets(self) -> TargetTable:
        """All targets, in the order of the file; none of what is wrong."""
        part = self._campaign.targets
        parts: list[Iterable[Target]] = [*self._lists(), self._names(("targets", "names"), part.names)]
        for name in part.files:
            read = self._tried(("targets", "files"), lambda name=name: read_targets(self._beside / name))  # type: ignore[misc]
            parts.append(read or ())
        try:
            return TargetTable(chain.from_iterable(parts))
        except ValueError as exc:
            self.wrong.append(
                (("targets",), Wording("{why}; make two campaigns, or a smaller list", why=exc))
            )
            return TargetTable(())

    def controls(self) -> TargetTable:
        """Those that the file names, else those of the registry."""
        names = self._campaign.controls.names or self._registry.watchlists[CONTROLS].names
        return TargetTable(self._names(("controls", "names"), names))

    def ways(self) -> None:
        """Look at what only a run needs, and only where it runs: ways out, files, commands."""
        campaign = self._campaign
        for index, each in enumerate(campaign.vantages):
            if each.uri != WORKER_URI:
                self._tried(("vantages", index, "uri"), lambda uri=each.uri: open_vantage(uri))  # type: ignore[misc]
        if campaign.controls.file:
            path = self._beside / campaign.controls.file
            self._tried(("controls", "file"), lambda: read_control(path))
        if campaign.networks.table:
            table = self._beside / campaign.networks.table
            self._tried(("networks", "table"), lambda: read_table(table))
        if campaign.hooks.on_finding and shutil.which(campaign.hooks.on_finding[0]) is None:
            self.wrong.append(
                (
                    ("hooks", "on_finding"),
                    Wording("no such command; give its whole path, or install what has it"),
                )
            )

    def _lists(self) -> Iterator[Sequence[Target]]:
        key = ("targets", "lists")
        for name in self._campaign.targets.lists:
            watched = self._registry.watchlists.get(name)
            if watched is None:
                known = ", ".join(self._registry.watchlists)
                self.wrong.append(
                    (key, Wording("no list is called {name}; there are {known}", name=name, known=known))
                )
                continue
            if watched.sensitive:
                self.sensitive.append(name)
                if not self._campaign.targets.sensitive:
                    advice = Wording("set targets.sensitive = true if you know what you do")
                    self.wrong.append(
                        (key, Wording("{name} exposes who asks for it; {advice}", name=name, advice=advice))
                    )
            yield tuple(parse_targets(watched.names))

    def _names(self, key: KeyPath, names: Iterable[str]) -> list[Target]:
        found: list[Target] = []
        for name in names:
            found += self._tried(key, lambda name=name: list(parse_targets([name]))) or ()  # type: ignore[misc]
        return found

    def _tried(self, key: KeyPath, read: Callable[[], T]) -> T | None:
        """What `read` gives; what it complains of is wrong with the key."""
        try:
            return read()
        except UsageError as exc:
            hint = f"; {exc.hint[:1].lower()}{exc.hint[1:].rstrip('.')}" if exc.hint else ""
            self.wrong.append((key, f"{exc}{hint}"))
        except OSError as exc:
            self.wrong.append((key, f"{exc.filename}: {exc.strerror}"))
        return None

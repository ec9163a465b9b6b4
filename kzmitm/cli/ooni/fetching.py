"""Files of OONI's archive: what there is, what is here already, and the rest, several at a time."""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from pathlib import Path

from kzmitm.cli import clock
from kzmitm.cli.ooni.listings import Listings
from kzmitm.cli.ooni.meter import Meter, meter
from kzmitm.cli.ooni.options import size_text
from kzmitm.cli.ooni.services import in_parallel
from kzmitm.errors import UsageError
from kzmitm.netio.patience import ServiceError
from kzmitm.netio.s3_archive import ChangedError, S3Archive, Wanted
from kzmitm.ooni.archive_listing import (
    MAX_PAGE,
    ListingError,
    StoredFile,
    is_wanted,
    parse_listing,
    plain_etag,
)
from kzmitm.report.language import _
from kzmitm.wording import Wording

MAX_PAGES = 200
"""Of one prefix, so that a listing without end ends: an hour of the largest country has some dozen files."""
MAX_CHANGES = 2
"""Times that a file is begun again because it was changed on the server meanwhile."""


class State(StrEnum):
    """What became of a file or a measurement."""

    FETCHED = "fetched"
    PRESENT = "present"
    """It was here already."""
    FAILED = "failed"
    LEFT = "left"
    """The user stopped before its turn, or wanted to see only what there is."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file of the archive and what became of it; `reason`, of a failure, may be text of a stranger."""

    key: str
    size: int
    state: State
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Whose measurements of what: days from `since` up to and without `until`."""

    cc: str
    tests: tuple[str, ...]
    since: date
    until: date


class ArchiveFetch:
    """One run over the archive; its fields tell what is known at any moment."""

    def __init__(self, archive: S3Archive, listings: Listings, folder: Path, *, parallel: int) -> None:
        self.files: dict[str, Fetched] = {}
        self.unlisted: dict[str, str] = {}
        """Prefixes of which nothing is known, and why."""
        self.passed_over = 0
        """Keys that are no files of measurements, or no safe paths."""
        self._archive = archive
        self._listings = listings
        self._folder = folder
        self._parallel = parallel
        self._stored: dict[str, StoredFile] = {}

    async def list(self, prefixes: Sequence[str], *, remember: bool) -> None:
        """Find out what there is below the prefixes."""
        with meter(_("listing"), len(prefixes), octets=False) as shown:

            async def one(prefix: str) -> None:
                files = self._listings.settled(prefix)
                if files is None:
                    files = await self._ask(prefix)
                    if files is not None and remember:
                        self._listings.keep(prefix, files, clock.now())
                for file in files or ():
                    self._add(file)
                shown.advance(1)

            await in_parallel(prefixes, one, parallel=self._parallel)
        self.files = dict(sorted(self.files.items()))

    async def fetch(self) -> None:
        """Get every file that is not here; raises UsageError if they do not fit on the disk, OSError."""
        missing = [file.key for file in self.files.values() if file.state is State.LEFT]
        total = sum(self._stored[key].size for key in missing)
        self._demand_room(total)
        with meter(_("fetching"), total, octets=True) as shown:

            async def one(key: str) -> None:
                await self._fetch(self._stored[key], shown)

            await in_parallel(missing, one, parallel=self._parallel)

    def _add(self, file: StoredFile) -> None:
        place = self._folder / file.key
        is_here = place.is_file() and place.stat().st_size == file.size
        self._stored[file.key] = file
        self.files[file.key] = Fetched(file.key, file.size, State.PRESENT if is_here else State.LEFT)

    async def _ask(self, prefix: str) -> tuple[StoredFile, ...] | None:
        """The files below a prefix by the archive; None if it cannot say."""
        found: dict[str, StoredFile] = {}
        token: str | None = None
        seen: set[str] = set()
        try:
            while True:
                octets = await self._archive.page(prefix, token, max_octets=MAX_PAGE)
                page = await asyncio.to_thread(parse_listing, octets)
                wanted = [file for file in page.files if is_wanted(file.key, prefix)]
                self.passed_over += len(page.files) - len(wanted)
                found |= {file.key: file for file in wanted}
                token = page.next_token
                if token is None:
                    return tuple(found.values())
                if token in seen or len(seen) >= MAX_PAGES:
                    self.unlisted[prefix] = Wording("the listing has no end")
                    return None
                seen.add(token)
        except ListingError as exc:
            self.unlisted[prefix] = Wording("the listing cannot be read: {why}", why=exc)
        except ServiceError as exc:
            self.unlisted[prefix] = str(exc)
        return None

    async def _fetch(self, file: StoredFile, shown: Meter) -> None:
        for _change in range(MAX_CHANGES + 1):
            wanted = Wanted(
                key=file.key, size=file.size, etag=file.etag, md5=file.md5, place=self._folder / file.key
            )
            try:
                await self._archive.fetch(wanted, shown.advance)
            except ChangedError as exc:
                self.files[file.key] = Fetched(file.key, file.size, State.FAILED, str(exc))
                self._demand_room(exc.size)
                shown.expect(exc.size - file.size)
                file = replace(file, size=exc.size, etag=plain_etag(f'"{exc.etag}"'))
                self._listings.correct(file)
            except ServiceError as exc:
                self.files[file.key] = Fetched(file.key, file.size, State.FAILED, str(exc))
                return
            else:
                self.files[file.key] = Fetched(file.key, file.size, State.FETCHED)
                return

    def _demand_room(self, total: int) -> None:
        place = self._folder.absolute()
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        if total > free:
            raise UsageError(
                _("{folder}: {total} are to be fetched, and {free} are free").format(
                    folder=self._folder, total=size_text(total), free=size_text(free)
                ),
                hint=_("name a folder on another disk with --dest, or fewer days"),
            )

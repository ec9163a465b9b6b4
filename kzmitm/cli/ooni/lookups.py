"""Single measurements, and candidates among the observations, through OONI's API."""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from kzmitm.cli.ooni.fetching import State, Window
from kzmitm.cli.terminal import say
from kzmitm.evidence.files import replace_file
from kzmitm.netio.ooni_api import OONIAPI, ROWS, RefusedError
from kzmitm.netio.patience import ServiceError
from kzmitm.ooni.candidates import Candidate, candidates
from kzmitm.pki.registry import Registry
from kzmitm.report.language import _, ngettext

FOLDER = "measurements"
"""Below the folder of the archive."""
MAX_PAGES = 2000
"""Of one day and test: four million rows, ten times those of a day of the whole country."""


@dataclass(frozen=True, slots=True)
class Single:
    """A measurement that was asked for by its id, and what became of it."""

    uid: str
    path: Path
    state: State
    reason: str = ""


class Lookups:
    """One run over the API; its fields tell what is known at any moment."""

    def __init__(self, api: OONIAPI, folder: Path) -> None:
        self.singles: dict[str, Single] = {}
        self.candidates: list[Candidate] = []
        self.unknown: dict[str, str] = {}
        """Days of which not everything is known, and why."""
        self._api = api
        self._folder = folder / FOLDER

    def plan(self, uids: Iterable[str]) -> None:
        """Take measurements down to be fetched; those that are here are not fetched again."""
        for uid in uids:
            path = self._folder / f"{uid}.json"
            state = State.PRESENT if path.is_file() else State.LEFT
            self.singles.setdefault(uid, Single(uid, path, state))

    async def fetch(self) -> None:
        """Get what was planned; raises OSError."""
        for single in [each for each in self.singles.values() if each.state is State.LEFT]:
            try:
                octets = await self._document(single.uid)
            except ServiceError as exc:
                self.singles[single.uid] = Single(single.uid, single.path, State.FAILED, str(exc))
                continue
            single.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(single.path, [octets.rstrip(b"\n"), b"\n"], durable=False)
            self.singles[single.uid] = Single(single.uid, single.path, State.FETCHED)

    async def look(self, window: Window, registry: Registry) -> None:
        """Find the candidates of a window, day by day."""
        for number in range((window.until - window.since).days):
            day = window.since + timedelta(days=number)
            for test in window.tests:
                rows = 0
                found: dict[tuple[str, str], Candidate] = {}
                try:
                    async for page in self._pages(window.cc, test, day):
                        rows += len(page)
                        found |= {(each.uid, str(each)): each for each in candidates(page, registry)}
                except ServiceError as exc:
                    self.unknown[f"{day} {test}"] = str(exc)
                self.candidates += found.values()
                say(
                    ngettext(
                        "{day} {test}: of {rows} row {count} may show interception",
                        "{day} {test}: of {rows} rows {count} may show interception",
                        rows,
                    ).format(day=day, test=test, count=len(found), rows=rows)
                )

    async def _pages(self, cc: str, test: str, day: date) -> AsyncIterator[Sequence[Any]]:
        """The rows of a day, page by page; raises ServiceError."""
        for number in range(MAX_PAGES):
            octets = await self._api.observations(cc, test, day, day + timedelta(days=1), number * ROWS)
            rows = _results(octets)
            yield rows
            if len(rows) < ROWS:
                return
        raise ServiceError(_("there is no end of rows"))

    async def _document(self, uid: str) -> bytes:
        """The JSON object of a measurement; raises ServiceError."""
        try:
            octets = await self._api.raw_measurement(uid)
            if _is_measurement(octets, uid):
                return octets
        except RefusedError:
            pass  # the other way may be open
        octets = await self._api.measurement_meta(uid)
        told = _parsed(octets)
        inner = told.get("raw_measurement") if isinstance(told, dict) else None
        if isinstance(inner, dict):
            inner = json.dumps(inner)
        if not isinstance(inner, str) or not _is_measurement(inner.encode("utf-8", "replace"), uid):
            raise ServiceError(_("there is no such measurement"))
        return inner.encode("utf-8", "replace")


def _is_measurement(octets: bytes, uid: str) -> bool:
    """True for a JSON object with results in it that does not say to be another measurement."""
    told = _parsed(octets)
    return (
        isinstance(told, dict) and "test_keys" in told and told.get("measurement_uid", uid) in (uid, "", None)
    )


def _results(octets: bytes) -> Sequence[Any]:
    told = _parsed(octets)
    results = told.get("results") if isinstance(told, dict) else None
    if not isinstance(results, list):
        raise ServiceError(_("the answer holds no rows"))
    return results


def _parsed(octets: bytes) -> Any:
    """The value of a JSON document; None for what is none.

    Not by our own strict reader: pages in measurements are cut anywhere, between halves of a character too.
    """
    try:
        return json.loads(octets)
    except (ValueError, RecursionError):
        return None

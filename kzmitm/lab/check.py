"""Holds what the scanner said against what stands in the way: for one site, and for every profile."""

import enum
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from kzmitm.lab.errors import LaboratoryError
from kzmitm.lab.products import how_to_get
from kzmitm.lab.profile import Expected, Profile
from kzmitm.lab.session import Finding, Offer, Session
from kzmitm.wording import Wording

Row = Mapping[str, Any]
"""An entry of `targets` in a scan document (kzmitm.scan/1.0)."""


class Result(enum.StrEnum):
    """How a profile fared."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    SKIP = "skip"
    """Its product is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A profile, what the scanner had to say of it and what it said."""

    profile: Profile
    expected: str
    got: str = ""
    result: Result
    reasons: tuple[str, ...] = ()
    """Why it did not pass, a line each."""
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0


def misjudged(rows: Sequence[Row], expectations: Mapping[str, Expected]) -> Iterator[str]:
    """One line for each site that was judged otherwise than expected, or not judged at all."""
    by_name = {row["hostname"]: row for row in rows}
    for hostname, expected in expectations.items():
        row = by_name.get(hostname)
        if row is None:
            yield Wording("{hostname}: not measured", hostname=hostname)
            continue
        for what, wanted, got in _differences(row, expected):
            yield Wording(
                "{hostname}: {what} should be {wanted}, and is {got}",
                hostname=hostname,
                what=what,
                wanted=wanted,
                got=got,
            )


def _differences(row: Row, expected: Expected) -> Iterator[tuple[str, object, object]]:
    if row["outcome"] not in expected.outcomes:
        yield "outcome", expected, row["outcome"]
    if expected.confidence is not None and row["confidence"] != expected.confidence:
        yield "confidence", expected.confidence, row["confidence"] or "none"
    if expected.scope is not None and row["scope"] != expected.scope:
        yield "scope", expected.scope, row["scope"] or "none"
    authority = (row["authority"] or {}).get("id")
    if authority != expected.authority and not expected.is_anyone:
        yield "authority", expected.authority or "none", authority or "none"
    forgers = [forger["id"] for forger in row["forgers"]]
    if expected.forger is not None and expected.forger not in forgers:
        yield "forger", expected.forger, ", ".join(forgers) or "none"


def check_profile(session: Session, offer: Offer, given: Mapping[str, str]) -> Checked:
    """Switch a profile on, run the real scan, compare, switch it off."""
    profile = offer.profile
    settings = profile.settle(given)
    expected = str(profile.expected(settings))
    if offer.missing:
        reasons = (Wording("needs {what}", what=how_to_get(offer.missing)),)
        return Checked(profile=profile, expected=expected, result=Result.SKIP, reasons=reasons)
    began = time.monotonic()
    try:
        active = session.switch_on(profile.name, given)
        try:
            findings = session.scan(profile.scanned(active.settings))
        finally:
            session.switch_off()
    except LaboratoryError as exc:
        reason = str(exc)
        return Checked(profile=profile, expected=expected, result=Result.FAIL, reasons=(reason,))
    wrong = tuple(misjudged([f.row for f in findings], {f.hostname: f.expected for f in findings}))
    struck = profile.struck(settings)
    got = dict.fromkeys(f.row["outcome"] for f in findings if f.hostname in struck)
    return Checked(
        profile=profile,
        expected=expected,
        got=" and ".join(got),
        result=Result.FAIL if wrong else Result.PASS,
        reasons=wrong,
        findings=findings,
        seconds=time.monotonic() - began,
    )


def check_profiles(
    wanted: Sequence[str],
    given: Mapping[str, str],
    open_session: Callable[[], AbstractContextManager[Session]],
    *,
    jobs: int,
    on_checked: Callable[[Checked], None],
) -> list[Checked]:
    """Check profiles, `jobs` laboratories side by side; in the order of `wanted`.

    Most of the time is spent waiting for what a filter swallows, so more laboratories than cores pay.
    """
    left = deque(wanted)
    done: dict[str, Checked] = {}
    lock = threading.Lock()

    def work() -> None:
        with open_session() as session:
            offers = {offer.profile.name: offer for offer in session.offers()}
            while True:
                try:
                    name = left.popleft()
                except IndexError:
                    return
                checked = check_profile(session, offers[name], given)
                with lock:
                    done[name] = checked
                    on_checked(checked)

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        working = [pool.submit(work) for _ in range(min(jobs, len(wanted)))]
        try:
            for future in working:
                future.result()
        except BaseException:  # Ctrl-C, or a laboratory that did not come up: nothing more is begun
            left.clear()
            raise
    return [done[name] for name in wanted]

"""The demonstration on loopback: a real interceptor, and what the scanner says of it. No Internet."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from kzmitm.errors import UsageError
from kzmitm.lab.check import Row, misjudged
from kzmitm.lab.loopback.laboratory import Lab, connect_to
from kzmitm.lab.overlay import write_overlay
from kzmitm.lab.products import Products, how_to_get
from kzmitm.lab.profile import Expected, Profile, all_profiles, on_loopback
from kzmitm.lab.scanning import how_to_report, leave_beside
from kzmitm.model.target import Endpoint
from kzmitm.model.verdict import Outcome
from kzmitm.report.language import _, ngettext
from kzmitm.report.texts import WORDS

TIMEOUT_S = 1.5
"""Loopback answers within a millisecond; what takes longer here is a filter that swallows packets."""
PORTAL = "portal"


class Scan(Protocol):
    """The command `kzmitm scan`."""

    def __call__(self, words: Sequence[str], *, out: Path, shown: bool) -> Sequence[Row]:
        """Scan, with the bundle in `out`, and return its rows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What the demonstration uses of the outside: `tell` shows a title and lines, `wait` lets people read."""

    scan: Scan
    tell: Callable[[str, str], None]
    wait: Callable[[], None]


def placement(products: Products) -> Mapping[str, tuple[str, ...]]:
    """Which profile of an interceptor stands in front of which sites; raises UsageError if there is none."""
    interceptors = [profile for profile in on_loopback().values() if profile.intercepts]
    usable = [profile for profile in interceptors if not products.lacks(profile.needs)]
    if not usable:
        missing = tuple(dict.fromkeys(need for profile in interceptors for need in profile.needs))
        raise UsageError(
            "the demo needs a real interceptor, and this computer has none",
            hint="install one of: {missing}",
            missing=how_to_get(missing),
        )
    placed = {profile.name: _sites(profile) for profile in usable}
    for number, orphan in enumerate(site for p in interceptors if p not in usable for site in _sites(p)):
        heir = usable[number % len(usable)].name
        placed[heir] = (*placed[heir], orphan)
    return placed


class Demo:
    """One run of the demonstration in a laboratory that is up."""

    def __init__(self, lab: Lab, stage: Stage, interceptors: Mapping[str, tuple[str, ...]]) -> None:
        self._lab = lab
        self._stage = stage
        self._interceptors = interceptors
        self._store = lab.directory / "public-root.pem"
        self._overlay = lab.directory / "overlay"
        self._control = lab.directory / "control.json"
        self._portal_sites = _sites(all_profiles()[PORTAL])
        self._sites = tuple(name for name in lab.sites if name not in self._portal_sites)

    def run(self, out: Path) -> tuple[str, ...]:
        """All steps; leaves the bundle of the main scan in `out`. Returns a line for each misjudged site."""
        self._store.write_bytes(self._lab.public_ca.store_pem)
        for profile in self._profiles():
            if profile.seen_by_control:
                self._lab.switch_on(profile.name)
        self._introduce()
        with ThreadPoolExecutor() as pool:
            started = self._start_path(pool)
            self._record_control()
            for future in started:
                future.result()
        write_overlay(self._overlay, self._lab.look_alike.root)
        self._explain_path()
        wrong = list(self._scan_path(out))
        self._explain_others()
        if self._lab.has_addresses:  # a portal is told by one certificate at many addresses
            wrong += self._scan_portal()
        self._conclude(wrong, out)
        leave_beside(out, store=self._store, control=self._control)
        self._stage.tell("", how_to_report(out))
        return tuple(wrong)

    def _profiles(self) -> list[Profile]:
        """The profiles of no interceptor; the portal has a scan of its own."""
        return [p for p in on_loopback().values() if not p.intercepts and p.name != PORTAL]

    def _start_path(self, pool: ThreadPoolExecutor) -> list[Future[None]]:
        """Begin to start all that stands in the path; the interceptors take up to a second."""
        self._lab.look_alike  # noqa: B018 - made once, before threads ask for it
        for profile in self._profiles():
            if not profile.seen_by_control:
                self._lab.switch_on(profile.name)
        return [pool.submit(self._lab.switch_on, *placed) for placed in self._interceptors.items()]

    def _introduce(self) -> None:
        self._step(
            _("1. A small Internet on this computer"),
            _(
                "{count} sites answer on loopback addresses, with certificates of a public authority "
                "that was made for this run and that the scan takes for the only trusted one. Five "
                "of them are broken by themselves: expired, not valid yet, another name, "
                "self-signed, and without the intermediate certificate. Nothing of this demo leaves "
                "the computer."
            ).format(count=len(self._lab.sites)),
        )

    def _record_control(self) -> None:
        self._step(
            _("2. What a clean network sees"),
            _(
                "First the sites are scanned with nothing in the way, and what they show is kept as "
                "the control: "
                "kzmitm scan --record-control. A trainer would do this at home, before the journey."
            ),
        )
        words = self._words(self._sites, self._lab.clean_routes())
        self._stage.scan(
            [*words, "--record-control", str(self._control)],
            out=self._lab.directory / "clean.zip",
            shown=False,
        )

    def _explain_path(self) -> None:
        stands = [
            f"  {_(all_profiles()[name].title)} ({', '.join(map(self._described, sites))})"
            for name, sites in self._interceptors.items()
        ]
        self._step(
            _("3. An interceptor in the path"),
            _(
                "Real interceptors now stand in front of some sites and forge certificates with a "
                "look-alike of "
                "the Kazakh chain of 2019 (Qaznet Trust Network, Security Certificate), valid for "
                "this week and "
                "for .test names only. In front of others stand filters that reset, swallow, or "
                "answer in the "
                "clear."
            )
            + "\n"
            + "\n".join(stands),
        )

    def _described(self, site: str) -> str:
        """The site, and that it is let through if it is."""
        expected = self._lab.expected_of(site)
        passes = expected.outcomes == {Outcome.CLEAN}
        return _("{site}, which is not watched and passes").format(site=site) if passes else site

    def _scan_path(self, out: Path) -> Sequence[str]:
        self._step(
            _("4. The scan"),
            _(
                "This is the ordinary scan: it opens TLS sessions, keeps the whole chain presented, holds it "
                "against the pinned store, the known authorities and the control, and looks again at what is "
                "suspicious."
            ),
        )
        words = self._words(self._sites, self._lab.routes())
        rows = self._stage.scan([*words, "--control", str(self._control)], out=out, shown=True)
        expectations = {name: self._lab.expected_of(name) for name in self._sites}
        return tuple(misjudged(rows, expectations))

    def _explain_others(self) -> None:
        lines = [
            f"  {_words(self._lab.expected_of(name))}: {_(self._lab.profile_of(name).title)} ({name})"
            for name in self._sites
            if self._lab.profile_of(name).name not in self._interceptors
        ]
        self._step(
            _("5. What only looks like it"),
            _(
                "Not every certificate that fails is forged. This is what stood in front of the "
                "other sites, and "
                "what the scan had to say of it:"
            )
            + "\n"
            + "\n".join(lines),
        )

    def _scan_portal(self) -> Sequence[str]:
        self._step(
            _("6. The same computer in a hotel"),
            _(
                "A captive portal answers for every site with one certificate, that names none of them. An "
                "interceptor copies the names; a portal wants a login."
            ),
        )
        self._lab.switch_on(PORTAL)
        words = self._words(self._portal_sites, self._lab.routes())
        rows = self._stage.scan(words, out=self._lab.directory / f"{PORTAL}.zip", shown=True)
        return tuple(misjudged(rows, {name: self._lab.expected_of(name) for name in self._portal_sites}))

    def _conclude(self, wrong: Sequence[str], out: Path) -> None:
        self._stage.tell(
            ngettext("{count} misjudged", "{count} misjudged", len(wrong)).format(count=len(wrong))
            if wrong
            else _("Every site was judged as it should be"),
            _(
                "The evidence is in {out}; kzmitm show reads it again. The interceptors end now, and "
                "their keys with them."
            ).format(out=out),
        )

    def _words(self, sites: Sequence[str], routes: Mapping[str, Endpoint]) -> list[str]:
        """The words of a scan of these sites, after `kzmitm scan`."""
        words = [*sites, "--i-understand", "--no-local-roots", "--doh", "none", "--one-time-key"]
        words += ["--store", str(self._store)]
        words += ["--timeout", str(TIMEOUT_S), "--concurrency", str(len(sites))]
        if self._overlay.exists():
            words += ["--fingerprints", str(self._overlay)]
        for value in connect_to({name: routes[name] for name in sites}):
            words += ["--connect-to", value]
        return words

    def _step(self, title: str, text: str) -> None:
        self._stage.wait()
        self._stage.tell(title, text)


def _sites(profile: Profile) -> tuple[str, ...]:
    """In front of which sites a profile stands here."""
    return profile.loopback.sites if profile.loopback else ()


def _words(expected: Expected) -> str:
    """The outcomes in the words that a scan says them with."""
    return _(" or ").join(sorted(WORDS[outcome] for outcome in expected.outcomes))


def run_demo(*, now: datetime, products: Products, stage: Stage, out: Path) -> tuple[str, ...]:
    """Run the demonstration; returns a line for each site that was misjudged.

    Raises UsageError if no interceptor is installed, LaboratoryError if one does not start.
    """
    interceptors = placement(products)
    with Lab(now=now, products=products).running() as lab:
        return Demo(lab, stage, interceptors).run(out)

"""The network of namespaces as a session."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kzmitm.lab.control.client import Lab
from kzmitm.lab.control.commands import module_command
from kzmitm.lab.network.topology import hops
from kzmitm.lab.products import Products, find_products
from kzmitm.lab.profile import Expected, all_profiles, profile_named
from kzmitm.lab.scanning import Sources, findings, how_to_report, leave_beside, location_of, rows_of
from kzmitm.lab.session import Active, Finding, Hop, Offer
from kzmitm.lab.settings import Settings
from kzmitm.lab.sites import SITES, Site
from kzmitm.model.location import Location

STANDING = tuple(site.hostname for site in SITES)
"""The sites that are always there."""

CLEAN_PLACE = "transit"
"""Beyond every interceptor: what is recorded here is what a clean network sees."""


class NetworkSession:
    """A network that is up, for those who show it."""

    kind = "network"

    def __init__(self, lab: Lab, products: Products | None = None) -> None:
        self.lab = lab
        self._products = products or find_products()
        self._numbers = itertools.count()
        self._control_of: tuple[str, tuple[str, ...]] | None = None
        """What the control was recorded of: the profile that it sees, and the sites."""

    @property
    def hops(self) -> Sequence[Hop]:
        return hops()

    @property
    def sites(self) -> Sequence[Site]:
        known = {site.hostname: site for site in SITES}
        return tuple(known.get(name, Site(name)) for name in self.lab.status["sites"])

    def offers(self) -> Sequence[Offer]:
        return tuple(
            Offer(profile=profile, missing=self._products.lacks(profile.needs))
            for profile in all_profiles().values()
            if profile.network is not None
        )

    def active(self) -> Active | None:
        status = self.lab.status
        if status["profile"] is None:
            return None
        return Active(profile=profile_named(status["profile"]), settings=Settings(status["settings"]))

    def switch_on(self, profile: str, given: Mapping[str, str]) -> Active:
        chosen = profile_named(profile)
        chosen.settle(given)  # what cannot be is refused before anything is recorded
        if not chosen.seen_by_control:
            # Before, as a site may show another certificate than before. Sites that a profile brings along
            # are there later, and new each time, so nothing that is known of them is kept.
            self._record_control("", STANDING)
        self.lab.switch_on(profile, given)
        active = self.active()
        assert active is not None  # noqa: S101 - it was switched on
        return active

    def switch_off(self) -> None:
        self.lab.switch_off()

    def scan(self, hostnames: Sequence[str]) -> tuple[Finding, ...]:
        active = self.active()
        sources = self.sources(hostnames)
        out = self.lab.directory / f"scan-{next(self._numbers)}.zip"
        words = [
            *hostnames,
            *sources.words(),
            "--concurrency",
            str(len(hostnames)),
            "--json",
            "--out",
            str(out),
        ]
        done = self.lab.run("client", module_command("kzmitm", "scan", *words))
        outer = self._outer(out)
        try:
            return findings(
                rows_of(done),
                expected={name: _expected(active, name) for name in hostnames},
                bundle=outer,
                genuine=self.lab.genuine(),
            )
        finally:
            outer.unlink(missing_ok=True)

    def trace(self, hostname: str, picture: Path) -> Location:
        """Where on the way to a site, over IPv4, somebody acts; the path is drawn into `picture`."""
        words = ["-4", hostname, *self.trusted.trace_words(), "--json", "--svg", str(picture)]
        return location_of(self.lab.run("client", module_command("kzmitm", "trace", *words)))

    def sources(self, hostnames: Sequence[str]) -> Sources:
        """What a scan of these sites judges by, with a control from a clean place."""
        active = self.active()
        if active is not None and active.profile.seen_by_control:
            self._record_control(f"{active.profile.name} {active.settings}", hostnames)
        elif not set(hostnames) <= set(self._recorded):
            self._record_control("", (*self._recorded, *hostnames))
        return replace(self.trusted, control=self.lab.directory / "control.json")

    @property
    def trusted(self) -> Sources:
        """What every command of ours judges by here: the laboratory's roots and its look-alike."""
        directory = self.lab.directory
        return Sources(store=directory / "roots.pem", overlay=directory / "overlay")

    def leave_sources(self, bundle: Path) -> str:
        """Copy what the last scan judged by beside its bundle; a line that says how to report it."""
        directory = self.lab.outer_directory
        leave_beside(bundle, store=directory / "roots.pem", control=directory / "control.json")
        return how_to_report(bundle)

    @property
    def _recorded(self) -> tuple[str, ...]:
        """The sites that the control knows as they are by themselves."""
        return self._control_of[1] if self._control_of is not None and not self._control_of[0] else ()

    def _record_control(self, seen: str, hostnames: Sequence[str]) -> None:
        """Scan from the clean place and keep what the sites show, unless that is known."""
        names = tuple(dict.fromkeys(hostnames))
        if self._control_of == (seen, names):
            return
        self._control_of = None  # until this has ended well
        path = self.lab.directory / "control.json"
        self._outer(path).unlink(missing_ok=True)
        words = [*names, *self.trusted.words(), "--concurrency", str(len(names)), "--json", "--no-save"]
        words += ["--no-follow-up", "--record-control", str(path)]
        rows_of(self.lab.run(CLEAN_PLACE, module_command("kzmitm", "scan", *words)))
        self._control_of = (seen, names)

    def _outer(self, path: Path) -> Path:
        return self.lab.outer_directory / path.relative_to(self.lab.directory)


def _expected(active: Active | None, hostname: str) -> Expected:
    profile = active.profile if active else all_profiles()["none"]
    return profile.expected_for(hostname, active.settings if active else Settings())

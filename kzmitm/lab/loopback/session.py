"""The laboratory on loopback as a session: made anew for each profile, as it has no path to change."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Self

from kzmitm.errors import UsageError
from kzmitm.lab.certificates.look_alike import QAZNET
from kzmitm.lab.control.commands import module_command
from kzmitm.lab.loopback.laboratory import Lab, connect_to, needs_here
from kzmitm.lab.overlay import write_overlay
from kzmitm.lab.parts.parameters import ca_names
from kzmitm.lab.products import Products
from kzmitm.lab.profile import Expected, Place, all_profiles, on_loopback, profile_named
from kzmitm.lab.scanning import Sources, findings, rows_of
from kzmitm.lab.session import Active, Finding, Hop, Offer
from kzmitm.lab.settings import Settings
from kzmitm.lab.sites import SITES, Site
from kzmitm.model.target import Endpoint

HOPS = (
    Hop(name="client", title="this computer", place=Place.CLIENT, addresses=("127.0.0.1",)),
    Hop(name="operator", title="what stands in the way", place=Place.OPERATOR, addresses=("127.77.0.0/16",)),
    Hop(name="server", title="the servers of the sites", place=Place.SERVER, addresses=("127.77.0.0/16",)),
)
"""There are no hops on loopback; these are the parts that are played."""


class LoopbackSession:
    """A laboratory on loopback, for those who show it."""

    kind = "loopback"

    def __init__(self, now: datetime, products: Products) -> None:
        self._now = now
        self._products = products
        self._active: Active | None = None
        self._scans = 0
        self.lab = self._make(Settings())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lab.close()

    @property
    def hops(self) -> Sequence[Hop]:
        return HOPS

    @property
    def sites(self) -> Sequence[Site]:
        return tuple(self.lab.sites.values())

    def offers(self) -> Sequence[Offer]:
        return tuple(
            Offer(profile=profile, missing=self._products.lacks(needs_here(profile)))
            for profile in on_loopback().values()
        )

    def active(self) -> Active | None:
        return self._active

    def switch_on(self, profile: str, given: Mapping[str, str]) -> Active:
        chosen = profile_named(profile)
        settings = chosen.settle(given)
        self.switch_off()
        self.lab.close()
        self.lab = self._make(settings, chosen.struck(settings))
        self.lab.switch_on(profile, chosen.scanned(settings))
        self._active = Active(profile=chosen, settings=settings)
        return self._active

    def switch_off(self) -> None:
        if self._active is not None:
            self.lab.switch_off(self._active.profile.name)
            self._active = None

    def scan(self, hostnames: Sequence[str]) -> tuple[Finding, ...]:
        self._scans += 1
        out = self.lab.directory / f"scan-{self._scans}.zip"
        done = _run([*hostnames, *self.words(hostnames), "--json", "--out", str(out)])
        return findings(
            rows_of(done),
            expected={name: self._expected(name) for name in hostnames},
            bundle=out,
            genuine={name: self.lab.shown(name).presented for name in hostnames},
        )

    def words(self, hostnames: Sequence[str]) -> list[str]:
        """Options of a scan of these sites, with a control as a clean place sees them."""
        lab, folder = self.lab, self.lab.directory
        for hostname in hostnames:
            if hostname not in lab.sites:
                raise UsageError(
                    "no site is called {hostname}",
                    hint="kzmitm lab status --json lists them",
                    hostname=repr(hostname[:60]),
                )
        write_overlay(folder / "overlay", lab.look_alike.root if self._knows else None)
        sources = Sources(store=folder / "roots.pem", overlay=folder / "overlay")
        control = folder / "control.json"
        control.unlink(missing_ok=True)
        seen = self._active is not None and self._active.profile.seen_by_control
        clean = self._words(hostnames, sources, lab.routes() if seen else lab.clean_routes())
        recording = ["--json", "--no-save", "--no-follow-up", "--record-control", str(control)]
        rows_of(_run([*hostnames, *clean, *recording]))
        return self._words(hostnames, replace(sources, control=control), lab.routes())

    @property
    def _knows(self) -> bool:
        """The registry of the scan has the look-alike's key."""
        active = self._active
        return active is not None and active.profile.intercepts and active.settings.is_on("known")

    def _words(self, hostnames: Sequence[str], sources: Sources, routes: Mapping[str, Endpoint]) -> list[str]:
        words = [*sources.words(), "--concurrency", str(len(hostnames))]
        for value in connect_to({name: routes[name] for name in hostnames}):
            words += ["--connect-to", value]
        return words

    def _expected(self, hostname: str) -> Expected:
        active = self._active
        profile = active.profile if active else all_profiles()["none"]
        return profile.expected_for(hostname, active.settings if active else Settings())

    def _make(self, settings: Settings, more: Sequence[str] = ()) -> Lab:
        watched = settings.names("watched")
        known = {site.hostname for site in SITES}
        sites = [Site(s.hostname, watched=s.hostname in watched) for s in SITES]
        sites += [Site(name, watched=name in watched) for name in more if name not in known]
        names = ca_names(settings) if "root" in settings else QAZNET
        lab = Lab(now=self._now, products=self._products, sites=sites, ca_names=names)
        (lab.directory / "roots.pem").write_bytes(lab.public_ca.store_pem)
        return lab


def _run(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        module_command("kzmitm", "scan", *words), capture_output=True, text=True, check=False
    )

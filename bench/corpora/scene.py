"""Where and when a measurement was made, its envelope, and the truth about it."""

import datetime as dt
import random
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from corpora.authorities import LookAlikes, PublicPKI, state_pki
from corpora.encoding import body_token
from corpora.minting import Issuer
from corpora.pages import Pages
from corpora.rows import Clock, Era
from corpora.sites import Network, Site

Document = dict[str, Any]
OLD_UNTIL = dt.datetime(2022, 5, 1, tzinfo=dt.UTC)
"""Addresses and ids came into the rows (probe-cli #711)."""
V05_FROM = dt.datetime(2023, 2, 1, tzinfo=dt.UTC)
OLD_STORE_VERSION = "3.14.2"
"""Probes of this version have a trust store without the newest public root."""
_VERSIONS = {
    "old": ("3.0.8", "3.5.2", "3.10.1", "3.11.0"),
    "v04": ("3.15.0", "3.16.7", "3.17.2", "3.18.1", "3.20.1"),
    "v05": ("3.17.2", "3.19.1", "3.20.1", "3.22.0", "3.23.0"),
}
_TEST_VERSIONS = {
    "old": ("0.2.0", "0.4.0"),
    "v04": ("0.4.1", "0.4.2", "0.4.3"),
    "v05": ("0.5.24", "0.5.26", "0.5.28"),
}
_PLATFORMS = (
    ("android", "arm64"),
    ("android", "arm"),
    ("windows", "amd64"),
    ("linux", "amd64"),
    ("macos", "arm64"),
)
_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class World:
    """All that one seed has made; made when it is asked for."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.public = PublicPKI(seed)
        self.look_alikes = LookAlikes(seed)
        self.pages = Pages(seed)

    @property
    def state_pki(self) -> tuple[Issuer, Issuer]:
        return state_pki(self.seed)


@lru_cache(maxsize=2)
def world_of(seed: int) -> World:
    return World(seed)


@dataclass(slots=True)
class Scene:
    """One run of a probe: what a situation is written from."""

    world: World
    rng: random.Random
    moment: dt.datetime
    era: Era
    network: Network
    site: Site
    bodies: list[str] = field(default_factory=list)
    small: bool = False
    uid: str = ""
    stated_moment: dt.datetime | None = None
    """The probe's own clock, where it is wrong."""
    software_version: str = ""

    @property
    def clock(self) -> Clock:
        return Clock(self.rng)

    def genuine(self, site: Site | None = None, variant: int = 0) -> list[str]:
        return self.world.public.genuine(site or self.site, self.moment, variant)

    def page(self, site: Site | None = None, *, small: bool = False, title: str = "") -> tuple[str, int]:
        """The body of a page, as a token until the line is written, and its length."""
        one = site or self.site
        recipe, size = self.world.pages.body(
            one.theme, title or one.title, self.rng, small=small or self.small
        )
        self.bodies.append(recipe)
        return body_token(len(self.bodies) - 1), size

    def envelope(
        self,
        keys: Document,
        *,
        test_name: str = "web_connectivity",
        version: str = "",
        input_: str | None = None,
    ) -> Document:
        """The measurement around its test keys; also settles its uid."""
        rng = self.rng
        moment = self.stated_moment or self.moment
        platform, architecture = rng.choice(_PLATFORMS)
        software = self.software_version or rng.choice(_VERSIONS[self.era])
        plain = test_name.replace("_", "")
        stamp = self.moment.strftime("%Y%m%dT%H%M%SZ")
        tail = "".join(rng.choices(_ALPHANUMERIC, k=16))
        self.uid = self.uid or f"{self._uid_time()}_KZ_{plain}_{rng.getrandbits(64):016x}"
        document: Document = {
            "annotations": {
                "architecture": architecture,
                "engine_name": "ooniprobe-engine",
                "engine_version": software,
                "network_type": rng.choice(("wifi", "mobile")),
                "platform": platform,
            },
            "data_format_version": "0.2.0",
            "extensions": {
                "dnst": 0,
                "httpt": 0,
                "netevents": 0,
                "tcpconnect": 0,
                "tlshandshake": 0,
                "tunnel": 0,
            },
            "input": input_,
            "measurement_start_time": moment.strftime("%Y-%m-%d %H:%M:%S"),
            "probe_asn": self.network.text,
            "probe_cc": "KZ",
            "probe_ip": "127.0.0.1",
            "probe_network_name": self.network.name,
            "report_id": f"{stamp}_{plain}_KZ_{self.network.asn}_n1_{tail}",
            "resolver_asn": self.network.text,
            "resolver_ip": self.network.resolver,
            "resolver_network_name": self.network.name,
            "software_name": "ooniprobe-android-unattended" if platform == "android" else "ooniprobe-cli",
            "software_version": software,
            "test_helpers": {
                "backend": {"address": f"https://{rng.randrange(4)}.th.ooni.org", "type": "https"}
            },
            "test_keys": keys,
            "test_name": test_name,
            "test_runtime": round(rng.random() * 9 + 0.4, 9),
            "test_start_time": (moment - dt.timedelta(seconds=rng.randrange(400))).strftime(
                "%Y-%m-%d %H:%M:%S"
            ),
            "test_version": version or rng.choice(_TEST_VERSIONS[self.era]),
        }
        if test_name != "web_connectivity":
            del document["test_helpers"]
        return document | {"measurement_uid": self.uid}

    def _uid_time(self) -> str:
        received = self.moment + dt.timedelta(seconds=2 + self.rng.randrange(30))
        return f"{received:%Y%m%d%H%M%S}.{self.rng.randrange(1_000_000):06}"


@dataclass(slots=True)
class Made:
    """What a situation gives: the document, and of the truth what only this document tells."""

    document: Document
    certificate: str | None = None
    """The interceptor's certificate that stands in it, in base64."""
    domain: str | None = None
    """The name that was intercepted, where it is not the site's."""


def era_of(moment: dt.datetime, rng: random.Random) -> Era:
    """In which of its forms a web_connectivity measurement of that time is written."""
    if moment < OLD_UNTIL:
        return "old"
    return "v05" if moment >= V05_FROM and rng.random() < 0.55 else "v04"

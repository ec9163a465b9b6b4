"""Sites and networks: names as probes in Kazakhstan are given them, addresses, hosters, networks by users."""

import datetime as dt
import random
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FINGERPRINTS = Path(__file__).resolve().parents[2] / "fingerprints"
SITES = 1500
"""As the test lists for Kazakhstan: the global one and the country's."""
FAMOUS = tuple(
    """
    www.google.com www.youtube.com www.facebook.com www.instagram.com twitter.com www.wikipedia.org vk.com
    mail.ru ok.ru www.yandex.kz t.me web.telegram.org www.bbc.com www.svoboda.org rus.azattyq.org
    www.azattyq.org tengrinews.kz www.nur.kz kaspi.kz krisha.kz kolesa.kz zakon.kz informburo.kz www.zona.kz
    respublika.kz.media vlast.kz mediazona.ca meduza.io www.fergana.news kloop.kg 24.kg www.amnesty.org
    www.hrw.org www.torproject.org protonvpn.com www.psiphon.ca www.tunnelbear.com nordvpn.com
    archive.org www.change.org www.avaaz.org livejournal.com www.tumblr.com www.dailymotion.com vimeo.com
    soundcloud.com github.com stackoverflow.com www.reddit.com www.linkedin.com www.skype.com signal.org
    www.whatsapp.com wordpress.com blogspot.com medium.com www.rferl.org iwpr.net ru.wikipedia.org
    """.split()  # noqa: SIM905 - shorter than a list
)
_HOSTERS = (
    (13335, "CLOUDFLARENET", "104.21"),
    (24940, "Hetzner Online GmbH", "88.198"),
    (16509, "AMAZON-02", "52.58"),
    (15169, "GOOGLE", "142.250"),
    (47764, "VK", "94.100"),
    (13238, "YANDEX LLC", "77.88"),
    (9198, "JSC Kazakhtelecom", "92.46"),
    (48716, "PS Internet Company LLP", "185.98"),
    (16276, "OVH SAS", "51.91"),
)


@dataclass(frozen=True, slots=True)
class Site:
    """A site: its addresses hold, its certificates are renewed."""

    number: int
    domain: str
    addresses: tuple[str, ...]
    hoster: tuple[int, str]
    theme: int
    title: str


@dataclass(frozen=True, slots=True)
class Network:
    """A network of probes: `resolver` is what its users ask."""

    asn: int
    name: str
    resolver: str

    @property
    def text(self) -> str:
        return f"AS{self.asn}"


@cache
def watched() -> tuple[str, ...]:
    """The names that were found intercepted, as the registry has them."""
    text = (FINGERPRINTS / "watchlists" / "kz-2021-2024.toml").read_text()
    return tuple(tomllib.loads(text)["names"])


@cache
def networks() -> tuple[tuple[Network, ...], tuple[float, ...]]:
    """The networks of the registry and their weights: percent of the users, or little."""
    entries = tomllib.loads((FINGERPRINTS / "networks.toml").read_text())["networks"]
    found = tuple(Network(e["asn"], e["name"], f"{_first(e['asn'])}.{e['asn'] % 251}.0.53") for e in entries)
    return found, tuple(float(e.get("share", 0.4)) for e in entries)


def _first(asn: int) -> str:
    return ("95.56", "2.72", "178.88", "37.150")[asn % 4].split(".", maxsplit=1)[0]


@cache
def network(asn: int) -> Network:
    """The network of that number."""
    return next(one for one in networks()[0] if one.asn == asn)


@cache
def site(number: int) -> Site:
    """The site of that rank; the same for every seed. The watched ones come first."""
    rng = random.Random(f"site:{number}")
    names = (*watched(), *FAMOUS)
    domain = names[number] if number < len(names) else _invented(rng, number)
    return _site(number, domain, rng)


@cache
def named(domain: str) -> Site:
    """The site of that name, wherever it ranks."""
    names = (*watched(), *FAMOUS)
    if domain in names:
        return site(names.index(domain))
    return _site(SITES + len(domain), domain, random.Random(f"named:{domain}"))


def _site(number: int, domain: str, rng: random.Random) -> Site:
    asn, organisation, prefix = rng.choice(_HOSTERS)
    addresses = tuple(
        f"{prefix}.{rng.randint(0, 255)}.{rng.randint(1, 254)}" for _ in range(rng.choice((1, 2, 2, 3)))
    )
    title = domain.removeprefix("www.").split(".")[0].capitalize()
    return Site(
        number, domain, tuple(dict.fromkeys(addresses)), (asn, organisation), rng.randrange(10**6), title
    )


_SYLLABLES = tuple(
    """
    al ma ty aq par at qaz sar kok tau bai ulan dala jol nur azat tengri zhan arka kun orda esil sary media
    info news blog shop mir rus vest free vpn proxy love game film torrent forum sport poker bet radio
    """.split()  # noqa: SIM905
)


def _invented(rng: random.Random, number: int) -> str:
    word = "".join(rng.sample(_SYLLABLES, rng.randint(2, 3)))
    ending = rng.choices(("kz", "com", "ru", "org", "net", "kg", "info"), (30, 30, 18, 10, 6, 3, 3))[0]
    return f"{'www.' if rng.random() < 0.35 else ''}{word}{number}.{ending}"


def pick_site(rng: random.Random) -> Site:
    """A site by Zipf's law, of all but the watched ones."""
    first = len(watched())
    return site(first + int((SITES - first) ** rng.random()) - 1)


def pick_network(rng: random.Random) -> Network:
    """A network, by its share of the users."""
    found, weights = networks()
    return rng.choices(found, weights)[0]


def day_of(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%d")

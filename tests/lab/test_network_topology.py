"""The network as its client meets it: hops that can be counted, names, sites, and no way out."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import network_probes
import pytest
from network_support import needs_network

from kzmitm.cli.clock import now
from kzmitm.lab.control.client import Lab, own_lab
from kzmitm.lab.network import quic_origin
from kzmitm.lab.network.topology import NAMESERVER, SITE_ADDRESSES
from kzmitm.lab.sites import SITES

pytestmark = needs_network

HERE = Path(__file__).parent
SITE_NAMES = tuple(site.hostname for site in SITES)
ADDRESSES = tuple(address for pair in SITE_ADDRESSES for address in pair)
A, AAAA = "1", "28"
"""Types of records (RFC 1035, RFC 3596)."""
NXDOMAIN = 3
"""RFC 1035, 4.1.1"""

ROUTERS = {4: ("10.77.0.1", "198.51.100.2", "198.51.100.6"), 6: ("fd77::1", "fd77:12::2", "fd77:23::2")}
SERVER = {4: "203.0.113.10", 6: "fd77:34::10"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = own_lab(now())
    try:
        yield lab
    finally:
        lab.close()


@pytest.fixture
def profiles(lab: Lab) -> Iterator[Lab]:
    """The same, with nothing switched on afterwards."""
    yield lab
    lab.switch_off()


def probe(lab: Lab, what: str, *, host: str = "client", **arguments):
    """Run one of the probes; what it says."""
    words = [sys.executable, network_probes.__file__, what, json.dumps(arguments)]
    done = lab.run(host, words, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def inside(lab: Lab, *words: str, host: str = "client", **options) -> str:
    done = lab.run(host, words, timeout=60, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("version", [4, 6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_each_hop_is_met_at_its_distance(lab: Lab, version: int, kind: str):
    assert probe(lab, "walk", address=SERVER[version], kind=kind) == [*ROUTERS[version], SERVER[version]]


@pytest.mark.parametrize(
    ("hidden", "stars"),
    [("operator", {1}), ("access,transit", {0, 2}), ("all", {0, 1, 2}), (" all , access ", {0, 1, 2})],
)
def test_hidden_routers_say_nothing(profiles: Lab, hidden: str, stars: set[int]):
    profiles.switch_on("none", {"hidden": hidden})
    ways = [(SERVER[version], kind) for version in (4, 6) for kind in ("udp", "tcp")]
    expected = [
        [*("*" if i in stars else address for i, address in enumerate(ROUTERS[version])), SERVER[version]]
        for version in (4, 6)
        for _ in ("udp", "tcp")
    ]
    assert probe(profiles, "walks", ways=ways, silence=network_probes.SILENCE_S) == expected


def test_what_was_hidden_is_seen_again(lab: Lab):
    lab.switch_on("none", {"hidden": "all"})
    lab.switch_off()
    assert probe(lab, "walk", address=SERVER[4], kind="udp") == [*ROUTERS[4], SERVER[4]]
    for host in lab.status["hosts"]:
        assert inside(lab, "nft", "list", "ruleset", host=host) == ""


def test_nothing_elsewhere_can_be_reached(lab: Lab):
    elsewhere = ["192.0.2.1", "10.0.0.1", "127.1.2.3", "2001:db8::1", "198.51.100.77", "203.0.113.99"]
    said = probe(lab, "connect", addresses=elsewhere)
    assert "connected" not in said.values()


WIRES = {
    "client": {"lo", "outside"},
    "access": {"lo", "inside", "outside"},
    "operator": {"lo", "inside", "outside"},
    "transit": {"lo", "inside", "outside"},
    "server": {"lo", "inside"},
}


def test_hosts_have_no_interfaces_but_their_wires(lab: Lab):
    for host in lab.status["hosts"]:
        links = json.loads(inside(lab, "ip", "-json", "link", host=host))
        assert {link["ifname"] for link in links} == WIRES[host]
        # The other end of a wire is in another host, and never in the namespace of this test.
        assert all(link["link_type"] == "loopback" or "link_netnsid" in link for link in links)


def test_process_1_itself_has_no_way_out(lab: Lab):
    entries = Path(f"/proc/{lab.pid}/net/dev").read_text().splitlines()[2:]
    assert [entry.partition(":")[0].strip() for entry in entries] == ["lo"]


@pytest.mark.parametrize("server", NAMESERVER)
def test_every_site_has_addresses_of_both_families(lab: Lab, server: str):
    said = probe(lab, "names", server=server, wanted=SITE_NAMES)
    for name in SITE_NAMES:
        (code4, v4), (code6, v6) = said[name][A], said[name][AAAA]
        assert (code4, code6) == (0, 0), name
        assert v4, name
        assert v6, name
        assert {*v4, *v6} <= set(ADDRESSES), name
    assert len(said[SITE_NAMES[0]][A][1]) == len(said[SITE_NAMES[0]][AAAA][1]) == 2


@pytest.mark.parametrize(
    "name", ["nobody.lab.test", "social.lab.test.lab.test", "a.social.lab.test", "example.org"]
)
def test_other_names_do_not_exist(lab: Lab, name: str):
    said = probe(lab, "names", server=NAMESERVER[0], wanted=[name])[name]
    assert said == {A: [NXDOMAIN, []], AAAA: [NXDOMAIN, []]}


def test_ordinary_programs_are_told_the_same(lab: Lab):
    said = probe(lab, "resolve", wanted=["video.lab.test", "nobody.lab.test"])
    pair = list(SITE_ADDRESSES[1])
    assert said == {"video.lab.test": sorted(pair), "nobody.lab.test": True}


def test_every_site_is_at_every_address(lab: Lab):
    genuine = {name: chain[0].hex() for name, chain in lab.genuine().items()}
    assert set(genuine) == set(SITE_NAMES)
    assert len(set(genuine.values())) == len(SITE_NAMES)
    said = probe(lab, "shake", addresses=ADDRESSES, hostnames=SITE_NAMES)
    assert len(said) == len(SITE_NAMES) * len(ADDRESSES)
    assert [key for key, leaf in said.items() if leaf != genuine[key.split()[0]]] == []


FLAWED = [
    ("social", "0"),
    ("expired", "10"),
    ("notyet", "9"),
    ("wronghost", "62"),
    ("selfsigned", "18"),
    ("nochain", "21"),
]
"""Sites, and the codes of openssl-verification-options(1)."""


@pytest.mark.parametrize(("site", "code"), FLAWED, ids=[site for site, _ in FLAWED])
def test_flaws_are_what_openssl_says(lab: Lab, site: str, code: str):
    name = f"{site}.lab.test"
    words = ["openssl", "s_client", "-connect", f"{name}:443", "-servername", name]
    words += ["-verify_hostname", name, "-CAfile", str(lab.directory / "roots.pem"), "-no-CApath"]
    said = inside(lab, *words, "-no-CAstore", input="")
    assert f"Verify return code: {code} (" in said


@pytest.mark.parametrize(
    ("address", "client"), [("203.0.113.12", "10.77.0.2"), ("fd77:34::12", "fd77::2")], ids=["IPv4", "IPv6"]
)
def test_page_says_who_asked(lab: Lab, address: str, client: str):
    roots = str(lab.directory / "roots.pem")
    said = probe(lab, "page", address=address, hostname="bank.lab.test", roots=roots)
    assert said.startswith("HTTP/1.1 200 ")
    assert "<h1>bank.lab.test</h1>" in said
    assert f"<code>{client}</code>" in said


def test_page_says_that_somebody_asked_in_the_stead_of_the_client(profiles: Lab):
    profiles.switch_on("kz-proxy", {})
    root = profiles.status["root"].encode()
    (profiles.outer_directory / "look-alike.pem").write_bytes(root)
    said = probe(
        profiles,
        "page",
        address=SERVER[4],
        hostname="social.lab.test",
        roots=str(profiles.directory / "look-alike.pem"),
    )
    assert "<code>198.51.100.5</code>" in said


@pytest.mark.skipif(not quic_origin.has_quic(), reason="needs aioquic")
@pytest.mark.parametrize("address", [SITE_ADDRESSES[0][0], SITE_ADDRESSES[3][1]], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("name", ["social.lab.test", "bank.lab.test"])
def test_sites_answer_over_quic(lab: Lab, address: str, name: str):
    roots = str(lab.directory / "roots.pem")
    words = [sys.executable, str(HERE / "network_quic.py"), address, name, roots]
    assert quic_origin.TITLE in inside(lab, *words)


@pytest.mark.skipif(not quic_origin.has_quic(), reason="needs aioquic")
def test_quic_client_of_these_tests_refuses_what_does_not_verify(profiles: Lab):
    profiles.switch_on("kz-proxy", {})  # whose root signed nothing that is shown over QUIC
    (profiles.outer_directory / "look-alike.pem").write_text(profiles.status["root"])
    roots = str(profiles.directory / "look-alike.pem")
    words = [sys.executable, str(HERE / "network_quic.py"), SERVER[4], "social.lab.test", roots]
    done = profiles.run("client", words, timeout=60)
    assert done.returncode != 0
    assert "certificate" in done.stderr
    assert quic_origin.TITLE not in done.stdout

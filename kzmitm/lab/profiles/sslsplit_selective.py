"""sslsplit with leaves forged beforehand in the manner of 2019; what is not watched passes through."""

from kzmitm.lab.certificates.look_alike import LookAlikeCA
from kzmitm.lab.certificates.pki import Credential, pem
from kzmitm.lab.loopback.laboratory import Lab
from kzmitm.lab.network.network import Network
from kzmitm.lab.parts.parameters import FORGING, forged
from kzmitm.lab.parts.stock import forging_ca, run_sslsplit, sslsplit_on_loopback
from kzmitm.lab.profile import Loopback, Place, Profile
from kzmitm.lab.settings import Settings

NAME = "sslsplit-selective"
PACKAGE = "sslsplit"
PORT = 8444


def _forgery(ca: LookAlikeCA, genuine: Credential) -> bytes:
    """A forged leaf with its chain and key, as sslsplit's -t wants it."""
    leaf = ca.forge(genuine.certificate)
    return pem(leaf.certificate) + leaf.chain_pem + leaf.key_pem


def _on_network(network: Network, settings: Settings) -> None:
    ca = forging_ca(network, settings)
    for hostname in settings.names("watched"):
        content = _forgery(ca, network.servers.shown[hostname][0][0])
        network.file(f"{NAME}/{hostname}.pem", content)
    # Without a CA of its own (-k, -c) it forges nothing else; -P lets that pass.
    words = ["-t", str(network.directory / NAME), "-P", "ssl", "0.0.0.0", str(PORT)]  # noqa: S104 - a lab's own
    run_sslsplit(network, words, port=PORT)


def _on_loopback(lab: Lab) -> None:
    forgeries = lab.directory / NAME
    forgeries.mkdir()
    for hostname in lab.struck_of(NAME):
        content = _forgery(lab.look_alike, lab.shown(hostname))
        (forgeries / f"{hostname}.pem").write_bytes(content)
    proxies = sslsplit_on_loopback(lab, NAME, "ssl")
    lab.start(NAME, [lab.program(PACKAGE), "-t", str(forgeries), "-P", *proxies])
    lab.wait_for(NAME)


def _off_loopback(lab: Lab) -> None:
    lab.stop(NAME)


PROFILE = Profile(
    name=NAME,
    title="sslsplit as in Kazakhstan in 2019, for watched names only",
    lesson="The leaves were forged beforehand in the manner of 2019 and are shown for watched names; "
    "whatever else is asked passes through untouched. It misses the big hellos of today's "
    "browsers.",
    place=Place.OPERATOR,
    intercepts=True,
    selective=True,
    expected=lambda settings: forged(settings, "kazakhstan-2019-late"),
    parameters=FORGING,
    needs=(PACKAGE,),
    network=_on_network,
    loopback=Loopback(on=_on_loopback, off=_off_loopback, sites=("social.lab.test", "news.lab.test")),
)

"""sslsplit forging every certificate with the look-alike intermediate."""

from pathlib import Path

from kzmitm.lab.certificates.pki import Credential, pem
from kzmitm.lab.loopback.laboratory import Lab
from kzmitm.lab.network.network import Network
from kzmitm.lab.parts.parameters import HIDDEN, KNOWN, forged, of_ca, sites
from kzmitm.lab.parts.stock import forging_ca, run_sslsplit, sslsplit_on_loopback
from kzmitm.lab.profile import Loopback, Place, Profile
from kzmitm.lab.settings import Settings
from kzmitm.lab.sites import STRUCK

NAME = "sslsplit"
PORT = 8444


def _files(ca: Credential) -> dict[str, bytes]:
    return {
        f"{NAME}-key.pem": ca.key_pem,
        f"{NAME}-ca.pem": pem(ca.certificate),
        f"{NAME}-root.pem": ca.chain_pem,
    }


def _words(key: Path, certificate: Path, root: Path) -> list[str]:
    return ["-k", str(key), "-c", str(certificate), "-C", str(root), "-P"]


def _on_network(network: Network, settings: Settings) -> None:
    files = _files(forging_ca(network, settings).intermediate)
    words = _words(*(network.file(name, content) for name, content in files.items()))
    run_sslsplit(network, [*words, "https", "0.0.0.0", str(PORT)], port=PORT)  # noqa: S104 - a lab's own


def _on_loopback(lab: Lab) -> None:
    files = {lab.directory / name: content for name, content in _files(lab.look_alike.intermediate).items()}
    for path, content in files.items():
        path.write_bytes(content)
    proxies = sslsplit_on_loopback(lab, NAME, "https")
    lab.start(NAME, [lab.program(NAME), *_words(*files), *proxies])
    lab.wait_for(NAME)


def _off_loopback(lab: Lab) -> None:
    lab.stop(NAME)


PROFILE = Profile(
    name=NAME,
    title="sslsplit, forging every certificate",
    lesson="A well-known tool that forges for every site it is asked for, and leaves its habits in each "
    "leaf: an RSA key with exponent 3, one for all sites, and a serial number close to the genuine"
    " one.",
    place=Place.OPERATOR,
    intercepts=True,
    expected=lambda settings: forged(settings, "sslsplit"),
    parameters=(sites(*STRUCK), *of_ca(), KNOWN, HIDDEN),
    needs=(NAME,),
    network=_on_network,
    loopback=Loopback(on=_on_loopback, off=_off_loopback, sites=("mail.lab.test", "chat.lab.test")),
)

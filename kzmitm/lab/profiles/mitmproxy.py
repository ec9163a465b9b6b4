"""mitmproxy with the look-alike intermediate, for watched names only."""

import re
from collections.abc import Sequence

from kzmitm.lab.certificates.pki import pem
from kzmitm.lab.loopback.laboratory import Lab
from kzmitm.lab.network.network import Network
from kzmitm.lab.parts.parameters import FORGING, forged
from kzmitm.lab.parts.stock import forging_ca, run_mitmproxy
from kzmitm.lab.profile import Loopback, Place, Profile
from kzmitm.lab.settings import Settings

NAME = "mitmproxy"


def _allowed(hostnames: Sequence[str]) -> str:
    """Its `allow_hosts`, which is held against the SNI and the port."""
    return rf"^(.+\.)?({'|'.join(map(re.escape, hostnames))}):"


def _on_network(network: Network, settings: Settings) -> None:
    ca = forging_ca(network, settings)
    run_mitmproxy(network, Place.OPERATOR, ca, {"allow_hosts": _allowed(settings.names("watched"))})


def _on_loopback(lab: Lab) -> None:
    ca = lab.look_alike.intermediate
    configuration = lab.directory / NAME
    configuration.mkdir()
    (configuration / "mitmproxy-ca.pem").write_bytes(ca.key_pem + pem(ca.certificate) + ca.chain_pem)
    store = lab.directory / f"{NAME}-store.pem"
    store.write_bytes(lab.public_ca.store_pem)
    modes = [
        part for here, there in lab.relay(NAME) for part in ("--mode", f"reverse:https://{there}@{here}")
    ]
    options = {
        "confdir": configuration,
        "ssl_verify_upstream_trusted_ca": store,
        "connection_strategy": "eager",
        # the name the client asked for goes on to the origin
        "keep_host_header": "true",
        "allow_hosts": _allowed(lab.struck_of(NAME)),
    }
    settings = [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
    lab.start(NAME, [lab.program(NAME), *modes, *settings])
    lab.wait_for(NAME)


def _off_loopback(lab: Lab) -> None:
    lab.stop(NAME)


PROFILE = Profile(
    name=NAME,
    title="mitmproxy, for watched names only",
    lesson="A developer's tool in the operator's hands. It looks at the genuine certificate and copies "
    "its names, and gives itself away by its own: the authority's key serves for every leaf, for a"
    " year and two days.",
    place=Place.OPERATOR,
    intercepts=True,
    selective=True,
    expected=lambda settings: forged(settings, "mitmproxy-eager"),
    parameters=FORGING,
    needs=(NAME,),
    network=_on_network,
    loopback=Loopback(on=_on_loopback, off=_off_loopback, sites=("video.lab.test", "music.lab.test")),
)

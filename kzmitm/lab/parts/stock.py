"""What the profiles of stock products share."""

from collections.abc import Sequence

from kzmitm.lab.certificates.look_alike import LookAlikeCA
from kzmitm.lab.certificates.pki import pem
from kzmitm.lab.loopback.laboratory import Lab
from kzmitm.lab.network.network import Network
from kzmitm.lab.network.processes import Port
from kzmitm.lab.network.topology import INSIDE
from kzmitm.lab.parts.parameters import ca_names
from kzmitm.lab.profile import Place
from kzmitm.lab.settings import Settings

LOOK_ALIKE_OF = "the laboratory's look-alike of {name}"


def forging_ca(network: Network, settings: Settings, *, has_expired: bool = False) -> LookAlikeCA:
    """The CA that the settings name, announced to the registry of the scan if they say so."""
    names = ca_names(settings)
    ca = network.look_alike(names, has_expired=has_expired)
    name = LOOK_ALIKE_OF.format(name=names.root)
    network.announce(ca.root, known=settings.is_on("known"), name=name)
    return ca


def close_ipv6(network: Network, host: Place) -> None:
    """Refuse IPv6 where a product sees IPv4 only, as an operator without it does: clients then take IPv4."""
    network.nft(
        host,
        "table ip6 kzmitm-closed {\n"
        "  chain forward {\n"
        "    type filter hook forward priority filter;\n"
        f'    iifname "{INSIDE}" tcp dport 443 reject with tcp reset\n'
        "  }\n}\n",
    )


def sslsplit_on_loopback(lab: Lab, profile: str, kind: str) -> list[str]:
    """Arguments that let sslsplit relay every site of a profile to its origin."""
    return [
        part
        for here, there in lab.relay(profile)
        for part in (kind, here.ip, str(here.port), there.ip, str(there.port))
    ]


def run_sslsplit(network: Network, words: Sequence[str], *, port: int) -> None:
    """Run sslsplit at the operator's gateway, with what comes from the client sent to it."""
    # -u root: there is no other user in the namespace to change to.
    argv = [network.program("sslsplit"), "-D", "-u", "root", *words]
    network.start("sslsplit", Place.OPERATOR, argv, ports=(Port(port),))
    network.redirect(Place.OPERATOR, port, only="meta nfproto ipv4")
    close_ipv6(network, Place.OPERATOR)  # sslsplit asks netfilter for IPv4 destinations only


def run_mitmproxy(network: Network, host: Place, ca: LookAlikeCA, settings: dict[str, str]) -> None:
    """Run mitmproxy in a host, with what comes from the client sent to it."""
    name, port = "mitmproxy", 8443
    issuer = ca.intermediate
    network.file("mitmproxy/mitmproxy-ca.pem", issuer.key_pem + pem(issuer.certificate) + issuer.chain_pem)
    options = {
        "confdir": str(network.directory / name),
        "ssl_verify_upstream_trusted_ca": str(network.directory / "roots.pem"),
        "connection_strategy": "eager",
        "block_global": "false",
        "termlog_verbosity": "warn",
        **settings,
    }
    words = [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
    argv = [network.program(name), "--mode", "transparent", "--listen-port", str(port), *words]
    network.start(name, host, argv, ports=(Port(port),))
    network.redirect(host, port)

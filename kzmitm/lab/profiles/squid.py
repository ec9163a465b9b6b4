"""squid with ssl-bump for watched names; the rest is spliced."""

from kzmitm.lab.certificates.pki import pem
from kzmitm.lab.network.network import Network
from kzmitm.lab.network.processes import Port
from kzmitm.lab.parts.parameters import FORGING, forged
from kzmitm.lab.parts.stock import close_ipv6, forging_ca
from kzmitm.lab.profile import Place, Profile
from kzmitm.lab.settings import Settings

NAME = "squid"
PACKAGE = "squid-openssl"
PORT = 8445
USER = "13"
"""Debian's `proxy`. squid refuses to be root, so it gets a user namespace in which it is this one."""

CONFIGURATION = """\
visible_hostname gateway.lab.test
http_port 127.0.0.1:3128
https_port {port} intercept ssl-bump tls-cert={chain} tls-key={key} generate-host-certificates=on \
dynamic_cert_mem_cache_size=4MB
sslcrtd_program {generator} -s {folder}/certificates -M 4MB
sslcrtd_children 2 startup=1
tls_outgoing_options cafile={roots}
acl step1 at_step SslBump1
acl watched ssl::server_name {names}
ssl_bump peek step1
ssl_bump bump watched
ssl_bump splice all
http_access allow all
cache deny all
access_log none
cache_log stdio:{folder}/cache.log
cache_mem 8 MB
coredump_dir {folder}
pid_filename none
pinger_enable off
shutdown_lifetime 0 seconds
"""


def _on(network: Network, settings: Settings) -> None:
    ca = forging_ca(network, settings).intermediate
    folder = network.folder(NAME)
    generator = network.program(PACKAGE)
    text = CONFIGURATION.format(
        port=PORT,
        chain=network.file(f"{NAME}-chain.pem", pem(ca.certificate) + ca.chain_pem),
        key=network.file(f"{NAME}-key.pem", ca.key_pem),
        generator=generator,
        folder=folder,
        roots=network.directory / "roots.pem",
        names=" ".join(f".{name}" for name in settings.names("watched")),
    )
    path = network.file(f"{NAME}.conf", text.encode())
    as_proxy = ["unshare", "--user", f"--map-user={USER}", f"--map-group={USER}"]
    network.execute(Place.OPERATOR, [*as_proxy, generator, "-c", "-s", f"{folder}/certificates", "-M", "4MB"])
    network.start(NAME, Place.OPERATOR, [*as_proxy, NAME, "-N", "-f", str(path)], ports=(Port(PORT),))
    network.redirect(Place.OPERATOR, PORT, only="meta nfproto ipv4")
    close_ipv6(network, Place.OPERATOR)


PROFILE = Profile(
    name=NAME,
    title="squid with SSL bump, for watched names only",
    lesson="A proxy that many offices have, here at the operator's gateway. It copies subject, names and "
    "dates of the genuine leaf, and signs with the very key that it puts into it.",
    place=Place.OPERATOR,
    intercepts=True,
    selective=True,
    expected=lambda settings: forged(settings, "squid"),
    parameters=FORGING,
    needs=(PACKAGE,),
    network=_on,
)

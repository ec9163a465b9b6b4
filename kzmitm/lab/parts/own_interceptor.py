"""The laboratory's own interceptor, put into a host by a profile."""

import json
from collections.abc import Sequence

from kzmitm.lab.certificates.pki import Credential, pem
from kzmitm.lab.control.commands import module_command
from kzmitm.lab.interceptor import rules
from kzmitm.lab.network.network import Network
from kzmitm.lab.network.processes import READY
from kzmitm.lab.network.topology import INSIDE, OUTSIDE
from kzmitm.lab.profile import Place

NAME = "interceptor"
MODULE = "kzmitm.lab.interceptor"
PORT = 8443
QUEUE = 0
MARK = 0x10
"""On packets of its own, which are neither queued nor redirected."""


def inline(network: Network, *, issuer: Credential, rule: str, watched: Sequence[str]) -> None:
    """At the operator's gateway: it lets the TCP handshake pass and takes over what names a watched site."""
    for command in rules.inline_teardown(INSIDE, OUTSIDE, queue=QUEUE, mark=MARK):
        network.execute_at_the_end(Place.OPERATOR, command.argv, command.stdin)
    for command in rules.inline_setup(INSIDE, OUTSIDE, queue=QUEUE, mark=MARK):
        network.execute(Place.OPERATOR, command.argv, command.stdin)
    told = _document(network, "inline", issuer, rule, watched)
    _start(network, Place.OPERATOR, told | {"queue": QUEUE, "action": "forge", "require_valid_origin": True})


def proxy(
    network: Network,
    host: Place,
    *,
    action: str = "forge",
    issuer: Credential | None = None,
    rule: str = "2024",
    watched: Sequence[str] | None,
) -> None:
    """In a host: every connection to port 443 ends at it; None watches every name.

    In the client it takes what that very host sends, elsewhere what passes through.
    """
    network.flush_at_the_end(host)
    setup = _local_setup() if host is Place.CLIENT else rules.proxy_setup(INSIDE, port=PORT)
    for command in setup:
        network.execute(host, command.argv, command.stdin)
    told = _document(network, "proxy", issuer or network.public_ca.issuing, rule, watched)
    _start(network, host, told | {"port": PORT, "action": action, "require_valid_origin": True})


def _local_setup() -> tuple[rules.Command, ...]:
    """For a program on the client itself: all that is sent to port 443, but for its own connections."""
    statements = (
        "table inet kzmitm-local {\n"
        "  chain output {\n"
        "    type nat hook output priority -100;\n"
        f"    meta mark != {MARK} tcp dport 443 redirect to :{PORT}\n"
        "  }\n}\n"
    )
    return (rules.Command(("nft", "-f", "-"), statements),)


def _document(
    network: Network,
    mode: str,
    issuer: Credential,
    rule: str,
    watched: Sequence[str] | None,
) -> dict[str, object]:
    return {
        "mode": mode,
        "watched": None if watched is None else list(watched),
        "rule": rule,
        "chain": pem(issuer.certificate).decode(),
        "key": issuer.key_pem.decode(),
        "public_roots": network.servers.store_pem.decode(),
        "mark": MARK,
    }


def _start(network: Network, host: str, told: dict[str, object]) -> None:
    # The keys go over a pipe, and are in no file.
    stdin = json.dumps(told).encode() + b"\n"
    network.start(NAME, host, module_command(MODULE), stdin=stdin, word=READY)

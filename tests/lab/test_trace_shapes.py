"""Traces over paths that the laboratory does not have: long, parallel, rewriting, rationing, one way back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trace_net
from network_support import needs_network

from kzmitm.lab.control.commands import search_path
from kzmitm.lab.network.namespaces import UNSHARE
from kzmitm.lab.products import find_products
from kzmitm.model.location import LOCATED, Device

pytestmark = [
    needs_network,
    pytest.mark.skipif(bool(find_products().lacks(["iptables"])), reason="needs iptables"),
]

MOST_S = 9.0
"""Of a trace without losses; a quiet computer needs six at most."""
_NAMED = "-p tcp --dport 443 -m string --algo bm --from 40 --to 2000 --string {name}"
DROP = f"ip46tables -A FORWARD {_NAMED} -j DROP"
RESET = f"ip46tables -A FORWARD {_NAMED} -j REJECT --reject-with tcp-reset"
REWRITE = (
    "iptables -t mangle -A PREROUTING -d 203.0.113.10 -j TTL --ttl-set 64; "
    "ip6tables -t mangle -A PREROUTING -d fd99::10 -j HL --hl-set 64"
)
HIDE = (
    "nft 'add table inet h; add chain inet h o { type filter hook output priority 0; }; "
    "add rule inet h o icmp type time-exceeded drop; add rule inet h o icmpv6 type time-exceeded drop'"
)
MASQUERADE = (
    "nft 'add table inet n; add chain inet n p { type nat hook postrouting priority srcnat; }; "
    'add rule inet n p oifname "w2" masquerade\''
)
LOSE = (
    "nft 'add table inet l; add chain inet l f { type filter hook forward priority 0; }; "
    "add rule inet l f numgen random mod 100 < 15 drop'"
)


def behind_nat(hops):
    """The first router lends its address, which the others must know the way back to."""
    routers = [*range(3, hops + 1)]
    back = [
        [host, f"ip route add 10.9.2.0/24 via 10.9.{n}.1; ip -6 route add fd09:2::/64 via fd09:{n:x}::1"]
        for n, host in [*((n, f"r{n}") for n in routers), (hops + 1, "server")]
    ]
    return [["r1", MASQUERADE], *back]


SHAPES = {
    "long, silent routers, drop": (
        {"hops": 11, "rules": [["r7", DROP], ["r3", HIDE], ["r5", HIDE], ["r8", HIDE]]},
        Device.SNI_DROP,
        (7, 9),
    ),
    "two in a row": ({"hops": 6, "rules": [["r2", RESET], ["r4", DROP]]}, Device.SNI_INJECTOR, (2, 3)),
    "drop before a proxy": (
        {"hops": 6, "proxies": ["r5"], "rules": [["r2", DROP]]},
        Device.SNI_DROP,
        (2, 3),
    ),
    "rewritten TTLs": ({"hops": 4, "rules": [["r2", REWRITE], ["r3", DROP]]}, Device.UNMEASURABLE, None),
    "rewritten TTLs at the first router": (
        {"hops": 4, "rules": [["r1", REWRITE]]},
        Device.UNMEASURABLE,
        None,
    ),
    "parallel, drop behind": (
        {"hops": 6, "parallel": [2, 4, 3], "rules": [["r5", DROP]]},
        Device.SNI_DROP,
        (5, 6),
    ),
    "rationed ICMP": ({"hops": 5, "ratelimit": 1000}, Device.ENDPOINT, None),
    "another way back": ({"hops": 5, "back": 3, "rules": [["r3", RESET]]}, Device.SNI_INJECTOR, (3, 4)),
    "behind NAT": ({"hops": 4, "rules": [*behind_nat(4), ["r3", RESET]]}, Device.SNI_INJECTOR, (3, 4)),
    "own packets, NAT, proxy": (
        {"hops": 5, "proxies": ["r3"], "rules": behind_nat(5), "method": "raw"},
        Device.TERMINATING_PROXY,
        (2, 3),
    ),
}
CLEAN = {
    "parallel, of different length": {"hops": 6, "parallel": [2, 4, 1], "times": 4},
    "losses": {"hops": 5, "rules": [["r2", LOSE]], "times": 2},
}


def run(spec):
    words = [*UNSHARE, sys.executable, trace_net.__file__, json.dumps(spec)]
    tree = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": tree, "PATH": search_path()}
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", SHAPES)
def test_paths_of_all_shapes(name):
    spec, device, segment = SHAPES[name]
    traced = run(spec)
    assert len(traced) == 2
    for told in traced:
        finding = told["location"]["finding"]
        assert finding["device"] == device, told
        assert told["seconds"] < MOST_S
        if segment is not None:
            assert (finding["segment"]["lower"], finding["segment"]["upper"]) == segment
        if "parallel" in spec:  # nobody tells which of two routers was taken
            met = {address["ip"] for address in finding["segment"]["before"]["addresses"]}
            assert met <= {"10.9.5.2", "10.9.11.2", "fd09:5::2", "fd09:b::2"}


@pytest.mark.parametrize("name", CLEAN)
def test_clean_paths_name_nobody(name):
    assert not {told["location"]["finding"]["device"] for told in run(CLEAN[name])} & LOCATED

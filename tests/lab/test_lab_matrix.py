"""The matrix of each real interceptor in a network, against what is known of its behaviour.

The reflector has one certificate for whatever name, as servers of one site have; the default site of the
others is not watched, so that a box that goes by the genuine certificate where it sees no name is told.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from network_support import PATIENCE_S, needs_network, needs_product

from kzmitm.cli.clock import now
from kzmitm.evidence.schema import schema_text
from kzmitm.lab.control.client import Lab, own_lab
from kzmitm.lab.control.commands import module_command
from kzmitm.lab.profile import profile_named

pytestmark = needs_network

ORIGIN = Path(__file__).parent / "matrix_origin.py"
TARGET, OTHER, BENIGN, REFLECTOR = "video.lab.test", "mail.lab.test", "news.lab.test", "bank.lab.test"
"""The benign name is of a site at the target's own address: squid wants names and addresses to agree."""
REFLECTOR_ADDRESS, TARGET_ADDRESS = "203.0.113.20", "203.0.113.11"
SCHEMA = Draft202012Validator(json.loads(schema_text("matrix")))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    found = own_lab(now())
    servers = []
    try:
        found.run("server", ["ip", "addr", "add", f"{REFLECTOR_ADDRESS}/24", "dev", "inside"])
        for address, port, hostname in ((REFLECTOR_ADDRESS, 443, REFLECTOR), (TARGET_ADDRESS, 8443, TARGET)):
            number = list(found.status["sites"]).index(hostname)
            stem = found.directory / f"origin-{number}-0-0"
            words = [sys.executable, str(ORIGIN), address, str(port), f"{stem}.pem", f"{stem}.key"]
            server = subprocess.Popen(
                [*found.prefix("server"), *words],
                env=found.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
            )
            servers.append(server)
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
        yield found
    finally:
        found.down()  # takes all that runs in it along
        for server in servers:
            server.wait(PATIENCE_S)
            server.stdout.close()


def matrix(lab: Lab, profile: str, *more: str) -> tuple[int, dict[str, Any]]:
    """Exit code and document of the real command, run at the client with a profile switched on."""
    needs_product(profile)
    given = {"watched": f"{TARGET},{OTHER}"} if profile_named(profile).selective else {}
    lab.switch_on(profile, given)
    try:
        return measured(lab, *more)
    finally:
        lab.switch_off()


def measured(lab: Lab, *more: str) -> tuple[int, dict[str, Any]]:
    words = ["matrix", TARGET, "--reflector", REFLECTOR, "--resolve", f"{REFLECTOR}:443:{REFLECTOR_ADDRESS}"]
    words += ["--other", OTHER, "--benign", BENIGN, "--other-port", "8443", "--repeats", "1"]
    words += ["--i-understand", "--doh", "none", "--timeout", "2", "--gap", "0", "--json"]
    words += ["--store", str(lab.directory / "roots.pem")]
    words += ["--fingerprints", str(lab.directory / "overlay"), *more]
    done = lab.run("client", module_command("kzmitm", *words))
    document = json.loads(done.stdout)
    SCHEMA.validate(document)
    (target,) = document["targets"]
    return done.returncode, target


def conclusions(target: dict[str, Any]) -> dict[str, str]:
    return {each["subject"]: each["value"] for each in target["conclusions"]}


SELECTIVE = {
    "trigger": "listed_names",
    "destination": "any_address",
    "direction": "from_here",
    "copying": "origin_at_address",
    "termination": "from_the_first_packet",
    "needs_server": "yes",
    "constancy": "always",
    "protocol": "kept",
    "no_name": "passes",
    "other_watched_name": "intercepted",
    "upper_case": "intercepted",
    "dot": "intercepted",
    "browser": "intercepted",
    "segments": "intercepted",
    "records": "intercepted",
    "tls12": "intercepted",
    "ech": "intercepted",
    "other_port": "passes",
    "quic": "passes",
    "ipv6": "intercepted",
}
"""An interceptor as it might be; the others are told by what they do otherwise."""
NO_IPV6 = {"ipv6": "fails_for_every_name"}
"""The laboratory closes IPv6 where the product sees IPv4 only."""

BEHAVIOUR: dict[str, dict[str, str]] = {
    # The only one that lets the connection reach the server first.
    "kz-inline": {"termination": "not_before_the_hello"},
    "kz-proxy": {},
    # It holds names against a pattern that has no room for a final dot.
    "mitmproxy": {"copying": "name_asked_for", "dot": "passes"},
    "sslsplit": {
        "trigger": "every_name",
        "copying": "origin_and_name",
        "protocol": "not_told",
        "no_name": "intercepted",
        "records": "fails_for_every_name",
        **NO_IPV6,
    },
    # It knows names as they are written, and misses those of hellos that it cannot read whole.
    "sslsplit-selective": {
        "copying": "name_asked_for",
        "protocol": "lost",
        "upper_case": "passes",
        "dot": "passes",
        "browser": "passes",
        "records": "fails_for_every_name",
        **NO_IPV6,
    },
    # Where the server cannot be reached or shows another's certificate, it forges one for its error page.
    "squid": {
        "copying": "name_asked_for",
        "needs_server": "no",
        "protocol": "lost",
        "dot": "passes",
        **NO_IPV6,
    },
}
PRODUCTS = {"mitmproxy": "mitmproxy-eager", "sslsplit": "sslsplit", "squid": None}


@pytest.mark.parametrize("profile", BEHAVIOUR)
def test_behaviour_of_each_interceptor(lab: Lab, profile: str):
    code, target = matrix(lab, profile)
    assert code == 1
    assert (target["outcome"], target["has_forger"], target["ended"]) == ("interception", True, "complete")
    assert conclusions(target) == SELECTIVE | BEHAVIOUR[profile]
    cells = {cell["cell"]: cell for cell in target["cells"]}
    for conclusion in target["conclusions"]:
        assert bool(conclusion["cells"]) is (conclusion["value"] != "not_told")
        assert cells.keys() >= set(conclusion["cells"])
    assert len(target["cells"]) <= target["connections"] < 30
    assert target["traits"]["alpn"] == ("h2" if profile in ("kz-inline", "kz-proxy", "mitmproxy") else "")
    found = [match["id"] for match in target["consistent_with"]]
    assert PRODUCTS.get(profile) is None or PRODUCTS[profile] in found
    assert profile in PRODUCTS or found == []


def test_an_office_proxy_is_told_by_taking_every_name(lab: Lab):
    code, target = matrix(lab, "corporate")
    told = conclusions(target)
    assert (code, target["has_forger"]) == (1, True)
    assert (told["trigger"], told["no_name"], told["destination"]) == (
        "every_name",
        "intercepted",
        "any_address",
    )


BY_ADDRESS = f"""
flush ruleset
table ip kzmitm {{
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    iifname "inside" ip daddr {TARGET_ADDRESS} tcp dport 443 redirect to :8444
  }}
}}
"""


def test_a_device_of_no_profile_that_goes_by_the_address(lab: Lab):
    needs_product("sslsplit")
    lab.switch_on("sslsplit", {})
    try:
        assert lab.run("operator", ["nft", "-f", "-"], input=BY_ADDRESS).returncode == 0
        code, target = measured(lab)
    finally:
        lab.switch_off()
    told = conclusions(target)
    assert code == 1
    assert (told["trigger"], told["destination"]) == ("address", "own_addresses")
    assert (told["termination"], told["needs_server"], told["copying"]) == ("not_told",) * 3
    assert (told["ipv6"], told["no_name"], told["records"]) == (
        "passes",
        "intercepted",
        "fails_for_every_name",
    )
    assert [match["id"] for match in target["consistent_with"]] == ["sslsplit"]


def test_where_nothing_is_forged_it_ends_early(lab: Lab):
    code, target = matrix(lab, "none")
    assert (code, target["outcome"], target["ended"]) == (0, "clean", "nothing_forged")
    assert target["connections"] == 5
    assert set(conclusions(target).values()) == {"not_told"}
    assert (target["traits"], target["consistent_with"]) == (None, [])


def test_a_filter_is_not_taken_for_an_interceptor(lab: Lab):
    code, target = matrix(lab, "rst")
    states = {cell["cell"]: cell["state"] for cell in target["cells"]}
    assert (code, target["outcome"], target["has_forger"]) == (3, "blocked", False)
    assert states["watched@own/small/tcp"] == "failed"
    assert states["benign@own/small/tcp"] == "passed"
    assert set(conclusions(target).values()) == {"not_told"}


@pytest.mark.parametrize(
    ("profile", "outcome", "code"),
    [("kz-proxy", "forged", 1), ("none", "unaffected", 0), ("rst", "blocked", 3)],
)
def test_a_server_is_asked_for_names_that_are_not_its_own(
    lab: Lab, profile: str, outcome: str, code: int, tmp_path: Path
):
    """The laboratory has its interceptors on the way out only; to the measurement both ways are the same."""
    needs_product(profile)
    (tmp_path / "servers.txt").write_text(f"{REFLECTOR} {REFLECTOR_ADDRESS} AS9198\nwronghost.lab.test\n")
    (tmp_path / "names.txt").write_text(f"{TARGET}\n")
    if profile != "none":
        lab.switch_on(profile, {})
    words = ["reflect", "--reflectors", str(tmp_path / "servers.txt"), "--sni", str(tmp_path / "names.txt")]
    words += ["--control-name", BENIGN, "--i-understand", "--doh", "none", "--timeout", "2", "--gap", "0"]
    words += ["--store", str(lab.directory / "roots.pem"), "--json"]
    words += ["--fingerprints", str(lab.directory / "overlay")] if profile != "none" else []
    done = lab.run("client", module_command("kzmitm", *words))
    lab.switch_off()
    document = json.loads(done.stdout)
    Draft202012Validator(json.loads(schema_text("reflect"))).validate(document)
    fit, unfit = document["reflectors"]
    assert (done.returncode, fit["fitness"], unfit["fitness"]) == (code, "fit", "not_valid")
    (name,) = fit["names"]
    assert (name["sni"], name["outcome"]) == (TARGET, outcome)
    assert bool(name["chain"]) is (outcome == "forged")
    assert (name["authority"] == "lab-look-alike") is (outcome == "forged")
    network = next(each for each in document["networks"] if each["asn"] == 9198)
    assert (network["name"], network["fit"], network["intercepted"]) == (
        "Kazakhtelecom",
        1,
        int(outcome == "forged"),
    )
